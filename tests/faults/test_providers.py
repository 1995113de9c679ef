"""Providers that fail often, or are dead: what the clients and the other providers notice of it."""

import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest
from tests.faults.model import bill, black_hole, nobody
from tests.faults.plays import error_event
from tests.support.gateway import PRICE, FakeDirectory, GatewayServer, channel, offer, provider
from tests.support.rawclient import LLMAGE, OPENAI, RawClient, chat_body, post
from tests.support.rig import rig, wait_for
from tests.support.upstream import END, STREAM_HEAD, Conn, RawUpstream, chunk, close, echo, error, forever, reset

from yuanjing.gateway.options import GatewayOptions

FAILING_SHARE = 0.3
OPENS_SECONDS = 5.0
SLOWER_SHARE = 0.1
OTHER_OFFER, OTHER_MODEL = "othermodelothermodelo", "other-model"


# three of ten fail


def failing(choose: random.Random, closings: list[Conn]) -> Callable[[Conn], None]:
    """A provider of whose answers three of ten fail before their first byte, each in its own way; some by closing."""
    refusals = [
        error(b"500 X"),
        error(b"503 X"),
        error(b"429 X", "slow down"),
        STREAM_HEAD + chunk(error_event()) + END,
        b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nnot JSON",
    ]

    def play(conn: Conn) -> None:
        while True:
            got = conn.read_request()
            if choose.random() >= FAILING_SHARE:
                conn.write(echo(got))
            elif choose.random() < 0.7:
                conn.write(choose.choice(refusals))
            else:
                closings.append(conn)
                choose.choice((close, reset))(conn)

    return play


def fail_often(count: int, clients: int) -> None:
    seed = random.randrange(2**32)  # noqa: S311  # no secret; told if it fails
    choose = random.Random(seed)  # noqa: S311  # no secret; told if it fails
    served: Counter[int] = Counter()
    halves: list[bytes] = []
    closings: list[Conn] = []

    def buy(port: int) -> None:
        with RawClient(port) as client:
            for number in range(count // clients):
                path, is_stream = (OPENAI, LLMAGE)[number % 2], bool(number // 2 % 2)
                client.send(post(chat_body(stream=is_stream), path=path))
                answer = client.receive()
                served[answer.status] += answer.text == "hi" if answer.status == 200 else 1
                if answer.status == 200 and is_stream and not answer.is_done:
                    halves.append(answer.body)

    with rig(upstreams=[RawUpstream([failing(choose, closings)]), RawUpstream([forever(echo)])]) as r:
        threads = [threading.Thread(target=buy, args=(r.server.port,)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counters = r.gateway.counters
        assert served.total() == count, f"seed {seed}"
        assert served[200] >= 0.99 * count, f"seed {seed}: {served} {counters.attempts_failed}"
        assert not halves
        assert counters.retries <= 0.1 * count + 200, (
            "the budget: a tenth, and what is there at the start, and each second"
        )
        assert sum(counters.attempts_failed.values()) >= 3
        assert [record.charge_nanos for record in r.records] == [bill((10, 5))] * served[200]
        calls = sum(len(upstream.requests) for upstream in r.upstreams)
        assert calls <= count + counters.retries + len(closings), "a kept connection that closes may be tried anew once"


def test_three_failures_of_ten_cost_few_an_answer():
    fail_often(600, clients=3)


@pytest.mark.soak
def test_three_failures_of_ten_cost_few_an_answer_for_long():
    fail_often(40_000, clients=8)


# one is dead


@dataclass
class Load:
    """One client that asks for a model at a steady pace; its seconds for each answer that it got."""

    port: int
    model: str
    pace_seconds: float
    seconds: list[float] = field(default_factory=list[float])
    statuses: Counter[int] = field(default_factory=Counter)

    def ask(self, count: int) -> list[float]:
        taken = []
        with RawClient(self.port, timeout=15) as client:
            for _ in range(count):
                began = time.perf_counter()
                client.send(post(chat_body(model=self.model)))
                self.statuses[client.receive().status] += 1
                taken.append(time.perf_counter() - began)
                time.sleep(self.pace_seconds)
        return taken


def p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


def dead_beside_another(rounds: int, asks: int, address: Callable[[ExitStack], str], slack_seconds: float) -> None:
    """By turns beside as many requests for the dead one's model and for a living one's: both meet the same machine."""
    with ExitStack() as stack:
        well = stack.enter_context(RawUpstream([forever(echo)]))
        other = stack.enter_context(RawUpstream([forever(echo)]))
        directory = FakeDirectory(
            channels=[
                channel(address(stack), id="ch_1", priority=0),
                channel(well.url, id="ch_2", priority=1),
                channel(other.url, id="ch_3", provider_id="q"),
            ],
            offers=[offer(), offer(id=OTHER_OFFER, model=OTHER_MODEL, aliases=(), providers={"q": OTHER_MODEL})],
            prices=[PRICE, replace(PRICE, id="price_2", offer_id=OTHER_OFFER)],
            providers=[provider(), provider(id="q")],
        )
        options = GatewayOptions(tick_seconds=0.02, breaker="all")
        server = stack.enter_context(GatewayServer(directory, options=options))
        dead = [Load(server.port, "qwen3-max", 0.05) for _ in range(6)]
        began = time.monotonic()
        threads = [threading.Thread(target=load.ask, args=(1,)) for load in dead]
        for thread in threads:
            thread.start()
        wait_for(lambda: server.gateway.directory.channels["ch_1"].health.shut_until, OPENS_SECONDS)
        assert time.monotonic() - began <= OPENS_SECONDS
        for thread in threads:
            thread.join()
        with_dead: list[float] = []
        without: list[float] = []
        live = Load(server.port, OTHER_MODEL, 0.0)
        same = Load(server.port, OTHER_MODEL, 0.05)
        for _ in range(rounds):
            for beside, found in ((same, without), (dead[0], with_dead)):
                stop = threading.Event()
                thread = threading.Thread(target=keep_asking, args=(beside, stop))
                thread.start()
                found.append(p99(live.ask(asks)))
                stop.set()
                thread.join()
        tried = server.gateway.directory.channels["ch_1"].attempts
        assert set(live.statuses) == {200}
        assert {status for load in dead for status in load.statuses} == {200}, "the second channel serves them"
        probes = (time.monotonic() - began) / options.breaker_pause_seconds
        assert tried <= 6 + 1 + probes, "one a second at most"
        before, after = statistics.median(without), statistics.median(with_dead)
        assert after <= before * (1 + SLOWER_SHARE) + slack_seconds, f"{before:.6f} s, {after:.6f} s"


def keep_asking(load: Load, stop: threading.Event) -> None:
    """A request for the dead provider's model now and then."""
    while not stop.is_set():
        load.ask(1)


@pytest.mark.parametrize("address", [black_hole, nobody])
def test_a_dead_provider_is_shut_and_slows_nobody_down(address):
    """The machine has other work, so a few milliseconds are let pass; `make soak` looks closely."""
    dead_beside_another(3, 150, address, slack_seconds=0.01)


@pytest.mark.soak
@pytest.mark.parametrize("address", [black_hole, nobody])
def test_a_dead_provider_slows_nobody_down_by_a_tenth(address):
    dead_beside_another(20, 1000, address, slack_seconds=0.0005)
