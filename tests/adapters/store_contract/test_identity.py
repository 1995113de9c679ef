from dataclasses import replace

import pytest
from tests.adapters.store_contract.builders import customer, key

from yuanjing.domain.errors import AlreadyExistsError, NotFoundError
from yuanjing.domain.identity import KeyLimits
from yuanjing.ports.identity import KeyBudget
from yuanjing.ports.store import Store, Tx


async def test_a_customer_is_kept_as_it_was(store: Store):
    plain = replace(customer("cus_b", "+8613800000002"), disabled_at=None)
    await store.write(lambda tx: (tx.customers.add(customer()), tx.customers.add(plain)))
    assert await store.read(lambda tx: tx.customers.get("cus_a")) == customer()
    assert await store.read(lambda tx: tx.customers.by_mobile("+8613800000002")) == plain
    assert await store.read(lambda tx: tx.customers.get("cus_x")) is None
    assert await store.read(lambda tx: tx.customers.by_mobile("+86")) is None


@pytest.mark.parametrize("other", [customer("cus_b"), customer(mobile="+8613800000002")], ids=["mobile", "id"])
async def test_customers_are_unique(store: Store, other):
    def work(tx: Tx) -> None:
        tx.customers.add(customer())
        with pytest.raises(AlreadyExistsError):
            tx.customers.add(other)

    await store.write(work)
    assert await store.read(lambda tx: tx.customers.list(after=None, limit=9)) == [customer()]


async def test_customers_page_by_id(store: Store):
    def work(tx: Tx) -> None:
        for n in (3, 1, 2, 0):
            tx.customers.add(customer(f"cus_{n}", f"+861380000000{n}"))

    await store.write(work)
    ids = await store.read(lambda tx: [c.id for c in tx.customers.list(after=None, limit=3)])
    assert ids == ["cus_0", "cus_1", "cus_2"]
    assert await store.read(lambda tx: [c.id for c in tx.customers.list(after="cus_2", limit=3)]) == ["cus_3"]


async def test_a_key_is_kept_as_it_was(store: Store):
    plain = key("key_2", "zzzzzzzz", limits=KeyLimits(), expires_at=None)
    await store.write(lambda tx: (tx.customers.add(customer()), tx.keys.add(key()), tx.keys.add(plain)))
    assert await store.read(lambda tx: tx.keys.get("key_1")) == key()
    assert await store.read(lambda tx: tx.keys.by_public_id("zzzzzzzz")) == plain
    assert await store.read(lambda tx: tx.keys.get("key_x")) is None
    assert await store.read(lambda tx: tx.keys.by_public_id("none")) is None


@pytest.mark.parametrize(
    "other",
    [
        key(public_id="zzzzzzzz"),
        key("key_2", digest=b"other"),
        key("key_2", "zzzzzzzz", digest=key().digest),
    ],
    ids=["id", "public_id", "digest"],
)
async def test_keys_are_unique(store: Store, other):
    def work(tx: Tx) -> None:
        tx.customers.add(customer())
        tx.keys.add(key())
        with pytest.raises(AlreadyExistsError):
            tx.keys.add(other)

    await store.write(work)
    assert await store.read(lambda tx: tx.keys.list("cus_a", after=None, limit=9)) == [key()]


async def test_a_key_needs_its_customer(store: Store):
    def work(tx: Tx) -> None:
        with pytest.raises(NotFoundError):
            tx.keys.add(key())
        tx.customers.add(customer())
        tx.keys.add(key())

    await store.write(work)


async def test_keys_are_found_together_with_their_customers(store: Store):
    others = customer("cus_b", "+8613800000002")
    theirs = [
        key("key_2", "zzzzzzzz", limits=KeyLimits(), expires_at=None),
        key("key_3", "yyyyyyyy", customer_id="cus_b"),
    ]

    def work(tx: Tx) -> None:
        tx.customers.add(customer())
        tx.customers.add(others)
        for one in (key(), *theirs):
            tx.keys.add(one)
        tx.keys.revoke("key_3", 55.5)

    await store.write(work)
    asked = ["zzzzzzzz", "none", "yyyyyyyy"]
    assert await store.read(lambda tx: tx.keys.with_customers(asked)) == {
        "zzzzzzzz": (theirs[0], customer()),
        "yyyyyyyy": (replace(theirs[1], revoked_at=55.5), others),
    }
    assert await store.read(lambda tx: tx.keys.with_customers([])) == {}


async def test_keys_page_by_id_within_their_customer(store: Store):
    def work(tx: Tx) -> None:
        tx.customers.add(customer())
        tx.customers.add(customer("cus_b", "+8613800000002"))
        for n in (3, 1, 2):
            tx.keys.add(key(f"key_{n}", f"public_{n}"))
        tx.keys.add(key("key_0", "public_0", customer_id="cus_b"))

    await store.write(work)
    assert await store.read(lambda tx: [k.id for k in tx.keys.list("cus_a", after=None, limit=2)]) == ["key_1", "key_2"]
    assert await store.read(lambda tx: [k.id for k in tx.keys.list("cus_a", after="key_2", limit=2)]) == ["key_3"]


async def test_a_key_is_revoked_once(store: Store):
    await store.write(lambda tx: (tx.customers.add(customer()), tx.keys.add(key())))
    assert await store.write(lambda tx: tx.keys.revoke("key_1", 77.5)) is True
    assert await store.write(lambda tx: tx.keys.revoke("key_1", 88.5)) is False
    assert await store.write(lambda tx: tx.keys.revoke("key_x", 88.5)) is False
    assert await store.read(lambda tx: tx.keys.by_public_id("abcdefgh")) == key(revoked_at=77.5)


async def test_a_budget_is_empty_then_what_was_written(store: Store):
    await store.write(lambda tx: (tx.customers.add(customer()), tx.keys.add(key())))
    empty = KeyBudget(period_start=0.0, spent_nanos=0, held_nanos=0)
    assert await store.write(lambda tx: tx.keys.budget("key_1")) == empty
    budget = KeyBudget(period_start=5.5, spent_nanos=10**18, held_nanos=7)
    await store.write(lambda tx: tx.keys.save_budget("key_1", budget))
    assert await store.read(lambda tx: tx.keys.budget("key_1")) == budget
    assert await store.read(lambda tx: tx.keys.budget("key_x")) is None
    with pytest.raises(NotFoundError):
        await store.write(lambda tx: tx.keys.save_budget("key_x", budget))
