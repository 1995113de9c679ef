"""Letting clients in, also while the event loop is busy."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

_AT_ONCE = 128
_NO_FILES_SECONDS = 0.1
"""How long nobody is let in when there are no files left for it; clients wait in the kernel's queue."""


class Served(asyncio.Protocol):
    """What is made for a connection."""

    def shutdown(self) -> None:
        """The server stops: end, after what is being answered."""
        raise NotImplementedError


class Acceptor(asyncio.AbstractServer):
    """Takes every client who waits at a listening socket, in one turn of the loop.

    The servers of uvloop take one for each turn. When a process has much to do its turns are long, and new clients
    would wait for seconds where nothing sees them: neither would they be refused, nor would the loop seem late.
    """

    def __init__(self, listener: socket.socket, make: Callable[[], Served], *, backlog: int) -> None:
        self._listener = listener
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False
        listener.setblocking(False)  # noqa: FBT003  # its only argument
        listener.listen(backlog)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Let nobody in any more."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """Wait for those who are just being let in."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no files, or no memory
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_NO_FILES_SECONDS, self._again)
                return
            connection.setblocking(False)  # noqa: FBT003  # its only argument
            task = self._loop.create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _again(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._listener, self._accept)

    async def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):  # it has gone already
            _, protocol = await self._loop.connect_accepted_socket(self._make, connection)
            if self._is_closed:
                protocol.shutdown()  # those before it were told when the server closed
