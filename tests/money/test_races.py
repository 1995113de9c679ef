"""Money that can be had once is had once, however many try at the same time (goal S11).

Codes of signing in have their own races in `tests/usecases_signin/test_attacks.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from tests.support.payments import FakeMethod

from yuanjing.adapters.sql import StoreOptions, open_store, upgrade
from yuanjing.domain.errors import InsufficientFundsError, InvalidInputError
from yuanjing.domain.ledger import settle_late
from yuanjing.domain.money import Book
from yuanjing.domain.topups import PayWay, TopUpState
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store
from yuanjing.usecases.account import AccountPolicy, fill_test_book
from yuanjing.usecases.breaches import Findings
from yuanjing.usecases.customers import create_customer, grant_money
from yuanjing.usecases.topups import Notifications, Refunds, TopUpParts, TopUpPolicy, TopUps
from yuanjing.usecases.verify_ledger import check_accounts, check_entries, check_transfers

YUAN = 10**9
POLICY = AccountPolicy(test_grant_nanos=100 * YUAN, test_grants_per_day_max=10**6)


class World:
    """Two processes over one database, and a customer."""

    def __init__(self, stores: Sequence[Store], clock: ManualClock, customer: str) -> None:
        self.stores, self.clock, self.customer = stores, clock, customer
        self.method = FakeMethod()
        self.parts = [
            TopUpParts(
                store=store,
                clock=clock,
                methods={"fake": self.method},
                policy=TopUpPolicy(open_max=10**6),
                subject="Yuanjing",
                return_url=lambda id_: f"https://us.example/{id_}",
                notify_url=lambda name: f"https://us.example/{name}",
            )
            for store in stores
        ]

    async def at_once(self, callers: int, call: Callable[[int], Awaitable[bool]]) -> int:
        """How many of the callers succeed; every second one in the other process."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_told(call(number % 2))) for number in range(callers)]
        return sum(task.result() for task in tasks)

    async def available(self, book: Book = Book.LIVE) -> int:
        return (await self.stores[0].read(lambda tx: tx.ledger.balances(book, self.customer))).available_nanos

    async def paid_order(self) -> tuple[str, bytes]:
        """An order, and the notification that it is paid."""
        topup, _ = await TopUps(self.parts[0]).start(self.customer, "fake", PayWay.PAGE, 10 * YUAN)
        self.method.pay(topup.number, topup.amount_nanos, f"up-{topup.id}")
        return topup.id, f"{topup.number} {topup.amount_nanos} up-{topup.id}".encode()

    async def verify(self) -> None:
        def work(tx):
            findings = Findings()
            check_accounts(tx, findings, check_entries(tx, findings))
            check_transfers(tx, findings)
            return findings.breaches

        assert await self.stores[0].read(work) == []


async def _told(call: Awaitable[bool]) -> bool:
    try:
        return await call
    except (InvalidInputError, InsufficientFundsError):
        return False


@pytest.fixture(params=["sqlite", "postgres"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/store.db"
        await upgrade(url)
    else:
        url = request.getfixturevalue("postgres_url")
    clock = ManualClock()
    options = StoreOptions(synchronous="off", busy_seconds=30.0, lock_seconds=30.0, pool_seconds=30.0, tries=50)
    stores = [await open_store(url, options=options, clock=clock) for _ in range(2)]
    customer = await create_customer(stores[0], clock, mobile="13800138000", test_grant_nanos=0)
    made = World(stores, clock, customer.id)
    yield made
    await made.verify()
    for store in stores:
        await store.close()


async def gift(world: World, callers: int, number: int) -> None:
    """One cause is one gift."""

    async def call(process: int) -> bool:
        given = await grant_money(
            world.stores[process],
            world.clock,
            customer_id=world.customer,
            book=Book.LIVE,
            amount_nanos=YUAN,
            cause=f"gift {number}",
        )
        return given.is_new

    before = await world.available()
    assert await world.at_once(callers, call) == 1
    assert await world.available() == before + YUAN


async def refill(world: World, callers: int, number: int) -> None:
    """The test book is filled once; the round spends what was filled before."""
    del number
    owned = await world.available(Book.TEST)
    if owned:
        transfer = _spending(world.customer, owned, world.clock.monotonic())
        await world.stores[0].write(lambda tx: tx.ledger.post([transfer]))
    world.clock.advance(1)

    async def call(process: int) -> bool:
        filled = await fill_test_book(world.stores[process], world.clock, POLICY, world.customer)
        return filled.granted_nanos > 0

    assert await world.at_once(callers, call) == 1
    assert await world.available(Book.TEST) == POLICY.test_grant_nanos


async def payment(world: World, callers: int, number: int) -> None:
    """A payment that all notifications, sweeps and pages tell of is credited once."""
    del number
    id_, raw = await world.paid_order()
    before = await world.available()

    async def call(process: int) -> bool:
        await Notifications(world.parts[process]).take("fake", raw)
        return (await TopUps(world.parts[process]).show(world.customer, id_)).state is TopUpState.CREDITED

    assert await world.at_once(callers, call) == callers
    assert await world.available() == before + 10 * YUAN


async def refund(world: World, callers: int, number: int) -> None:
    """The whole of a top-up goes back once."""
    del number
    id_, raw = await world.paid_order()
    await Notifications(world.parts[0]).take("fake", raw)
    before = await world.available()

    async def call(process: int) -> bool:
        await Refunds(world.parts[process]).start(id_, 10 * YUAN, "all of it")
        return True

    assert await world.at_once(callers, call) == 1
    assert await world.available() == before - 10 * YUAN


def _spending(customer: str, amount: int, at: float):
    return settle_late(Book.TEST, customer, amount, cause=f"round at {at}")


RACES = [gift, refill, payment, refund]


@pytest.mark.parametrize("race", RACES)
async def test_of_forty_one_succeeds(world: World, race: Callable[[World, int, int], Awaitable[None]]):
    for number in range(3):
        await race(world, 40, number)


@pytest.mark.soak
@pytest.mark.parametrize("race", RACES)
async def test_of_two_hundred_one_succeeds_a_hundred_times(
    world: World, race: Callable[[World, int, int], Awaitable[None]]
):
    for number in range(100):
        await race(world, 200, number)
