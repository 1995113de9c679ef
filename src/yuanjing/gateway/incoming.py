"""A client connection's incoming half: bytes to requests, in fair portions, within limits of size and time."""

import asyncio
from typing import cast

import httptools

from yuanjing.domain.dialects import Dialect
from yuanjing.gateway import client
from yuanjing.gateway.contract import (
    FRAMING_FACTOR,
    HEAD_END,
    HOP_HEADERS,
    MIN_HEAD_BYTES,
    NEVER,
    SMALL_READ_BYTES,
    TURN_BYTES,
    StopReading,
)
from yuanjing.gateway.exchange import Exchange
from yuanjing.gateway.flow import ReadingFlow
from yuanjing.gateway.outgoing import Outgoing

_NO_PARSER = cast("httptools.HttpRequestParser", None)
"""What the base class puts in the parser's place when nothing more is to be read."""
_INVALID = "Invalid HTTP request received."
_DIALECTS = ((b"/llmage/", Dialect.LLMAGE), (b"/api/", Dialect.CONSOLE))


class Incoming(Outgoing):
    """Reads one connection.

    The parser cannot be stopped in the middle of what it was given. So it is given no more than a head at a time when
    there are several in what was read, and the rest waits: for room in the queue, and for the other connections, which
    have their turn after some requests or 64 KiB of this one.
    """

    url: bytes = b""
    _newest: Exchange | None = None
    """The exchange whose request is arriving."""
    _queued_bytes = 0
    """Bodies of hot requests that wait behind others."""
    _reading: ReadingFlow

    _rest: bytes | None = None
    """What was read and is not yet parsed; while it is not None, nothing more is read."""
    _rest_at = 0
    _is_going_on = False
    _has_dropped = False
    _heads = 0

    _head_bytes = 0
    _uncounted_bytes = 0
    _is_head_done = True
    _is_reading = False
    _timer: asyncio.TimerHandle | None = None
    _started_reading = 0.0
    _body_bytes = 0
    _body_bytes_before = -1
    _barren_bytes = 0
    """What came since the last byte of the body: trailers, or one endless line."""
    _read_bytes = 0
    _idle_since = NEVER

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self.parser is _NO_PARSER:
            self._has_dropped = True
            return
        if self._rest is None and (len(data) <= SMALL_READ_BYTES or _is_simple(data)):
            self._feed(data)
            if self._is_reading and self._timer is None:
                self._watch_request()
            return
        self._rest = data if self._rest is None else self._rest[self._rest_at :] + data
        self._rest_at = 0
        if not self._is_going_on:
            self._go_on()

    def _go_on(self) -> None:
        """Parse what is left, as far as there is room and it is this connection's turn."""
        self._is_going_on = False
        if self._rest is None:
            return
        self._rest_at = self._feed_by_head(self._rest, self._rest_at)
        if self._is_deaf():
            self._read_no_more()
            return
        is_done, has_room = self._rest_at >= len(self._rest), self._has_room()
        if is_done and self._is_reading and self._timer is None:
            self._watch_request()
        if is_done and has_room:
            self._rest, self._rest_at = None, 0
            self._reading.let_go()
            return
        self._reading.hold()
        if has_room:
            self._go_on_soon()

    def _go_on_soon(self) -> None:
        if not self._is_going_on:
            self._is_going_on = True
            self.loop.call_soon(self._go_on)

    def _feed_by_head(self, data: bytes, at: int) -> int:
        """Feed pieces that end with a head, so that each begins one request (two, if `at` is close to an end).

        Returns:
            Where the rest begins.
        """
        end = min(len(data), at + TURN_BYTES)
        heads_max = self._heads + self._pause_depth()
        while at < end and self._heads < heads_max and self._has_room() and not self._is_deaf():
            found = data.find(HEAD_END, at + MIN_HEAD_BYTES - len(HEAD_END), end)
            cut = end if found < 0 else found + len(HEAD_END)
            self._feed(data[at:cut])
            at = cut
        return at

    def _has_room(self) -> bool:
        return len(self.pipeline) < self._pause_depth() and self._queued_bytes <= self._queue_bytes_max()

    def _pause_depth(self) -> int:
        return self.gateway.options.pipeline_pause_depth

    def _queue_bytes_max(self) -> int:
        """Requests that wait behind others may hold as much memory as one."""
        return self.gateway.options.request_body_bytes_max

    def _hold_if_full(self) -> None:
        """Another request has been queued, or more of one."""
        if self._rest is None and not self._has_room():
            self._rest = b""
            self._reading.hold()

    def _is_deaf(self) -> bool:
        """Whether nothing that still comes is served."""
        return self.parser is _NO_PARSER or self.transport.is_closing()

    def _read_no_more(self) -> None:
        """What still comes is dropped, but it is read, or closing would reset our last answer away."""
        self.parser = _NO_PARSER
        self._is_reading = False
        self._disarm()
        self._has_dropped = self._has_dropped or self._rest is not None
        self._rest = None
        if not self.transport.is_closing():
            self._reading.let_go()

    def _feed(self, data: bytes) -> None:
        if not self._is_reading:
            self._begin_reading()
        self._read_bytes = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            self._callback_failed(error)
            return
        except httptools.HttpParserError:
            self.send_400_response(_INVALID)
            return
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data, upgrade)
            return
        if self._is_reading:
            self._count_unfinished(len(data))

    def _callback_failed(self, error: httptools.HttpParserCallbackError) -> None:
        """The parser stopped in one of our callbacks: on purpose, for a bad target, or by a bug."""
        cause = error.__context__
        if isinstance(cause, StopReading):
            return
        if not isinstance(cause, (httptools.HttpParserError, UnicodeError)):
            self.transport.abort()
            raise error  # to the loop's exception handler, which logs it
        self.send_400_response(_INVALID)

    def _upgrade(self, data: bytes, upgrade: httptools.HttpParserUpgrade) -> None:
        """An upgrade that is no WebSocket (`h2c`, which Java's client offers): serve the request as it is without."""
        if self._should_upgrade():
            self._disarm()
            self.handle_websocket_upgrade()
            return
        version = self.parser.get_http_version().encode()
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", version, b"\r\n"]
        for name, value in self.headers:
            kept = _other_tokens(value) if name == b"connection" else value
            if name not in HOP_HEADERS and kept:
                head += [name, b": ", kept, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as the base class's
        offset = cast("int", upgrade.args[0])
        self._is_reading = False
        self._feed(b"".join([*head, b"\r\n", data[offset:]]))

    # sizes

    def _begin_reading(self) -> None:
        """A request begins."""
        self._is_reading = True
        self._is_head_done = False
        self._head_bytes = self._uncounted_bytes = 0
        self._body_bytes = 0
        self._body_bytes_before = -1
        self._idle_since = NEVER

    def on_message_begin(self) -> None:
        """A request begins; what only ASGI needs is built when it is known to be for ASGI."""
        if not self._is_reading:  # behind another request in the same piece
            if self._is_deaf():
                raise StopReading
            self._begin_reading()
            # where in this piece it began is not known: counted from the next
            self._head_bytes = -self._read_bytes
            self._uncounted_bytes = self._read_bytes
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def _cold_scope(self) -> None:
        """What `on_message_begin` has left out."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody here needs."""
        if self._is_head_done:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def _check_head_size(self, limit: int) -> None:
        """The head is complete, and may be too large."""
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > limit:
            self._refuse_head()
            raise StopReading

    def _count_unfinished(self, size: int) -> None:
        """The request is not complete after so many more bytes: are they too many?"""
        limit = self.gateway.options.request_header_bytes_max
        self._head_bytes += size
        if not self._is_head_done:
            if self._head_bytes > limit:
                self._refuse_head()
            return
        if self._body_bytes > self._body_bytes_before:
            self._body_bytes_before = self._body_bytes
            self._barren_bytes = 0
        else:
            self._barren_bytes += size
        if self._barren_bytes > limit or self._head_bytes > 2 * limit + FRAMING_FACTOR * self._body_bytes:
            self.send_400_response(_INVALID)

    def _refuse_head(self) -> None:
        size = self.gateway.options.request_header_bytes_max
        self._refuse_early("headers_too_large", f"The request's headers are larger than {size} bytes; send less")

    # times

    def _watch_request(self) -> None:
        """A request is not complete, and nothing more of it is here: its head or its body has this much time."""
        options = self.gateway.options
        self._started_reading = self.gateway.now()
        if self._is_head_done:
            self._timer = self.loop.call_later(options.request_body_seconds, self._body_too_slow)
        else:
            self._timer = self.loop.call_later(options.request_head_seconds, self._head_too_slow)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _head_too_slow(self) -> None:
        self._timer = None
        if self._is_ending:
            return
        if not self._reading.is_reading or self._is_answering():
            # we do not read at the moment, or the client waits for an answer of ours
            self._watch_request()
        else:
            self._refuse_early("request_timeout", "The request's headers did not arrive in time")

    def _body_too_slow(self) -> None:
        """The body's time is up: go on only for a client that keeps up the least rate."""
        self._timer = None
        if self._is_ending:
            return
        options = self.gateway.options
        if not self._reading.is_reading:
            self._watch_request()
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
        elif exchange is None and self.pipeline:
            self._watch_request()  # it is told at its turn, behind what is being answered
        elif exchange is None and self._give_up_cold():
            self._answer_last("request_timeout", "The request's body did not arrive in time")
        else:
            self._close()

    # refusals

    def _is_answering(self) -> bool:
        """Whether the newest request, or one before it, waits for its answer's end."""
        raise NotImplementedError

    def _refuse_early(self, code: str, message: str) -> None:
        """The head cannot be read: an answer if none is under way, then close."""
        if self._is_answering() or self._is_ending:
            self.transport.abort()
        else:
            self._answer_last(code, message)

    def _give_up_cold(self) -> bool:
        """Take the newest request from the ASGI application, if nothing of an answer to it, or before it, is out."""
        raise NotImplementedError

    def _answer_last(self, code: str, message: str) -> None:
        """The connection's last words."""
        dialects = (one for prefix, one in _DIALECTS if self.url.startswith(prefix))
        answer = client.ErrorAnswer(
            dialect=next(dialects, Dialect.OPENAI),
            code=code,
            message=message,
            request_id=f"req_{self.gateway.new_id()}",
        )
        headers = self.gateway.default_headers.join(self.server_state.default_headers)
        self.transport.write(answer.render(headers, keep_alive=False))
        self._read_no_more()
        self._close_softly()


def _other_tokens(connection: bytes) -> bytes:
    """What a `Connection` header says beside the upgrade."""
    return b",".join(token for token in connection.split(b",") if token.strip().lower() not in HOP_HEADERS)


def _is_simple(data: bytes) -> bool:
    """Whether this fits into one turn and holds one head's end at most.

    JSON bodies have no carriage returns, and a search for one byte from behind costs nothing: only heads are scanned.
    """
    return len(data) <= TURN_BYTES and data.find(HEAD_END, 0, data.rfind(b"\r") + 1) < 0
