"""The adapters against the sandbox's simulators, over a real port: each was written from the facts, without the other.

The clock stands still until a test turns it, and nothing is rendered: what plays is a matter of the sandbox's tests.
"""

import asyncio
import base64
import io
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import uvicorn
from PIL import Image
from tests.adapters.providers.wire import PROTOCOLS

from yuanjing.domain.tasks import (
    FailureKind,
    MediaInput,
    MediaRole,
    Size,
    Submission,
    TaskState,
    UpstreamError,
    VideoMeter,
)
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.upstream import (
    Callback,
    CallbackKind,
    CallbackRefusedError,
    ChannelAccess,
    TaskRef,
    Trail,
    UploadFile,
)
from yuanjing.sandbox.app import create_app
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video.render import Rendered

KEY = "sandbox-key"
BASES = {"dashscope": "/api/v1", "ark": "/api/v3", "vidu": ""}
MODELS = {"dashscope": "happyhorse-1.0-t2v", "ark": "doubao-seedance-1-5-pro-251215", "vidu": "viduq3-pro"}


def render(wish, media):
    del wish, media
    future = Future()
    nowhere = Path("nowhere")
    future.set_result(Rendered(video=nowhere / "a.mp4", cover=nowhere / "a.jpg", last_frame=nowhere / "a.png"))
    return future


class Box:
    def __init__(self, url, clock):
        self.url = url
        self.clock = clock

    def access(self, protocol, key=KEY):
        return ChannelAccess(base_url=self.url + BASES[protocol], credential=key)

    def ref(self, task_id, protocol, model=None):
        return TaskRef(upstream_task_id=task_id, model=model or MODELS[protocol], submitted_at=self.clock.unix())


@contextmanager
def box_running():
    clock = ManualClock()
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(SandboxOptions(credentials=frozenset({KEY, "other-key"}), callback_pause_seconds=0), clock, render)
    config = uvicorn.Config(app, log_config=None, lifespan="on", ws="none", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield Box(f"http://127.0.0.1:{listener.getsockname()[1]}", clock)
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def box():
    with box_running() as running:
        yield running


NUMBER = iter(range(10**9))


def submission(protocol, prompt="a cat", **changes):
    values = {"id": f"t-{next(NUMBER)}-1", "model": MODELS[protocol], "prompt": prompt}
    values |= {"resolution": "720p", "ratio": "16:9", "duration_seconds": 5}
    return Submission(**(values | changes))


async def failure_of(awaitable):
    with pytest.raises(UpstreamError) as caught:
        await awaitable
    return caught.value.failure


async def finished(box, upstream, protocol, given, seconds=60):
    """Submit, let the time pass, and query."""
    accepted = await upstream.submit(box.access(protocol), given)
    box.clock.advance(seconds)
    return await upstream.query(box.access(protocol), box.ref(accepted.upstream_task_id, protocol, given.model))


async def test_from_submission_to_success(box, protocol, upstream):
    given = submission(protocol)
    accepted = await upstream.submit(box.access(protocol), given)
    ref = box.ref(accepted.upstream_task_id, protocol)
    states = []
    for _ in range(60):
        task = await upstream.query(box.access(protocol), ref)
        if not states or states[-1] != task.state:
            states.append(task.state)
        assert task.is_word_known
        box.clock.advance(0.5)
    assert states == [TaskState.QUEUED, TaskState.RUNNING, TaskState.SUCCEEDED]
    assert task.video_url.startswith("http")
    assert (task.cover_url is not None) == (protocol == "vidu")
    assert task.failure is None
    many = await upstream.query_many(box.access(protocol), [ref, replace(ref, upstream_task_id="gone")])
    assert {task_id: one.state for task_id, one in many.items()} == {ref.upstream_task_id: TaskState.SUCCEEDED}
    assert (many[ref.upstream_task_id].video_url == task.video_url) == many[ref.upstream_task_id].has_results


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
        "vidu": {"credits", "off_peak"},
    }
    for protocol, names in wanted.items():
        task = await finished(box, PROTOCOLS[protocol](web), protocol, submission(protocol))
        assert set(task.usage.details) == names


async def test_less_than_asked_is_counted_as_less(box, protocol, upstream):
    whole = await finished(box, upstream, protocol, submission(protocol))
    half = await finished(box, upstream, protocol, submission(protocol, "a cat sandbox:shorter"))
    [(meter, count)] = half.usage.meters.items()
    assert count < whole.usage.meters[meter] / 2


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("401", FailureKind.PROVIDER_AUTH),
        ("no-money", FailureKind.PROVIDER_BALANCE),
        ("429", FailureKind.RATE_LIMITED),
        ("500-after-accept", FailureKind.UNKNOWN_OUTCOME),
        ("lost-reply", FailureKind.UNKNOWN_OUTCOME),
    ],
)
async def test_magic_words_of_the_submission(box, protocol, upstream, word, kind):
    failure = await failure_of(upstream.submit(box.access(protocol), submission(protocol, f"a cat sandbox:{word}")))
    assert failure.kind is kind
    assert failure.text == "Provider temporarily unavailable"


@pytest.mark.parametrize("word", ["401", "no-money", "429", "lost-reply"])
async def test_magic_words_of_the_credential(box, protocol, upstream, word):
    failure = await failure_of(upstream.submit(box.access(protocol, f"{KEY}-fail-{word}"), submission(protocol)))
    assert failure.kind is not FailureKind.INVALID_INPUT
    assert KEY not in repr(failure)


@pytest.mark.parametrize(("word", "kind"), [("moderation", "moderated"), ("invalid-input", "invalid_input")])
async def test_magic_words_that_make_tasks_fail(box, protocol, upstream, word, kind):
    task = await finished(box, upstream, protocol, submission(protocol, f"a cat sandbox:{word}"))
    assert (task.state, task.failure.kind) == (TaskState.FAILED, kind)
    assert task.failure.code
    assert task.video_url is None


async def test_a_stuck_task_ends_by_expiry(box, protocol, upstream):
    task = await finished(box, upstream, protocol, submission(protocol, "a cat sandbox:stuck=100"), seconds=50)
    assert task.state is TaskState.RUNNING
    box.clock.advance(100)
    task = await upstream.query(box.access(protocol), box.ref(task.upstream_task_id, protocol))
    assert task.state in {TaskState.EXPIRED, TaskState.FAILED}
    if task.failure:
        assert (task.failure.kind, task.failure.code) == (FailureKind.UNAVAILABLE, "InternalError.Timeout")


async def test_the_credential_is_wrong(box, protocol, upstream):
    access = box.access(protocol, "nobody")
    assert (await failure_of(upstream.submit(access, submission(protocol)))).kind is FailureKind.PROVIDER_AUTH
    assert (await failure_of(upstream.query(access, box.ref("x", protocol)))).kind is FailureKind.PROVIDER_AUTH


async def test_an_unknown_task_and_a_foreign_one_are_not_found(box, protocol, upstream):
    accepted = await upstream.submit(box.access(protocol), submission(protocol))
    for access, task_id in (
        (box.access(protocol), "936759404378734592"),
        (box.access(protocol, "other-key"), accepted.upstream_task_id),
    ):
        failure = await failure_of(upstream.query(access, box.ref(task_id, protocol)))
        assert failure.kind is FailureKind.NOT_FOUND


async def test_an_unknown_model_is_surely_not_accepted(box, protocol, upstream):
    failure = await failure_of(upstream.submit(box.access(protocol), submission(protocol, model="no-such-model")))
    assert failure.kind in {FailureKind.NOT_FOUND, FailureKind.INVALID_INPUT}


@pytest.mark.parametrize("word", ["lost-reply", "500-after-accept"])
async def test_a_lost_submission_is_found_again(box, protocol, upstream, word):
    access = box.access(protocol)
    box.clock.advance(1000)
    before = await upstream.submit(access, submission(protocol))
    given = submission(protocol, f"a cat sandbox:{word}")
    sent_from = box.clock.unix()
    await failure_of(upstream.submit(access, given))
    box.clock.advance(30)
    after = await upstream.submit(access, submission(protocol))
    trail = Trail(submission_id=given.id, model=given.model, sent_from=sent_from, sent_until=sent_from + 30)
    found = await upstream.find(access, trail)
    claimed = {before.upstream_task_id, after.upstream_task_id}
    task = found.adoptable(is_claimed=claimed.__contains__, rivals=0)
    assert task is not None
    assert task.upstream_task_id not in claimed
    assert found.is_exact == upstream.traits.has_exact_search
    box.clock.advance(60)
    told = await upstream.query(access, box.ref(task.upstream_task_id, protocol))
    assert told.state is TaskState.SUCCEEDED
    if found.is_exact:
        assert told.submission_id == given.id


async def test_a_submission_that_never_arrived_is_not_found(box, protocol, upstream):
    box.clock.advance(1000)
    now = box.clock.unix()
    trail = Trail(submission_id="t-never-1", model=MODELS[protocol], sent_from=now, sent_until=now)
    found = await upstream.find(box.access(protocol), trail)
    assert (found.tasks, found.is_complete) == ((), True)


async def test_cancelling(box, protocol, upstream):
    access = box.access(protocol)
    queued = await upstream.submit(access, submission(protocol))
    queued = box.ref(queued.upstream_task_id, protocol)
    assert await upstream.cancel(access, queued) is True
    assert (await upstream.query(access, queued)).state is TaskState.CANCELED
    running = await upstream.submit(access, submission(protocol))
    running = box.ref(running.upstream_task_id, protocol)
    box.clock.advance(2)
    assert (await upstream.query(access, running)).state is TaskState.RUNNING
    assert await upstream.cancel(access, running) is False
    box.clock.advance(60)
    assert await upstream.cancel(access, running) is False
    assert (await upstream.query(access, running)).state is TaskState.SUCCEEDED
    for _ in range(2):
        assert await upstream.cancel(access, queued) is (protocol == "ark")
    with pytest.raises(UpstreamError):
        await upstream.query(access, box.ref("x", protocol))


async def test_many_tasks_in_one_batch(box, protocol, upstream):
    access = box.access(protocol)
    refs = []
    for _ in range(30):
        accepted = await upstream.submit(access, submission(protocol))
        refs.append(box.ref(accepted.upstream_task_id, protocol))
        box.clock.advance(0.01)
    tasks = await upstream.query_many(access, refs)
    assert set(tasks) == {ref.upstream_task_id for ref in refs}


async def test_callbacks_are_checked_as_far_as_they_can_be(box, protocol, upstream, provider):
    if upstream.traits.callbacks is CallbackKind.NONE:
        return
    provider.plays(b"")
    given = submission(protocol, "a cat sandbox:callback-forged", callback_url=f"{provider.url}/callbacks/t0ken")
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
            is_forged = b"forged" in asked.body
            assert not (is_forged and hint.is_signed)
            hints += [] if is_forged else [hint]
            with pytest.raises(CallbackRefusedError):
                upstream.read_callback("other-key", replace(callback, body=b""))
    assert {hint.upstream_task_id for hint in hints} == {accepted.upstream_task_id}
    assert [hint.state for hint in hints][-1] is TaskState.SUCCEEDED
    is_signed = upstream.traits.callbacks is CallbackKind.SIGNED
    assert all(hint.is_signed is is_signed for hint in hints)
    assert refused == (1 if is_signed else 0)


async def test_traits_are_true(box, protocol, upstream):
    file = UploadFile(name="a", media_type="image/png", size_bytes=0, chunks=nothing())
    if not upstream.traits.can_upload:
        assert (
            await failure_of(upstream.upload(box.access(protocol), MODELS[protocol], file))
        ).kind is FailureKind.INVALID_INPUT
    assert upstream.traits.batch_max >= 1
    assert upstream.traits.record_seconds >= upstream.traits.result_seconds


async def nothing():
    for part in ():
        yield part


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
