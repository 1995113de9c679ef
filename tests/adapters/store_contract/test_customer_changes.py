"""What may change of customers and keys, and what keys have cost."""

from dataclasses import replace

import pytest
from tests.adapters.store_contract.builders import LIVE, TEST, customer, key, usage

from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.identity import BudgetPeriod, KeyLimits, Language
from yuanjing.domain.usage import day_of
from yuanjing.ports.identity import KeyBudget
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.usages import KeySpending

DAY = 86_400.0


async def test_a_customer_is_changed(store: Store) -> None:
    changed = replace(
        customer(), mobile="+8613800000009", name="李四", language=Language.EN, disabled_at=None, created_at=9e9
    )

    def work(tx: Tx) -> None:
        tx.customers.add(customer())
        tx.customers.add(replace(customer("cus_b", "+8613800000002"), language=Language.ZH))
        tx.keys.add(key())
        assert tx.customers.lock("cus_a") == customer()
        assert tx.customers.lock("cus_x") is None
        tx.customers.save(changed)
        tx.customers.save(changed)
        with pytest.raises(AlreadyExistsError):
            tx.customers.save(replace(changed, mobile="+8613800000002"))

    await store.write(work)
    expected = replace(changed, created_at=customer().created_at)
    assert await store.read(lambda tx: tx.customers.get("cus_a")) == expected
    assert await store.read(lambda tx: tx.keys.with_customers(["abcdefgh"])) == {"abcdefgh": (key(), expected)}
    other = await store.read(lambda tx: tx.customers.by_mobile("+8613800000002"))
    assert other is not None
    assert (other.id, other.language) == ("cus_b", Language.ZH)
    assert await store.read(lambda tx: tx.customers.by_mobile("+8613800000001")) is None


async def test_a_key_is_changed_in_what_may_change(store: Store) -> None:
    limits = KeyLimits(networks=("10.0.0.0/8",), budget_nanos=5, budget_period=BudgetPeriod.DAY)
    wish = replace(
        key(), name="新", limits=limits, expires_at=None,
        customer_id="cus_x", book=TEST, public_id="x", digest=b"x", created_at=0.0, revoked_at=5.0,
    )  # fmt: skip

    def work(tx: Tx) -> None:
        tx.customers.add(customer())
        tx.keys.add(key())
        tx.keys.save(wish)

    await store.write(work)
    expected = replace(key(), name="新", limits=limits, expires_at=None)
    assert await store.read(lambda tx: tx.keys.get("key_1")) == expected


async def test_keys_of_a_book_and_how_many_there_are(store: Store) -> None:
    keys = [
        key(f"key_{n}", f"abcdefg{n}", book=LIVE if n % 2 else TEST, created_at=n * DAY, customer_id=owner)
        for n, owner in enumerate(["cus_a", "cus_a", "cus_a", "cus_b"])
    ]

    def fill(tx: Tx) -> None:
        tx.customers.add(customer())
        tx.customers.add(customer("cus_b", "+8613800000002"))
        for one in keys:
            tx.keys.add(one)
        tx.keys.revoke("key_0", 9.0)
        tx.keys.revoke("key_2", 9.0)

    await store.write(fill)
    ids = await store.read(
        lambda tx: [
            [one.id for one in tx.keys.list("cus_a", after=None, limit=9, book=book)] for book in (None, LIVE, TEST)
        ]
    )
    assert ids == [["key_0", "key_1", "key_2"], ["key_1"], ["key_0", "key_2"]]
    assert await store.read(
        lambda tx: [one.id for one in tx.keys.list("cus_a", after="key_0", limit=1, book=TEST)]
    ) == ["key_2"]
    assert await store.read(lambda tx: [tx.keys.count("cus_a", since=n * DAY) for n in (0, 1, 2, 3)]) == [3, 2, 2, 1]
    assert await store.read(lambda tx: tx.keys.count("cus_none", since=0)) == 0


async def test_budgets_are_kept_with_when_they_began(store: Store) -> None:
    budget = KeyBudget(period_start=1.5, spent_nanos=10**17, held_nanos=3, counted_from=1234.5)

    def work(tx: Tx) -> None:
        tx.customers.add(customer())
        tx.keys.add(key())
        tx.keys.add(key("key_2", "zzzzzzzz"))
        tx.keys.save_budget("key_1", budget)

    await store.write(work)
    fresh = KeyBudget(period_start=0.0, spent_nanos=0, held_nanos=0)
    assert await store.read(lambda tx: tx.keys.budgets(["key_2", "key_x", "key_1"])) == {
        "key_1": budget,
        "key_2": fresh,
    }
    assert await store.read(lambda tx: tx.keys.budgets([])) == {}
    assert await store.read(lambda tx: tx.keys.budget("key_1")) == budget


async def test_what_keys_have_cost_and_when_they_were_used(store: Store) -> None:
    usages = [
        usage(f"u{n}", key_id="key_2" if n == 5 else "key_1", posted_at=n * DAY, charge_nanos=10**n, model=f"m{n % 2}")
        for n in range(1, 7)
    ]

    def fill(tx: Tx) -> None:
        tx.customers.add(customer())
        for number in (1, 2, 3):
            tx.keys.add(key(f"key_{number}", f"abcdefg{number}"))
        tx.usages.add_new(usages)

    await store.write(fill)
    found = await store.read(
        lambda tx: tx.usages.spent_by_keys(["key_1", "key_2", "key_3", "key_x"], since_day=day_of(3 * DAY))
    )
    assert found == {
        "key_1": KeySpending(total_nanos=1_011_110, recent_nanos=1_011_000, last_used_at=6 * DAY),
        "key_2": KeySpending(total_nanos=100_000, recent_nanos=100_000, last_used_at=5 * DAY),
    }
    assert await store.read(lambda tx: tx.usages.spent_by_keys([], since_day=0)) == {}
