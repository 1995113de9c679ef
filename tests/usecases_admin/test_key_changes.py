"""Customers' own keys: how many, how they change, and what a budget counts that is set later."""

from dataclasses import replace

import pytest
from tests.adapters.store_contract.builders import lease, usage

from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.holds import Hold
from yuanjing.domain.identity import ApiKey, BudgetPeriod, Customer, KeyLimits
from yuanjing.domain.money import Book
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.identity import KeyBudget
from yuanjing.ports.store import Store, Topic, Tx
from yuanjing.ports.usages import KeySpending
from yuanjing.usecases.budgets import move_budget
from yuanjing.usecases.customers import create_customer
from yuanjing.usecases.key_reports import list_key_reports, read_key_report
from yuanjing.usecases.keys import (
    KeyRevokedError,
    KeyTerms,
    TooManyKeysError,
    change_key,
    create_key,
    revoke_key,
    revoke_own_key,
)

DAY = 86_400.0


@pytest.fixture
async def customer(store: Store, clock: ManualClock) -> Customer:
    return await create_customer(store, clock, mobile="13800138000", test_grant_nanos=0)


@pytest.fixture
async def other(store: Store, clock: ManualClock) -> Customer:
    return await create_customer(store, clock, mobile="13800138001", test_grant_nanos=0)


class Keys:
    """A customer who makes and changes keys."""

    def __init__(self, store: Store, clock: ManualClock, customer: Customer) -> None:
        self.store, self.clock, self.customer = store, clock, customer

    async def make(self, **changes: object) -> ApiKey:
        values: dict[str, object] = {"customer_id": self.customer.id, "book": Book.TEST}
        key, _ = await create_key(self.store, self.clock, b"p" * 32, **(values | changes))  # type: ignore[arg-type]
        return key

    async def limit(self, key: ApiKey, **limits: object) -> ApiKey:
        def change(terms: KeyTerms) -> KeyTerms:
            return replace(terms, limits=replace(terms.limits, **limits))  # type: ignore[arg-type]

        return await self.change(key, change)

    async def change(self, key: ApiKey, change) -> ApiKey:
        return await change_key(self.store, self.clock, customer_id=self.customer.id, key_id=key.id, change=change)

    async def budget(self, key: ApiKey) -> KeyBudget | None:
        return await self.store.read(lambda tx: tx.keys.budget(key.id))


@pytest.fixture
def keys(store: Store, clock: ManualClock, customer: Customer) -> Keys:
    return Keys(store, clock, customer)


async def test_a_customer_has_so_many_keys(keys: Keys) -> None:
    made = [await keys.make(keys_max=2) for _ in range(2)]
    with pytest.raises(TooManyKeysError):
        await keys.make(keys_max=2)
    await revoke_key(keys.store, keys.clock, made[0].id)
    with pytest.raises(TooManyKeysError):
        await keys.make(keys_max=2)  # or keys could be made and revoked without end
    keys.clock.advance(DAY + 1)
    await keys.make(keys_max=2)
    with pytest.raises(TooManyKeysError):
        await keys.make(keys_max=2)
    await keys.make()  # an operator may


async def test_a_change_is_kept_and_told_to_the_gateways(keys: Keys, signals) -> None:
    key = await keys.make(name="old", limits=KeyLimits(requests_per_minute=5, tokens_per_minute=7))
    limits = KeyLimits(networks=("192.0.2.7",), requests_per_minute=9)
    changed = await keys.change(key, lambda _: KeyTerms(name="new", limits=limits, expires_at=keys.clock.unix() + 60))
    expected = replace(limits, networks=("192.0.2.7/32",))
    assert changed == replace(key, name="new", limits=expected, expires_at=keys.clock.unix() + 60)
    assert await keys.store.read(lambda tx: tx.keys.get(key.id)) == changed
    assert await signals() == [(Topic.KEY, key.public_id)]
    assert await keys.change(key, lambda terms: terms) == changed
    assert len(await signals()) == 1  # nothing changed, nobody is told


async def test_an_expiry_may_stay_in_the_past_but_not_move_there(keys: Keys) -> None:
    key = await keys.make(expires_at=keys.clock.unix() + 10)
    keys.clock.advance(20)
    renamed = await keys.change(key, lambda terms: replace(terms, name="late"))
    assert renamed.expires_at == key.expires_at
    with pytest.raises(InvalidInputError, match="expired"):
        await keys.change(key, lambda terms: replace(terms, expires_at=keys.clock.unix()))
    assert (await keys.change(key, lambda terms: replace(terms, expires_at=None))).expires_at is None


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"limits": KeyLimits(requests_per_minute=0)}, "requests_per_minute"),
        ({"limits": KeyLimits(budget_nanos=0)}, "budget"),
        ({"limits": KeyLimits(models=("nothing",))}, "models"),
        ({"limits": KeyLimits(networks=("10.0.0.1/8",))}, "networks"),
        ({"limits": KeyLimits(networks=("10.0.0.1",) * 201)}, "networks"),
        ({"limits": KeyLimits(models=("a",) * 201)}, "models"),
    ],
)
async def test_a_change_that_cannot_be_changes_nothing(keys: Keys, changes: dict[str, object], param: str) -> None:
    key = await keys.make()
    with pytest.raises(InvalidInputError) as caught:
        await keys.change(key, lambda terms: replace(terms, **changes))
    assert caught.value.param == param
    assert await keys.store.read(lambda tx: tx.keys.get(key.id)) == key


async def test_a_model_that_is_sold_no_more_may_stay(catalog_store: Store, clock: ManualClock) -> None:
    owner = await create_customer(catalog_store, clock, mobile="13800138000", test_grant_nanos=0)
    keys = Keys(catalog_store, clock, owner)
    key = await keys.make(limits=KeyLimits(models=("qwen3-max",)))
    gone = replace(key.limits, models=("gone",))
    await catalog_store.write(lambda tx: tx.keys.save(replace(key, limits=gone)))
    assert (await keys.limit(key, requests_per_minute=3)).limits == replace(gone, requests_per_minute=3)
    assert (await keys.limit(key, models=("qwen3-max",))).limits.models == ("qwen3-max",)


async def test_revoking_is_final(keys: Keys) -> None:
    key = await keys.make()
    revoked = await revoke_own_key(keys.store, keys.clock, keys.customer.id, key.id)
    assert revoked.revoked_at == keys.clock.unix()
    keys.clock.advance(5)
    assert await revoke_own_key(keys.store, keys.clock, keys.customer.id, key.id) == revoked
    with pytest.raises(KeyRevokedError):
        await keys.change(key, lambda terms: replace(terms, name="x"))


async def test_others_keys_are_nobodys(keys: Keys, other: Customer) -> None:
    key = await keys.make()
    store, clock = keys.store, keys.clock
    for id_ in (key.id, key.public_id, "key_none", "key_\0"):
        with pytest.raises(NotFoundError):
            await read_key_report(store, clock, other.id, id_)
        with pytest.raises(NotFoundError):
            await revoke_own_key(store, clock, other.id, id_)
        with pytest.raises(NotFoundError):
            await change_key(store, clock, customer_id=other.id, key_id=id_, change=lambda terms: terms)
    assert await list_key_reports(store, clock, other.id) == []
    assert (await read_key_report(store, clock, keys.customer.id, key.id)).key == key


async def test_reports_say_what_keys_have_cost(keys: Keys) -> None:
    """The clock stands at 2026-11-01 08:00 of UTC+8."""
    used, unused = await keys.make(), await keys.make(book=Book.LIVE, limits=KeyLimits(budget_nanos=100))
    posted = [
        usage(f"u{age}", key_id=used.id, charge_nanos=10**age, posted_at=keys.clock.unix() - age * 3600)
        for age in (1, 8, 9)
    ]
    await keys.store.write(lambda tx: tx.usages.add_new(posted))
    reports = await list_key_reports(keys.store, keys.clock, keys.customer.id)
    assert [one.key.id for one in reports] == sorted([used.id, unused.id])
    by_key = {one.key.id: one for one in reports}
    assert {id_: one.spending for id_, one in by_key.items()} == {
        used.id: KeySpending(
            total_nanos=10 + 10**8 + 10**9, recent_nanos=10 + 10**8, last_used_at=keys.clock.unix() - 3600
        ),
        unused.id: KeySpending(),
    }
    assert by_key[used.id].budget is None
    assert by_key[unused.id].budget == KeyBudget(period_start=0.0, spent_nanos=0, held_nanos=0)
    of_live = await list_key_reports(keys.store, keys.clock, keys.customer.id, book=Book.LIVE, limit=1)
    assert [one.key for one in of_live] == [unused]


def _lease(key: ApiKey, hold_id: str, amount: int, key_id: str | None) -> Hold:
    return lease(hold_id, book=key.book, customer_id=key.customer_id, key_id=key_id, amount_nanos=amount)


async def test_a_budget_that_is_set_later_counts_from_then_on(keys: Keys) -> None:
    """What leases of an earlier budget hold is held by it too; what was spent before is not counted."""
    key = await keys.make(limits=KeyLimits(budget_nanos=1000))

    def spend(tx: Tx) -> None:
        tx.holds.add(_lease(key, "hold_own", 300, key.id), _lease(key, "hold_other", 50, None))
        move_budget(tx, key.id, keys.clock.unix(), held_nanos=300, spent_nanos=200)

    await keys.store.write(spend)
    await keys.limit(key, budget_nanos=2000)
    kept = await keys.budget(key)
    assert kept == KeyBudget(period_start=0.0, spent_nanos=200, held_nanos=300)  # only the amount: it goes on

    await keys.limit(key, budget_nanos=None)
    at = keys.clock.unix()
    assert await keys.budget(key) == KeyBudget(period_start=0.0, spent_nanos=0, held_nanos=0, counted_from=at)
    await keys.store.write(lambda tx: move_budget(tx, key.id, at, held_nanos=-100, spent_nanos=100))
    assert await keys.budget(key) == KeyBudget(period_start=0.0, spent_nanos=0, held_nanos=0, counted_from=at)

    await keys.store.write(lambda tx: tx.holds.save(_lease(key, "hold_own", 300, key.id).settled(100, at=at)))
    keys.clock.advance(100)
    await keys.limit(key, budget_nanos=500)
    at = keys.clock.unix()
    assert await keys.budget(key) == KeyBudget(period_start=0.0, spent_nanos=0, held_nanos=200, counted_from=at)
    await keys.store.write(lambda tx: move_budget(tx, key.id, at, held_nanos=-200, spent_nanos=150))
    assert await keys.budget(key) == KeyBudget(period_start=0.0, spent_nanos=150, held_nanos=0, counted_from=at)


async def test_a_budget_of_another_period_counts_from_then_on(keys: Keys) -> None:
    key = await keys.make(limits=KeyLimits(budget_nanos=1000))
    await keys.store.write(lambda tx: move_budget(tx, key.id, keys.clock.unix(), held_nanos=0, spent_nanos=200))
    await keys.limit(key, budget_period=BudgetPeriod.MONTH)
    at = keys.clock.unix()
    month = at - 8 * 3600
    assert await keys.budget(key) == KeyBudget(period_start=month, spent_nanos=0, held_nanos=0, counted_from=at)
