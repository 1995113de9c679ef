"""The requests that the platform sends for the published API's own examples, and what they cost at the providers."""

import base64

import pytest
from tests.support.video_wire import Wire, picture

ARK_URL = "/api/v3/contents/generations/tasks"
DASH_URL = "/api/v1/services/aigc/video-generation/video-synthesis"
JPEG = "data:image/jpeg;base64," + base64.b64encode(picture(640, 480, "JPEG")).decode()


def image(role):
    return {"type": "image_url", "image_url": {"url": JPEG}, "role": role}


def ark(model, text, *media, **fields):
    content = [{"type": "text", "text": text}, *media]
    return {"model": model, "content": content, **fields, "generate_audio": True, "watermark": False}


PRO = "doubao-seedance-1-5-pro-251215"
TEXT = ark(PRO, "小猫在抓老鼠", resolution="480p", ratio="16:9", duration=5)
FRAMES = ark(
    PRO,
    "从图片1到图片2丝滑转换",
    image("first_frame"),
    image("last_frame"),
    resolution="480p",
    ratio="16:9",
    duration=5,
)
REFERENCES = ark(
    "doubao-seedance-2-0-260128",
    "平滑过度从第一张图片到第二张图片",
    image("reference_image"),
    image("reference_image"),
    resolution="720p",
    ratio="4:3",
    duration=4,
)
HORSE = {
    "model": "happyhorse-1.0-i2v",
    "input": {"prompt": "一起来调科目三", "media": [{"type": "first_frame", "url": JPEG}]},
    "parameters": {"resolution": "720P", "duration": 15, "watermark": False},
}


@pytest.fixture
def wire():
    one = Wire()
    yield one
    one.close()


@pytest.mark.parametrize(
    ("body", "size", "tokens"),
    [(TEXT, (864, 496), 50_638), (FRAMES, (864, 496), 50_638), (REFERENCES, (1112, 834), 87_850)],
    ids=["text", "frames", "references"],
)
async def test_ark(wire, body, size, tokens):
    task = (await wire.call("POST", ARK_URL, body)).json["id"]
    wire.pass_by(9)
    told = (await wire.call("GET", f"{ARK_URL}/{task}")).json
    assert told["usage"] == {"completion_tokens": tokens, "total_tokens": tokens}
    assert (told["duration"], told["ratio"], told["generate_audio"]) == (body["duration"], body["ratio"], True)
    wish, media = wire.rendered[0]
    assert (wish.width, wish.height) == size
    assert len(media) == len(body["content"]) - 1


async def test_dashscope(wire):
    answer = await wire.call("POST", DASH_URL, HORSE, headers={"x-dashscope-async": "enable"})
    wire.pass_by(9)
    told = (await wire.call("GET", f"/api/v1/tasks/{answer.json['output']['task_id']}")).json
    assert told["output"]["task_status"] == "SUCCEEDED"
    assert told["usage"] == {
        "duration": 15,
        "input_video_duration": 0,
        "output_video_duration": 15,
        "video_count": 1,
        "SR": 720,
    }
