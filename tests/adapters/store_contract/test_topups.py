"""Top-ups, refunds and notifications, on every store."""

import datetime as dt
from dataclasses import replace

import pytest
from tests.adapters.store_contract.builders import customer

from yuanjing.domain.bills import BillFinding, BillReport, FindingKind
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.money import Book
from yuanjing.domain.topups import KeptNotification, PayWay, Refund, RefundState, TopUp, TopUpState, Verdict
from yuanjing.ports.topups import TopUpFilter

NOW = 1_800_000_000.0


def topup(n=1, **changes):
    values = {
        "id": f"top_{n}",
        "number": f"YJ{n}",
        "book": Book.LIVE,
        "customer_id": "cus_a",
        "method": "alipay",
        "way": PayWay.PAGE,
        "amount_nanos": 10**10,
        "state": TopUpState.CREATED,
        "created_at": NOW,
        "expires_at": NOW + 900,
        "next_at": NOW + 60,
    }
    return TopUp(**(values | changes))


def refund(n=1, **changes):
    values = {
        "id": f"ref_{n}",
        "topup_id": "top_1",
        "number": f"R{n}",
        "amount_nanos": 10**9,
        "state": RefundState.REQUESTED,
        "created_at": NOW,
        "next_at": NOW + 5,
    }
    return Refund(**(values | changes))


@pytest.fixture
async def orders(store):
    made = [topup(1), topup(2, method="manual", next_at=None), topup(3, customer_id="cus_b", flag="look", next_at=NOW)]

    def fill(tx):
        tx.customers.add(customer())
        tx.customers.add(customer("cus_b", "+8613800000002"))
        for one in made:
            tx.topups.add(one)

    await store.write(fill)
    return made


async def test_an_order_is_kept_found_and_changed(store, orders):
    first = orders[0]
    assert await store.read(lambda tx: (tx.topups.get("top_1"), tx.topups.lock("YJ1"))) == (first, first)
    assert await store.read(lambda tx: (tx.topups.get("top_9"), tx.topups.get("\0"), tx.topups.lock("YJ9"))) == (
        None,
        None,
        None,
    )
    for twin in (topup(1, number="YJ9"), topup(9, number="YJ1")):
        with pytest.raises(AlreadyExistsError):
            await store.write(lambda tx, it=twin: tx.topups.add(it))
    paid = replace(
        first,
        state=TopUpState.CREDITED,
        next_at=None,
        checks=3,
        asked_at=NOW + 0.5,
        upstream_id="2026",
        paid_at=NOW + 1,
        credited_at=NOW + 2,
        refunded_nanos=5,
        flag="f",
        note="n",
    )
    await store.write(lambda tx: tx.topups.save(replace(paid, amount_nanos=1, customer_id="cus_b")))
    assert await store.read(lambda tx: tx.topups.get("top_1")) == paid
    assert await store.read(lambda tx: tx.topups.paid_between("alipay", NOW + 1, NOW + 2)) == [paid]
    assert await store.read(lambda tx: tx.topups.paid_between("alipay", NOW, NOW + 1)) == []


async def test_orders_are_listed_and_due(store, orders):
    first, second, third = orders

    def ids(**where):
        return store.read(lambda tx: [one.id for one in tx.topups.list(TopUpFilter(**where))])

    assert await ids() == ["top_3", "top_2", "top_1"]
    assert await ids(before="top_3", limit=1) == ["top_2"]
    assert await ids(customer_id="cus_b") == ["top_3"]
    assert await ids(method="manual") == ["top_2"]
    assert await ids(state=TopUpState.CREDITED) == []
    assert (await ids(is_flagged=True), await ids(is_flagged=False)) == (["top_3"], ["top_2", "top_1"])
    assert await store.read(lambda tx: tx.topups.due(NOW + 60, 9)) == [third, first]
    assert await store.read(lambda tx: tx.topups.due(NOW + 60, 1)) == [third]
    assert second.next_at is None


async def test_refunds_of_an_order(store, orders):
    one, two = refund(1), refund(2, next_at=NOW + 1)

    def fill(tx):
        tx.topups.add_refund(one)
        tx.topups.add_refund(two)

    await store.write(fill)
    for twin in (refund(1, number="R9"), refund(9, number="R1")):
        with pytest.raises(AlreadyExistsError):
            await store.write(lambda tx, it=twin: tx.topups.add_refund(it))
    assert await store.read(lambda tx: tx.topups.due_refunds(NOW + 5, 9)) == [two, one]
    done = replace(one, state=RefundState.DONE, next_at=None, checks=1, ended_at=NOW + 9, note="n")
    await store.write(lambda tx: tx.topups.save_refund(replace(done, amount_nanos=1)))
    assert await store.read(lambda tx: tx.topups.lock_refund("ref_1")) == done
    assert await store.read(lambda tx: tx.topups.lock_refund("ref_9")) is None
    assert await store.read(lambda tx: list(tx.topups.refunds("top_1"))) == [done, two]
    assert await store.read(lambda tx: list(tx.topups.refunds_between("alipay", NOW + 9, NOW + 10))) == [
        (orders[0], done)
    ]
    assert await store.read(lambda tx: list(tx.topups.refunds_between("manual", NOW, NOW + 99))) == []


async def test_notifications_are_kept_as_they_came(store):
    kept = [
        KeptNotification(
            id=f"not_{n}", method="alipay", raw=b"a=\xff&b=", number="YJ1", verdict=verdict, reason="", received_at=NOW
        )
        for n, verdict in enumerate((Verdict.CREDITED, Verdict.REPEATED))
    ]

    def fill(tx):
        for one in kept:
            tx.topups.keep(one)
        tx.topups.keep(replace(kept[0], id="not_9", number=""))

    await store.write(fill)
    assert await store.read(lambda tx: list(tx.topups.notifications("YJ1"))) == kept


async def test_forged_notifications_are_pruned_and_no_others(store):
    def notification(n, verdict, at):
        return KeptNotification(
            id=f"not_{n}", method="alipay", raw=b"x", number="YJ1", verdict=verdict, reason="", received_at=at
        )

    kept = [notification(n, Verdict.FORGED, NOW + n) for n in range(4)] + [notification(4, Verdict.CREDITED, NOW)]
    await store.write(lambda tx: [tx.topups.keep(one) for one in kept])
    assert await store.write(lambda tx: tx.topups.prune(Verdict.FORGED, NOW + 3, 2)) == 2
    assert await store.write(lambda tx: tx.topups.prune(Verdict.FORGED, NOW + 3, 2)) == 1
    assert await store.write(lambda tx: tx.topups.prune(Verdict.FORGED, NOW + 3, 2)) == 0
    assert [one.id for one in await store.read(lambda tx: tx.topups.notifications("YJ1"))] == ["not_3", "not_4"]


async def test_a_compared_bill_is_kept_and_replaced(store):
    day = dt.date(2026, 11, 29)
    finding = BillFinding(kind=FindingKind.AMOUNT_DIFFERS, number="YJ1", ours_nanos=10**18, theirs_nanos=5)
    report = BillReport(
        method="alipay",
        day=day,
        checked_at=NOW,
        lines=3,
        paid_nanos=10**18,
        refunded_nanos=2,
        fee_nanos=1,
        findings=(finding, BillFinding(kind=FindingKind.UNKNOWN_REFUND, number="元", refund_number="R1")),
        findings_total=7,
    )
    await store.write(lambda tx: tx.topups.save_bill(report))
    assert await store.read(lambda tx: tx.topups.bill("alipay", day)) == report
    later = replace(report, checked_at=NOW + 1, findings=(), findings_total=0)
    await store.write(lambda tx: tx.topups.save_bill(later))
    assert await store.read(lambda tx: tx.topups.bill("alipay", day)) == later
    assert await store.read(lambda tx: tx.topups.bill("manual", day)) is None
    assert await store.read(lambda tx: tx.topups.bill("alipay", day - dt.timedelta(days=1))) is None


async def test_what_no_database_can_store_names_no_order(store, orders):
    assert orders
    for name in ("YJ\x00", "\ud800", ""):
        assert await store.read(lambda tx, name=name: tx.topups.lock(name)) is None
        assert await store.read(lambda tx, name=name: tx.topups.get(name)) is None


async def test_all_orders_and_refunds_are_scanned(store, orders):
    made = [refund(1), refund(2, state=RefundState.DONE)]
    await store.write(lambda tx: [tx.topups.add_refund(one) for one in made])
    assert sorted(await store.read(lambda tx: [one.id for one in tx.topups.scan()])) == ["top_1", "top_2", "top_3"]
    pairs = await store.read(lambda tx: list(tx.topups.scan_refunds()))
    assert sorted(pairs, key=lambda pair: pair[1].id) == [(orders[0], one) for one in made]
