"""Connections to providers: a keep-alive pool per channel, on httptools' response parser.

A connection serves one request at a time and tells its handler by callbacks. Nothing here knows what the bytes mean.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Protocol, cast

import httptools

from yuanjing.kit.baseurl import parse_base_url

_SWITCHING_PROTOCOLS = 101
_OK_MIN = 200


class UpstreamHandler(Protocol):
    """Who is told how a request goes. After `on_upstream_end` or `on_upstream_broken` nothing more comes."""

    def on_upstream_sent(self, connection: "UpstreamConnection") -> None:
        """The request is on its way over this connection."""
        ...

    def on_upstream_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The final status line and headers (names in lower case, the last of equal names)."""
        ...

    def on_upstream_data(self, data: bytes) -> None:
        """The body's bytes of one read from the socket."""
        ...

    def on_upstream_end(self) -> None:
        """The answer is complete."""
        ...

    def on_upstream_broken(self, reason: str, *, is_stale: bool) -> None:
        """No complete answer will come. `is_stale`: a kept connection closed before any byte of an answer."""
        ...


class _Rest:
    """Takes what nobody needs, if it is little: what is between `[DONE]` and the end of the body."""

    def __init__(self, connection: "UpstreamConnection") -> None:
        self._connection = connection
        self.bytes = 0

    def on_upstream_sent(self, connection: "UpstreamConnection") -> None:
        """Never called."""

    def on_upstream_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Never called."""

    def on_upstream_data(self, data: bytes) -> None:
        """Dropped; a new connection costs less than to read on."""
        self.bytes += len(data)
        if self.bytes > self._connection.pool.header_bytes_max:
            self._connection.abandon()

    def on_upstream_end(self) -> None:
        """The connection is back in its pool already."""

    def on_upstream_broken(self, reason: str, *, is_stale: bool) -> None:
        """It does not matter any more."""


class PoolSaturatedError(TimeoutError):
    """The channel has all the connections that it may have, and none of them became free in time."""


class UpstreamConnection(asyncio.Protocol):
    """One TCP or TLS connection to a provider."""

    def __init__(self, pool: "ChannelPool") -> None:
        self.pool = pool
        self.transport: asyncio.Transport | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.handler: UpstreamHandler | None = None
        self._rest: _Rest | None = None
        self.idle_since = 0.0
        self.detached_at = 0.0
        self._served = 0
        self._has_bytes = False
        self._head_bytes = 0  # of the head; then of what is no body and has come since its last byte
        self._is_head_done = False
        self._headers: dict[bytes, bytes] = {}
        self._is_paused = False
        self._pieces: list[bytes] = []
        self._is_complete = False
        self._keeps_alive = False
        self._is_surplus = False

    @property
    def is_detached(self) -> bool:
        """Whether only the end of an answer is waited for."""
        return self.handler is not None and self.handler is self._rest

    @property
    def is_usable(self) -> bool:
        """Whether a request can be sent over it, as far as is known."""
        return self.transport is not None and not self.transport.is_closing()

    def send(self, handler: UpstreamHandler, head: bytes, body: bytes) -> None:
        """Begin a request; `head` ends with a blank line."""
        assert self.handler is None
        assert self.transport is not None
        self.handler = handler
        self._has_bytes = self._is_head_done = False
        self._head_bytes = 0
        self._headers = {}
        handler.on_upstream_sent(self)
        if len(body) < 65_536:  # noqa: PLR2004  # below it one copy costs less than a second system call
            self.transport.write(head + body)
        else:
            self.transport.writelines([head, body])

    def abandon(self) -> None:
        """The handler does not want the rest: the connection cannot be used again."""
        self.handler = None
        self.pool.discard(self)
        if self.transport is not None:
            self.transport.abort()

    def detach(self) -> None:
        """The handler has all it needs; the connection is kept if the provider ends its answer soon."""
        if self.pool.is_closed:
            self.abandon()
            return
        if self._rest is None:
            self._rest = _Rest(self)
        self._rest.bytes = 0
        self.handler = self._rest
        self.detached_at = self.pool.now()
        self.resume_reading()

    def pause_reading(self) -> None:
        """Stop reading; the provider is held back by TCP."""
        if not self._is_paused and self.transport is not None and not self.transport.is_closing():
            self._is_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._is_paused and self.transport is not None and not self.transport.is_closing():
            self._is_paused = False
            self.transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transports do not inherit from asyncio's

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer; on an idle connection there is nothing that could be right about them."""
        if self.handler is None:
            self.abandon()
            return
        self._has_bytes = True
        if not self._is_head_done:
            self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._is_surplus = True
            self._deliver()  # what was right before the fault is the handler's
            self._break(f"not HTTP: {type(error).__name__}")
            return
        if not self._is_head_done and self._head_bytes > self.pool.header_bytes_max:
            self._break("headers too large")
        elif self._pieces or self._is_complete:
            self._deliver()
        elif self._is_head_done:
            self._count_framing(len(data))

    def _count_framing(self, size: int) -> None:
        """Extensions of chunks and trailers, of which the parser keeps the latter."""
        self._head_bytes += size
        if self._head_bytes > self.pool.header_bytes_max:
            self._break("chunks without content")

    def _deliver(self) -> None:
        """Hand over what one read has brought, as one piece: a stream's many small chunks cost one call."""
        handler, pieces = self.handler, self._pieces
        if pieces:
            self._pieces = []
            self._head_bytes = 0
            if handler is not None:
                handler.on_upstream_data(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if self._is_complete:
            self._is_complete = False
            self._complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The provider closed, or the network did."""
        self.pool.discard(self)
        handler = self.handler
        if handler is None:
            return
        self.handler = None
        if self._is_head_done and self._ends_at_close():
            handler.on_upstream_end()
        else:
            is_stale = self._served > 0 and not self._has_bytes
            handler.on_upstream_broken("connection lost" if exc is None else "connection reset", is_stale=is_stale)

    def _ends_at_close(self) -> bool:
        return b"content-length" not in self._headers and b"transfer-encoding" not in self._headers

    def _break(self, reason: str) -> None:
        handler = self.handler
        if handler is None and self.transport is not None and self.transport.is_closing():
            return
        self.abandon()
        if handler is not None:
            handler.on_upstream_broken(reason, is_stale=False)

    # httptools callbacks

    def on_message_begin(self) -> None:
        """An answer begins; one that nobody asked for must never meet the next request."""
        if self.handler is None or self._is_complete:
            self._is_surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        if not self._is_surplus and not self._is_head_done:  # trailers say nothing that we need
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head is complete; interim answers (1xx) are passed over."""
        if self._is_surplus:
            return
        status = self.parser.get_status_code()
        if status < _OK_MIN and status != _SWITCHING_PROTOCOLS:
            self._headers = {}
            return
        self._is_head_done = True
        self._head_bytes = 0
        if self.handler is not None:
            self.handler.on_upstream_head(status, self._headers)

    def on_body(self, data: bytes) -> None:
        """A piece of the body; kept until the read is parsed."""
        if not self._is_surplus:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        """The answer is complete; told when the read is parsed."""
        if self._is_head_done and not self._is_surplus:
            self._is_complete = True
            self._keeps_alive = self.parser.should_keep_alive()

    def _complete(self) -> None:
        """The connection goes back to the pool before the handler goes on."""
        handler = self.handler
        if handler is None:
            return
        self.handler = None
        self._served += 1
        assert self.transport is not None
        is_sent = not self.transport.get_write_buffer_size()  # an answer may come before the whole request is gone
        if self._keeps_alive and is_sent and not self._is_surplus and not self._ends_at_close():
            if self._is_paused:
                self.resume_reading()
            self.pool.give_back(self)
        else:
            self.abandon()
        handler.on_upstream_end()


class ChannelPool:
    """The connections of one channel in one process."""

    def __init__(
        self,
        base_url: str,
        *,
        connections_max: int,
        connect_seconds: float,
        header_bytes_max: int,
        tls: Callable[[], ssl.SSLContext],
        now: Callable[[], float],
    ) -> None:
        address = parse_base_url(base_url)
        self.host = address.host
        self.is_tls = address.is_tls
        self.port = address.port
        self.host_header = address.host_header.encode()
        self.path = address.path
        self.header_bytes_max = header_bytes_max
        self.now = now
        self.connections_max = connections_max
        self.connects = 0
        self.connect_failures = 0
        self._connect_seconds = connect_seconds
        self._tls = tls
        self._idle: list[UpstreamConnection] = []
        self._open: set[UpstreamConnection] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[UpstreamConnection | None]] = deque()
        self.is_closed = False

    @property
    def open_count(self) -> int:
        """Connections that are open or being opened."""
        return len(self._open) + self._opening

    @property
    def idle_count(self) -> int:
        """Open connections that wait for a request."""
        return len(self._idle)

    def take(self) -> UpstreamConnection | None:
        """A kept connection, the most recently used one, or None."""
        while self._idle:
            connection = self._idle.pop()
            transport = connection.transport
            if transport is not None and not transport.is_closing():
                return connection
        return None

    async def connect(self) -> UpstreamConnection:
        """A new connection, or the next one that becomes free when the channel has all it may have.

        Raises:
            OSError, TimeoutError, ssl.SSLError: it could not be had in `connect_seconds`.
            PoolSaturatedError: for all that time others had them all.
        """
        is_opening = False
        try:
            async with asyncio.timeout(self._connect_seconds):
                while self.open_count >= self.connections_max:
                    if (kept := self.take()) is not None:
                        return kept
                    waiter: asyncio.Future[UpstreamConnection | None] = asyncio.get_running_loop().create_future()
                    self._waiting.append(waiter)
                    connection = await self._wait(waiter)
                    if connection is not None and connection.is_usable:
                        return connection
                is_opening = True
                return await self._open_one()
        except TimeoutError:
            if is_opening:
                raise
            raise PoolSaturatedError from None

    async def _wait(self, waiter: "asyncio.Future[UpstreamConnection | None]") -> UpstreamConnection | None:
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # it was woken in the very moment in which time ran out
                connection = waiter.result()
                if connection is None:
                    self._wake(None)
                else:
                    self.give_back(connection)
            raise

    async def _open_one(self) -> UpstreamConnection:
        self._opening += 1
        self.connects += 1
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: UpstreamConnection(self),
                self.host,
                self.port,
                ssl=self._tls() if self.is_tls else None,
                server_hostname=self.host if self.is_tls else None,
            )
        except BaseException:
            self.connect_failures += 1
            self._wake(None)
            raise
        finally:
            self._opening -= 1
        if not connection.is_usable:  # lost before anybody could be told
            self.connect_failures += 1
            self._wake(None)
            raise ConnectionResetError
        self._open.add(connection)
        return connection

    def give_back(self, connection: UpstreamConnection) -> None:
        """The connection is free: to whoever waits, else kept."""
        if self.is_closed or not connection.is_usable:
            connection.abandon()
        elif not self._waiting or not self._wake(connection):
            connection.idle_since = self.now()
            self._idle.append(connection)

    def discard(self, connection: UpstreamConnection) -> None:
        """The connection is gone."""
        if connection in self._open:
            self._open.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._wake(None)

    def close_idle(self, idle_seconds: float) -> None:
        """Close connections that have waited longer than this."""
        before = self.now() - idle_seconds
        for connection in [c for c in self._idle if c.idle_since <= before]:
            connection.abandon()
        for connection in [c for c in self._open if c.is_detached and c.detached_at <= before]:
            connection.abandon()

    def close(self) -> None:
        """Close what is idle now, and what only waits to become so; connections in use are closed after it.

        Nobody looks after a closed pool's connections any more, so none may be left to itself.
        """
        self.is_closed = True
        for connection in [*self._idle, *(c for c in self._open if c.is_detached)]:
            connection.abandon()

    def _wake(self, connection: UpstreamConnection | None) -> bool:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False


Spawn = Callable[[Coroutine[object, object, None]], None]
"""Runs a coroutine in the background, keeps hold of it and logs what it raises."""
