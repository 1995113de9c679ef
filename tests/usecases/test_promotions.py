"""Promotion money in leases and videos: spent first, given back last, and collected when its time is over."""

import asyncio
from types import SimpleNamespace

import pytest
from tests.edge.videos import I2V
from tests.support.money import TTL_SECONDS, World, tokens
from tests.usecases.test_videos_leases import GatewayOfTest
from tests.usecases.video_market import CEILING, PRICE_NANOS, Market, a_file

from yuanjing.domain import ledger
from yuanjing.domain.errors import AlreadyExistsError, InsufficientFundsError, StoreUnavailableError
from yuanjing.domain.money import Book
from yuanjing.domain.promotions import Lot
from yuanjing.ports.store import Store, Topic
from yuanjing.usecases.expiry import expire_holds
from yuanjing.usecases.leases import recall_leases
from yuanjing.usecases.nodes import beat, take_over
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.promotions import Gift, expire_promotions, give_promotion, list_promotions
from yuanjing.usecases.verify import verify
from yuanjing.usecases.videos.placing import _promotions

YUAN = 10**9


async def give(store: Store, clock, amount: int, *, seconds: float | None = None, cause: str = "c", **changes) -> Lot:
    expires_at = None if seconds is None else clock.unix() + seconds
    values = {"customer_id": "cus_a", "book": Book.LIVE, "amount_nanos": amount, "expires_at": expires_at}
    gift = Gift(**(values | {"cause": cause} | changes))
    lot, _ = await store.write(lambda tx: give_promotion(tx, gift, clock.unix()))
    return lot


async def money(world: World) -> tuple[int, int, int]:
    """Promotion, available, held."""
    its = await world.balances("cus_a")
    return its.promotion_nanos, its.available_nanos, its.held_nanos


async def left(world: World) -> dict[str, int]:
    """What is left of the customer's lots, by their causes."""
    return {lot.cause: lot.left_nanos for lot in await list_promotions(world.store, "cus_a")}


async def clean(world: World) -> None:
    report = await verify(world.store, world.spools, world.clock)
    assert [b for b in report.breaches if b.check != "spools"] == []


@pytest.fixture
async def rich(world: World) -> World:
    """A customer with 500 of promotion money and 1000 of its own."""
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    await give(world.store, world.clock, 500, seconds=100)
    return world


async def test_a_lease_takes_promotion_money_first(rich):
    gateway = await rich.gateway()
    answer = await gateway.acquire("cus_a", needed=400)
    assert (answer.granted_nanos, answer.available_nanos) == (400, 1100)
    assert await money(rich) == (100, 1000, 400)
    again = await gateway.acquire("cus_a", needed=300)
    assert (again.hold_id, again.available_nanos) == (answer.hold_id, 800)
    assert await money(rich) == (0, 800, 700)
    hold = await rich.hold(answer.hold_id)
    assert (hold.promotion_nanos, hold.remaining_nanos, hold.parts) == (500, 700, 3)
    ids = [t.id for t in await rich.transfers() if t.hold_id == hold.id]
    assert ids == [f"hold:{hold.id}:1", f"hold:{hold.id}:3", f"hold:{hold.id}:3:more"]
    await clean(rich)


async def test_all_there_is_can_be_spent_and_not_more(rich):
    gateway = await rich.gateway()
    refused = await gateway.acquire("cus_a", needed=1501)
    assert (refused.hold_id, refused.available_nanos) == (None, 1500)
    assert (await gateway.acquire("cus_a", needed=1500)).available_nanos == 0
    assert await money(rich) == (0, 0, 1500)


async def test_a_lease_gives_promotion_money_back_last(rich):
    gateway = await rich.gateway()
    answer = await gateway.acquire("cus_a", needed=700)
    await gateway.give_back(answer.hold_id, 150)
    assert await money(rich) == (0, 950, 550)
    await gateway.give_back(answer.hold_id, 250)
    assert await money(rich) == (200, 1000, 300)
    await gateway.give_back(answer.hold_id, is_final=True)
    assert await money(rich) == (500, 1000, 0)
    assert await left(rich) == {"c": 500}
    await clean(rich)


async def test_a_charge_takes_promotion_money_first(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", YUAN)
    await give(world.store, world.clock, 100_000, seconds=50, cause="soon")
    await give(world.store, world.clock, 10_000_000, cause="ever")
    gateway = await world.gateway()
    record = await gateway.chat("cus_a", tokens())
    charge = record.charge_nanos
    assert charge > 100_000
    await UsagePoster(world.store, world.clock, batch_rows=100).post(world.reader(gateway))
    await gateway.give_back(record.hold_id, is_final=True)
    assert await money(world) == (10_100_000 - charge, YUAN, 0)
    assert await left(world) == {"soon": 0, "ever": 10_100_000 - charge}
    await clean(world)


async def test_what_came_later_has_not_paid_for_what_was_before(world):
    await world.prepare("cus_a")
    await give(world.store, world.clock, 10_000_000, seconds=500, cause="first")
    gateway = await world.gateway()
    first = await gateway.chat("cus_a", tokens())
    await UsagePoster(world.store, world.clock, batch_rows=100).post(world.reader(gateway))
    await give(world.store, world.clock, 2_000_000, seconds=50, cause="second")
    assert await left(world) == {"first": 10_000_000 - first.charge_nanos, "second": 2_000_000}
    second = await gateway.chat("cus_a", tokens())
    await UsagePoster(world.store, world.clock, batch_rows=100).post(world.reader(gateway))
    rest = {"first": 10_000_000 - first.charge_nanos, "second": 2_000_000 - second.charge_nanos}
    assert await left(world) == rest
    await clean(world)


async def test_a_lease_that_paid_cash_keeps_new_promotion_money_for_what_comes(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", YUAN)
    gateway = await world.gateway()
    first = await gateway.chat("cus_a", tokens())
    poster = UsagePoster(world.store, world.clock, batch_rows=100)
    await poster.post(world.reader(gateway))
    await give(world.store, world.clock, 1_000_000)
    second = await gateway.acquire("cus_a", needed=5_000_000)
    assert second.hold_id == first.hold_id
    assert (await world.hold(first.hold_id)).promotion_nanos == 1_000_000
    await gateway.give_back(first.hold_id, is_final=True)
    assert await money(world) == (1_000_000, YUAN - first.charge_nanos, 0)
    await clean(world)


async def test_late_usage_takes_promotion_money_first(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", 600_000)
    await give(world.store, world.clock, 200_000)
    gateway = await world.gateway()
    records = [await gateway.chat("cus_a", tokens(1, n)) for n in (10, 12, 14)]
    assert await take_over(world.store, world.clock, node_id="m-g0", incarnation=1, reader=None)
    assert await money(world) == (200_000, 600_000, 0)
    other = await world.gateway("m-g1")
    held = await other.acquire("cus_a", needed=500_000)
    await other.give_back(held.hold_id, 250_000)
    assert await money(world) == (0, 550_000, 250_000)
    await other.give_back(held.hold_id, 100_000)
    assert await money(world) == (50_000, 600_000, 150_000)
    await UsagePoster(world.store, world.clock, batch_rows=100).post(world.reader(gateway))
    total = sum(record.charge_nanos for record in records)
    assert await money(world) == (0, 650_000 - total, 150_000)
    late = {t.id: (ledger.account_kind(t.debit), t.amount_nanos) for t in await world.transfers() if ":late:" in t.id}
    name = "settle:m-g0:1:1-3:late:live:cus_a"
    assert late == {name: ("promotion", 50_000), f"{name}:more": ("available", total - 50_000)}
    assert {usage.settle_transfer_id for usage in (await world.usages()).values()} == {name}
    await clean(world)


async def test_a_take_over_charges_and_returns_what_it_finds(rich):
    gateway = await rich.gateway()
    answer = await gateway.acquire("cus_a", needed=700)
    gateway.kill()
    rich.clock.advance(1)
    assert await take_over(rich.store, rich.clock, node_id="m-g0", incarnation=1, reader=rich.reader(gateway))
    assert await money(rich) == (500, 1000, 0)
    hold = await rich.hold(answer.hold_id)
    assert (hold.promotion_nanos, hold.parts, hold.closed_at) == (0, 4, rich.clock.unix())
    await clean(rich)


async def test_a_hold_that_expires_gives_back_to_both_accounts(rich):
    gateway = await rich.gateway()
    answer = await gateway.acquire("cus_a", needed=700)
    await gateway.give_back(answer.hold_id, 0)
    await gateway.keeper.give_back(gateway.node, [])
    hold = await rich.hold(answer.hold_id)
    await rich.store.write(lambda tx: tx.nodes.close("m-g0", 1))
    rich.clock.advance(hold.expires_at - rich.clock.unix() + 1)
    assert await expire_holds(rich.store, rich.clock, ttl_seconds=TTL_SECONDS) == 1
    assert await money(rich) == (500, 1000, 0)
    assert await expire_promotions(rich.store, rich.clock) == 1
    assert await money(rich) == (0, 1000, 0)
    await clean(rich)


@pytest.mark.parametrize("needed", [300, 700], ids=["promotion", "both"])
async def test_a_placement_that_nobody_learned_of_goes_back_whole(rich, needed):
    gateway = await rich.gateway()
    rich.store.fail_after = 1
    with pytest.raises(StoreUnavailableError):
        await gateway.acquire("cus_a", needed=needed)
    assert (await money(rich))[2] == needed
    assert await gateway.keeper.finish_pending(gateway.node)
    assert await money(rich) == (500, 1000, 0)
    await clean(rich)


async def test_a_return_whose_answer_was_lost_is_made_once(rich):
    gateway = await rich.gateway()
    answer = await gateway.acquire("cus_a", needed=700)
    rich.store.fail_after = 1
    await gateway.give_back(answer.hold_id, 600)
    assert await gateway.keeper.finish_pending(gateway.node)
    assert await money(rich) == (400, 1000, 100)
    await clean(rich)


async def test_a_recalled_lease_brings_its_promotion_money(rich):
    first, second = await rich.gateway("m-g0"), await rich.gateway("m-g1")
    mine = await first.acquire("cus_a", needed=1400)
    refused = await second.acquire("cus_a", needed=300)
    assert refused.is_recalling
    await rich.store.write(lambda tx: recall_leases(tx, Book.LIVE, "cus_a", rich.clock.unix()))
    assert (await beat(rich.store, rich.clock, first.node)).recalled == [mine.hold_id]
    await first.give_back(mine.hold_id, 1100)
    assert (str(Topic.FUNDS), "live:cus_a") in await rich.signals()
    assert (await second.acquire("cus_a", needed=300)).granted_nanos == 300
    assert await money(rich) == (0, 900, 600)
    await clean(rich)


async def test_the_same_cause_gives_once(rich):
    again = await give(rich.store, rich.clock, 500, seconds=999)
    assert again.expires_at == rich.clock.unix() + 100
    assert await money(rich) == (500, 1000, 0)
    for other in ({"amount": 501}, {"amount": 500, "book": Book.TEST}, {"amount": 500, "customer_id": "cus_b"}):
        with pytest.raises(AlreadyExistsError):
            await give(rich.store, rich.clock, **other)
    with pytest.raises(AlreadyExistsError):
        await give(rich.store, rich.clock, 1000, cause="g1")
    assert len(await list_promotions(rich.store, "cus_a")) == 1
    await clean(rich)


async def test_money_is_collected_once_and_not_before_its_time(rich):
    rich.clock.advance(99)
    assert await expire_promotions(rich.store, rich.clock) == 0
    rich.clock.advance(1)
    assert await expire_promotions(rich.store, rich.clock) == 1
    assert await expire_promotions(rich.store, rich.clock) == 0
    assert await money(rich) == (0, 1000, 0)
    (lot,) = await list_promotions(rich.store, "cus_a")
    assert (lot.left_nanos, lot.expired_nanos) == (0, 500)
    (moved,) = [t for t in await rich.transfers() if t.reason is ledger.Reason.EXPIRE]
    assert (moved.id, moved.amount_nanos, moved.credit) == (f"expire:{lot.id}:500", 500, ledger.GRANTS)
    await clean(rich)


async def test_what_is_held_when_its_time_is_over_may_be_spent_and_is_collected_when_it_comes_back(rich):
    gateway = await rich.gateway()
    answer = await gateway.acquire("cus_a", needed=200)
    rich.clock.advance(100)
    assert await expire_promotions(rich.store, rich.clock) == 1
    assert await money(rich) == (0, 1000, 200)
    assert await left(rich) == {"c": 200}
    assert await expire_promotions(rich.store, rich.clock) == 0
    await gateway.give_back(answer.hold_id, 50)
    assert await expire_promotions(rich.store, rich.clock) == 1
    await gateway.give_back(answer.hold_id, is_final=True)
    assert await expire_promotions(rich.store, rich.clock) == 1
    assert await money(rich) == (0, 1000, 0)
    (lot,) = await list_promotions(rich.store, "cus_a")
    assert (lot.left_nanos, lot.expired_nanos) == (0, 500)
    await clean(rich)


async def test_more_customers_than_one_look_finds(world, monkeypatch):
    monkeypatch.setattr("yuanjing.usecases.promotions._CUSTOMERS_AT_ONCE", 2)
    customers = [f"cus_{n}" for n in range(5)]
    await world.prepare(*customers)
    for customer in customers:
        for book in Book:
            await give(
                world.store, world.clock, 7, seconds=5, cause=f"{book}:{customer}", book=book, customer_id=customer
            )
    world.clock.advance(5)
    assert await expire_promotions(world.store, world.clock) == 10
    assert {(await world.balances(c, b)).promotion_nanos for c in customers for b in Book} == {0}
    await clean(world)


async def test_customers_whose_expired_money_is_held_keep_nobody_waiting(world, monkeypatch):
    monkeypatch.setattr("yuanjing.usecases.promotions._CUSTOMERS_AT_ONCE", 1)
    await world.prepare("cus_a", "cus_b")
    gateway = await world.gateway()
    for customer in ("cus_a", "cus_b"):
        await give(world.store, world.clock, 7, seconds=5, cause=customer, customer_id=customer)
    await gateway.acquire("cus_a", needed=7)
    world.clock.advance(5)
    assert await expire_promotions(world.store, world.clock) == 1
    assert [(await world.balances(c)).held_nanos for c in ("cus_a", "cus_b")] == [7, 0]
    await clean(world)


async def test_lots_that_do_not_add_up_stop_nobody_else(world):
    await world.prepare("cus_a", "cus_b")
    await give(world.store, world.clock, 5, seconds=5, cause="a")
    await give(world.store, world.clock, 5, seconds=5, cause="b", customer_id="cus_b")
    stray = ledger.grant_promotion(Book.LIVE, "cus_a", 3, cause="stray")
    await world.store.write(lambda tx: tx.ledger.post([stray]))
    world.clock.advance(5)
    assert await expire_promotions(world.store, world.clock) == 1
    assert (await world.balances("cus_b")).promotion_nanos == 0
    report = await verify(world.store, world.spools, world.clock)
    assert {b.check for b in report.breaches} == {"promotions"}
    assert {b.subject for b in report.breaches} == {"stray", "live cus_a"}


async def test_a_video_is_paid_with_promotion_money_first(market: Market):
    await give(market.store, market.clock, 2 * PRICE_NANOS, seconds=10)
    before = await market.balances()
    task = await market.claim(await market.submit())
    (hold,) = await market.store.read(lambda tx: tx.holds.open_of_customer(Book.LIVE, "cus_a"))
    assert (hold.promotion_nanos, hold.amount_nanos, hold.parts) == (2 * PRICE_NANOS, CEILING, 2)
    assert await market.problems() == []
    await market.succeed(task)
    after = await market.balances()
    assert (after.promotion_nanos, after.held_nanos) == (0, 0)
    assert before.available_nanos - after.available_nanos == CEILING - 2 * PRICE_NANOS
    assert await market.problems() == []


async def test_a_video_that_fails_gives_its_promotion_money_back(market: Market):
    await give(market.store, market.clock, 2 * PRICE_NANOS, seconds=10)
    before = await market.balances()
    task = await market.claim(await market.submit())
    market.clock.advance(10)
    assert await expire_promotions(market.store, market.clock) == 0
    await market.fail(task)
    assert await market.balances() == before
    assert await expire_promotions(market.store, market.clock) == 1
    assert (await market.balances()).promotion_nanos == 0
    assert await market.problems() == []


async def test_videos_at_once_share_the_promotion_money_and_no_more(market: Market):
    balances = await market.balances()
    await give(market.store, market.clock, 2 * CEILING + PRICE_NANOS)
    may = balances.available_nanos // CEILING + 2
    tries = [asyncio.ensure_future(market.submit()) for _ in range(may + 3)]
    await asyncio.wait(tries)
    refused = [one.exception() for one in tries if one.exception() is not None]
    assert [type(one) for one in refused] == [InsufficientFundsError] * 3
    holds = await market.store.read(lambda tx: tx.holds.open_of_customer(Book.LIVE, "cus_a"))
    assert sorted(hold.promotion_nanos for hold in holds)[-3:] == [PRICE_NANOS, CEILING, CEILING]
    assert (await market.balances()).promotion_nanos == 0
    assert await market.problems() == []


def test_videos_that_are_placed_together_are_given_no_more_than_there_is():
    def one(n: int, ceiling: int, customer: str = "cus_a") -> SimpleNamespace:
        task = SimpleNamespace(id=f"t{n}", book=Book.LIVE, customer_id=customer, ceiling_nanos=ceiling)
        return SimpleNamespace(task=task)

    left = {(Book.LIVE, "cus_a"): 7, (Book.LIVE, "cus_b"): 1}
    parts = _promotions([one(1, 5), one(2, 3, "cus_b"), one(3, 5), one(4, 5)], left)  # type: ignore[list-item]
    assert parts == {"t1": 5, "t2": 1, "t3": 2, "t4": 0}


async def test_a_video_asks_leases_for_promotion_money_too(market: Market):
    start = (await market.balances()).available_nanos
    await give(market.store, market.clock, CEILING)
    gateway = GatewayOfTest(market)
    await gateway.lease(start + CEILING)
    async with asyncio.TaskGroup() as group:
        group.create_task(gateway.give_back_when_asked(start + CEILING))
        await market.submit()
    (hold,) = [
        hold
        for hold in await market.store.read(lambda tx: tx.holds.open_of_customer(Book.LIVE, "cus_a"))
        if hold.owner_node is None
    ]
    assert hold.promotion_nanos == CEILING
    assert await market.problems() == []


async def test_promotion_money_in_the_account_counts_beside_what_leases_hold(market: Market):
    start = (await market.balances()).available_nanos
    leased = CEILING - PRICE_NANOS
    await take_back(market, start - leased)
    gateway = GatewayOfTest(market)
    await gateway.lease(leased)
    await give(market.store, market.clock, PRICE_NANOS)
    async with asyncio.TaskGroup() as group:
        group.create_task(gateway.give_back_when_asked(leased))
        await market.submit()
    assert (await market.balances()).spendable_nanos == 0
    assert await market.problems() == []


async def test_files_are_taken_in_for_who_can_pay_with_promotion_money_alone(market: Market):
    await take_back(market, (await market.balances()).available_nanos)
    with pytest.raises(InsufficientFundsError):
        await market.submit(llmid=I2V, image1_file=a_file())
    assert not market.intake.kept
    await give(market.store, market.clock, CEILING)
    await market.submit(llmid=I2V, image1_file=a_file())
    assert (await market.balances()).spendable_nanos == 0


async def take_back(market: Market, amount: int) -> None:
    transfer = ledger.Transfer(
        id="correction:1",
        book=Book.LIVE,
        reason=ledger.Reason.CORRECTION,
        amount_nanos=amount,
        debit=ledger.available("cus_a"),
        credit=ledger.GRANTS,
        corrects="grant:live:cus_a",
    )
    await market.store.write(lambda tx: tx.ledger.post([transfer]))
