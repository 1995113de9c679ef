"""The server's protocol with the hot routes taken out of ASGI.

uvicorn stays the server; this subclass of its `HttpToolsProtocol` turns a request for a hot route into an `Exchange`
instead of an ASGI cycle. Every other request falls through untouched. The members of the base class that are used here
are listed in `BASE_MEMBERS`; a contract test fails when they change.
"""

import asyncio
from collections.abc import Callable
from typing import cast
from urllib.parse import unquote_to_bytes

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from yuanjing.domain.dialects import Dialect
from yuanjing.gateway import client
from yuanjing.gateway.addresses import client_address
from yuanjing.gateway.contract import HOT_ROUTES, LAST_REQUEST_SECONDS, NEVER, StopReading, no_app
from yuanjing.gateway.conversation import Conversation, too_large
from yuanjing.gateway.directory import KeyEntry
from yuanjing.gateway.exchange import Exchange
from yuanjing.gateway.flow import ReadingFlow
from yuanjing.gateway.incoming import Incoming
from yuanjing.gateway.runtime import Gateway

_TOLD_PART = 4


class GatewayProtocol(Incoming):
    """One client connection: `Outgoing` writes, `Incoming` reads, and this serves requests in their order."""

    _cold: RequestResponseCycle | None = None
    """The ASGI cycle that was started last."""
    known_key: tuple[bytes, KeyEntry] | None = None
    _is_withheld = False
    """The next request waits for the client to take what was written to it."""
    _is_last = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client has connected."""
        self.gateway = cast("Gateway", self.app_state["gateway"])
        super().connection_made(transport)
        self.flow = self._reading = ReadingFlow(transport)
        # a client that never sends anything is not kept longer than one that has nothing more to say
        self._idle_since = self.gateway.now()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._idle_too_long)
        if len(self.connections) > self.gateway.options.connections_max:
            self._refuse_connection()

    def _refuse_connection(self) -> None:
        """Say so, as long as those that are being told do not become too many themselves."""
        self.gateway.refuse_connection()
        most = self.gateway.options.connections_max
        if len(self.connections) > most + max(1, most // _TOLD_PART):
            self.transport.abort()
            return
        self.transport.write(client.TOO_MANY_CONNECTIONS)
        self._read_no_more()
        self._close_softly()

    # the parser's callbacks

    def on_headers_complete(self) -> None:
        """The head is complete: hot or cold?"""
        self._is_head_done = True
        self._heads += 1
        if self._timer is not None:
            self._disarm()
        limit = self.gateway.options.request_header_bytes_max
        if self._head_bytes + self._uncounted_bytes + self._read_bytes > limit:
            self._check_head_size(limit)
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

    def _path(self) -> bytes:
        """The target's path as ASGI sees it; a target may be a whole URL (RFC 9112, 3.2.2), even without a path."""
        if self.url.startswith(b"/"):
            path = self.url.partition(b"#")[0].partition(b"?")[0]
        else:
            parsed = httptools.parse_url(self.url)
            path = cast("bytes | None", parsed.path)
            if path is None:  # which the base class does not expect
                query = cast("bytes | None", parsed.query)
                self.url = b"/" if query is None else b"/?" + query
                return b"/"
        return unquote_to_bytes(path) if b"%" in path else path

    def _cold_headers_complete(self) -> None:
        """The base class's work, but reading is paused only behind many queued requests.

        A paused socket does not show that its client has left.
        """
        depth = len(self.pipeline)
        was_paused = self.flow.read_paused
        super().on_headers_complete()
        self.cycle.keep_alive = self.cycle.keep_alive and not self._is_last
        if len(self.pipeline) > depth:
            if not was_paused:
                self.flow.resume_reading()
            self._hold_if_full()

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
            elif name == b"idempotency-key":
                exchange.idempotency_key = value if exchange.idempotency_key is None else b""  # of two, none counts
        exchange.is_http10 = self.parser.get_http_version() == "1.0"
        exchange.expects_continue = self.expect_100_continue
        exchange.keep_alive = not exchange.is_http10 and self.parser.should_keep_alive() and not self._is_last
        self._newest = exchange
        is_answering = self._is_answering()
        self.cycle = exchange  # pyright: ignore[reportAttributeAccessIssue]  # has all that the base class looks at
        if not is_answering and not self.flow.write_paused:
            self._exchange = exchange
            exchange.start()
            return
        self._is_withheld = self._is_withheld or not is_answering
        self.pipeline.appendleft((self.cycle, no_app))
        self._hold_if_full()

    # the order of answers

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Callable[..., object]) -> None:
        """Both kinds start here when they come out of the pipeline; an ASGI cycle whenever it starts."""
        exchange = cast("object", cycle)
        if not isinstance(exchange, Exchange):
            self._exchange = None
            self._cold = cycle
            super()._start_asgi_task(cycle, app)  # pyright: ignore[reportArgumentType]  # uvicorn's private ASGI type
            return
        self._exchange = exchange
        self._queued_bytes -= exchange.received_bytes
        # a queued one starts in the next turn: many pipelined answers would else recurse
        self.loop.call_soon(exchange.start)

    def on_response_complete(self) -> None:
        """An answer has ended: the next queued request starts, or the connection waits, for a while.

        The base class makes and cancels a timer for each wait; here one timer looks now and then whether it is time.
        """
        if self.transport.is_closing():
            self.server_state.total_requests += 1
            self._watch_closing()
        else:
            self._go_on_serving()

    def _go_on_serving(self) -> None:
        self.server_state.total_requests += 1
        flow = self.flow
        if flow.read_paused:
            flow.resume_reading()
        if self.pipeline:
            if flow.write_paused:
                self._is_withheld = True
            else:
                self._start_next()
            return
        self._idle_since = self.gateway.now()
        if self._is_last:
            self.loop.call_later(2 * LAST_REQUEST_SECONDS, self._close_if_idle)
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._idle_too_long)

    def _start_next(self) -> None:
        cycle, app = self.pipeline.pop()
        self._start_asgi_task(cycle, app)
        if self._rest is not None:
            self._go_on_soon()

    def resume_writing(self) -> None:
        """The client has caught up; it gets its next answer."""
        super().resume_writing()
        if self._is_withheld and self.pipeline:
            self._is_withheld = False
            self._start_next()

    def _unset_keepalive_if_required(self) -> None:
        """The connection is in use; its timer may stay, it will find that out."""
        self._idle_since = NEVER

    def _idle_too_long(self) -> None:
        self.timeout_keep_alive_task = None
        if self.transport.is_closing() or self._idle_since == NEVER:
            return
        left = self._idle_since + self.timeout_keep_alive - self.gateway.now()
        if left <= 0:
            self._close()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(left, self._idle_too_long)

    def on_body(self, body: bytes) -> None:
        """A piece of a request's body."""
        self._body_bytes += len(body)
        exchange = self._newest
        if exchange is None:
            super().on_body(body)
        elif exchange is self._exchange:
            exchange.receive(body)
        else:
            before = exchange.received_bytes
            exchange.receive(body)
            self._queued_bytes += exchange.received_bytes - before
            self._hold_if_full()

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
            if not self._is_answering():  # it was answered before it was complete
                self._idle_since = self.gateway.now()
            elif not self.cycle.keep_alive:
                self._read_no_more()
            return
        self._newest = None
        if not exchange.keep_alive:
            self._read_no_more()  # the parser swallows what follows a client's last request, and we would count it
        if not exchange.response_complete:
            exchange.receive_end()
        elif not exchange.keep_alive:
            self._close()

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
        if exchange.keep_alive:
            self._go_on_serving()
            return
        self.server_state.total_requests += 1
        if self._rest is not None:  # more requests, which we shall not serve
            self._read_no_more()
        if exchange.body_is_missing or self._has_dropped:
            self._close_softly()
        else:
            self._close()

    # loss, stop

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: the exchange that is being answered is told, those behind it are dropped."""
        self._disarm()
        self._forget_writing()
        self._rest = None
        for cycle, _ in self.pipeline:
            cycle.disconnected = True
            if isinstance(exchange := cast("object", cycle), Exchange):
                exchange.drop_body()
        self.pipeline.clear()
        active, self._exchange = self._exchange, None
        self._newest = None
        if self._cold is not None and not self._cold.response_complete:
            self._cold.disconnected = True
            self._cold.message_event.set()
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        if active is not None:
            active.disconnected = False
            active.client_gone()

    def send_400_response(self, msg: str) -> None:
        """Bytes that are not HTTP: never a second answer into the middle of a running one, or after the last."""
        exchange, is_last_said = self._exchange, self._is_ending
        has_begun = isinstance(cast("object", self.cycle), Exchange) or (self.cycle and self.cycle.response_started)
        if exchange is not None and exchange is self._newest:
            # nothing of its answer has been written yet: its own request is what is broken
            exchange.refuse("invalid_request", msg)
        elif is_last_said:
            pass
        elif exchange is not None and not self.pipeline and not exchange.has_head:
            exchange.make_last()  # its answer is owed; what follows is no request, and there is no place to say so
        elif self._is_answering() and (self.pipeline or has_begun):
            self.transport.abort()
        else:
            super().send_400_response(msg)
            self._watch_closing()
        self._read_no_more()

    def _is_answering(self) -> bool:
        """Whether the newest request, or one before it, waits for its answer's end."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first, whatever its annotation says
        return cycle is not None and not cycle.response_complete

    def _give_up_cold(self) -> bool:
        """See `Incoming`. The application learns that its client has left, and what it still says is dropped."""
        cold = self._cold
        if cold is None or cold is not self.cycle or cold.response_started or cold.disconnected:
            return False
        cold.disconnected = True
        cold.message_event.set()
        return True

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
            self._close()

    def _stop_exchange(self) -> None:
        if self._exchange is not None:
            self._exchange.stop()
        if self._exchange is not None:  # its last words leave when its bill is durable
            self.loop.call_later(self.gateway.options.close_seconds, self._close)
        elif not self.transport.is_closing():
            self._close()
