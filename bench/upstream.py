"""A chat upstream without delay: it speaks just enough of the OpenAI protocol and does no work.

Every answer is made once, at import. What it sends is asked for in the request's body: `"stream": true` gives
64 chunks in one write, and the word `paced-N` anywhere (in the model's name or in a message) spreads them at
N a second. HTTP/1.1 only. Run it with `python -m bench.upstream`; it prints its port.
"""

import argparse
import asyncio
import json
import re
import time
from typing import cast

import httptools
import uvloop

CHUNKS = 64
PLAIN_BYTES = 600
MODELS = ("qwen3-max", "bench")
USAGE = {"prompt_tokens": 31, "completion_tokens": CHUNKS, "total_tokens": 31 + CHUNKS}

_STREAM = re.compile(rb'"stream"\s*:\s*true')
_PACED = re.compile(rb"paced-([1-9][0-9]{0,3})")
_TICK_NS = 1_000_000
_STAMP_DIGITS = 19


def _head(status: str, content_type: str, framing: str) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n{framing}\r\n\r\n".encode()


def _answer(body: bytes, status: str = "200 OK") -> bytes:
    return _head(status, "application/json", f"content-length: {len(body)}") + body


def _plain() -> bytes:
    def body(text: str) -> bytes:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        answer = {"id": "chatcmpl-bench", "object": "chat.completion", "created": 1_700_000_000}
        answer |= {"model": MODELS[0], "choices": [choice], "usage": USAGE}
        return json.dumps(answer, separators=(",", ":")).encode()

    return _answer(body("x" * (PLAIN_BYTES - len(body("")))))


def _event(choices: list[object], **more: object) -> bytes:
    chunk = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_700_000_000}
    chunk |= {"model": MODELS[0], "choices": choices, **more}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def _text_event(text: str, finish_reason: str | None = None) -> bytes:
    return _event([{"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}])


def _framed(event: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(event), event)


_END = _framed(_event([], usage=USAGE)) + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"
_STREAM_HEAD = _head("200 OK", "text/event-stream", "transfer-encoding: chunked")
PLAIN = _plain()
STREAM = (
    _STREAM_HEAD
    + b"".join(_framed(_text_event(f"word{n:02} ", "stop" if n == CHUNKS - 1 else None)) for n in range(CHUNKS))
    + _END
)
_MODELS_ANSWER = _answer(
    json.dumps({"object": "list", "data": [{"id": m, "object": "model", "owned_by": "bench"} for m in MODELS]}).encode()
)
_HEALTH = _answer(b'{"status":"ok"}')
_NOT_FOUND = _answer(b'{"error":{"message":"not found","type":"invalid_request_error"}}', "404 Not Found")

# A paced chunk carries when it was due and when it was written; with 19 digits each its length is fixed.
_PLACE = "@" + "0" * _STAMP_DIGITS + "-" + "0" * _STAMP_DIGITS + " "
_PACED_HEAD, _PACED_TAIL = _framed(_text_event(_PLACE)).split(_PLACE.encode())
_PACED_CHUNK = _PACED_HEAD.replace(b"%", b"%%") + b"@%019d-%019d " + _PACED_TAIL.replace(b"%", b"%%")


class Pacer:
    """Writes the chunks of all paced streams from one timer: a wheel of one-millisecond slots.

    A timer per stream would cost the upstream more than the writes themselves.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: dict[int, list[tuple[Upstream, int, int]]] = {}
        self._tick = 0
        self._is_running = False

    def add(self, upstream: "Upstream", interval_ms: int) -> None:
        """Let `upstream` have its first chunk one interval from now."""
        now = time.monotonic_ns() // _TICK_NS
        self._slots.setdefault(now + interval_ms, []).append((upstream, CHUNKS, interval_ms))
        if not self._is_running:
            self._is_running = True
            self._tick = now
            self._loop.call_later(0.001, self._run)

    def _run(self) -> None:
        until = time.monotonic_ns() // _TICK_NS
        for tick in range(self._tick + 1, until + 1):
            for upstream, left, interval_ms in self._slots.pop(tick, ()):
                if not upstream.write_paced(tick * _TICK_NS, is_last=left == 1) or left == 1:
                    continue
                self._slots.setdefault(tick + interval_ms, []).append((upstream, left - 1, interval_ms))
        self._tick = until
        if self._slots:
            self._loop.call_later(0.001, self._run)
        else:
            self._is_running = False


class Upstream(asyncio.Protocol):
    """One connection. Answers in order; what is pipelined behind a paced stream waits for its end."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._url = b""
        self._body = b""
        self._out: list[bytes] = []
        self._waiting: list[tuple[bytes | int, bool]] = []
        self._is_pacing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport does not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._close()
            return
        self._flush()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        url, body, self._url, self._body = self._url, self._body, b"", b""
        answer = self._choose(url, body)
        keeps_alive = self._parser.should_keep_alive()
        if self._is_pacing:
            self._waiting.append((answer, keeps_alive))
        else:
            self._send(answer, keeps_alive=keeps_alive)

    def _choose(self, url: bytes, body: bytes) -> bytes | int:
        """Return the bytes of the answer, or the interval in milliseconds of a paced stream."""
        path = url.partition(b"?")[0]
        if path.endswith(b"/chat/completions") and self._parser.get_method() == b"POST":
            if not _STREAM.search(body):
                return PLAIN
            paced = _PACED.search(body)
            return max(1, 1000 // int(paced[1])) if paced else STREAM
        if path.endswith(b"/models"):
            return _MODELS_ANSWER
        return _HEALTH if path == b"/health" else _NOT_FOUND

    def _send(self, answer: bytes | int, *, keeps_alive: bool) -> None:
        if isinstance(answer, int):
            self._is_pacing = True
            self._out.append(_STREAM_HEAD)
            self._pacer.add(self, answer)
        else:
            self._out.append(answer)
        if not keeps_alive:
            self._waiting.append((b"", False))
            if not self._is_pacing:
                self._flush()
                self._close()

    def _flush(self) -> None:
        out = self._out
        if out and self._transport is not None:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        out.clear()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def write_paced(self, due_ns: int, *, is_last: bool) -> bool:
        """Write one chunk that was due at `due_ns` (CLOCK_MONOTONIC); False when the client is gone."""
        if self._transport is None:
            return False
        chunk = _PACED_CHUNK % (due_ns, time.monotonic_ns())
        if not is_last:
            self._transport.write(chunk)
            return True
        self._transport.write(chunk + _END)
        self._is_pacing = False
        while self._waiting and not self._is_pacing:
            answer, keeps_alive = self._waiting.pop(0)
            if answer == b"":
                self._close()
                return True
            self._send(answer, keeps_alive=keeps_alive)
        self._flush()
        return True


async def start(host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
    """Listen on `host`; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    pacer = Pacer(loop)
    return await loop.create_server(lambda: Upstream(pacer), host, port, backlog=4096)


async def _serve(port: int) -> None:
    server = await start(port=port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=0)
    uvloop.run(_serve(arguments.parse_args().port))
