"""A client that shows the bytes, and an upstream that says exactly what a test wants."""

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

from tests.support.gateway import KEY, GatewayServer

PATHS = {"openai": "/v1/chat/completions", "llmage": "/llmage/v1/chat/completions"}


@dataclass
class Reply:
    """An answer as it came; `is_whole` is false if the connection broke."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_whole: bool = True

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def events(self) -> list[bytes]:
        """The data of each event; fails unless every event is one `data: ` line and a blank line."""
        blocks = self.body.split(b"\n\n")
        assert blocks.pop() == b"", self.body[-200:]
        blocks = [block for block in blocks if not block.startswith(b":")]
        assert all(block.startswith(b"data: ") and b"\n" not in block for block in blocks), blocks
        return [block[6:] for block in blocks]

    @property
    def chunks(self) -> list[dict]:
        """The events that are JSON, decoded."""
        return [json.loads(event) for event in self.events if event != b"[DONE]"]

    @property
    def is_done(self) -> bool:
        return self.body.endswith(b"data: [DONE]\n\n") and self.body.count(b"[DONE]") == 1

    @property
    def usage(self) -> dict | None:
        """The usage that the client was told."""
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            return next((c["usage"] for c in reversed(self.chunks) if c.get("usage") and not c["choices"]), None)
        return self.json.get("usage")

    @property
    def text(self) -> str:
        """The first choice's text."""
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            deltas = [c["choices"][0]["delta"] for c in self.chunks if c.get("choices")]
            return "".join(delta.get("content") or "" for delta in deltas)
        return self.json["choices"][0]["message"]["content"]

    @property
    def error(self) -> dict | str:
        """The error that the client was told, in an answer or in a stream."""
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            return next(c["error"] for c in self.chunks if "error" in c)
        return self.json["error"]


def post(  # a client's knobs, each by its name
    server: GatewayServer,
    dialect: str,
    body: object,
    *,
    key: str | None = KEY,
    headers: dict[str, str] | None = None,
    timeout: float = 10,
) -> Reply:
    """One request over a connection of its own; `body` is bytes or an object to encode."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"content-type": "application/json"} | (headers or {})
    if key is not None:
        sent["authorization"] = f"Bearer {key}"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    try:
        connection.request("POST", PATHS[dialect], data, sent)
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        try:
            return Reply(answer.status, names, answer.read())
        except http.client.IncompleteRead as cut:
            return Reply(answer.status, names, cut.partial, is_whole=False)
    finally:
        connection.close()


def user(text: str, **fields: object) -> dict[str, object]:
    """A request with one user message."""
    return {"model": "qwen3-max", "messages": [{"role": "user", "content": text}]} | fields


def plain(body: bytes | dict, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """A whole HTTP answer with a JSON body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n{extra}\r\n"
    return head.encode() + data


def stream(*events: bytes | dict, ends: bool = True) -> bytes:
    """A whole HTTP answer with an event stream; `[DONE]` is to be given."""
    blocks = [b"data: " + (e if isinstance(e, bytes) else json.dumps(e).encode()) + b"\n\n" for e in events]
    return sse(b"".join(blocks), ends=ends)


def sse(body: bytes, *, ends: bool = True) -> bytes:
    """The same from the body's bytes."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n" % (len(body), body) + (b"0\r\n\r\n" if ends else b"")


@dataclass
class Seen:
    """A request that the upstream got."""

    head: bytes
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)


Answer = bytes | Callable[[Seen], bytes]


@dataclass
class ScriptedUpstream:
    """Answers every request with `answer`: bytes, or a function of the request; a context manager.

    Bytes that do not end a message leave the connection open; `closes` closes it instead.
    """

    answer: Answer
    closes: bool = False
    delay_seconds: float = 0.0
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**26)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                request = Seen(head, await reader.readexactly(length))
                self.seen.append(request)
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                writer.write(self.answer(request) if callable(self.answer) else self.answer)
                if self.closes:
                    writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()


ANSWER = plain(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "qwen3-max",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
    }
)
"""A small plain answer: 5 tokens in, 1 out."""
_CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "qwen3-max"}
STREAM_ANSWER = stream(
    _CHUNK | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]},
    _CHUNK | {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}},
    b"[DONE]",
)
"""The same as a stream."""


def either(seen: Seen) -> bytes:
    """The small answer in the form that was asked for."""
    return STREAM_ANSWER if b'"stream":true' in seen.body else ANSWER
