"""What is wrong with one task holds up no other."""

import pytest
import sqlalchemy as sa
from tests.support.video import video_world

from yuanjing.adapters.sql import StoreOptions, open_store, upgrade
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import TaskStep
from yuanjing.kit.clock import ManualClock
from yuanjing.usecases.expiry import expire_holds


@pytest.fixture
async def world(tmp_path):
    url = f"sqlite:///{tmp_path}/store.db"
    await upgrade(url)
    clock = ManualClock()
    store = await open_store(url, options=StoreOptions(synchronous="off"), clock=clock)
    async with video_world(store, clock) as made:
        yield made
    await store.close()


async def damage(world, statement, **terms):
    await world.store.write(lambda tx: tx.tasks._work.do(sa.text(statement), **terms))


@pytest.mark.parametrize("step", [TaskStep.WAITING, TaskStep.POLLING])
async def test_a_row_that_cannot_be_read_stops_nobody(world, step):
    worker = world.start()
    bad, good = await world.submit("a cat sandbox:long-queue=30"), await world.submit(customer_id="cus_b")
    if step is TaskStep.POLLING:
        await world.in_step(step, bad)
    await damage(world, "UPDATE tasks SET request = '{}' WHERE id = :task", task=bad)
    assert (await world.ended(good)).state is TaskState.SUCCEEDED
    told = [values["task"] for event, values in worker.log.lines if event == "video.task_damaged"]
    assert told == [bad], "once a claim"


async def test_an_end_that_cannot_be_written_leaves_the_others_theirs(world):
    worker = world.start()
    bad, *others = [await world.submit("a cat sandbox:moderation") for _ in range(5)]
    await world.in_step(TaskStep.POLLING, others[-1])
    await damage(world, "UPDATE holds SET purpose = 'gift' WHERE id = :hold", hold=(await world.task(bad)).hold_id)
    world.clock.advance(20)  # all are due at once
    await world.settle()
    assert [(await world.task(task_id)).state for task_id in others] == [TaskState.FAILED] * 4
    assert (await world.task(bad)).step is TaskStep.POLLING
    assert worker.log.events().count("video.job_failed") == 1


async def test_an_answer_that_is_not_understood_leaves_the_others_theirs(world, monkeypatch):
    worker = world.start()
    bad, *others = [await world.submit() for _ in range(5)]
    await world.in_step(TaskStep.POLLING, others[-1])
    judge = worker.engine._poller._ended

    def fail(task, *rest):
        if task.id == bad:
            raise ZeroDivisionError
        return judge(task, *rest)

    monkeypatch.setattr(worker.engine._poller, "_ended", fail)
    assert [(await world.ended(one, seconds=25)).state for one in others] == [TaskState.SUCCEEDED] * 4
    assert (await world.task(bad)).step is TaskStep.POLLING


async def test_a_row_that_cannot_be_read_keeps_its_hold(world):
    await damage(world, "UPDATE tasks SET request = '{}' WHERE id = :task", task=await world.submit())
    world.clock.advance(30 * 86_400)
    assert await expire_holds(world.store, world.clock, ttl_seconds=900) == 0
    await world.check_money(0, held=1)
