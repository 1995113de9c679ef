"""Thousands of slow streams at once: is every chunk there, and how late is it?

The upstream writes into each chunk when it was due and when it was written (CLOCK_MONOTONIC, one machine), so
the lateness of a chunk needs no guess. Run as `python -m bench.paced` it prints one JSON line when the last
stream has begun (`{"peak":true}`) and one with the result.
"""

import argparse
import asyncio
import json
import re
import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import httptools
import uvloop

from bench.upstream import CHUNKS

_STAMP = re.compile(rb'"delta": ?\{[^{}@]*@(\d{19})-(\d{19}) ')
"""Where a chunk's text begins; the llmage dialect repeats the text at the chunk's top."""
_HTTP_OK = 200
_CONNECT_AT_ONCE = 200


@dataclass(frozen=True, kw_only=True)
class Paced:
    """What the clients saw.

    Attributes:
        errors: Streams that were not whole, by kind.
        late_p50_ms: Lateness of chunks at the client, from when they were due; likewise p99 and max.
        upstream_late_p99_ms: The upstream's own part of it; when this is large, the load's core was too busy.
        first_ms: The longest time to a first chunk, less the interval that the upstream waits before it.
        body_bytes: Bytes of bodies, without HTTP framing.
        seconds: From the first request to the end of the last stream.
    """

    streams: int
    errors: dict[str, int]
    chunks: int
    late_p50_ms: float
    late_p99_ms: float
    late_max_ms: float
    upstream_late_p99_ms: float
    upstream_late_max_ms: float
    first_ms: float
    body_bytes: int
    seconds: float


class _Totals:
    def __init__(self, streams: int, on_peak: Callable[[], None]) -> None:
        self.late_ns = array("q")
        self.upstream_late_ns = array("q")
        self.first_ns = array("q")
        self.errors: Counter[str] = Counter()
        self.body_bytes = 0
        self.not_begun = streams
        self.not_ended = streams
        self.all_ended = asyncio.Event()
        self._on_peak = on_peak

    def begun(self, after_ns: int) -> None:
        self.first_ns.append(after_ns)
        self.not_begun -= 1
        if self.not_begun == 0:
            self._on_peak()

    def ended(self, error: str) -> None:
        if error:
            self.errors[error] += 1
        self.not_ended -= 1
        if self.not_ended == 0:
            self.all_ended.set()


class _Stream(asyncio.Protocol):
    """One client connection with one request."""

    def __init__(self, totals: _Totals) -> None:
        self._totals = totals
        self._parser = httptools.HttpResponseParser(self)
        self._rest = b""
        self._seen = 0
        self._is_done = False
        self._has_ended = False
        self._asked_ns = 0
        self._status = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transport does not inherit from it

    def ask(self, request: bytes) -> None:
        assert self.transport is not None
        self._asked_ns = time.monotonic_ns()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end("malformed HTTP")

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        now = time.monotonic_ns()
        totals = self._totals
        totals.body_bytes += len(body)
        text = self._rest + body if self._rest else body
        cut = text.rfind(b"\n\n") + 2
        if cut == 1:
            self._rest = text
            return
        self._rest = text[cut:]
        for due, written in _STAMP.findall(text, 0, cut):
            if self._seen == 0:
                totals.begun(now - self._asked_ns)
            self._seen += 1
            due_ns = int(due)
            totals.late_ns.append(now - due_ns)
            totals.upstream_late_ns.append(int(written) - due_ns)
        if text.find(b"[DONE]", 0, cut) >= 0:
            self._is_done = True

    def on_message_complete(self) -> None:
        if self._status != _HTTP_OK:
            self._end(f"status {self._status}")
        elif self._seen != CHUNKS:
            self._end("chunks missing")
        else:
            self._end("" if self._is_done else "no [DONE]")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"connection lost ({type(exc).__name__})")

    def _end(self, error: str) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._totals.ended(error)

    def cut(self) -> None:
        """Count a stream that is still open as an error, and close."""
        self._end("not ended in time")
        if self.transport is not None:
            self.transport.abort()


def request_bytes(host: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """Return a whole POST request."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"host: {host}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def _at(values: "array[int]", fraction: float) -> float:
    """Return a quantile of nanoseconds, in milliseconds; `values` are sorted."""
    return values[min(len(values) - 1, int(len(values) * fraction))] / 1e6 if values else 0.0


def _sorted(values: "array[int]") -> "array[int]":
    return array("q", sorted(values))


async def run(  # noqa: PLR0913 - a bench's knobs, all by name
    *,
    host: str,
    port: int,
    request: bytes,
    streams: int,
    interval_ms: int,
    ramp_seconds: float = 0.0,
    on_peak: Callable[[], None] = lambda: None,
) -> Paced:
    """Connect `streams` clients, then let all of them ask, spread over `ramp_seconds` (0: in one go)."""
    loop = asyncio.get_running_loop()
    totals = _Totals(streams, on_peak)
    clients = [_Stream(totals) for _ in range(streams)]
    gate = asyncio.Semaphore(_CONNECT_AT_ONCE)

    async def connect(client: _Stream) -> None:
        async with gate:
            await loop.create_connection(lambda: client, host, port)

    try:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(connect(client))
        started = time.monotonic()
        for number, client in enumerate(clients):
            if ramp_seconds:
                loop.call_later(ramp_seconds * number / streams, client.ask, request)
            else:
                client.ask(request)
        timeout = ramp_seconds + CHUNKS * interval_ms / 1000 + 15
        _, pending = await asyncio.wait([loop.create_task(totals.all_ended.wait())], timeout=timeout)
        for task in pending:
            task.cancel()
        seconds = time.monotonic() - started
    finally:
        for client in clients:
            client.cut()
        await asyncio.sleep(0)
    late, upstream_late = _sorted(totals.late_ns), _sorted(totals.upstream_late_ns)
    return Paced(
        streams=streams,
        errors=dict(totals.errors),
        chunks=len(late),
        late_p50_ms=_at(late, 0.5),
        late_p99_ms=_at(late, 0.99),
        late_max_ms=_at(late, 1),
        upstream_late_p99_ms=_at(upstream_late, 0.99),
        upstream_late_max_ms=_at(upstream_late, 1),
        first_ms=max(0.0, _at(_sorted(totals.first_ns), 1) - interval_ms),
        body_bytes=totals.body_bytes,
        seconds=seconds,
    )


def main() -> None:
    """Read the request from a file and print the two lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--request", type=Path, required=True, help="file with the whole HTTP request")
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=20)
    parser.add_argument("--ramp", type=float, default=0.0)
    arguments = parser.parse_args()
    result = uvloop.run(
        run(
            host="127.0.0.1",
            port=arguments.port,
            request=arguments.request.read_bytes(),
            streams=arguments.streams,
            interval_ms=1000 // arguments.rate,
            ramp_seconds=arguments.ramp,
            on_peak=lambda: print('{"peak":true}', flush=True),
        )
    )
    print(json.dumps(asdict(result)), flush=True)


if __name__ == "__main__":
    main()
