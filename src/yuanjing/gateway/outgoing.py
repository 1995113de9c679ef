"""A client connection's outgoing half: whoever takes nothing of what we write is not kept, whoever reads on is."""

import asyncio
import fcntl
import socket
import sys
import termios
from contextlib import suppress
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from yuanjing.gateway.exchange import Exchange
from yuanjing.gateway.runtime import Gateway

_SETTLED_SECONDS = 0.02
"""By then all is in the buffer that was being written when it became full."""


class Outgoing(HttpToolsProtocol):
    """Watches one connection's writing, for exchanges and ASGI answers, before and after the connection's end.

    There is one timer, and only while something waits to be taken: it ends the connection when the client has taken
    nothing since it was set, and else is set again.
    """

    gateway: Gateway
    """The process's gateway, which the ASGI lifespan has put into the state."""

    _exchange: Exchange | None = None
    """The exchange whose turn it is to be answered, if it is one."""
    _is_ending = False
    """Our last word is written; what the client still sends is not answered."""
    _write_timer: asyncio.TimerHandle | None = None
    _unsent = 0

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        super().pause_writing()
        if self._exchange is not None:
            self._exchange.pause()
        if not self._is_ending:
            self._watch_writing(self.gateway.options.client_write_seconds)

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if not self._is_ending:
            self._forget_writing()
        if self._exchange is not None:
            self._exchange.resume()

    def _watch_writing(self, seconds: float) -> None:
        self._forget_writing()
        self._write_timer = self.loop.call_later(_SETTLED_SECONDS, self._measure_unsent, seconds)

    def _forget_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _measure_unsent(self, seconds: float) -> None:
        self._unsent = _unsent(self.transport)
        self._write_timer = self.loop.call_later(seconds, self._still_unsent, seconds)

    def _still_unsent(self, seconds: float) -> None:
        if _unsent(self.transport) < self._unsent:
            self._measure_unsent(seconds)
        else:
            self.transport.abort()

    def _close(self) -> None:
        """Close when all is written."""
        self.transport.close()
        self._watch_closing()

    def _close_softly(self) -> None:
        """Close after the client's unread input: closing before it would reset the answer away."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._watch_closing()

    def _watch_closing(self) -> None:
        if not self._is_ending:
            self._is_ending = True
            self._watch_writing(self.gateway.options.close_seconds)


def _unsent(transport: asyncio.Transport) -> int:
    """Bytes that the client has not taken: ours, and those that the kernel keeps until they are acknowledged.

    The kernel asks for more only when a third of its buffer is free, which a slow client may take minutes for.
    """
    unsent = transport.get_write_buffer_size()
    with suppress(OSError, ValueError):  # no such call, or no socket any more
        sock = cast("socket.socket", transport.get_extra_info("socket"))
        unsent += int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    return unsent
