"""How far a task is, and how long it will take: told from how long the offer's last videos took."""

import statistics
from collections.abc import Sequence

from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import VideoTask
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store

_ALMOST = 99


class History:
    """Remembers the durations of each offer for a while."""

    def __init__(self, store: Store, clock: Clock, *, fresh_seconds: float, length: int) -> None:
        self._store = store
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._length = length
        self._known: dict[str, tuple[float, Sequence[float]]] = {}

    async def durations(self, task: VideoTask) -> Sequence[float]:
        """What is to be compared with; nothing of tasks that have ended, or that the provider may put off."""
        if task.state.is_final or task.request.off_peak:
            return ()
        now, offer_id = self._clock.monotonic(), task.offer_id
        if offer_id not in self._known or now - self._known[offer_id][0] >= self._fresh_seconds:
            self._known[offer_id] = (now, await self._store.read(lambda tx: tx.tasks.durations(offer_id, self._length)))
        return self._known[offer_id][1]


def progress_of(task: VideoTask, durations: Sequence[float], at: float) -> int:
    """From 0 to 100: the part of the usual time that has passed."""
    if task.state is TaskState.SUCCEEDED:
        return 100
    if not durations:
        return 0
    usual = max(statistics.median(durations), 0.001)
    return min(_ALMOST, max(0, int(100 * (at - task.created_at) / usual)))


def seconds_left(task: VideoTask, durations: Sequence[float], at: float) -> int | None:
    """Until it has succeeded as those have that took longer than it has so far; None if none has."""
    age = at - task.created_at
    longer = [seconds - age for seconds in durations if seconds > age]
    return max(1, round(statistics.median(longer))) if longer else None
