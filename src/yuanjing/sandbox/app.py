"""The sandbox as one ASGI application."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from yuanjing.kit.clock import Clock, SystemClock
from yuanjing.sandbox import pages
from yuanjing.sandbox.alipay.options import AlipayOptions
from yuanjing.sandbox.asgi import (
    App,
    ClientLeftError,
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    read_request,
    run_watched,
)
from yuanjing.sandbox.chat.service import ChatSimulator
from yuanjing.sandbox.journal import Entry, Journal
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.sms.service import SmsSimulator
from yuanjing.sandbox.video.service import VideoSimulator
from yuanjing.sandbox.video.tasks import Render

if TYPE_CHECKING:
    from yuanjing.sandbox.alipay.service import AlipaySimulator

Simulator = Callable[[Request, Reply, Entry], Awaitable[bool]]


def create_app(options: SandboxOptions | None = None, clock: Clock | None = None, render: Render | None = None) -> App:
    """The application; run it in uvicorn. Without arguments it takes the defaults, the system's clock and renders."""
    return _Sandbox(options or SandboxOptions(), clock or SystemClock(), render)


class _Sandbox:
    def __init__(self, options: SandboxOptions, clock: Clock, render: Render | None) -> None:
        self._options = options
        self._clock = clock
        self._journal = Journal(options.journal_length)
        self._chat = ChatSimulator(options, clock)
        self._video = VideoSimulator(options, clock, render)
        self._alipay = None if options.alipay is None else _new_alipay(options.alipay, clock, options.public_base_url)
        others = () if self._alipay is None else (self._alipay.handle,)
        self._sms = SmsSimulator(options.sms, clock)
        self._simulators: tuple[Simulator, ...] = (*others, self._sms.handle, self._video.handle, self._chat.handle)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's event; see ASGI."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = Reply(send)
        try:
            request = await read_request(scope, receive, self._body_bytes_max(str(scope["path"])))
        except ClientLeftError:
            return
        if await pages.handle(request, reply, self._journal):
            return
        entry = Entry(time=self._clock.now(), path=request.path)
        self._journal.add(entry)
        began = self._clock.monotonic()
        try:
            entry.client_left = await run_watched(receive, reply, self._simulate(request, reply, entry, began))
        finally:
            if not entry.ended:
                self._close(entry, reply, began)

    async def _live(self, receive: Receive, send: Send) -> None:
        """From the server's start to its stop: callbacks and notifications are posted in between."""
        async with asyncio.TaskGroup() as group:
            self._video.start(group)
            if self._alipay is not None:
                self._alipay.start(group)
            try:
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
            finally:
                self._video.stop()
                if self._alipay is not None:
                    await self._alipay.stop()
        await send({"type": "lifespan.shutdown.complete"})

    def _body_bytes_max(self, path: str) -> int:
        options = self._options
        if self._alipay is not None and self._alipay.claims(path):
            return self._alipay.body_bytes_max
        return options.video_body_bytes_max if self._video.claims(path) else options.body_bytes_max

    async def _simulate(self, request: Request, reply: Reply, entry: Entry, began: float) -> None:
        for simulator in self._simulators:
            if await simulator(request, reply, entry):
                break
        else:
            await self._chat.refuse_path(request, reply)
        # Before the next turn of the loop, so that who has the answer finds it in the journal.
        self._close(entry, reply, began)

    def _close(self, entry: Entry, reply: Reply, began: float) -> None:
        entry.status = reply.status
        entry.duration_seconds = round(self._clock.monotonic() - began, 3)
        entry.ended = True


def _new_alipay(options: AlipayOptions, clock: Clock, public_base_url: str | None) -> "AlipaySimulator":
    from yuanjing.sandbox.alipay.service import AlipaySimulator  # noqa: PLC0415  # its libraries take a while to import

    return AlipaySimulator(options, clock, public_base_url)
