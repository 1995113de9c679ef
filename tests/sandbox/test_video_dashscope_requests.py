"""What DashScope takes, what it refuses at once, and what makes a task that fails."""

import base64

import pytest
from tests.support.video_wire import Wire, picture

from yuanjing.sandbox.video import dashscope_models
from yuanjing.sandbox.video.dashscope_models import MODELS

BASE = "/api/v1/services/aigc"
URL = f"{BASE}/video-generation/video-synthesis"
KF2V_URL = f"{BASE}/image2video/video-synthesis"
ASYNC = {"x-dashscope-async": "enable"}
WEB = "http://127.0.0.1:9/a.png"


def data_uri(width=640, height=480, form="PNG", mode="RGB"):
    return f"data:image/{form.lower()};base64," + base64.b64encode(picture(width, height, form, mode)).decode()


def first(url=None):
    return {"type": "first_frame", "url": url or data_uri()}


def reference(url=None):
    return {"type": "reference_image", "url": url or data_uri()}


def horse(kind="t2v", *, media=None, prompt="a cat", **parameters):
    inputs = {"prompt": prompt, "media": media}
    return {"model": f"happyhorse-1.0-{kind}", "input": inputs, "parameters": parameters}


def wan(kind="t2v", *, prompt="a cat", inputs=None, **parameters):
    return {"model": f"wan2.6-{kind}", "input": {"prompt": prompt, **(inputs or {})}, "parameters": parameters}


@pytest.fixture
def wire():
    one = Wire()
    yield one
    one.close()


async def outcome(wire, body, url=URL, headers=None):
    """The query's answer once the task has ended."""
    answer = await wire.call("POST", url, body, headers={**ASYNC, **(headers or {})})
    assert answer.status == 200, answer.body
    assert answer.json["output"]["task_status"] == "PENDING"
    wire.pass_by(9)
    return (await wire.call("GET", f"/api/v1/tasks/{answer.json['output']['task_id']}")).json


async def assert_fails(wire, body, text, *, url=URL, code="InvalidParameter"):
    output = (await outcome(wire, body, url))["output"]
    assert output["task_status"] == "FAILED"
    assert output["code"] == code
    assert text in output["message"]
    assert "video_url" not in output


SHAPES = [
    (horse(), (1920, 1080, 5)),
    (horse(resolution="720P", ratio="16:9", duration=3, watermark=False, seed=0), (1280, 720, 3)),
    (horse(resolution="720P", ratio="9:21", duration=15), (628, 1466, 15)),
    (horse(resolution="1080P", ratio="1:1"), (1440, 1440, 5)),
    (horse("i2v", media=[first()], resolution="720P", prompt=None), (1108, 832, 5)),
    (horse("i2v", media=[first(data_uri(300, 750, "JPEG"))], resolution="1080P"), (910, 2276, 5)),
    (horse("r2v", media=[reference()] * 9, ratio="4:5", resolution="720P", duration=12), (858, 1074, 12)),
    (wan(), (1920, 1080, 5)),
    (wan(size="1088*832", duration=2, shot_type="multi", prompt_extend=True), (1088, 832, 2)),
    (wan("i2v", prompt=None, inputs={"img_url": data_uri(1280, 720)}, resolution="720P"), (1280, 720, 5)),
    (wan("i2v", inputs={"img_url": data_uri(1280, 720, "WEBP", "RGBA")}, resolution="720P"), (1280, 720, 5)),
    (
        {"model": "wan2.7-i2v", "input": {"media": [first(), {"type": "last_frame", "url": data_uri()}]}},
        (1662, 1248, 5),
    ),
]


@pytest.mark.parametrize(("body", "shape"), SHAPES)
async def test_taken(wire, body, shape):
    assert (await outcome(wire, body))["output"]["task_status"] == "SUCCEEDED"
    wish = wire.rendered[0][0]
    assert (wish.width, wish.height, wish.seconds) == shape


async def test_first_and_last_frame_have_a_path_of_their_own(wire):
    inputs = {"first_frame_url": data_uri(), "last_frame_url": data_uri(), "prompt": "p"}
    told = await outcome(wire, {"model": "wan2.2-kf2v-flash", "input": inputs}, KF2V_URL)
    assert told["output"]["task_status"] == "SUCCEEDED"
    assert [piece.role for piece in wire.rendered[0][1]] == ["first_frame", "last_frame"]
    answer = await wire.call("POST", URL, {"model": "wan2.2-kf2v-flash", "input": inputs}, headers=ASYNC)
    assert answer.status == 400


async def test_defaults_that_cost(wire):
    await outcome(wire, horse())
    await outcome(wire, wan())
    await outcome(wire, {"model": "wan2.6-i2v-flash", "input": {"img_url": data_uri()}, "parameters": {"audio": False}})
    wishes = [wish for wish, _ in wire.rendered]
    assert [wish.watermark for wish in wishes] == ["Happy Horse", None, None]
    assert [wish.has_audio for wish in wishes] == [True, True, False]


async def test_what_the_sdk_adds_is_ignored(wire):
    body = horse()
    body["input"] |= {"extend_prompt": True, "function": "video-synthesis", "anything": 1}
    body["parameters"] |= {"anything": 1}
    assert (await outcome(wire, body))["output"]["task_status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (horse(prompt=""), "Field required: input.prompt"),
        (horse(prompt=5), "prompt"),
        ({"model": "happyhorse-1.0-t2v"}, "Field required: input.prompt"),
        ({"model": "happyhorse-1.0-t2v", "input": "p"}, "input"),
        (horse(resolution="480P"), "The resolution is not valid 480P"),
        (horse(resolution="720p"), "The resolution is not valid 720p"),
        (horse(ratio="adaptive"), "The ratio is not valid adaptive"),
        (horse(duration=2), "duration"),
        (horse(duration=16), "duration"),
        (horse(duration="5"), "duration"),
        (horse(duration=True), "duration"),
        (horse(seed=-1), "seed"),
        (horse(seed=2**31), "seed"),
        (horse(watermark="no"), "watermark"),
        (horse(size="1280*720"), "parameters.size"),
        (horse(prompt_extend=True), "parameters.prompt_extend"),
        (horse(media=[first()]), "input.media"),
        (horse("i2v"), "Field required: input.media"),
        (horse("i2v", media=[]), "Field required: input.media"),
        (horse("i2v", media=[first(), first()]), "at most 1 first_frame"),
        (horse("i2v", media=[first(), {"type": "last_frame", "url": WEB}]), "last_frame"),
        (horse("i2v", media=[first()], ratio="16:9"), "parameters.ratio"),
        (horse("i2v", media=[{"type": "first_frame"}]), "Field required: input.media.url"),
        (horse("i2v", media=[first("ftp://x/a.png")]), "input.media.url"),
        (horse("i2v", media=[first("data:audio/wav;base64,AAAA")]), "input.media.url"),
        (horse("i2v", media=[first(data_uri(299, 400))]), "299*400"),
        (horse("i2v", media=[first(data_uri(300, 751))]), "ratio"),
        (horse("i2v", media=[first(data_uri(400, 400, "GIF"))]), "gif"),
        (horse("r2v"), "reference_image"),
        (horse("r2v", media=[reference()] * 10), "at most 9 reference_image"),
        (horse("r2v", media=[reference(data_uri(399, 500))]), "399*500"),
        (horse("r2v", media=[{"type": "reference_video", "url": WEB}]), "reference_video"),
        (wan(size="832*480"), "The size is not valid 832*480"),
        (wan(size="480*832"), "size"),
        (wan(size="624*624"), "size"),
        (wan(size="1920x1080"), "size"),
        (wan(resolution="720P"), "parameters.resolution"),
        (wan(shot_type="multi", prompt_extend=False), "shot_type"),
        (wan(duration=16), "duration"),
        (wan(prompt="x" * 1501), "prompt"),
        (wan(inputs={"negative_prompt": "x" * 501}), "negative_prompt"),
        (wan("i2v"), "Field required: input.img_url"),
        (wan("i2v", inputs={"img_url": data_uri()}, size="1280*720"), "parameters.size"),
        (wan("i2v", inputs={"img_url": data_uri()}, audio=True), "parameters.audio"),
        (wan("i2v", inputs={"img_url": data_uri(mode="RGBA")}), "alpha channel"),
        (wan("r2v"), "Field required: input.reference_urls"),
        (wan("r2v", inputs={"reference_urls": [WEB] * 6}), "at most 5"),
        (wan("r2v", inputs={"reference_urls": [WEB + "/a.mp4"] * 4}), "at most 3 videos"),
        (wan("r2v", inputs={"reference_urls": [data_uri()]}), "input.reference_urls"),
        (wan("r2v", inputs={"reference_video_urls": [WEB + "/a.mp4"] * 4}), "at most 3 videos"),
        (wan("t2v", inputs={"reference_video_urls": [WEB]}), "input.reference_video_urls"),
        (wan("r2v", inputs={"reference_urls": [WEB]}, duration=11), "duration"),
        (horse("i2v", media=[first("oss://a/b.png")]), "X-DashScope-OssResourceResolve"),
    ],
)
async def test_accepted_and_failed(wire, body, text):
    await assert_fails(wire, body, text)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (WEB, "InvalidURL.ConnectionRefused"),
        ("data:image/png;base64,AAAA", "InvalidParameter.DataInspection"),
    ],
)
async def test_media_that_cannot_be_read(wire, url, code):
    await assert_fails(wire, horse("i2v", media=[first(url)]), "", code=code)


async def test_longer_prompts_are_cut_for_happyhorse(wire):
    for prompt, used in (("x" * 5001, "x" * 5000), ("好" * 2501, "好" * 2500), ("x" * 4999 + "好", "x" * 4999)):
        told = await outcome(wire, horse(prompt=prompt))
        assert told["output"]["orig_prompt"] == prompt
        assert wire.rendered[-1][0].prompt == used


async def test_refused_at_once(wire):
    async def refusal(body, headers=ASYNC, key="sandbox-key"):
        answer = await wire.call("POST", URL, body, headers=headers, key=key)
        assert set(answer.json) == {"code", "message", "request_id"}
        assert answer.json["request_id"] == answer.entry.request_id
        return answer.status, answer.json["code"], answer.json["message"]

    no_model = (400, "InvalidParameter", "Model not exist.")
    assert await refusal({"model": "happyhorse-9-t2v", "input": {"prompt": "p"}}) == no_model
    assert await refusal({"input": {"prompt": "p"}}) == no_model
    sync = (403, "AccessDenied", "current user api does not support synchronous calls")
    assert await refusal(horse(), headers={}) == sync
    assert await refusal(horse(), headers={"x-dashscope-async": "true"}) == sync
    assert await refusal(horse(), key=None) == (401, "InvalidApiKey", "No API-key provided.")
    assert await refusal(horse(), key="wrong") == (401, "InvalidApiKey", "Invalid API-key provided.")
    for body in (b"", b"{", b"[1]"):
        assert (await refusal(body))[:2] == (400, "InvalidParameter")


def test_the_data_is_whole():
    for name, row in MODELS.items():
        assert bool(row.sizes) != bool(row.resolutions), name
        assert row.takes <= dashscope_models.NAMES
        assert set(row.resolutions) <= set(dashscope_models.TIER_PIXELS)
    for size in dashscope_models.SIZES_720P:
        assert dashscope_models.tier_of(*map(int, size.split("*"))) == 720
    for size in dashscope_models.SIZES_1080P:
        assert dashscope_models.tier_of(*map(int, size.split("*"))) == 1080


@pytest.mark.parametrize("tier", dashscope_models.TIER_PIXELS)
@pytest.mark.parametrize("ratio", dashscope_models.RATIOS)
def test_computed_sizes(tier, ratio):
    across, down = map(int, ratio.split(":"))
    width, height = dashscope_models.size_of(tier, across, down)
    assert width % 2 == height % 2 == 0
    assert width * height == pytest.approx(dashscope_models.TIER_PIXELS[tier], rel=0.01)
    assert width / height == pytest.approx(across / down, rel=0.01)
