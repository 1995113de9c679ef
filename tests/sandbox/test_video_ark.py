"""Ark's tasks: states, answers, lists, deletion, magic words."""

import base64
import re

import pytest
from tests.support.video_wire import Wire, picture

URL = "/api/v3/contents/generations/tasks"
BYTEPLUS_URL = "/byteplus/api/v3/contents/generations/tasks"
STD = "doubao-seedance-2-0-260128"
PRO = "doubao-seedance-1-5-pro-251215"
DAY = 86_400
START = 1_793_491_200


@pytest.fixture
def wire():
    one = Wire()
    yield one
    one.close()


async def create(wire, text="a cat", *, url=URL, key="sandbox-key", content=(), **fields):
    body = {"model": STD, "content": [{"type": "text", "text": text}, *content], **fields}
    answer = await wire.call("POST", url, body, key=key)
    assert answer.status == 200, answer.body
    return answer.json["id"]


async def get(wire, task, url=URL):
    answer = await wire.call("GET", f"{url}/{task}")
    assert answer.status == 200
    return answer.json


async def status(wire, task):
    return (await get(wire, task))["status"]


def image(width, height, role):
    url = "data:image/png;base64," + base64.b64encode(picture(width, height)).decode()
    return {"type": "image_url", "image_url": {"url": url}, "role": role}


async def test_a_task_from_queued_to_succeeded(wire):
    task = await create(wire, resolution="720p", ratio="16:9", duration=5)
    assert re.fullmatch(r"cgt-20261101080000-[a-z0-9]{5}", task)
    queued = {
        "id": task,
        "model": STD,
        "status": "queued",
        "service_tier": "default",
        "created_at": START,
        "updated_at": START,
        "execution_expires_after": 172_800,
    }
    assert await get(wire, task) == queued
    wire.pass_by(1.5)
    assert await get(wire, task) == queued | {"status": "running", "updated_at": START + 1}
    wire.pass_by(3)
    told = await get(wire, task)
    assert told == {
        "id": task,
        "model": STD,
        "status": "succeeded",
        "content": {"video_url": told["content"]["video_url"]},
        "seed": told["seed"],
        "usage": {"completion_tokens": 108_900, "total_tokens": 108_900},
        "service_tier": "default",
        "created_at": START,
        "updated_at": START + 4,
        "resolution": "720p",
        "ratio": "16:9",
        "duration": 5,
        "framespersecond": 24,
        "execution_expires_after": 172_800,
        "generate_audio": True,
        "draft": False,
        "priority": 0,
    }
    assert isinstance(told["seed"], int)
    assert (await get(wire, task)) == told


async def test_extras_are_told(wire):
    task = await create(
        wire, return_last_frame=True, safety_identifier="who", tools=[{"type": "web_search"}], generate_audio=False
    )
    wire.pass_by(9)
    told = await get(wire, task)
    assert told["content"] == {
        "video_url": told["content"]["video_url"],
        "last_frame_url": told["content"]["last_frame_url"],
    }
    assert ".png?" in told["content"]["last_frame_url"]
    assert (
        told
        | {
            "safety_identifier": "who",
            "tools": [{"type": "web_search"}],
            "generate_audio": False,
            "usage": {"completion_tokens": 108_900, "total_tokens": 108_900, "tool_usage": {"web_search": 1}},
        }
        == told
    )


async def test_adaptive_follows_the_first_picture_and_the_model_may_choose(wire):
    await create(wire, content=[image(600, 800, "first_frame"), image(800, 600, "last_frame")], duration=-1)
    task = await create(wire, content=[image(400, 400, "reference_image")], resolution="480p", watermark=True)
    wishes = [wish for wish, _ in wire.rendered]
    assert [(wish.width, wish.height, wish.seconds) for wish in wishes] == [(834, 1112, 5), (640, 640, 5)]
    assert [wish.watermark for wish in wishes] == [None, "AI生成"]
    assert [piece.role for piece in wire.rendered[0][1]] == ["first_frame", "last_frame"]
    wire.pass_by(9)
    assert (await get(wire, task))["ratio"] == "1:1"


async def test_byteplus_keeps_its_own_tasks(wire):
    body = {"model": "dreamina-seedance-2-0-260128", "content": [{"type": "text", "text": "p"}], "watermark": True}
    task = (await wire.call("POST", BYTEPLUS_URL, body)).json["id"]
    assert wire.rendered[0][0].watermark == "AI Generated"
    assert (await get(wire, task, BYTEPLUS_URL))["model"] == "dreamina-seedance-2-0-260128"
    assert (await wire.call("GET", f"{URL}/{task}")).status == 404
    assert (await wire.call("GET", URL)).json == {"total": 0, "items": []}
    assert (await wire.call("GET", BYTEPLUS_URL)).json["total"] == 1


async def test_a_draft_and_its_whole(wire):
    draft = await create(wire, "a dog", model=PRO, draft=True, resolution="480p", ratio="4:3", duration=6)
    again = {"model": PRO, "content": [{"type": "draft_task", "draft_task": {"id": draft}}], "resolution": "720p"}
    assert (await wire.call("POST", URL, again)).json["error"]["param"] == "content[0].draft_task.id"
    wire.pass_by(9)
    told = await get(wire, draft)
    assert (told["draft"], told["usage"]["total_tokens"]) == (True, 752 * 560 * 145 // 1024 * 60 // 100)
    task = (await wire.call("POST", URL, again)).json["id"]
    wish = wire.rendered[-1][0]
    assert (wish.prompt, wish.width, wish.height, wish.seconds) == ("a dog", 1112, 834, 6)
    wire.pass_by(9)
    told = await get(wire, task)
    assert told | {"draft": False, "draft_task_id": draft, "duration": 6, "resolution": "720p"} == told


async def test_deletion_by_state(wire):
    async def delete(task):
        answer = await wire.call("DELETE", f"{URL}/{task}", {})
        return answer.status, answer.json if answer.status == 200 else answer.json["error"]["code"]

    queued = await create(wire)
    assert await delete(queued) == (200, {})
    told = await get(wire, queued)
    assert (told["status"], told["error"]) == ("cancelled", None)
    assert await delete(queued) == (400, "InvalidParameter")
    running = await create(wire)
    wire.pass_by(2)
    assert await delete(running) == (409, "TaskRunningCannotCancel")
    wire.pass_by(9)
    for task in (running, await create(wire, "sandbox:moderation")):
        wire.pass_by(9)
        assert await delete(task) == (200, {})
        assert await delete(task) == (404, "NotFound")
    wire.pass_by(DAY)
    assert (await wire.call("GET", f"{URL}/{queued}")).status == 404


async def test_expiry(wire):
    stuck = await create(wire, "sandbox:stuck", execution_expires_after=3600)
    done = await create(wire)
    wire.pass_by(3599)
    assert await status(wire, stuck) == "running"
    wire.pass_by(1)
    told = await get(wire, stuck)
    assert (told["status"], told["error"], "usage" in told) == ("expired", None, False)
    wire.pass_by(7 * DAY - 3601)
    assert await status(wire, done) == "succeeded"
    wire.pass_by(1)
    assert (await wire.call("GET", f"{URL}/{done}")).status == 404


async def test_failures(wire):
    moderated = await create(wire, "sandbox:moderation")
    invalid = await create(wire, "sandbox:invalid-input")
    wire.pass_by(9)
    told = await get(wire, moderated)
    assert told["status"] == "failed"
    assert told["error"] == {
        "code": "OutputVideoSensitiveContentDetected",
        "message": "The request failed because the output video may contain sensitive information.",
    }
    assert not {"usage", "content"} & set(told)
    assert (await get(wire, invalid))["error"]["code"] == "InvalidParameter"


@pytest.mark.parametrize(
    ("word", "code", "status_code"),
    [
        ("401", "AuthenticationError", 401),
        ("no-money", "AccountOverdueError", 403),
        ("429", "RateLimitExceeded.EndpointRPMExceeded", 429),
        ("500-after-accept", "InternalServiceError", 500),
    ],
)
async def test_words_that_refuse(wire, word, code, status_code):
    body = {"model": STD, "content": [{"type": "text", "text": f"sandbox:{word}"}]}
    answer = await wire.call("POST", URL, body)
    assert (answer.status, answer.json["error"]["code"]) == (status_code, code)
    assert answer.entry.fault == word
    assert (await wire.call("GET", URL)).json["total"] == (word == "500-after-accept")


async def test_a_credential_that_fails_and_one_that_sees_nothing(wire):
    assert (await wire.call("GET", URL, key="sandbox-key-fail-401")).status == 401
    task = await create(wire)
    assert (await wire.call("GET", f"{URL}/{task}", key="other-key")).status == 404
    assert (await wire.call("DELETE", f"{URL}/{task}", key="other-key")).status == 404


async def test_shorter_tells_what_is_delivered(wire):
    task = await create(wire, "sandbox:shorter", duration=10)
    wire.pass_by(9)
    told = await get(wire, task)
    assert (told["duration"], told["usage"]["total_tokens"]) == (5, 108_900)


async def test_lists(wire):
    first = await create(wire)
    wire.pass_by(9)
    pro = await create(wire, model=PRO, service_tier="flex")
    last = await create(wire, duration=6)

    async def ids(query=""):
        answer = await wire.call("GET", f"{URL}{query}")
        assert answer.status == 200, answer.body
        assert answer.json["total"] >= len(answer.json["items"])
        return [item["id"] for item in answer.json["items"]]

    assert await ids() == [last, pro, first]
    assert await ids("?page_num=1&page_size=20&filter.status=succeeded") == [first]
    assert await ids("?filter.status=queued&filter.status=") == [last, pro, first]
    assert await ids(f"?filter.task_ids={first}&filter.task_ids={last}&filter.task_ids=x") == [last, first]
    assert await ids(f"?filter.model={PRO}") == [pro]
    assert await ids("?filter.service_tier=flex") == [pro]
    assert await ids("?page_num=2&page_size=2") == [first]
    assert await ids("?page_num=3&page_size=2") == []
    for query, param in (
        ("page_num=0", "page_num"),
        ("page_size=501", "page_size"),
        ("page_num=x", "page_num"),
        ("filter.status=done", "filter.status"),
    ):
        answer = await wire.call("GET", f"{URL}?{query}")
        assert (answer.status, answer.json["error"]["param"]) == (400, param)


async def test_limits():
    wire = Wire(video_submits_per_minute=1, video_queries_per_second=1)
    task = await create(wire)
    body = {"model": STD, "content": [{"type": "text", "text": "p"}]}
    assert (await wire.call("POST", URL, body)).status == 429
    assert (await wire.call("POST", URL, body, key="other-key")).status == 200
    assert (await wire.call("GET", f"{URL}/{task}")).status == 200
    assert (await wire.call("GET", URL)).json["error"]["type"] == "TooManyRequests"
    wire.pass_by(60)
    assert (await wire.call("POST", URL, body)).status == 200
    wire.close()


async def test_lists_may_have_a_limit_of_their_own():
    wire = Wire(video_lists_per_second=1)
    task = await create(wire)
    assert [(await wire.call("GET", URL)).status for _ in range(2)] == [200, 429]
    assert [(await wire.call("GET", f"{URL}/{task}")).status for _ in range(3)] == [200] * 3
    wire.pass_by(1)
    assert (await wire.call("GET", URL)).status == 200
    wire.close()


async def test_the_journal_tells_the_task(wire):
    answer = await wire.call("POST", URL, {"model": STD, "content": [{"type": "text", "text": "p"}]})
    entry = answer.entry
    assert (entry.flavour, entry.model, entry.task_id, entry.credential) == (
        "ark-video",
        STD,
        answer.json["id"],
        "-key",
    )
    assert entry.request_id == answer.headers["X-Request-Id"]
    assert b'"content"' in entry.body


async def test_what_callbacks_tell(wire):
    followed = []
    wire.simulator.studio.callbacks.follow = lambda task, how: followed.append((task, how))
    task = await create(wire, callback_url="http://127.0.0.1:9/back")
    canceled = await create(wire, callback_url="http://127.0.0.1:9/back")
    await create(wire)
    await wire.call("DELETE", f"{URL}/{canceled}")
    wire.pass_by(9)
    told = [
        [how.body(view) for view in wire.simulator.studio.tasks.views(one)]
        for one, how in followed
        if how.url[-5:] == "/back"
    ]
    statuses = [[body and body["status"] for body in bodies] for bodies in told]
    assert statuses == [[None, "queued", "running", "succeeded"], [None, None]]
    assert told[0][-1] == await get(wire, task)
