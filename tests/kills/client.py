"""The load: many connections with one request at a time, each sent again under its own name until it is answered."""

import asyncio
import heapq
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from tests.kills.wishes import NANOS_PER_YUAN, SCARCE_FROM, Wish, wish_of

ANSWER_SECONDS = 4.0
"""A connection that is silent for so long is given up, and its request is sent again."""
IMPATIENT_SECONDS = 0.3
"""Some clients leave within so long, and ask again."""
TRIES_MAX = 400
_TICK_SECONDS = 0.05
_REST_SECONDS = 0.5
_HOME_REQUESTS = 300
_HEAD_END = b"\r\n\r\n"
_CHUNKS_END = b"0\r\n\r\n"
_LENGTH = re.compile(rb"content-length: (\d+)")
_USAGE_ID = re.compile(rb"x-yuanjing-usage-id: (\S+)")
_CALL = re.compile(rb"op-(\d+)-call-(\d+)")
_INPUT = re.compile(rb'"prompt_tokens": ?(\d+)')
_OUTPUT = re.compile(rb'"completion_tokens": ?(\d+)')
_CACHED = re.compile(rb'"cached_tokens": ?(\d+)')
_COST = re.compile(rb'"cost": ?"(\d+)(?:\.(\d{1,9}))?"')
_REPLAYED = b"idempotent-replayed: true"
_RETRY_AFTER = re.compile(rb"retry-after: (\d+)")
_CODE = re.compile(rb'"code": ?"(\w+)"')
_CLAMPED = re.compile(rb"x-yuanjing-max-tokens-clamped: (\d+)")


@dataclass(kw_only=True, slots=True)
class Seen:
    """What the load has met.

    Attributes:
        whole: operation → usage id, number of the provider's call and charge of each answer that came whole.
        refused: operations that were refused for want of money, and are not sent again.
        statuses: answers by status.
        refusals: error codes of what was to be sent again.
        broken: connections that ended, or were given up, under a request.
        replayed: operations whose answer had been made for an earlier try.
        wrong: what must not be, in words.
    """

    whole: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    replayed: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


class Load:
    """Keeps `connections` busy until `target` operations are answered."""

    def __init__(self, ports: Sequence[int], keys: Sequence[bytes], scarce: Sequence[bytes], *, seed: int) -> None:
        self.seen = Seen()
        self.ports = ports
        self._keys, self._scarce = keys, scarce
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311  # nothing secret
        self._next = 0
        self._next_scarce = SCARCE_FROM
        self._target = 0
        self._parked: list[tuple[float, int]] = []
        self._tries: Counter[int] = Counter()
        self._idle: dict[Connection, None] = {}
        self._loop = asyncio.get_running_loop()
        self.over = asyncio.Event()

    async def run(self, target: int, connections: int, seconds_max: float) -> None:
        """Until so many operations are answered."""
        self._target = target
        end = self._loop.time() + seconds_max
        for number in range(len(self._scarce) * 2):
            self._park(0.05 * number, self._new_scarce())
        all_ = [Connection(self, number) for number in range(connections)]
        try:
            await self._keep_going(all_, end)
        finally:
            for one in all_:
                one.close()

    async def _keep_going(self, all_: "list[Connection]", end: float) -> None:
        for one in all_:
            one.connect()
        while not self.over.is_set():
            await asyncio.sleep(_TICK_SECONDS)
            now = self._loop.time()
            if now > end:
                self.fail(f"only {len(self.seen.whole)} operations were answered in time")
            for one in all_:
                one.tick(now)
            self.wake(now)

    def wake(self, now: float) -> None:
        """Those who had nothing to ask for ask for what is due."""
        while self._idle and self._is_due(now):
            self._idle.popitem()[0].go_on()

    def _is_due(self, now: float) -> bool:
        return bool(self._parked) and self._parked[0][0] <= now

    def _new_scarce(self) -> int:
        self._next_scarce += 1
        return self._next_scarce

    def take(self, connection: "Connection") -> int | None:
        """What to ask for next; None, and the connection is called later, if there is nothing now."""
        if self._is_due(self._loop.time()):
            return heapq.heappop(self._parked)[1]
        if self._next < self._target:
            self._next += 1
            return self._next - 1
        self._idle[connection] = None
        return None

    def left(self, connection: "Connection") -> None:
        """It has ended: it asks by itself when it is there again."""
        self._idle.pop(connection, None)

    def wish(self, operation: int) -> Wish:
        return wish_of(operation, self._seed)

    def request(self, operation: int) -> bytes:
        keys = self._scarce if operation >= SCARCE_FROM else self._keys
        return self.wish(operation).request(keys[operation % len(keys)])

    def patience(self, operation: int) -> float | None:
        """After how many seconds the client leaves a first try, as some do; None if it does not."""
        is_patient = self._tries[operation] or not self.wish(operation).is_impatient
        return None if is_patient else self._random.uniform(0.0, IMPATIENT_SECONDS)

    def _park(self, seconds: float, operation: int) -> None:
        heapq.heappush(self._parked, (self._loop.time() + seconds, operation))

    def again(self, operation: int, seconds: float) -> None:
        """Send it again after a pause."""
        self._tries[operation] += 1
        if self._tries[operation] > TRIES_MAX:
            self.fail(f"op-{operation} was not answered in {TRIES_MAX} tries")
            return
        self._park(seconds * self._random.uniform(1, 1.3), operation)

    def broken(self, operation: int) -> None:
        """Its connection ended, or was given up, before the answer was whole."""
        self.seen.broken += 1
        self.again(operation, 0.02)

    def fail(self, words: str) -> None:
        """Something must not be: the run need not go on."""
        self.seen.wrong.append(words)
        self.over.set()

    def answered(self, operation: int, status: int, head: bytes, body: bytes) -> float:
        """An answer came whole; for how long whoever gave it wants to be left alone."""
        self.seen.statuses[status] += 1
        if status == 200:
            self._whole(operation, head, body)
        elif status in (409, 503):
            code, wait = _CODE.search(body), _RETRY_AFTER.search(head)
            self.seen.refusals[code[1].decode() if code else str(status)] += 1
            seconds = float(wait[1]) if wait else _REST_SECONDS
            self.again(operation, seconds)
            return seconds if status == 503 else 0.0
        elif status == 429 and operation >= SCARCE_FROM:
            self.seen.refused.add(operation)
            self._park(0.4, self._new_scarce())
        else:
            self.fail(f"op-{operation}: {status} {body[:300]!r}")
        return 0.0

    def _whole(self, operation: int, head: bytes, body: bytes) -> None:
        seen, wish = self.seen, self.wish(operation)
        if wish.is_stream and b"data: [DONE]\n\n" not in body:
            self.broken(operation)  # it ended with an error, in good order
            return
        usage_id, call, cost = _USAGE_ID.search(head), _CALL.search(body), _COST.search(body)
        tokens = tuple(
            int(found[1]) for found in (_INPUT.search(body), _CACHED.search(body), _OUTPUT.search(body)) if found
        )
        clamped = _CLAMPED.search(head)
        if clamped is not None:
            wish = wish.clamped(int(clamped[1]))
        if usage_id is None or call is None or cost is None:
            self.fail(f"op-{operation}: an incomplete answer: {head!r} {body!r}")
            return
        nanos = int(cost[1]) * NANOS_PER_YUAN + int((cost[2] or b"").ljust(9, b"0"))
        if int(call[1]) != operation or tokens != wish.tokens or nanos != wish.charge_nanos:
            found = f"op-{int(call[1])}, tokens {tokens}, {nanos} nano-yuan"
            expected = f"op-{operation}, tokens {wish.tokens}, {wish.charge_nanos} nano-yuan"
            self.fail(f"a wrong answer: {found} and not {expected}: {head!r} {body!r}")
        seen.whole[operation] = (usage_id[1].decode(), int(call[2]), nanos)
        if _REPLAYED in head:
            seen.replayed.add(operation)
        self._tries.pop(operation, None)
        if operation >= SCARCE_FROM:
            self._park(0.01, self._new_scarce())
        if len(seen.whole) >= self._target and self._next >= self._target:
            self._finish()

    def _finish(self) -> None:
        if all(operation in self.seen.whole for operation in range(self._target)):
            self.over.set()


class Connection(asyncio.Protocol):
    """One connection, and the request on it."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._place = self._home = number
        self._transport: asyncio.Transport | None = None
        self._operation: int | None = None
        self._buffer = b""
        self._heard_at = 0.0
        self._requests = 0
        self._connecting: asyncio.Task[object] | None = None
        self._is_closed = False
        self._loop = asyncio.get_running_loop()

    def connect(self) -> None:
        ports = self._load.ports
        port = ports[self._place % len(ports)]
        self._connecting = self._loop.create_task(self._connect(port))

    async def _connect(self, port: int) -> None:
        while not self._is_closed:
            try:
                await self._loop.create_connection(lambda: self, "127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                self._place += 1
                port = self._load.ports[self._place % len(self._load.ports)]
            else:
                return

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.go_on()

    def go_on(self) -> None:
        """The next request."""
        transport, load = self._transport, self._load
        if transport is None:
            return
        assert self._operation is None, "one request at a time"
        operation = self._operation = load.take(self)
        if operation is not None:
            self._heard_at = self._loop.time()
            transport.write(load.request(operation))
            patience = load.patience(operation)
            if patience is not None:
                self._loop.call_later(patience, self._give_up, operation)

    def _give_up(self, operation: int) -> None:
        """Leave although the answer may be on its way."""
        if self._operation == operation:
            self._drop()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data if self._buffer else data
        at = buffer.find(_HEAD_END)
        if at < 0:
            return
        head = buffer[:at]
        length = _LENGTH.search(head)
        if length is not None:
            if len(buffer) < at + 4 + int(length[1]):
                return
        elif not buffer.endswith(_CHUNKS_END):
            return
        self._buffer = b""
        operation, self._operation = self._operation, None
        assert operation is not None, buffer
        rest = self._load.answered(operation, int(head[9:12]), head, buffer[at + 4 :])
        self._requests += 1
        if b"connection: close" in head:
            return  # the loss of the connection follows
        if rest:
            self._place += 1
            self._loop.call_later(rest, self._drop)
        elif self._requests >= _HOME_REQUESTS and self._place != self._home:
            self._place, self._requests = self._home, 0
            self._drop()
        else:
            self.go_on()

    def tick(self, now: float) -> None:
        """Give up what is silent."""
        if self._operation is not None and now - self._heard_at > ANSWER_SECONDS:
            self._drop()

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._buffer = b""
        self._load.left(self)
        operation, self._operation = self._operation, None
        if self._is_closed:
            return
        if operation is not None:
            self._place += 1
            self._load.broken(operation)
        self.connect()

    def close(self) -> None:
        self._is_closed = True
        self._drop()
        if self._connecting is not None:
            self._connecting.cancel()
