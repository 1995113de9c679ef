"""Submissions of unknown outcome are looked for, and never sent again."""

from dataclasses import replace

import pytest
from tests.support.video import LIMITS, failure, make_task, video_world

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.video_upstream import TRAITS
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.tasks import FailureKind, Submission, TaskState
from yuanjing.domain.videos import TaskStep
from yuanjing.kit.clock import ManualClock

INEXACT = replace(TRAITS, has_exact_search=False)


@pytest.fixture
def traits():
    return TRAITS


@pytest.fixture
async def world(traits):
    clock = ManualClock()
    async with video_world(MemoryStore(clock=clock), clock, traits=traits) as made:
        yield made


@pytest.mark.parametrize("traits", [TRAITS, INEXACT])
@pytest.mark.parametrize("word", ["lost-reply", "500-after-accept"])
async def test_what_was_accepted_is_found_again(world, word):
    worker = world.start()
    task = await world.ended(await world.submit(f"a cat sandbox:{word}"))
    assert (task.state, task.submissions) == (TaskState.SUCCEEDED, 1)
    assert len(world.upstream.submissions) == 1
    assert (worker.counters.unknown, worker.counters.adopted, worker.counters.given_up) == (1, 1, 0)
    await world.check_money(1)


class AwayOnce:
    """A store that is away for the first read of whom a found submission may belong to."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.write = store.write
        self.is_away = True

    async def read(self, work):
        if work.__name__ == "choose" and self.is_away:
            self.is_away = False
            raise StoreUnavailableError("away")
        return await self._store.read(work)


async def test_a_store_that_is_away_meanwhile_is_an_outage_and_no_fault_of_ours(world):
    worker = world.start(store=AwayOnce(world.store))
    task = await world.ended(await world.submit("a cat sandbox:lost-reply"))
    assert (task.state, task.submissions) == (TaskState.SUCCEEDED, 1)
    assert worker.counters.failures == 0
    assert "video.job_failed" not in worker.log.events()
    assert "video.store_unavailable" in worker.log.events()


@pytest.mark.parametrize("traits", [TRAITS, INEXACT])
async def test_what_is_not_found_fails_after_its_time_and_costs_nothing(world):
    worker = world.start()
    world.upstream.refuse_next(failure(FailureKind.UNKNOWN_OUTCOME))
    task_id = await world.submit()
    lost = await world.in_step(TaskStep.LOST, task_id)
    task = await world.ended(task_id, step=5)
    assert (task.state, task.failure.text) == (TaskState.FAILED, "Provider temporarily unavailable")
    assert LIMITS.lost_seconds <= task.ended_at - lost.sent_at <= LIMITS.lost_seconds + 100
    assert task.flag.startswith(f"whether {task_id}-1 was accepted is not known")
    assert (world.upstream.submissions, worker.counters.given_up) == ([], 1)
    assert world.upstream.calls["find"] >= 4
    await world.check_money(0)


async def test_a_search_that_fails_is_repeated(world):
    world.start()
    task_id = await world.submit("a cat sandbox:lost-reply")
    await world.in_step(TaskStep.LOST, task_id)
    world.upstream.refuse_next(*[failure(FailureKind.UNAVAILABLE)] * 3)
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    assert world.upstream.calls["find"] >= 4


@pytest.mark.parametrize("traits", [INEXACT])
async def test_without_our_id_two_lost_ones_are_never_taken_for_each_other(world):
    worker = world.start()
    first = await world.submit("a cat sandbox:lost-reply")
    await world.in_step(TaskStep.LOST, first)
    world.upstream.refuse_next(failure(FailureKind.UNKNOWN_OUTCOME))
    second = await world.submit("a dog")
    tasks = [await world.ended(task_id, step=5) for task_id in (first, second)]
    assert [task.state for task in tasks] == [TaskState.FAILED] * 2
    assert worker.counters.adopted == 0
    await world.check_money(0)


@pytest.mark.parametrize("traits", [INEXACT])
async def test_what_was_given_up_leaves_nothing_to_others(world):
    """The first is given up although it was accepted; its creation must not become the second's."""
    world.source.channels = {"ch_1": world.channel(limits=replace(LIMITS, lost_seconds=30))}
    worker = world.start(call_seconds=5)
    first = await world.submit("a cat sandbox:lost-reply")
    await world.in_step(TaskStep.LOST, first)
    world.upstream.forget()
    await world.ended(first)
    world.upstream.refuse_next(failure(FailureKind.UNKNOWN_OUTCOME))
    second = await world.submit("a dog")
    await world.in_step(TaskStep.LOST, second)
    world.upstream.recall()
    task = await world.ended(second)
    assert (task.state, worker.counters.adopted) == (TaskState.FAILED, 0)
    await world.check_money(0)


@pytest.mark.parametrize("traits", [INEXACT])
async def test_what_others_of_ours_have_is_not_adopted(world):
    worker = world.start()
    known = await world.submit("a dog")
    lost = await world.submit("a cat sandbox:lost-reply")
    tasks = [await world.ended(task_id) for task_id in (known, lost)]
    assert [task.state for task in tasks] == [TaskState.SUCCEEDED] * 2
    assert [task.upstream_task_id for task in tasks] == ["memory-1", "memory-2"]
    assert worker.counters.adopted == 1


@pytest.mark.parametrize("traits", [INEXACT])
async def test_a_second_channel_into_the_same_account_is_looked_at_too(world):
    world.source.channels["ch_2"] = world.channel("ch_2", priority=1)
    worker = world.start()
    lost = await world.submit("a cat sandbox:lost-reply")
    await world.in_step(TaskStep.LOST, lost)
    stolen = await world.upstream.submit(world.channel().access, Submission(id="foreign-1", model="m-1"))
    await world.store.write(lambda tx: tx.tasks.add(known_task(world, stolen.upstream_task_id), "elsewhere"))
    task = await world.ended(lost)
    assert (task.state, task.upstream_task_id) == (TaskState.SUCCEEDED, "memory-1")
    assert worker.counters.adopted == 1


def known_task(world, upstream_task_id):
    return make_task(
        999,
        world.clock.unix(),
        step=TaskStep.DONE,
        state=TaskState.FAILED,
        channel_id="ch_2",
        upstream_task_id=upstream_task_id,
        sent_at=world.clock.unix(),
    )


async def test_a_canceled_one_is_looked_for_all_the_same(world):
    world.start()
    task_id = await world.submit("a cat sandbox:lost-reply")
    await world.in_step(TaskStep.LOST, task_id)
    await world.cancel(task_id)
    task = await world.ended(task_id)
    assert task.state in {TaskState.CANCELED, TaskState.SUCCEEDED}
    await world.check_money(task.state is TaskState.SUCCEEDED)


async def test_what_could_not_be_looked_for_is_not_given_up(world):
    """The provider is away for the whole time of the search, and longer."""
    world.start()
    task_id = await world.submit("a cat sandbox:lost-reply")
    await world.in_step(TaskStep.LOST, task_id)
    world.upstream.refuse_next(*[failure(FailureKind.UNAVAILABLE)] * 15)
    await world.pass_time(LIMITS.lost_seconds + 100, step=5)
    assert (await world.task(task_id)).step is TaskStep.LOST
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    await world.check_money(1)


async def test_a_worker_that_comes_late_looks_first(world):
    worker = world.start()
    task_id = await world.submit("a cat sandbox:lost-reply")
    await world.in_step(TaskStep.LOST, task_id)
    await worker.kill()
    world.workers.clear()
    world.clock.advance(LIMITS.lost_seconds + 1000)
    world.upstream.refuse_next(failure(FailureKind.RATE_LIMITED))
    world.start("w2")
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED


async def test_a_provider_that_stays_away_is_given_up_at_last(world):
    world.source.channels = {"ch_1": world.channel(limits=replace(LIMITS, result_seconds=600))}
    world.start()
    task_id = await world.submit("a cat sandbox:lost-reply")
    lost = await world.in_step(TaskStep.LOST, task_id)
    world.upstream.refuse_next(*[failure(FailureKind.UNAVAILABLE)] * 999)
    task = await world.ended(task_id, seconds=2000, step=10)
    assert (task.state, "could not be asked" in task.flag) == (TaskState.FAILED, True)
    assert LIMITS.lost_seconds + 600 <= task.ended_at - lost.sent_at <= LIMITS.lost_seconds + 800
    await world.check_money(0)


async def test_a_channel_that_comes_back_finds_it(world):
    world.start()
    task_id = await world.submit("a cat sandbox:lost-reply")
    await world.in_step(TaskStep.LOST, task_id)
    channels, world.source.channels = world.source.channels, {}
    await world.pass_time(2000, step=50)
    assert (await world.task(task_id)).step is TaskStep.LOST
    world.source.channels = channels
    assert (await world.ended(task_id, step=10)).state is TaskState.SUCCEEDED
    await world.check_money(1)


async def test_a_channel_that_stays_away_gives_up_at_last(world):
    world.start()
    task_id = await world.submit("a cat sandbox:lost-reply")
    await world.in_step(TaskStep.LOST, task_id)
    world.source.channels = {}
    task = await world.ended(task_id, seconds=100_000, step=1000)
    assert (task.state, "could not be asked" in task.flag) == (TaskState.FAILED, True)
    await world.check_money(0)
