"""A chat provider that does no work and forgets nothing: `python -m tests.kills.upstream` prints its port.

What an answer says and counts is asked for in the request's text, `op-7 in=31 cached=8 out=64 ms=0`. Each answer has an
id of its own, `op-7-call-2`, in its text and in its `x-request-id`. With `ms`, an answer stops half-way for so long, a
plain one before its first byte. `GET /calls` tells how often each operation was asked for.
"""

import asyncio
import json
import re
import sys
from collections import Counter
from typing import cast

import uvloop

_ASKED = re.compile(rb"op-([a-z0-9]+) in=(\d+) cached=(\d+) out=(\d+) ms=(\d+)")
_MAX = re.compile(rb'"max_tokens"\s*:\s*(\d+)')
_STREAM = re.compile(rb'"stream"\s*:\s*true')
_HEAD_END = b"\r\n\r\n"
_MODEL = "qwen3-max"
_PLAIN_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: %b\r\ncontent-length: %d\r\n\r\n"
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: %b\r\ntransfer-encoding: chunked\r\n\r\n"
)
_COMMON = b'"id":"c1","created":1700000000,"model":"' + _MODEL.encode() + b'",'
_USAGE = (
    b'"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
    b'"prompt_tokens_details":{"cached_tokens":%d}}'
)
_PLAIN = (
    b'{"object":"chat.completion",' + _COMMON + b'"choices":[{"index":0,"message":{"role":"assistant","content":"%b"},'
    b'"finish_reason":"stop"}],%b}'
)
_EVENT = (
    b'data: {"object":"chat.completion.chunk",' + _COMMON + b'"choices":[{"index":0,"delta":{"content":"%b"}%b}]}\n\n'
)
_LAST = b'data: {"object":"chat.completion.chunk",' + _COMMON + b'"choices":[],%b}\n\n'
_DONE = b"data: [DONE]\n\n"
_END = b"0\r\n\r\n"
_STOP = b',"finish_reason":"stop"'

CALLS: Counter[str] = Counter()


def _framed(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


def _answer(path: bytes, body: bytes) -> tuple[bytes, bytes, float]:
    """What to send at once, what after a pause, and the pause in seconds."""
    if not path.endswith(b"/chat/completions"):
        told = json.dumps(CALLS).encode()
        return _PLAIN_HEAD % (b"calls", len(told)) + told, b"", 0.0
    asked, most = _ASKED.search(body), _MAX.search(body)
    assert asked is not None, body
    assert most is not None, body
    operation = asked[1].decode()
    CALLS[operation] += 1
    name = b"op-%b-call-%d" % (asked[1], CALLS[operation])
    tokens_in, cached, tokens_out, pause = (int(asked[place]) for place in (2, 3, 4, 5))
    tokens_out = min(tokens_out, int(most[1]))
    usage = _USAGE % (tokens_in, tokens_out, tokens_in + tokens_out, cached)
    if not _STREAM.search(body):
        told = _PLAIN % (name, usage)
        return b"", _PLAIN_HEAD % (name, len(told)) + told, pause / 1000
    first = _STREAM_HEAD % name + _framed(_EVENT % (name, b"")) + _framed(_EVENT % (b" and so on", b""))
    return first, _framed(_EVENT % (b".", _STOP)) + _framed(_LAST % usage) + _framed(_DONE) + _END, pause / 1000


class Connection(asyncio.Protocol):
    """One connection of a gateway: requests one after the other."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport does not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head, mark, rest = self._buffer.partition(_HEAD_END)
        if not mark:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        now, later, pause = _answer(head.split(b" ", 2)[1], rest[:length])
        if pause:
            self._write(now)
            self._loop.call_later(pause, self._write, later)
        else:
            self._write(now + later)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and data:
            self._transport.write(data)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
