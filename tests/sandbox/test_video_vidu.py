"""Vidu by raw HTTP: states, envelopes, cancellation, lists, credits, signed callbacks (vidu.md)."""

import asyncio
import email.utils
import json
import re

import pytest
from tests.support.video_wire import KEY, Wire
from tests.support.web import Web

from yuanjing.sandbox.video.callbacks import FORGED_URL
from yuanjing.sandbox.video.vidu import signed

TOKEN = {"authorization": f"Token {KEY}"}
DAY = 86_400
ID = r"[1-9]\d{17}"


@pytest.fixture
def wire():
    one = Wire()
    yield one
    one.close()


async def call(wire, method, path, body=None, *, headers=TOKEN):
    return await wire.call(method, f"/ent/v2/{path}", body, key=None, headers=headers)


async def create(wire, prompt="a cat", endpoint="text2video", *, headers=TOKEN, **fields):
    answer = await call(wire, "POST", endpoint, {"model": "viduq3-pro", "prompt": prompt, **fields}, headers=headers)
    assert answer.status == 200, answer.body
    return answer.json


async def query(wire, task):
    answer = await call(wire, "GET", f"tasks/{task}/creations")
    assert answer.status == 200
    return answer.json


async def refusal(answer):
    assert answer.json == {
        "code": answer.status,
        "reason": answer.json["reason"],
        "message": answer.json["message"],
        "metadata": {"trace_id": answer.entry.request_id},
    }
    assert answer.json["message"]
    return answer.status, answer.json["reason"]


async def test_the_reply_to_a_creation(wire):
    answer = await call(
        wire, "POST", "text2video", {"model": "viduq3-pro", "prompt": "小猫", "payload": "p", "seed": 7}
    )
    told = answer.json
    assert re.fullmatch(ID, told["task_id"])
    assert told == {
        "task_id": told["task_id"],
        "state": "created",
        "model": "viduq3-pro",
        "style": "general",
        "prompt": "小猫",
        "images": [],
        "duration": 5,
        "seed": 7,
        "aspect_ratio": "16:9",
        "resolution": "720p",
        "movement_amplitude": "auto",
        "bgm": False,
        "audio": True,
        "payload": "p",
        "off_peak": False,
        "watermark": False,
        "credits": 100,
        "created_at": "2026-11-01T00:00:00.000000Z",
    }
    assert list(told)[:3] == ["task_id", "state", "model"]
    entry = answer.entry
    assert (entry.flavour, entry.model, entry.task_id, entry.credential) == (
        "vidu",
        "viduq3-pro",
        told["task_id"],
        "-key",
    )
    assert b"payload" in entry.body


async def test_states_until_success(wire):
    task = (await create(wire, payload="mine"))["task_id"]
    same = {"id": task, "err_code": "", "credits": 100, "payload": "mine", "bgm": False, "off_peak": False}
    assert await query(wire, task) == same | {"state": "created", "creations": []}
    wire.pass_by(0.5)
    assert await query(wire, task) == same | {"state": "queueing", "creations": []}
    wire.pass_by(1)
    assert await query(wire, task) == same | {"state": "processing", "creations": []}
    wire.pass_by(3)
    told = await query(wire, task)
    [creation] = told["creations"]
    assert told == same | {"state": "success", "creations": [creation]}
    assert re.fullmatch(ID, creation["id"])
    assert list(creation) == ["id", "url", "cover_url", "watermarked_url"]
    assert re.match(r"http://sandbox\.test/results/vidu/20261101/\w+\.mp4\?X-Amz-", creation["url"])
    assert ".jpg?" in creation["cover_url"]
    assert await query(wire, task) == told


@pytest.mark.parametrize(
    ("word", "code"),
    [("moderation", "CreationPolicyViolation"), ("invalid-input", "FieldInvalid"), ("stuck=3", "Canceled")],
)
async def test_failures(wire, word, code):
    task = (await create(wire, f"a cat sandbox:{word}"))["task_id"]
    wire.pass_by(5)
    told = await query(wire, task)
    assert told == {
        "id": task,
        "state": "failed",
        "err_code": code,
        "credits": 0,
        "payload": "",
        "bgm": False,
        "off_peak": False,
        "creations": [],
    }
    assert wire.rendered == [] or code == "Canceled"


async def test_the_token(wire):
    body = {"model": "viduq3-pro", "prompt": "a"}
    for headers in ({}, {"authorization": f"Bearer {KEY}"}, {"authorization": KEY}, {"authorization": "Token wrong"}):
        answer = await call(wire, "POST", "text2video", body, headers=headers)
        assert await refusal(answer) == (401, "Unauthorized")
    answer = await call(wire, "POST", "text2video", body, headers={"authorization": f"Token {KEY}-fail-no-money"})
    assert await refusal(answer) == (400, "CreditInsufficient")


@pytest.mark.parametrize(
    ("word", "status", "reason", "made"),
    [
        ("401", 401, "Unauthorized", 0),
        ("no-money", 400, "CreditInsufficient", 0),
        ("429", 429, "QuotaExceeded", 0),
        ("500-after-accept", 500, "InternalServiceFailure", 1),
    ],
)
async def test_refusals_by_word(wire, word, status, reason, made):
    answer = await call(wire, "POST", "text2video", {"model": "viduq3-pro", "prompt": f"sandbox:{word}"})
    assert await refusal(answer) == (status, reason)
    assert answer.entry.fault == word
    assert (await call(wire, "GET", "tasks")).json["total"] == made


async def test_another_s_task_and_unknown_ones(wire):
    task = (await create(wire, headers={"authorization": "Token other-key"}))["task_id"]
    for path in (f"tasks/{task}/creations", "tasks/936759404378734592/creations"):
        assert await refusal(await call(wire, "GET", path)) == (404, "TaskNotFound")
    assert await refusal(await call(wire, "POST", f"tasks/{task}/cancel", {"id": task})) == (404, "TaskNotFound")
    for method, path in (("GET", "text2video"), ("POST", "nothing"), ("DELETE", f"tasks/{task}"), ("POST", "tasks")):
        assert await refusal(await call(wire, method, path)) == (404, "NotFound")


async def test_what_can_be_cancelled(wire):
    for seconds, state in ((0, "created"), (0.5, "queueing")):
        task = (await create(wire))["task_id"]
        wire.pass_by(seconds)
        assert (await query(wire, task))["state"] == state
        answer = await call(wire, "POST", f"tasks/{task}/cancel", {"id": task})
        assert (answer.status, answer.json) == (200, {})
        told = await query(wire, task)
        assert (told["state"], told["err_code"], told["credits"]) == ("failed", "UserCancelled", 0)
        again = await call(wire, "POST", f"tasks/{task}/cancel", {"id": task})
        assert await refusal(again) == (400, "BadRequest")
        assert again.json["message"] == "task state is failed, can not cancel"
    task = (await create(wire))["task_id"]
    wire.pass_by(2)
    answer = await call(wire, "POST", f"tasks/{task}/cancel", {"id": task})
    assert await refusal(answer) == (400, "BadRequest")
    assert answer.json["message"] == "task state is scheduled, can not cancel"
    wire.pass_by(2)
    assert (await call(wire, "POST", f"tasks/{task}/cancel")).json["message"] == "task state is success, can not cancel"
    assert await refusal(await call(wire, "POST", f"tasks/{task}/cancel", {"id": "1"})) == (400, "FieldInvalid")


async def test_an_off_peak_task_waits_longer_and_costs_half(wire):
    told = await create(wire, off_peak=True)
    assert (told["credits"], told["off_peak"]) == (50, True)
    wire.pass_by(5)
    assert (await query(wire, told["task_id"]))["state"] == "queueing"
    wire.pass_by(6)
    done = await query(wire, told["task_id"])
    assert (done["state"], done["credits"], done["off_peak"]) == ("success", 50, True)
    stuck = (await create(wire, "sandbox:stuck", off_peak=True))["task_id"]
    wire.pass_by(2 * DAY)
    assert (await query(wire, stuck))["err_code"] == "Canceled"


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        ({"resolution": "540p", "duration": 1}, 10),  # the seed's example
        ({"resolution": "1080p", "duration": 10}, 240),
        ({"resolution": "540p", "duration": 1, "off_peak": True}, 5),
        ({"model": "viduq3-turbo", "duration": 3}, 33),
        ({"model": "viduq3-turbo", "duration": 3, "off_peak": True}, 18),
        ({"model": "viduq3-turbo", "resolution": "1080p", "duration": 16, "is_rec": True}, 218),
    ],
)
async def test_credits(wire, fields, price):
    told = await create(wire, **fields)
    assert told["credits"] == price
    wire.pass_by(20)
    assert (await query(wire, told["task_id"]))["credits"] == price


async def test_less_delivered_costs_less(wire):
    told = await create(wire, "sandbox:shorter", duration=10)
    assert told["credits"] == 200
    wire.pass_by(5)
    assert (await query(wire, told["task_id"]))["credits"] == 100


async def test_the_account(wire):
    await create(wire, "sandbox:stuck=99")
    wire.pass_by(1.5)
    await create(wire, off_peak=True)
    answer = await call(wire, "GET", "credits?show_detail=true")
    assert answer.json["remains"] == [
        {
            "type": "metered",
            "credit_remain": 999_850,
            "concurrency_limit": 5,
            "current_concurrency": 1,
            "queue_count": 1,
        }
    ]
    assert set(answer.json["packages"][0]) == {
        *("id", "name", "type", "concurrency", "credit_amount", "credit_remain"),
        *("created_at", "purchase_at", "valid_from", "valid_to"),
    }
    assert list((await call(wire, "GET", "credits")).json) == ["remains"]


async def test_the_list(wire):
    first = (await create(wire, model="viduq3-turbo"))["task_id"]
    wire.pass_by(60)
    second = (await create(wire, resolution="540p"))["task_id"]
    third = (await create(wire))["task_id"]
    for query_string, ids in {
        "": [third, second, first],
        "states=success": [first],
        "states=created&states=success": [third, second, first],
        "states=failed,success": [first],
        "resolutions=540p": [second],
        "model_versions=viduq3-pro": [third, second],
        f"task_ids={first}&task_ids={third}": [third, first],
        "created_at.from=2026-11-01T00:00:30Z": [third, second],
        "created_at.to=2026-11-01T00:00:30Z": [first],
        "pager.pagesz=2": [third, second],
        "pager.pagesz=2&pager.page=2": [first],
        "pager.pagesz=2&pager.page_token=2": [first],
    }.items():
        told = (await call(wire, "GET", f"tasks?{query_string}")).json
        assert [row["id"] for row in told["tasks"]] == ids, query_string
    page = (await call(wire, "GET", "tasks?pager.pagesz=2")).json
    assert (page["total"], page["next_page_token"]) == (3, "2")
    for bad in ("pager.pagesz=101", "pager.pagesz=0", "pager.page=0"):
        assert await refusal(await call(wire, "GET", f"tasks?{bad}")) == (400, "PageSizeOutOfRange")
    for bad in ("pager.pagesz=x", "created_at.from=yesterday"):
        assert await refusal(await call(wire, "GET", f"tasks?{bad}")) == (400, "FieldInvalid")


async def test_rate_limits():
    wire = Wire(video_submits_per_minute=2, video_queries_per_second=2)
    await create(wire)
    task = (await create(wire))["task_id"]
    answer = await call(wire, "POST", "text2video", {"model": "viduq3-pro", "prompt": "a"})
    assert await refusal(answer) == (429, "TooManyRequests")
    await query(wire, task)
    await query(wire, task)
    assert await refusal(await call(wire, "GET", f"tasks/{task}/creations")) == (429, "TooManyRequests")
    wire.pass_by(60)
    await create(wire)
    await query(wire, task)
    wire.close()


DATE, NONCE = "Tue, 06 May 2025 12:09:42 GMT", "123e4567-e89b-12d3-a456-426614174000"


@pytest.mark.parametrize(
    ("query_string", "signature"),
    [
        ("", "AXdQuo7/f9g9/IDnldgJSMkIA0Zru3ArBHkhXHmdksU="),
        ("name=james&age=36", "uDl3Wvgx6utIjKWRnCyt4OhsefE06Qj8cCg41RV4aeE="),
        ("age=36&name=james", "q2h2I/2LjUMRCr6Rn+Ez8inBxPbfGU/yLE6sdIq9IBs="),
    ],
)
def test_the_signature_s_vectors(query_string, signature):
    assert signed("vda_test_key", "/vidu/callback", query_string, DATE, NONCE) == {
        "X-HMAC-SIGNATURE": signature,
        "X-HMAC-ALGORITHM": "hmac-sha256",
        "X-HMAC-ACCESS-KEY": "vidu",
        "X-HMAC-SIGNED-HEADERS": "Date;x-request-nonce",
        "Date": DATE,
        "x-request-nonce": NONCE,
    }


async def test_callbacks_are_signed(wire):
    wire = Wire(time_scale=0)
    async with Web({"/hook": (200, {}, b"")}) as web, asyncio.TaskGroup() as group:
        wire.simulator.start(group)
        told = await create(wire, callback_url=f"{web.url}/hook?b=2&a=1", payload="mine")
        seen = await web.wait_for(2)
        wire.close()
    bodies = [json.loads(one.body) for one in seen]
    assert [body["state"] for body in bodies] == ["processing", "success"]
    assert bodies[1] == await query(wire, told["task_id"])
    for one in seen:
        wanted = signed(KEY, "/hook", "b=2&a=1", one.headers["date"], one.headers["x-request-nonce"])
        assert {name.lower(): value for name, value in wanted.items()}.items() <= one.headers.items()
        assert email.utils.parsedate_to_datetime(one.headers["date"]) == wire.clock.now()
    assert seen[0].headers["x-request-nonce"] != seen[1].headers["x-request-nonce"]


async def test_a_forged_callback(wire):
    wire = Wire(time_scale=0)
    async with Web({"/hook": (200, {}, b"")}) as web, asyncio.TaskGroup() as group:
        wire.simulator.start(group)
        told = await create(wire, "sandbox:callback-forged", callback_url=f"{web.url}/hook")
        first = (await web.wait_for(3))[0]
        wire.close()
    body = json.loads(first.body)
    assert (body["id"], body["state"], body["creations"][0]["url"]) == (told["task_id"], "success", FORGED_URL)
    wanted = signed(KEY, "/hook", "", first.headers["date"], first.headers["x-request-nonce"])
    assert first.headers["x-hmac-signature"] != wanted["X-HMAC-SIGNATURE"]
