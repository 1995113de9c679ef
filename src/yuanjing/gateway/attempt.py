"""One try of a request on one channel: the provider's answer read, translated and judged."""

import errno
from typing import Protocol

from yuanjing.gateway.directory import Route
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.routing import Failure, bad_answer, broken, failure_of_answer, failure_of_event, saturated
from yuanjing.gateway.sse import SseError, SseSplitter
from yuanjing.gateway.translate.llmage_openai import LlmageAnswer
from yuanjing.gateway.translate.openai_openai import OpenAIAnswer
from yuanjing.gateway.translate.wire import BadAnswerError, UpstreamRefusedError
from yuanjing.gateway.upstream import PoolSaturatedError, UpstreamConnection

_OK = 200
_ERROR_BODY_BYTES_MAX = 64 * 1024
_DONE = b"[DONE]"
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
_BOM = b"\xef\xbb\xbf"

Answer = OpenAIAnswer | LlmageAnswer


class AttemptOwner(Protocol):
    """The exchange; after `done` or `failed` the attempt says nothing more."""

    def on_attempt_heard(self) -> None:
        """The provider is alive, with nothing for the client yet: a comment, or a part of a plain answer."""
        ...

    def on_attempt_output(self, data: bytes) -> None:
        """Translated events for the client."""
        ...

    def on_attempt_done(self, output: bytes, body: bytes) -> None:
        """The answer is whole: the last translated events of a stream, or the body of a plain answer."""
        ...

    def on_attempt_failed(self, failure: Failure) -> None:
        """No whole answer will come from this attempt."""
        ...


class Attempt:
    """Handles one upstream answer; see `UpstreamHandler`."""

    __slots__ = (
        "_body",
        "_body_bytes",
        "_headers",
        "_options",
        "_owner",
        "_splitter",
        "_status",
        "answer",
        "connection",
        "has_output",
        "is_accepted",
        "is_over",
        "is_stale",
        "is_stream",
        "route",
    )

    def __init__(
        self, owner: AttemptOwner, route: Route, answer: Answer, options: GatewayOptions, *, is_stream: bool
    ) -> None:
        self._owner = owner
        self._options = options
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._headers: dict[bytes, bytes] = {}
        self._splitter: SseSplitter | None = None
        self._status = 0
        self.route = route
        self.answer = answer
        self.is_stream = is_stream
        self.connection: UpstreamConnection | None = None
        self.has_output = False
        self.is_accepted = False
        """The provider has answered 200: from now on it may charge us."""
        self.is_stale = False
        self.is_over = False

    @property
    def upstream_request_id(self) -> str:
        """The provider's own id of the request, if it said one."""
        headers = self._headers
        value = headers.get(b"x-request-id") or headers.get(b"x-dashscope-request-id")
        return value.decode("latin-1")[:100] if value else ""

    def abandon(self) -> None:
        """Nobody wants the rest: the provider is told by closing."""
        self.is_over = True
        if self.connection is not None:
            self.connection.abandon()
            self.connection = None

    # UpstreamHandler

    def on_upstream_sent(self, connection: UpstreamConnection) -> None:
        """The request is on its way."""
        self.connection = connection

    def on_upstream_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The answer's head: an event stream, a plain answer, or an error whose body says which."""
        self._status = status
        self._headers = headers
        encoding = headers.get(b"content-encoding")
        if encoding is not None and encoding.lower() not in (b"", b"identity"):
            self._fail(bad_answer("compressed although not asked for"))
            return
        if status == _OK:
            self.is_accepted = True
            if self.is_stream and b"text/event-stream" in headers.get(b"content-type", b"").lower():
                self._splitter = SseSplitter(
                    line_bytes_max=self._options.sse_line_bytes_max, event_bytes_max=self._options.sse_event_bytes_max
                )

    def on_upstream_data(self, data: bytes) -> None:
        """A piece of the body."""
        if self.is_over:
            return
        if self._splitter is None:
            self._collect(data)
            return
        try:
            events = self._splitter.feed(data)
        except SseError as error:
            self._fail(bad_answer(str(error)))
            return
        self._translate(events)

    def _collect(self, data: bytes) -> None:
        self._owner.on_attempt_heard()
        self._body_bytes += len(data)
        limit = self._options.answer_bytes_max if self._status == _OK else _ERROR_BODY_BYTES_MAX
        if self._body_bytes <= limit:
            self._body.append(data)
        elif self._status == _OK:
            self._fail(bad_answer("an answer that is too large"))
        else:
            self._fail(self._refusal())  # its status says enough; the rest may have no end

    def _translate(self, events: list[bytes]) -> None:
        pieces: list[bytes] = []
        event_of = self.answer.event
        is_done = False
        try:
            for event in events:
                if event.startswith(_DONE):
                    is_done = True
                    break
                if event:
                    piece = event_of(event)
                    if piece:
                        pieces.append(piece)
        except UpstreamRefusedError as error:
            self._stop(pieces, failure_of_event(error.detail))
            return
        except BadAnswerError as error:
            self._stop(pieces, bad_answer(str(error)))
            return
        except (ValueError, RecursionError):
            self._stop(pieces, bad_answer("an event that is not JSON"))
            return
        if is_done:
            self._end_at_done(b"".join(pieces))
        elif pieces:
            self.has_output = True
            self._owner.on_attempt_output(b"".join(pieces))
        else:
            self._owner.on_attempt_heard()

    def _stop(self, pieces: list[bytes], failure: Failure) -> None:
        """What came before the fault is the client's."""
        if pieces:
            self.has_output = True
            self._owner.on_attempt_output(b"".join(pieces))
        if not self.is_over:
            self._fail(failure)

    def _end_at_done(self, output: bytes) -> None:
        context = self.answer.context
        if not (context.output_bytes or context.finish_reasons or context.usage_json):
            self._fail(bad_answer("a stream without an answer"))
        else:
            self._done(output)

    def _done(self, output: bytes) -> None:
        self.is_over = True
        connection, self.connection = self.connection, None
        if connection is not None and connection.handler is self:
            connection.detach()
        self._owner.on_attempt_done(output, b"")

    def on_upstream_end(self) -> None:
        """The body is complete."""
        self.connection = None
        if self.is_over:
            return
        if self._status != _OK:
            self.is_over = True
            self._owner.on_attempt_failed(self._refusal())
        elif self._splitter is not None:
            self._end_of_stream(self._splitter)
        elif self.is_stream:
            self._end_of_wrong_body(b"".join(self._body))
        else:
            self._end_of_plain(b"".join(self._body).removeprefix(_BOM).strip())

    def _refusal(self) -> Failure:
        return failure_of_answer(self._status, b"".join(self._body), self._headers.get(b"retry-after"))

    def _end_of_stream(self, splitter: SseSplitter) -> None:
        self._translate(splitter.finish())
        if self.is_over:
            return
        if self.answer.context.is_finished:
            self._done(b"")  # whole, although the provider forgot to say `[DONE]`
        else:
            self._fail(broken("the stream ended early"))

    def _end_of_wrong_body(self, body: bytes) -> None:
        """A stream was asked for and something else came: an error object, or nothing that can be used."""
        try:
            self.answer.read_plain(body)
        except UpstreamRefusedError as error:
            self._fail(failure_of_event(error.detail))
            return
        except (BadAnswerError, ValueError, RecursionError):
            pass  # whatever it is, it is not the stream that was asked for
        self._fail(bad_answer("not an event stream"))

    def _end_of_plain(self, body: bytes) -> None:
        try:
            self.answer.read_plain(body)
        except UpstreamRefusedError as error:
            self._fail(failure_of_event(error.detail))
            return
        except BadAnswerError as error:
            self._fail(bad_answer(str(error)))
            return
        except (ValueError, RecursionError):
            self._fail(bad_answer("an answer that is not JSON"))
            return
        self.is_over = True
        self._owner.on_attempt_done(b"", body)

    def on_upstream_broken(self, reason: str, *, is_stale: bool) -> None:
        """The connection is gone before the answer was whole."""
        self.connection = None
        if self.is_over:
            return
        self.is_stale = is_stale
        if self._splitter is not None and self.answer.context.is_finished and self.answer.context.usage_json:
            self._done(b"")  # everything that an answer needs has come; only its end is missing
            return
        self._fail(broken(reason))

    def _fail(self, failure: Failure) -> None:
        self.abandon()
        self._owner.on_attempt_failed(failure)


def connect_failure(error: Exception) -> Failure:
    """Why no connection could be had, without the address or the provider's words."""
    if isinstance(error, PoolSaturatedError) or (isinstance(error, OSError) and error.errno in _TOO_MANY_FILES):
        return saturated()  # our limit, and no fault of the provider's
    return broken("connect timeout" if isinstance(error, TimeoutError) else f"connect: {type(error).__name__}")
