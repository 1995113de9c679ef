"""Money that was leased goes back: the terms of its key have changed, or others wait for it and nobody answers."""

import asyncio
from dataclasses import replace

from tests.gateway.test_purse import BUYER, OPTIONS, Desk, Ledger

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.money import Book
from yuanjing.gateway.lease_source import Refill

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
    """Its process has died. What is heard of others makes nobody wait for it again; a question to somebody new does."""
    desk = Desk(Ledger(available=10, is_recalling=True, asked={"hold_dead": 100}))

    async def waits() -> bool:
        future = desk.ask(50)
        await asyncio.sleep(0.002)
        is_waiting = not future.done()
        desk.time += OPTIONS.lease_wait_seconds
        assert isinstance(await future, Refill)
        return is_waiting

    assert [await waits()] == [True]
    desk.time += OPTIONS.refuse_seconds
    assert not await waits()
    desk.purses.forget_refusal(Book.TEST, "cus_1")
    calls = len(desk.ledger.calls)
    assert not await waits()
    assert len(desk.ledger.calls) == calls + 1  # but the ledger is asked
    desk.purses.forget_refusal(Book.TEST, "cus_1")
    desk.ledger.asked = {"hold_dead": 100, "hold_new": 50}
    assert await waits()


async def test_funds_do_not_prolong_a_wait():
    """Each of them has the ledger asked at once; who is silent is waited for no longer."""
    desk = Desk(Ledger(available=10, is_recalling=True, asked={"hold_dead": 100}))
    first = desk.ask(50)
    await asyncio.sleep(0.002)
    desk.time += OPTIONS.lease_wait_seconds / 2
    second = desk.ask(50)
    desk.purses.forget_refusal(Book.TEST, "cus_1")
    await asyncio.sleep(0.002)
    assert not first.done()
    desk.time += OPTIONS.lease_wait_seconds / 2
    desk.purses.forget_refusal(Book.TEST, "cus_1")
    async with asyncio.timeout(2):
        assert isinstance(await first, Refill)
        assert isinstance(await second, Refill)


async def test_money_on_its_way_back_is_waited_for_by_its_own_customer_only():
    for customer, waits in (("cus_1", True), ("cus_2", False)):
        desk = Desk(Ledger(available=10))
        desk.ledger.return_gate, desk.ledger.holds["hold_x"] = asyncio.Event(), 7
        other = desk.purses.get((Book.TEST, customer, "key_1"))
        other.hold_id, other.free = "hold_x", 7
        desk.purses.recall({"hold_x"})
        future = desk.ask(50)
        await asyncio.sleep(0.002)
        assert future.done() is not waits
        desk.ledger.return_gate.set()
        desk.time += OPTIONS.lease_wait_seconds
        assert isinstance(await future, Refill)


async def test_what_goes_back_before_a_recall_is_heard_does_not_answer_it():
    desk = Desk(Ledger(extra=500), buyer=OF_KEY)
    hold = await desk.ask(50)
    desk.purses.recall_key(OF_KEY)
    await desk.quiet()
    assert (desk.ledger.given_back, desk.ledger.answers) == ([(hold, 500, False)], [])
    desk.purses.recall({hold})
    await desk.quiet()
    assert desk.ledger.answers == [hold]
    desk.purses.settle(desk.purse, hold, 50, 20)
    await desk.quiet()
    assert (desk.ledger.given_back[1:], desk.ledger.answers) == ([(hold, 0, False), (hold, 30, False)], [hold])


async def test_a_recall_that_is_heard_twice_is_answered_once():
    """By the signal and by the heartbeat: a second answer could be taken for that to the next recall."""
    desk = Desk(Ledger(extra=100))
    hold = await desk.ask(50)
    desk.ledger.holds["hold_old"] = 7
    desk.ledger.return_gate = asyncio.Event()
    for _ in range(2):
        desk.purses.recall({hold, "hold_old"})
        await asyncio.sleep(0)
    desk.ledger.return_gate.set()
    await desk.quiet()
    assert sorted(desk.ledger.answers) == [hold, "hold_old"]
    desk.purses.recall({hold})
    await desk.quiet()
    assert desk.ledger.answers[2:] == [hold]


async def test_an_old_lease_that_is_recalled_while_a_new_one_is_granted_is_answered():
    desk = Desk(Ledger(extra=30))
    old = await desk.ask(50)
    desk.ledger.gate, desk.ledger.next_hold = asyncio.Event(), "hold_new"
    future = desk.ask(40)
    await asyncio.sleep(0)
    desk.purses.recall({old})
    desk.ledger.gate.set()
    assert await future == "hold_new"
    await desk.quiet()
    assert desk.ledger.answers == [old]


async def test_a_refusal_under_a_keys_old_terms_is_forgotten():
    desk = Desk(Ledger(available=10), buyer=OF_KEY)
    desk.purses.processes = 100
    assert isinstance(await desk.ask(50), Refill)
    desk.ledger.available = 100
    assert isinstance(await desk.ask(50), Refill)
    assert len(desk.ledger.calls) == 1
    desk.purses.recall_key(OF_KEY)
    assert await desk.ask(50) == "hold_0"


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
