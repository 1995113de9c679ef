"""Lines below which customers want to be told, and what they own."""

from tests.adapters.store_contract.builders import LIVE, TEST, customer, grant, place

from yuanjing.domain.alerts import BalanceAlert
from yuanjing.ports.store import Store, Tx


async def test_alerts_are_kept_and_listed_by_customer(store: Store) -> None:
    first = BalanceAlert(customer_id="cus_a", below_nanos=10**18)
    others = [BalanceAlert(customer_id=f"cus_{letter}", below_nanos=1) for letter in "bcd"]

    def fill(tx: Tx) -> None:
        for number, letter in enumerate("abcd"):
            tx.customers.add(customer(f"cus_{letter}", f"+861380000000{number}"))
        assert tx.alerts.lock("cus_a") == BalanceAlert(customer_id="cus_a")
        for one in (*others, first):
            tx.alerts.save(one)

    await store.write(fill)
    assert await store.read(lambda tx: tx.alerts.list(after=None, limit=9)) == [first, *others]
    assert await store.read(lambda tx: tx.alerts.list(after="cus_a", limit=2)) == others[:2]

    changed = first.claimed(1000.5).told(1001.25)
    off = others[0].drawn(None)
    await store.write(lambda tx: (tx.alerts.save(changed), tx.alerts.save(off)))
    assert await store.read(lambda tx: tx.alerts.lock("cus_a")) == changed
    assert await store.read(lambda tx: tx.alerts.lock("cus_b")) == off
    assert await store.read(lambda tx: tx.alerts.list(after=None, limit=9)) == [changed, *others[1:]]


async def test_what_customers_own(store: Store) -> None:
    posted = [
        grant("cus_a", 100),
        place("cus_a", 30),
        grant("cus_b", 7),
        grant("cus_c", 9),
        grant("cus_a", 5, book=LIVE),
    ]
    await store.write(lambda tx: tx.ledger.post(posted))
    owned = await store.read(lambda tx: tx.ledger.owned(TEST, ["cus_b", "cus_a", "cus_none"]))
    assert owned == {"cus_a": 100, "cus_b": 7, "cus_none": 0}
    assert await store.read(lambda tx: tx.ledger.owned(TEST, [])) == {}
