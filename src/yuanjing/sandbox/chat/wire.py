"""Sending: pacing, framing of events, and the faults that live below JSON."""

import asyncio
import re
import zlib

import msgspec

from yuanjing.kit.clock import Clock
from yuanjing.sandbox.asgi import Reply
from yuanjing.sandbox.faults import Fault
from yuanjing.sandbox.options import SandboxOptions

KEEP_ALIVE_COMMENT = b": keep-alive\n\n"
EMPTY_LINE = b"\n"
SPLIT_BYTES = 300
YIELD_EVERY = 32
_BOM = b"\xef\xbb\xbf"
_LEAD_BYTE = re.compile(rb"(?<=[\xc0-\xff])")
_GZIP = 16 + zlib.MAX_WBITS


class Pacer:
    """Makes an answer come at a real service's speed; behind its schedule it does not wait at all."""

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._step = options.time_scale / options.chunks_per_second
        self._due = clock.monotonic()
        self._ticks = 0

    def first_wait(self, chunks: int = 0) -> float:
        """Seconds before the first token, or before a plain answer of so many chunks."""
        options = self._options
        whole = options.time_scale * options.first_token_seconds + chunks * self._step
        return min(whole, options.plain_wait_max_seconds) if chunks else whole

    def start(self) -> None:
        """The first token is due now."""
        self._due = self._clock.monotonic()

    async def tick(self) -> None:
        """Wait until the next content event is due."""
        self._due += self._step
        self._ticks += 1
        late = self._due - self._clock.monotonic()
        if late > 0:
            await asyncio.sleep(late)
        elif self._ticks % YIELD_EVERY == 0:
            await asyncio.sleep(0)


class Body:
    """The body of an answer on its way out, with the faults that change its bytes."""

    def __init__(self, reply: Reply, fault: Fault | None) -> None:
        self._reply = reply
        self._zip = zlib.compressobj(wbits=_GZIP) if fault is Fault.GZIP else None
        self._splits = fault is Fault.SPLIT_UTF8
        self._split = SPLIT_BYTES if self._splits else 0
        self._prefix = _BOM if fault is Fault.BOM else b""

    async def write(self, data: bytes) -> None:
        """Send a part, as far as it can be read by itself."""
        data, self._prefix = self._prefix + data, b""
        if self._zip:
            data = self._zip.compress(data) + self._zip.flush(zlib.Z_SYNC_FLUSH)
        single, data = data[: self._split], data[self._split :]
        self._split -= len(single)
        for byte in single:
            await self._reply.write(bytes((byte,)))
            await asyncio.sleep(0)
        for part in _LEAD_BYTE.split(data) if self._splits else (data,):
            await self._reply.write(part)

    async def end(self) -> None:
        """Send what is left and the body's end."""
        await self._reply.end(self._zip.flush() if self._zip else b"")


def event(data: bytes, fault: Fault | None) -> bytes:
    """`data` as one server-sent event."""
    lines = [data]
    if fault is Fault.MULTI_DATA and data.startswith(b"{"):
        lines = msgspec.json.format(data, indent=1).split(b"\n")
    newline = b"\r\n" if fault is Fault.CRLF else b"\n"
    return b"".join(b"data: " + line + newline for line in lines) + newline


async def wait(seconds: float, pause: float, sign: bytes, reply: Reply) -> None:
    """Wait `seconds`; send `sign` now and after each `pause`, unless it is empty."""
    if sign:
        await reply.write(sign)
        while seconds > pause:
            await asyncio.sleep(pause)
            await reply.write(sign)
            seconds -= pause
    if seconds > 0:
        await asyncio.sleep(seconds)
