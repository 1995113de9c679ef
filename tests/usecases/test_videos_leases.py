"""A task whose money is leased by gateways asks it back, and waits for it once."""

import asyncio

import pytest
from tests.edge.videos import T2V
from tests.usecases.video_market import CEILING, PRICE_NANOS, YUAN, Market, price_of

from yuanjing.domain.errors import InsufficientFundsError
from yuanjing.domain.holds import LeasePolicy
from yuanjing.domain.money import Book
from yuanjing.ports.store import Topic
from yuanjing.usecases.leases import LeaseKeeper, LeaseRequest, LeaseReturn
from yuanjing.usecases.nodes import NodeRef
from yuanjing.usecases.videos import BudgetExceededError

START = 10 * YUAN


class GatewayOfTest:
    """Leases money, and gives back what is asked for if it is told to."""

    def __init__(self, market: Market, key_id: str | None = None) -> None:
        self.market = market
        self.keeper = LeaseKeeper(market.store, market.clock, LeasePolicy(), 900)
        self.node = NodeRef(id="g0", incarnation=1)
        self.key_id = key_id
        self.hold_id = ""

    async def lease(self, nanos: int) -> None:
        await self.market.store.write(lambda tx: tx.nodes.register("g0", "m", "gateway", 1.0))
        answer = await self.keeper.acquire(
            self.node,
            LeaseRequest(
                book=Book.LIVE,
                customer_id="cus_a",
                key_id=self.key_id,
                hold_id=None,
                needed_nanos=nanos,
                recent_nanos=0,
            ),
        )
        assert answer.hold_id is not None
        self.hold_id = answer.hold_id

    async def is_asked(self) -> bool:
        return bool(await self.market.store.read(lambda tx: tx.holds.recalled_of_owner("g0", 1)))

    async def give_back_when_asked(self, nanos: int) -> None:
        while not await self.is_asked():  # noqa: ASYNC110  # the store tells nobody
            await asyncio.sleep(0.001)
        signals = await self.market.store.read(lambda tx: tx.signals.since(0, 100))
        assert (Topic.RECALL, "g0") in [(one.topic, one.subject) for one in signals]
        given = LeaseReturn(hold_id=self.hold_id, amount_nanos=nanos, is_final=False)
        await self.keeper.give_back(self.node, [given])


async def test_a_gateway_gives_back_what_it_does_not_use(market: Market):
    gateway = GatewayOfTest(market)
    await gateway.lease(START)
    async with asyncio.TaskGroup() as group:
        group.create_task(gateway.give_back_when_asked(CEILING))
        submitted = await market.submit()
    assert (await market.task(submitted.task.id)).ceiling_nanos == CEILING
    assert (await market.balances()).available_nanos == 0
    assert await market.problems() == []


async def test_a_gateway_that_needs_its_lease_keeps_it(market: Market):
    gateway = GatewayOfTest(market)
    await gateway.lease(START)
    with pytest.raises(InsufficientFundsError):
        await market.submit()
    assert await gateway.is_asked()
    assert (await market.balances()).held_nanos == START


async def test_leases_that_do_not_hold_enough_are_left_alone(market: Market):
    gateway = GatewayOfTest(market)
    await gateway.lease(START)
    await market.store.write(lambda tx: tx.catalog.add_price(price_of(T2V, version=100)))
    with pytest.raises(InsufficientFundsError):
        await market.submit()
    assert not await gateway.is_asked()


async def test_a_budget_that_is_leased_is_asked_back_too(market: Market):
    caller = market.caller(budget_nanos=CEILING + PRICE_NANOS)
    await market.store.write(lambda tx: tx.keys.add(caller.key))
    gateway = GatewayOfTest(market, caller.key.id)
    await gateway.lease(2 * PRICE_NANOS)
    async with asyncio.TaskGroup() as group:
        group.create_task(gateway.give_back_when_asked(PRICE_NANOS))
        await market.submit(caller)
    with pytest.raises(BudgetExceededError):
        await market.submit(caller)
    assert await market.problems() == []
