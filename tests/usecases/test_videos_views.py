"""What customers see of their tasks, and canceling and deleting them."""

from dataclasses import replace

import pytest
from tests.edge.videos import I2V
from tests.usecases.video_market import CEILING, OFFERS, Market, a_file

from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.identity import Caller
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import TaskStep
from yuanjing.ports.tasks import TaskFilter


async def test_a_task_is_found_by_every_key_of_its_customer_and_book(market: Market):
    submitted = await market.submit()
    for caller in (market.caller(), market.caller(models=("other",))):
        view = await market.videos.find(caller, submitted.task.id)
        assert (view.task, view.video, view.cover) == (submitted.task, None, None)


@pytest.mark.parametrize("who", ["other customer", "other book", "nobody's"])
async def test_others_tasks_are_not_there(market: Market, who: str):
    submitted = await market.submit()
    caller = {
        "other customer": market.caller("cus_b"),
        "other book": market.caller(book=Book.TEST),
        "nobody's": market.caller(),
    }[who]
    task_id = submitted.task.id if who != "nobody's" else "1" * 18
    for call in (market.videos.find, market.videos.delete):
        with pytest.raises(NotFoundError, match=r"^Task not found$"):
            await call(caller, task_id)
    assert not (await market.task(submitted.task.id)).is_cancel_requested
    assert submitted.task.id not in await listed(market, caller) or who == "nobody's"


async def listed(market: Market, caller: Caller, **where: object) -> list[str]:
    return [view.task.id for view in await market.videos.list(caller, TaskFilter(**where))]  # type: ignore[arg-type]


async def test_a_list_is_the_callers_own_whatever_the_filter_says(market: Market):
    ids = []
    for caller in (market.caller(), market.caller("cus_b"), market.caller(), market.caller(book=Book.TEST)):
        ids.append((await market.submit(caller)).task.id)
        market.clock.advance(1)
    foreign = {"customer_id": "cus_b", "book": Book.TEST, "with_deleted": True}
    assert await listed(market, market.caller(), **foreign) == [ids[2], ids[0]]
    assert await listed(market, market.caller(), limit=1) == [ids[2]]
    assert await listed(market, market.caller("cus_b")) == [ids[1]]


async def test_files_are_seen_once_it_has_succeeded(market: Market):
    task = await market.claim(await market.submit())
    done = await market.succeed(task)
    assert done is not None
    view = await market.videos.find(market.caller(), task.id)
    assert view.video is not None
    assert view.cover is not None
    assert (view.video.id, view.cover.id) == (done.video_artifact_id, done.cover_artifact_id)
    assert (view.progress, view.seconds_left) == (100, None)
    (same,) = await market.videos.list(market.caller(), TaskFilter())
    assert same == view


async def test_progress_and_time_left_are_told_from_the_offers_last_videos(market: Market):
    first = await market.submit()
    view = await market.videos.find(market.caller(), first.task.id)
    assert (view.progress, view.seconds_left) == (0, None), "there is no history yet"
    await market.fail(await market.claim(first))
    await market.add_past(100, 60, 80)
    task = (await market.submit()).task
    seen: list[tuple[int, int | None]] = []
    for seconds in (0, 20, 50, 20, 20):
        market.clock.advance(seconds)
        view = await market.videos.find(market.caller(), task.id)
        seen.append((view.progress, view.seconds_left))
    assert seen == [(0, 80), (22, 60), (78, 20), (91, 10), (92, None)]
    failed = await market.fail(await market.claim(await market.submit()))
    assert failed is not None
    view = await market.videos.find(market.caller(), failed.id)
    assert (view.progress, view.seconds_left) == (0, None)


async def test_without_a_history_the_catalogue_says_what_to_expect(market: Market):
    for offer in OFFERS:
        assert offer.video is not None
        foretold = replace(offer, video=replace(offer.video, expected_seconds=100))
        await market.store.write(lambda tx, offer=foretold: tx.catalog.save_offer(offer))
    task = (await market.submit()).task
    seen: list[tuple[int, int | None]] = []
    for seconds in (0, 50, 50, 100, 9_800):
        market.clock.advance(seconds)
        view = await market.videos.find(market.caller(), task.id)
        seen.append((view.progress, view.seconds_left))
    assert seen == [(0, 100), (45, 50), (90, None), (94, None), (98, None)]
    await market.add_past(60)
    view = await market.videos.find(market.caller(), (await market.submit()).task.id)
    assert (view.progress, view.seconds_left) == (0, 60), "what has been seen counts more"


async def test_simulated_videos_say_nothing_about_real_ones(market: Market):
    await market.add_past(60)
    caller = market.caller(book=Book.TEST)
    task = (await market.submit(caller)).task
    assert (await market.videos.find(caller, task.id)).seconds_left is None
    foretelling = market.open(policy=replace(market.policy, test_seconds=8.0))
    assert (await foretelling.find(caller, task.id)).seconds_left == 8


async def test_what_is_put_off_to_quiet_hours_is_not_foretold(market: Market):
    await market.add_past(60)
    task = (await market.submit()).task
    quiet = replace(task, id="5" * 18, hold_id="h", usage_id="u", request=replace(task.request, off_peak=True))
    await market.store.write(lambda tx: tx.tasks.add(quiet, "submitted"))
    market.clock.advance(30)
    view = await market.videos.find(market.caller(), quiet.id)
    assert (view.progress, view.seconds_left) == (0, None)


async def test_the_history_is_read_now_and_then(market: Market):
    await market.add_past(60)
    task = (await market.submit()).task
    await market.videos.find(market.caller(), task.id)
    before = market.store.counters.reads
    await market.videos.find(market.caller(), task.id)
    assert market.store.counters.reads == before + 1, "the task itself only"
    market.clock.advance(market.policy.refresh_seconds)
    await market.videos.find(market.caller(), task.id)
    assert market.store.counters.reads == before + 3


async def test_a_task_under_way_is_asked_to_end_once(market: Market):
    task = (await market.submit()).task
    for _ in range(2):
        view = await market.videos.delete(market.caller(), task.id)
        assert (view.task.is_cancel_requested, view.task.state) == (True, TaskState.QUEUED)
    events = await market.store.read(lambda tx: [event.text for event in tx.tasks.events(task.id)])
    assert events == ["submitted", "its customer wants it canceled"]
    assert (await market.balances()).held_nanos == CEILING, "the worker ends it"
    assert (await market.videos.find(market.caller(), task.id)).task.deleted_at is None
    claimed = await market.claim(await market.submit())
    assert not claimed.is_cancel_requested


async def test_a_task_that_has_ended_is_hidden_and_so_are_its_files(market: Market):
    other = await market.submit(llmid=I2V, image1_file=a_file())
    task = await market.claim(await market.submit(llmid=I2V, image1_file=a_file()))
    await market.succeed(task)
    view = await market.videos.delete(market.caller(), task.id)
    files = await market.store.read(lambda tx: tx.artifacts.of_task(task.id))
    assert [file.kind.value for file in files] == ["input", "cover", "video"]
    assert {file.expires_at for file in files} == {market.clock.unix()}
    (kept,) = await market.store.read(lambda tx: tx.artifacts.of_task(other.task.id))
    assert kept.expires_at > market.clock.unix()
    assert view.task.deleted_at == market.clock.unix()
    assert view.video is not None
    for call in (market.videos.find, market.videos.delete):
        with pytest.raises(NotFoundError):
            await call(market.caller(), task.id)
    assert await listed(market, market.caller()) == [other.task.id]
    assert (await market.task(task.id)).step is TaskStep.DONE
    assert await market.problems() == []
