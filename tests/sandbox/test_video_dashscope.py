"""DashScope's tasks: states, answers, lists, cancellation, magic words."""

import datetime as dt
import uuid

import pytest
from tests.support.video_wire import Wire

URL = "/api/v1/services/aigc/video-generation/video-synthesis"
TASKS = "/api/v1/tasks"
ASYNC = {"x-dashscope-async": "enable"}
DAY = 86_400


@pytest.fixture
def wire():
    one = Wire()
    yield one
    one.close()


async def submit(wire, prompt="a cat", *, model="happyhorse-1.0-t2v", key="sandbox-key", **parameters):
    body = {"model": model, "input": {"prompt": prompt}, "parameters": parameters}
    return await wire.call("POST", URL, body, key=key, headers=ASYNC)


async def create(wire, prompt="a cat", **parameters):
    answer = await submit(wire, prompt, **parameters)
    assert answer.status == 200, answer.body
    return answer.json["output"]["task_id"]


async def query(wire, task, key="sandbox-key"):
    answer = await wire.call("GET", f"{TASKS}/{task}", key=key)
    assert answer.status == 200
    assert uuid.UUID(answer.json["request_id"])
    return answer.json


async def cancel(wire, task, key="sandbox-key"):
    answer = await wire.call("POST", f"{TASKS}/{task}/cancel", key=key)
    return answer.status, answer.json


async def test_a_task_from_pending_to_succeeded(wire):
    answer = await submit(wire, resolution="720P", ratio="16:9", duration=5)
    task = answer.json["output"]["task_id"]
    assert answer.json == {
        "output": {"task_status": "PENDING", "task_id": task},
        "request_id": answer.entry.request_id,
    }
    assert str(uuid.UUID(task)) == task
    pending = {"task_id": task, "task_status": "PENDING", "submit_time": "2026-11-01 08:00:00.000"}
    assert (await query(wire, task))["output"] == pending
    wire.pass_by(1.5)
    running = pending | {"task_status": "RUNNING", "scheduled_time": "2026-11-01 08:00:01.000"}
    assert (await query(wire, task))["output"] == running
    wire.pass_by(3)
    told = await query(wire, task)
    assert told["output"] == running | {
        "task_status": "SUCCEEDED",
        "end_time": "2026-11-01 08:00:04.000",
        "orig_prompt": "a cat",
        "video_url": told["output"]["video_url"],
    }
    assert "Expires=" in told["output"]["video_url"]
    assert told["usage"] == {
        "duration": 5,
        "input_video_duration": 0,
        "output_video_duration": 5,
        "video_count": 1,
        "SR": 720,
        "ratio": "16:9",
    }


async def test_usage_of_wan_tells_the_size(wire):
    task = await create(wire, model="wan2.6-t2v", size="1280*720", duration=15)
    wire.pass_by(9)
    assert (await query(wire, task))["usage"] == {
        "duration": 15,
        "size": "1280*720",
        "input_video_duration": 0,
        "output_video_duration": 15,
        "video_count": 1,
        "SR": 720,
    }


async def test_failures_are_http_200(wire):
    moderated = await create(wire, "sandbox:moderation")
    invalid = await create(wire, "sandbox:invalid-input")
    wire.pass_by(9)
    told = await query(wire, moderated)
    assert set(told) == {"request_id", "output"}
    assert set(told["output"]) == {
        "task_id", "task_status", "submit_time", "scheduled_time", "end_time", "code", "message",
    }  # fmt: skip
    assert told["output"]["code"] == "DataInspectionFailed"
    assert (await query(wire, invalid))["output"]["code"] == "InvalidParameter"


async def test_the_service_gives_up_after_three_hours(wire):
    task = await create(wire, "sandbox:stuck")
    wire.pass_by(3 * 3600 - 1)
    assert (await query(wire, task))["output"]["task_status"] == "RUNNING"
    wire.pass_by(1)
    output = (await query(wire, task))["output"]
    assert (output["task_status"], output["code"]) == ("FAILED", "InternalError.Timeout")


async def test_unknown_tasks(wire):
    task = await create(wire)

    async def assert_unknown(name, key="sandbox-key"):
        assert (await query(wire, name, key))["output"] == {"task_id": name, "task_status": "UNKNOWN"}

    await assert_unknown("502a00b1-0000")
    await assert_unknown(task, "other-key")
    wire.pass_by(DAY - 1)
    assert (await query(wire, task))["output"]["task_status"] == "SUCCEEDED"
    wire.pass_by(1)
    await assert_unknown(task)


async def test_only_pending_tasks_are_canceled(wire):
    task = await create(wire)
    assert (await cancel(wire, task, "other-key"))[0] == 400
    status, told = await cancel(wire, task)
    assert (status, set(told)) == (200, {"request_id"})
    output = (await query(wire, task))["output"]
    assert output == {
        "task_id": task,
        "task_status": "CANCELED",
        "submit_time": "2026-11-01 08:00:00.000",
        "end_time": "2026-11-01 08:00:00.000",
    }
    running = await create(wire)
    wire.pass_by(2)
    for one in (task, running, "no-such-task"):
        status, told = await cancel(wire, one)
        assert (status, told["code"]) == (400, "UnsupportedOperation")
        assert told["message"] == "Failed to cancel the task, please confirm if the task is in PENDING status."


@pytest.mark.parametrize(
    ("word", "code", "status"),
    [
        ("401", "InvalidApiKey", 401),
        ("no-money", "Arrearage", 400),
        ("429", "Throttling.RateQuota", 429),
        ("500-after-accept", "InternalError", 500),
    ],
)
async def test_words_that_refuse(wire, word, code, status):
    answer = await submit(wire, f"sandbox:{word}")
    assert (answer.status, answer.json["code"], answer.entry.fault) == (status, code, word)
    assert (await wire.call("GET", TASKS)).json["total"] == (word == "500-after-accept")
    assert (await submit(wire, key=f"sandbox-key-fail-{word}")).status == status


async def test_shorter_is_billed_as_delivered(wire):
    task = await create(wire, "sandbox:shorter", duration=10)
    wire.pass_by(9)
    usage = (await query(wire, task))["usage"]
    assert (usage["duration"], usage["output_video_duration"]) == (5, 5)


async def test_lists(wire):
    first = await create(wire)
    wire.pass_by(9)
    last = await create(wire, model="wan2.6-t2v")

    async def listed(query=""):
        answer = await wire.call("GET", f"{TASKS}{query}")
        assert answer.status == 200, answer.body
        return answer.json

    told = await listed("?page_no=1&page_size=1")
    assert {name: told[name] for name in ("total", "total_page", "page_no", "page_size")} == {
        "total": 2,
        "total_page": 2,
        "page_no": 1,
        "page_size": 1,
    }
    (row,) = told["data"]
    start = 1_793_491_209_000
    assert row == row | {
        "task_id": last,
        "status": "PENDING",
        "model_name": "wan2.6-t2v",
        "gmt_create": start,
        "start_time": None,
        "end_time": None,
        "user_api_unique_key": "apikey:v1:aigc:video-generation:video-synthesis:wan2.6-t2v",
    }
    assert set(row) == {
        "api_key_id", "caller_parent_id", "caller_uid", "gmt_create", "start_time", "end_time", "model_name", "region",
        "request_id", "status", "task_id", "user_api_unique_key",
    }  # fmt: skip

    async def ids(query):
        return [one["task_id"] for one in (await listed(query))["data"]]

    assert await ids("/") == [last, first]
    assert await ids("?status=SUCCEEDED") == [first]
    assert await ids("?model_name=wan2.6-t2v") == [last]
    assert await ids(f"?task_id={first}") == [first]
    assert await ids("?start_time=20261101080005") == [last]
    assert await ids("?end_time=20261101080005") == [first]
    assert await ids("?start_time=20261101080000&end_time=20261102080000") == [last, first]
    assert await ids("?start_time=20261102080000") == []
    for query in ("page_no=0", "page_size=101", "status=DONE", "start_time=x", "start_time=20261101&end_time=1"):
        assert (await wire.call("GET", f"{TASKS}?{query}")).json["code"] == "InvalidParameter", query
    wide = "start_time=20261101080000&end_time=20261102080001"
    assert (await wire.call("GET", f"{TASKS}?{wide}")).status == 400
    assert (await wire.call("GET", TASKS, key="other-key")).json["total"] == 0


async def test_limits():
    wire = Wire(video_submits_per_minute=1, video_queries_per_second=2)
    task = await create(wire)
    assert (await submit(wire)).json["message"] == "Requests rate limit exceeded, please try again later."
    await query(wire, task)
    assert (await cancel(wire, task))[0] == 200
    assert (await wire.call("GET", TASKS)).status == 429
    wire.pass_by(1)
    assert (await wire.call("GET", TASKS)).status == 200
    wire.close()


async def test_other_paths_and_methods(wire):
    for method, path, status in (
        ("GET", URL, 405),
        ("DELETE", f"{TASKS}/x", 405),
        ("POST", TASKS, 405),
        ("POST", "/api/v1/uploads", 405),
        ("GET", "/api/v1/other", 404),
    ):
        answer = await wire.call(method, path)
        assert (answer.status, set(answer.json)) == (status, {"code", "message", "request_id"})


async def test_bodies_that_are_too_large(wire):
    answer = await wire.call("POST", URL, {}, headers=ASYNC, is_too_large=True)
    assert (answer.status, answer.json["code"]) == (413, "RequestEntityTooLarge")
    answer = await wire.call("POST", "/oss-upload", b"", key=None, is_too_large=True)
    assert answer.status == 400
    assert b"EntityTooLarge" in answer.body


async def test_the_journal_tells_the_task(wire):
    entry = (answer := await submit(wire)).entry
    assert (entry.flavour, entry.model, entry.credential) == ("dashscope-video", "happyhorse-1.0-t2v", "-key")
    assert entry.task_id == answer.json["output"]["task_id"]
    assert b'"a cat"' in entry.body
    assert entry.time == dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
