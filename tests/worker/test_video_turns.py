"""Refusals of our account: whom they keep waiting, for how long, and what those are told."""

import itertools
from dataclasses import replace

import pytest
from tests.support.video import KEY, OFFER, START_NANOS, channel_of, failure, video_world

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.video_upstream import MemoryVideoUpstream
from yuanjing.domain import ledger
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import AcceptedSubmission, Failure, FailureKind, Submission, TaskState, UpstreamError
from yuanjing.domain.video_offers import VideoModel
from yuanjing.domain.videos import TaskStep
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.upstream import ChannelAccess

AUTH = FailureKind.PROVIDER_AUTH
TWO_MODELS = replace(OFFER, video=replace(OFFER.video, models=(*OFFER.video.models, VideoModel(name="m-2"))))


class Picky(MemoryVideoUpstream):
    """Refuses what the test says, as often as it comes; and notes when each was sent."""

    def __init__(self, clock: ManualClock, refused: dict[str, Failure]) -> None:
        super().__init__(clock)
        self._now = clock
        self.refused = refused
        """By a word in the prompt, or by the model."""
        self.sent: list[tuple[float, str]] = []

    async def submit(self, access: ChannelAccess, submission: Submission) -> AcceptedSubmission:
        self.sent.append((self._now.unix(), submission.prompt))
        for word in (*submission.prompt.split(), submission.model):
            if word in self.refused:
                raise UpstreamError(self.refused[word])
        return await super().submit(access, submission)

    def times_of(self, prompt: str) -> list[float]:
        return [at for at, sent in self.sent if sent == prompt]


@pytest.fixture
async def world():
    clock = ManualClock()
    async with video_world(MemoryStore(clock=clock), clock) as made:
        yield made


def refusing(world, refused: dict[str, Failure], **changes: object) -> Picky:
    """The world's one channel refuses these."""
    upstream = Picky(world.clock, refused)
    access = ChannelAccess(base_url="http://memory.test", credential=KEY)
    world.source.channels = {"ch_1": channel_of(upstream, access=access, **changes)}
    return upstream


async def test_a_model_that_is_not_open_keeps_no_other_waiting(world):
    upstream = refusing(world, {"m-2": failure(AUTH, code="ModelNotOpen", is_of_model=True)})
    world.source.offers = {OFFER.id: TWO_MODELS}
    for _ in range(6):
        await world.submit("closed", request={"model": "m-2"})
    worker = world.start()
    await world.pass_time(10)
    ids = [await world.submit(customer_id="cus_b") for _ in range(10)]
    ids += [await world.submit("hers")]
    for task_id in ids:
        task = await world.ended(task_id)
        assert (task.state, task.sent_at) == (TaskState.SUCCEEDED, task.created_at), "at once"
    told = [kw for event, kw in worker.log.lines if event == "video.channel_avoided"]
    assert {one["model"] for one in told} == {"m-2"}
    await world.pass_time(300)
    first, *later = sorted(set(upstream.times_of("closed")))
    assert [upstream.times_of("closed").count(at) for at in later] == [1] * len(later), "one at a time shows it"
    assert [at - first >= least for at, least in zip(later, (30, 90, 210), strict=False)] == [True] * len(later)
    upstream.refused.clear()
    assert {(await world.ended(task.id, step=5)).state for task in await world.tasks()} == {TaskState.SUCCEEDED}


async def test_tasks_that_are_refused_do_not_keep_those_of_others_out(world):
    """The provider blames our account for what is wrong with a task: an innocent one opens the channel again."""
    upstream = refusing(world, {"poison": failure(AUTH)})
    world.start()
    for _ in range(6):
        await world.submit("poison")
    await world.pass_time(1)
    begun = world.clock.unix()
    ids = [await world.submit("good", customer_id="cus_b") for _ in range(10)]
    tasks = [await world.ended(task_id) for task_id in ids]
    assert {task.state for task in tasks} == {TaskState.SUCCEEDED}
    assert max(task.sent_at for task in tasks) - begun <= 35
    assert next(at - begun for at, _ in upstream.sent if at > begun) >= 29, "the channel was left alone"
    assert next(prompt for at, prompt in upstream.sent if at > begun) == "good", "who was refused is behind"


async def test_one_task_alone_shows_if_a_channel_takes_them_again(world):
    refused = {"any": failure(FailureKind.PROVIDER_BALANCE)}
    upstream = refusing(world, refused)
    world.start()
    ids = [await world.submit("any 0")]
    await world.settle()
    ids += [await world.submit(f"any {number}") for number in range(1, 20)]
    await world.pass_time(200)
    times = [at - upstream.sent[0][0] for at, _ in upstream.sent]
    assert [times[0], *(round(at / 5) * 5 for at in times[1:])] == [0, 30, 90], times
    assert len({prompt for _, prompt in upstream.sent}) == 3, "each time another"
    refused.clear()
    tasks = [await world.ended(task_id, step=5) for task_id in ids]
    assert {task.state for task in tasks} == {TaskState.SUCCEEDED}
    assert max(task.sent_at for task in tasks) - upstream.sent[3][0] <= 10, "its success lets all the others through"
    await world.check_money(20)


async def test_a_task_that_is_refused_waits_ever_longer(world):
    upstream = refusing(world, {"poison": failure(AUTH)})
    world.start(avoid_seconds=10, avoid_seconds_max=80)
    await world.submit("poison")
    await world.pass_time(400)
    times = upstream.times_of("poison")
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    bounds = ((10, 17), (20, 27), (40, 47), (80, 87))
    assert all(low <= pause <= high for pause, (low, high) in zip(pauses, bounds, strict=False)), pauses
    assert 5 <= len(times) <= 8


@pytest.mark.parametrize("word", ["401", "429"])
async def test_in_the_test_book_a_word_closes_no_channel(world, word):
    grants = [ledger.grant(Book.TEST, one, START_NANOS, cause=f"play-{one}") for one in ("cus_a", "cus_b")]
    await world.store.write(lambda tx: tx.ledger.post(grants))
    world.source.channels = {"ch_1": world.channel(book=Book.TEST)}
    worker = world.start()
    bad = [await world.submit(f"a cat sandbox:{word}", book=Book.TEST) for _ in range(6)]
    await world.settle()
    for _ in range(5):
        task = await world.ended(await world.submit(customer_id="cus_b", book=Book.TEST))
        assert (task.state, task.sent_at) == (TaskState.SUCCEEDED, task.created_at), "at once"
    assert {(await world.task(task_id)).step for task_id in bad} == {TaskStep.WAITING}
    assert max([(await world.task(task_id)).failures for task_id in bad]) <= 7, "they alone wait, ever longer"
    assert "video.channel_avoided" not in worker.log.events()


# what those who wait are told


async def test_who_waits_is_told_once_that_the_channel_is_left_alone(world):
    refusing(world, {"poison": failure(AUTH)})
    worker = world.start()
    other = world.start("w2")
    await world.submit("poison")
    await world.settle()
    task_id = await world.submit("good", customer_id="cus_b")
    for guards in (worker.engine._guards, other.engine._guards):
        channel = world.source.channels["ch_1"]
        guards.avoid(guards.of("ch_1", channel.limits))
    await world.pass_time(20)
    [told] = [text for text in await world.events(task_id) if text.startswith("waits")]
    assert told.startswith("waits: our account was refused, one is left alone until 20")
    assert told.endswith(" UTC")
    assert (await world.ended(task_id)).state is TaskState.SUCCEEDED


async def test_who_waits_is_told_that_there_is_no_channel_or_no_room(world):
    channels, world.source.channels = world.source.channels, {}
    world.start()
    task_id = await world.submit("a cat sandbox:long-queue=30")
    await world.pass_time(4)
    assert await world.events(task_id) == ["submitted"], "it may be a moment only"
    await world.pass_time(30)
    assert await world.events(task_id) == ["submitted", "waits: no channel is there for it"]
    world.source.channels = {one.id: replace(one, limits=replace(one.limits, tasks_max=1)) for one in channels.values()}
    await world.in_step(TaskStep.POLLING, task_id)
    second = await world.submit()
    await world.pass_time(20)
    assert await world.events(second) == ["submitted", "waits: no channel has room"]
    assert (await world.ended(second)).state is TaskState.SUCCEEDED
