"""From the provider's success to ours."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from tests.support.video import LIMITS, OFFER, PRICE_NANOS, SECONDS, video_world

from yuanjing.adapters.memory import MemoryStore
from yuanjing.domain.artifacts import StorageFullError
from yuanjing.domain.tasks import Size, TaskState, UpstreamUsage, VideoMeter
from yuanjing.domain.video_offers import Pixels, VideoModel, VideoSpec
from yuanjing.domain.videos import TaskStep
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.artifacts import StorageUnavailableError
from yuanjing.usecases.artifacts.results import ResultBrokenError, ResultUnavailableError
from yuanjing.worker.video import copying

OTHER = VideoSpec(family="o", models=(VideoModel(name="m-2"),))


@pytest.fixture
async def world():
    clock = ManualClock()
    async with video_world(MemoryStore(clock=clock), clock) as made:
        yield made


def caused_by(error):
    """As the copier raises it."""
    made = ResultUnavailableError(error.message)
    made.__cause__ = error
    return made


async def test_success_is_told_only_when_the_files_are_ours(world):
    world.copier.gate = asyncio.Event()
    worker = world.start()
    task_id = await world.submit()
    await world.pass_time_without_settling(30)
    task = await world.task(task_id)
    assert (task.state, task.step) == (TaskState.RUNNING, TaskStep.COPYING)
    assert task.outcome.video_url == "http://memory.test/results/memory-1.mp4"
    assert worker.counters.in_hand["copy"] == 1
    world.copier.gate.set()
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    await world.check_money(1)


async def test_a_broken_file_costs_nothing(world):
    world.copier.fail_next = [ResultBrokenError("the file ends in its middle")]
    worker = world.start()
    task = await world.ended(await world.submit())
    assert (task.state, task.failure.text) == (TaskState.FAILED, "Provider temporarily unavailable")
    assert task.failure.detail == "broken: the file ends in its middle"
    assert task.flag == "the provider has charged for a result that we could not take"
    assert (worker.counters.copies, worker.counters.copy_failures) == (0, 1)
    await world.check_money(0)


async def test_copying_is_tried_again(world):
    world.copier.fail_next = [ResultUnavailableError("503")] * 3
    world.start()
    assert (await world.ended(await world.submit())).state is TaskState.SUCCEEDED
    await world.check_money(1)


@pytest.mark.parametrize("error", [None, StorageFullError("full"), StorageUnavailableError("away")])
async def test_what_is_in_the_way_is_waited_for(world, error):
    """Of an hour, and more attempts than any number would be right for."""
    world.copier.fail_next = [caused_by(error) if error else ResultUnavailableError("503") for _ in range(16)]
    world.start()
    task = await world.ended(await world.submit(), seconds=7200, step=20)
    assert (task.state, task.ended_at - task.created_at > 1800) == (TaskState.SUCCEEDED, True)
    await world.check_money(1)


@pytest.mark.parametrize("result_seconds", [600, 86_400])
async def test_but_not_for_ever(world, result_seconds):
    """No longer than the setting says, and than the address lives."""
    world.source.channels = {"ch_1": world.channel(limits=replace(LIMITS, result_seconds=result_seconds))}
    world.copier.fail_next = [ResultUnavailableError("503")] * 99
    world.start(copy_seconds=1000)
    task = await world.ended(await world.submit(), seconds=2000, step=5)
    assert (task.state, task.failure.detail) == (TaskState.FAILED, "503")
    most = min(result_seconds, 1000)
    assert most <= task.ended_at - task.outcome.ended_at <= most + 10, "with a last try at the end"
    await world.check_money(0)


async def test_only_test_channels_may_give_files_from_private_places(world):
    world.start()
    await world.ended(await world.submit())
    world.source.channels = {"ch_1": world.channel(origin="http://127.0.0.1:8090")}
    await world.ended(await world.submit())
    assert world.copier.origins == ["", "http://127.0.0.1:8090"]


async def test_copies_are_limited(world):
    world.copier.gate = asyncio.Event()
    worker = world.start(copies_max=2)
    for _ in range(5):
        await world.submit()
    await world.pass_time_without_settling(30)
    assert worker.counters.in_hand["copy"] == 2
    world.copier.gate.set()
    await world.pass_time(5)
    await world.check_money(5)


async def test_what_is_otherwise_than_asked_is_noted(world):
    video = replace(OFFER.video, pixels=(Pixels(resolution="720p", ratio="16:9", size=Size(width=1280, height=720)),))
    world.source.offers = {OFFER.id: replace(OFFER, video=video)}
    world.copier.notes = ("asked for 1280x720 pixels, delivered were 640x360",)
    world.start()
    task_id = await world.submit(request={"resolution": "720p", "ratio": "16:9"})
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    assert world.copier.expected == Size(width=1280, height=720)
    assert world.copier.notes[0] in await world.events(task_id)


async def test_a_fault_of_ours_comes_to_an_end(world):
    world.copier.fail_next = [ZeroDivisionError()] * 99
    worker = world.start(copy_seconds=100)
    task = await world.ended(await world.submit())
    assert (task.state, task.failure.detail) == (TaskState.FAILED, "a fault of ours: ZeroDivisionError")
    assert worker.counters.failures >= 3
    await world.check_money(0)


async def test_a_charge_that_cannot_be_made_comes_to_an_end(world, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(copying, "finish_succeeded", fail)
    world.start(copy_seconds=100)
    task = await world.ended(await world.submit())
    assert task.state is TaskState.FAILED
    assert task.failure.detail.startswith("a fault of ours")
    await world.check_money(0)


@pytest.mark.parametrize("changed", [replace(OFFER, video=None), replace(OFFER, video=OTHER), None])
async def test_what_becomes_of_an_offer_changes_nothing_for_the_tasks_under_way(world, changed):
    world.start()
    task_id = await world.submit(request={"resolution": "720p"})
    await world.in_step(TaskStep.POLLING, task_id)
    world.source.offers = {} if changed is None else {OFFER.id: changed}
    assert (await world.ended(task_id)).charge_nanos == SECONDS * PRICE_NANOS
    await world.check_money(1)


async def test_what_was_told_at_the_submission_counts_if_the_end_tells_nothing(world, monkeypatch):
    submit, query = world.upstream.submit, world.upstream.query
    told = UpstreamUsage(meters={VideoMeter.VIDEO_SECONDS: Decimal(4)}, details={"credits": 4})

    async def telling(access, submission):
        return replace(await submit(access, submission), usage=told)

    async def silent(access, ref):
        return replace(await query(access, ref), usage=None)

    monkeypatch.setattr(world.upstream, "submit", telling)
    monkeypatch.setattr(world.upstream, "query", silent)
    world.start()
    task = await world.ended(await world.submit())
    usage = await world.store.read(lambda tx: tx.usages.get(task.usage_id))
    assert (usage.record.meters, usage.record.is_estimated) == ({"video_seconds": 4}, False)
    assert task.usage["credits"] == 4
    assert task.charge_nanos == 4 * PRICE_NANOS
    assert task.outcome.promised == told.meters


async def test_a_free_hand_takes_the_next_copy_at_once(world):
    """Not with the next look, which may be long in coming while results pile up."""
    worker = world.start(look_seconds=30.0, look_seconds_min=0.001, copies_max=1, refresh_seconds=0.001)
    world.copier.gate = asyncio.Event()
    ids = [await world.submit() for _ in range(6)]
    async with asyncio.timeout(10):
        while worker.counters.in_hand["copy"] == 0:
            world.clock.advance(1)
            await worker.engine.look()
            await asyncio.sleep(0.005)
        for _ in range(40):
            world.clock.advance(1)
            await worker.engine.look()
            await asyncio.sleep(0.005)
        assert [task.step for task in await world.tasks()] == [TaskStep.COPYING] * 6
        world.copier.gate.set()
        while not all(task.state.is_final for task in await world.tasks()):  # noqa: ASYNC110  # rows tell nobody when they change
            await asyncio.sleep(0.005)
    assert sorted(world.copier.copied) == sorted(ids)
    await world.check_money(6)
