"""A worker may die at any moment, and others may work beside it: one provider's task, one charge or one release."""

import asyncio
import random
from collections import Counter
from dataclasses import replace

import pytest
from tests.support.mortal import Fate, Mortal, MortalStore
from tests.support.video import channel_of, video_world

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.video_upstream import TRAITS, MemoryPace
from yuanjing.adapters.sql import open_store, upgrade
from yuanjing.domain.tasks import FailureKind, TaskState
from yuanjing.domain.videos import TaskStep
from yuanjing.kit.clock import ManualClock

PACE = MemoryPace(queue_seconds=1, run_seconds=2)


async def live_and_die(store, clock, prompt, dies_at, **traits):
    """One task with a worker that dies at this moment, and another that comes after; whether the first has died."""
    async with video_world(store, clock, pace=PACE, traits=replace(TRAITS, **traits)) as world:
        fate = Fate(dies_at)
        upstream, copier = world.upstream, world.copier
        world.source.channels = {"ch_1": channel_of(Mortal(upstream, fate))}
        world.copier = Mortal(copier, fate)
        task_id = await world.submit(prompt)
        first = world.start("w1", store=MortalStore(store, fate))
        for _ in range(100):
            await until_still(first, fate)
            if fate.is_dead or (await world.task(task_id)).state.is_final:
                break
            clock.advance(1)
        await first.kill()
        world.workers.remove(first)
        world.source.channels = {"ch_1": channel_of(upstream)}
        world.copier = copier
        world.start("w2")
        task = await world.ended(task_id, seconds=900, step=2)
        events = await world.events(task_id)
        where = (dies_at, task, events)
        assert len(upstream.submissions) <= 1, where
        assert task.submissions == 1, where
        assert bool(task.flag) == (task.failure is not None and task.failure.kind is not FailureKind.MODERATED), where
        assert len(upstream.submissions) == 1 or task.flag, where
        is_lost = task.flag and world.upstream.traits.has_exact_search
        assert not is_lost or upstream.submissions == [], where
        is_charged = task.state is TaskState.SUCCEEDED
        await world.check_money(is_charged)
        await world.pass_time(60, step=10)
        assert await world.task(task_id) == task, "what has ended stays so"
    return fate.is_dead


async def until_still(worker, fate):
    """Until the worker has done what is due, or is dead."""
    settling = asyncio.ensure_future(worker.settle())
    while not settling.done() and not fate.is_dead:  # noqa: ASYNC110  # a dead worker tells nobody
        await asyncio.sleep(0)
    settling.cancel()
    await asyncio.wait([settling])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("prompt", ["a cat", "a cat sandbox:lost-reply", "a cat sandbox:moderation"])
async def test_a_worker_dies_at_every_moment(prompt):
    for dies_at in range(200):
        clock = ManualClock()
        if not await live_and_die(MemoryStore(clock=clock), clock, prompt, dies_at):
            assert dies_at > 10, "there were many moments"
            return
    raise AssertionError("it never lived to the end")


@pytest.mark.timeout(120)
async def test_a_worker_dies_at_every_moment_without_exact_search():
    for dies_at in range(0, 200, 2):
        clock = ManualClock()
        store = MemoryStore(clock=clock)
        if not await live_and_die(store, clock, "a cat sandbox:lost-reply", dies_at, has_exact_search=False):
            return
    raise AssertionError("it never lived to the end")


@pytest.mark.timeout(120)
async def test_a_worker_dies_over_sqlite(tmp_path):
    for number, dies_at in enumerate(range(0, 200, 5)):
        url = f"sqlite:///{tmp_path / f'{number}.db'}"
        await upgrade(url)
        clock = ManualClock()
        store = await open_store(url, clock=clock)
        try:
            if not await live_and_die(store, clock, "a cat", dies_at):
                return
        finally:
            await store.close()
    raise AssertionError("it never lived to the end")


@pytest.mark.timeout(120)
async def test_a_worker_dies_over_postgres(postgres, postgres_template):
    for dies_at in (3, 5, 500):
        name = postgres.create_database(postgres_template)
        clock = ManualClock()
        store = await open_store(postgres.url(name), clock=clock)
        try:
            has_died = await live_and_die(store, clock, "a cat", dies_at)
        finally:
            await store.close()
        postgres.drop_database(name)
        assert has_died == (dies_at < 500)


class CarefulUpstream:
    """Sees to it that nobody works on a submission or asks for a task at the same time as somebody else."""

    def __init__(self, inner):
        self._inner = inner
        self.busy = Counter()
        self.twice = []

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def _alone(self, key, work):
        self.busy[key] += 1
        if self.busy[key] > 1:
            self.twice.append(key)
        try:
            await asyncio.sleep(0)
            return await work
        finally:
            self.busy[key] -= 1

    async def submit(self, access, submission):
        return await self._alone(submission.id, self._inner.submit(access, submission))

    async def query(self, access, ref):
        return await self._alone(ref.upstream_task_id, self._inner.query(access, ref))


@pytest.mark.timeout(120)
async def test_several_workers_share_the_tasks_and_some_die():
    clock = ManualClock()
    choose = random.Random(7)  # noqa: S311  # nothing secret
    async with video_world(MemoryStore(clock=clock), clock) as world:
        careful = CarefulUpstream(world.upstream)
        world.source.channels = {"ch_1": channel_of(careful)}
        words = ["", "", "", " sandbox:moderation", " sandbox:lost-reply"]
        for name in ("w1", "w2", "w3"):
            world.start(name, submits_max=5, poll_batch=7)
        ids = []
        for round_ in range(40):
            ids += [await world.submit("a cat" + choose.choice(words)) for _ in range(3)]
            await world.pass_time(1)
            if round_ % 8 == 7:
                victim = choose.choice(world.workers)
                await victim.kill()
                world.workers.remove(victim)
                world.start(f"w{round_ + 10}", submits_max=5, poll_batch=7)
        await world.pass_time(300, step=5)
        tasks = [await world.task(task_id) for task_id in ids]
        assert {task.step for task in tasks} == {TaskStep.DONE}
        assert careful.twice == []
        sent = Counter(one.id.partition("-")[0] for one in world.upstream.submissions)
        assert max(sent.values()) == 1
        states = Counter(task.state for task in tasks)
        assert states[TaskState.SUCCEEDED] > 60
        assert len({worker.counters.ended["succeeded"] for worker in world.workers}) > 0
        assert all(worker.counters.ended["succeeded"] for worker in world.workers[:1])
        await world.check_money(states[TaskState.SUCCEEDED])


async def test_a_graceful_stop_gives_the_claims_back():
    clock = ManualClock()
    async with video_world(MemoryStore(clock=clock), clock) as world:
        first = world.start("w1")
        task_id = await world.submit()
        await world.in_step(TaskStep.POLLING, task_id)
        world.copier.gate = asyncio.Event()
        await world.pass_time_without_settling(20)
        assert (await world.task(task_id)).claim.owner == "w1"
        await first.stop()
        assert (await world.task(task_id)).claim is None
        assert "video.cut_off" in first.log.events()
        world.copier.gate.set()
        world.start("w2")
        assert (await world.ended(task_id, seconds=5)).state is TaskState.SUCCEEDED


async def test_claims_are_renewed_while_work_goes_on():
    clock = ManualClock()
    async with video_world(MemoryStore(clock=clock), clock) as world:
        world.copier.gate = asyncio.Event()
        world.start("w1", claim_seconds=0.03)
        task_id = await world.submit()
        await world.pass_time_without_settling(20)
        token = (await world.task(task_id)).claim.token
        for _ in range(50):
            clock.advance(0.01)
            await asyncio.sleep(0.005)
        assert (await world.task(task_id)).claim.token == token
        world.copier.gate.set()
        await world.ended(task_id)
        await world.check_money(1)


async def test_a_jump_of_the_clock_does_no_harm():
    clock = ManualClock()
    async with video_world(MemoryStore(clock=clock), clock) as world:
        worker = world.start("w1")
        world.copier.gate = asyncio.Event()
        task_id = await world.submit()
        await world.pass_time_without_settling(20)
        for seconds in (3600, -7200, 3600):
            clock.jump(seconds)
            await asyncio.sleep(0.05)
        world.copier.gate.set()
        assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
        assert len(world.copier.copied) == 1
        assert worker.counters.fenced == 0
        await world.check_money(1)
