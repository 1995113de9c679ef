"""The two ends of a task, of which exactly one happens, once."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from tests.edge.videos import I2V
from tests.support.money import FlakyStore
from tests.usecases.video_market import CEILING, FAILURE, PRICE_NANOS, YUAN, Market, a_file

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.tasks import TaskState, VideoMeter
from yuanjing.domain.usage import UsageStatus
from yuanjing.domain.videos import Outcome, TaskStep, VideoTask
from yuanjing.ports.store import Topic, Tx
from yuanjing.usecases.expiry import expire_holds
from yuanjing.usecases.usages import show_usage
from yuanjing.usecases.videos.finishing import finish_unsuccessful

START = 10 * YUAN


def told(seconds: str, **changes: object) -> Outcome:
    values: dict[str, object] = {"meters": {VideoMeter.VIDEO_SECONDS: Decimal(seconds)}, "ended_at": 1.0}
    return Outcome(**(values | changes))  # type: ignore[arg-type]


async def test_a_success_is_charged_in_the_transaction_that_ends_it(market: Market):
    task = await market.claim(await market.submit(duration="7"), outcome=told("5", details={"SR": 720, "model": "x"}))
    market.clock.advance(90)
    done = await market.succeed(task)
    assert done == await market.task(task.id)
    assert (done.state, done.step, done.ended_at) == (TaskState.SUCCEEDED, TaskStep.DONE, market.clock.unix())
    assert done.charge_nanos == 5 * PRICE_NANOS
    assert done.usage == {"action": "t2v", "model": "x", "duration": 5, "resolution": "720p", "SR": 720}
    balances = await market.balances()
    assert (balances.available_nanos, balances.held_nanos) == (START - 5 * PRICE_NANOS, 0)
    usage = await market.store.read(lambda tx: tx.usages.get(task.usage_id))
    assert usage is not None
    record = usage.record
    assert usage.settle_transfer_id == f"settle:task:{task.id}:{task.hold_id}"
    assert (record.meters, record.charge_nanos, record.overrun_nanos) == ({"video_seconds": 5}, 5 * PRICE_NANOS, 0)
    assert (record.ceiling_nanos, record.status, record.is_estimated) == (
        7 * PRICE_NANOS,
        UsageStatus.COMPLETED,
        False,
    )
    assert (record.request_id, record.upstream_request_id, record.attempts) == ("req_1", f"up-{task.id}", 1)
    assert (record.operation, record.duration_ms) == ("text_to_video", 90_000)
    assert record.extra == {
        "task_id": task.id,
        "model": "dream",
        "resolution": "720p",
        "has_audio": "true",
        "is_off_peak": "false",
        "has_video_input": "false",
        "measured_seconds": "5.04",
        "asked_seconds": "7",
        "told_video_seconds": "5",
    }
    files = await market.store.read(lambda tx: [one.id for one in tx.artifacts.of_task(task.id)])
    assert files == [done.cover_artifact_id, done.video_artifact_id]
    assert await market.problems() == []


@pytest.mark.parametrize("state", [TaskState.FAILED, TaskState.CANCELED, TaskState.EXPIRED])
async def test_any_other_end_costs_nothing(market: Market, state: TaskState):
    task = await market.claim(await market.submit(), TaskStep.POLLING)
    done = await market.fail(task, state, flag="look")
    assert done == await market.task(task.id)
    assert (done.state, done.step, done.failure, done.flag) == (state, TaskStep.DONE, FAILURE, "look")
    assert (done.charge_nanos, done.usage) == (0, None)
    balances = await market.balances()
    assert (balances.available_nanos, balances.held_nanos) == (START, 0)
    assert await market.store.read(lambda tx: tx.usages.get(task.usage_id)) is None
    events = await market.store.read(lambda tx: tx.tasks.events(task.id))
    assert events[-1].text == f"{state.value}: moderated E1"
    signals = await market.store.read(lambda tx: tx.signals.since(0, 100))
    assert [(one.topic, one.subject) for one in signals] == [(Topic.FUNDS, "live:cus_a")]
    assert await market.problems() == []


@pytest.mark.parametrize("second", ["succeed", "fail"])
@pytest.mark.parametrize("first", ["succeed", "fail"])
async def test_only_the_first_end_counts(market: Market, first: str, second: str):
    task = await market.claim(await market.submit())
    done = await getattr(market, first)(task)
    balances = await market.balances()
    assert await getattr(market, second)(task) is None
    assert await market.task(task.id) == done
    assert await market.balances() == balances
    assert await market.problems() == []


@pytest.mark.parametrize("how", ["succeed", "fail"])
async def test_who_has_lost_the_claim_ends_nothing(market: Market, how: str):
    old = await market.claim(await market.submit())
    market.clock.advance(100)
    mine = await market.store.write(
        lambda tx: tx.tasks.claim("w2", [TaskStep.COPYING], at=market.clock.unix(), until=10.0**10, limit=1)
    )
    assert await getattr(market, how)(old) is None
    assert (await market.balances()).held_nanos == CEILING
    await market.store.write(lambda tx: tx.tasks.unclaim("w2", {old.id: 2}))
    assert await getattr(market, how)(mine[0]) is None, "not even under a claim that was given back"
    assert await getattr(market, how)(replace(old, claim=None)) is None
    assert await market.problems() == []


@pytest.mark.parametrize("how", ["succeed", "fail"])
async def test_an_end_whose_answer_was_lost_is_not_repeated(market: Market, how: str):
    task = await market.claim(await market.submit())
    store = market.store
    assert isinstance(store, FlakyStore)
    store.fail_after = 1
    with pytest.raises(StoreUnavailableError):
        await getattr(market, how)(task)
    assert await getattr(market, how)(task) is None
    assert (await market.task(task.id)).state.is_final
    assert await market.problems() == []


async def test_nothing_of_a_broken_end_remains(market: Market):
    task = await market.claim(await market.submit())

    def work(tx: Tx) -> None:
        assert market.finish(tx, task) is not None
        raise RuntimeError("the process is killed before the commit")

    with pytest.raises(RuntimeError):
        await market.store.write(work)
    assert await market.task(task.id) == task
    assert (await market.balances()).held_nanos == CEILING
    assert await market.succeed(task) is not None
    assert await market.problems() == []


async def test_more_than_the_ceiling_is_the_platforms(market: Market):
    task = await market.claim(await market.submit(), outcome=told("8.2"))
    done = await market.succeed(task, seconds="8.2")
    assert done is not None
    assert done.charge_nanos == CEILING
    usage = await market.store.read(lambda tx: tx.usages.get(task.usage_id))
    assert usage is not None
    assert (usage.record.meters, usage.record.overrun_nanos) == ({"video_seconds": 9}, 4 * PRICE_NANOS)
    overrun = await market.store.read(lambda tx: tx.ledger.account_balances(task.book)["overrun"])
    assert overrun == -4 * PRICE_NANOS
    assert await market.problems() == []


async def test_less_than_asked_is_charged_as_it_is(market: Market):
    task = await market.claim(await market.submit(), outcome=told("5"))
    done = await market.succeed(task, seconds="2.6")
    assert done is not None
    assert (done.charge_nanos, done.usage and done.usage["duration"]) == (3 * PRICE_NANOS, 3)
    usage = await market.store.read(lambda tx: tx.usages.get(task.usage_id))
    assert usage is not None
    assert (usage.record.extra["measured_seconds"], usage.record.extra["told_video_seconds"]) == ("2.6", "5")
    shown = await show_usage(market.store, task.usage_id)
    assert shown.lines[1:6] == (
        "for      dream, 720p, with sound",
        "asked    5 s; delivered 2.6 s",
        "told     5 video_seconds by the provider",
        "cut      5 x 13/25 = 2.6 video_seconds, rounded up to 3",
        "         3 video_seconds x 0.10 CNY = 0.30 CNY",
    )
    events = await market.store.read(lambda tx: tx.tasks.events(task.id))
    assert events[-1].text == "it has succeeded; less was delivered than asked for, 3 video_seconds are charged"
    assert await market.problems() == []


async def test_a_smaller_picture_is_charged_by_its_part_and_told(market: Market):
    task = await market.claim(await market.submit(), outcome=told("5", details={"duration": 5}))
    done = await market.succeed(task, size=(640, 360))
    assert done is not None
    assert (done.charge_nanos, done.usage and done.usage["duration"]) == (2 * PRICE_NANOS, 2)
    shown = await show_usage(market.store, task.usage_id)
    assert shown.is_consistent
    assert shown.lines[2:5] == (
        "asked    5 s, 1280x720, 720p; delivered 5.04 s, 640x360",
        "told     5 video_seconds by the provider",
        "cut      5 x 1/4 = 1.25 video_seconds, rounded up to 2",
    )
    assert await market.problems() == []


async def test_a_provider_that_has_counted_less_itself_is_told_as_it_is(market: Market):
    task = await market.claim(await market.submit(), outcome=told("3", details={"duration": 3}))
    done = await market.succeed(task, seconds="3.04")
    assert done is not None
    assert (done.charge_nanos, done.usage and done.usage["duration"]) == (3 * PRICE_NANOS, 3)
    shown = await show_usage(market.store, task.usage_id)
    assert shown.lines[2:5] == (
        "asked    5 s; delivered 3.04 s",
        "told     3 video_seconds by the provider",
        "         3 video_seconds x 0.10 CNY = 0.30 CNY",
    )


async def test_a_provider_that_counts_nothing_is_estimated(market: Market):
    task = await market.claim(await market.submit(), outcome=Outcome(ended_at=1.0))
    done = await market.succeed(task)
    assert done is not None
    assert done.charge_nanos == CEILING
    usage = await market.store.read(lambda tx: tx.usages.get(task.usage_id))
    assert usage is not None
    assert usage.record.is_estimated
    assert await market.problems() == []


@pytest.mark.parametrize("how", ["succeed", "fail"])
async def test_money_that_is_released_can_be_spent_again(market: Market, how: str):
    for _ in range(20):
        last = await market.submit()
    await getattr(market, how)(await market.claim(last, outcome=told("1")))
    assert (await market.balances()).available_nanos == (CEILING if how == "fail" else 4 * PRICE_NANOS)


async def test_a_hold_is_never_taken_from_a_task_that_is_under_way(market: Market):
    first, second = await market.submit(), await market.submit()
    await market.fail(await market.claim(second))
    market.clock.advance(30 * 86_400)
    assert await expire_holds(market.store, market.clock, ttl_seconds=900) == 0
    (hold,) = (await market.store.read(lambda tx: tx.holds.lock([first.task.hold_id]))).values()
    assert (hold.closed_at, hold.expires_at) == (None, market.clock.unix() + 900)
    assert await market.succeed(await market.claim(first)) is not None
    assert await market.problems() == []


async def test_the_ends_race_on_a_database(sql_market: Market):
    """Success and failure at the same time, from two sides, of many tasks: one of them happens to each."""
    await sql_market.prepare()
    tasks = [await sql_market.claim(await sql_market.submit()) for _ in range(6)]
    ended: dict[str, list[VideoTask]] = {task.id: [] for task in tasks}

    async def end(task: VideoTask, how: str) -> None:
        done = await getattr(sql_market, how)(task)
        if done is not None:
            ended[task.id].append(done)

    async with asyncio.TaskGroup() as group:
        for number, task in enumerate(tasks * 2):
            group.create_task(end(task, ("succeed", "fail")[number % 2]))
            group.create_task(end(task, ("fail", "succeed")[number % 2]))
            group.create_task(expire_holds(sql_market.store, sql_market.clock, ttl_seconds=900))
    assert all(len(found) == 1 for found in ended.values())
    for (done,) in ended.values():
        assert await sql_market.task(done.id) == done
    assert await sql_market.problems() == []


async def test_an_image_to_video_task_is_finished_as_its_offer(market: Market):
    submitted = await market.submit(llmid=I2V, image1_file=a_file())
    done = await market.succeed(await market.claim(submitted))
    assert done is not None
    assert done.usage is not None
    assert done.usage["action"] == "i2v"


async def test_a_task_cannot_fail_into_success(market: Market):
    task = await market.claim(await market.submit())
    for state in (TaskState.SUCCEEDED, TaskState.RUNNING):
        with pytest.raises(AssertionError):
            await market.store.write(lambda tx, state=state: finish_unsuccessful(tx, task, state, FAILURE, 1.0))
    assert await market.task(task.id) == task
