"""Which channel a waiting task is given to, and what keeps it waiting where none is free."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yuanjing.domain.money import Book
from yuanjing.domain.videos import VideoTask
from yuanjing.ports.store import Tx
from yuanjing.worker.video.desk import Desk
from yuanjing.worker.video.directory import VideoChannel, VideoDirectory
from yuanjing.worker.video.limits import ChannelGuards
from yuanjing.worker.video.recent import Recent
from yuanjing.worker.video.submitting import Assignment, Submitter

_TELL_SECONDS = 5.0
"""Who waits for so long is told why; less is nothing that anybody asks about."""
_TOLD_MAX = 10_000
_LATER_SECONDS_MIN = 1.0

NOWHERE = "waits: no channel is there for it"
ALONE = "waits: our account was refused"
FULL = "waits: no channel has room"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wait:
    """Why a task waits, how that is told, and when to look again; None if at any moment."""

    why: str
    text: str
    seconds: float | None = None


class Assigner:
    """Gives waiting tasks to channels that have room."""

    def __init__(self, desk: Desk, guards: ChannelGuards, submitter: Submitter) -> None:
        self._desk = desk
        self._guards = guards
        self._submitter = submitter
        self._told = Recent[tuple[str, str], None](_TOLD_MAX)
        self._tell_at = 0.0

    def room(self, channel: VideoChannel, loads: Mapping[str, int]) -> int:
        """How many tasks it may be given now."""
        guard = self._guards.of(channel.id, channel.limits)
        return self._guards.room(guard, channel.limits, loads.get(channel.id, 0))

    def offers(self, directory: VideoDirectory, rooms: Mapping[str, int]) -> frozenset[tuple[Book, str]]:
        """The offers that some channel has room for, by book."""
        return frozenset(
            (book, offer_id)
            for offer_id in directory.offers
            for book in Book
            if any(rooms[channel.id] for channel in directory.candidates(offer_id, book))
        )

    def untold(self, directory: VideoDirectory, offers: frozenset[tuple[Book, str]]) -> frozenset[tuple[Book, str]]:
        """From time to time the offers that are not among these: their tasks are told why they wait."""
        now = self._desk.clock.monotonic()
        if now < self._tell_at:
            return frozenset()
        self._tell_at = now + _TELL_SECONDS
        return frozenset((book, offer_id) for offer_id in directory.offers for book in Book) - offers

    def assign(
        self, directory: VideoDirectory, task: VideoTask, loads: Mapping[str, int], *, is_last: bool = False
    ) -> Assignment | None:
        """A channel with room, by priority and then by weight; after a failure rather another than the same.

        Where one task shows if a channel takes them again, one that was refused there is given to it only if it is the
        last, as no other waits.
        """
        candidates = self._candidates(directory, task)
        open_now = [channel for channel in candidates if self._may(directory, channel, task, loads, is_last=is_last)]
        if not open_now:
            return None
        others = [channel for channel in open_now if channel.id != task.channel_id]
        usable = others if task.failures and others else open_now
        first = min(channel.priority for channel in usable)
        usable = [channel for channel in usable if channel.priority == first]
        [channel] = self._desk.choose.choices(usable, [max(1, channel.weight) for channel in usable])
        given = Assignment(
            task=task,
            offer=directory.offers[task.offer_id],
            channel=channel,
            guard=self._guards.of(channel.id, channel.limits),
            others=frozenset(one.id for one in directory.candidates(task.offer_id, task.book)) - {channel.id},
        )
        self._guards.take(given.guard, given.model, task.id)
        return given

    def _candidates(self, directory: VideoDirectory, task: VideoTask) -> Sequence[VideoChannel]:
        """The channels that may be given the task; those that cannot take it only if there is no other."""
        candidates, lacking = directory.candidates(task.offer_id, task.book), self._submitter.lacking(task.id)
        return [channel for channel in candidates if channel.id not in lacking] or candidates

    def _may(
        self,
        directory: VideoDirectory,
        channel: VideoChannel,
        task: VideoTask,
        loads: Mapping[str, int],
        *,
        is_last: bool,
    ) -> bool:
        if not self.room(channel, loads):
            return False
        guard = self._guards.of(channel.id, channel.limits)
        model = channel.model_of(directory.offers[task.offer_id], task.request.model)
        if self._guards.is_closed(guard, model):
            return False
        was_refused = bool(task.failures) and task.channel_id == channel.id
        return is_last or not was_refused or not self._guards.is_on_trial(guard, model)

    # what waits

    async def put_off(self, directory: VideoDirectory, waiting: Sequence[VideoTask]) -> None:
        """Let go of tasks that no channel has taken; once each is told why in its history."""
        now = self._desk.clock.unix()
        back: list[tuple[VideoTask, float]] = []
        news: list[tuple[str, _Wait]] = []
        for task in waiting:
            wait = self._wait(directory, task)
            back.append((task, task.next_at if wait.seconds is None else now + wait.seconds))
            if now - task.created_at >= _TELL_SECONDS and (task.id, wait.why) not in self._told:
                news.append((task.id, wait))
        if news:
            await self._desk.commit(lambda tx: _tell(tx, news))
        for task_id, wait in news:
            self._told.set((task_id, wait.why), None)
        await self._desk.give_back_many(back)

    def _wait(self, directory: VideoDirectory, task: VideoTask) -> _Wait:
        candidates = self._candidates(directory, task)
        if not candidates:
            return _Wait(why=NOWHERE, text=NOWHERE, seconds=_TELL_SECONDS)
        closed: list[tuple[float, str]] = []
        for channel in candidates:
            model = channel.model_of(directory.offers[task.offer_id], task.request.model)
            guard = self._guards.of(channel.id, channel.limits)
            seconds = self._guards.closed_seconds(guard, model)
            if seconds is None:
                return _Wait(why=FULL, text=FULL)
            closed.append((seconds, channel.name))
        seconds, name = min(closed)
        until = dt.datetime.fromtimestamp(self._desk.clock.unix() + seconds, dt.UTC)
        text = f"{ALONE}, {name} is left alone until {until:%Y-%m-%d %H:%M:%S} UTC"
        return _Wait(why=ALONE, text=text, seconds=min(max(seconds, _LATER_SECONDS_MIN), _TELL_SECONDS))


def _tell(tx: Tx, news: Sequence[tuple[str, _Wait]]) -> None:
    """Other workers may have told it already."""
    for task_id, wait in news:
        if not any(event.text.startswith(wait.why) for event in tx.tasks.events(task_id)):
            tx.tasks.note(task_id, wait.text)
