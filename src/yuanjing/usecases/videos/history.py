"""How far a task is, and how long it will take: told from how long the offer's last videos took."""

import statistics
from collections.abc import Sequence

from yuanjing.domain.money import Book
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import VideoTask
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store, Tx

_USUAL, _ALMOST = 90, 99
"""Percent once the usual time has passed, and what is never exceeded before the end."""


class History:
    """Remembers the durations of each offer for a while; simulated videos say nothing about real ones."""

    def __init__(self, store: Store, clock: Clock, *, fresh_seconds: float, length: int) -> None:
        self._store = store
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._length = length
        self._known: dict[tuple[str, Book], tuple[float, Sequence[float]]] = {}

    async def durations(self, task: VideoTask) -> Sequence[float]:
        """What is to be compared with; nothing of what is not foretold."""
        if not is_foretold(task):
            return ()
        now, key = self._clock.monotonic(), (task.offer_id, task.book)
        if key not in self._known or now - self._known[key][0] >= self._fresh_seconds:
            self._known[key] = (now, await self._store.read(lambda tx: self._read(tx, *key)))
        return self._known[key][1]

    def _read(self, tx: Tx, offer_id: str, book: Book) -> Sequence[float]:
        return tx.tasks.durations(offer_id, self._length, book)


def is_foretold(task: VideoTask) -> bool:
    """Whether its end can be told beforehand: not if it has ended, or if the provider may put it off."""
    return not task.state.is_final and not task.request.off_peak


def progress_of(task: VideoTask, durations: Sequence[float], at: float) -> int:
    """From 0 to 100: the part of the usual time that has passed, up to 90; then ever slower towards 99."""
    if task.state is TaskState.SUCCEEDED:
        return 100
    if not durations:
        return 0
    usual = max(statistics.median(durations), 0.001)
    share = max(0.0, (at - task.created_at) / usual)
    return int(_USUAL * share) if share <= 1 else int(_ALMOST - (_ALMOST - _USUAL) / share)


def seconds_left(task: VideoTask, durations: Sequence[float], at: float) -> int | None:
    """Until it has succeeded as those have that took longer than it has so far; None if none has."""
    age = at - task.created_at
    longer = [seconds - age for seconds in durations if seconds > age]
    return max(1, round(statistics.median(longer))) if longer else None
