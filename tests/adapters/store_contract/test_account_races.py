"""What several processes do to one account at once, over databases: limits hold, nothing counts twice or is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest
from tests.adapters.store_contract.builders import TEST, customer, grant, lease

from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.identity import KeyLimits
from yuanjing.domain.money import Book
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.account import AccountPolicy, fill_test_book
from yuanjing.usecases.keys import KeyTerms, TooManyKeysError, change_key, create_key
from yuanjing.usecases.movements import Movements, write_contended

PEPPER = b"p" * 32


async def at_once(*calls: Callable[[], Awaitable[object]]) -> list[object]:
    """What each comes to: its value, or its expected failure."""

    async def one(call: Callable[[], Awaitable[object]]) -> object:
        try:
            return await call()
        except YuanjingError as error:
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(call)) for call in calls]
    return [task.result() for task in tasks]


@pytest.fixture
async def stores(sql_store: Store, other_store: Store) -> tuple[Store, Store]:
    """Two processes over one database, with a customer in it."""
    await sql_store.write(lambda tx: tx.customers.add(replace(customer(), disabled_at=None)))
    return sql_store, other_store


async def test_keys_that_are_made_at_once_do_not_pass_the_limit(
    stores: tuple[Store, Store], clock: ManualClock
) -> None:
    def make(store: Store) -> Callable[[], Awaitable[object]]:
        return lambda: create_key(store, clock, PEPPER, customer_id="cus_a", book=Book.TEST, keys_max=3)

    made = await at_once(*(make(store) for store in stores * 5))
    assert sum(isinstance(one, TooManyKeysError) for one in made) == 7
    assert await stores[0].read(lambda tx: tx.keys.count("cus_a", since=0)) == 3


async def test_play_money_that_is_asked_for_at_once_is_given_once(
    stores: tuple[Store, Store], clock: ManualClock
) -> None:
    policy = AccountPolicy(test_grant_nanos=1000, test_grants_per_day_max=5)

    def fill(store: Store) -> Callable[[], Awaitable[object]]:
        return lambda: fill_test_book(store, clock, policy, "cus_a")

    for _ in range(2):
        await at_once(*(fill(store) for store in stores * 4))
        assert await stores[0].read(lambda tx: tx.ledger.owned(TEST, ["cus_a"])) == {"cus_a": 1000}


class Spender:
    """Opens leases of one key and charges a part of each."""

    def __init__(self, clock: ManualClock, key_id: str) -> None:
        self._clock, self._key_id = clock, key_id

    async def live(self, store: Store, numbers: range) -> None:
        for number in numbers:
            await write_contended(store, partial(self._open, number))
            await write_contended(store, partial(self._charge, number))

    def _open(self, number: int, tx: Tx) -> None:
        moves = Movements(tx, self._clock.unix())
        moves.open_lease(lease(f"hold_{number}", key_id=self._key_id, amount_nanos=100, parts=1), part=1)
        moves.apply()

    def _charge(self, number: int, tx: Tx) -> None:
        moves = Movements(tx, self._clock.unix())
        (hold,) = tx.holds.lock([f"hold_{number}"]).values()
        moves.settle(hold, 30, cause=f"batch{number}")
        moves.release(moves.latest(hold), 20, part=2)
        moves.apply()


async def test_a_budget_that_comes_and_goes_while_leases_are_charged(
    stores: tuple[Store, Store], clock: ManualClock
) -> None:
    """Whatever overtakes what, the budget holds what the open leases of its key hold, and none goes below zero."""
    key, _ = await create_key(
        stores[0], clock, PEPPER, customer_id="cus_a", book=TEST, limits=KeyLimits(budget_nanos=10**9)
    )
    await stores[0].write(lambda tx: tx.ledger.post([grant(amount=10**9)]))

    async def change(store: Store) -> None:
        for number in range(21):  # the last one leaves a budget

            def terms(old: KeyTerms, budget: int | None = None if number % 2 else 10**9 + number) -> KeyTerms:
                return replace(old, limits=replace(old.limits, budget_nanos=budget))

            await change_key(store, clock, customer_id="cus_a", key_id=key.id, change=terms)

    spender = Spender(clock, key.id)
    async with asyncio.TaskGroup() as group:
        group.create_task(spender.live(stores[0], range(15)))
        group.create_task(spender.live(stores[1], range(15, 30)))
        group.create_task(change(stores[1]))

    def standing(tx: Tx) -> tuple[int, int]:
        budget = tx.keys.budget(key.id)
        assert budget is not None
        return budget.held_nanos, sum(hold.remaining_nanos for hold in tx.holds.open_of_customer(TEST, "cus_a"))

    assert await stores[0].read(standing) == (30 * 50, 30 * 50)
