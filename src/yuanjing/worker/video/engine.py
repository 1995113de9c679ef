"""The task engine: it claims tasks that are due, and hands each to what its step needs."""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.videos import TaskStep, VideoTask
from yuanjing.ports.damage import Damaged
from yuanjing.ports.store import Tx
from yuanjing.ports.tasks import Takeable
from yuanjing.worker.supervisor import Bell, Supervisor
from yuanjing.worker.video.assigning import Assigner
from yuanjing.worker.video.calls import Calls
from yuanjing.worker.video.copying import Copier
from yuanjing.worker.video.counters import VideoCounters
from yuanjing.worker.video.desk import Desk
from yuanjing.worker.video.directory import VideoChannel, VideoDirectory
from yuanjing.worker.video.limits import ChannelGuards
from yuanjing.worker.video.losing import Finder
from yuanjing.worker.video.options import VideoOptions
from yuanjing.worker.video.parts import VideoParts
from yuanjing.worker.video.polling import Poller
from yuanjing.worker.video.schedule import Paces, Turns
from yuanjing.worker.video.submitting import Submitter

_RENEWALS = 3
_AHEAD_SECONDS = 60.0
"""How often is looked for tasks that a wrong clock has put off."""
_DURATIONS_MAX = 64
_CHOICE = 32
"""So many waiting tasks are looked at however few places there are, so that the customers can take turns."""
_LOAD = 20
"""So many tasks that are late together tell of too much work; fewer tell of a worker that was away."""
_CROWDED = 4
"""No channel may have more than this part of the tasks that are asked for at once."""
_PUT_OFF_MAX = 4.0
"""Tasks that there is no room to ask for wait so many times the shortest pause, however great the pressure."""


class Lane(StrEnum):
    """What is done with a task."""

    SUBMIT = "submit"
    FIND = "find"
    POLL = "poll"
    COPY = "copy"


@dataclass(kw_only=True, slots=True)
class _Found:
    """What one look has claimed."""

    waiting: Sequence[VideoTask] = ()
    untold: Sequence[VideoTask] = ()
    orphans: Sequence[VideoTask] = ()
    lost: Sequence[VideoTask] = ()
    polling: Sequence[VideoTask] = ()
    copying: Sequence[VideoTask] = ()
    full: frozenset[Lane] = frozenset()
    damaged: list[Damaged] = field(default_factory=list[Damaged])
    loads: Mapping[str, int] = field(default_factory=dict[str, int])


class VideoEngine:
    """The part of a worker that works on video tasks. Any number of them share the rows."""

    def __init__(self, options: VideoOptions, parts: VideoParts) -> None:
        self.counters = VideoCounters()
        self._options = options
        self._parts = parts
        self._desk = Desk(parts.store, parts.clock, options, parts.logger, self.counters, start=self._start_writing)
        self._guards = ChannelGuards(
            parts.clock, avoid_seconds=options.avoid_seconds, avoid_seconds_max=options.avoid_seconds_max
        )
        calls = Calls(self._guards, self.counters, parts.logger, calls_max=options.calls_max)
        self._paces = Paces(self._desk.choose)
        self._turns = Turns()
        self._submitter = Submitter(self._desk, self._guards, self._paces, parts.delivery)
        self._assigner = Assigner(self._desk, self._guards, self._submitter)
        self._finder = Finder(self._desk, calls)
        self._bell = Bell(pause_seconds_min=options.look_seconds_min)
        self._poller = Poller(self._desk, calls, self._paces, on_copying=self._bell.ring)
        self._copier = Copier(self._desk, parts.copier)
        self._directory: VideoDirectory | None = None
        self._group: asyncio.TaskGroup | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._full: frozenset[Lane] = frozenset()
        """Where the last look took as much as there were hands for; more may be waiting."""

    async def run(self, supervisor: Supervisor, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish or give up what is under way, and give all claims back."""
        options = self._options
        has_drained = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(
                supervisor.loop(
                    "video_claims",
                    self._renew,
                    pause_seconds=options.claim_seconds / _RENEWALS,
                    stop=has_drained,
                )
            )
            async with asyncio.TaskGroup() as loops:
                for name, one_pass, pause, bell in (
                    ("video_refresh", self._refresh, options.refresh_seconds, None),
                    ("video_ahead", self.bring_forward, _AHEAD_SECONDS, None),
                    ("video", self.look, options.look_seconds, self._bell),
                ):
                    loops.create_task(supervisor.loop(name, one_pass, pause_seconds=pause, stop=stop, bell=bell))
            await self._drain()
            has_drained.set()

    async def _drain(self) -> None:
        """Let what is under way finish, but not for ever; a submission that is cut off is looked for later."""
        if self._jobs:
            _, late = await asyncio.wait(self._jobs, timeout=self._options.stop_seconds)
            for job in late:
                job.cancel()
            if late:
                self._parts.logger.warning("video.cut_off", jobs=len(late))
                await asyncio.wait(late)
        try:
            await self._desk.give_back_all()
        except StoreUnavailableError as error:
            self._parts.logger.warning("video.claims_not_given_back", error=error.message)

    async def _renew(self) -> bool:
        await self._desk.renew()
        return False

    async def _refresh(self) -> bool:
        """Read the catalogue and the channels again, and how many workers share their limits."""
        self._directory = directory = await self._parts.source.load()
        news = [offer_id for offer_id in directory.offers if not self._paces.knows((offer_id, False))]

        def work(tx: Tx) -> tuple[int, Mapping[TaskStep, int], dict[str, list[float]]]:
            machines = {node.machine for node in tx.nodes.all() if node.is_alive}
            durations = {offer_id: tx.tasks.durations(offer_id, _DURATIONS_MAX) for offer_id in news}
            return len(machines), tx.tasks.counts(), durations

        machines, self.counters.steps, durations = await self._parts.store.read(work)
        self._guards.workers = max(1, machines)
        for offer_id, seconds in durations.items():
            self._paces.learn((offer_id, False), seconds)
        return False

    async def bring_forward(self) -> bool:
        """Look at once at tasks that a clock which was ahead has put off."""
        now, longest = self._parts.clock.unix(), self._options.ahead_seconds_max
        count = await self._parts.store.write(lambda tx: tx.tasks.bring_forward(now, after=now + longest))
        if count:
            self.counters.brought_forward += count
            self._parts.logger.warning("video.brought_forward", tasks=count)
        return False

    # looking

    async def look(self) -> bool:
        """Claim what is due and set it going, and let go of what was asked for; True if there may be more."""
        directory = self._directory
        if directory is None or self._desk.stuck:
            return False
        now, until = self._parts.clock.unix(), self._desk.claim_until
        later = self._desk.later()
        found = await self._parts.store.write(lambda tx: self._claim(tx, directory, (now, until), later))
        self._desk.gave_back(later)
        self._full = found.full
        self._note_lateness(found, now)
        for row in found.damaged:  # they stay claimed, and are told of again when the claim has run out
            self._parts.logger.warning("video.task_damaged", task=row.id, error=row.message)
        await self._start_submits(directory, found)
        for task in self._desk.enter(found.orphans):
            self._start(Lane.FIND, [task], self._submitter.orphaned(task))
        for task in self._desk.enter(found.lost):
            channel = directory.channels.get(task.channel_id)
            siblings = directory.siblings(channel) if channel else [task.channel_id]
            limits = channel.limits if channel else directory.limits_of(task.offer_id)
            self._start(Lane.FIND, [task], self._finder.look(channel, siblings, task, limits))
        for task in self._desk.enter(found.copying):
            offer, channel = directory.offers.get(task.offer_id), directory.channels.get(task.channel_id)
            self._start(Lane.COPY, [task], self._copier.copy(offer, channel, task))
        await self._start_polls(directory, self._desk.enter(found.polling))
        return len(found.polling) >= self._options.poll_batch

    def _claim(
        self, tx: Tx, directory: VideoDirectory, times: tuple[float, float], later: Mapping[str, tuple[int, float]]
    ) -> _Found:
        """As much of each kind as there are hands for, in one unit of work."""
        found, options, in_hand = _Found(), self._options, self.counters.in_hand
        now, until = times
        full: set[Lane] = set()

        def claim(lane: Lane, step: TaskStep, limit: int, only: Takeable | None = None) -> Sequence[VideoTask]:
            claimed = (
                tx.tasks.claim(options.owner, [step], at=now, until=until, limit=limit, only=only) if limit > 0 else ()
            )
            if len(claimed) >= limit:
                full.add(lane)
            found.damaged += [row for row in claimed if isinstance(row, Damaged)]
            return [row for row in claimed if not isinstance(row, Damaged)]

        tx.tasks.postpone(options.owner, later)

        hands = options.submits_max - in_hand[Lane.SUBMIT]
        if hands > 0:
            found.loads = {load.channel_id: load.tasks for load in tx.tasks.loads()}
            enabled = [one for one in directory.channels.values() if one.is_enabled]
            rooms = {one.id: self._assigner.room(one, found.loads) for one in enabled}
            offers = self._assigner.offers(directory, rooms)
            only = Takeable(offers=offers, created_until=now - options.wait_seconds)
            wanted = max(sum(rooms.values()), _CHOICE) if offers else hands
            found.waiting = claim(Lane.SUBMIT, TaskStep.WAITING, min(hands, wanted), only)
            if untold := self._assigner.untold(directory, offers):
                only = Takeable(offers=untold, created_until=0.0)
                found.untold = claim(Lane.SUBMIT, TaskStep.WAITING, _CHOICE, only)
        finds = options.lost_max - in_hand[Lane.FIND]
        found.orphans = claim(Lane.FIND, TaskStep.SUBMITTING, finds)
        found.lost = claim(Lane.FIND, TaskStep.LOST, finds - len(found.orphans))
        polls = min(options.poll_batch, options.polls_max - in_hand[Lane.POLL])
        found.polling = claim(Lane.POLL, TaskStep.POLLING, polls)
        found.copying = claim(Lane.COPY, TaskStep.COPYING, options.copies_max - in_hand[Lane.COPY])
        found.full = frozenset(full if hands > 0 else full | {Lane.SUBMIT})
        return found

    def _note_lateness(self, found: _Found, now: float) -> None:
        due = [task.next_at for tasks in (found.polling, found.lost, found.copying) for task in tasks]
        self.counters.late_seconds = max(0.0, now - min(due)) if due else 0.0
        is_load = len(found.polling) >= _LOAD
        self._guards.pressure.note(max(now - task.next_at for task in found.polling) if is_load else 0.0)

    # setting going

    async def _start_submits(self, directory: VideoDirectory, found: _Found) -> None:
        """Who was refused just now is behind the others where one task is let through to see."""
        waiting: list[VideoTask] = []
        for task in self._turns.order(self._desk.enter([*found.waiting, *found.untold])):
            if self._submitter.is_over(task):
                self._start(Lane.SUBMIT, [task], self._submitter.end_over(task))
            elif not self._give(directory, task, found.loads):
                waiting.append(task)
        waiting = [
            task for task in waiting if not (task.failures and self._give(directory, task, found.loads, is_last=True))
        ]
        await self._assigner.put_off(directory, waiting)

    def _give(
        self, directory: VideoDirectory, task: VideoTask, loads: Mapping[str, int], *, is_last: bool = False
    ) -> bool:
        given = self._assigner.assign(directory, task, loads, is_last=is_last)
        if given is not None:
            self._turns.serve(task.customer_id)
            self._start(Lane.SUBMIT, [task], self._submitter.submit(given))
        return given is not None

    async def _start_polls(self, directory: VideoDirectory, tasks: Sequence[VideoTask]) -> None:
        """Tasks of one channel together; of a crowded one some wait, so that it does not keep the others waiting."""
        by_channel: defaultdict[str, list[VideoTask]] = defaultdict(list)
        for task in tasks:
            by_channel[task.channel_id].append(task)
        crowded: list[tuple[VideoTask, float]] = []
        for channel_id, its in by_channel.items():
            channel = directory.channels.get(channel_id)
            if channel is None:
                for task in its:
                    limits = directory.limits_of(task.offer_id)
                    self._start(Lane.POLL, [task], self._poller.orphaned(task, limits))
                continue
            room = self._poll_room(channel)
            if len(its) > room:
                crowded += self._put_off(channel, its[room:])
            by_time = sorted(its[:room], key=lambda task: task.sent_at or 0.0)  # lists are read by time
            size = self._poller.together(channel)
            for start in range(0, len(by_time), size):
                batch = by_time[start : start + size]
                self._start(Lane.POLL, batch, self._poll(channel, batch))
        await self._desk.give_back_many(crowded)

    def _poll_room(self, channel: VideoChannel) -> int:
        guard = self._guards.of(channel.id, channel.limits)
        return max(1, self._options.polls_max // _CROWDED - guard.polling)

    def _put_off(self, channel: VideoChannel, tasks: Sequence[VideoTask]) -> list[tuple[VideoTask, float]]:
        """Until when tasks wait that there is no room to ask for; they count as late, or nothing would ever ease it."""
        guard = self._guards.of(channel.id, channel.limits)
        guard.pressure.note(channel.limits.poll_min_seconds)
        seconds = channel.limits.poll_min_seconds * min(guard.pressure.value, _PUT_OFF_MAX)
        later = self._parts.clock.unix() + seconds
        return [(task, self._paces.spread(1.0) + later) for task in tasks]

    async def _poll(self, channel: VideoChannel, tasks: Sequence[VideoTask]) -> None:
        guard = self._guards.of(channel.id, channel.limits)
        guard.polling += len(tasks)
        try:
            await self._poller.poll(channel, tasks)
        finally:
            guard.polling -= len(tasks)

    def _start(self, lane: Lane, tasks: Sequence[VideoTask], work: Coroutine[None, None, None]) -> None:
        assert self._group is not None
        self.counters.in_hand[lane] += len(tasks)
        job = self._group.create_task(self._guarded(lane, tasks, work))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    def _start_writing(self, work: Coroutine[None, None, None]) -> None:
        assert self._group is not None
        self._group.create_task(work)

    async def _guarded(self, lane: Lane, tasks: Sequence[VideoTask], work: Coroutine[None, None, None]) -> None:
        try:
            with self._desk.apart(lane.value, tasks):
                await work
        finally:
            self.counters.in_hand[lane] -= len(tasks)
            if lane in self._full:
                self._bell.ring()
