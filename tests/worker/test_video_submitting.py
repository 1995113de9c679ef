"""What happens until a provider has taken a task."""

from collections import Counter
from dataclasses import replace

import pytest
from tests.support.video import KEY, LIMITS, OFFER, channel_of, failure, video_world

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.video_upstream import MemoryVideoUpstream
from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import FailureKind, MediaRole, TaskState, UpstreamError
from yuanjing.domain.video_offers import VideoModel
from yuanjing.domain.videos import TaskMedia, TaskStep
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.artifacts import StorageUnavailableError
from yuanjing.ports.upstream import ChannelAccess
from yuanjing.usecases.artifacts.delivery import UndeliverableError

UNAVAILABLE_TEXT = "Provider temporarily unavailable"


@pytest.fixture
async def world():
    clock = ManualClock()
    async with video_world(MemoryStore(clock=clock), clock) as made:
        yield made


def two_channels(world, **second):
    """A channel that works after one whose calls can be made to fail."""
    other = MemoryVideoUpstream(world.clock, credentials=("other-key",))
    access = ChannelAccess(base_url="http://other.test", credential="other-key")
    values = {"id": "ch_2", "name": "two", "priority": 1, "access": access} | second
    world.source.channels = {"ch_1": world.channel(), "ch_2": channel_of(other, **values)}
    return other


async def test_the_submission_is_what_was_asked_for(world):
    callback_url = "https://ai.test/callbacks/video/ch_1/t0ken"
    world.source.channels = {"ch_1": world.channel(callback_url=callback_url, upstream_models={OFFER.id: "ep-1"})}
    video = replace(
        OFFER.video,
        models=(*OFFER.video.models, VideoModel(name="m-2")),
        extras={"style": "plain", "tail": 1},
        expires_after_seconds=3600,
    )
    world.source.offers = {OFFER.id: replace(OFFER, video=video)}
    world.start()
    asked = {"negative_prompt": "dog", "resolution": "720p", "ratio": "16:9", "seed": 7, "extras": {"tail": 2}}
    first = await world.submit(request=asked)
    task = await world.in_step(TaskStep.POLLING, first)
    [sent] = world.upstream.submissions
    assert (sent.id, sent.model, sent.prompt) == (f"{first}-1", "ep-1", "a cat")
    assert (sent.negative_prompt, sent.resolution, sent.ratio, sent.seed) == ("dog", "720p", "16:9", 7)
    assert (sent.duration_seconds, sent.expires_after_seconds) == (5, 3600)
    assert (sent.callback_url, dict(sent.extras)) == (callback_url, {"style": "plain", "tail": 2})
    assert (task.upstream_model, task.upstream_task_id, task.channel_id) == ("ep-1", "memory-1", "ch_1")
    assert task.deadline_at == task.accepted_at + LIMITS.deadline_seconds
    second = await world.submit(request={"model": "m-2"})
    await world.in_step(TaskStep.POLLING, second)
    assert world.upstream.submissions[1].model == "m-2", "only the offer's first model is renamed"


async def test_files_are_delivered_before_it_counts_as_sent(world):
    world.start()
    world.delivery.fail_next = [
        UpstreamError(failure(FailureKind.UNAVAILABLE)),
        UpstreamError(failure(FailureKind.RATE_LIMITED)),
        StorageUnavailableError("away"),
    ]
    media = (TaskMedia(role=MediaRole.FIRST_FRAME, artifact_id="art_1"),)
    task_id = await world.submit(request={"media": media})
    await world.add_artifact(task_id, "art_1")
    task = await world.ended(task_id)
    assert (task.state, task.submissions) == (TaskState.SUCCEEDED, 1)
    [sent] = world.upstream.submissions
    assert [(one.role, one.url) for one in sent.media] == [(MediaRole.FIRST_FRAME, "https://files.test/art_1")]


@pytest.mark.parametrize("error", [UndeliverableError, NotFoundError])
async def test_files_that_cannot_be_delivered_fail_the_task(world, error):
    world.start()
    world.delivery.fail_next = [error("no public address")]
    task_id = await world.submit(request={"media": (TaskMedia(role=MediaRole.FIRST_FRAME, artifact_id="art_1"),)})
    task = await world.ended(task_id)
    assert (task.state, task.failure.kind) == (TaskState.FAILED, FailureKind.UNAVAILABLE)
    assert (task.failure.text, task.failure.detail) == (UNAVAILABLE_TEXT, "no public address")
    assert task.flag
    assert world.upstream.submissions == []
    await world.check_money(0)


@pytest.mark.parametrize("kind", [FailureKind.UNAVAILABLE, FailureKind.RATE_LIMITED])
async def test_what_was_surely_not_accepted_is_sent_again(world, kind):
    worker = world.start()
    world.upstream.refuse_next(failure(kind), failure(kind))
    task = await world.ended(await world.submit())
    assert (task.state, task.submissions) == (TaskState.SUCCEEDED, 3)
    assert [one.id for one in world.upstream.submissions] == [f"{task.id}-3"]
    assert worker.counters.refusals == {("ch_1", kind.value): 2}
    await world.check_money(1)


@pytest.mark.parametrize("kind", [FailureKind.INVALID_INPUT, FailureKind.MODERATED])
async def test_a_refusal_of_the_request_itself_is_final(world, kind):
    two_channels(world)
    world.start()
    world.upstream.refuse_next(failure(kind, text="say it otherwise"))
    task = await world.ended(await world.submit())
    assert (task.state, task.failure.kind, task.failure.text) == (TaskState.FAILED, kind, "say it otherwise")
    assert (task.submissions, task.flag) == (1, "")
    await world.check_money(0)


async def test_retry_after_is_obeyed(world):
    world.start()
    world.upstream.refuse_next(failure(FailureKind.RATE_LIMITED), retry_after_seconds=100)
    first = await world.submit()
    await world.settle()
    second = await world.submit()
    await world.pass_time(95, step=5)
    assert world.upstream.submissions == [], "the whole channel waits"
    assert (await world.ended(first)).state is TaskState.SUCCEEDED
    assert (await world.ended(second)).state is TaskState.SUCCEEDED


@pytest.mark.parametrize("kind", [FailureKind.RATE_LIMITED, FailureKind.UNAVAILABLE, FailureKind.PROVIDER_BALANCE])
async def test_only_time_ends_a_task_that_is_refused_for_a_time(world, kind):
    world.start(avoid_seconds=60, avoid_seconds_max=60)
    world.upstream.refuse_next(*[failure(kind)] * 40)
    task = await world.ended(await world.submit(), seconds=7200, step=10)
    assert (task.state, task.submissions) == (TaskState.SUCCEEDED, 41)
    assert task.ended_at - task.created_at > 1200
    await world.check_money(1)


async def test_attempts_come_to_an_end(world):
    world.start(wait_seconds=300)
    task = await world.ended(await world.submit("a cat sandbox:429"), step=5)
    assert (task.state, task.failure.text) == (TaskState.FAILED, UNAVAILABLE_TEXT)
    assert (300 <= task.ended_at - task.created_at <= 310, task.flag) == (True, "no channel took it in time")
    assert world.upstream.submissions == []
    await world.check_money(0)


async def test_retry_after_does_not_lengthen_the_wait(world):
    world.start(wait_seconds=300)
    world.upstream.refuse_next(failure(FailureKind.RATE_LIMITED), retry_after_seconds=5000)
    task = await world.ended(await world.submit(), step=5)
    assert (task.state, task.ended_at - task.created_at <= 310) == (TaskState.FAILED, True)


async def test_a_commit_that_took_too_long_is_not_followed_by_a_submission(world, monkeypatch):
    """The store was away: what would be sent now would be looked for at another time."""
    worker = world.start()
    desk = worker.engine._desk
    keep, delays = desk.keep, [desk.options.claim_seconds]

    async def slow(task, text):
        is_ours = await keep(task, text)
        world.clock.advance(delays.pop() if delays else 0)
        return is_ours

    monkeypatch.setattr(desk, "keep", slow)
    task = await world.ended(await world.submit())
    assert (task.state, task.submissions) == (TaskState.SUCCEEDED, 2)
    assert [one.id for one in world.upstream.submissions] == [f"{task.id}-2"]
    assert "not sent: it took too long to write that it would be" in await world.events(task.id)


async def test_another_channel_is_tried_first_after_a_failure(world):
    other = two_channels(world)
    world.start()
    world.upstream.refuse_next(failure(FailureKind.UNAVAILABLE))
    task = await world.ended(await world.submit())
    assert (task.state, task.channel_id, len(other.submissions)) == (TaskState.SUCCEEDED, "ch_2", 1)


@pytest.mark.parametrize("kind", [FailureKind.PROVIDER_AUTH, FailureKind.PROVIDER_BALANCE])
async def test_trouble_with_our_account_is_not_the_customers(world, kind):
    other = two_channels(world)
    worker = world.start()
    world.upstream.refuse_next(failure(kind))
    tasks = [await world.ended(await world.submit()) for _ in range(2)]
    assert [task.state for task in tasks] == [TaskState.SUCCEEDED] * 2
    assert (len(other.submissions), len(world.upstream.submissions)) == (2, 0), "the channel is avoided"
    assert "video.channel_avoided" in worker.log.events()
    await world.pass_time(60, step=10)
    assert (await world.ended(await world.submit())).channel_id == "ch_1", "but not for ever"


async def test_without_another_channel_tasks_wait_for_our_account(world):
    world.start()
    world.upstream.refuse_next(failure(FailureKind.PROVIDER_BALANCE), failure(FailureKind.PROVIDER_BALANCE))
    task_id = await world.submit()
    await world.pass_time(25, step=5)
    assert (await world.task(task_id)).submissions == 1
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED
    await world.check_money(1)


async def test_a_model_that_a_channel_lacks_is_looked_for_on_another(world):
    two_channels(world)
    world.start()
    world.upstream.refuse_next(failure(FailureKind.NOT_FOUND))
    assert (await world.ended(await world.submit())).channel_id == "ch_2"
    other = two_channels(world)
    await world.settle()
    world.upstream.refuse_next(*[failure(FailureKind.NOT_FOUND)] * 2)
    other.refuse_next(failure(FailureKind.RATE_LIMITED), failure(FailureKind.NOT_FOUND))
    task = await world.ended(await world.submit())
    assert (task.state, task.failure.text, task.flag) == (
        TaskState.FAILED,
        UNAVAILABLE_TEXT,
        "two: not_found not_found",
    )


async def test_files_that_one_channel_cannot_take_go_to_another(world):
    other = two_channels(world)
    world.source.channels["ch_3"] = channel_of(other, id="ch_3", name="three", priority=2)
    world.start()
    world.delivery.fail_next = [UndeliverableError("no public address")]
    media = (TaskMedia(role=MediaRole.FIRST_FRAME, artifact_id="art_1"),)
    first = await world.submit(request={"media": media})
    await world.add_artifact(first, "art_1")
    sent = await world.in_step(TaskStep.POLLING, first)
    assert (sent.channel_id, sent.sent_at, sent.submissions) == ("ch_2", sent.created_at, 1), "at once"
    assert "its files cannot be given to one: no public address" in await world.events(first)
    world.delivery.fail_next = [UndeliverableError("no public address") for _ in range(3)]
    second = await world.submit(request={"media": media})
    task = await world.ended(second)
    assert (task.state, task.flag) == (TaskState.FAILED, "its files cannot be given to three: no public address")
    tried = [text.split(":")[0] for text in await world.events(second) if "cannot be given" in text]
    assert tried[:2] == ["its files cannot be given to one", "its files cannot be given to two"], "each once"
    assert world.delivery.fail_next == []


async def test_a_channel_that_lacks_it_is_not_tried_again_while_another_is_full(world):
    two_channels(world, limits=replace(LIMITS, tasks_max=1))
    world.start()
    world.source.channels["ch_1"] = world.channel(is_enabled=False)
    full = await world.submit("a cat sandbox:long-queue=100")
    await world.in_step(TaskStep.POLLING, full)
    world.source.channels["ch_1"] = world.channel()
    await world.settle()
    world.upstream.refuse_next(failure(FailureKind.NOT_FOUND))
    task_id = await world.submit()
    await world.pass_time(60)
    assert ((await world.task(task_id)).step, world.upstream.calls["submit"]) == (TaskStep.WAITING, 1)
    assert (await world.ended(task_id)).channel_id == "ch_2"


async def test_nobody_takes_it_in_time(world):
    world.source.channels.clear()
    world.start(wait_seconds=300)
    task_id = await world.submit()
    await world.pass_time(290, step=10)
    assert (await world.task(task_id)).step is TaskStep.WAITING
    task = await world.ended(task_id, step=10)
    assert (task.state, task.failure.text) == (TaskState.FAILED, UNAVAILABLE_TEXT)
    await world.check_money(0)


async def test_books_are_kept_apart(world):
    world.start()
    task_id = await world.submit()
    await world.in_step(TaskStep.POLLING, task_id)
    world.source.channels = {"ch_1": world.channel(book=Book.TEST)}
    await world.settle()
    other = await world.submit()
    await world.pass_time(5)
    assert (await world.task(other)).step is TaskStep.WAITING
    world.source.channels["ch_2"] = world.channel("ch_2")
    assert (await world.ended(other)).channel_id == "ch_2"


async def test_a_provider_is_never_given_more_than_it_takes(world):
    limits = replace(LIMITS, tasks_max=5)
    world.source.channels = {"ch_1": world.channel(limits=limits)}
    world.start()
    ids = [await world.submit() for _ in range(23)]
    most = 0
    while not all([(await world.task(task_id)).state.is_final for task_id in ids]):
        await world.pass_time(1)
        [load] = await world.store.read(lambda tx: tx.tasks.loads()) or [None]
        most = max(most, load.tasks if load else 0)
    assert most == 5
    await world.check_money(23)


async def test_submissions_keep_their_rate(world):
    limits = replace(LIMITS, submits_per_minute=60)
    world.source.channels = {"ch_1": world.channel(limits=limits)}
    world.start()
    for _ in range(30):
        await world.submit()
    await world.pass_time(10)
    assert 10 <= len(world.upstream.submissions) <= 12


async def test_a_full_provider_is_shared_fairly(world):
    limits = replace(LIMITS, tasks_max=4)
    world.source.channels = {"ch_1": world.channel(limits=limits)}
    for _ in range(40):
        await world.submit("many")
    for _ in range(4):
        await world.submit("few", customer_id="cus_b")
    world.start()
    while len(world.upstream.submissions) < 9:
        await world.pass_time(0.5, step=0.5)
    assert Counter(one.prompt for one in world.upstream.submissions[:9])["few"] == 4


async def test_a_full_provider_keeps_no_other_waiting(world):
    other_offer = replace(OFFER, id="w" * 21, model="m-9", providers={"elsewhere": "m-1"})
    other = MemoryVideoUpstream(world.clock)
    full = world.channel(limits=replace(LIMITS, tasks_max=1))
    free = channel_of(other, id="ch_9", provider_id="elsewhere", access=ChannelAccess(base_url="b", credential=KEY))
    world.source.channels = {"ch_1": full, "ch_9": free}
    world.source.offers[other_offer.id] = other_offer
    for _ in range(60):
        await world.submit("a cat sandbox:stuck")
    last = await world.submit(offer_id=other_offer.id)
    world.start(submits_max=4)
    assert (await world.in_step(TaskStep.POLLING, last)).created_at == world.clock.unix(), "at once"


async def test_an_answer_that_names_another_task_is_flagged(world):
    world.start()
    first = await world.submit("a cat sandbox:long-queue=500")
    await world.in_step(TaskStep.POLLING, first)
    world.upstream.submissions.clear()  # the twin counts its ids by them: the next one is the same again
    task = await world.in_step(TaskStep.LOST, await world.submit())
    assert task.flag == "the provider answered with the task memory-1 of another submission"
