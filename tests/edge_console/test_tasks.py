"""A customer's video tasks over HTTP, with their files, their price and their receipts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from tests.edge.platform import Platform
from tests.edge.videos import I2V
from tests.edge_console.test_sign_in import code_of
from tests.support.signin import Browser
from tests.usecases.video_market import PRICE_NANOS, Market, a_file, customer_of

from yuanjing.domain.money import Book
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import VideoTask
from yuanjing.kit.signing import SigningKey
from yuanjing.usecases.receipts import check_receipt


@dataclass
class Place:
    """A market whose customer a is signed in."""

    market: Market
    browser: Browser

    async def get(self, path: str) -> Any:
        answer = await self.browser.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def done(self, **fields: str) -> VideoTask:
        made = await self.market.succeed(await self.market.claim(await self.market.submit(**fields)))
        assert made is not None
        return made


@pytest.fixture
async def place(platform: Platform) -> AsyncIterator[Place]:
    market = Market(store=platform.store, clock=platform.clock)
    await market.prepare()
    browser = platform.browser(parts=platform.changed(videos=market.videos))
    async with browser.client:
        await browser.sign_in(customer_of("cus_a", 0).mobile)
        yield Place(market=market, browser=browser)


async def test_a_task_that_succeeded_shows_its_files_and_its_arithmetic(place: Place) -> None:
    done = await place.done()
    found = await place.get(f"/api/tasks/{done.id}")
    assert (found["state"], found["progress"], found["error"]) == ("succeeded", 100, None)
    assert (found["charge"], found["ceiling"], found["book"]) == ("0.50", "0.50", "live")
    assert (found["usage_id"], found["key_id"], found["operation"]) == (done.usage_id, "key_a_live", "text_to_video")
    assert found["price"]["version"] == 1
    assert found["arithmetic"]["price"] == found["price"]
    (line,) = found["arithmetic"]["lines"]
    assert Decimal(line["rate"]) * line["quantity"] == Decimal(found["charge"])
    assert found["arithmetic"]["details"]["resolution"] == "720p"
    asked = found["parameters"]
    assert (asked["prompt"], asked["resolution"], asked["seconds"]) == ("a cat", "720p", 5)
    assert (asked["size"], asked["files"], asked["off_peak"]) == (None, [], False)
    assert (found["accepted_at"], found["started_at"]) == (None, None)  # the market has no provider
    video, cover = found["artifacts"]
    assert (video["kind"], cover["kind"]) == ("video", "cover")
    assert video["url"] == f"https://ai.example.com/idfile?path=/{done.id}/video"
    assert video["sha256"]
    assert (await place.get(f"/api/usage/{done.usage_id}"))["task_id"] == done.id
    await place.market.store.write(lambda tx: tx.artifacts.expire(done.id, place.market.clock.unix()))
    assert {one["url"] for one in (await place.get(f"/api/tasks/{done.id}"))["artifacts"]} == {None}


async def test_a_task_whose_charge_does_not_add_up_is_not_shown(place: Place) -> None:
    done = await place.done()
    posted = await place.market.store.read(lambda tx: tx.usages.get(done.usage_id))
    assert posted is not None
    wrong = replace(posted, record=replace(posted.record, charge_nanos=posted.record.charge_nanos - 1))
    await place.market.store.write(lambda tx: tx.usages._usages.update({done.usage_id: wrong}))  # type: ignore[attr-defined]
    answer = await place.browser.client.get(f"/api/tasks/{done.id}")
    assert code_of(answer)[:2] == (500, "internal_error")


async def test_what_was_given_can_be_given_again_while_it_is_kept(place: Place) -> None:
    submitted = await place.market.submit(llmid=I2V, image1_file=a_file())
    (media,) = submitted.task.request.media
    (given,) = (await place.get(f"/api/tasks/{submitted.task.id}"))["parameters"]["files"]
    assert (given["role"], given["media_type"], given["seconds"]) == ("first_frame", "image/png", None)
    kept = await place.market.store.read(lambda tx: tx.artifacts.get(media.artifact_id))
    assert kept is not None
    assert given["url"] == f"https://ai.example.com/idfile?path={kept.path}"
    await place.market.store.write(lambda tx: tx.artifacts.expire(submitted.task.id, place.market.clock.unix()))
    (given,) = (await place.get(f"/api/tasks/{submitted.task.id}"))["parameters"]["files"]
    assert (given["url"], given["media_type"]) == (None, "image/png")


async def test_tasks_under_way_and_failed_ones(place: Place) -> None:
    submitted = await place.market.submit()
    found = await place.get(f"/api/tasks/{submitted.task.id}")
    assert (found["state"], found["usage_id"], found["artifacts"], found["arithmetic"]) == ("queued", None, [], None)
    assert (found["charge"], found["ended_at"], found["price"]["version"]) == ("0.00", None, 1)
    await place.market.fail(await place.market.claim(submitted))
    found = await place.get(f"/api/tasks/{submitted.task.id}")
    assert found["error"] == {"code": "failed", "reason": "content_policy_violation", "message": "refused"}
    assert (found["charge"], found["arithmetic"]) == ("0.00", None)


async def test_tasks_are_filtered_and_come_in_pages(place: Place) -> None:
    market, made = place.market, []
    for n in range(5):
        caller = market.caller(book=Book.TEST) if n == 4 else market.caller()
        made.append((await market.submit(caller)).task.id)
        market.clock.advance(60)
    await market.submit(market.caller("cus_b"))
    await market.fail(await market.claim(await market.submit()), TaskState.EXPIRED)

    async def ids(query: str = "") -> list[str]:
        return [one["id"] for one in (await place.get(f"/api/tasks?{query}"))["data"]]

    assert (await ids())[1:] == made[::-1]
    assert (await ids("state=queued")) == made[::-1]
    assert len(await ids("state=expired")) == 1
    assert await ids("book=test") == [made[4]]
    assert await ids("key=key_a_test") == [made[4]]
    assert await ids("model=nothing") == []
    assert await ids("operation=image_to_video") == []
    assert await ids("to=2026-11-01T00:01:01Z") == [made[1], made[0]]
    assert await ids("from=2026-11-01T00:01:00Z&to=2026-11-01T00:02:01Z") == [made[2], made[1]]
    seen, cursor = [], ""
    while cursor is not None:
        page = await place.get("/api/tasks?state=queued&limit=2" + (f"&cursor={cursor}" if cursor else ""))
        seen += [one["id"] for one in page["data"]]
        cursor = page["next"]
    assert seen == made[::-1]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("state=done", "state"),
        ("limit=201", "limit"),
        ("cursor=-", "cursor"),
        ("from=x", "from"),
        ("to=2026-13-01", "to"),
        ("operation=x", "operation"),
        ("book=x", "book"),
        ("with_deleted=true", "with_deleted"),
        ("customer_id=cus_b", "customer_id"),
        ("key=" + "k" * 65, "key"),
        ("model=" + "m" * 201, "model"),
    ],
)
async def test_each_fault_is_named(place: Place, query: str, param: str) -> None:
    assert code_of(await place.browser.client.get(f"/api/tasks?{query}")) == (400, "invalid_parameter", param)


async def test_anothers_tasks_are_not_there(place: Place) -> None:
    other = (await place.market.submit(place.market.caller("cus_b"))).task.id
    for task_id in (other, "1", "a%00b"):
        for path in (f"/api/tasks/{task_id}", f"/api/tasks/{task_id}/receipt"):
            assert code_of(await place.browser.client.get(path))[:2] == (404, "not_found"), path
        assert code_of(await place.browser.send("DELETE", f"/api/tasks/{task_id}"))[:2] == (404, "not_found")
        assert code_of(await place.browser.send("POST", f"/api/tasks/{task_id}/cancel"))[:2] == (404, "not_found")
    assert code_of(await place.browser.client.get("/api/tasks?key=key_b_live")) == (404, "not_found", "key")
    assert (await place.market.task(other)).is_cancel_requested is False


async def test_a_task_is_deleted_or_asked_to_end(place: Place) -> None:
    running, done = await place.market.submit(), await place.done()
    answer = await place.browser.send("DELETE", f"/api/tasks/{running.task.id}")
    assert answer.json() == {"object": "task.deleted", "id": running.task.id, "deleted": False}
    assert (await place.get(f"/api/tasks/{running.task.id}"))["is_cancel_requested"] is True
    answer = await place.browser.send("DELETE", f"/api/tasks/{done.id}")
    assert answer.json() == {"object": "task.deleted", "id": done.id, "deleted": True}
    assert code_of(await place.browser.client.get(f"/api/tasks/{done.id}"))[0] == 404
    assert code_of(await place.browser.client.delete(f"/api/tasks/{running.task.id}"))[:2] == (403, "forgery_suspected")


async def test_a_task_is_canceled_only_while_it_is_under_way(place: Place) -> None:
    running, done = await place.market.submit(), await place.done()
    for _ in range(2):
        answer = await place.browser.send("POST", f"/api/tasks/{running.task.id}/cancel")
        assert (answer.status_code, answer.json()["is_cancel_requested"]) == (200, True)
    answer = await place.browser.send("POST", f"/api/tasks/{done.id}/cancel")
    assert code_of(answer) == (409, "task_ended", "task_id")
    found = await place.get(f"/api/tasks/{done.id}")
    assert (found["state"], found["is_cancel_requested"]) == ("succeeded", False)
    assert all(one["url"] for one in found["artifacts"])


async def test_receipts_of_tasks(place: Place) -> None:
    running, done = await place.market.submit(), await place.done()
    path = f"/api/tasks/{running.task.id}/receipt"
    assert code_of(await place.browser.client.get(path)) == (409, "video_not_ready", "task_id")
    answer = await place.browser.client.get(f"/api/tasks/{done.id}/receipt")
    key = SigningKey(bytes(range(32)))
    checked = check_receipt(answer.content, {key.id: key.public_key})
    assert checked.recomputed.charge_nanos == done.charge_nanos == 5 * PRICE_NANOS
    assert checked.statement["task_id"] == done.id
    await place.market.fail(await place.market.claim(running))
    failed = check_receipt((await place.browser.client.get(path)).content, {key.id: key.public_key})
    assert failed.recomputed.charge_nanos == 0
