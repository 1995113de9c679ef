"""A provider of chats for load: a process of its own that answers fast, fails on demand and remembers every call.

Each channel has a path of its own (`/a/v1`, `/b/v1`), and behaves as `POST /control/a` says last (`Behaviour`). What an
answer is like is asked for in its messages by words: `nonce-7` its name in the journal, `chunks-64` how many pieces of
text, `every-50` milliseconds between them (else all at once), `wide-4000` bytes in each.

`python -m tests.load.upstream PORT` prints its port, which may be 0 for a free one.
"""

import asyncio
import json
import random
import re
import sys
from dataclasses import asdict, dataclass, field, fields
from typing import cast

import httptools
import uvloop

FAULTS = ("500", "503", "429", "close", "reset")
"""Ways to fail before the first byte."""
_WORD = re.compile(rb"\b(nonce|chunks|every|wide)-(\d+)")
_STREAM = re.compile(rb'"stream": ?true')
_PIECE_BYTES = 65_536
_ERROR = b'{"error":{"message":"asked for","type":"server_error"}}'
_REASONS = {"200": "OK", "429": "Too Many Requests", "500": "Internal Server Error", "503": "Service Unavailable"}


@dataclass(kw_only=True)
class Behaviour:
    """What a channel does from now on.

    Attributes:
        failing: share of calls that fail before their first byte, in turn by each of `FAULTS`.
        breaking: share of streams that break after their first piece of text.
        delay_ms: time before an answer.
        is_dead: nothing is answered, ever.
    """

    failing: float = 0.0
    breaking: float = 0.0
    delay_ms: int = 0
    is_dead: bool = False


@dataclass(kw_only=True)
class Call:
    """One call, as the journal tells it.

    Attributes:
        outcome: `whole`, `broken`, one of `FAULTS`, or `dead`.
        at: when it came (CLOCK_MONOTONIC).
        input, output: the tokens of its usage.
    """

    channel: str
    nonce: int
    number: int
    outcome: str
    at: float
    input: int
    output: int


def usage_of(number: int) -> tuple[int, int]:
    """Tokens of input and output that the call of this number tells."""
    return 10 + number % 37, 1 + number % 211


@dataclass
class World:
    """What all connections share."""

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    begun: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311  # nothing secret

    def control(self, channel: str, body: bytes) -> None:
        """Other behaviour of a channel."""
        given = json.loads(body)
        assert given.keys() <= {one.name for one in fields(Behaviour)}
        self.behaviours[channel] = Behaviour(**given)

    def call(self, channel: str, nonce: int, *, is_stream: bool, at: float) -> tuple[Call, Behaviour]:
        """One more call, and what becomes of it."""
        behaviour = self.behaviours.setdefault(channel, Behaviour())
        number = self.begun = self.begun + 1
        outcome, chance = "whole", self.chance.random()
        if behaviour.is_dead:
            outcome = "dead"
        elif chance < behaviour.failing:
            outcome = FAULTS[number % len(FAULTS)]
        elif is_stream and chance > 1.0 - behaviour.breaking:
            outcome = "broken"
        tokens = usage_of(number)
        call = Call(
            channel=channel, nonce=nonce, number=number, outcome=outcome, at=at, input=tokens[0], output=tokens[1]
        )
        self.calls.append(call)
        return call, behaviour


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._url, self._body = b"", b""
        self._piece, self._pieces_left, self._tail, self._every = b"", 0, b"", 0.0
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end(is_reset=True)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        url, body, self._url, self._body = self._url, self._body, b"", b""
        channel, _, rest = url.decode().strip("/").partition("/")
        if rest == "v1/chat/completions":
            self._chat(channel, body)
        elif channel == "control":
            self._world.control(rest, body)
            self._write(_answer("200", b"{}"))
        elif channel == "journal":
            calls = [asdict(call) for call in self._world.calls]
            self._write(_answer("200", json.dumps(calls).encode()))
        else:
            self._write(_answer("200", b'{"object":"list","data":[]}'))

    def _chat(self, channel: str, body: bytes) -> None:
        words = {name: int(value) for name, value in _WORD.findall(body)}
        is_stream = _STREAM.search(body) is not None
        nonce = words.get(b"nonce", 0)
        call, behaviour = self._world.call(channel, nonce, is_stream=is_stream, at=self._loop.time())
        if call.outcome == "dead":
            return
        if behaviour.delay_ms:
            self._loop.call_later(behaviour.delay_ms / 1000, self._serve, call, words, is_stream)
        else:
            self._serve(call, words, is_stream)

    def _serve(self, call: Call, words: dict[bytes, int], is_stream: bool) -> None:  # noqa: FBT001  # for call_later
        if call.outcome in ("close", "reset"):
            self._end(is_reset=call.outcome == "reset")
        elif call.outcome not in ("whole", "broken"):
            self._write(_answer(call.outcome, _ERROR))
        elif is_stream:
            self._begin_stream(call, words)
        else:
            self._write(_answer("200", _plain(call)))

    def _begin_stream(self, call: Call, words: dict[bytes, int]) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        first = _framed(_event(f"call-{call.number}. "))
        if call.outcome == "broken":
            self._write(head + first)
            self._loop.call_later(0.005, self._end)
            return
        usage = _usage(call)
        self._piece = _framed(_event("x" * (words.get(b"wide", 8) - 1) + " "))
        self._pieces_left = words.get(b"chunks", 8) - 1
        self._every = words.get(b"every", 0) / 1000
        self._tail = _framed(_event("", "stop", usage)) + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"
        if self._every:
            self._write(head + first)
            self._loop.call_later(self._every, self._step)
        else:
            self._write(head + first)
            self._pour()

    def _step(self) -> None:
        """The next piece of a stream with pauses."""
        if self._transport is None:
            return
        self._pieces_left -= 1
        if self._pieces_left <= 0:
            self._write(self._piece + self._tail)
            return
        self._write(self._piece)
        self._loop.call_later(self._every, self._step)

    def _pour(self) -> None:
        """As much of a stream without pauses as is taken; the tail goes with the last of it."""
        while self._transport is not None and not self._is_paused and self._tail:
            many = min(self._pieces_left, max(1, _PIECE_BYTES // len(self._piece)))
            self._pieces_left -= many
            tail = b"" if self._pieces_left else self._tail
            if tail:
                self._tail = b""
            self._write(self._piece * many + tail)

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if not self._every:
            self._pour()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _end(self, *, is_reset: bool = False) -> None:
        if self._transport is not None:
            self._transport.abort() if is_reset else self._transport.close()


def _answer(status: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _usage(call: Call) -> dict[str, int]:
    return {"prompt_tokens": call.input, "completion_tokens": call.output, "total_tokens": call.input + call.output}


def _plain(call: Call) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": f"call-{call.number}. "}, "finish_reason": "stop"}
    answer = {"id": f"up-{call.number}", "object": "chat.completion", "created": 1_700_000_000, "model": "m"}
    return json.dumps(answer | {"choices": [choice], "usage": _usage(call)}).encode()


def _event(text: str, reason: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    chunk = {"id": "up", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m"}
    document = chunk | {"choices": [choice]} | ({} if usage is None else {"usage": usage})
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def _framed(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


async def _serve(port: int) -> None:
    world, loop = World(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(world), "127.0.0.1", port, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
