"""The client's half of an exchange: the request's body coming in, heads, pieces and errors going out."""

from typing import Final, Protocol

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.idempotency import REPLAYED_HEADER, IdempotentRequest
from yuanjing.gateway import client
from yuanjing.gateway.counters import Counters
from yuanjing.gateway.directory import KeyEntry
from yuanjing.gateway.options import GatewayOptions


class State:
    """Where an exchange stands: plain numbers, since asking an Enum for a member is a call in Python 3.11."""

    RECEIVING: Final = 0
    ADMITTING: Final = 1
    SENT: Final = 2
    ANSWERING: Final = 3
    SETTLING: Final = 4
    OVER: Final = 5


class ClientSide(Protocol):
    """The client's connection, which uvicorn's protocol is.

    Attributes:
        known_key: the last `Authorization` header that came over it and the key that it led to; most connections
            repeat theirs in every request.
    """

    known_key: tuple[bytes, KeyEntry] | None

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    def default_headers(self) -> bytes:
        """The server's own headers, joined."""
        ...

    def address(self, forwarded_for: bytes | None) -> str:
        """The client's address, behind trusted proxies too."""
        ...

    def exchange_over(self, exchange: "Conversation") -> None:
        """This answer has ended."""
        ...


class Desk(Protocol):
    """What a conversation needs of its process."""

    options: GatewayOptions
    counters: Counters

    def now(self) -> float:
        """Boot-time seconds."""
        ...

    def new_id(self) -> str:
        """A fresh usage id."""
        ...


class _Event:
    """Stands in for the ASGI cycle's event, which uvicorn's base class sets."""

    def set(self) -> None:
        """Nobody waits."""


_EVENT = _Event()
_OPENAI = Dialect.OPENAI


class Conversation:
    """One request as its client sees it; the attributes of an ASGI cycle that uvicorn looks at come first.

    It has slots, and so have the classes made of it: of more than thirty attributes CPython would make a dictionary.
    """

    __slots__ = (
        "_body",
        "_clamp_to",
        "_desk",
        "_has_head",
        "_held_bytes",
        "_is_received",
        "_is_turn",
        "_t0",
        "authorization",
        "dialect",
        "disconnected",
        "expects_continue",
        "forwarded_for",
        "idempotency_key",
        "is_http10",
        "keep_alive",
        "refusal",
        "response_complete",
        "side",
        "state",
        "usage_id",
    )
    message_event = _EVENT

    def __init__(self, side: ClientSide, desk: Desk, dialect: Dialect) -> None:
        self.response_complete = self.disconnected = False
        self.keep_alive = True
        self.dialect = dialect
        self.side = side
        self.state: int = State.RECEIVING
        self.usage_id = ""
        self.authorization: bytes | None = None
        self.forwarded_for: bytes | None = None
        self.idempotency_key: bytes | None = None
        self.refusal: tuple[str, str] | None = None
        self.is_http10 = self.expects_continue = False
        self._desk = desk
        self._is_turn = self._is_received = self._has_head = False
        self._body: bytes | bytearray = b""
        self._held_bytes = 0
        self._clamp_to: int | None = None
        self._t0 = desk.now()

    # receiving

    @property
    def is_over(self) -> bool:
        """Nothing more happens to this exchange."""
        return self.state == State.OVER

    @property
    def request_id(self) -> str:
        """Our id of the request, made from the usage id where there is one."""
        return f"req_{self.usage_id}"

    @property
    def has_head(self) -> bool:
        """The head of its answer has been written."""
        return self._has_head

    @property
    def body_is_missing(self) -> bool:
        """The request has not arrived whole."""
        return not self._is_received

    @property
    def received_bytes(self) -> int:
        """How much of the body is held at the moment."""
        return len(self._body)

    def client_address(self) -> str:
        """The address the client calls from."""
        return self.side.address(self.forwarded_for)

    def start(self) -> None:
        """It is this request's turn to be answered."""
        if self.response_complete:
            return  # the client left before its turn came
        self._is_turn = True
        if self.refusal is not None:
            self.refuse(*self.refusal)
        elif self._is_received:
            self._admit()
        elif self.expects_continue and not self.is_http10:
            self._invite()

    def _invite(self) -> None:
        """The client waits to be asked for the body: not if its key cannot be right."""
        refusal = self._early_refusal()
        if refusal is None:
            self.side.write(client.CONTINUE)
        else:
            self.refuse(*refusal)

    def receive(self, data: bytes) -> None:
        """A piece of the request's body."""
        if self.response_complete or self.refusal is not None:
            return
        body = self._body
        if not body:
            self._body = body = data  # most bodies come in one piece, which need not be copied
        elif isinstance(body, bytearray):
            body += data
        else:
            self._body = body = bytearray(body) + data
        size, options = len(body), self._desk.options
        if size > options.request_body_unchecked_bytes_max or size > options.request_body_bytes_max:
            self._check_large(size)

    def _check_large(self, size: int) -> None:
        """A body above the usual: is it too large, is there a key to it, and is there memory for it?"""
        options, counters = self._desk.options, self._desk.counters
        is_first = not self._held_bytes
        counters.large_body_bytes += size - self._held_bytes
        self._held_bytes = size
        if size > options.request_body_bytes_max:
            self.refusal = ("request_too_large", too_large(options))
        elif is_first:
            self.refusal = self._early_refusal()
        if self.refusal is None and counters.large_body_bytes > options.request_bodies_bytes_max:
            self.refusal = ("overloaded", "Too many large requests are on their way; try again in a moment")
        if self.refusal is not None:
            self.drop_body()
            if self._is_turn:
                self.refuse(*self.refusal)

    def receive_end(self) -> None:
        """The request's body is complete."""
        self._is_received = True
        if self._is_turn and not self.response_complete:
            self._admit()

    def take_body(self) -> bytes:
        """The whole body; it is not kept."""
        body, self._body = self._body, b""
        if self._held_bytes:
            self.drop_body()
        return bytes(body)

    def put_back_body(self, body: bytes) -> None:
        """The body that was taken is to be taken again."""
        self._body = body

    def drop_body(self) -> None:
        """Nobody needs the body any more."""
        self._body = b""
        if self._held_bytes:
            self._desk.counters.large_body_bytes -= self._held_bytes
            self._held_bytes = 0

    # what the exchange makes of it

    def _early_refusal(self) -> tuple[str, str] | None:
        """Code and text of what can be refused from the head alone."""
        raise NotImplementedError

    def _admit(self) -> None:
        """The request is here whole and it is its turn: its process counts it from now on."""
        raise NotImplementedError

    def _release(self) -> None:
        """Nothing will be charged."""
        raise NotImplementedError

    def _error_event(self, code: str, message: str) -> bytes:
        """An error inside a stream, in the dialect's shape."""
        raise NotImplementedError

    def _left(self) -> None:
        """The answer has ended: its process counts it no more."""
        raise NotImplementedError

    # writing to the client

    def make_last(self) -> None:
        """The server stops: the connection ends after this answer, if its head can still say so.

        Else the client believes that it may send again, and what it sends is served, too.
        """
        if not self._has_head:
            self.keep_alive = False

    def _extra_headers(self) -> bytes:
        usage_id = self.usage_id.encode()
        extra = b"x-request-id: req_" + usage_id + b"\r\nx-yuanjing-usage-id: " + usage_id + b"\r\n"
        if self._clamp_to is not None:
            extra += b"x-yuanjing-max-tokens-clamped: %d\r\n" % self._clamp_to
        return extra

    def _head(self) -> bytes:
        self._has_head = True
        self._count_answer()
        return client.stream_head(
            self.side.default_headers(),
            self._extra_headers(),
            is_chunked=not self.is_http10,
            keep_alive=self.keep_alive,
        )

    def _end_plain(self, body: bytes) -> None:
        head = client.plain_head(
            self.side.default_headers(), self._extra_headers(), len(body), keep_alive=self.keep_alive
        )
        self._count_answer()
        self.side.write(head + body)
        self._end()

    def _answer_again(self, first: IdempotentRequest, body: bytes, *, is_stream: bool) -> None:
        """What the first request was answered, at once, with its usage id and clamp; the request's own id is new."""
        extra = f"x-request-id: {self.request_id}\r\nx-yuanjing-usage-id: {first.usage_id}\r\n".encode()
        extra += f"{REPLAYED_HEADER}: true\r\n".encode()
        if first.clamped_to is not None:
            extra += b"x-yuanjing-max-tokens-clamped: %d\r\n" % first.clamped_to
        default, keep_alive, is_chunked = self.side.default_headers(), self.keep_alive, not self.is_http10
        if is_stream:
            head = client.stream_head(default, extra, is_chunked=is_chunked, keep_alive=keep_alive)
            body = client.chunk(body, is_chunked=is_chunked) + (client.LAST_CHUNK if is_chunked else b"")
        else:
            head = client.plain_head(default, extra, len(body), keep_alive=keep_alive)
        self._has_head = True
        self._count_answer()
        self.side.write(head + body)
        self._end()

    def _count_answer(self) -> None:
        counters = self._desk.counters
        if self.dialect is _OPENAI:
            counters.answered_openai += 1
        else:
            counters.answered_llmage += 1

    def _write_stream(self, data: bytes) -> None:
        piece = client.chunk(data, is_chunked=not self.is_http10)
        self.side.write(piece if self._has_head else self._head() + piece)

    def _end_stream(self, data: bytes) -> None:
        piece = client.chunk(data, is_chunked=not self.is_http10) + (b"" if self.is_http10 else client.LAST_CHUNK)
        self.side.write(piece if self._has_head else self._head() + piece)
        self._end()

    def refuse(self, code: str, message: str, param: str | None = None, retry_after_seconds: int | None = None) -> None:
        """End with an error before anything was sent upstream."""
        if self.is_over:
            return
        self._desk.counters.refusals[code] += 1
        self._release()
        self._fail(code, message, retry_after_seconds, param)

    def _fail(self, code: str, message: str, retry_after_seconds: int | None, param: str | None = None) -> None:
        if self.disconnected:
            self._end()
            return
        if self._has_head:
            self._end_stream(self._error_event(code, message))
            return
        if not self._is_received:
            self.keep_alive = False
        if not self.usage_id:
            self.usage_id = self._desk.new_id()
        answer = client.ErrorAnswer(
            dialect=self.dialect,
            code=code,
            message=message,
            request_id=self.request_id,
            param=param,
            retry_after_seconds=retry_after_seconds,
        )
        self._desk.counters.requests[(self.dialect.value, client.status_of(code))] += 1
        self.side.write(answer.render(self.side.default_headers(), keep_alive=self.keep_alive))
        self._end()

    def _end(self) -> None:
        self.state = State.OVER
        self.response_complete = True
        if self._body:  # an idle connection keeps its last exchange
            self.drop_body()
        self._left()
        self.side.exchange_over(self)


def too_large(options: GatewayOptions) -> str:
    """What a client is told whose body is too large."""
    return f"The request body is larger than {options.request_body_bytes_max} bytes; send less, or images by URL"
