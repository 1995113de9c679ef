"""The video simulator: from a request to the protocol that answers it."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from yuanjing.kit.clock import Clock
from yuanjing.sandbox.asgi import Reply, Request
from yuanjing.sandbox.journal import Entry
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video import dashscope, vidu
from yuanjing.sandbox.video.ark import Ark
from yuanjing.sandbox.video.ark_models import SERVICES
from yuanjing.sandbox.video.callbacks import Callbacks
from yuanjing.sandbox.video.console import Console
from yuanjing.sandbox.video.dashscope import Dashscope
from yuanjing.sandbox.video.media import MediaLoader
from yuanjing.sandbox.video.render import Renderer
from yuanjing.sandbox.video.results import Results
from yuanjing.sandbox.video.studio import Call, Rate, Studio
from yuanjing.sandbox.video.tasks import Render, Tasks
from yuanjing.sandbox.video.vidu import Vidu

MINUTE_SECONDS = 60.0
VIDEO_BASES = {
    "dashscope-video": dashscope.BASE,
    **{service.name: service.base for service in SERVICES},
    "vidu": vidu.BASE.rstrip("/"),
}
"""Where each protocol lives, by its name."""


class VideoProtocol(Protocol):
    """One provider's wire."""

    def claims(self, path: str) -> bool:
        """Whether the path is one of its own."""
        ...

    async def answer(self, call: Call) -> None:
        """Answer a request whose path it claims."""
        ...


class VideoSimulator:
    """Answers the video protocols and serves their results."""

    def __init__(self, options: SandboxOptions, clock: Clock, render: Render | None = None) -> None:
        self._renderer = Renderer(options)
        self._results = Results(options, clock)
        tasks = Tasks(options, clock, self._results, render or self._renderer.start)
        self._media = MediaLoader(options, clock)
        self._callbacks = Callbacks(options, clock, tasks)
        self.studio = Studio(
            options=options,
            clock=clock,
            tasks=tasks,
            media=self._media,
            callbacks=self._callbacks,
            submits=Rate(clock, options.video_submits_per_minute, MINUTE_SECONDS),
            queries=Rate(clock, options.video_queries_per_second, 1.0),
            lists=Rate(clock, options.video_lists_per_second, 1.0),
        )
        self._protocols: Sequence[VideoProtocol] = (
            Dashscope(self.studio),
            Ark(self.studio),
            Vidu(self.studio),
            Console(self.studio),
        )

    def start(self, group: asyncio.TaskGroup) -> None:
        """Post callbacks from now on, in tasks of `group`."""
        self._callbacks.start(group)

    def stop(self) -> None:
        """End what runs in the background, and remove the rendered files."""
        self._callbacks.stop()
        self._renderer.close()

    def claims(self, path: str) -> bool:
        """Whether the path is one of the video protocols'."""
        return any(protocol.claims(path) for protocol in self._protocols)

    async def handle(self, request: Request, reply: Reply, entry: Entry) -> bool:
        """Answer if the path is one of video's; whether it is."""
        if await self._results.handle(request, reply):
            entry.flavour = "results"
            return True
        for protocol in self._protocols:
            if protocol.claims(request.path):
                await protocol.answer(Call(request=request, reply=reply, entry=entry))
                return True
        return False
