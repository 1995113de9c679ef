"""Real purses over a real lease keeper: several processes that compete for one balance."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator

import pytest
from tests.support.money import PRICE, FlakyStore, Gateway, World, make_record, plain_key, tokens
from tests.usecases.test_promotions import give

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.adapters.sql import open_store
from yuanjing.bootstrap.sources import Leases
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ceiling_nanos, charge_nanos
from yuanjing.gateway.counters import Counters
from yuanjing.gateway.lease_source import Refill
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.purse import Purses, Waiter
from yuanjing.kit.clock import ManualClock
from yuanjing.usecases.nodes import beat
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.promotions import list_promotions
from yuanjing.usecases.verify import verify

BUYER = (Book.LIVE, "cus_a", None)


class Process:
    """A gateway process as far as its money goes: purses, a keeper, a spool, and beats that bring recalls."""

    def __init__(self, gateway: Gateway, options: GatewayOptions) -> None:
        self.gateway, self.options, self.fenced = gateway, options, 0
        self.tasks: set[asyncio.Task] = set()
        self.purses = Purses(
            Leases(gateway.keeper, gateway.node),
            options,
            Counters(),
            now=lambda: asyncio.get_running_loop().time(),
            spawn=self.spawn,
            on_fenced=self.fence,
        )

    def spawn(self, coroutine) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def quiet(self) -> None:
        """Wait until no call is under way."""
        while self.tasks:
            await asyncio.wait(self.tasks, timeout=20)

    def fence(self) -> None:
        self.fenced += 1

    @property
    def purse(self):
        return self.purses.get(BUYER)

    def ask(self, ceiling: int) -> asyncio.Future:
        """The hold in which the ceiling was reserved, or the refusal."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        deadline = loop.time() + self.options.lease_wait_seconds

        def attempt(refill: Refill | None = None) -> None:
            if refill is not None:
                future.set_result(refill)
            elif self.purse.reserve(ceiling):
                future.set_result(self.purse.hold_id)
                if self.purse.free < self.purse.spent >> 1:
                    self.purses.renew(self.purse)
            else:
                waiter = Waiter(ceiling_nanos=ceiling, floor_nanos=ceiling, deadline=deadline, wake=attempt)
                self.purses.wait(self.purse, waiter)

        attempt()
        return future

    def finish(self, hold_id: str, ceiling: int, meters) -> int:
        """Charge and spool as a gateway does."""
        charge = min(ceiling, charge_nanos(PRICE, meters))
        self.purses.settle(self.purse, hold_id, ceiling, charge)
        record = make_record(
            id=self.gateway.world.usage_id(),
            key_id=plain_key("cus_a"),
            hold_id=hold_id,
            meters=meters.meters(),
            ceiling_nanos=ceiling,
            charge_nanos=charge,
        )
        self.gateway.spool.append([record], [])
        return charge

    async def live(self, seconds: float) -> None:
        """Beat for ever."""
        world = self.gateway.world
        while True:
            seen = await beat(world.store, world.clock, self.gateway.node)
            self.purses.recall(set(seen.recalled))
            self.purses.tick(seconds)
            await asyncio.sleep(seconds)


@contextlib.asynccontextmanager
async def processes(world: World, count: int, options: GatewayOptions) -> AsyncGenerator[list[Process]]:
    """That many, alive."""
    running = [Process(await world.gateway(f"m-g{n}"), options) for n in range(count)]
    beats = [asyncio.get_running_loop().create_task(process.live(0.005)) for process in running]
    try:
        yield running
    finally:
        for task in [*beats, *(task for process in running for task in process.tasks)]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncGenerator[World]:
    clock = ManualClock()
    if request.param == "memory":
        store = MemoryStore(clock=clock)
    else:
        store = await open_store(request.getfixturevalue("postgres_url"), clock=clock)
    world = World(store=FlakyStore(store), spools=MemorySpoolFolder(), clock=clock)
    await world.prepare("cus_a")
    yield world
    await store.close()


async def test_two_that_both_wait_do_not_keep_the_money_from_each_other(world):
    """Each has 60 of 120 free and needs 100: one of them must get it."""
    await world.grant("cus_a", 120)
    async with processes(world, 2, GatewayOptions(lease_wait_seconds=1.0)) as both:
        for process in both:
            process.purses.settle(process.purse, await process.ask(60), 60, 0)
        assert [process.purse.free for process in both] == [60, 60]
        async with asyncio.timeout(20):
            futures = [process.ask(100) for process in both]
            results = [await future for future in futures]
        assert sorted(isinstance(result, str) for result in results) == [False, True]


async def renewed(process: Process) -> None:
    """Ask ahead of need, and wait for the answer."""
    await process.quiet()
    process.purse.refused_until = 0.0
    process.purses.renew(process.purse)
    await process.quiet()


async def test_a_renewal_takes_its_share_and_asks_nobody_to_give(world):
    await world.grant("cus_a", 1_000_000)
    async with processes(world, 2, GatewayOptions()) as (first, other):
        await other.ask(600_000)
        for _ in range(20):
            first.purses.settle(first.purse, await first.ask(10_000), 10_000, 10_000)
        await renewed(first)
        before = (await world.balances("cus_a")).available_nanos
        assert first.purse.spent > before // 20
        await renewed(first)
        assert 0 < before - (await world.balances("cus_a")).available_nanos <= before // 20
        rest = (await world.balances("cus_a")).available_nanos
        await other.ask(rest)
        await renewed(first)
        assert "recall" not in {topic for topic, _ in await world.signals()}


@pytest.mark.parametrize("thirds", [0, 1, 3], ids=["own", "both", "promotion"])
async def test_many_in_three_processes_spend_a_balance_to_its_last_ceiling(world, thirds):
    """Whoever is refused was refused rightly: at the end less is left than the smallest ceiling, in all places."""
    choose = random.Random(11)  # noqa: S311  # a repeatable choice, no secret
    ceiling = ceiling_nanos(PRICE, 20, 20)
    balance = 60 * ceiling + ceiling // 3
    promotion = balance * thirds // 3
    if promotion < balance:
        await world.grant("cus_a", balance - promotion)
    if promotion:
        await give(world.store, world.clock, promotion)
    charged: list[int] = []

    async def client(process: Process) -> None:
        while True:
            hold_id = await process.ask(ceiling)
            if not isinstance(hold_id, str):
                return
            await asyncio.sleep(choose.random() * 0.01)
            charged.append(process.finish(hold_id, ceiling, tokens(choose.randint(0, 19), choose.randint(0, 20))))

    async with processes(world, 3, GatewayOptions(lease_wait_seconds=1.2)) as running:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for number in range(36):
                group.create_task(client(running[number % 3]))
        poster = UsagePoster(world.store, world.clock, batch_rows=1000)
        for process in running:
            assert not process.purse.reserved
            assert not process.fenced
            await process.purses.close()
            await poster.drain(world.reader(process.gateway))
    left = await world.balances("cus_a")
    assert left.spendable_nanos + sum(charged) == balance
    assert 0 <= left.spendable_nanos < ceiling
    assert [lot.left_nanos for lot in await list_promotions(world.store, "cus_a")] == [left.promotion_nanos] * bool(
        thirds
    )
    assert (await verify(world.store, world.spools, world.clock)).breaches == []


async def test_who_waits_in_vain_costs_the_store_little(world):
    """A long stream elsewhere has reserved nearly everything; its owner is asked once."""
    await world.grant("cus_a", 1000)
    options = GatewayOptions(lease_wait_seconds=0.12, refuse_seconds=0.05)
    async with processes(world, 2, options) as (busy, poor):
        await busy.ask(995)
        async with asyncio.timeout(20):
            for _ in range(8):
                assert isinstance(await poor.ask(100), Refill)
                await asyncio.sleep(0.06)
        assert [topic for topic, _ in await world.signals()].count("recall") == 1
        assert poor.purses._counters.lease_calls <= 8 * 5
