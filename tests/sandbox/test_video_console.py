"""What is done in a provider's console: assets, and the address for events."""

import asyncio
import base64
import contextlib
import datetime as dt
import json
import re

import pytest
from tests.support.video_wire import KEY, Wire, picture
from tests.support.web import Web

ASSETS, EVENTS = "/sandbox/video/assets", "/sandbox/video/events"
ARK, BYTEPLUS = "/api/v3/contents/generations/tasks", "/byteplus/api/v3/contents/generations/tasks"
DASHSCOPE = "/api/v1/services/aigc/video-generation/video-synthesis"
STD = "doubao-seedance-2-0-260128"
PNG = "data:image/png;base64," + base64.b64encode(picture(640, 480)).decode()
OK = (200, {}, b"")


@pytest.fixture
def wire():
    one = Wire()
    yield one
    one.close()


def image(url, role="reference_image"):
    return {"type": "image_url", "image_url": {"url": url}, "role": role}


async def create(wire, *content, text="a cat", url=ARK, model=STD, key=KEY):
    body = {"model": model, "content": [{"type": "text", "text": text}, *content]}
    return await wire.call("POST", url, body, key=key)


async def asset_of(wire, url=PNG, kind="image", key=KEY):
    answer = await wire.call("POST", ASSETS, {"type": kind, "url": url}, key=key)
    assert answer.status == 200, answer.body
    assert answer.json == {"id": answer.json["id"], "url": f"asset://{answer.json['id']}", "type": kind}
    assert re.fullmatch(r"asset-20261101080000-[a-z0-9]{5}", answer.json["id"])
    return answer.json["url"]


async def test_an_asset_is_as_good_as_its_file(wire):
    asset = await asset_of(wire)
    assert (await create(wire, image(asset), image(PNG))).status == 200
    named, given = wire.rendered[0][1]
    assert (
        (named.digest, named.width, named.format)
        == (given.digest, given.width, given.format)
        == (
            given.digest,
            640,
            "png",
        )
    )
    dreamina = await create(wire, image(asset, "first_frame"), url=BYTEPLUS, model="dreamina-seedance-2-0-260128")
    assert dreamina.status == 200
    wire.pass_by(100 * 86_400)
    assert (await create(wire, image(asset))).status == 200


@pytest.mark.parametrize("kind", ["image", "video", "audio"])
async def test_an_unknown_asset_is_a_bad_parameter_of_the_item_that_names_it(wire, kind):
    item = {
        "type": f"{kind}_url",
        f"{kind}_url": {"url": "asset://asset-20261101080000-xxxxx"},
        "role": f"reference_{kind}",
    }
    answer = await create(wire, image(PNG), item)
    assert (answer.status, answer.json["error"]["code"]) == (400, "InvalidParameter")
    assert answer.json["error"]["param"] == f"content[2].{kind}_url.url"
    assert "asset-20261101080000-xxxxx does not exist" in answer.json["error"]["message"]


async def test_an_asset_belongs_to_its_account_and_is_what_it_is(wire):
    asset = await asset_of(wire)
    assert (await create(wire, image(asset), key="other-key")).json["error"]["code"] == "InvalidParameter"
    clip = {"type": "video_url", "video_url": {"url": asset}, "role": "reference_video"}
    assert (await create(wire, clip)).json["error"]["param"] == "content[1].video_url.url"
    small = await asset_of(wire, "data:image/png;base64," + base64.b64encode(picture(200, 200)).decode())
    assert (await create(wire, image(small))).json["error"]["param"] == "content[1].image_url.url"


@pytest.mark.parametrize("url", [ARK, BYTEPLUS])
async def test_real_faces_are_refused_unless_they_are_assets(wire, url):
    model = STD if url == ARK else "dreamina-seedance-2-0-260128"

    async def refusal(*content):
        answer = await create(wire, *content, text="sandbox:real-face", url=url, model=model)
        return (
            (answer.status, answer.json["error"]["code"], answer.json["error"]["param"])
            if answer.status != 200
            else 200
        )

    asset = await asset_of(wire)
    face = "InputImageSensitiveContentDetected.PrivacyInformation"
    assert await refusal(image(PNG)) == (400, face, "content[1].image_url.url")
    assert await refusal(image(asset), image(PNG)) == (400, face, "content[2].image_url.url")
    assert await refusal(image(PNG, "first_frame"), image(asset, "last_frame")) == (
        400,
        face,
        "content[1].image_url.url",
    )
    assert await refusal(image(asset)) == 200
    assert await refusal() == 200
    assert (await wire.call("GET", url)).json["total"] == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", ASSETS, {"type": "picture", "url": PNG}, 400),
        ("POST", ASSETS, {"url": PNG}, 400),
        ("POST", ASSETS, {"type": "image", "url": "data:image/png;base64,AAAA"}, 400),
        ("POST", ASSETS, {"type": "image", "url": "http://127.0.0.1:9/x"}, 400),
        ("POST", ASSETS, {"type": "video", "url": PNG}, 400),
        ("POST", ASSETS, b"{", 400),
        ("GET", ASSETS, None, 404),
        ("PUT", EVENTS, {"url": "nowhere"}, 400),
        ("PUT", EVENTS, {}, 400),
        ("PUT", "/sandbox/video/other", {}, 404),
    ],
)
async def test_what_the_console_refuses(wire, method, path, body, status):
    answer = await wire.call(method, path, body)
    assert (answer.status, answer.json["error"]["type"]) == (status, "invalid_request_error")
    assert (await wire.call(method, path, body, key="wrong")).status == 401
    assert (await wire.call(method, path, body, is_too_large=True)).status == 413


@contextlib.asynccontextmanager
async def telling(**options):
    """A simulator at no time scale that posts, and a receiver that is registered for `sandbox-key`."""
    wire = Wire(time_scale=0, **options)
    async with Web({"/events": OK}) as web, asyncio.TaskGroup() as group:
        wire.simulator.start(group)
        assert (await wire.call("PUT", EVENTS, {"url": f"{web.url}/events"})).json == {"url": f"{web.url}/events"}
        yield wire, web
        wire.close()


async def submit(wire, prompt="a cat", key=KEY, **parameters):
    body = {"model": "happyhorse-1.0-t2v", "input": {"prompt": prompt}, "parameters": parameters}
    answer = await wire.call("POST", DASHSCOPE, body, key=key, headers={"x-dashscope-async": "enable"})
    assert answer.status == 200, answer.body
    return answer.json["output"]["task_id"], answer.json["request_id"]


async def test_the_event_of_a_task_that_has_ended():
    async with telling() as (wire, web):
        task_id, request_id = await submit(wire)
        [seen] = await web.wait_for(1)
        told = json.loads(seen.body)
        assert (told["type"], told["source"], told["specversion"]) == (
            "dashscope:System:AsyncTaskFinish",
            "acs.dashscope",
            "1.0",
        )
        assert dt.datetime.fromisoformat(told["time"]).utcoffset() == dt.timedelta(hours=8)
        listed = (await wire.call("GET", "/api/v1/tasks")).json["data"][0]
        same = ("task_id", "start_time", "end_time", "region", "api_key_id", "user_api_unique_key", "request_id")
        assert told["data"] == {
            **{name: listed[name] for name in same},
            "task_status": "SUCCEEDED",
            "contain_result": True,
        }
        assert (told["data"]["task_id"], told["data"]["request_id"]) == (task_id, request_id)
        signature = {name for name in seen.headers if name.startswith("x-eventbridge-signature")}
        assert {"x-eventbridge-signature", "x-eventbridge-signature-timestamp"} <= signature


async def test_every_end_is_told_and_only_to_its_account():
    async with telling() as (wire, web):
        await submit(wire, key="other-key")
        failed, _ = await submit(wire, "sandbox:moderation")
        invalid, _ = await submit(wire, duration=99)
        seen = [json.loads(one.body)["data"] for one in await web.wait_for(2)]
        ends = {data["task_id"]: (data["task_status"], data["contain_result"]) for data in seen}
        assert ends == {failed: ("FAILED", False), invalid: ("FAILED", False)}
        canceled, _ = await submit(wire, "sandbox:long-queue=50")
        assert (await wire.call("POST", f"/api/v1/tasks/{canceled}/cancel")).status == 200
        seen = await web.wait_for(3)
        assert json.loads(seen[2].body)["data"]["task_status"] == "CANCELED"
        assert (await wire.call("DELETE", EVENTS)).json["url"].endswith("/events")
        followed = []
        wire.simulator.studio.callbacks.follow = lambda task, _: followed.append(task)
        await submit(wire)
        assert followed == []


async def test_the_words_about_callbacks_and_the_repetitions():
    async with telling() as (wire, web):
        await submit(wire, "sandbox:callback-lost")
        twice, _ = await submit(wire, "sandbox:callback-twice")
        seen = [json.loads(one.body) for one in await web.wait_for(2)]
        assert seen[0] == seen[1]
        assert seen[0]["data"]["task_id"] == twice
        web.answers["/events"] = [*[(500, {}, b"")] * 3, OK]
        forged, _ = await submit(wire, "sandbox:callback-forged sandbox:moderation")
        seen = [json.loads(one.body) for one in await web.wait_for(6)][2:]
        assert [one["data"]["task_id"] for one in seen] == [forged] * 4
        assert [one["data"]["task_status"] for one in seen] == ["SUCCEEDED", "FAILED", "FAILED", "FAILED"]
        assert len({one["id"] for one in seen[1:]}) == 1
