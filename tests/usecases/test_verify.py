"""Every check of verify finds the breach that it is there for: data is changed behind the store's back."""

from dataclasses import replace

import pytest
from tests.support.money import World, tokens
from tests.usecases.busy import fill

from yuanjing.domain.errors import NotFoundError, SpoolError
from yuanjing.domain.ledger import Reason, available
from yuanjing.domain.money import Book
from yuanjing.usecases.nodes import take_over
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.tally import Tally
from yuanjing.usecases.verify import verify


@pytest.fixture
async def busy(world):
    await fill(world)
    return world


async def breaches(world: World) -> list[tuple[str, str]]:
    report = await verify(world.store, world.spools, world.clock)
    assert report.breaches_total >= len(report.breaches)
    assert report.is_clean == (not report.breaches)
    return sorted({(b.check, b.subject) for b in report.breaches})


async def checks(world: World) -> set[str]:
    return {check for check, _ in await breaches(world)}


def tables(world: World):
    return world.store._store._tx


async def test_the_busy_world_is_clean(busy):
    report = await verify(busy.store, busy.spools, busy.clock)
    assert report.breaches == []
    assert set(report.checked) == {
        "entries", "accounts", "books", "transfers", "months", "holds", "held accounts", "leases", "usage",
        "settle transfers", "overruns", "usage days", "budgets", "promotions", "redeem codes", "spools", "audit",
    }  # fmt: skip
    assert all(report.checked.values())
    assert report.checked_at == busy.clock.unix()


async def test_an_empty_store_is_clean(world):
    assert await breaches(world) == []


@pytest.mark.parametrize(
    "change",
    [
        {"version": 9},
        {"balance_before_nanos": 1},
        {"balance_after_nanos": 1},
        {"amount_nanos": 1},
    ],
)
async def test_a_changed_entry_is_found(busy, change):
    rows = tables(busy).ledger._entries[Book.LIVE, available("cus_a")]
    rows[1] = replace(rows[1], **change)
    assert ("entries", "live customer:cus_a:available 2") in await breaches(busy) or "entries" in await checks(busy)


async def test_a_missing_entry_is_found(busy):
    del tables(busy).ledger._entries[Book.LIVE, "revenue"][-1]
    assert {"books", "transfers"} <= await checks(busy)


async def test_a_balance_below_zero_is_found(busy):
    rows = tables(busy).ledger._entries[Book.LIVE, available("cus_a")]
    last = rows[-1]
    rows[-1] = replace(last, balance_after_nanos=-5, amount_nanos=-5 - last.balance_before_nanos)
    found = await breaches(busy)
    assert ("accounts", "live customer:cus_a:available") in found
    assert "entries" in {check for check, _ in found}


async def test_a_balance_that_its_entries_do_not_make_is_found(busy, monkeypatch):
    ledger = tables(busy).ledger
    honest = ledger.account_balances
    monkeypatch.setattr(ledger, "account_balances", lambda book: {**honest(book), "revenue": 1})
    assert ("accounts", "live revenue") in await breaches(busy)


@pytest.mark.parametrize(
    "change",
    [{"amount_nanos": 1}, {"debit": "grants"}, {"reason": Reason.RELEASE}, {"book": Book.TEST}, {"hold_id": "hold_x"}],
)
async def test_a_changed_transfer_is_found_by_name(busy, change):
    transfers = tables(busy).ledger._transfers
    victim = next(t for t in transfers.values() if t.reason is Reason.HOLD and t.book is Book.LIVE)
    transfers[victim.id] = replace(victim, **change)
    assert ("transfers", victim.id) in await breaches(busy)


async def test_a_transfer_without_entries_is_found(busy):
    transfers = tables(busy).ledger._transfers
    victim = next(iter(transfers.values()))
    transfers["grant:ghost"] = replace(victim, id="grant:ghost")
    assert ("transfers", "grant:ghost") in await breaches(busy)


@pytest.mark.parametrize("field", ["amount_nanos", "settled_nanos", "released_nanos", "parts"])
async def test_a_hold_that_is_not_its_transfers_is_found(busy, field):
    holds = tables(busy).holds._holds
    victim = next(h for h in holds.values() if h.closed_at is None and h.remaining_nanos > 5)
    holds[victim.id] = replace(victim, **{field: getattr(victim, field) + 1})
    found = await breaches(busy)
    assert ("holds", victim.id) in found
    if field != "parts":
        assert "held accounts" in {check for check, _ in found}


async def test_a_hold_closed_with_money_in_it_is_found(busy):
    holds = tables(busy).holds._holds
    victim = next(h for h in holds.values() if h.closed_at is None and h.remaining_nanos)
    holds[victim.id] = replace(victim, closed_at=1.0)
    assert ("holds", victim.id) in await breaches(busy)


async def test_a_hold_without_transfers_is_found(busy):
    holds = tables(busy).holds._holds
    victim = next(h for h in holds.values() if h.closed_at is None)
    holds["hold_ghost"] = replace(victim, id="hold_ghost")
    assert ("holds", "hold_ghost") in await breaches(busy)


async def test_a_lease_of_the_dead_is_found(busy):
    holds = tables(busy).holds._holds
    victim = next(h for h in holds.values() if h.closed_at is None)
    holds[victim.id] = replace(victim, owner_incarnation=9)
    assert ("leases", victim.id) in await breaches(busy)
    holds[victim.id] = replace(victim, owner_node=None)
    assert ("leases", victim.id) in await breaches(busy)


async def test_usage_that_nobody_paid_is_found(busy):
    usages = tables(busy).usages._usages
    victim = next(u for u in usages.values() if u.settle_transfer_id)
    usages[victim.record.id] = replace(victim, settle_transfer_id=None)
    found = await breaches(busy)
    assert ("usage", victim.record.id) in found
    assert ("settle transfers", victim.settle_transfer_id) in found


async def test_usage_paid_by_another_transfer_is_found(busy):
    usages = tables(busy).usages._usages
    victim = next(u for u in usages.values() if u.settle_transfer_id)
    usages[victim.record.id] = replace(victim, settle_transfer_id="settle:ghost")
    found = await breaches(busy)
    assert ("settle transfers", "settle:ghost") in found
    assert ("settle transfers", victim.settle_transfer_id) in found


async def test_lost_usage_is_found(busy):
    usages = tables(busy).usages._usages
    victim = next(u for u in usages.values() if u.settle_transfer_id)
    del usages[victim.record.id]
    assert ("settle transfers", victim.settle_transfer_id) in await breaches(busy)


@pytest.mark.parametrize("shortfall", [-1, 1, 10**15])
async def test_a_wrong_shortfall_is_found(busy, shortfall):
    usages = tables(busy).usages._usages
    victim = next(u for u in usages.values() if u.settle_transfer_id)
    usages[victim.record.id] = replace(victim, late_shortfall_nanos=shortfall)
    assert {"settle transfers", "overruns"} <= await checks(busy)


async def test_a_charge_that_its_price_does_not_make_is_found(busy):
    usages = tables(busy).usages._usages
    victim = next(u for u in usages.values() if u.record.charge_nanos > 1)
    record = replace(victim.record, meters={**victim.record.meters, "output_tokens": 19})
    usages[record.id] = replace(victim, record=record)
    assert await breaches(busy) == [("usage", record.id)]
    usages[record.id] = replace(victim, record=replace(victim.record, price_id="price_none"))
    assert await breaches(busy) == [("usage", record.id)]


async def test_an_overrun_that_was_not_booked_is_found(busy):
    usages = tables(busy).usages._usages
    victim = next(u for u in usages.values() if u.record.overrun_nanos)
    record = replace(victim.record, overrun_nanos=victim.record.overrun_nanos - 1)
    usages[record.id] = replace(victim, record=record)
    assert await checks(busy) == {"usage", "overruns"}


@pytest.mark.parametrize("change", [{"held_nanos": 1}, {"spent_nanos": 1}])
@pytest.mark.parametrize("key_id", ["key_t", "key_d"])
async def test_a_wrong_budget_is_found(busy, change, key_id):
    budgets = tables(busy).keys._budgets
    budgets[key_id] = replace(budgets[key_id], **change)
    assert await breaches(busy) == [("budgets", key_id)]


async def test_a_spool_that_nobody_owns_is_found(busy):
    third = await busy.gateway("m-g2")
    await third.chat("cus_a", tokens())
    assert await breaches(busy) == []
    third.kill()
    assert await breaches(busy) == [("spools", "m-g2.1")]
    reader = busy.reader(third)

    def broken(_seq: int) -> int:
        raise SpoolError("the disk is gone")

    reader.depth = broken
    assert await breaches(busy) == [("spools", "m-g2.1")]


def position_of(world: World, gateway) -> tuple[dict, tuple[str, int]]:
    return tables(world).nodes._positions, (gateway.node.id, gateway.node.incarnation)


@pytest.mark.parametrize("is_killed", [False, True])
async def test_a_spool_that_is_only_said_to_be_finished_is_found_and_kept(busy, is_killed):
    third = await busy.gateway("m-g2")
    await third.chat("cus_a", tokens())
    positions, key = position_of(busy, third)
    if is_killed:
        third.kill()
        await take_over(busy.store, busy.clock, node_id="m-g2", incarnation=1, reader=None)
    positions[key] = replace(positions[key], is_finished=True)
    assert ("spools", "m-g2.1") in await breaches(busy)
    if is_killed:
        poster = UsagePoster(busy.store, busy.clock, batch_rows=100)
        assert await poster.finish(busy.reader(third))
        assert busy.reader(third).depth(positions[key].posted_seq) == 0
        assert await breaches(busy) == []


async def test_a_spool_whose_position_is_lost_is_found_and_kept(busy):
    third = await busy.gateway("m-g2")
    await third.chat("cus_a", tokens())
    third.kill()
    positions, key = position_of(busy, third)
    del positions[key]
    assert ("spools", "m-g2.1") in await breaches(busy)
    reader = busy.reader(third)
    assert await take_over(busy.store, busy.clock, node_id="m-g2", incarnation=1, reader=reader)
    with pytest.raises(NotFoundError):
        await UsagePoster(busy.store, busy.clock, batch_rows=100).finish(reader)
    assert ("spools", "m-g2.1") in await breaches(busy)


async def test_a_lost_spool_of_a_living_node_is_found(busy):
    spools = busy.spools
    spools._spools.pop(("m-g0", 1))
    report = await verify(busy.store, spools, busy.clock, node_prefix="m-g")
    assert [(b.check, b.subject) for b in report.breaches] == [("spools", "m-g0.1")]
    for prefix in (None, "other-g"):
        assert (await verify(busy.store, spools, busy.clock, node_prefix=prefix)).breaches == []


async def test_what_happens_while_verify_reads_is_no_breach(busy):
    """A process ends while the spools are looked at; a moment later its spool is posted."""
    third = await busy.gateway("m-g2")
    await third.chat("cus_a", tokens())
    third.kill()
    read, reads = busy.store.read, []

    async def read_and_go_on(work):
        result = await read(work)
        reads.append(work)
        if len(reads) == 2:
            await take_over(busy.store, busy.clock, node_id="m-g2", incarnation=1, reader=busy.reader(third))
        return result

    busy.store.read = read_and_go_on
    assert await breaches(busy) == []
    assert len(reads) == 3


async def test_a_spool_of_another_store_is_found(busy):
    busy.spools.create("stranger", 1)
    assert await breaches(busy) == [("spools", "stranger.1")]


async def test_only_a_hundred_breaches_of_a_kind_are_kept(busy):
    usages = tables(busy).usages._usages
    victim = next(u for u in usages.values() if not u.record.charge_nanos or u.settle_transfer_id)
    for number in range(150):
        record = replace(victim.record, id=f"ghost{number}", price_id="none", charge_nanos=0, overrun_nanos=0)
        usages[record.id] = replace(victim, record=record, settle_transfer_id=None, late_shortfall_nanos=0)
    report = await verify(busy.store, busy.spools, busy.clock)
    assert len([b for b in report.breaches if b.check == "usage"]) == 100
    assert report.breaches_total == 150


def test_a_tally_sees_what_sums_hide():
    tally = Tally(counts=True)
    for key, amount in (("a", 8), ("b", 5)):
        tally.add(key, amount)
    for key, amount in (("a", 5), ("b", 8)):
        tally.add(key, amount, sign=-1)
    assert not tally.is_even
    assert tally.is_suspect("a")
    split = Tally(counts=True)
    split.add("a", 8)
    split.add("a", 5, sign=-1)
    split.add("a", 3, sign=-1)
    assert not split.is_even
    merged = Tally(counts=False)
    merged.add("a", 8)
    merged.add("a", 5, sign=-1)
    merged.add("a", 3, sign=-1)
    assert merged.is_even


@pytest.mark.parametrize("at_once", [1, 3])
async def test_days_are_compared_however_many_records_are_added_up_at_once(
    busy: World, at_once: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("yuanjing.usecases.verify_days._PENDING_MAX", at_once)
    assert await breaches(busy) == []
