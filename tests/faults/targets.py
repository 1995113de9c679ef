"""What the fuzzer feeds: each target takes bytes by chance, and raises if what reads them does not do its work.

The first bytes of an input decide how the rest is cut into pieces and which form is asked for.
"""

import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.upstream import DONE, STREAM_HEAD, body_of_stream, chunk, event, plain, plain_body, stream

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.usage import ChatUsage
from yuanjing.edge.multipart import FormError, FormOptions, MultipartReader, TooLargeError
from yuanjing.gateway.attempt import Attempt
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.request import ChatRequest, RequestError
from yuanjing.gateway.routing import Failure
from yuanjing.gateway.sse import SseError, SseSplitter
from yuanjing.gateway.translate.llmage_openai import LlmageAnswer
from yuanjing.gateway.translate.openai_openai import OpenAIAnswer
from yuanjing.gateway.translate.wire import AnswerContext, Bill
from yuanjing.gateway.upstream import UpstreamConnection

BOUNDARY = b"XyZ"
LINE_MAX, EVENT_MAX = 2_000, 6_000
OPTIONS = GatewayOptions(sse_line_bytes_max=LINE_MAX, sse_event_bytes_max=EVENT_MAX, answer_bytes_max=20_000)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """The bytes in pieces of that size; whole if it is 0."""
    step = size or max(1, len(data))
    return (data[i : i + step] for i in range(0, len(data), step))


def sse(data: bytes) -> None:
    """The same events at every cut, or the one error that is meant; and nothing above the limits is kept."""
    if len(data) < 2:
        return
    size, data = data[0], data[1:]
    results = []
    for step in (0, size, 1):
        splitter = SseSplitter(line_bytes_max=LINE_MAX, event_bytes_max=EVENT_MAX)
        events: list[bytes] = []
        try:
            for piece in pieces(data, step):
                events += splitter.feed(piece)
                assert len(splitter._buffer) <= EVENT_MAX + len(piece)
            events += splitter.finish()
        except SseError:
            continue  # one that comes in small pieces is refused earlier
        assert all(b"\r" not in one for one in events)
        results.append(events)
    assert all(events == results[0] for events in results)


class _Pool:
    """A channel's connections, as far as one connection needs them."""

    header_bytes_max, is_closed = 4_096, False

    def discard(self, connection: UpstreamConnection) -> None:
        """It is gone."""

    def give_back(self, connection: UpstreamConnection) -> None:
        """It can be used again."""

    def now(self) -> float:
        return 0.0


class _Transport:
    """Takes everything."""

    has_gone = False

    def write(self, data: bytes) -> None:
        """Nobody reads it."""

    def is_closing(self) -> bool:
        return self.has_gone

    def abort(self) -> None:
        self.has_gone = True

    def get_write_buffer_size(self) -> int:
        return 0


class _Owner:
    """The exchange, which checks what it is told."""

    def __init__(self) -> None:
        self.output = b""
        self.body = b""
        self.ends: list[str] = []

    def on_attempt_heard(self) -> None:
        assert not self.ends

    def on_attempt_output(self, data: bytes) -> None:
        assert not self.ends
        self.output += data

    def on_attempt_done(self, output: bytes, body: bytes) -> None:
        self.ends.append("done")
        self.output += output
        self.body = body

    def on_attempt_failed(self, failure: Failure) -> None:
        self.ends.append(failure.kind)
        assert failure.code
        assert failure.message


def http(data: bytes) -> None:
    """A provider's bytes, the head included: one end, and what the client gets is right whatever they are."""
    if len(data) < 2:
        return
    flags, size, data = data[0], data[1], data[2:]
    is_stream = bool(flags & 1)
    context = AnswerContext(
        usage_id="u",
        model="m",
        renames_model=bool(flags & 2),
        renames_reasoning=bool(flags & 4),
        includes_usage=bool(flags & 8),
        tokens_max=1_000_000,
    )
    answer = OpenAIAnswer(context) if flags & 16 else LlmageAnswer(context)
    owner = _Owner()
    attempt = Attempt(owner, None, answer, OPTIONS, is_stream=is_stream)  # type: ignore[arg-type]
    connection = UpstreamConnection(_Pool())  # type: ignore[arg-type]
    transport = _Transport()
    connection.connection_made(transport)  # type: ignore[arg-type]
    connection.send(attempt, b"", b"")
    for piece in pieces(data, size):
        if transport.has_gone:
            break
        connection.data_received(piece)
    connection.connection_lost(None)
    assert len(owner.ends) == 1, owner.ends
    usage = context.usage() or ChatUsage(input_tokens=1, output_tokens=1)
    bill = Bill(usage=usage, charge_nanos=7, overrun_nanos=0, is_estimated=context.usage() is None)
    if is_stream:
        end = answer.finish(bill) if owner.ends == ["done"] else b""
        check_events(owner.output + end, is_done=bool(end))
    elif owner.ends == ["done"]:
        json.loads(answer.plain(owner.body, bill).decode())


def check_events(data: bytes, *, is_done: bool) -> None:
    """Each event is one line of JSON."""
    blocks = data.split(b"\n\n")
    assert blocks.pop() == b""
    assert (blocks[-1:] == [b"data: [DONE]"]) == is_done
    for block in blocks[: -1 if is_done else None]:
        assert block.startswith(b"data: "), block
        assert not {b"\n"[0], b"\r"[0]} & set(block), block
        assert isinstance(json.loads(block[6:].decode(errors="replace")), dict)


def answer(data: bytes) -> None:
    """A provider's stream or body behind a head that is right, so that the fuzzer spends its time on JSON."""
    if len(data) < 3:
        return
    flags, body = data[0], data[2:]
    if flags & 1:
        head = STREAM_HEAD + chunk(b"data: " + body + b"\n\n" + DONE) if flags & 32 else STREAM_HEAD + chunk(body)
        http(data[:2] + head + b"0\r\n\r\n")
    else:
        http(data[:2] + b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


def request(data: bytes) -> None:
    """A client's body: a request that can be sent on, or an error for the client."""
    if len(data) < 2:
        return
    dialect = Dialect.OPENAI if data[0] & 1 else Dialect.LLMAGE
    try:
        read = ChatRequest(dialect, data[1:])
        body = read.upstream_body(b'"m"', 5 if data[0] & 2 else None, "max_tokens" if data[0] & 4 else None)
    except RequestError as error:
        if not error.code:
            raise
        return
    assert isinstance(json.loads(body.decode()), dict)
    assert read.prompt_bytes() >= 0


class _Scratch:
    """A folder that forgets."""

    @contextmanager
    def file(self) -> Iterator[Path]:
        yield Path("nowhere")

    async def append(self, place: Path, data: bytes | bytearray) -> None:
        """Forgotten."""


FORM = FormOptions(
    scratch=_Scratch(),  # type: ignore[arg-type]
    request_bytes_max=10_000,
    file_bytes_max=3_000,
    text_bytes_max=3_000,
    parts_max=20,
)


def multipart(data: bytes) -> None:
    """A form: its fields, or one of the errors for the client; the same at every cut."""
    if len(data) < 2:
        return
    size, data = data[0], data[1:]
    assert _fields(data, size) == _fields(data, 0)


def _fields(data: bytes, size: int) -> object:
    async def read() -> object:
        with MultipartReader(FORM, BOUNDARY) as reader:
            try:
                for piece in pieces(data, size):
                    await reader.feed(piece)
                return reader.finish()
            except (FormError, TooLargeError) as error:
                return error.code

    return _run(read())


def _run(coroutine: Coroutine[object, None, object]) -> object:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


_FORM = (
    b'--XyZ\r\ncontent-disposition: form-data; name="prompt"\r\n\r\na cat\r\n'
    b'--XyZ\r\ncontent-disposition: form-data; name="image[]"; filename="a.png"\r\n'
    b"content-type: image/png\r\n\r\n\x89PNG\r\n--XyZ--\r\n"
)
_REQUEST = json.dumps(
    {
        "model": "m",
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "x"}}],
            }
        ],
        "n": 2,
        "max_tokens": 5,
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    }
).encode()
_TOOLS = (
    b'{"id":"c","object":"chat.completion.chunk","created":1.5,"model":"q","choices":[{"index":0,"delta":{"tool_calls":'
    b'[{"index":0,"function":{"name":"f","arguments":"{}"}}],"reasoning":"r"},"logprobs":null,"finish_reason":"stop",'
    b'"usage":{"prompt_tokens":1,"completion_tokens":2}}],"usage":{"prompt_tokens":1.0,"completion_tokens":-2,'
    b'"prompt_tokens_details":{"cached_tokens":1}}}'
)
TARGETS: Mapping[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "sse": (sse, (b"\x03" + body_of_stream(), b"\x05data: a\r\ndata\r\r: c\n\n\xef\xbb\xbfdata:b\n\n")),
    "http": (
        http,
        (b"\x19\x00" + stream(), b"\x00\x07" + plain(), b"\x08\x03HTTP/1.1 429 X\r\nretry-after: 3\r\n\r\n{}"),
    ),
    "answer": (
        answer,
        (
            b"\x19\x00" + body_of_stream(),
            b"\x0b\x09" + event("a") + b'data: {"error": {"message": "m", "code": 429}}\n\n',
            b"\x10\x00" + plain_body(),
            b"\x02\x05" + plain_body("é", tokens=None),
            b"\x2d\x00" + _TOOLS,
            b"\x3f\x00" + _TOOLS,
        ),
    ),
    "request": (
        request,
        (b"\x01" + _REQUEST, b"\x06" + _REQUEST, b'\x00{"model": "m", "prompt": "hi", "sys_prompt": "be", "llmid": 7}'),
    ),
    "multipart": (multipart, (b"\x04" + _FORM, b"\x00" + _FORM.replace(b'"prompt"', b'"a"; x="\xc3\xa9"'))),
}
"""Each with inputs to begin from."""
