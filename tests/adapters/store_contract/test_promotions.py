"""Lots of promotion money, on every store; and what many units of work at once make of them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa
from tests.adapters.store_contract.builders import LIVE, TEST, customer, lease, lot

from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.domain import ledger
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.holds import LeasePolicy
from yuanjing.domain.identity import Customer
from yuanjing.domain.ledger import Balances
from yuanjing.domain.promotions import Lot
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.leases import LeaseKeeper, LeaseRequest, LeaseReturn
from yuanjing.usecases.nodes import register_node
from yuanjing.usecases.promotions import Gift, expire_promotions, give_promotion
from yuanjing.usecases.verify import verify


@pytest.fixture
async def lots(store: Store) -> list[Lot]:
    made = [
        lot(1),
        lot(2, expires_at=None, expired_nanos=0),
        lot(3, left_nanos=0),
        lot(4, book=TEST, expires_at=1500.0),
        lot(5, customer_id="cus_b", expires_at=1000.0),
    ]

    def fill(tx: Tx) -> None:
        tx.customers.add(customer())
        tx.customers.add(customer("cus_b", "+8613800000002"))
        for one in made:
            tx.promotions.add(one)

    await store.write(fill)
    return made


async def test_lots_are_kept_found_and_changed(store: Store, lots: list[Lot]):
    first, second, third, *others = lots
    assert await store.read(lambda tx: list(tx.promotions.scan())) == lots
    assert await store.read(lambda tx: [tx.promotions.by_cause(c) for c in ("cause of 2", "none", "\0")]) == [
        second, None, None
    ]  # fmt: skip
    assert await store.write(lambda tx: tx.promotions.open_of_customer(LIVE, "cus_a")) == [first, second]
    assert await store.read(lambda tx: tx.promotions.open_of_customer(TEST, "cus_b")) == []
    for twin in (lot(1, cause="new"), lot(9, cause="cause of 1")):
        with pytest.raises(AlreadyExistsError):
            await store.write(lambda tx, it=twin: tx.promotions.add(it))
    changed = [replace(first, left_nanos=3, expired_nanos=4), replace(second, left_nanos=0)]
    await store.write(lambda tx: tx.promotions.save(*[replace(one, amount_nanos=10**17 + 9) for one in changed]))
    assert await store.read(lambda tx: list(tx.promotions.scan())) == [*changed, third, *others]
    await store.write(lambda tx: tx.promotions.save())


@pytest.mark.usefixtures("lots")
async def test_pages_of_lots_are_newest_first(store: Store):
    def pages(tx: Tx) -> list[list[str]]:
        found = (tx.promotions.list("cus_a", before=before, limit=2) for before in (None, "promo_3", "promo_1"))
        return [[one.id for one in page] for page in found]

    assert await store.read(pages) == [["promo_4", "promo_3"], ["promo_2", "promo_1"], []]


@pytest.mark.usefixtures("lots")
async def test_whose_lots_are_due(store: Store):
    def due(tx: Tx) -> list[list[tuple[str, str]]]:
        looks = [(999.0, None), (1000.0, None), (3000.0, None), (3000.0, ("cus_a", LIVE)), (3000.0, ("cus_b", LIVE))]
        return [tx.promotions.due(at, 10, after=after) for at, after in looks]

    a_live, a_test, b_live = ("cus_a", LIVE), ("cus_a", TEST), ("cus_b", LIVE)
    assert await store.read(due) == [[], [b_live], [a_live, a_test, b_live], [a_test, b_live], []]
    assert await store.read(lambda tx: tx.promotions.due(3000.0, 1, after=None)) == [a_live]


async def test_a_hold_keeps_its_promotion_money(store: Store):
    hold = lease(promotion_nanos=7)
    await store.write(lambda tx: tx.holds.add(hold))
    changed = hold.settled(5, at=1.0)
    await store.write(lambda tx: tx.holds.save(changed))
    assert await store.read(lambda tx: list(tx.holds.scan())) == [changed]
    assert changed.promotion_nanos == 2


async def test_accounts_are_opened_to_be_locked(store: Store):
    nothing = Balances(available_nanos=0, held_nanos=0, promotion_nanos=0)

    def work(tx: Tx) -> list[Balances]:
        seen = [tx.ledger.lock_balances(LIVE, ["cus_a"], is_to_open=True)["cus_a"]]
        tx.ledger.post([ledger.grant_promotion(LIVE, "cus_a", 5, cause="c")])
        return [*seen, tx.ledger.lock_balances(LIVE, ["cus_a"], is_to_open=True)["cus_a"]]

    assert await store.write(work) == [nothing, replace(nothing, promotion_nanos=5)]
    assert await store.read(lambda tx: tx.ledger.account_balances(LIVE)) == {
        "customer:cus_a:promotion": 5, "grants": -5
    }  # fmt: skip


def _active(customer_id: str = "cus_a", mobile: str = "+8613800000001") -> Customer:
    return replace(customer(customer_id, mobile), disabled_at=None)


def gift(n: int, amount: int = 1000, expires_at: float | None = None) -> Gift:
    return Gift(customer_id="cus_a", book=LIVE, amount_nanos=amount, expires_at=expires_at, cause=f"gift{n}")


async def test_many_first_grants_at_once_lose_nothing(sql_store: Store, other_store: Store):
    await sql_store.write(lambda tx: tx.customers.add(customer()))
    async with asyncio.TaskGroup() as tasks:
        for n in range(30):
            store = (sql_store, other_store)[n % 2]
            tasks.create_task(store.write(lambda tx, n=n // 2: give_promotion(tx, gift(n), 1.0)))
    found = await sql_store.read(lambda tx: list(tx.promotions.scan()))
    assert [one.left_nanos for one in found] == [1000] * 15
    assert (await sql_store.read(lambda tx: tx.ledger.balances(LIVE, "cus_a"))).promotion_nanos == 15_000


async def test_grants_leases_returns_and_expiry_at_once(sql_store: Store, other_store: Store, clock: ManualClock):
    """Whatever meets whatever: what lots have left is what there is, and `verify` finds nothing."""
    await sql_store.write(lambda tx: tx.customers.add(_active()))
    placed: list[int] = []
    now = clock.unix()

    async def lives(store: Store, name: str) -> None:
        node = await register_node(store, clock, node_id=name, machine="m", role="gateway", spools=None)
        keeper = LeaseKeeper(store, clock, LeasePolicy(), 900)
        for turn in range(12):
            request = LeaseRequest(
                book=LIVE, customer_id="cus_a", key_id=None, hold_id=None, needed_nanos=300 + turn, recent_nanos=0
            )
            answer = await keeper.acquire(node, request)
            if answer.hold_id is not None:
                placed.append(answer.granted_nanos)
                part = answer.granted_nanos // (turn % 3 + 1)
                back = LeaseReturn(hold_id=answer.hold_id, amount_nanos=part, is_final=False)
                await keeper.give_back(node, [back])

    async def gives(store: Store, start: int) -> None:
        for n in range(start, start + 12):
            expires_at = (None, now - 1, now, now + 1000)[n % 4]
            await store.write(lambda tx, n=n, at=expires_at: give_promotion(tx, gift(n, 500, at), now))

    async def sweeps(store: Store) -> None:
        for _ in range(12):
            await expire_promotions(store, clock)

    async with asyncio.TaskGroup() as tasks:
        for number, store in enumerate((sql_store, other_store)):
            tasks.create_task(lives(store, f"m-g{number}"))
            tasks.create_task(gives(store, 100 * number))
            tasks.create_task(sweeps(store))
    report = await verify(sql_store, MemorySpoolFolder(), clock)
    assert [breach for breach in report.breaches if breach.check != "spools"] == []
    await expire_promotions(sql_store, clock)
    await sql_store.write(lambda tx: give_promotion(tx, gift(999, 1), now))

    def sums(tx: Tx) -> tuple[int, int, int]:
        found = [one for one in tx.promotions.scan() if isinstance(one, Lot)]
        held = sum(hold.promotion_nanos for hold in tx.holds.open_of_customer(LIVE, "cus_a"))
        spent = sum(one.amount_nanos - one.left_nanos - one.expired_nanos for one in found)
        return sum(one.left_nanos for one in found), tx.ledger.balances(LIVE, "cus_a").promotion_nanos + held, spent

    left, there, spent = await sql_store.read(sums)
    assert placed
    assert left == there
    assert spent == 0, "nobody has charged anything"


@contextmanager
def _counted() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(*call: object) -> None:
        seen.append(str(call[2]))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(sa.Engine, "before_cursor_execute", note)


async def test_a_lease_costs_no_statement_more(sql_store: Store, clock: ManualClock):
    """Neither with promotion money nor without."""
    both = [_active(), _active("cus_b", "+8613800000002")]
    await sql_store.write(lambda tx: [tx.customers.add(one) for one in both])
    for each in both:
        grant = ledger.grant(LIVE, each.id, 10_000, cause=each.id)
        await sql_store.write(lambda tx, grant=grant: tx.ledger.post([grant]))
    await sql_store.write(lambda tx: give_promotion(tx, gift(1, 500), 1.0))
    node = await register_node(sql_store, clock, node_id="g", machine="m", role="gateway", spools=None)
    keeper = LeaseKeeper(sql_store, clock, LeasePolicy(), 900)

    async def statements(work: Callable[[], object]) -> int:
        with _counted() as seen:
            await work()  # type: ignore[misc]
        return len(seen)

    async def lease_of(customer_id: str, needed: int, hold_id: str | None) -> tuple[int, str]:
        request = LeaseRequest(
            book=LIVE, customer_id=customer_id, key_id=None, hold_id=hold_id, needed_nanos=needed, recent_nanos=0
        )
        with _counted() as seen:
            answer = await keeper.acquire(node, request)
        assert answer.hold_id is not None
        return len(seen), answer.hold_id

    counts: dict[str, list[int]] = {}
    for each in both:
        await lease_of(each.id, 1, None)  # opens accounts
        placed, hold_id = await lease_of(each.id, 800, None)
        extended, _ = await lease_of(each.id, 300, hold_id)
        back = LeaseReturn(hold_id=hold_id, amount_nanos=900, is_final=True)
        returned = await statements(lambda back=back: keeper.give_back(node, [back]))
        counts[each.id] = [placed, extended, returned]
    assert counts["cus_a"] == counts["cus_b"]
