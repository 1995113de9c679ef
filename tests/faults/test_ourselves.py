"""What changes or is too much on our side while requests run."""

import datetime as dt
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
from tests.support.gateway import LONG_AGO, OFFER_ID, FakeDirectory, FakeNode, GatewayServer, channel
from tests.support.rawclient import LLMAGE, OPENAI, RawClient, chat_body, post
from tests.support.rig import rig, wait_for
from tests.support.upstream import RawUpstream, Request, echo, forever, request

from yuanjing.domain.pricing import ChatPrice, ChatTier
from yuanjing.gateway.directory import DirectoryContent
from yuanjing.gateway.options import GatewayOptions
from yuanjing.ports.store import Topic

CHANGES, SOAK_CHANGES = 500, 20_000


def price(version: int) -> ChatPrice:
    """Version 7 costs 7 nanos for a token of input, and 14 for one of output."""
    tier = ChatTier(input_up_to=None, input_nanos=version * 10**6, output_nanos=2 * version * 10**6)
    begins = LONG_AGO + dt.timedelta(seconds=version)
    return ChatPrice(id=f"price_{version}", offer_id=OFFER_ID, version=version, effective_from=begins, tiers=(tier,))


@dataclass
class CountingDirectory(FakeDirectory):
    """Tells how often it was read."""

    loads: int = 0

    async def load(self) -> DirectoryContent:
        content = await super().load()
        self.loads += 1
        return content


@dataclass
class Buyer(threading.Thread):
    """Asks again and again over one connection, in all forms by turns."""

    port: int
    stop: threading.Event
    wrong: list[object] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        with RawClient(self.port) as client:
            while not self.stop.is_set():
                is_stream, path = bool(self.count % 2), (OPENAI, LLMAGE)[self.count // 2 % 2]
                client.send(post(chat_body(stream=is_stream), path=path))
                answer = client.receive()
                self.count += 1
                if (answer.status, answer.text, answer.is_done) != (200, "hi", is_stream):
                    self.wrong.append(answer)
                time.sleep(0.004)


def change_often(count: int) -> None:
    with RawUpstream([forever(echo)]) as one, RawUpstream([forever(echo)]) as two:
        directory, node = CountingDirectory([channel(one.url)], prices=[price(1)]), FakeNode()
        options = GatewayOptions(tick_seconds=0.02, signal_poll_seconds=0.002)
        with GatewayServer(directory, node=node, options=options) as server:
            stop = threading.Event()
            buyers = [Buyer(server.port, stop) for _ in range(3)]
            for buyer in buyers:
                buyer.start()
            for version in range(2, count + 2):
                change(directory, version, one.url, two.url)
                seen = directory.loads
                node.pending.append((Topic.CATALOG, ""))
                wait_for(lambda seen=seen: directory.loads > seen)
            stop.set()
            for buyer in buyers:
                buyer.join(10)
            records = server.spool.records  # type: ignore[attr-defined]
            asked = sum(buyer.count for buyer in buyers)
            assert [buyer.wrong for buyer in buyers] == [[]] * 3
            assert not [line for line in server.log.lines if line[0] == "error"]
            assert not server.loop_errors
    assert len(records) == asked > count // 2, "no request is left over, and there was load"
    for record in records:
        version = int(record.price_id.removeprefix("price_"))
        assert (record.charge_nanos, record.overrun_nanos) == (version * (10 + 2 * 5), 0), record
    assert len({record.price_id for record in records}) > count // 10
    assert min(Counter(record.channel_id for record in records).values()) > 10, "both channels were used"


def change(directory: CountingDirectory, version: int, one: str, two: str) -> None:
    """Another price, and other channels: their addresses, weights, and how many there are."""
    directory.prices = [price(v) for v in range(max(1, version - 2), version + 1)]
    first = channel(one if version % 4 < 2 else two, id="ch_1", priority=version % 3, weight=version % 7)
    second = channel(two, id="ch_2", priority=1, credential=f"key {version // 5}")
    directory.channels = [[first, second], [second], [first], [second, first]][version % 4]


def test_changes_under_load_break_nothing_and_each_bill_has_one_price():
    change_often(CHANGES)


@pytest.mark.soak
def test_many_changes_under_load_break_nothing():
    change_often(SOAK_CHANGES)


def test_a_stream_that_runs_while_the_price_changes_has_the_price_of_its_beginning():
    gate = threading.Event()

    def answer(got: Request) -> bytes:
        assert gate.wait(10)
        return echo(got)

    with RawUpstream([forever(answer)]) as provider:
        directory, node = CountingDirectory([channel(provider.url)], prices=[price(1)]), FakeNode()
        with GatewayServer(directory, node=node, options=GatewayOptions(signal_poll_seconds=0.002)) as server:
            with RawClient(server.port) as client:
                client.send(post(stream=True))
                provider.wait_requests(1)
                directory.prices, directory.channels = [price(1), price(9)], []
                node.pending.append((Topic.CATALOG, ""))
                wait_for(lambda: not server.gateway.directory.channels)
                gate.set()
                assert client.receive().is_done
            (record,) = server.spool.records  # type: ignore[attr-defined]
    assert (record.price_id, record.charge_nanos) == ("price_1", 20)


@pytest.mark.parametrize("path", [OPENAI, LLMAGE])
@pytest.mark.parametrize("is_stream", [False, True])
def test_more_than_may_be_in_work_is_refused_before_the_work(is_stream, path):
    with rig([request], exchanges_max=1) as r:
        first, second = r.client(), r.client()
        first.send(post(stream=True))
        r.upstream.wait_requests(1)
        began = time.monotonic()
        second.send(post(chat_body(stream=is_stream), path=path))
        answer = second.receive()
        assert time.monotonic() - began < 1
        assert (answer.status, answer.headers[b"retry-after"]) == (503, b"1")
        wanted = "overloaded" if path == OPENAI else "Temporarily overloaded"
        assert wanted == (answer.code if path == OPENAI else answer.json["error"])
        assert len(r.upstream.requests) == 1
