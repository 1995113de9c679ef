"""The key cache, the offers' names and prices, and what a reload keeps."""

import asyncio
import datetime as dt
import time

import pytest
from tests.support.chat import ANSWER, ScriptedUpstream, post, user
from tests.support.gateway import (
    KEY,
    LIMITS,
    LONG_AGO,
    MODEL,
    OFFER_ID,
    OTHER_KEY,
    PEPPER,
    PRICE,
    FakeDirectory,
    FakeNode,
    GatewayServer,
    api_key,
    channel,
    offer,
)
from tests.support.rawclient import post as raw_post
from tests.support.rig import rig
from tests.support.sandbox import price_of
from tests.support.upstream import echo, forever

from yuanjing.domain.identity import format_key
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ChatTier, current_price
from yuanjing.gateway.directory import Directory, KeyCache, Offers, offer_entry
from yuanjing.kit.digest import keyed_digest
from yuanjing.ports.store import Topic


def numbered(i: int) -> str:
    return format_key(Book.TEST, f"K{i:07}", "0123456789abcdefghijABCDEFGHIJ01")


def digest(text: str) -> bytes:
    return keyed_digest(PEPPER, text)


# keys in memory


def test_entries_age():
    cache = KeyCache(size=10, seconds=30.0)
    entry = cache.add(api_key(), 100.0)
    assert cache.get(digest(KEY), 130.0) is entry
    assert cache.get(digest(KEY), 130.1) is None
    assert cache.get(digest(OTHER_KEY), 100.0) is None


def test_the_cache_is_bounded_oldest_out_first():
    cache = KeyCache(size=3, seconds=30.0)
    for i in range(5):
        cache.add(api_key(numbered(i)), 0.0)
        cache.add_unknown(b"%d" % i, 0.0, 9.0)
    assert len(cache) == 3
    assert [cache.get(digest(numbered(i)), 1.0) is not None for i in range(5)] == [False, False, True, True, True]
    assert [cache.is_unknown(b"%d" % i, 1.0) for i in range(5)] == [False, False, True, True, True]
    for i in range(100):
        cache.add(api_key(numbered(i)), 0.0)
    assert len(cache._meters) <= 7


def test_unknown_keys_are_remembered_for_a_moment():
    cache = KeyCache(size=3, seconds=30.0)
    cache.add_unknown(b"d", 100.0, 0.25)
    assert cache.is_unknown(b"d", 100.2)
    assert not cache.is_unknown(b"d", 100.25)


def test_forgetting():
    cache = KeyCache(size=10, seconds=30.0)
    entry = cache.add(api_key(), 0.0)
    other = cache.add(api_key(OTHER_KEY), 0.0)
    assert cache.holds(entry, 0.0)
    cache.forget(entry.public_id)
    assert cache.get(digest(KEY), 0.0) is None
    assert not cache.holds(entry, 0.0)
    assert cache.get(digest(OTHER_KEY), 0.0) is other
    assert cache.holds(other, 30.0)
    assert not cache.holds(other, 30.1)
    again = cache.add(api_key(OTHER_KEY), 0.0)
    assert not cache.holds(other, 0.0)
    assert cache.holds(again, 0.0)
    cache.forget_all()
    assert len(cache) == 0
    assert not cache.holds(again, 0.0)


def test_counters_survive_being_read_again():
    cache = KeyCache(size=10, seconds=30.0)
    first = cache.add(api_key(), 0.0)
    first.meter.in_flight = 1
    cache.forget(first.public_id)
    assert cache.add(api_key(), 1.0).meter is first.meter


# offers and prices


def priced(*prices):
    return offer_entry(offer(), LIMITS, tuple(prices), {})


def later(days: float, version: int):
    return price_of(OFFER_ID, id=f"price_{version}", version=version, effective_from=LONG_AGO + dt.timedelta(days=days))


@pytest.mark.parametrize("starts", [(0, 10, 20), (0, 20, 10), (10, 0), (0, 0), (5,)])
def test_the_price_in_force_is_the_ledgers(starts):
    prices = [later(days, version) for version, days in enumerate(starts, 1)]
    entry = priced(*prices)
    for days in (-1, 0, 4.999, 5, 9, 10, 15, 20, 30):
        now = LONG_AGO + dt.timedelta(days=days)
        assert entry.price_at(now.timestamp()) is current_price(prices, now)


def test_an_offer_has_its_time():
    now = LONG_AGO + dt.timedelta(days=10)
    entry = offer_entry(offer(enabled_from=now, enabled_until=now + dt.timedelta(days=1)), LIMITS, (PRICE,), {})
    assert entry.price_at(now.timestamp() - 1) is None
    assert entry.price_at(now.timestamp()) is PRICE
    assert entry.price_at(now.timestamp() + 86400) is None


def test_a_name_beats_another_offers_alias():
    directory = Directory(KeyCache(size=1, seconds=1))
    first = offer_entry(offer(model="a", aliases=("b",), id="1"), LIMITS, (), {})
    second = offer_entry(offer(model="b", aliases=(), id="2"), LIMITS, (), {})
    for entries in ([first, second], [second, first]):
        directory.install(Offers(chat=tuple(entries)), {})
        assert directory.offer("b") is second
        assert directory.offer("a") is first
    assert directory.offer("c") is None


# a running gateway


@pytest.fixture
def upstream():
    with ScriptedUpstream(ANSWER) as upstream:
        yield upstream


def wait_until(is_so, seconds=3.0):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_prices_switch_at_their_time(upstream):
    dear = ChatTier(input_up_to=None, input_nanos=10**12, output_nanos=10**12)
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.6)  # noqa: TID251  # a price that starts during the test
    directory = FakeDirectory([channel(upstream.url)])
    directory.prices.append(price_of(OFFER_ID, dear, id="price_2", version=2, effective_from=soon))
    with GatewayServer(directory) as server:
        assert post(server, "openai", user("x")).json["usage"]["cost"] == "0.0000288"
        wait_until(lambda: post(server, "openai", user("x")).json["usage"]["cost"] == "0.006")
        records = server.spool.records
    assert [r.price_id for r in (records[0], records[-1])] == ["price_1", "price_2"]
    for record in records:
        assert (record.price_id == "price_2") == (record.started_at >= soon.timestamp())


def test_a_reload_keeps_the_connections_of_unchanged_channels(upstream):
    directory, node = FakeDirectory([channel(upstream.url)]), FakeNode()
    with GatewayServer(directory, node=node) as server:
        assert post(server, "openai", user("x")).status == 200
        state = server.gateway.directory.channels["ch_1"]
        directory.channels = [channel(upstream.url, priority=7, weight=3, name="two")]
        directory.offers = [offer(aliases=("new-name",))]
        node.pending.append((Topic.CATALOG, ""))
        wait_until(lambda: server.gateway.directory.offer("new-name") is not None)
        assert server.gateway.directory.channels["ch_1"] is state
        assert (state.priority, state.weight, state.name) == (7, 3, "two")
        assert post(server, "openai", user("x", model="new-name")).status == 200
        assert post(server, "openai", user("x", model="qwen-max")).status == 404
        assert upstream.connections == 1
        directory.channels = [channel(upstream.url, credential="another")]
        node.pending.append((Topic.CATALOG, ""))
        wait_until(lambda: server.gateway.directory.channels["ch_1"] is not state)
        assert post(server, "openai", user("x")).status == 200
        assert b"Bearer another\r\n" in upstream.seen[-1].head
        assert upstream.connections == 2
        assert state.pool.open_count == 0


def test_a_revoked_key_is_refused_within_one_poll(upstream):
    directory, node = FakeDirectory([channel(upstream.url)]), FakeNode()
    with GatewayServer(directory, node=node) as server:
        assert post(server, "openai", user("x")).status == 200
        directory.keys = [api_key(revoked_at=1.0)]
        assert post(server, "openai", user("x")).status == 200
        assert directory.lookups == 1
        node.pending.append((Topic.KEY, "AbCd1234"))
        wait_until(lambda: post(server, "openai", user("x")).status == 401, server.options.signal_poll_seconds + 0.4)
        assert directory.lookups == 2


def test_a_revoked_key_is_refused_on_the_connection_that_has_used_it():
    with rig([forever(echo)]) as r:
        client = r.client()
        for _ in range(2):
            client.send(raw_post())
            assert client.receive().status == 200
        r.server.directory.keys = [api_key(revoked_at=1.0)]
        r.server.node.pending.append((Topic.KEY, "AbCd1234"))
        wait_until(lambda: len(r.gateway.directory.keys) == 0)
        client.send(raw_post())
        assert client.receive().status == 401


def test_a_connection_may_change_its_key():
    with rig([forever(echo)]) as r:
        r.server.directory.keys = [api_key(), api_key(OTHER_KEY)]
        client = r.client()
        for key in (KEY, KEY, OTHER_KEY, KEY):
            client.send(raw_post(key=key))
            assert client.receive().status == 200
        client.send(raw_post(key=None))
        assert client.receive().status == 401
        ids = {key.public_id: key.id for key in r.server.directory.keys}
        first, other = ids["AbCd1234"], ids["ZyXw9876"]
        assert [record.key_id for record in r.wait_records(4)] == [first, first, other, first]


def test_a_revocation_while_the_key_is_being_read_is_not_lost(upstream):
    directory, node = SlowDirectory([channel(upstream.url)]), FakeNode()
    with GatewayServer(directory, node=node) as server:
        directory.on_read = lambda: revoke(directory, node)
        assert post(server, "openai", user("x")).status == 401
        assert post(server, "openai", user("x")).status == 401
    assert not upstream.seen


class SlowDirectory(FakeDirectory):
    """Reads the key, then takes its time to tell; `on_read` happens in between."""

    on_read = staticmethod(lambda: None)

    async def find_key(self, public_id):
        found = await super().find_key(public_id)
        self.on_read()
        await asyncio.sleep(0.3)
        return found


def revoke(directory, node):
    if directory.keys[0].revoked_at is None:
        directory.keys = [api_key(revoked_at=1.0)]
        node.pending.append((Topic.KEY, "AbCd1234"))


def test_models_by_every_name(upstream):
    with GatewayServer(FakeDirectory([channel(upstream.url)])) as server:
        for name in (MODEL, "qwen-max", OFFER_ID):
            assert post(server, "llmage", user("x", model=name)).status == 200
        reply = post(server, "openai", user("x", model="nobody"))
        assert (reply.status, reply.error["code"], reply.error["param"]) == (404, "model_not_found", "model")
        assert "nobody" in reply.error["message"]


def test_the_highest_version_counts_not_the_latest_start(upstream):
    dear = ChatTier(input_up_to=None, input_nanos=10**12, output_nanos=10**12)
    started = LONG_AGO - dt.timedelta(days=1)
    directory = FakeDirectory([channel(upstream.url)])
    directory.prices.insert(0, price_of(OFFER_ID, dear, id="price_2", version=2, effective_from=started))
    with GatewayServer(directory) as server:
        assert post(server, "openai", user("x")).json["usage"]["cost"] == "0.006"
        assert server.spool.records[0].price_id == "price_2"


@pytest.mark.parametrize("address", ["http://h:99999/v1", "http://[::1/v1", "nonsense"])
def test_a_channel_that_cannot_be_made_is_left_out_and_stops_nothing(upstream, address):
    bad = channel(address, id="ch_bad", priority=0)
    directory, node = FakeDirectory([channel(upstream.url, priority=1)]), FakeNode()
    with GatewayServer(directory, node=node) as server:
        directory.channels.insert(0, bad)
        node.pending.append((Topic.CATALOG, ""))
        wait_until(lambda: any(event.startswith("a channel cannot be served") for _, event, _ in server.log.lines))
        assert post(server, "openai", user("x")).status == 200
        directory.keys = [api_key(revoked_at=1.0)]
        node.pending.append((Topic.KEY, "AbCd1234"))
        wait_until(lambda: post(server, "openai", user("x")).status == 401)
    with GatewayServer(FakeDirectory([bad, channel(upstream.url, priority=1)])) as server:
        assert post(server, "openai", user("x")).status == 200
        assert list(server.gateway.directory.channels) == ["ch_1"]
