import asyncio

import pytest
import uvloop
from tests.adapters.store_contract.builders import (
    TEST,
    channel,
    customer,
    grant,
    key,
    lease,
    offer,
    price,
    provider,
    usage,
)

from yuanjing.adapters.sql import open_store
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.ports.identity import KeyBudget
from yuanjing.ports.store import Store, Topic, Tx
from yuanjing.ports.usages import UsageFilter


class _Boom(Exception):  # noqa: N818  # stands for any bug
    pass


def _change_everything(tx: Tx) -> None:
    tx.ledger.post([grant(cause="all")])
    tx.holds.add(lease("hold_new"))
    tx.holds.save(lease(amount_nanos=3))
    tx.holds.request_recall(TEST, "cus_a", 5.5, except_hold=None)
    tx.nodes.register("m-g0", "m", "gateway", 1.5)
    tx.nodes.advance("m-g0", 1, expected_seq=0, posted_seq=4)
    tx.usages.add_new([usage("u_new")])
    tx.customers.add(customer("cus_new", "+861"))
    tx.keys.add(key("key_new", "new_new_"))
    tx.keys.revoke("key_1", 5.5)
    tx.keys.save_budget("key_1", KeyBudget(period_start=1.5, spent_nanos=1, held_nanos=1))
    tx.catalog.save_provider(provider("new"))
    tx.catalog.save_offer(offer("offer_new"))
    tx.catalog.add_price(price("price_new", version=2))
    tx.catalog.save_channel(channel("chan_new"))
    tx.signals.emit(Topic.CATALOG, "", 1.5)
    tx.signals.prune(9.5)


def _everything(tx: Tx) -> list[object]:
    return [
        tx.ledger.account_balances(TEST),
        list(tx.ledger.scan_entries()),
        list(tx.ledger.scan_transfers()),
        list(tx.holds.scan()),
        list(tx.keys.scan_budgets()),
        tx.nodes.all(),
        tx.nodes.unfinished(),
        tx.usages.list(UsageFilter()),
        tx.customers.list(after=None, limit=99),
        tx.keys.list("cus_a", after=None, limit=99),
        tx.keys.budget("key_1"),
        tx.catalog.providers(),
        tx.catalog.offers(),
        tx.catalog.prices(),
        tx.catalog.channels(),
        tx.signals.since(0, 99),
    ]


@pytest.fixture
async def full(store: Store) -> Store:
    def fill(tx: Tx) -> None:
        tx.ledger.post([grant(cause="fill")])
        tx.holds.add(lease())
        tx.nodes.register("m-g0", "m", "gateway", 0.5)
        tx.usages.add_new([usage("u0")])
        tx.customers.add(customer())
        tx.keys.add(key())
        tx.catalog.save_provider(provider())
        tx.catalog.save_offer(offer())
        tx.catalog.add_price(price())
        tx.catalog.save_channel(channel())
        tx.signals.emit(Topic.KEY, "key_0", 0.5)

    await store.write(fill)
    return store


async def test_an_exception_rolls_back_everything_and_reaches_the_caller(full: Store):
    before = await full.read(_everything)

    def work(tx: Tx) -> None:
        _change_everything(tx)
        assert _everything(tx) != before
        raise _Boom

    with pytest.raises(_Boom):
        await full.write(work)
    assert await full.read(_everything) == before
    await full.write(_change_everything)
    after = await full.read(_everything)
    assert all(new != old for new, old in zip(after, before, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        lambda tx: tx.ledger.post([grant()]),
        lambda tx: tx.holds.add(lease("hold_2")),
        lambda tx: tx.holds.save(lease(parts=9)),
        lambda tx: tx.nodes.beat("m-g0", 1, 9.5),
        lambda tx: tx.usages.add_new([usage("u1")]),
        lambda tx: tx.signals.emit(Topic.KEY, "key_1", 1.5),
    ],
    ids=["post", "add", "save", "beat", "usage", "signal"],
)
async def test_a_unit_of_work_that_reads_cannot_change_anything(full: Store, change):
    before = await full.read(_everything)
    with pytest.raises(RuntimeError):
        await full.read(change)
    assert await full.read(_everything) == before


async def test_what_locks_may_be_read_too(full: Store):
    def work(tx: Tx) -> None:
        assert tx.nodes.lock("m-g0")
        assert tx.nodes.position("m-g0", 1)
        assert tx.keys.budget("key_1")
        assert tx.holds.lock(["hold_1"])
        assert tx.holds.open_of_owner("m-g0", 1)

    await full.read(work)


async def test_results_come_back_in_the_order_of_submission(store: Store):
    seen: list[int] = []

    async def one(n: int) -> None:
        await store.write(lambda tx: tx.ledger.post([grant(cause=f"n{n}", amount=1)]))
        seen.append(n)

    async with asyncio.TaskGroup() as tasks:
        for n in range(20):
            tasks.create_task(one(n))
    assert len(seen) == 20
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 20
    assert store.counters.writes == 20
    assert store.counters.reads == 1
    assert store.counters.failures == 0


async def test_a_closed_store_is_unavailable(store: Store):
    await store.write(_emit_nothing)
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailableError):
        await store.write(_emit_nothing)
    with pytest.raises(StoreUnavailableError):
        await store.read(_emit_nothing)


def _emit_nothing(tx: Tx) -> int:
    return tx.signals.last_seq()


def test_works_from_uvloop(sql_url: str):
    async def work() -> list[bool]:
        store = await open_store(sql_url)
        try:
            return await store.write(lambda tx: tx.ledger.post([grant()]))
        finally:
            await store.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(work()) == [True]


async def test_a_read_sees_one_snapshot(sql_store: Store, other_store: Store, sql_url: str):
    await sql_store.write(lambda tx: tx.ledger.post([grant(amount=10)]))
    loop = asyncio.get_running_loop()

    def slow(tx: Tx) -> tuple[int, int]:
        first = tx.ledger.balances(TEST, "cus_a").available_nanos
        if sql_url.startswith("sqlite"):  # in a thread of its own: let the loop commit in between
            write = other_store.write(lambda tx: tx.ledger.post([grant(amount=5)]))
            asyncio.run_coroutine_threadsafe(write, loop).result(10)
        else:
            _commit_in_a_thread(sql_url)
        return first, tx.ledger.balances(TEST, "cus_a").available_nanos

    assert await sql_store.read(slow) == (10, 10)
    assert (await sql_store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 15


def _commit_in_a_thread(url: str) -> None:
    from tests.support.postgres import run_apart  # noqa: PLC0415  # only this test needs it

    async def commit() -> None:
        store = await open_store(url)
        await store.write(lambda tx: tx.ledger.post([grant(amount=5)]))
        await store.close()

    run_apart(commit())


async def test_a_cancelled_caller_leaves_the_store_usable(sql_store: Store):
    async def many() -> None:
        async with asyncio.TaskGroup() as tasks:
            for n in range(30):
                tasks.create_task(sql_store.write(lambda tx, n=n: tx.ledger.post([grant(cause=f"c{n}", amount=1)])))

    task = asyncio.ensure_future(many())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await sql_store.write(lambda tx: tx.ledger.post([grant(cause="after", amount=1)]))
    balances = await sql_store.read(lambda tx: tx.ledger.account_balances(TEST))
    assert sum(balances.values()) == 0
    entries = await sql_store.read(lambda tx: list(tx.ledger.scan_entries()))
    assert len(entries) == 2 * await sql_store.read(lambda tx: sum(1 for _ in tx.ledger.scan_transfers()))
