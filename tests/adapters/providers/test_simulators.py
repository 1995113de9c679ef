"""The adapters against the sandbox's simulators, over a real port: each was written from the facts, without the other.

The clock stands still until a test turns it, and nothing is rendered: what plays is a matter of the sandbox's tests.
"""

import asyncio
import base64
import io
from dataclasses import replace
from decimal import Decimal

import httpx2
import pytest
from PIL import Image
from tests.adapters.providers.boxes import KEY, box_running, failure_of, finished, submission
from tests.adapters.providers.wire import PROTOCOLS

from yuanjing.domain.tasks import FailureKind, MediaInput, MediaRole, Size, TaskState, VideoMeter
from yuanjing.ports.upstream import Callback, CallbackKind, CallbackRefusedError, ChannelAccess, UploadFile


@pytest.fixture(scope="module")
def box():
    with box_running() as running:
        yield running


USAGE = {
    "seed-a": ("ark", {"resolution": "480p"}, VideoMeter.VIDEO_TOKENS, 50_638),
    "seed-d": (
        "ark",
        {
            "model": "doubao-seedance-2-0-260128",
            "ratio": "4:3",
            "duration_seconds": 4,
            "media": ["reference_image", "reference_image"],
        },
        VideoMeter.VIDEO_TOKENS,
        87_850,
    ),
    "ark-1080p": ("ark", {"resolution": "1080p", "duration_seconds": 12}, VideoMeter.VIDEO_TOKENS, 585_225),
    "seed-b": (
        "dashscope",
        {"model": "happyhorse-1.0-i2v", "ratio": "adaptive", "duration_seconds": 15, "media": ["first_frame"]},
        VideoMeter.VIDEO_SECONDS,
        15,
    ),
    "wan": (
        "dashscope",
        {
            "model": "wan2.6-t2v",
            "size": Size(width=1920, height=1080),
            "resolution": None,
            "ratio": None,
            "duration_seconds": 10,
            "negative_prompt": "blur",
        },
        VideoMeter.VIDEO_SECONDS,
        10,
    ),
    "wan-i2v": (
        "dashscope",
        {"model": "wan2.6-i2v", "form": "img_url", "ratio": None, "duration_seconds": 2, "media": ["first_frame"]},
        VideoMeter.VIDEO_SECONDS,
        2,
    ),
    "wan2.7-i2v": (
        "dashscope",
        {"model": "wan2.7-i2v", "ratio": None, "media": ["first_frame", "last_frame"]},
        VideoMeter.VIDEO_SECONDS,
        5,
    ),
    "seed-e": ("vidu", {"resolution": "540p", "duration_seconds": 1}, VideoMeter.PROVIDER_CREDITS, 10),
    "vidu-off-peak": ("vidu", {"off_peak": True}, VideoMeter.PROVIDER_CREDITS, 50),
    "vidu-i2v": ("vidu", {"media": ["first_frame"]}, VideoMeter.PROVIDER_CREDITS, 100),
    "vidu-frames": ("vidu", {"media": ["first_frame", "last_frame"]}, VideoMeter.PROVIDER_CREDITS, 100),
    "vidu-references": (
        "vidu",
        {"model": "viduq3-turbo", "media": ["reference_image"] * 3},
        VideoMeter.PROVIDER_CREDITS,
        50,
    ),
}


@pytest.fixture(scope="module")
def picture():
    out = io.BytesIO()
    Image.new("RGB", (640, 480), "teal").save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("name", sorted(USAGE))
async def test_usage_is_as_the_formulas_say(box, web, picture, name):
    protocol, changes, meter, count = USAGE[name]
    url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    media = tuple(MediaInput(role=MediaRole(role), url=url) for role in changes.get("media", ()))
    given = submission(protocol, **{**changes, "media": media})
    task = await finished(box, PROTOCOLS[protocol](web), protocol, given)
    assert task.state is TaskState.SUCCEEDED, task.failure
    assert task.usage.meters == {meter: Decimal(count)}


async def test_the_parts_of_the_seeds_usage_are_there(box, web):
    wanted = {
        "ark": {"completion_tokens", "total_tokens", "ratio", "framespersecond", "generate_audio", "seed"},
        "dashscope": {"duration", "input_video_duration", "output_video_duration", "video_count", "SR", "ratio"},
        "vidu": {"credits", "off_peak", "type"},
    }
    for protocol, names in wanted.items():
        task = await finished(box, PROTOCOLS[protocol](web), protocol, submission(protocol))
        assert set(task.usage.details) == names


async def test_less_than_asked_is_counted_as_less(box, protocol, upstream):
    whole = await finished(box, upstream, protocol, submission(protocol))
    half = await finished(box, upstream, protocol, submission(protocol, "a cat sandbox:shorter"))
    [(meter, count)] = half.usage.meters.items()
    assert count < whole.usage.meters[meter] / 2


@pytest.mark.parametrize("word", ["401", "no-money", "429", "lost-reply"])
async def test_magic_words_of_the_credential(box, protocol, upstream, word):
    failure = await failure_of(upstream.submit(box.access(protocol, f"{KEY}-fail-{word}"), submission(protocol)))
    assert failure.kind is not FailureKind.INVALID_INPUT
    assert KEY not in repr(failure)


async def test_callbacks_are_checked_as_far_as_they_can_be(box, protocol, upstream, provider):
    provider.plays(b"")
    address = f"{provider.url}/callbacks/t0ken"
    is_registered = upstream.traits.callbacks is CallbackKind.EVENTS
    if is_registered:
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as http:
            assert (await http.put(f"{box.url}/sandbox/video/events", json={"url": address})).status_code == 200
    given = submission(
        protocol, "a cat sandbox:callback-forged", callback_url="http://127.0.0.1:9/no" if is_registered else address
    )
    accepted = await upstream.submit(box.access(protocol), given)
    hints, refused = [], 0
    for _ in range(400):
        box.clock.advance(0.5)
        await asyncio.sleep(0.02)
        if hints and hints[-1].state is TaskState.SUCCEEDED:
            break
        seen, provider.asked = provider.asked, []
        for asked in seen:
            callback = Callback(
                path=asked.path, headers=asked.headers, body=asked.body, received_at=box.clock.unix(), query=""
            )
            try:
                hint = upstream.read_callback(KEY, callback)
            except CallbackRefusedError:
                refused += 1
                continue
            is_forged = b"forged" in asked.body  # an event has no result that could be one
            assert not (is_forged and hint.is_signed)
            hints += [] if is_forged else [hint]
            with pytest.raises(CallbackRefusedError):
                upstream.read_callback("other-key", replace(callback, body=b""))
    assert {hint.upstream_task_id for hint in hints} == {accepted.upstream_task_id}
    assert [hint.state for hint in hints][-1] is TaskState.SUCCEEDED
    is_signed = upstream.traits.callbacks is CallbackKind.SIGNED
    assert all(hint.is_signed is is_signed for hint in hints)
    assert refused == (1 if is_signed else 0)


async def test_uploaded_references(box, web, picture):
    upstream, access, model = PROTOCOLS["dashscope"](web), box.access("dashscope"), "wan2.6-r2v"

    async def chunks():
        yield picture[:10]
        yield picture[10:]

    urls = [
        await upstream.upload(
            access, model, UploadFile(name="a.png", media_type="image/png", size_bytes=len(picture), chunks=chunks())
        )
        for _ in range(2)
    ]
    media = tuple(
        MediaInput(role=role, url=url)
        for role, url in zip((MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME), urls, strict=True)
    )
    given = submission(
        "dashscope",
        model=model,
        form="reference_urls",
        media=media,
        resolution=None,
        ratio=None,
        size=Size(width=1280, height=720),
    )
    task = await finished(box, upstream, "dashscope", given)
    assert task.state is TaskState.SUCCEEDED, task.failure
    assert task.usage.details["size"] == "1280*720"
    inline = replace(given, media=(MediaInput(role=MediaRole.FIRST_FRAME, url="data:image/png;base64,AAAA"),))
    task = await finished(box, upstream, "dashscope", inline)
    assert (task.state, task.failure.kind) == (TaskState.FAILED, FailureKind.INVALID_INPUT)
    other = replace(
        given,
        model="happyhorse-1.0-r2v",
        form="",
        size=None,
        media=(replace(media[0], role=MediaRole.REFERENCE_IMAGE),),
    )
    task = await finished(box, upstream, "dashscope", other)
    assert task.state is TaskState.FAILED


async def test_byteplus_is_the_same_protocol(box, web):
    access = ChannelAccess(base_url=f"{box.url}/byteplus/api/v3", credential=KEY)
    upstream = PROTOCOLS["ark"](web)
    accepted = await upstream.submit(access, submission("ark", model="dreamina-seedance-2-0-260128"))
    box.clock.advance(60)
    task = await upstream.query(access, box.ref(accepted.upstream_task_id, "ark"))
    assert (task.state, task.usage.meters[VideoMeter.VIDEO_TOKENS]) == (TaskState.SUCCEEDED, Decimal(108_900))
