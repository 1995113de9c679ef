import asyncio
from dataclasses import replace

import pytest
from tests.support.money import FlakyStore, World, tokens

from yuanjing.domain.errors import FencedError, InsufficientFundsError, StoreUnavailableError
from yuanjing.domain.holds import LeasePolicy
from yuanjing.domain.identity import BudgetPeriod
from yuanjing.domain.money import Book
from yuanjing.ports.identity import KeyBudget
from yuanjing.usecases.budgets import period_start, rolled
from yuanjing.usecases.leases import LeaseReturn
from yuanjing.usecases.movements import write_contended
from yuanjing.usecases.nodes import beat, take_over
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.verify import verify

YUAN = 10**9


async def clean(world: World) -> None:
    report = await verify(world.store, world.spools, world.clock)
    assert [b for b in report.breaches if b.check != "spools"] == []


async def test_a_lease_moves_money_to_held(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", 10 * YUAN)
    gateway = await world.gateway()
    answer = await gateway.acquire("cus_a", needed=100, recent=YUAN // 10)
    assert answer.granted_nanos == YUAN // 10
    assert answer.available_nanos == 10 * YUAN - YUAN // 10
    balances = await world.balances("cus_a")
    assert (balances.available_nanos, balances.held_nanos) == (answer.available_nanos, answer.granted_nanos)
    hold = await world.hold(answer.hold_id)
    assert (hold.owner_node, hold.owner_incarnation, hold.remaining_nanos) == ("m-g0", 1, YUAN // 10)
    again = await gateway.acquire("cus_a", needed=100, recent=0)
    assert again.hold_id == answer.hold_id
    assert (await world.hold(answer.hold_id)).remaining_nanos == YUAN // 10 + 100
    await clean(world)


async def test_the_last_yuan_is_spendable_and_not_more(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    gateway = await world.gateway()
    assert (await gateway.acquire("cus_a", needed=600, recent=900)).granted_nanos == 600
    refused = await gateway.acquire("cus_a", needed=401)
    assert (refused.granted_nanos, refused.hold_id, refused.available_nanos) == (0, None, 400)
    assert not refused.is_recalling
    assert (await gateway.acquire("cus_a", needed=400)).available_nanos == 0


async def test_unknown_and_disabled_customers_are_refused(world):
    await world.prepare("cus_a")
    gateway = await world.gateway()
    await world.grant("cus_x", 1000)
    assert (await gateway.acquire("cus_x", needed=1)).granted_nanos == 0


async def test_books_do_not_mix(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000, Book.TEST)
    gateway = await world.gateway()
    assert (await gateway.acquire("cus_a", needed=1)).granted_nanos == 0
    assert (await gateway.acquire("cus_a", needed=1, book=Book.TEST)).granted_nanos == 1
    await clean(world)


async def test_a_refusal_recalls_what_other_leases_hold(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    first, second = await world.gateway("m-g0"), await world.gateway("m-g1")
    held = await first.acquire("cus_a", needed=900)
    refused = await second.acquire("cus_a", needed=500)
    assert (refused.granted_nanos, refused.is_recalling) == (0, True)
    assert ("recall", "m-g0") in await world.signals()
    seen = await beat(world.store, world.clock, first.node)
    assert (seen.recalled, seen.gateways) == ([held.hold_id], 2)
    assert (await beat(world.store, world.clock, second.node)).recalled == []
    await first.give_back(held.hold_id, is_answer=True)
    assert ("funds", "live:cus_a") in await world.signals()
    assert (await beat(world.store, world.clock, first.node)).recalled == []
    assert (await second.acquire("cus_a", needed=500)).granted_nanos == 500
    await clean(world)


async def test_a_refusal_recalls_the_other_purses_of_the_same_process(world):
    await world.prepare("cus_a", budgets={"key_b": ("cus_a", 900, BudgetPeriod.TOTAL)})
    await world.grant("cus_a", 1000)
    gateway = await world.gateway()
    mine = await gateway.acquire("cus_a", needed=900, budget_key_id="key_b")
    refused = await gateway.acquire("cus_a", needed=500)
    assert refused.is_recalling
    assert (await beat(world.store, world.clock, gateway.node)).recalled == [mine.hold_id]


async def test_a_recalled_lease_is_extended_by_what_is_needed_only(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    first, second = await world.gateway("m-g0"), await world.gateway("m-g1")
    await first.acquire("cus_a", needed=900)
    await second.acquire("cus_a", needed=500)
    await world.grant("cus_a", 100_000)
    assert (await first.acquire("cus_a", needed=10, recent=4000)).granted_nanos == 10
    assert (await second.acquire("cus_a", needed=10, recent=4000)).granted_nanos == 4000


async def test_a_final_return_closes_when_nothing_is_outstanding(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", 10**7)
    gateway = await world.gateway()
    answer = await gateway.acquire("cus_a", needed=10**6)
    await gateway.give_back(answer.hold_id, is_final=True)
    hold = await world.hold(answer.hold_id)
    assert (hold.is_closing, hold.remaining_nanos) == (True, 0)
    assert hold.closed_at is not None
    assert (await world.balances("cus_a")).available_nanos == 10**7
    other = await gateway.acquire("cus_a", needed=5)
    assert other.hold_id != answer.hold_id


async def test_a_final_return_with_usage_outstanding_closes_when_it_is_posted(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", 10**7)
    gateway = await world.gateway()
    record = await gateway.chat("cus_a", tokens(10, 20))
    await gateway.give_back(record.hold_id, is_final=True)
    hold = await world.hold(record.hold_id)
    assert (hold.is_closing, hold.closed_at, hold.remaining_nanos) == (True, None, record.charge_nanos)
    await UsagePoster(world.store, world.clock, batch_rows=10).post(world.reader(gateway))
    hold = await world.hold(record.hold_id)
    assert (hold.remaining_nanos, hold.settled_nanos) == (0, record.charge_nanos)
    assert hold.closed_at is not None
    await clean(world)


async def test_a_closing_lease_is_not_extended(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", 10**7)
    gateway = await world.gateway()
    record = await gateway.chat("cus_a", tokens(10, 20))
    lease = gateway.leases[record.hold_id]
    await gateway.give_back(record.hold_id, is_final=True)
    gateway.leases[record.hold_id] = lease
    answer = await gateway.acquire("cus_a", needed=5)
    assert answer.granted_nanos == 5
    assert answer.hold_id != record.hold_id
    await clean(world)


async def test_returning_more_than_is_held_is_a_bug(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    first, second = await world.gateway("m-g0"), await world.gateway("m-g1")
    answer = await first.acquire("cus_a", needed=500)
    too_much = LeaseReturn(hold_id=answer.hold_id, amount_nanos=501, is_final=False)
    with pytest.raises(AssertionError):
        await first.keeper.give_back(first.node, [too_much])
    foreign = LeaseReturn(hold_id=answer.hold_id, amount_nanos=1, is_final=False)
    with pytest.raises(AssertionError):
        await second.keeper.give_back(second.node, [foreign])
    assert (await world.hold(answer.hold_id)).remaining_nanos == 500
    await clean(world)


async def test_a_fenced_process_reaches_nothing(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    gateway = await world.gateway()
    answer = await gateway.acquire("cus_a", needed=500)
    assert await take_over(world.store, world.clock, node_id="m-g0", incarnation=1, reader=None)
    assert not await take_over(world.store, world.clock, node_id="m-g0", incarnation=1, reader=None)
    with pytest.raises(FencedError):
        await gateway.acquire("cus_a", needed=1)
    with pytest.raises(FencedError):
        await gateway.give_back(answer.hold_id, 100)
    with pytest.raises(FencedError):
        await beat(world.store, world.clock, gateway.node)
    assert (await world.balances("cus_a")).available_nanos == 1000
    await clean(world)


@pytest.mark.parametrize("is_after", [False, True])
async def test_a_placement_that_nobody_learned_of_goes_back(world, is_after):
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    gateway = await world.gateway()
    kept = await gateway.acquire("cus_a", needed=100)
    for budget in (None, "new"):
        fail_next(world.store, is_after=is_after)
        if budget is not None:
            gateway.leases.clear()
        with pytest.raises(StoreUnavailableError):
            await gateway.acquire("cus_a", needed=200)
    assert await gateway.keeper.finish_pending(gateway.node)
    assert (await world.hold(kept.hold_id)).remaining_nanos == 100
    balances = await world.balances("cus_a")
    assert (balances.available_nanos, balances.held_nanos) == (900, 100)
    await clean(world)


@pytest.mark.parametrize("is_after", [False, True])
async def test_a_return_whose_answer_was_lost_is_made_once(world, is_after):
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    gateway = await world.gateway()
    answer = await gateway.acquire("cus_a", needed=500)
    fail_next(world.store, is_after=is_after)
    await gateway.give_back(answer.hold_id, 200)
    assert await gateway.keeper.finish_pending(gateway.node)
    assert await gateway.keeper.finish_pending(gateway.node)
    assert (await world.hold(answer.hold_id)).remaining_nanos == 300
    fail_next(world.store, is_after=is_after)
    await gateway.give_back(answer.hold_id, is_final=True)
    await gateway.acquire("cus_a", needed=1)
    assert (await world.hold(answer.hold_id)).closed_at is not None
    await clean(world)


async def test_a_cancelled_acquire_leaves_nothing_behind(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    gateway = await world.gateway()
    waiting = asyncio.Event()
    write = world.store.write

    async def slow(work):
        result = await write(work)
        waiting.set()
        await asyncio.sleep(60)
        return result

    world.store.write = slow
    task = asyncio.ensure_future(gateway.acquire("cus_a", needed=500))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    world.store.write = write
    assert (await world.balances("cus_a")).held_nanos == 500
    await gateway.keeper.finish_pending(gateway.node)
    assert (await world.balances("cus_a")).held_nanos == 0
    await clean(world)


async def test_a_budget_is_exact_over_processes(world):
    world.policy = LeasePolicy(share_percent=100, amount_max_nanos=YUAN)
    await world.prepare("cus_a", budgets={"key_b": ("cus_a", 1_000_000, BudgetPeriod.TOTAL)})
    await world.grant("cus_a", YUAN)
    first, second = await world.gateway("m-g0"), await world.gateway("m-g1")
    mine = await first.acquire("cus_a", needed=600_000, budget_key_id="key_b")
    assert mine.budget_left_nanos == 400_000
    refused = await second.acquire("cus_a", needed=400_001, budget_key_id="key_b")
    assert (refused.granted_nanos, refused.budget_left_nanos, refused.is_recalling) == (0, 400_000, True)
    assert refused.budget_held_nanos == 600_000
    rest = await second.acquire("cus_a", needed=1, recent=YUAN, budget_key_id="key_b")
    assert (rest.granted_nanos, rest.budget_left_nanos) == (400_000, 0)
    record = first.finish(first.admit(mine.hold_id, 600_000), tokens(10, 20))
    poster = UsagePoster(world.store, world.clock, batch_rows=10)
    await poster.post(world.reader(first))
    await clean(world)
    await first.give_back(mine.hold_id, is_answer=True)
    again = await first.acquire("cus_a", needed=1, recent=YUAN, budget_key_id="key_b")
    assert again.granted_nanos == 600_000 - record.charge_nanos
    assert (await second.acquire("cus_a", needed=1)).granted_nanos == 1
    await clean(world)


async def test_a_daily_budget_starts_afresh_at_midnight_of_utc_8(world):
    world.policy = LeasePolicy(share_percent=100, amount_max_nanos=YUAN)
    await world.prepare("cus_a", budgets={"key_d": ("cus_a", 300_000, BudgetPeriod.DAY)})
    await world.grant("cus_a", YUAN)
    gateway = await world.gateway()
    record = await gateway.chat("cus_a", tokens(10, 20), budget_key_id="key_d")
    await UsagePoster(world.store, world.clock, batch_rows=10).post(world.reader(gateway))
    await gateway.give_back(record.hold_id)
    lacking = 300_000 - record.charge_nanos + 1
    assert (await gateway.acquire("cus_a", needed=lacking, budget_key_id="key_d")).granted_nanos == 0
    world.clock.advance(15 * 3600)
    assert (await gateway.acquire("cus_a", needed=lacking, budget_key_id="key_d")).granted_nanos == 0
    world.clock.advance(3600)
    answer = await gateway.acquire("cus_a", needed=lacking, budget_key_id="key_d")
    assert (answer.granted_nanos, answer.budget_left_nanos) == (lacking, 300_000 - lacking)
    world.clock.jump(-86_400)
    assert (await gateway.acquire("cus_a", needed=300_000, budget_key_id="key_d")).granted_nanos == 0
    await clean(world)


async def test_keys_that_may_not_be_used_get_nothing(world):
    await world.prepare("cus_a", "cus_b", budgets={"key_b": ("cus_b", 500, BudgetPeriod.TOTAL)})
    await world.grant("cus_a", 1000)
    await world.grant("cus_b", 1000)
    gateway = await world.gateway()
    assert (await gateway.acquire("cus_a", needed=1, budget_key_id="key_b")).granted_nanos == 0
    assert (await gateway.acquire("cus_a", needed=1, budget_key_id="key_none")).granted_nanos == 0
    assert (await gateway.acquire("cus_b", needed=1, budget_key_id="key_b")).granted_nanos == 1
    await world.store.write(lambda tx: tx.keys.revoke("key_b", 1.0))
    assert (await gateway.acquire("cus_b", needed=1, budget_key_id="key_b")).granted_nanos == 0


def test_periods_begin_in_utc_8():
    at = 1_793_491_200.0  # 2026-11-01 00:00 UTC
    assert period_start(BudgetPeriod.TOTAL, at) == 0.0
    assert period_start(BudgetPeriod.DAY, at) == at - 8 * 3600
    assert period_start(BudgetPeriod.DAY, at + 16 * 3600) == at + 16 * 3600
    assert period_start(BudgetPeriod.MONTH, at) == at - 8 * 3600
    assert period_start(BudgetPeriod.MONTH, at - 9 * 3600) == at - 8 * 3600 - 31 * 86_400


def test_a_clock_that_goes_back_brings_no_old_period_back():
    at = 1_793_491_200.0
    budget = rolled(KeyBudget(period_start=0.0, spent_nanos=5, held_nanos=3), BudgetPeriod.DAY, at)
    assert (budget.spent_nanos, budget.held_nanos) == (0, 3)
    spent = replace(budget, spent_nanos=7)
    assert rolled(spent, BudgetPeriod.DAY, at - 86_400) == spent
    assert rolled(spent, BudgetPeriod.DAY, at + 3600) == spent
    assert rolled(spent, BudgetPeriod.DAY, at + 86_400).spent_nanos == 0


async def test_a_decision_by_a_stale_balance_is_made_again(world):
    await world.prepare("cus_a")
    turns = []

    def work(_tx):
        turns.append(1)
        if len(turns) < 3:
            raise InsufficientFundsError("customer:cus_a:available", 5)
        return "done"

    assert await write_contended(world.store, work) == "done"
    assert len(turns) == 3

    def never(_tx):
        turns.append(1)
        raise InsufficientFundsError("customer:cus_a:available", 5)

    with pytest.raises(InsufficientFundsError):
        await write_contended(world.store, never)
    assert len(turns) == 3 + 8


def fail_next(store: FlakyStore, *, is_after: bool) -> None:
    if is_after:
        store.fail_after = 1
    else:
        store.fail_before = 1
