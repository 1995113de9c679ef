import itertools
from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest
from tests.adapters.store_contract.builders import LIVE, TEST, grant, pay, place

from yuanjing.domain import ledger
from yuanjing.domain.errors import AlreadyExistsError, InsufficientFundsError, InvalidInputError
from yuanjing.domain.ledger import Balances, Reason
from yuanjing.domain.money import Book
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store, Tx


def _account(customer: str = "cus_a") -> str:
    return ledger.available(customer)


async def test_balances_of_a_customer_without_money_are_zero(store: Store):
    balances = await store.read(lambda tx: tx.ledger.balances(TEST, "cus_none"))
    assert balances == Balances(available_nanos=0, held_nanos=0, promotion_nanos=0)
    assert await store.read(lambda tx: tx.ledger.account_balances(TEST)) == {}


async def test_transfers_move_money_within_their_book(store: Store):
    def work(tx: Tx) -> list[bool]:
        return tx.ledger.post([grant(amount=1000), place(amount=300), grant(amount=7, book=LIVE)])

    assert await store.write(work) == [True, True, True]
    assert await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a")) == Balances(
        available_nanos=700, held_nanos=300, promotion_nanos=0
    )
    assert await store.read(lambda tx: tx.ledger.balances(LIVE, "cus_a")) == Balances(
        available_nanos=7, held_nanos=0, promotion_nanos=0
    )
    accounts = await store.read(lambda tx: tx.ledger.account_balances(TEST))
    assert accounts == {"customer:cus_a:available": 700, "customer:cus_a:held": 300, "grants": -1000}
    assert list(accounts) == sorted(accounts)


async def test_promotion_money_is_reported(store: Store):
    transfer = replace(grant(amount=5), credit=ledger.promotion("cus_a"))
    await store.write(lambda tx: tx.ledger.post([transfer]))
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).promotion_nanos == 5


async def test_entries_carry_running_balance_and_version_inside_one_batch(store: Store, clock: ManualClock):
    first = grant(amount=1000, cause="first")
    await store.write(lambda tx: tx.ledger.post([first]))
    clock.advance(60)
    batch = [place(amount=10, hold=f"hold_{n}") for n in range(5)]
    await store.write(lambda tx: tx.ledger.post(batch))

    entries = await store.read(lambda tx: tx.ledger.entries(TEST, _account(), before_version=None, limit=100))
    assert [entry.version for entry in entries] == [6, 5, 4, 3, 2, 1]
    assert [entry.amount_nanos for entry in entries] == [-10] * 5 + [1000]
    oldest_first = entries[::-1]
    for before, after in itertools.pairwise(oldest_first):
        assert after.balance_before_nanos == before.balance_after_nanos
    assert all(e.balance_after_nanos == e.balance_before_nanos + e.amount_nanos for e in entries)
    assert entries[0].hold_id == "hold_4"
    assert entries[0].reason is Reason.HOLD
    assert (entries[-1].transfer_id, entries[-1].note) == ("grant:first", "for a test")
    assert entries[0].created_at == entries[-1].created_at + 60 == clock.unix()


async def test_entries_page_by_version(store: Store):
    await store.write(lambda tx: tx.ledger.post([grant() for _ in range(5)]))

    def versions(before: int | None, limit: int):
        return lambda tx: [e.version for e in tx.ledger.entries(TEST, _account(), before_version=before, limit=limit)]

    assert await store.read(versions(None, 2)) == [5, 4]
    assert await store.read(versions(4, 2)) == [3, 2]
    assert await store.read(versions(1, 2)) == []
    assert await store.read(lambda tx: tx.ledger.entries(TEST, "nothing", before_version=None, limit=2)) == []


async def test_repeating_a_transfer_changes_nothing(store: Store):
    transfer = grant(amount=10)
    assert await store.write(lambda tx: tx.ledger.post([transfer])) == [True]
    assert await store.write(lambda tx: tx.ledger.post([transfer, grant(amount=1), transfer])) == [False, True, False]
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 11


async def test_a_transfer_twice_in_one_batch_counts_once(store: Store):
    transfer = grant(amount=10)
    assert await store.write(lambda tx: tx.ledger.post([transfer, transfer])) == [True, False]
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 10


async def test_nothing_to_post(store: Store):
    assert await store.write(lambda tx: tx.ledger.post([])) == []


@pytest.mark.parametrize(
    "change",
    [{"amount_nanos": 11}, {"credit": "customer:cus_b:available"}, {"note": "other"}, {"hold_id": "hold_9"}],
    ids=lambda change: next(iter(change)),
)
async def test_the_same_id_with_other_content_is_refused_whole(store: Store, change: dict[str, object]):
    transfer = grant(amount=10)
    await store.write(lambda tx: tx.ledger.post([transfer]))
    other = replace(transfer, **change)  # type: ignore[arg-type]
    with pytest.raises(AlreadyExistsError):
        await store.write(lambda tx: tx.ledger.post([grant(amount=5), other]))
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 10


async def test_one_id_with_two_contents_in_one_batch_is_refused(store: Store):
    transfer = grant(amount=10)
    with pytest.raises(AlreadyExistsError):
        await store.write(lambda tx: tx.ledger.post([transfer, replace(transfer, amount_nanos=11)]))


async def test_a_customer_never_goes_below_zero_and_the_unit_of_work_can_go_on(store: Store):
    await store.write(lambda tx: tx.ledger.post([grant(amount=100)]))

    def work(tx: Tx) -> None:
        with pytest.raises(InsufficientFundsError) as caught:
            tx.ledger.post([grant(amount=50), place(amount=151)])
        assert (caught.value.account, caught.value.amount_nanos) == (_account(), 151)
        tx.ledger.post([place(amount=100, hold="hold_2")])

    await store.write(work)
    accounts = await store.read(lambda tx: tx.ledger.account_balances(TEST))
    assert accounts == {"customer:cus_a:available": 0, "customer:cus_a:held": 100, "grants": -100}


def _left(tx: Tx, book: Book, customer_ids: Collection[str]) -> dict[str, int]:
    return {id_: its.available_nanos for id_, its in tx.ledger.lock_balances(book, customer_ids).items()}


async def test_what_is_available_is_locked_and_then_moved(store: Store):
    await store.write(lambda tx: tx.ledger.post([grant("cus_a", 10), grant("cus_b", 7), grant("cus_a", 5, book=LIVE)]))

    def work(tx: Tx) -> list[Mapping[str, int]]:
        seen = [_left(tx, TEST, ["cus_b", "cus_none", "cus_a"])]
        tx.ledger.post([place("cus_a", 4, hold="hold_1"), place("cus_b", 7, hold="hold_2")])
        seen.append(_left(tx, TEST, {"cus_a", "cus_b"}))
        with pytest.raises(InsufficientFundsError):
            tx.ledger.post([place("cus_a", 1, hold="hold_3"), place("cus_b", 1, hold="hold_4")])
        tx.ledger.post([place("cus_a", 6, hold="hold_5"), grant("cus_none", 3)])
        seen.append(_left(tx, TEST, {"cus_a", "cus_none"}))
        return [*seen, _left(tx, LIVE, ["cus_a"]), _left(tx, LIVE, [])]

    assert await store.write(work) == [
        {"cus_b": 7, "cus_none": 0, "cus_a": 10},
        {"cus_a": 6, "cus_b": 0},
        {"cus_a": 0, "cus_none": 3},
        {"cus_a": 5},
        {},
    ]
    balances = await store.read(lambda tx: [tx.ledger.balances(TEST, id_) for id_ in ("cus_a", "cus_b", "cus_none")])
    assert [(one.available_nanos, one.held_nanos) for one in balances] == [(0, 10), (0, 7), (3, 0)]
    entries = await store.read(
        lambda tx: tx.ledger.entries(TEST, "customer:cus_a:available", before_version=None, limit=9)
    )
    assert [(one.version, one.amount_nanos) for one in entries] == [(3, -6), (2, -4), (1, 10)]


async def test_order_in_the_batch_counts(store: Store):
    with pytest.raises(InsufficientFundsError):
        await store.write(lambda tx: tx.ledger.post([place(amount=10), grant(amount=10)]))
    await store.write(lambda tx: tx.ledger.post([grant(amount=10), place(amount=10)]))
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).held_nanos == 10


async def test_the_platforms_accounts_may_go_below_zero(store: Store):
    await store.write(lambda tx: tx.ledger.post([ledger.book_overrun(TEST, 9, cause="u1")]))
    assert await store.read(lambda tx: tx.ledger.account_balances(TEST)) == {"overrun": -9, "revenue": 9}


async def test_a_balance_stays_inside_64_bits(store: Store):
    huge = [grant(amount=10**18) for _ in range(9)]
    await store.write(lambda tx: tx.ledger.post(huge))
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 9 * 10**18
    with pytest.raises(InvalidInputError):
        await store.write(lambda tx: tx.ledger.post([grant(amount=10**18)]))
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 9 * 10**18


async def test_a_transfer_is_kept_as_it_was(store: Store):
    transfers = [grant(), grant("cus_b"), place(), pay("cus_a", "cus_b", 3, "pay:1")]
    await store.write(lambda tx: tx.ledger.post(transfers))
    for transfer in transfers:
        assert await store.read(lambda tx, id_=transfer.id: tx.ledger.transfer(id_)) == transfer
    assert await store.read(lambda tx: tx.ledger.transfer("nothing")) is None
    assert await store.read(lambda tx: list(tx.ledger.scan_transfers())) == transfers


async def test_scans_are_complete_and_ordered(store: Store):
    names = [f"cus_{n % 7}" for n in range(1300)]
    await store.write(lambda tx: tx.ledger.post([grant(name, 1) for name in names]))
    await store.write(lambda tx: tx.ledger.post([grant("cus_0", 1, book=LIVE)]))

    def scan(tx: Tx) -> list[tuple[str, str, int]]:
        return [(e.book.value, e.account, e.version) for e in tx.ledger.scan_entries()]

    found = await store.read(scan)
    assert found == sorted(found)
    assert len(found) == len(set(found)) == 2 * 1301
    assert await store.read(lambda tx: sum(e.amount_nanos for e in tx.ledger.scan_entries())) == 0
    assert await store.read(lambda tx: sum(1 for _ in tx.ledger.scan_transfers())) == 1301


async def test_a_scan_may_be_left_early(store: Store):
    await store.write(lambda tx: tx.ledger.post([grant() for _ in range(20)]))
    assert (await store.read(lambda tx: next(tx.ledger.scan_entries()))).version == 1
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 20_000
