"""The tasks of all protocols: a bounded store, and a timeline that is computed from the clock.

Nothing has to run for a task to move on: where it stands follows from when it was accepted, from its plan and from
whether its file is rendered. So a store of a hundred thousand tasks costs nothing but memory, and a turned clock turns
all tasks.
"""

import heapq
import math
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from yuanjing.kit.clock import Clock
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video import magic
from yuanjing.sandbox.video.magic import Asked, Word
from yuanjing.sandbox.video.rendered import Rendered
from yuanjing.sandbox.video.results import Results
from yuanjing.sandbox.video.wish import Failure, FailureKind, Phase, Resolved, Wish

DAY_SECONDS = 86_400.0
QUICK = 0.1  # of the usual time to run, until a task fails whose input is bad

Render = Callable[[Wish, tuple[Resolved, ...]], "Future[Rendered]"]
"""Begins to render, off the event loop; equal orders may share one file."""


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """How long things live, in seconds of the clock; never scaled.

    Attributes:
        execution: from acceptance until an unfinished task expires.
        record: from acceptance until the record is gone.
        canceled: from cancellation until the record is gone.
        file: from the end until the URLs of the results expire.
    """

    execution: float = 2 * DAY_SECONDS
    record: float = DAY_SECONDS
    canceled: float = DAY_SECONDS
    file: float = DAY_SECONDS


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A task to be accepted.

    Attributes:
        id: the task's id in the protocol's form; unique within the protocol.
        owner: the credential that may see it.
        wish: what is asked for, and told as asked for.
        base_url: this sandbox's address as the client reached it (`Studio.base_url`), for the results' URLs.
        asked: the magic words of prompt and credential.
        media: the media, resolved.
        facts: what the protocol wants to remember; keep it small, no bodies with media in them.
        failure: why it will fail, if the protocol already knows.
        is_off_peak: whether it waits longer in the queue.
        lifetimes: how long things live.
    """

    id: str
    owner: str
    wish: Wish
    base_url: str
    asked: Asked = field(default_factory=Asked)
    media: tuple[Resolved, ...] = ()
    facts: dict[str, object] = field(default_factory=dict[str, object])
    failure: Failure | None = None
    is_off_peak: bool = False
    lifetimes: Lifetimes = field(default_factory=Lifetimes)


@dataclass(kw_only=True)
class Task:
    """An accepted task; ask `Tasks.view` where it stands.

    Attributes:
        id: see `Submission`.
        owner: see `Submission`.
        wish: what was asked for.
        delivered: what is rendered; other than `wish` if a magic word says so. Usage tells `delivered.seconds`.
        asked: the magic words.
        facts: see `Submission`; the protocol may change it.
        created_at: when it was accepted, Unix seconds, as the other times.
        queued_at: when it enters the queue.
        starts_at: when it begins to run.
        ends_at: when it ends, if the file is ready by then.
        canceled_at: when it was canceled, None if it was not.
    """

    id: str
    owner: str
    wish: Wish
    delivered: Wish
    asked: Asked
    facts: dict[str, object]
    created_at: float
    queued_at: float
    starts_at: float
    ends_at: float
    canceled_at: float | None = None
    base_url: str
    failure: Failure | None
    lifetimes: Lifetimes
    rendering: "Future[Rendered] | None" = None
    rendered_at: float = 0.0
    urls: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def expires_at(self) -> float:
        """When it expires if it has not ended by then."""
        stuck = self.asked.number(Word.STUCK)
        return self.created_at + (stuck or self.lifetimes.execution)


@dataclass(frozen=True, kw_only=True)
class View:
    """A task at one moment.

    Attributes:
        phase: where it stands.
        created_at: Unix seconds, as the other times.
        started_at: when it began to run; None if it never did.
        ended_at: when it ended; None before.
        updated_at: when the phase began.
        failure: why it failed; None unless the phase is FAILED.
        video_url: the result; None unless the phase is SUCCEEDED, as the other URLs.
        cover_url: a JPEG of the first frame.
        last_frame_url: a PNG of the last frame.
        seconds: how long the delivered video is.
    """

    phase: Phase
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    updated_at: float
    failure: Failure | None = None
    video_url: str | None = None
    cover_url: str | None = None
    last_frame_url: str | None = None
    seconds: float


class Tasks:
    """The store."""

    def __init__(self, options: SandboxOptions, clock: Clock, results: Results, render: Render) -> None:
        self._options = options
        self._clock = clock
        self._results = results
        self._render = render
        self._tasks: OrderedDict[tuple[str, str], Task] = OrderedDict()
        self._places: dict[str, list[float]] = {}

    def submit(self, order: Submission) -> Task:
        """Accept a task; its rendering begins now unless it is to fail. The oldest goes if there are too many."""
        failure = order.failure or magic.failure_of(order.asked)
        now = self._clock.unix()
        queued_at, starts_at, ends_at = self._plan(order, now, failure)
        task = Task(
            id=order.id,
            owner=order.owner,
            wish=order.wish,
            delivered=magic.delivered(order.wish, order.asked),
            asked=order.asked,
            facts=order.facts,
            created_at=now,
            queued_at=queued_at,
            starts_at=starts_at,
            ends_at=ends_at,
            base_url=order.base_url,
            failure=failure,
            lifetimes=order.lifetimes,
        )
        if failure is None and not math.isinf(ends_at):
            task.rendering = self._render(task.delivered, order.media)
            task.rendering.add_done_callback(lambda _: _rendered(task, self._clock))
        self._tasks[order.wish.protocol, order.id] = task
        while len(self._tasks) > self._options.video_tasks_max:
            self._tasks.popitem(last=False)
        return task

    def find(self, protocol: str, owner: str, task_id: str) -> Task | None:
        """The owner's task; None if there is none, it is another's, not seen yet, or its record is gone."""
        task = self._tasks.get((protocol, task_id))
        return task if task is not None and task.owner == owner and self._is_there(task) else None

    def of_owner(self, protocol: str, owner: str) -> list[Task]:
        """All of the owner's tasks of the protocol, oldest first."""
        return [
            task
            for (of, _), task in self._tasks.items()
            if of == protocol and task.owner == owner and self._is_there(task)
        ]

    def cancel(self, task: Task) -> None:
        """Cancel it now; the protocol has checked that its phase allows it."""
        assert not self.view(task).phase.is_final
        task.canceled_at = self._clock.unix()

    def delete(self, task: Task) -> None:
        """Forget its record."""
        self._tasks.pop((task.wish.protocol, task.id), None)

    def view(self, task: Task) -> View:
        """Where the task stands now."""
        return self._view(task, *self._moments(task)[-1])

    def phase(self, task: Task) -> Phase:
        """Where the task stands now, and no more: quicker than `view`."""
        now = max(self._clock.unix(), task.created_at)
        end = self._end(task, now)
        if end is not None:
            return end[1]
        if now < task.queued_at:
            return Phase.CREATED
        return Phase.QUEUED if now < task.starts_at else Phase.RUNNING

    def views(self, task: Task) -> list[View]:
        """Every phase that the task has entered until now, in order: the last one is where it stands."""
        return [self._view(task, at, phase) for at, phase in self._moments(task)]

    def _moments(self, task: Task) -> list[tuple[float, Phase]]:
        now = max(self._clock.unix(), task.created_at)  # the wall clock may be set back
        end = self._end(task, now)
        latest = now if end is None else end[0]
        moments = [(task.created_at, Phase.CREATED), (task.queued_at, Phase.QUEUED), (task.starts_at, Phase.RUNNING)]
        return [*(moment for moment in moments if moment[0] <= latest), *([end] if end else [])]

    def _end(self, task: Task, now: float) -> tuple[float, Phase] | None:
        """When and how the task ended; None if it has not."""
        if task.canceled_at is not None:
            return task.canceled_at, Phase.CANCELED
        failed = task.failure
        ready = failed is not None
        at = task.ends_at
        if task.rendering is not None and task.rendering.done():
            ready = True
            at = max(at, task.rendered_at)
        if ready and at <= min(now, task.expires_at):
            if failed is None and task.rendering is not None and task.rendering.exception() is not None:
                task.failure = Failure(
                    kind=FailureKind.INTERNAL, text=f"Rendering failed: {task.rendering.exception()}"
                )
            return at, Phase.FAILED if task.failure else Phase.SUCCEEDED
        return (task.expires_at, Phase.EXPIRED) if now >= task.expires_at else None

    def _view(self, task: Task, at: float, phase: Phase) -> View:
        started = task.starts_at <= at and phase not in {Phase.CREATED, Phase.QUEUED}
        if phase is Phase.SUCCEEDED and not task.urls:
            self._publish(task, at)
        urls = task.urls if phase is Phase.SUCCEEDED else {}
        return View(
            phase=phase,
            created_at=task.created_at,
            started_at=task.starts_at if started else None,
            ended_at=at if phase.is_final else None,
            updated_at=at,
            failure=task.failure if phase is Phase.FAILED else None,
            video_url=urls.get("video"),
            cover_url=urls.get("cover"),
            last_frame_url=urls.get("last_frame"),
            seconds=task.delivered.seconds,
        )

    def _publish(self, task: Task, at: float) -> None:
        assert task.rendering is not None
        rendered = task.rendering.result()
        until = at + task.lifetimes.file
        for name, path in (("video", rendered.video), ("cover", rendered.cover), ("last_frame", rendered.last_frame)):
            task.urls[name] = self._results.url_of(
                path, style=task.wish.protocol, base_url=task.base_url, until=until, asked=task.asked
            )

    def _plan(self, order: Submission, now: float, failure: Failure | None) -> tuple[float, float, float]:
        """When the task enters the queue, begins to run and ends."""
        options = self._options
        scale = options.time_scale
        queue = options.video_queue_seconds * (options.video_off_peak_factor if order.is_off_peak else 1.0) * scale
        if Word.LONG_QUEUE in order.asked:
            queue = min(order.asked.number(Word.LONG_QUEUE), options.video_fault_wait_max_seconds)
        queued_at = now + options.video_created_seconds * scale
        seconds = options.video_run_seconds * scale
        if failure is not None and failure.kind is not FailureKind.MODERATED:
            seconds *= QUICK
        if Word.STUCK in order.asked:
            seconds = math.inf
        starts_at = self._take_place(order.owner, queued_at + queue, min(seconds, order.lifetimes.execution))
        return queued_at, starts_at, starts_at + seconds

    def _take_place(self, owner: str, starts_at: float, seconds: float) -> float:
        """When the task really begins: when one of the owner's places to run is free. It is never revised."""
        most = self._options.video_concurrency
        if most is None:
            return starts_at
        places = self._places.setdefault(owner, [0.0] * most)
        starts_at = max(starts_at, places[0])
        heapq.heapreplace(places, starts_at + seconds)
        return starts_at

    def _is_there(self, task: Task) -> bool:
        now = self._clock.unix()
        if now < task.created_at + task.asked.number(Word.UNSEEN):
            return False
        if task.canceled_at is not None and now >= task.canceled_at + task.lifetimes.canceled:
            return False
        return now < task.created_at + task.lifetimes.record


def _rendered(task: Task, clock: Clock) -> None:
    task.rendered_at = clock.unix()
