"""Keys that are asked for at once are read at once, and nobody is told what was true before it asked."""

import asyncio

import pytest

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.money import Book
from yuanjing.usecases import key_finder
from yuanjing.usecases.customers import create_customer
from yuanjing.usecases.key_finder import KeyFinder
from yuanjing.usecases.keys import create_key, revoke_key


class SlowStore:
    """A store whose answers to reads are on their way until they are let through."""

    def __init__(self, store):
        self._store = store
        self.under_way = []
        self.asked = 0
        self.failure = None
        self.bad_id = None

    async def read(self, work):
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        found = await self._store.read(work)
        if self.bad_id in found:
            raise ZeroDivisionError
        gate = asyncio.get_running_loop().create_future()
        self.under_way.append(gate)
        await gate
        return found

    async def let_through(self):
        for _ in range(5):
            await asyncio.sleep(0)
        self.under_way.pop(0).set_result(None)


@pytest.fixture
async def keys(store, clock, pepper):
    """Three keys of two customers."""
    made = []
    for number in range(3):
        mobile = f"+861380013800{number % 2}"
        known = await store.read(lambda tx, mobile=mobile: tx.customers.by_mobile(mobile))
        customer = known or await create_customer(store, clock, mobile=mobile, name="Test", test_grant_nanos=0)
        key, _ = await create_key(store, clock, pepper, customer_id=customer.id, book=Book.LIVE)
        made.append((key, customer))
    return made


@pytest.fixture
def slow(store):
    return SlowStore(store)


@pytest.fixture
def finder(slow):
    return KeyFinder(slow)


def ask(finder, *ids):
    return [asyncio.ensure_future(finder.find(id_)) for id_ in ids]


async def outcomes(asked):
    return await asyncio.gather(*asked, return_exceptions=True)  # noqa: TID251  # errors are what is looked at


async def test_what_comes_during_a_read_is_read_together_by_the_next(finder, slow, keys):
    ids = [key.public_id for key, _ in keys]
    first = ask(finder, ids[0])
    await asyncio.sleep(0)
    rest = ask(finder, *ids, ids[1], "AAAAAAAA")
    await slow.let_through()
    await slow.let_through()
    assert await outcomes([*first, *rest]) == [keys[0], *keys, keys[1], None]
    assert slow.asked == 2
    again = ask(finder, ids[2])
    await slow.let_through()
    assert await outcomes(again) == [keys[2]]


async def test_a_key_that_was_revoked_before_is_seen_as_revoked(finder, slow, store, clock, keys):
    key, customer = keys[0]
    before = ask(finder, key.public_id)
    for _ in range(5):
        await asyncio.sleep(0)
    assert slow.under_way
    revoked = await revoke_key(store, clock, key.id)
    after = ask(finder, key.public_id)
    await slow.let_through()
    await slow.let_through()
    assert await outcomes([*before, *after]) == [(key, customer), (revoked, customer)]


async def test_who_goes_away_keeps_nobody(finder, slow, keys):
    key = keys[0][0]
    gone, stays = ask(finder, key.public_id, key.public_id)
    await asyncio.sleep(0)
    gone.cancel()
    await slow.let_through()
    assert await stays == keys[0]
    assert gone.cancelled()


async def test_a_store_that_cannot_be_asked_is_told_to_all_and_asked_once(finder, slow, keys):
    slow.failure = StoreUnavailableError("gone")
    asked = ask(finder, *(key.public_id for key, _ in keys))
    assert [type(each) for each in await outcomes(asked)] == [StoreUnavailableError] * 3
    assert slow.asked == 1


async def test_an_unexpected_error_about_one_key_is_its_own(finder, slow, keys):
    ids = [key.public_id for key, _ in keys]
    slow.bad_id = ids[1]
    asked = ask(finder, *ids)
    await slow.let_through()
    await slow.let_through()
    first, bad, last = await outcomes(asked)
    assert (first, last) == (keys[0], keys[2])
    assert isinstance(bad, ZeroDivisionError)


async def test_nobody_waits_for_a_read_that_hangs(finder, slow, keys, monkeypatch):
    monkeypatch.setattr(key_finder, "_PATIENCE_SECONDS", 0.01)
    ids = [key.public_id for key, _ in keys]
    hangs = ask(finder, ids[0])
    await asyncio.sleep(0.02)
    asked = ask(finder, ids[1], ids[2])
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(slow.under_way) == 2
    slow.under_way.pop(1).set_result(None)
    assert await outcomes(asked) == keys[1:]
    assert not hangs[0].done()
    await slow.let_through()
    assert await outcomes(hangs) == [keys[0]]
