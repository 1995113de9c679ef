"""What `verify` says of tasks that are not what they must be."""

from dataclasses import replace

import pytest
from tests.edge.videos import T2V
from tests.support.money import FlakyStore
from tests.usecases.video_market import Market, price_of, result

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.tasks import MemoryTasks
from yuanjing.domain.artifacts import ArtifactKind
from yuanjing.domain.tasks import TaskState, VideoMeter
from yuanjing.domain.usage import PostedUsage
from yuanjing.domain.video_pricing import VideoRate
from yuanjing.domain.videos import TaskStep, VideoTask


def rows_of(market: Market) -> MemoryTasks:
    """The table itself, to be damaged as nothing that goes through the port can."""
    assert isinstance(market.store, FlakyStore)
    inner = market.store._store
    assert isinstance(inner, MemoryStore)
    return inner._tx.tasks


def damage(market: Market, task: VideoTask, **changes: object) -> None:
    rows = rows_of(market)._rows
    rows[task.id] = replace(rows[task.id], task=replace(rows[task.id].task, **changes))  # type: ignore[arg-type]


async def found(market: Market) -> list[str]:
    return [problem for problem in await market.problems() if problem.startswith("tasks: ")]


SUCCEEDED = [
    ({"state": TaskState.FAILED}, "it is failed, but its charge is 500000000"),
    ({"state": TaskState.RUNNING}, "it is running, but stands at done"),
    ({"ended_at": None}, "it stands at done, and its end is None"),
    ({"step": TaskStep.COPYING, "state": TaskState.RUNNING}, "it stands at copying, and its end is"),
    ({"charge_nanos": 1}, "has 500000000 settled and 0 released, not 1 and 499999999"),
    ({"ceiling_nanos": 9 * 10**8}, "not (<HoldPurpose.TASK"),
    ({"hold_id": "hold_none"}, "its hold hold_none does not exist"),
    ({"customer_id": "cus_b"}, "its hold"),
    ({"usage_id": "none"}, "it has succeeded, but there is no usage none"),
    ({"price_id": "other"}, "says"),
    ({"video_artifact_id": None}, "it has succeeded, but has no video"),
    ({"video_artifact_id": "none"}, "its video none does not exist"),
    ({"cover_artifact_id": "none"}, "its cover none does not exist"),
]


@pytest.mark.parametrize(("changes", "message"), SUCCEEDED, ids=str)
async def test_a_success_that_is_none(market: Market, changes: dict[str, object], message: str):
    task = await market.succeed(await market.claim(await market.submit()))
    assert task is not None
    assert await found(market) == []
    damage(market, task, **changes)
    (problem,) = await found(market)
    assert problem.startswith(f"tasks: {task.id}: ")
    assert message in problem


async def test_files_of_others(market: Market):
    one = await market.succeed(await market.claim(await market.submit()))
    other = await market.succeed(await market.claim(await market.submit()))
    assert one is not None
    assert other is not None
    damage(market, one, video_artifact_id=other.video_artifact_id)
    damage(market, other, cover_artifact_id=result(other, ArtifactKind.VIDEO).id)
    assert sorted(problem.rpartition(" ")[2] for problem in await found(market)) == ["else", "else"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": TaskState.SUCCEEDED}, "not 0 and 500000000"),
        ({"step": TaskStep.WAITING, "state": TaskState.QUEUED, "ended_at": None}, "but its hold"),
    ],
    ids=str,
)
async def test_a_failure_that_is_none(market: Market, changes: dict[str, object], message: str):
    task = await market.fail(await market.claim(await market.submit()))
    assert task is not None
    assert await found(market) == []
    damage(market, task, **changes)
    problems = await found(market)
    assert len(problems) == 1
    assert message in problems[0] or "there is no usage" in problems[0]


async def test_an_end_without_the_release_of_its_hold(market: Market):
    task = (await market.submit()).task
    damage(market, task, state=TaskState.FAILED, step=TaskStep.DONE, ended_at=5.0)
    (problem,) = await found(market)
    assert problem.endswith("it stands at done, but its hold " + task.hold_id + " is open")


async def test_usage_of_a_task_that_has_not_succeeded(market: Market):
    task = await market.succeed(await market.claim(await market.submit()))
    failed = await market.fail(await market.claim(await market.submit()))
    assert task is not None
    assert failed is not None
    damage(market, failed, usage_id=task.usage_id)
    (problem,) = await found(market)
    assert f"it is failed, but there is usage {task.usage_id}" in problem


async def test_a_hold_without_its_task(market: Market):
    task = (await market.submit()).task
    del rows_of(market)._rows[task.id]
    assert await found(market) == [f"tasks: {task.hold_id}: the hold is open, but there is no task that it is for"]


NO_SOUND = VideoRate(meter=VideoMeter.VIDEO_SECONDS, amount_nanos=1, per=1, has_audio=False)


@pytest.mark.parametrize(
    ("quote", "price", "message"),
    [
        ({"meters": {VideoMeter.VIDEO_SECONDS: 6}}, {}, "its ceiling is 500000000, its quote makes 600000000"),
        ({"meters": {VideoMeter.VIDEO_SECONDS: -1}}, {}, "its quote is impossible: {<VideoMeter.VIDEO_SECONDS"),
        ({}, {"rates": (NO_SOUND,)}, "its price price_t2 does not fit its quote: there is no rate of video_seconds"),
        ({}, None, "its price version none is not there, cannot be read, or is none of video"),
    ],
    ids=str,
)
async def test_a_ceiling_that_its_quote_does_not_make(market: Market, quote, price, message: str):
    task = (await market.submit()).task
    version = price_of(T2V, version=2, **(price or {}))
    await market.store.write(lambda tx: tx.catalog.add_price(version))
    price_id = task.price_id if price == {} else version.id if price else "none"
    damage(market, task, quote=replace(task.quote, **quote), price_id=price_id)
    (problem,) = await found(market)
    assert message in problem


CUTS = [
    {"meters": {"video_seconds": 4}},
    {"extra": {"share_video_seconds": "1/3"}},
    {"extra": {"whole_video_seconds": "9"}},
    {"extra": {"resolution": "480p"}},
]


@pytest.mark.parametrize("changes", CUTS, ids=str)
async def test_a_video_that_was_cut_otherwise_than_it_is_short(market: Market, changes: dict[str, dict[str, str]]):
    task = await market.succeed(await market.claim(await market.submit(duration="7")), seconds="2.5")
    assert task is not None
    assert await found(market) == []
    rows = rows_of_usages(market)
    posted = rows[task.usage_id]
    assert posted.record.extra["share_video_seconds"]
    changed = {name: {**getattr(posted.record, name), **values} for name, values in changes.items()}
    rows[task.usage_id] = replace(posted, record=replace(posted.record, **changed))  # type: ignore[arg-type]
    (problem,) = await found(market)
    assert "what was delivered makes" in problem


def rows_of_usages(market: Market) -> dict[str, PostedUsage]:
    assert isinstance(market.store, FlakyStore)
    inner = market.store._store
    assert isinstance(inner, MemoryStore)
    return inner._tx.usages._usages
