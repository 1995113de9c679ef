"""What requests cost the database, counted on a clock that the test turns, so that no busy machine can miss the goals.

What a gateway and its worker do for money is done here by their own code at their own pace: purses, signals,
heartbeats, posting. `python -m tests.support.leases` counts the same on a whole platform.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import cast

import pytest
from tests.support.gateway import ListLog
from tests.support.money import FlakyStore, Gateway, World, make_record, plain_key

from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.adapters.sql import StoreOptions, open_store, upgrade
from yuanjing.bootstrap.services import Services
from yuanjing.bootstrap.sources import Leases, NodeLife
from yuanjing.domain.money import Book
from yuanjing.gateway.counters import Counters
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.purse import Purse, Purses, Refill, Waiter
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Topic
from yuanjing.usecases.posting import UsagePoster
from yuanjing.worker.options import WorkerOptions

pytestmark = pytest.mark.timeout(120)
CUSTOMERS = tuple(f"cus_{n:03}" for n in range(100))
POOR = "cus_poor"
STEPS_PER_SECOND = 50
CEILING, CHARGE = 2_000_000, 700_000
OTHER_LOOPS = 13
"""Transactions a second that the rest of a platform makes: the worker's other loops, about ten when nothing is to be
done, and keys that are read again after 30 s."""


class Process:
    """A gateway process without its HTTP; see `gateway.runtime` for what happens how often."""

    def __init__(self, world: World, gateway: Gateway, processes: int) -> None:
        self.world, self.gateway = world, gateway
        self.options = GatewayOptions()
        self.tasks: set[asyncio.Task[None]] = set()
        self.purses = Purses(
            Leases(gateway.keeper, gateway.node),
            self.options,
            Counters(),
            now=world.clock.monotonic,
            spawn=self.spawn,
            on_fenced=lambda: pytest.fail("fenced"),
        )
        self.purses.processes = processes
        self.life = NodeLife(cast("Services", world), gateway.keeper, gateway.node, ListLog())
        self.refused = 0

    def spawn(self, coroutine) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def ask(self, customer: str) -> None:
        """A request as admission treats it; it ends in the same moment."""
        purse = self.purses.get((Book.LIVE, customer, None))
        if purse.reserve(CEILING):
            self.settle(purse)
            return

        def wake(refill: Refill | None) -> None:
            if refill is None:
                self.ask(customer)
            else:
                self.refused += 1

        deadline = self.world.clock.monotonic() + self.options.lease_wait_seconds
        self.purses.wait(purse, Waiter(ceiling_nanos=CEILING, floor_nanos=CEILING, deadline=deadline, wake=wake))

    def settle(self, purse: Purse) -> None:
        if purse.free < purse.spent >> 1:
            self.purses.renew(purse)
        hold_id = cast("str", purse.hold_id)
        self.purses.settle(purse, hold_id, CEILING, CHARGE)
        whose = {"customer_id": purse.key[1], "key_id": plain_key(purse.key[1]), "hold_id": hold_id}
        amounts = {"ceiling_nanos": CEILING, "charge_nanos": CHARGE}
        self.gateway.spool.append([make_record(id=self.world.usage_id(), **whose, **amounts)], [])

    async def poll(self) -> None:
        for topic, subject in await self.life.signals():
            if topic is Topic.FUNDS:
                book, _, customer = subject.partition(":")
                self.purses.forget_refusal(Book(book), customer)
            elif topic is Topic.RECALL:
                self.purses.recall({subject})

    async def quiet(self) -> None:
        while self.tasks:
            await asyncio.wait(self.tasks, timeout=20)


class Town:
    """Processes over one database, and their worker."""

    def __init__(self, world: World, processes: list[Process]) -> None:
        self.world, self.processes = world, processes
        self.poster = UsagePoster(world.store, world.clock, batch_rows=2000)
        self.beat_every = round(self.processes[0].options.heartbeat_seconds * STEPS_PER_SECOND)
        self.poll_every = round(self.processes[0].options.signal_poll_seconds * STEPS_PER_SECOND)
        self.post_every = round(WorkerOptions(machine="m").post_seconds * STEPS_PER_SECOND)

    @property
    def transactions(self) -> int:
        counters = self.world.store.counters
        return counters.writes + counters.reads

    async def live(self, seconds: int, ask: Callable[[int], None]) -> int:
        """Let so much time pass; how many transactions that took. `ask` is called in each step with its number."""
        before = self.transactions
        for step in range(seconds * STEPS_PER_SECOND):
            ask(step)
            for process in self.processes:
                await process.quiet()
                await self._loops(process, step)
            if step % self.post_every == 0:
                for process in self.processes:
                    await self.poster.post(self.world.reader(process.gateway))
            self.world.clock.advance(1 / STEPS_PER_SECOND)
        return self.transactions - before

    async def _loops(self, process: Process, step: int) -> None:
        if step % self.poll_every == 0:
            await process.poll()
        if step % self.beat_every == 0:
            pulse = await process.life.beat()
            process.purses.recall(set(pulse.recalled))
            process.purses.tick(1.0)
            process.gateway.spool.forget(pulse.posted_seq)
        await process.quiet()


@pytest.fixture(params=["sqlite", "postgres"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[World]:
    clock = ManualClock()
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/store.db"
        await upgrade(url)
    else:
        url = request.getfixturevalue("postgres_url")
    store = await open_store(url, options=StoreOptions(synchronous="off"), clock=clock)
    world = World(store=FlakyStore(store), spools=MemorySpoolFolder(), clock=clock)
    await world.prepare(*CUSTOMERS, POOR)
    yield world
    await store.close()


async def town(world: World, processes: int) -> Town:
    made = [Process(world, await world.gateway(f"m-g{n}"), processes) for n in range(processes)]
    return Town(world, made)


async def test_1000_requests_of_100_customers_cost_50_transactions(world):
    for customer in CUSTOMERS:
        await world.grant(customer, 1000 * 10**9)
    alone = await town(world, 1)
    (process,) = alone.processes

    def ask(step: int) -> None:
        for n in range(1000 // STEPS_PER_SECOND):
            process.ask(CUSTOMERS[(step * 1000 // STEPS_PER_SECOND + n) % len(CUSTOMERS)])

    await alone.live(9, ask)
    seconds = 9
    spent = await alone.live(seconds, ask)
    assert process.refused == 0
    assert spent / seconds + OTHER_LOOPS <= 50, spent / seconds


@pytest.mark.parametrize("processes", [2, 8])
async def test_a_poor_customer_at_2000_requests_a_second_costs_10_transactions_a_second(world, processes):
    crowd = await town(world, processes)

    def ask(step: int) -> None:
        for n in range(2000 // STEPS_PER_SECOND):
            crowd.processes[(step + n) % processes].ask(POOR)

    await crowd.live(2, ask)
    idle = await crowd.live(4, lambda _: None)
    spent = await crowd.live(4, ask)
    assert sum(process.refused for process in crowd.processes) > 4 * 1900
    assert 0 < (spent - idle) / 4 <= 10, (spent, idle)
