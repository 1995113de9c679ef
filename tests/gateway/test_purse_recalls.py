"""Money that was leased goes back: the terms of its key have changed, or others wait for it and nobody answers."""

import asyncio
from dataclasses import replace

from tests.gateway.test_purse import BUYER, OPTIONS, Desk, Ledger

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.money import Book
from yuanjing.gateway.purse import Refill

OF_KEY = (Book.TEST, "cus_1", "key_1")


async def test_what_was_leased_under_a_keys_old_terms_goes_back():
    """And so does what becomes free, until the ledger has granted something under the new ones."""
    desk = Desk(Ledger(extra=500), buyer=OF_KEY)
    hold = await desk.ask(50)
    desk.purses.recall_key((Book.TEST, "cus_1", "key_2"))
    desk.purses.recall_key((Book.TEST, "cus_1", None))
    assert desk.purse.free == 500
    desk.purses.recall_key(OF_KEY)
    desk.purses.settle(desk.purse, hold, 50, 20)
    await desk.quiet()
    assert desk.ledger.given_back == [(hold, 500, False), (hold, 30, False)]
    assert (desk.purse.free, desk.ledger.available) == (0, 980)
    desk.purses.renew(desk.purse)
    assert len(desk.ledger.calls) == 1
    desk.ledger.available, desk.ledger.lost = 40, 940
    assert isinstance(await desk.ask(50), Refill)
    assert await desk.ask(40) == hold
    desk.purses.settle(desk.purse, hold, 40, 10)
    assert desk.purse.free == 30
    assert desk.total(30) == 1000


async def test_a_purse_of_no_budget_is_not_that_of_a_key():
    desk = Desk(Ledger(extra=500))
    await desk.ask(50)
    desk.purses.recall_key(BUYER)
    assert desk.purse.free == 500


async def test_a_recall_outlives_a_call_that_fails():
    """What becomes free while nobody answers goes back too."""
    desk = Desk(Ledger(extra=100))
    hold = await desk.ask(50)
    desk.purses.recall({hold})
    desk.ledger.gate, desk.ledger.fails = asyncio.Event(), [StoreUnavailableError("down")]
    future = desk.ask(120)
    await asyncio.sleep(0)
    desk.purses.settle(desk.purse, hold, 50, 20)
    assert desk.purse.free == 30
    desk.ledger.gate.set()
    assert isinstance(await future, Refill)
    await desk.quiet()
    assert desk.purse.free == 0
    assert desk.ledger.given_back == [(hold, 100, False), (hold, 30, False)]
    assert desk.total(20) == 1000


async def test_a_recall_is_answered_also_with_nothing():
    """All of it is reserved; and a lease that no purse has any more has nothing left."""
    desk = Desk(Ledger())
    hold = await desk.ask(50)
    desk.ledger.holds["hold_old"] = 7
    desk.purses.recall({hold, "hold_old"})
    await desk.quiet()
    assert sorted(desk.ledger.given_back) == [(hold, 0, False), ("hold_old", 0, False)]
    desk.purses.settle(desk.purse, hold, 50, 20)
    await desk.quiet()
    assert desk.ledger.given_back[2:] == [(hold, 30, False)]


async def test_a_lease_that_may_be_on_its_way_to_its_purse_is_not_answered_for():
    """The ledger has granted it, and here nobody knows yet."""
    desk = Desk(Ledger())
    desk.ledger.gate = asyncio.Event()
    future = desk.ask(50)
    await asyncio.sleep(0)
    desk.purses.recall({"hold_0"})
    desk.ledger.gate.set()
    assert await future == "hold_0"
    await desk.quiet()
    assert desk.ledger.given_back == []


async def test_who_waits_is_woken_by_news():
    desk = Desk(Ledger(available=10, is_recalling=True), replace(OPTIONS, lease_wait_seconds=60.0))
    future = desk.ask(50)
    await until(lambda: len(desk.ledger.calls) == 1 and desk.purse.news is not None)
    desk.ledger.available = 100
    desk.purses.forget_refusal(Book.TEST, "cus_1")
    async with asyncio.timeout(0.5):  # the first pause would be nearly a second
        assert await future == "hold_0"


async def test_who_does_not_answer_is_waited_for_once():
    """Its process has died. When something is heard, it is worth waiting again."""
    desk = Desk(Ledger(available=10, is_recalling=True))
    for waits in (True, False):
        future = desk.ask(50)
        await asyncio.sleep(0.01)
        assert future.done() is not waits
        desk.time += OPTIONS.lease_wait_seconds
        assert isinstance(await future, Refill)
        desk.time += OPTIONS.refuse_seconds
    desk.purses.forget_refusal(Book.TEST, "cus_1")
    future = desk.ask(50)
    await asyncio.sleep(0.002)
    assert not future.done()
    desk.time += OPTIONS.lease_wait_seconds
    assert isinstance(await future, Refill)


async def test_many_processes_refuse_for_longer():
    for processes, seconds in ((1, 0.25), (2, 0.5), (8, 2.0)):
        desk = Desk(Ledger(available=10))
        desk.purses.processes = processes
        assert isinstance(await desk.ask(50), Refill)
        assert desk.purse.refused_until == desk.time + seconds


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # a fake tells nobody
            await asyncio.sleep(0.001)
