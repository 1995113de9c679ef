"""A worker that is killed or stopped at any moment loses its task within the time of a claim, for good (goal V2)."""

import asyncio
from collections import Counter

import pytest
from tests.support.mortal import Fate, Mortal, MortalStore, Sleep
from tests.support.video import channel_of, video_world

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.video_upstream import MemoryPace
from yuanjing.domain.tasks import TaskState
from yuanjing.kit.clock import ManualClock
from yuanjing.worker.video.options import VideoOptions

PACE = MemoryPace(queue_seconds=1, run_seconds=2)
CLAIM_SECONDS, MARGIN_SECONDS = 30.0, 2.0
MOMENTS_MAX = 200
SOME_OR_ALL = [3, pytest.param(1, marks=pytest.mark.soak)]


class Scene:
    """One task, a worker whose fate comes at some moment, and another one that is there all along after it."""

    def __init__(self, world, fate):
        self.world, self.fate = world, fate
        self.store, self.channels, self.copier = world.store, world.source.channels, world.copier
        self.task_id = ""

    async def play(self, prompt):
        """Until the first worker's fate has come; whether that was before the task's end."""
        world, fate = self.world, self.fate
        world.source.channels = {"ch_1": channel_of(Mortal(world.upstream, fate))}
        world.copier = Mortal(self.copier, fate)
        self.task_id = await world.submit(prompt)
        self.first = world.start("w1", store=MortalStore(self.store, fate))
        for _ in range(100):
            settling = asyncio.ensure_future(self.first.settle())
            while not settling.done() and not fate.is_dead:  # noqa: ASYNC110  # a dead worker tells nobody
                await asyncio.sleep(0)
            settling.cancel()
            await asyncio.wait([settling])
            if fate.is_dead or (await self.task()).state.is_final:
                break
            world.clock.advance(1)
        world.workers.remove(self.first)
        world.source.channels = {"ch_1": channel_of(world.upstream)}
        world.copier = self.copier
        return fate.is_dead

    async def task(self):
        return await self.world.task(self.task_id)

    async def seconds_until_taken_up(self):
        """How long the task lies there until the other worker has done something about it."""
        before, began = await self.task(), self.world.clock.unix()
        assert before.claim is None or before.claim.owner == "w1"
        self.second = self.world.start("w2")
        await self.second.settle()
        while await self.task() == before and not before.state.is_final:
            self.world.clock.advance(1)
            await self.second.settle()
        return self.world.clock.unix() - began, before

    async def end(self):
        """It has ended in one way, sent at most once, and paid for if it was made."""
        ended = await self.world.ended(self.task_id, seconds=900, step=2)
        assert len(self.world.upstream.submissions) <= 1
        await self.world.check_money(ended.state is TaskState.SUCCEEDED)


def test_claims_last_for_so_long():
    assert VideoOptions(owner="w1").claim_seconds == CLAIM_SECONDS


@pytest.mark.timeout(120)
@pytest.mark.parametrize("every", SOME_OR_ALL)
@pytest.mark.parametrize("prompt", ["a cat", "a cat sandbox:lost-reply"])
async def test_the_task_of_a_killed_worker_is_taken_up_within_the_time_of_a_claim(prompt, every):
    waited = []
    for dies_at in range(0, MOMENTS_MAX, every):
        clock = ManualClock()
        async with video_world(MemoryStore(clock=clock), clock, pace=PACE) as world:
            scene = Scene(world, Fate(dies_at))
            if not await scene.play(prompt):
                break
            await scene.first.kill()
            seconds, before = await scene.seconds_until_taken_up()
            waited.append(seconds)
            assert seconds <= CLAIM_SECONDS + MARGIN_SECONDS, (dies_at, before)
            await scene.end()
    assert len(waited) > 25 // every, "there were many moments"
    assert max(waited) >= CLAIM_SECONDS - MARGIN_SECONDS, "nobody had to wait for a claim"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("every", SOME_OR_ALL)
@pytest.mark.parametrize("wakes_after_the_end", [False, True])
@pytest.mark.parametrize("prompt", ["a cat", "a cat sandbox:lost-reply"])
async def test_a_worker_that_wakes_too_late_writes_nothing(prompt, wakes_after_the_end, every):
    seen = Counter()
    for sleeps_at in range(0, MOMENTS_MAX, every):
        clock = ManualClock()
        async with video_world(MemoryStore(clock=clock), clock, pace=PACE) as world:
            scene = Scene(world, Sleep(sleeps_at))
            if not await scene.play(prompt):
                break
            seconds, before = await scene.seconds_until_taken_up()
            assert seconds <= CLAIM_SECONDS + MARGIN_SECONDS, (sleeps_at, before)
            if wakes_after_the_end:
                await world.ended(scene.task_id, seconds=900, step=2)
            await scene.second.settle()
            row, events = await scene.task(), await world.events(scene.task_id)
            scene.fate.wake()
            await scene.first.settle()  # nothing is due, so whatever changes is its late work
            assert (await scene.task(), await world.events(scene.task_id)) == (row, events), sleeps_at
            seen.update(moments=1, fenced=scene.first.counters.fenced)
            await scene.end()
    assert seen["moments"] > 25 // every, "there were many moments"
    assert seen["fenced"], "it had nothing to write"
