"""Clients that send when it is time, whether or not the last answer has come: load as the world makes it."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, cast
from urllib.parse import urlsplit

OPENAI = "/v1/chat/completions"
ANSWER_SECONDS = 30.0
_TICK_SECONDS = 0.001
_HEAD_END = b"\r\n\r\n"
_CHUNKS_END = b"0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_USAGE_ID = re.compile(rb"\r\nx-yuanjing-usage-id: (\S+)", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: \d+", re.IGNORECASE)
_CALL = re.compile(rb"call-(\d+)\. ")


@dataclass(kw_only=True, slots=True)
class Ask:
    """One request and what came of it.

    Attributes:
        due: when it was to be sent; all times are of CLOCK_MONOTONIC.
        status: 0 while nothing has come, or if the connection broke before it did.
        has_end: the answer came whole, a stream with its `[DONE]`.
        calls: numbers of the provider's calls whose text is in the answer.
    """

    nonce: int
    due: float
    first: float = 0.0
    ended: float = 0.0
    status: int = 0
    usage_id: str = ""
    has_retry_after: bool = False
    has_end: bool = False
    calls: tuple[int, ...] = ()

    @property
    def is_good(self) -> bool:
        """A whole answer."""
        return self.status == 200 and self.has_end

    @property
    def seconds(self) -> float:
        """From when it was due to its end."""
        return self.ended - self.due


def request(
    key: str, nonce: int, words: str = "", *, model: str = "qwen3-max", is_stream: bool = True, path: str = OPENAI
) -> bytes:
    """A chat as it goes over the wire."""
    messages = [{"role": "user", "content": f"nonce-{nonce} {words}"}]
    body = json.dumps({"model": model, "stream": is_stream, "max_tokens": 300, "messages": messages}).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Line(asyncio.Protocol):
    """A connection with one request at a time."""

    def __init__(self, on_over: Callable[["Line"], None], on_lost: Callable[["Line"], None]) -> None:
        self._on_over, self._on_lost = on_over, on_lost
        self._ask: Ask | None = None
        self._parts: list[bytes] = []
        self._length: int | None = None
        self._size = 0
        self.transport: asyncio.Transport | None = None
        self.is_closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, ask: Ask, data: bytes) -> None:
        assert self.transport is not None
        assert self._ask is None
        self._ask, self._parts, self._length, self._size = ask, [], None, 0
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        ask = self._ask
        if ask is None:
            return
        if not ask.status:
            data = b"".join([*self._parts, data])
            self._parts.clear()
            if _HEAD_END not in data:
                self._parts.append(data)
                return
            self._head(ask, data)
        else:
            self._parts.append(data)
            self._size += len(data)
        if self._size >= self._length if self._length is not None else data.endswith(_CHUNKS_END):
            self._over(ask)

    def _head(self, ask: Ask, data: bytes) -> None:
        ask.first = time.monotonic()
        head, _, rest = data.partition(_HEAD_END)
        ask.status = int(head[9:12])
        usage_id, length = _USAGE_ID.search(head), _LENGTH.search(head)
        ask.usage_id = usage_id[1].decode() if usage_id else ""
        ask.has_retry_after = _RETRY_AFTER.search(head) is not None
        self.is_closing = b"\r\nconnection: close" in head.lower()
        self._length = int(length[1]) if length else None
        self._parts.append(rest)
        self._size = len(rest)

    def _over(self, ask: Ask) -> None:
        body = b"".join(self._parts)
        self._parts = []
        ask.ended = time.monotonic()
        ask.calls = tuple(int(number) for number in _CALL.findall(body))
        ask.has_end = self._length is not None or b"data: [DONE]" in body
        self._ask = None
        self._on_over(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.is_closing = True
        self.transport = None
        ask, self._ask = self._ask, None
        if ask is not None:
            ask.ended = time.monotonic()
            ask.calls = tuple(int(number) for number in _CALL.findall(b"".join(self._parts)))
            self._on_over(self)
        self._on_lost(self)


class Callers:
    """Open-loop load: a request goes over an idle connection, or a new one if there is none."""

    def __init__(self, urls: Sequence[str], make: Callable[[int], bytes], *, first_nonce: int = 1) -> None:
        self.asks: list[Ask] = []
        self._addresses = [(str(parts.hostname), int(parts.port or 80)) for parts in map(urlsplit, urls)]
        self._make = make
        self._next = first_nonce
        self._idle: list[Line] = []
        self._lines: set[Line] = set()
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    @property
    def open_count(self) -> int:
        """Connections that are open, idle ones too."""
        return len(self._lines)

    async def run(self, rate: float, seconds: float) -> list[Ask]:
        """So many requests a second for so long, evenly; what was asked, with answers still to come."""
        began, first = self._loop.time(), len(self.asks)
        sent, total = 0, int(rate * seconds)
        while sent < total:
            due = min(total, int((self._loop.time() - began) * rate) + 1)
            for number in range(sent, due):
                self.ask(began + number / rate)
            sent = due
            await asyncio.sleep(_TICK_SECONDS)
        return self.asks[first:]

    def ask(self, due: float | None = None) -> Ask:
        """One request, now."""
        ask = Ask(nonce=self._next, due=self._loop.time() if due is None else due)
        self._next += 1
        self.asks.append(ask)
        self._waiting += 1
        data = self._make(ask.nonce)
        while self._idle:
            line = self._idle.pop()
            if line.transport is not None and not line.transport.is_closing():
                line.send(ask, data)
                return ask
        task = self._loop.create_task(self._connect(ask, data))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return ask

    async def _connect(self, ask: Ask, data: bytes) -> None:
        line = Line(self._over, self._lines.discard)
        try:
            await self._loop.create_connection(lambda: line, *self._addresses[ask.nonce % len(self._addresses)])
        except OSError:
            ask.ended = self._loop.time()
            self._waiting -= 1
            return
        self._lines.add(line)
        line.send(ask, data)

    def _over(self, line: Line) -> None:
        self._waiting -= 1
        if line.transport is None:
            return
        if line.is_closing:
            line.transport.close()
        else:
            self._idle.append(line)

    async def settle(self, seconds: float = ANSWER_SECONDS) -> None:
        """Wait for the answers that are still to come."""
        until = self._loop.time() + seconds
        while self._waiting and self._loop.time() < until:  # noqa: ASYNC110  # no event per answer: that would be load
            await asyncio.sleep(0.01)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        while self._lines:
            for line in self._lines:
                if line.transport is not None:
                    line.transport.abort()
            await asyncio.sleep(0.001)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def statuses(asks: Sequence[Ask]) -> Counter[int]:
    """How many answers of each status; whole ones only for 200, broken ones under -1."""
    return Counter(-1 if ask.status == 200 and not ask.has_end else ask.status for ask in asks)
