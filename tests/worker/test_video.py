from collections import Counter
from dataclasses import replace

import pytest
from tests.support.video import LIMITS, OFFER, failure, video_world

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.video_upstream import MemoryPace, MemoryVideoUpstream
from yuanjing.domain.tasks import FailureKind, TaskState
from yuanjing.domain.videos import TaskStep, VideoTask
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Tx
from yuanjing.worker.video.calls import ref_of


@pytest.fixture
async def world():
    clock = ManualClock()
    async with video_world(MemoryStore(clock=clock), clock) as made:
        yield made


async def test_from_waiting_to_success(world):
    worker = world.start()
    task_id = await world.submit()
    await world.check_money(0, held=1)
    states = []
    for _ in range(40):
        await world.settle()
        task = await world.task(task_id)
        if not states or states[-1] != (task.state, task.step):
            states.append((task.state, task.step))
        if task.state.is_final:
            break
        world.clock.advance(0.5)
    assert states == [
        (TaskState.QUEUED, TaskStep.POLLING),
        (TaskState.RUNNING, TaskStep.POLLING),
        (TaskState.SUCCEEDED, TaskStep.DONE),
    ]
    assert len(world.upstream.submissions) == 1
    await world.check_money(1)
    assert worker.counters.submissions == {"ch_1": 1}
    assert worker.counters.ended == {"succeeded": 1}
    assert worker.log.events() == []


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("moderation", "The result was withheld by the provider's content moderation"),
        ("invalid-input", "The provider refused the request's parameters"),
    ],
)
async def test_a_task_that_fails_costs_nothing(world, word, text):
    world.start()
    task = await world.ended(await world.submit(f"a cat sandbox:{word}"))
    assert (task.state, task.failure.text, task.flag) == (TaskState.FAILED, text, "")
    await world.check_money(0)


async def test_a_long_queue_is_waited_for(world):
    world.start()
    task = await world.ended(await world.submit("a cat sandbox:long-queue=300"), step=5)
    assert task.state is TaskState.SUCCEEDED
    assert 308 <= task.ended_at - task.created_at <= 330


async def test_a_stuck_task_expires_at_its_deadline_and_costs_nothing(world):
    worker = world.start()
    task = await world.ended(await world.submit("a cat sandbox:stuck"), seconds=900, step=10)
    assert (task.state, task.failure.text) == (TaskState.EXPIRED, "The task took too long and has expired")
    assert task.flag == "it has expired with us; the provider may go on, and charge"
    assert LIMITS.deadline_seconds <= task.ended_at - task.created_at <= LIMITS.deadline_seconds + 20
    assert world.upstream.calls["cancel"] == 1
    assert "video.flagged" in worker.log.events()
    await world.check_money(0)


async def test_a_task_that_ends_just_at_its_deadline_is_not_thrown_away(world):
    world.start()
    task_id = await world.submit("a cat sandbox:long-queue=20")
    await world.in_step(TaskStep.POLLING, task_id)
    for worker in world.workers:
        await worker.stop()
    world.clock.advance(700)
    world.start("w2")
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    await world.check_money(1)


async def test_off_peak_tasks_have_a_longer_deadline(world):
    world.start()
    task_id = await world.submit("a cat sandbox:long-queue=1000", request={"off_peak": True})
    assert (await world.ended(task_id, seconds=1200, step=10)).state is TaskState.SUCCEEDED


async def test_the_providers_own_expiry(world):
    world.start()
    task = await world.ended(await world.submit("a cat sandbox:stuck=30"))
    assert (task.state, task.flag) == (TaskState.EXPIRED, "")
    await world.check_money(0)


async def test_a_task_is_canceled_before_it_is_sent(world):
    world.source.channels.clear()
    world.start()
    task_id = await world.submit()
    await world.pass_time(5)
    assert (await world.task(task_id)).step is TaskStep.WAITING
    await world.cancel(task_id)
    await world.settle()
    task = await world.task(task_id)
    assert (task.state, task.failure.text) == (TaskState.CANCELED, "The task was canceled")
    assert world.upstream.submissions == []
    await world.check_money(0)


async def test_a_queued_task_is_canceled_at_the_provider(world):
    world.start()
    task_id = await world.submit("a cat sandbox:long-queue=50")
    await world.in_step(TaskStep.POLLING, task_id)
    await world.cancel(task_id)
    await world.settle()
    assert (await world.task(task_id)).state is TaskState.CANCELED
    assert world.upstream.calls["cancel"] == 1
    await world.check_money(0)


async def test_a_running_task_that_cannot_be_stopped_is_charged_if_it_succeeds(world):
    world.start()
    task_id = await world.submit()
    await world.until(lambda task: task.state is TaskState.RUNNING, task_id)
    await world.cancel(task_id)
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    assert world.upstream.calls["cancel"] >= 1
    await world.check_money(1)


async def test_what_cannot_be_canceled_is_asked_for_seldom(world):
    world.start()
    ids = [await world.submit("a cat sandbox:stuck") for _ in range(20)]
    for task_id in ids:
        await world.until(lambda task: task.state is TaskState.RUNNING, task_id)
    for task_id in ids:
        await world.cancel(task_id)
    await world.pass_time(200, step=2)
    assert 20 * 2 <= world.upstream.calls["cancel"] <= 20 * 5
    assert world.upstream.calls["query_many"] >= 10


async def test_what_could_not_be_canceled_is_tried_again_once_its_state_has_changed(world, monkeypatch):
    tries = []

    async def refuse(*_):
        tries.append(world.clock.unix() - begun)
        return False

    monkeypatch.setattr(world.upstream, "cancel", refuse)
    world.start()
    task_id = await world.submit("a cat sandbox:long-queue=50")
    begun = (await world.in_step(TaskStep.POLLING, task_id)).accepted_at
    await world.cancel(task_id)
    await world.pass_time(57)
    assert len(tries) == 4, "after 0, 10 and 20 s more, and then as it runs"
    assert tries[3] >= 50


async def test_a_task_that_someone_cancels_at_the_provider_is_flagged(world):
    world.start()
    task_id = await world.submit("a cat sandbox:long-queue=50")
    task = await world.in_step(TaskStep.POLLING, task_id)
    await world.upstream.cancel(world.channel().access, ref_of(task))
    task = await world.ended(task_id)
    assert (task.state, task.flag) == (TaskState.CANCELED, "it was canceled at the provider, not by its customer")
    await world.check_money(0)


async def test_a_hint_brings_the_end_forward(world):
    world.start()
    task_id = await world.submit("a cat sandbox:long-queue=200")
    task = await world.in_step(TaskStep.POLLING, task_id)
    while (await world.task(task_id)).next_at < world.clock.unix() + 10:
        await world.pass_time(1)
    before = world.upstream.calls["query"]
    await world.store.write(lambda tx: tx.tasks.hasten("ch_1", task.upstream_task_id, world.clock.unix()))
    await world.settle()
    assert world.upstream.calls["query"] == before + 1


async def test_a_clock_that_was_an_hour_ahead_keeps_nobody_waiting(world):
    """A worker of such a machine has asked once, and put the task off by its own clock."""
    worker = world.start()
    task_id = await world.submit("a cat sandbox:long-queue=100")
    await world.in_step(TaskStep.POLLING, task_id)
    await worker.stop()
    ahead = world.clock.unix() + 3600

    def put_off(tx: Tx) -> None:
        (claimed,) = tx.tasks.claim("w2", [TaskStep.POLLING], at=ahead, until=ahead + 30, limit=1)
        assert isinstance(claimed, VideoTask)
        assert claimed.claim is not None
        tx.tasks.postpone("w2", {task_id: (claimed.claim.token, ahead)})

    await world.store.write(put_off)
    worker = world.start()
    assert (await world.ended(task_id, seconds=200)).state is TaskState.SUCCEEDED
    assert worker.counters.brought_forward == 1
    await world.check_money(1)


async def test_many_tasks_are_asked_for_together(world):
    world.start()
    ids = [await world.submit() for _ in range(60)]
    for task_id in ids:
        assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    assert world.upstream.calls["query"] < 60
    assert world.upstream.calls["query_many"] > 0
    await world.check_money(60)


async def test_lists_that_tell_states_only_are_followed_by_a_question(world):
    world.upstream = MemoryVideoUpstream(
        world.clock, pace=MemoryPace(queue_seconds=2, run_seconds=6), lists_results=False
    )
    world.source.channels = {"ch_1": world.channel()}
    world.start()
    ids = [await world.submit() for _ in range(20)]
    for task_id in ids:
        assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    assert 20 <= world.upstream.calls["query"] <= 25
    await world.check_money(20)


async def test_a_failing_question_is_repeated_and_changes_nothing(world):
    worker = world.start()
    task_id = await world.submit()
    await world.in_step(TaskStep.POLLING, task_id)
    down = [failure(FailureKind.UNAVAILABLE), failure(FailureKind.PROVIDER_AUTH), failure(FailureKind.RATE_LIMITED)]
    world.upstream.refuse_next(*down)
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    assert worker.counters.call_failures == {
        ("ch_1", "unavailable"): 1,
        ("ch_1", "provider_auth"): 1,
        ("ch_1", "rate_limited"): 1,
    }
    await world.check_money(1)


async def test_a_task_that_its_provider_forgets_fails_with_a_flag(world):
    world.start()
    task_id = await world.submit("a cat sandbox:long-queue=500")
    await world.in_step(TaskStep.POLLING, task_id)
    world.upstream.forget()
    task = await world.ended(task_id)
    assert task.ended_at - task.accepted_at >= world.upstream.traits.unseen_seconds
    assert (task.state, task.failure.kind) == (TaskState.FAILED, FailureKind.NOT_FOUND)
    assert task.flag.startswith("one does not know memory-1")
    await world.check_money(0)


async def test_a_provider_must_not_know_a_task_several_times_in_a_row(world):
    world.start()
    task_id = await world.submit("a cat sandbox:long-queue=150")
    await world.in_step(TaskStep.POLLING, task_id)
    await world.pass_time(100)
    unseen, away = failure(FailureKind.NOT_FOUND), failure(FailureKind.UNAVAILABLE)
    world.upstream.refuse_next(away, away, away, unseen, unseen, away, unseen, unseen)
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    assert world.upstream.calls["query"] > 8
    await world.check_money(1)


async def test_a_list_that_is_not_there_says_nothing_of_tasks(world):
    world.start()
    ids = [await world.submit("a cat sandbox:long-queue=70") for _ in range(4)]
    await world.pass_time(65)
    for _ in range(4):
        world.upstream.refuse_next(failure(FailureKind.NOT_FOUND))
        for channel_task in ids:
            await hasten(world, channel_task)
        await world.settle()
    assert world.upstream.calls["query_many"] >= 4
    assert [(await world.ended(task_id)).state for task_id in ids] == [TaskState.SUCCEEDED] * 4


async def hasten(world, task_id):
    task = await world.task(task_id)
    await world.store.write(lambda tx: tx.tasks.hasten(task.channel_id, task.upstream_task_id, world.clock.unix()))


@pytest.mark.parametrize("kind", [FailureKind.UNAVAILABLE, FailureKind.RATE_LIMITED, FailureKind.PROVIDER_AUTH])
async def test_a_provider_that_cannot_be_asked_at_the_deadline_is_asked_again(world, kind):
    worker = world.start()
    task_id = await world.submit()
    await world.in_step(TaskStep.POLLING, task_id)
    await worker.kill()
    world.workers.clear()
    world.clock.advance(LIMITS.deadline_seconds + 100)
    world.upstream.refuse_next(*[failure(kind)] * 9)
    world.start("w2")
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    await world.check_money(1)


async def test_but_not_for_ever(world):
    limits = replace(LIMITS, result_seconds=300)
    world.source.channels = {"ch_1": world.channel(limits=limits)}
    world.start()
    task_id = await world.submit("a cat sandbox:stuck")
    await world.in_step(TaskStep.POLLING, task_id)
    world.upstream.refuse_next(*[failure(FailureKind.UNAVAILABLE)] * 999)
    task = await world.ended(task_id, seconds=2000, step=10)
    assert (task.state, "may go on" in task.flag) == (TaskState.EXPIRED, True)
    assert 900 <= task.ended_at - task.accepted_at <= 980
    await world.check_money(0)


async def test_a_success_without_a_file_costs_nothing(world):
    world.upstream.gives_files = False
    world.start()
    task = await world.ended(await world.submit())
    assert (task.state, task.failure.text) == (TaskState.FAILED, "Provider temporarily unavailable")
    assert "gives no file" in task.flag
    await world.check_money(0)


async def test_states_never_go_backwards(world):
    worker = world.start()
    task_id = await world.submit("a cat sandbox:long-queue=30")
    task = await world.in_step(TaskStep.POLLING, task_id)
    (claimed,) = await world.store.write(
        lambda tx: tx.tasks.claim("x", [TaskStep.POLLING], at=1e12, until=world.clock.unix(), limit=1)
    )
    running = replace(claimed, state=TaskState.RUNNING)
    await world.store.write(lambda tx: (tx.tasks.save(running), tx.tasks.unclaim("x", {task.id: claimed.claim.token})))
    await world.pass_time(20)
    assert (await world.task(task_id)).state is TaskState.RUNNING
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    assert worker.log.events() == []


async def test_a_channel_that_is_gone_leaves_its_tasks_until_their_results_are_gone(world):
    """Its provider's row says when; without a row the usual day."""
    world.source.limits = {"memory": replace(LIMITS, result_seconds=600), "other": replace(LIMITS, result_seconds=9)}
    world.start()
    task_id = await world.submit("a cat sandbox:long-queue=100")
    accepted = await world.in_step(TaskStep.POLLING, task_id)
    world.source.channels.clear()
    task = await world.ended(task_id, seconds=2000, step=10)
    assert (task.state, task.failure.detail) == (TaskState.EXPIRED, "its channel is gone")
    assert accepted.deadline_at + 600 <= task.ended_at <= accepted.deadline_at + 700
    assert task.flag
    await world.check_money(0)
    world.source.limits.clear()
    assert (await world.source.load()).limits_of(OFFER.id).result_seconds == 86_400
    assert (await world.source.load()).limits_of("gone").result_seconds == 86_400


async def test_a_channel_that_comes_back_after_the_deadline_still_has_the_result(world):
    world.start()
    task_id = await world.submit()
    await world.in_step(TaskStep.POLLING, task_id)
    channels, world.source.channels = world.source.channels, {}
    await world.pass_time(LIMITS.deadline_seconds + 300, step=20)
    assert (await world.task(task_id)).step is TaskStep.POLLING
    world.source.channels = channels
    assert (await world.ended(task_id, step=10)).state is TaskState.SUCCEEDED
    await world.check_money(1)


async def test_a_disabled_channel_gets_no_new_tasks_but_keeps_its_own(world):
    world.start()
    first = await world.submit()
    await world.in_step(TaskStep.POLLING, first)
    world.source.channels = {"ch_1": world.channel(is_enabled=False)}
    await world.pass_time(1)  # a turn that was under way knows the channels of before
    second = await world.submit()
    assert (await world.ended(first)).state is TaskState.SUCCEEDED
    assert (await world.task(second)).step is TaskStep.WAITING


async def test_an_adapter_that_fails_as_it_should_not_holds_up_nobody(world):
    worker = world.start()
    task_id = await world.submit()
    await world.in_step(TaskStep.POLLING, task_id)
    world.upstream.break_next(3)
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    assert worker.counters.failures == 3
    assert worker.log.events().count("video.call_failed") == 3


async def test_a_submission_that_fails_as_it_should_not_has_an_unknown_outcome(world):
    world.start()
    world.upstream.break_next(1)
    task_id = await world.submit()
    assert (await world.in_step(TaskStep.LOST, task_id)).submissions == 1


async def test_questions_without_news_are_written_together(world):
    """One unit of work for each look, however many tasks were asked for."""
    world.upstream._traits = replace(world.upstream.traits, batch_max=0)  # it is asked for each of them
    worker = world.start(look_seconds=0.02, look_seconds_min=0.02)
    ids = [await world.submit("a cat sandbox:stuck") for _ in range(40)]
    await world.pass_time(5)

    def counts() -> tuple[int, int, int]:
        return worker.counters.calls["ch_1", "query"], world.store.counters.writes, worker.passes.passes["video"]

    asked, written, looked = counts()
    await world.pass_time(20)
    more_asked, more_written, more_looked = counts()
    assert more_asked - asked > 150
    assert more_written - written <= more_looked - looked + 1
    assert (await world.task(ids[0])).step is TaskStep.POLLING
    await worker.stop()
    now = world.clock.unix()
    for task in await world.tasks():
        assert (task.claim, task.next_at > now - 1) == (None, True), task


async def test_a_list_that_must_be_searched_is_read_where_the_provider_allows_no_questions(world, monkeypatch):
    """It is far more work than the questions, for both sides; and of no use where it has hardly any of the tasks."""
    world.upstream._traits = replace(world.upstream.traits, calls_per_batch_max=3)
    worker = world.start()
    for _ in range(12):
        await world.submit("a cat sandbox:stuck")
    await world.settle()
    await worker.stop()
    tasks, poller, wide = await world.tasks(), worker.engine._poller, world.channel()
    narrow = world.channel("ch_2", limits=replace(LIMITS, queries_per_second=10))
    query_many, found = world.upstream.query_many, 12

    async def some(access, refs):
        listed = await query_many(access, refs)
        return dict(list(listed.items())[:found])

    async def lists(channel) -> int:
        before = world.upstream.calls["query_many"]
        await poller.poll(channel, tasks)
        world.clock.advance(20)
        return world.upstream.calls["query_many"] - before

    monkeypatch.setattr(world.upstream, "query_many", some)
    assert (await lists(wide), poller.together(wide)) == (0, 16)
    assert (await lists(narrow), poller.together(narrow)) == (1, 100)
    found = 3
    assert [await lists(narrow) for _ in range(4)] == [1, 0, 0, 1]
    assert poller.together(narrow) == 16


async def test_a_list_that_may_be_read_seldom_is_not_waited_for(world):
    worker = world.start()
    for _ in range(12):
        await world.submit("a cat sandbox:stuck")
    await world.settle()
    await worker.stop()
    tasks, poller = await world.tasks(), worker.engine._poller
    channel = world.channel("ch_2", limits=replace(LIMITS, queries_per_second=100, lists_per_second=1))
    seen: list[tuple[int, int]] = []
    for seconds in (0.0, 0.2, 1.0):
        world.clock.advance(seconds)
        before = dict(world.upstream.calls)
        await poller.poll(channel, tasks)
        seen.append(tuple(world.upstream.calls[name] - before.get(name, 0) for name in ("query_many", "query")))
    assert seen == [(1, 0), (0, 12), (1, 0)]


async def test_of_a_crowded_channel_some_tasks_are_put_off_and_all_are_asked_for_less_often(world, monkeypatch):
    world.upstream._traits = replace(world.upstream.traits, batch_max=0)
    worker = world.start(look_seconds=0.02, look_seconds_min=0.02, polls_max=8)
    for _ in range(40):
        await world.submit("a cat sandbox:stuck")
    await world.pass_time(30)
    guard = worker.engine._guards.of("ch_1", LIMITS)
    assert guard.pressure.value > 1.5
    assert worker.counters.in_hand["poll"] <= 8
    assert all(task.claim is None or task.step is TaskStep.POLLING for task in await world.tasks())
    asked = Counter()
    query = world.upstream.query

    async def counting(access, ref):
        asked[ref.upstream_task_id] += 1
        return await query(access, ref)

    monkeypatch.setattr(world.upstream, "query", counting)
    await world.pass_time(300)
    assert len(asked) == 40, "none of them is put off for ever"
