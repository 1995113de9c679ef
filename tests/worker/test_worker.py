import asyncio
import itertools
from contextlib import asynccontextmanager

import pytest
from tests.support.money import FlakyStore, World, make_record, tokens

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.domain.errors import SpoolError, StoreUnavailableError
from yuanjing.domain.money import Book
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.artifacts import StorageUnavailableError
from yuanjing.usecases.nodes import take_over
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.promotions import Gift, give_promotion
from yuanjing.usecases.verify import verify
from yuanjing.worker import Worker, WorkerCounters, WorkerOptions
from yuanjing.worker.observing import ObservingLoop
from yuanjing.worker.posting import PostingLoop
from yuanjing.worker.supervisor import Bell, Supervisor

YUAN = 10**9


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict]] = []

    def info(self, event: str, **kw: object) -> None:
        self.lines.append((event, kw))

    warning = info

    def events(self) -> list[str]:
        return [event for event, _ in self.lines]


@pytest.fixture
async def world() -> World:
    clock = ManualClock()
    made = World(store=FlakyStore(MemoryStore(clock=clock)), spools=MemorySpoolFolder(), clock=clock)
    await made.prepare("cus_a")
    await made.grant("cus_a", YUAN)
    return made


@asynccontextmanager
async def working(world: World, **changes):
    log = Log()
    quick = {"post_seconds": 0.01, "observe_seconds": 0.01, "expire_seconds": 0.01, "prune_seconds": 0.01}
    options = WorkerOptions(machine="m", **{**quick, "backoff_max_seconds": 0.02, **changes})
    worker = Worker(options, store=world.store, spools=world.spools, clock=world.clock, logger=log)
    stop = asyncio.Event()
    task = asyncio.ensure_future(worker.run(stop))
    try:
        yield worker, log
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # counters tell nobody when they change
            await asyncio.sleep(0.005)


async def test_usage_is_posted_by_itself(world):
    gateway = await world.gateway()
    async with working(world) as (worker, log):
        for n in range(5):
            await gateway.chat("cus_a", tokens(10, n))
        await until(lambda: worker.counters.rows_posted == 5)
        assert worker.counters.spool_depth == 0
        assert worker.counters.spool_age_seconds == 0.0
    assert len(await world.usages()) == 5
    assert log.events() == []
    assert worker.counters.passes["post"] > 0
    assert worker.counters.pass_seconds["post"] >= 0


async def test_full_batches_follow_each_other_at_once(world):
    gateway = await world.gateway()
    for n in range(20):
        await gateway.chat("cus_a", tokens(10, n))
    async with working(world, post_seconds=30.0, post_batch_rows=3) as (worker, _):
        await until(lambda: worker.counters.rows_posted == 20)


async def test_depth_and_age_of_what_waits(world):
    gateway = await world.gateway()
    for n in range(3):
        await gateway.chat("cus_a", tokens(10, n))
    world.clock.advance(7)
    counters = WorkerCounters()
    poster = UsagePoster(world.store, world.clock, batch_rows=1)
    loop = PostingLoop(poster, world.spools, world.clock, Log(), counters)
    seen = []
    for _ in range(4):
        is_full = await loop.run()
        seen.append((is_full, counters.rows_posted, counters.spool_depth, counters.spool_age_seconds))
    assert seen == [(True, 1, 2, 7.0), (True, 2, 1, 7.0), (True, 3, 0, 0.0), (False, 3, 0, 0.0)]


async def test_a_dead_process_of_this_machine_is_taken_over_at_once(world):
    gateway = await world.gateway()
    record = await gateway.chat("cus_a", tokens())
    async with working(world) as (worker, log):
        await until(lambda: worker.counters.passes["observe"] > 2)
        assert worker.counters.take_overs == 0
        gateway.kill()
        await until(lambda: worker.counters.spools_removed == 1)
        assert worker.counters.take_overs == 1
    assert ("worker.took_over", {"node": "m-g0", "incarnation": 1, "cause": "ended"}) in log.lines
    balances = await world.balances("cus_a")
    assert (balances.available_nanos, balances.held_nanos) == (YUAN - record.charge_nanos, 0)
    assert (await verify(world.store, world.spools, world.clock)).breaches == []


@pytest.mark.parametrize("batch_rows", [1, 100])
async def test_what_comes_late_in_a_take_over_is_told_and_counted(world, batch_rows):
    counters, log = WorkerCounters(), Log()
    options = WorkerOptions(machine="m", post_batch_rows=batch_rows)
    loop = ObservingLoop(world.store, world.spools, world.clock, options, log, counters)
    gateway = await world.gateway()
    strays = [
        make_record(id=world.usage_id(), hold_id="hold_gone", charge_nanos=YUAN, ceiling_nanos=YUAN) for _ in range(2)
    ]
    gateway.spool.append(strays, [])
    gateway.kill()
    await loop.run()
    assert (counters.take_overs, counters.rows_late, counters.late_shortfall_nanos) == (1, 2, YUAN)
    amounts = {"rows": 2, "charge_nanos": 2 * YUAN, "shortfall_nanos": YUAN}
    assert ("worker.settled_late", {"node": "m-g0", "incarnation": 1, **amounts}) in log.lines


async def test_what_came_late_is_told_of_its_own_spool_although_the_rest_cannot_be_read(world):
    counters, log = WorkerCounters(), Log()
    options = WorkerOptions(machine="m", post_batch_rows=1)
    loop = ObservingLoop(world.store, world.spools, world.clock, options, log, counters)
    gateway = await world.gateway()
    strays = [
        make_record(id=world.usage_id(), hold_id="hold_gone", charge_nanos=YUAN, ceiling_nanos=YUAN) for _ in range(3)
    ]
    gateway.spool.append(strays, [])
    gateway.kill()
    await take_over(world.store, world.clock, node_id="m-g0", incarnation=1, reader=None)
    reader = world.reader(gateway)
    after = reader.after

    def breaks(seq: int, limit: int):
        if seq:
            raise SpoolError("the disk has a hole")
        return after(seq, limit)

    reader.after = breaks
    await loop.run()
    assert (counters.rows_late, [event for event in log.events() if "late" in event]) == (1, ["worker.settled_late"])


async def test_a_silent_process_is_taken_over_after_its_time(world):
    gateway = await world.gateway()
    record = await gateway.chat("cus_a", tokens())
    async with working(world) as (worker, log):
        for _ in range(14):
            seen = worker.counters.passes["observe"]
            await until(lambda seen=seen: worker.counters.passes["observe"] > seen + 1)
            world.clock.advance(1)
        assert worker.counters.take_overs == 0
        for _ in range(3):
            seen = worker.counters.passes["observe"]
            await until(lambda seen=seen: worker.counters.passes["observe"] > seen + 1)
            world.clock.advance(1)
        await until(lambda: worker.counters.take_overs == 1)
        await until(lambda: worker.counters.rows_posted == 1)
    assert [kw["cause"] for event, kw in log.lines if event == "worker.took_over"] == ["silent"]
    assert (await world.usages())[record.id].late_shortfall_nanos == 0
    assert len(world.spools.readers()) == 1


async def test_an_outage_is_survived_told_once_and_is_no_death(world):
    gateway = await world.gateway()
    answer = await gateway.acquire("cus_a", needed=10**6)
    async with working(world) as (worker, log):
        await until(lambda: worker.counters.passes["observe"] > 2)
        world.store.is_away = True
        gateway.finish(gateway.admit(answer.hold_id, 10**6), tokens())
        for _ in range(20):
            world.clock.advance(1)
            await asyncio.sleep(0.01)
        loops = ("post", "observe", "expire", "expire_promotions", "prune")
        await until(lambda: all(worker.counters.failures[name] > 2 for name in loops))
        world.store.is_away = False
        await until(lambda: worker.counters.rows_posted == 1)
        await until(lambda: log.events().count("worker.loop_recovered") == 5)
        assert worker.counters.take_overs == 0
    assert log.events().count("worker.store_unavailable") == 5


async def test_a_stranger_among_the_spools_is_told_once_and_keeps_nobody_waiting(world):
    world.spools.create("a-stranger", 1).append([], [])
    gateway = await world.gateway()
    async with working(world) as (worker, log):
        await gateway.chat("cus_a", tokens())
        await until(lambda: worker.counters.rows_posted == 1)
        await until(lambda: worker.counters.passes["post"] > 5)
    assert log.events().count("worker.spool_trouble") == 1


async def test_a_bug_in_one_spool_keeps_nobody_waiting(world):
    gateways = [await world.gateway(f"m-g{n}") for n in range(3)]
    broken = world.reader(gateways[0])

    def fail(*_):
        raise ZeroDivisionError("a bug")

    broken.after = fail
    async with working(world) as (worker, log):
        for gateway in gateways:
            await gateway.chat("cus_a", tokens())
        await until(lambda: worker.counters.rows_posted == 2)
        gateways[0].kill()
        gateways[1].kill()
        await until(lambda: worker.counters.spools_removed == 1)
        await until(lambda: worker.counters.passes["post"] > 5)
        assert worker.counters.failures["post"] == worker.counters.failures["observe"] == 0
        assert worker.counters.spool_failures > 2
        told = [fields for event, fields in log.lines if event == "worker.spool_trouble"]
        assert [fields["node"] for fields in told] == ["m-g0"]
        assert isinstance(told[0]["exc_info"], ZeroDivisionError)
        assert log.events().count("worker.node_trouble") == 1
        del broken.after
        await until(lambda: worker.counters.rows_posted == 3 or worker.counters.spools_removed == 2)
    assert len(await world.usages()) == 3


async def test_a_stopping_worker_posts_what_is_left(world):
    gateway = await world.gateway()
    async with working(world, post_seconds=30.0, observe_seconds=30.0) as (worker, _):
        await until(lambda: worker.counters.passes["post"] > 0)
        await gateway.chat("cus_a", tokens())
    assert worker.counters.rows_posted == 1


async def test_expired_holds_are_released_and_old_signals_pruned(world):
    gateway = await world.gateway()
    record = await gateway.chat("cus_a", tokens())
    await gateway.give_back(record.hold_id, is_final=True)
    await world.store.write(lambda tx: tx.signals.emit("funds", "live:cus_a", 1.0))
    await world.store.write(lambda tx: tx.signals.emit("funds", "live:cus_b", world.clock.unix() + 10_000))
    world.clock.advance(10_000)
    async with working(world, post_seconds=30.0) as (worker, _):
        await until(lambda: worker.counters.signals_pruned >= 1)
        await until(lambda: worker.counters.passes["expire"] > 0)
        assert worker.counters.holds == await world.store.read(lambda tx: tx.holds.open_sums())


async def test_a_loop_outlives_a_bug_and_says_so():
    clock, log, counters = ManualClock(), Log(), WorkerCounters()
    supervisor = Supervisor(clock, log, counters, backoff_max_seconds=0.001)
    stop = asyncio.Event()
    outcomes = iter([ValueError("bug"), StoreUnavailableError("away"), StoreUnavailableError("away"), True, False])

    async def one_pass() -> bool:
        outcome = next(outcomes, None)
        if outcome is None:
            stop.set()
            return False
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    await asyncio.wait_for(supervisor.loop("x", one_pass, pause_seconds=0.001, stop=stop), 5)
    assert (counters.failures["x"], counters.passes["x"]) == (3, 3)
    assert log.events() == ["worker.loop_failed", "worker.loop_recovered"]
    assert isinstance(log.lines[0][1]["exc_info"], ValueError)


async def test_a_place_of_files_that_fails_is_one_line_until_it_fails_otherwise():
    log, counters = Log(), WorkerCounters()
    supervisor = Supervisor(ManualClock(), log, counters, backoff_max_seconds=0.001)
    stop = asyncio.Event()
    texts = iter(["away", "away", "away", "no such bucket", "no such bucket", None, "away"])

    async def one_pass() -> bool:
        text = next(texts, "")
        if text == "":
            stop.set()
        elif text is not None:
            raise StorageUnavailableError(text)
        return False

    await asyncio.wait_for(supervisor.loop("x", one_pass, pause_seconds=0.001, stop=stop), 5)
    assert counters.failures["x"] == 6
    told, recovered = "worker.storage_unavailable", "worker.loop_recovered"
    assert log.events() == [told, told, recovered, told, recovered]
    assert [kw["error"] for event, kw in log.lines if event == told] == ["away", "no such bucket", "away"]
    assert not any("exc_info" in kw for _, kw in log.lines)


async def test_a_loop_ends_when_it_is_cancelled():
    supervisor = Supervisor(ManualClock(), Log(), WorkerCounters(), backoff_max_seconds=1.0)

    async def one_pass() -> bool:
        await asyncio.sleep(60)
        return False

    task = asyncio.ensure_future(supervisor.loop("x", one_pass, pause_seconds=1, stop=asyncio.Event()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_bell_ends_the_pause_of_a_loop_but_not_the_shortest_one():
    loop, clock = asyncio.get_running_loop(), ManualClock()
    supervisor = Supervisor(clock, Log(), WorkerCounters(), backoff_max_seconds=1.0)
    bell, stop, passes = Bell(pause_seconds_min=0.05), asyncio.Event(), list[float]()

    async def one_pass() -> bool:
        passes.append(loop.time())
        if len(passes) < 4:
            bell.ring()  # while the loop is at work
        return False

    task = asyncio.ensure_future(supervisor.loop("x", one_pass, pause_seconds=60, stop=stop, bell=bell))
    await until(lambda: len(passes) == 4)
    assert all(later - sooner >= 0.045 for sooner, later in itertools.pairwise(passes))
    await asyncio.sleep(0.2)
    assert len(passes) == 4  # each ring is heard once
    bell.ring()  # while it pauses
    await until(lambda: len(passes) == 5)
    stop.set()
    await asyncio.wait_for(task, 1)


async def test_a_bell_that_nobody_rings_changes_nothing():
    bell, stop, loop = Bell(pause_seconds_min=0.01), asyncio.Event(), asyncio.get_running_loop()
    began = loop.time()
    await bell.wait(stop, 0.1)
    assert loop.time() - began >= 0.095


async def test_expired_promotion_money_is_collected_by_itself(world):
    gift = Gift(customer_id="cus_a", book=Book.LIVE, amount_nanos=7, expires_at=world.clock.unix() + 5, cause="c")
    await world.store.write(lambda tx: give_promotion(tx, gift, world.clock.unix()))
    async with working(world) as (worker, _):
        await until(lambda: worker.counters.passes["expire_promotions"] > 1)
        assert worker.counters.promotions_expired == 0
        world.clock.advance(5)
        await until(lambda: worker.counters.promotions_expired == 1)
    balances = await world.balances("cus_a")
    assert (balances.available_nanos, balances.promotion_nanos) == (YUAN, 0)
    assert (await verify(world.store, world.spools, world.clock)).breaches == []
