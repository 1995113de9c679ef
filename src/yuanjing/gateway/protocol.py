"""The server's protocol with the hot routes taken out of ASGI.

uvicorn stays the server; this subclass of its `HttpToolsProtocol` turns a request for a hot route into an `Exchange`
instead of an ASGI cycle. Every other request falls through untouched. The members of the base class that are used here
are listed in `BASE_MEMBERS`; a contract test fails when they change.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from yuanjing.domain.dialects import Dialect
from yuanjing.gateway import client
from yuanjing.gateway.addresses import client_address
from yuanjing.gateway.contract import FRAMING_FACTOR, HOP_HEADERS, HOT_ROUTES, LAST_REQUEST_SECONDS, StopReading, no_app
from yuanjing.gateway.conversation import Conversation, too_large
from yuanjing.gateway.exchange import Exchange
from yuanjing.gateway.runtime import Gateway

_NO_PARSER = cast("httptools.HttpRequestParser", None)
"""What the base class puts in the parser's place when nothing more is to be read."""


class GatewayProtocol(HttpToolsProtocol):
    """One client connection."""

    _exchange: Exchange | None = None
    """The exchange whose turn it is to be answered, if it is one."""
    _newest: Exchange | None = None
    """The exchange whose request is arriving."""
    _head_bytes = 0
    _is_head_done = True
    _is_reading = False
    _timer: asyncio.TimerHandle | None = None
    _started_reading = 0.0
    _body_bytes = 0
    _read_bytes = 0
    _queued_bytes = 0
    """Bodies of hot requests that wait behind others."""
    _cold: RequestResponseCycle | None = None
    """The ASGI cycle that was started last."""
    _write_timer: asyncio.TimerHandle | None = None

    gateway: Gateway
    """The process's gateway, which the ASGI lifespan has put into the state."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client has connected."""
        self.gateway = cast("Gateway", self.app_state["gateway"])
        super().connection_made(transport)
        # a client that never sends anything is not kept longer than one that has nothing more to say
        self._idle_since = self.gateway.now()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._idle_too_long)

    # reading

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self.transport.is_closing() or self.parser is _NO_PARSER:
            return
        self._unset_keepalive_if_required()
        if not self._is_reading:
            self._begin_reading()
        self._read_bytes = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            self._callback_failed(error)
            return
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
            return
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data, upgrade)
        if self._is_reading:
            self._still_reading(data)

    def _callback_failed(self, error: httptools.HttpParserCallbackError) -> None:
        """The parser stopped in one of our callbacks: on purpose, for a bad target, or by a bug."""
        cause = error.__context__
        if isinstance(cause, StopReading):
            return
        if not isinstance(cause, (httptools.HttpParserError, UnicodeError)):
            self.transport.abort()
            raise error  # to the loop's exception handler, which logs it
        self.send_400_response("Invalid HTTP request received.")

    def _begin_reading(self) -> None:
        """A request begins: one timer for its head and body, running only while they are incomplete."""
        self._is_reading = True
        self._is_head_done = False
        self._head_bytes = 0
        self._body_bytes = 0

    def _still_reading(self, data: bytes) -> None:
        """The request is not complete after this read: count its head, and let a timer watch it."""
        options = self.gateway.options
        self._head_bytes += len(data)
        if self._is_head_done:
            if self._head_bytes > 2 * options.request_header_bytes_max + FRAMING_FACTOR * self._body_bytes:
                self.send_400_response("Invalid HTTP request received.")
            elif self._timer is None:
                self._arm(options.request_body_seconds, self._body_too_slow)
        elif self._head_bytes > options.request_header_bytes_max:
            self._refuse_early("headers_too_large", "The request's headers are larger than 64 KiB; send less")
        elif self._timer is None:
            self._arm(options.request_head_seconds, self._head_too_slow)

    def _arm(self, seconds: float, late: Callable[[], None]) -> None:
        self._disarm()
        self._started_reading = self.gateway.now()
        self._timer = self.loop.call_later(seconds, late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _head_too_slow(self) -> None:
        self._timer = None
        if self.flow.read_paused or self._is_answering():
            # we do not read at the moment, or the client waits for an answer of ours
            self._arm(self.gateway.options.request_head_seconds, self._head_too_slow)
        else:
            self._refuse_early("request_timeout", "The request's headers did not arrive in time")

    def _body_too_slow(self) -> None:
        """The body's time is up: go on only for a client that keeps up the least rate."""
        self._timer = None
        options = self.gateway.options
        if self.flow.read_paused:
            self._arm(options.request_body_seconds, self._body_too_slow)
            return
        passed = self.gateway.now() - self._started_reading
        if self._body_bytes >= passed * options.request_body_bytes_per_second_min:
            self._timer = self.loop.call_later(options.request_body_seconds, self._body_too_slow)
            return
        exchange = self._newest
        if exchange is not None and exchange.body_is_missing and not exchange.response_complete:
            exchange.refusal = ("request_timeout", "The request's body did not arrive in time")
            if exchange is self._exchange:
                exchange.refuse(*exchange.refusal)
        else:
            self._close()

    def _refuse_early(self, code: str, message: str) -> None:
        """The head cannot be read: an answer if none is under way, then close."""
        self._disarm()
        if not self._is_answering():
            dialect = Dialect.LLMAGE if self.url.startswith(b"/llmage/") else Dialect.OPENAI
            answer = client.ErrorAnswer(
                dialect=dialect, code=code, message=message, request_id=f"req_{self.gateway.new_id()}"
            )
            self.transport.write(answer.render(self.default_headers(), keep_alive=False))
            self._close_softly()
            self.parser = _NO_PARSER  # what still comes is dropped, as the base class does it
        else:
            self.transport.abort()

    def _upgrade(self, data: bytes, upgrade: httptools.HttpParserUpgrade) -> None:
        """An upgrade that is no WebSocket (`h2c`, which Java's client offers): serve it as plain HTTP/1.1."""
        if self._should_upgrade():
            self._disarm()
            self.handle_websocket_upgrade()
            return
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            if name not in HOP_HEADERS:
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        offset = cast("int", upgrade.args[0])
        self._is_reading = False
        self.data_received(b"".join([*head, b"\r\n"]) + data[offset:])

    # the parser's callbacks

    def on_message_begin(self) -> None:
        """A request begins; what only ASGI needs is built when it is known to be for ASGI."""
        if not self._is_reading:  # behind another request in the same read
            if self.transport.is_closing():
                raise StopReading
            self._unset_keepalive_if_required()
            self._begin_reading()
            self._head_bytes = -self._read_bytes  # where in this read it began is not known: counted from the next
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """The head is complete: hot or cold?"""
        self._is_head_done = True
        if self._timer is not None:
            self._disarm()
        limit = self.gateway.options.request_header_bytes_max
        if (self._head_bytes > 0 or self._read_bytes > limit) and self._head_size() > limit:
            self._refuse_early("headers_too_large", "The request's headers are larger than 64 KiB; send less")
            raise StopReading
        if self.parser.should_upgrade():
            self._upgrade_asked()
            return
        dialect = HOT_ROUTES.get(self.url) or HOT_ROUTES.get(self._path())
        if dialect is None or self.parser.get_method() != b"POST":
            self._newest = None
            self._cold_scope()
            self._cold_headers_complete()
            return
        self._hot_headers_complete(dialect)

    def _upgrade_asked(self) -> None:
        """A WebSocket is the base class's; what else there is to do about an upgrade follows in `_upgrade`."""
        if self.parser.get_method() == b"CONNECT":
            self._refuse_early("method_not_allowed", "This is no proxy: CONNECT is not served")
            raise StopReading
        self._cold_scope()
        if self._should_upgrade():
            super().on_headers_complete()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _path(self) -> bytes:
        """The target's path without its query; a target may be a whole URL (RFC 9112, 3.2.2)."""
        if self.url.startswith(b"/"):
            return self.url.partition(b"?")[0]
        return httptools.parse_url(self.url).path or b""

    def _cold_scope(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers

    def _cold_headers_complete(self) -> None:
        """The base class's work, but reading is paused only behind many queued requests.

        A paused socket does not show that its client has left.
        """
        depth = len(self.pipeline)
        was_paused = self.flow.read_paused
        super().on_headers_complete()
        self.cycle.keep_alive = self.cycle.keep_alive and not self._is_last
        if len(self.pipeline) > depth and not was_paused and len(self.pipeline) < self._pause_depth():
            self.flow.resume_reading()

    def _pause_depth(self) -> int:
        return self.gateway.options.pipeline_pause_depth

    def _hot_headers_complete(self, dialect: Dialect) -> None:
        gateway = self.gateway
        exchange = Exchange(self, gateway, dialect)
        for name, value in self.headers:
            if name == b"authorization":
                exchange.authorization = value
            elif name == b"content-length" and int(value) > gateway.options.request_body_bytes_max:
                exchange.refusal = ("request_too_large", too_large(gateway.options))
            elif name == b"x-forwarded-for":
                before = exchange.forwarded_for
                exchange.forwarded_for = value if before is None else before + b"," + value
        exchange.is_http10 = self.parser.get_http_version() == "1.0"
        exchange.expects_continue = self.expect_100_continue
        exchange.keep_alive = not exchange.is_http10 and self.parser.should_keep_alive() and not self._is_last
        self._newest = exchange
        is_next = not self._is_answering()
        self.cycle = cast("RequestResponseCycle", cast("object", exchange))
        if is_next:
            self._start_asgi_task(self.cycle, no_app)
        else:
            self.pipeline.appendleft((self.cycle, no_app))
            if len(self.pipeline) >= self._pause_depth():
                self.flow.pause_reading()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Callable[..., object]) -> None:
        """The one place where both kinds start, also out of the pipeline."""
        exchange = cast("object", cycle)
        if not isinstance(exchange, Exchange):
            self._exchange = None
            self._cold = cycle
            super()._start_asgi_task(cycle, app)  # pyright: ignore[reportArgumentType]  # uvicorn's private ASGI type
            return
        self._exchange = exchange
        if self.flow.write_paused:
            exchange.pause()
        if self._is_draining:
            self._queued_bytes -= exchange.received_bytes
            # a queued one starts in the next turn: many pipelined answers would else recurse
            self.loop.call_soon(exchange.start)
        else:
            exchange.start()

    _is_draining = False
    _is_last = False

    def on_response_complete(self) -> None:
        """An answer has ended: the next queued request starts, or the connection waits, for a while.

        The base class makes and cancels a timer for each wait; here one timer looks now and then whether it is time.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._is_draining = True
            try:
                self._start_asgi_task(cycle, app)
            finally:
                self._is_draining = False
            if self._queued_bytes:
                self._limit_queue()
        else:
            self._idle_since = self.gateway.now()
            if self._is_last:
                self.loop.call_later(2 * LAST_REQUEST_SECONDS, self._close_if_idle)
            if self.timeout_keep_alive_task is None:
                self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._idle_too_long)

    def _limit_queue(self) -> None:
        """Requests that wait behind others may hold as much memory as one."""
        if not self.pipeline:
            self._queued_bytes = 0
        elif self._queued_bytes > self.gateway.options.request_body_bytes_max:
            self.flow.pause_reading()

    _idle_since = float("inf")

    def _unset_keepalive_if_required(self) -> None:
        """The connection is in use; its timer may stay, it will find that out."""
        self._idle_since = float("inf")

    def _idle_too_long(self) -> None:
        self.timeout_keep_alive_task = None
        if self.transport.is_closing() or self._idle_since == float("inf"):
            return
        left = self._idle_since + self.timeout_keep_alive - self.gateway.now()
        if left <= 0:
            self.transport.close()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(left, self._idle_too_long)

    def on_body(self, body: bytes) -> None:
        """A piece of a request's body."""
        self._body_bytes += len(body)
        exchange = self._newest
        if exchange is None:
            super().on_body(body)
            return
        exchange.receive(body)
        if exchange is not self._exchange and not exchange.response_complete:
            self._queued_bytes += len(body)
            self._limit_queue()

    def on_message_complete(self) -> None:
        """A request is complete."""
        self._is_reading = False
        self._is_head_done = True
        if self._timer is not None:
            self._disarm()
        exchange = self._newest
        if exchange is None:
            if not self.parser.should_upgrade() or self._should_upgrade():
                super().on_message_complete()
            return
        self._newest = None
        if exchange.response_complete:
            if not exchange.keep_alive:
                self._close()
        else:
            exchange.receive_end()

    # the exchange's side, see `ClientSide`

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.transport.write(data)

    def default_headers(self) -> bytes:
        """The server's own headers, joined."""
        return self.gateway.default_headers.join(self.server_state.default_headers)

    def address(self, forwarded_for: bytes | None) -> str:
        """The client's address, behind trusted proxies too."""
        peer = self.client[0] if self.client else ""
        return client_address(peer, forwarded_for, self.gateway.is_trusted_proxy)

    def exchange_over(self, exchange: Conversation) -> None:
        """An exchange has ended: the next one, or the end of the connection."""
        if self._exchange is exchange:
            self._exchange = None
        if self.transport.is_closing():
            return
        if not exchange.keep_alive:
            self.server_state.total_requests += 1
            if exchange.body_is_missing:
                self._close_softly()
            else:
                self._close()
            return
        self.on_response_complete()

    def _close(self) -> None:
        """Close when all is written; a client that does not read is not waited for."""
        transport = self.transport
        transport.close()
        self._disarm()
        self._timer = self.loop.call_later(self.gateway.options.close_seconds, transport.abort)

    def _close_softly(self) -> None:
        """Close after the client's unread input: closing before it would reset the answer away."""
        self._disarm()
        self._timer = self.loop.call_later(self.gateway.options.close_seconds, self.transport.abort)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    # flow control, loss, stop

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        super().pause_writing()
        if self._exchange is not None:
            self._exchange.pause()
            self._write_timer = self.loop.call_later(self.gateway.options.client_write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        if self._exchange is not None:
            self._exchange.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: the exchange that is being answered is told, those behind it are dropped."""
        self._disarm()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        for cycle, _ in self.pipeline:
            cycle.disconnected = True
        self.pipeline.clear()
        active, self._exchange = self._exchange, None
        self._newest = None
        if self._cold is not None and not self._cold.response_complete:
            self._cold.disconnected = True
            self._cold.message_event.set()
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        if active is not None:
            active.disconnected = False
            active.client_gone()

    def send_400_response(self, msg: str) -> None:
        """Bytes that are not HTTP: never a second answer into the middle of a running one."""
        self._disarm()
        if self._exchange is not None and self._exchange is self._newest:
            # nothing of its answer has been written yet: its own request is what is broken
            self._exchange.refuse("invalid_request", msg)
            self.parser = _NO_PARSER  # what still comes is dropped
            return
        has_begun = isinstance(cast("object", self.cycle), Exchange) or (self.cycle and self.cycle.response_started)
        if self._is_answering() and (self.pipeline or has_begun):
            self.transport.abort()
            return
        super().send_400_response(msg)
        self._timer = self.loop.call_later(self.gateway.options.close_seconds, self.transport.abort)

    def _is_answering(self) -> bool:
        """Whether the newest request, or one before it, waits for its answer's end."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first, whatever its annotation says
        return cycle is not None and not cycle.response_complete

    def shutdown(self) -> None:
        """The server stops: answers under way may end; an idle client, who may be sending just now, gets a moment."""
        self._is_last = True
        if self._exchange is not None:
            self._exchange.make_last()
        elif self._cold is not None and not self._cold.response_started:
            self._cold.keep_alive = False
        self.loop.call_later(2 * LAST_REQUEST_SECONDS, self._close_if_idle)
        self.loop.call_later(self.gateway.options.shutdown_drain_seconds, self._stop_exchange)

    def _close_if_idle(self) -> None:
        if self.gateway.now() - self._idle_since >= LAST_REQUEST_SECONDS and not self.transport.is_closing():
            self.transport.close()

    def _stop_exchange(self) -> None:
        if self._exchange is not None:
            self._exchange.stop()
        if self._exchange is not None:  # its last words leave when its bill is durable
            self.loop.call_later(self.gateway.options.close_seconds, self._close)
        elif not self.transport.is_closing():
            self._close()
