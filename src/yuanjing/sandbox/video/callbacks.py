"""Callbacks: a task's changes told to an address that the client gave."""

import asyncio
import base64
import contextlib
import dataclasses
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yuanjing.kit.clock import Clock
from yuanjing.sandbox import jsons
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video.magic import Word
from yuanjing.sandbox.video.tasks import Task, Tasks, View
from yuanjing.sandbox.video.wish import Phase

if TYPE_CHECKING:
    from yuanjing.sandbox.video.web import Poster

FORGED_URL = "http://127.0.0.1:9/forged.mp4"
_LOOK_SECONDS_MIN = 0.02
_LOOK_SECONDS_MAX = 10.0
_SIGNATURE = "signature"

Sign = Callable[[bytes], Mapping[str, str]]
"""Headers for a body."""


def unsigned(body: bytes) -> Mapping[str, str]:
    """No further headers."""
    del body
    return {}


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """Who is told what.

    Attributes:
        url: the address.
        body: the JSON object for a view; None if that phase is not told.
        sign: further headers for a body.
        repeats_only_ends: whether only the last view is repeated when it is not taken (Vidu), or every one (Ark).
    """

    url: str
    body: Callable[[View], dict[str, object] | None]
    sign: Sign = unsigned
    repeats_only_ends: bool = False


class Callbacks:
    """Follows tasks and posts each change in order."""

    def __init__(self, options: SandboxOptions, clock: Clock, tasks: Tasks) -> None:
        self._options = options
        self._clock = clock
        self._tasks = tasks
        self._group: asyncio.TaskGroup | None = None
        self._poster: Poster | None = None
        self._opening = asyncio.Lock()
        self._running: set[asyncio.Task[None]] = set()
        self._wakes: dict[str, asyncio.Event] = {}

    def start(self, group: asyncio.TaskGroup) -> None:
        """Follow tasks in `group` from now on."""
        self._group = group

    def stop(self) -> None:
        """End all followers at once; what was not posted is lost."""
        self._group = None
        for one in self._running:
            one.cancel()

    def follow(self, task: Task, subscription: Subscription) -> None:
        """Post every change of the task until it has ended; nothing if no server runs the sandbox (`start`)."""
        if Word.CALLBACK_LOST not in task.asked and self._group is not None:
            self._begin(self._follow(task, subscription))

    def wake(self, task: Task) -> None:
        """Look at the task now: it was changed from outside."""
        if task.id in self._wakes:
            self._wakes[task.id].set()

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        assert self._group is not None
        one = self._group.create_task(work)
        self._running.add(one)
        one.add_done_callback(self._running.discard)

    async def _open_poster(self) -> "Poster":
        """The one that all share, made in a thread when it is first needed: its libraries take a while to import."""
        async with self._opening:
            if self._poster is None:
                self._poster = await asyncio.to_thread(_new_poster, self._options.callback_wait_seconds)
                self._begin(self._close_at_end(self._poster))
        return self._poster

    async def _close_at_end(self, poster: "Poster") -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await poster.close()

    async def _follow(self, task: Task, subscription: Subscription) -> None:
        wake = self._wakes[task.id] = asyncio.Event()
        loop = asyncio.get_running_loop()
        if task.rendering is not None:
            task.rendering.add_done_callback(lambda _: _set(loop, wake))
        try:
            if Word.CALLBACK_FORGED in task.asked:
                await self._post(subscription, _forged(self._tasks.view(task)), is_forged=True)
            await self._tell(task, subscription, wake)
        finally:
            self._wakes.pop(task.id, None)

    async def _tell(self, task: Task, subscription: Subscription, wake: asyncio.Event) -> None:
        told = 0
        while True:
            wake.clear()
            views = self._tasks.views(task)
            for view in views[told:]:
                for _ in range(2 if Word.CALLBACK_TWICE in task.asked else 1):
                    await self._post(subscription, view)
            told = len(views)
            if views[-1].phase.is_final:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), self._pause(task))

    def _pause(self, task: Task) -> float:
        """Until something changes by itself; the end of rendering wakes."""
        now = self._clock.unix()
        ahead = [at - now for at in (task.queued_at, task.starts_at, task.ends_at, task.expires_at) if at > now]
        return min(max(min(ahead, default=0.0), _LOOK_SECONDS_MIN), _LOOK_SECONDS_MAX)

    async def _post(self, subscription: Subscription, view: View, *, is_forged: bool = False) -> None:
        fields = subscription.body(view)
        if fields is None:
            return
        poster = await self._open_poster()
        body = jsons.encode(fields)
        repeats = view.phase.is_final or not subscription.repeats_only_ends
        for attempt in range(1 + (self._options.callback_retries if repeats else 0)):
            if attempt:
                await asyncio.sleep(self._options.callback_pause_seconds * self._options.time_scale)
            headers = {"content-type": "application/json", **subscription.sign(body)}
            if is_forged:
                headers = {name: _wrong() if _SIGNATURE in name.lower() else it for name, it in headers.items()}
            is_taken = await poster.post(subscription.url, body, headers)
            if is_taken or (is_forged and is_taken is not None):
                return


def _new_poster(seconds: float) -> "Poster":
    from yuanjing.sandbox.video.web import Poster  # noqa: PLC0415  # see `_open_poster`

    return Poster(seconds)


def _set(loop: asyncio.AbstractEventLoop, wake: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(wake.set)


def _forged(view: View) -> View:
    return dataclasses.replace(
        view, phase=Phase.SUCCEEDED, video_url=FORGED_URL, cover_url=FORGED_URL, last_frame_url=FORGED_URL
    )


def _wrong() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
