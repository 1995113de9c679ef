"""What Vidu accepts and refuses in a create request, and what is rendered for it."""

import base64

import pytest
from tests.support.video_wire import KEY, Wire, picture
from tests.support.web import Web

TOKEN = {"authorization": f"Token {KEY}"}
TEXT = {"model": "viduq3-pro", "prompt": "a cat"}


def inline(width=60, height=40, form="PNG"):
    return f"data:image/{form.lower()};base64,{base64.b64encode(picture(width, height, form)).decode()}"


IMAGE = {"model": "viduq3-pro", "images": [inline()]}
PAIR = {"model": "viduq2-turbo", "images": [inline(), inline()]}


@pytest.fixture
def wire():
    one = Wire()
    yield one
    one.close()


async def post(wire, endpoint, body):
    return await wire.call("POST", f"/ent/v2/{endpoint}", body, key=None, headers=TOKEN)


@pytest.mark.parametrize(
    ("endpoint", "body", "reason"),
    [
        ("text2video", b"", "BadRequest"),
        ("text2video", b"{nonsense", "BadRequest"),
        ("text2video", [], "BadRequest"),
        ("text2video", {"prompt": "a"}, "FieldLacking"),
        ("text2video", {"model": "viduq3-pro"}, "FieldLacking"),
        ("text2video", TEXT | {"prompt": None}, "FieldLacking"),
        ("text2video", TEXT | {"prompt": "a" * 5001}, "FieldInvalid"),
        ("text2video", TEXT | {"prompt": 7}, "FieldInvalid"),
        ("text2video", TEXT | {"model": "viduq2-turbo"}, "FieldInvalid"),
        ("text2video", TEXT | {"model": "nothing"}, "FieldInvalid"),
        ("reference2video", IMAGE | {"model": "viduq3-pro"}, "FieldInvalid"),
        ("text2video", TEXT | {"images": [inline()]}, "FieldItemCountOutOfRange"),
        ("img2video", {"model": "viduq3-pro"}, "FieldLacking"),
        ("img2video", IMAGE | {"images": []}, "FieldItemCountOutOfRange"),
        ("img2video", IMAGE | {"images": [inline()] * 2}, "FieldItemCountOutOfRange"),
        ("start-end2video", PAIR | {"images": [inline()]}, "FieldItemCountOutOfRange"),
        ("start-end2video", PAIR | {"images": [inline()] * 3}, "FieldItemCountOutOfRange"),
        ("reference2video", {"model": "viduq2", "prompt": "a", "images": [inline()] * 8}, "FieldItemCountOutOfRange"),
        ("img2video", IMAGE | {"images": "x"}, "FieldInvalid"),
        ("img2video", IMAGE | {"images": [1]}, "FieldInvalid"),
        ("img2video", IMAGE | {"aspect_ratio": "16:9"}, "FieldUnwanted"),
        ("start-end2video", PAIR | {"aspect_ratio": "16:9"}, "FieldUnwanted"),
        ("text2video", TEXT | {"aspect_ratio": "21:9"}, "FieldInvalid"),
        ("text2video", TEXT | {"resolution": "1080P"}, "FieldInvalid"),
        ("text2video", TEXT | {"resolution": 720}, "FieldInvalid"),
        ("text2video", TEXT | {"duration": 0}, "FieldInvalid"),
        ("text2video", TEXT | {"duration": 17}, "FieldInvalid"),
        ("text2video", TEXT | {"duration": "5"}, "FieldInvalid"),
        ("text2video", TEXT | {"duration": True}, "FieldInvalid"),
        ("text2video", TEXT | {"duration": 5.0}, "FieldInvalid"),
        ("img2video", IMAGE | {"model": "viduq2-turbo", "duration": 11}, "FieldInvalid"),
        ("start-end2video", PAIR | {"duration": 9}, "FieldInvalid"),
        ("text2video", TEXT | {"model": "viduq1", "duration": 4}, "FieldInvalid"),
        ("text2video", TEXT | {"off_peak": "Y"}, "FieldInvalid"),
        ("text2video", TEXT | {"audio": "true"}, "FieldInvalid"),
        ("text2video", TEXT | {"wm_position": 5}, "FieldInvalid"),
        ("text2video", TEXT | {"audio_type": "loud"}, "FieldInvalid"),
        ("text2video", TEXT | {"movement_amplitude": "wild"}, "FieldInvalid"),
        ("text2video", TEXT | {"callback_url": "http://["}, "FieldInvalid"),
        ("text2video", TEXT | {"callback_url": "ftp://x/y"}, "FieldInvalid"),
        ("text2video", TEXT | {"seed": -1}, "FieldInvalid"),
        ("text2video", TEXT | {"payload": "p" * 1_048_577}, "FieldInvalid"),
        ("img2video", IMAGE | {"images": ["data:image/png;base64," + "A" * 28_000_000]}, "FieldInvalid"),
        ("img2video", IMAGE | {"images": [inline(60, 10)]}, "FieldInvalid"),
        ("start-end2video", PAIR | {"images": [inline(60, 40), inline(40, 40)]}, "FieldInvalid"),
        ("img2video", IMAGE | {"images": [inline(60, 40, "GIF")]}, "ImageFormatInvalid"),
        ("img2video", IMAGE | {"images": ["data:image/png;base64,aGVsbG8="]}, "ImageFormatInvalid"),
        ("img2video", IMAGE | {"images": ["http://127.0.0.1:9/a.png"]}, "ImageDownloadFailure"),
        ("img2video", IMAGE | {"images": ["a.png"]}, "ImageDownloadFailure"),
    ],
)
async def test_refused(wire, endpoint, body, reason):
    answer = await post(wire, endpoint, body)
    assert (answer.status, answer.json["code"], answer.json["reason"]) == (400, 400, reason)
    assert wire.rendered == []


@pytest.mark.parametrize(
    ("endpoint", "body", "size", "seconds", "roles"),
    [
        ("text2video", TEXT, (1280, 720), 5, []),
        ("text2video", TEXT | {"aspect_ratio": "9:16", "resolution": "540p"}, (540, 960), 5, []),
        ("text2video", TEXT | {"aspect_ratio": "4:3", "resolution": "1080p", "duration": 16}, (1440, 1080), 16, []),
        ("text2video", TEXT | {"aspect_ratio": "3:4"}, (720, 960), 5, []),
        ("text2video", TEXT | {"aspect_ratio": "1:1", "duration": 1}, (720, 720), 1, []),
        ("img2video", IMAGE, (1080, 720), 5, ["first_frame"]),
        ("img2video", IMAGE | {"images": [inline(40, 60, "JPEG")]}, (720, 1080), 5, ["first_frame"]),
        ("img2video", IMAGE | {"images": [inline(60, 60, "WEBP")], "prompt": "x"}, (720, 720), 5, ["first_frame"]),
        ("img2video", IMAGE | {"model": "viduq2-turbo", "duration": 10}, (1080, 720), 10, ["first_frame"]),
        ("start-end2video", PAIR | {"duration": 8}, (1080, 720), 8, ["first_frame", "last_frame"]),
        (
            "reference2video",
            {"model": "viduq2", "prompt": "a", "images": [inline()] * 3, "aspect_ratio": "1:1"},
            (720, 720),
            5,
            ["reference_image"] * 3,
        ),
    ],
)
async def test_accepted(wire, endpoint, body, size, seconds, roles):
    answer = await post(wire, endpoint, body | {"unknown_field": 1, "style": None})
    assert answer.status == 200, answer.body
    [(wish, media)] = wire.rendered
    assert ((wish.width, wish.height), wish.seconds, [piece.role for piece in media]) == (size, seconds, roles)
    assert (wish.fps, wish.model, wish.prompt) == (24, body["model"], body.get("prompt", ""))
    assert answer.json["duration"] == seconds
    assert all(len(image) < 30 for image in answer.json["images"])


@pytest.mark.parametrize(
    ("fields", "audio", "watermark"),
    [
        ({}, True, None),
        ({"audio": False, "watermark": True}, False, "Vidu"),
        ({"model": "viduq2"}, False, None),
        ({"model": "viduq2", "audio": True, "watermark": False}, True, None),
    ],
)
async def test_sound_and_watermark(wire, fields, audio, watermark):
    answer = await post(wire, "text2video", TEXT | fields)
    [(wish, _)] = wire.rendered
    assert (wish.has_audio, wish.watermark) == (audio, watermark)
    assert answer.json["audio"] is audio


async def test_images_by_url_are_fetched(wire):
    async with Web({"/a.png": (200, {}, picture(60, 40))}) as web:
        answer = await post(wire, "img2video", IMAGE | {"images": [f"{web.url}/a.png"]})
        assert answer.json["images"] == [f"{web.url}/a.png"]
        assert len(web.seen) == 1
    assert wire.rendered[0][1][0].width == 60


async def test_a_random_seed_is_told_but_not_rendered(wire):
    told = (await post(wire, "text2video", TEXT)).json
    given = (await post(wire, "text2video", TEXT | {"seed": 5})).json
    assert told["seed"] >= 0
    assert given["seed"] == 5
    assert [wish.seed for wish, _ in wire.rendered] == [None, 5]
