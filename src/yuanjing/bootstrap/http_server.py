"""uvicorn as our processes run it."""

import asyncio
import signal
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import cast

import uvicorn

from yuanjing.bootstrap.accepting import Acceptor, Served


class HttpServer(uvicorn.Server):
    """Tells when it is asked to stop, and leaves the process alive when it has stopped.

    uvicorn raises a signal that it has caught again when it has finished; by then it must not kill the process.
    """

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, but that the listening sockets have acceptors of ours."""
        await super().startup(sockets=[])

        make = cast("Callable[..., Served]", self.config.http_protocol_class)  # as uvicorn itself makes them
        made = partial(make, config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        for one in sockets or []:
            acceptor = Acceptor(one, made, backlog=self.config.backlog)
            self.servers.append(cast("asyncio.Server", acceptor))  # uvicorn closes them and waits, no more

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal: it may have interrupted anything, so what follows from it waits for the loop's next turn."""
        if not self.should_exit:
            self._loop.call_soon_threadsafe(self._on_stop)
        super().handle_exit(sig, frame)
