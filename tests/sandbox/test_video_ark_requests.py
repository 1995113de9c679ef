"""What Ark takes and refuses, without a task."""

import base64

import pytest
from tests.support.video_wire import Wire, picture

URL = "/api/v3/contents/generations/tasks"
BYTEPLUS_URL = "/byteplus/api/v3/contents/generations/tasks"
STD = "doubao-seedance-2-0-260128"
FAST = "doubao-seedance-2-0-fast-260128"
PRO = "doubao-seedance-1-5-pro-251215"
TEXT = {"type": "text", "text": "a cat"}
PNG = "data:image/png;base64," + base64.b64encode(picture(640, 480)).decode()
WEB = "http://127.0.0.1:9/x"


@pytest.fixture
def wire():
    one = Wire()
    yield one
    one.close()


def image(role="first_frame", url=PNG):
    return {"type": "image_url", "image_url": {"url": url}, "role": role}


def clip(kind, url=WEB, role=None):
    return {"type": f"{kind}_url", f"{kind}_url": {"url": url}, "role": role or f"reference_{kind}"}


def ask(model=STD, content=None, **fields):
    return {"model": model, "content": content if content is not None else [TEXT], **fields}


def assert_refused(answer, status, code, param):
    assert answer.status == status, answer.body
    error = answer.json["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == {400: "BadRequest", 401: "Unauthorized", 404: "NotFound"}[status]
    assert error["message"].endswith(f"Request id: {answer.headers['X-Request-Id']}")


@pytest.mark.parametrize(
    "body",
    [
        ask(),
        ask(resolution="4k", ratio="21:9", duration=15),
        ask(duration=-1, ratio="adaptive", watermark=True, priority=9, tools=[{"type": "web_search"}]),
        ask(FAST, resolution="480p", generate_audio=False, return_last_frame=True),
        ask(PRO, resolution="1080p", duration=4, seed=4_294_967_295, camera_fixed=True, service_tier="flex"),
        ask(PRO, draft=True, resolution="480p"),
        ask("doubao-seedance-2-5-260628", output_format="mp4"),
        ask("ep-20260101000000-abcde"),
        ask(content=[TEXT, image(), image("last_frame")]),
        ask(content=[{"type": "image_url", "image_url": {"url": PNG}}]),
        ask(content=[TEXT, *[image("reference_image")] * 9]),
        ask(safety_identifier="x" * 64, execution_expires_after=3600, draft=False),
        ask(
            content=[{"type": "text", "text": "p", "role": None}], seed=None, camera_fixed=None, frames=None, tools=None
        ),
    ],
)
async def test_taken(wire, body):
    answer = await wire.call("POST", URL, body)
    assert answer.status == 200, answer.body
    assert list(answer.json) == ["id"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (ask(ratio="9:21"), "ratio"),
        (ask(ratio="keep_ratio"), "ratio"),
        (ask(resolution="720P"), "resolution"),
        (ask(FAST, resolution="1080p"), "resolution"),
        (ask(PRO, resolution="4k"), "resolution"),
        (ask(duration=3), "duration"),
        (ask(duration=16), "duration"),
        (ask(PRO, duration=13), "duration"),
        (ask(duration=5.0), "duration"),
        (ask(duration="5"), "duration"),
        (ask(duration=True), "duration"),
        (ask(seed=1), "seed"),
        (ask(PRO, seed=-2), "seed"),
        (ask(PRO, seed=2**32), "seed"),
        (ask(camera_fixed=False), "camera_fixed"),
        (ask(frames=120), "frames"),
        (ask(watermark="yes"), "watermark"),
        (ask(draft=True), "draft"),
        (ask(PRO, draft=True, resolution="720p"), "resolution"),
        (ask(PRO, draft=True, resolution="480p", return_last_frame=True), "return_last_frame"),
        (ask(PRO, draft=True, resolution="480p", service_tier="flex"), "service_tier"),
        (ask(service_tier="flex"), "service_tier"),
        (ask(PRO, priority=1), "priority"),
        (ask(priority=10), "priority"),
        (ask(execution_expires_after=3599), "execution_expires_after"),
        (ask(safety_identifier="x" * 65), "safety_identifier"),
        (ask(callback_url="ftp://x"), "callback_url"),
        (ask(tools=[{"type": "other"}]), "tools"),
        (ask(content=[TEXT, image()], tools=[{"type": "web_search"}]), "tools"),
        (ask(output_format="mp4"), "output_format"),
        (ask(prompt="p"), "prompt"),
        (ask(content=[]), "content"),
        (ask(content="p"), "content"),
        (ask(content=["p"]), "content[0].type"),
        (ask(content=[{"type": "text", "text": " "}]), "content[0].text"),
        (ask(content=[image("reference_video")]), "content[0].role"),
        (ask(content=[TEXT, clip("video", "data:video/mp4;base64,AAAA")]), "content[1].video_url.url"),
        (ask(content=[TEXT, image("reference_image"), clip("audio", "asset://a-1")]), "content[2].audio_url.url"),
        (ask(PRO, content=[{"type": "draft_task", "draft_task": {"id": "cgt-x"}}]), "content[0].draft_task.id"),
        ({"model": 5, "content": [TEXT]}, "model"),
    ],
)
async def test_invalid(wire, body, param):
    assert_refused(await wire.call("POST", URL, body), 400, "InvalidParameter", param)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"content": [TEXT]}, "model"),
        ({"model": STD}, "content"),
        ({"model": STD, "content": None}, "content"),
        (ask(content=[image(), {"type": "image_url", "image_url": {"url": PNG}}]), "content[1].role"),
        (ask(content=[{"type": "image_url"}]), "content[0].image_url.url"),
        (ask(content=[{"type": "text"}]), "content[0].text"),
        (ask(PRO, content=[{"type": "draft_task"}]), "content[0].draft_task.id"),
    ],
)
async def test_missing(wire, body, param):
    assert_refused(await wire.call("POST", URL, body), 400, "MissingParameter", param)


@pytest.mark.parametrize(
    ("model", "content", "code"),
    [
        (STD, [TEXT, image(), image("reference_image")], "TaskTypeConstraint"),
        (STD, [TEXT, image(), image()], "TaskTypeConstraint"),
        (STD, [TEXT, image("last_frame")], "TaskTypeConstraint"),
        (STD, [TEXT, clip("audio", WEB)], "TaskTypeConstraint"),
        (STD, [TEXT, *[image("reference_image")] * 10], "TaskTypeConstraint"),
        (STD, [TEXT, *[clip("video")] * 4], "TaskTypeConstraint"),
        (STD, [TEXT, image("reference_image"), *[clip("audio")] * 4], "TaskTypeConstraint"),
        (PRO, [TEXT, image("reference_image")], "TaskTypeMismatch"),
        (STD, [{"type": "draft_task", "draft_task": {"id": "cgt-x"}}], "TaskTypeMismatch"),
        (PRO, [TEXT, {"type": "draft_task", "draft_task": {"id": "cgt-x"}}], "TaskTypeConstraint"),
    ],
)
async def test_media_that_exclude_each_other(wire, model, content, code):
    assert_refused(await wire.call("POST", URL, ask(model, content)), 400, f"InvalidParameter.{code}", "content")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("data:image/PNG;base64,AAAA", "InvalidImageURL"),
        ("ftp://host/a.png", "InvalidImageURL"),
        ("AAAA", "InvalidImageURL"),
        ("data:image/png;base64,AAAA", "InvalidImageURL"),
        (WEB, "InvalidImageURL"),
        ("data:image/x-ppm;base64," + base64.b64encode(picture(400, 400, "PPM")).decode(), "InvalidParameter"),
        ("data:image/png;base64," + base64.b64encode(picture(299, 400)).decode(), "InvalidParameter"),
        ("data:image/png;base64," + base64.b64encode(picture(1000, 400)).decode(), "InvalidParameter"),
        ("data:image/png;base64," + base64.b64encode(picture(400, 1000)).decode(), "InvalidParameter"),
        ("data:image/png;base64," + base64.b64encode(picture(6001, 3000)).decode(), "InvalidParameter"),
    ],
)
async def test_pictures_that_are_none(wire, url, code):
    answer = await wire.call("POST", URL, ask(content=[TEXT, image(url=url)]))
    assert_refused(answer, 400, code, "content[1].image_url.url")


async def test_unknown_models_and_the_ids_of_the_other_service(wire):
    unknown = "InvalidEndpointOrModel.NotFound"
    assert_refused(await wire.call("POST", URL, ask("doubao-x")), 404, unknown, "model")
    assert_refused(await wire.call("POST", URL, ask("dreamina-seedance-2-0-260128")), 404, unknown, "model")
    assert_refused(await wire.call("POST", BYTEPLUS_URL, ask()), 404, unknown, "model")
    assert (await wire.call("POST", BYTEPLUS_URL, ask("dreamina-seedance-2-0-260128"))).status == 200
    answer = await wire.call("POST", BYTEPLUS_URL, ask("seedance-1-5-pro-251215", seed=2**31))
    assert_refused(answer, 400, "InvalidParameter", "seed")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
async def test_no_json(wire, body):
    assert_refused(await wire.call("POST", URL, body), 400, "InvalidParameter", "")


async def test_the_older_form_in_the_prompt_is_read_weakly(wire):
    text = "a cat --rs 480p --rt 9:16 --dur 6 --seed 5"
    await wire.call("POST", URL, ask(content=[{"type": "text", "text": text}]))
    await wire.call("POST", URL, ask(content=[{"type": "text", "text": "a cat --rs 9000p --rt 5:1 --dur 99"}]))
    await wire.call("POST", URL, ask(content=[{"type": "text", "text": text}], resolution="1080p", duration=4))
    shapes = [(wish.width, wish.height, wish.seconds) for wish, _ in wire.rendered]
    assert shapes == [(496, 864, 6), (1280, 720, 5), (1080, 1920, 4)]


async def test_credentials(wire):
    assert_refused(await wire.call("POST", URL, ask(), key=None), 401, "AuthenticationError", "")
    assert_refused(await wire.call("POST", URL, ask(), key="wrong"), 401, "AuthenticationError", "")
    assert_refused(await wire.call("GET", f"{URL}/cgt-x", key=""), 401, "AuthenticationError", "")


async def test_other_paths_methods_and_sizes(wire):
    assert (await wire.call("GET", "/api/v3/contents/other")).status == 404
    assert (await wire.call("PUT", f"{URL}/cgt-x")).status == 405
    answer = await wire.call("POST", URL, ask(), is_too_large=True)
    assert (answer.status, answer.json["error"]["code"]) == (413, "RequestEntityTooLarge")
