"""Money that was leased goes back: the terms of its key have changed, or others wait for it and nobody answers."""

import asyncio

from tests.gateway.test_purse import BUYER, Desk, Ledger

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
