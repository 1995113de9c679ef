"""Ark's wire: the vectors of the seed, documented answers, every row of the error table."""

from decimal import Decimal

import pytest
from tests.adapters.providers import wire
from tests.adapters.providers.wire import NOW, Answer, access, error_answer, ref, submission

from yuanjing.adapters.providers.ark import FAILURES, WRAPPED, ArkOptions, ArkUpstream
from yuanjing.domain.tasks import (
    PROVIDER_CHOOSES,
    UNAVAILABLE_TEXT,
    Delivery,
    FailureKind,
    FailureRule,
    MediaInput,
    MediaRole,
    TaskState,
    UpstreamError,
    VideoMeter,
)
from yuanjing.ports.upstream import Callback, CallbackRefusedError, Trail, UploadFile

TASKS = "/api/v3/contents/generations/tasks"
DATA = "data:image/jpeg;base64,/9j/4AAQ"
TASK = "cgt-20260606160057-6bbjd"
FIRST, LAST, IMAGE = MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME, MediaRole.REFERENCE_IMAGE
SUCCEEDED = {
    "id": TASK,
    "model": "doubao-seedance-2-0-260128",
    "status": "succeeded",
    "content": {
        "video_url": "https://ark-content-generation-cn-beijing.tos-cn-beijing.volces.com/猫%2B猫.mp4?X-Tos-Name=a%2Fb+c"
    },
    "seed": 78674,
    "usage": {"completion_tokens": 108900, "total_tokens": 108900},
    "service_tier": "default",
    "created_at": 1779348818,
    "updated_at": 1779348874,
    "resolution": "720p",
    "ratio": "16:9",
    "duration": 5,
    "framespersecond": 24,
    "execution_expires_after": 172800,
    "generate_audio": True,
    "draft": False,
    "priority": 0,
}


@pytest.fixture
def ark(web):
    return ArkUpstream(web)


def image(role, url=DATA):
    return MediaInput(role=role, url=url)


def item(role, url=DATA, kind="image_url"):
    return {"type": kind, kind: {"url": url}, "role": role}


def text(value):
    return {"type": "text", "text": value}


VECTORS = {
    "a": (
        submission(
            model="doubao-seedance-1-5-pro-251215",
            prompt="小猫在抓老鼠",
            resolution="480p",
            ratio="16:9",
            duration_seconds=5,
        ),
        {
            "model": "doubao-seedance-1-5-pro-251215",
            "content": [text("小猫在抓老鼠")],
            "resolution": "480p",
            "ratio": "16:9",
            "duration": 5,
            "generate_audio": True,
            "watermark": False,
        },
    ),
    "c": (
        submission(
            model="doubao-seedance-1-5-pro-251215",
            prompt="从图片1到图片2丝滑转换",
            media=(image(FIRST), image(LAST)),
            resolution="480p",
            ratio="16:9",
            duration_seconds=5,
        ),
        {
            "model": "doubao-seedance-1-5-pro-251215",
            "content": [text("从图片1到图片2丝滑转换"), item("first_frame"), item("last_frame")],
            "resolution": "480p",
            "ratio": "16:9",
            "duration": 5,
            "generate_audio": True,
            "watermark": False,
        },
    ),
    "d": (
        submission(
            model="doubao-seedance-2-0-260128",
            prompt="平滑过度从第一张图片到第二张图片",
            media=(image(IMAGE), image(IMAGE)),
            resolution="720p",
            ratio="4:3",
            duration_seconds=4,
        ),
        {
            "model": "doubao-seedance-2-0-260128",
            "content": [text("平滑过度从第一张图片到第二张图片"), item("reference_image"), item("reference_image")],
            "resolution": "720p",
            "ratio": "4:3",
            "duration": 4,
            "generate_audio": True,
            "watermark": False,
        },
    ),
}


@pytest.mark.parametrize("name", sorted(VECTORS))
async def test_the_vectors_of_the_seed(provider, web, name):
    given, body = VECTORS[name]
    provider.plays({"id": TASK})
    accepted = await ArkUpstream(web, ArkOptions(tags_submissions=False)).submit(access(provider, "ark"), given)
    assert (provider.last.method, provider.last.target) == ("POST", TASKS)
    assert provider.last.headers["content-type"] == "application/json"
    assert provider.last.json == body
    assert (accepted.upstream_task_id, accepted.state, accepted.usage) == (TASK, TaskState.QUEUED, None)
    await ArkUpstream(web).submit(access(provider, "ark"), given)
    assert provider.last.json == {**body, "safety_identifier": given.id}


async def test_every_field_has_its_place(provider, ark):
    provider.plays({"id": TASK})
    media = (
        image(IMAGE, "DATA:image/PNG;base64,AbC="),
        MediaInput(role=MediaRole.REFERENCE_VIDEO, url="https://x.example/A.mp4?s=A%2Bb"),
        MediaInput(role=MediaRole.REFERENCE_AUDIO, url="data:audio/WAV;base64,QUJD"),
        image(IMAGE, "asset://asset-20261101080000-Ab3_x"),
    )
    asked = submission(
        prompt="",
        negative_prompt="has no field",
        media=media,
        resolution="720P",
        duration_seconds=PROVIDER_CHOOSES,
        seed=0,
        watermark=True,
        audio=False,
        off_peak=True,
        expires_after_seconds=3600,
        callback_url="https://our.example/callbacks/secret",
        extras={"camera_fixed": True, "watermark": False, "return_last_frame": True},
    )
    await ark.submit(access(provider, "ark"), asked)
    assert provider.last.json == {
        "model": "m-1",
        "content": [
            item("reference_image", "data:image/png;base64,AbC="),
            item("reference_video", "https://x.example/A.mp4?s=A%2Bb", "video_url"),
            item("reference_audio", "data:audio/wav;base64,QUJD", "audio_url"),
            item("reference_image", "asset://asset-20261101080000-Ab3_x"),
        ],
        "resolution": "720p",
        "duration": -1,
        "seed": 0,
        "service_tier": "flex",
        "execution_expires_after": 3600,
        "callback_url": "https://our.example/callbacks/secret",
        "safety_identifier": asked.id,
        "generate_audio": False,
        "watermark": True,
        "camera_fixed": True,
        "return_last_frame": True,
    }


async def test_what_the_protocol_cannot_do_is_not_sent(provider, ark):
    provider.plays({"id": TASK})
    for call in (
        ark.submit(access(provider, "ark"), submission(form="media")),
        ark.upload(access(provider, "ark"), "m", UploadFile(name="a", media_type="a/b", size_bytes=0, chunks=None)),
    ):
        with pytest.raises(UpstreamError) as caught:
            await call
        assert caught.value.kind is FailureKind.INVALID_INPUT
    assert not provider.asked


def test_how_files_can_be_given(ark):
    assert set(ark.deliveries("", FIRST)) == {Delivery.INLINE, Delivery.URL, Delivery.ASSET}
    assert set(ark.deliveries("", MediaRole.REFERENCE_VIDEO)) == {Delivery.URL, Delivery.ASSET}
    assert set(ark.deliveries("", MediaRole.REFERENCE_AUDIO)) == {Delivery.INLINE, Delivery.URL, Delivery.ASSET}
    assert not ark.deliveries("media", FIRST)


async def test_succeeded(provider, ark):
    provider.plays(Answer(body=SUCCEEDED, headers={"X-Request-Id": "0217"}))
    task = await ark.query(access(provider, "ark"), ref(TASK))
    assert (provider.last.method, provider.last.target) == ("GET", f"{TASKS}/{TASK}")
    assert provider.last.body == b""
    assert (task.state, task.word, task.is_word_known, task.has_results) == ("succeeded", "succeeded", True, True)
    assert task.video_url == SUCCEEDED["content"]["video_url"]
    assert task.cover_url is task.last_frame_url is task.failure is task.submission_id is None
    assert task.usage.meters == {VideoMeter.VIDEO_TOKENS: Decimal(108900)}
    assert task.usage.details == {
        "completion_tokens": 108900,
        "total_tokens": 108900,
        "ratio": "16:9",
        "framespersecond": 24,
        "generate_audio": True,
        "seed": 78674,
    }
    assert (task.submitted_at, task.ended_at, task.delivered_seconds) == (NOW, 1779348874.0, Decimal(5))
    assert task.request_id == "0217"


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("queued", "queued"),
        ("running", "running"),
        ("RUNNING", "running"),
        ("cancelled", "canceled"),
        ("expired", "expired"),
    ],
)
async def test_the_other_states(provider, ark, word, state):
    body = {"id": TASK, "model": "m", "status": word, "error": None, "created_at": 1779348818, "updated_at": 1779348818}
    provider.plays(body)
    task = await ark.query(access(provider, "ark"), ref(TASK))
    assert task.state == state
    assert task.failure is task.usage is task.video_url is None
    assert (task.ended_at is not None) == task.state.is_final


async def test_a_recorded_failure(provider, ark):
    task_id = "cgt-20260912183112-6z66q"
    message = "The request failed because the output audio may contain sensitive information."
    error = {"code": "OutputAudioSensitiveContentDetected", "message": message}
    body = {"id": task_id, "model": "dreamina-seedance-2-0-fast-260128", "status": "failed", "error": error}
    provider.plays(body)
    task = await ark.query(access(provider, "ark"), ref(task_id))
    assert task.state is TaskState.FAILED
    assert (task.failure.kind, task.failure.code, task.failure.detail) == ("moderated", error["code"], message)
    assert task.failure.status is None
    assert "sensitive" not in task.failure.text


@pytest.mark.parametrize("error", [None, {}, "broken", {"code": 7}, {"code": "NewCode", "message": "x"}])
async def test_a_failure_without_a_known_code(provider, ark, error):
    provider.plays({"id": TASK, "status": "failed", "error": error})
    task = await ark.query(access(provider, "ark"), ref(TASK))
    assert (task.state, task.failure.kind, task.failure.text) == ("failed", "unavailable", UNAVAILABLE_TEXT)


async def test_success_without_a_file_or_usage_is_told_as_such(provider, ark):
    for content in ({}, {"video_url": ""}, {"video_url": 7}, None, "x"):
        provider.plays({"id": TASK, "status": "succeeded", "content": content, "usage": {"completion_tokens": -1}})
        task = await ark.query(access(provider, "ark"), ref(TASK))
        assert (task.state, task.video_url, task.usage) == ("succeeded", None, None)


async def test_frames_tell_the_length_exactly(provider, ark):
    provider.plays({**SUCCEEDED, "frames": 130})
    assert (await ark.query(access(provider, "ark"), ref(TASK))).delivered_seconds == Decimal(130) / 24


INVALID, AUTH, BALANCE = FailureKind.INVALID_INPUT, FailureKind.PROVIDER_AUTH, FailureKind.PROVIDER_BALANCE
RATE, MODERATED, MODEL = FailureKind.RATE_LIMITED, FailureKind.MODERATED, FailureKind.NOT_FOUND
ROWS = [
    *((400, code, INVALID) for code in ("MissingParameter", "InvalidParameter", "InvalidImageURL")),
    *((400, f"InvalidParameter.TaskType{kind}", INVALID) for kind in ("Constraint", "Mismatch")),
    *((400, f"SensitiveContentDetected{kind}", MODERATED) for kind in ("", ".SevereViolation", ".Violence")),
    *(
        (400, f"{side}{what}SensitiveContentDetected{kind}", MODERATED)
        for side in ("Input", "Output")
        for what in ("Text", "Image", "Video", "Audio")
        for kind in ("", ".PrivacyInformation", ".PolicyViolation")
    ),
    (401, "AuthenticationError", AUTH),
    (403, "AccessDenied", AUTH),
    (403, "AccountOverdueError", BALANCE),
    (403, "ServiceOverdue", BALANCE),
    (403, "ServiceNotOpen", AUTH),
    (404, "InvalidEndpointOrModel.NotFound", MODEL),
    (404, "UnsupportedModel", MODEL),
    (404, "ModelNotOpen", AUTH),
    (409, "TaskRunningCannotCancel", FailureKind.UNAVAILABLE),
    *((429, f"RateLimitExceeded{kind}", RATE) for kind in ("", ".EndpointRPMExceeded", ".EndpointTPMExceeded")),
    *((429, f"ModelAccount{kind}RateLimitExceeded", RATE) for kind in ("Rpm", "Tpm")),
    *((429, code, RATE) for code in ("ServerOverloaded", "RequestBurstTooFast", "ModelLoadingError")),
    *((429, code, BALANCE) for code in ("QuotaExceeded", "SetLimitExceeded")),
    (500, "InternalServiceError", FailureKind.UNKNOWN_OUTCOME),
]


@pytest.mark.parametrize(("status", "code", "kind"), ROWS)
async def test_the_error_table(provider, ark, status, code, kind):
    provider.plays(error_answer("ark", status, code, "Your account 1234 has no money, key ark-1"))
    with pytest.raises(UpstreamError) as caught:
        await ark.submit(access(provider, "ark"), submission())
    failure = caught.value.failure
    assert (failure.kind, failure.code, failure.status) == (kind, code, status)
    assert caught.value.request_id == "r-1"
    assert not any(word in failure.text.lower() for word in ("account", "money", "key", "ark"))


def test_some_refusals_concern_one_model_only():
    codes = {code for code, rule in FAILURES.items() if rule.is_of_model}
    assert codes == {"ModelNotOpen", "QuotaExceeded", "SetLimitExceeded"}


async def test_a_model_that_is_not_open_says_nothing_of_others(provider, ark):
    for status, code, is_of_model in ((404, "ModelNotOpen", True), (401, "AuthenticationError", False)):
        provider.plays(error_answer("ark", status, code))
        with pytest.raises(UpstreamError) as caught:
            await ark.submit(access(provider, "ark"), submission())
        assert (caught.value.kind, caught.value.failure.is_of_model) == (AUTH, is_of_model)


async def test_codes_are_data(provider, web):
    options = ArkOptions(failures={"Odd": FailureRule(kind=FailureKind.MODERATED, text="No.")})
    provider.plays(error_answer("ark", 400, "Odd.Below"))
    with pytest.raises(UpstreamError, match=r"^No\.$") as caught:
        await ArkUpstream(web, options).submit(access(provider, "ark"), submission())
    assert caught.value.kind is FailureKind.MODERATED


@pytest.mark.parametrize("code", ["InvalidParameter", "NotFound", "TaskNotFound"])
async def test_an_unknown_task(provider, ark, code):
    provider.plays(error_answer("ark", 404, code))
    with pytest.raises(UpstreamError) as caught:
        await ark.query(access(provider, "ark"), ref(TASK))
    assert caught.value.kind is FailureKind.NOT_FOUND


async def test_many_at_once(provider, ark):
    other = "cgt-20260606160058-aaaaa"
    items = [SUCCEEDED, {"id": other, "status": "queued"}, {"id": "foreign", "status": "queued"}, {"id": 7}, None]
    provider.plays({"total": 5, "items": items})
    tasks = await ark.query_many(access(provider, "ark"), [ref(other), ref(TASK), ref("gone")])
    assert {task_id: task.state.value for task_id, task in tasks.items()} == {TASK: "succeeded", other: "queued"}
    assert tasks[TASK].video_url == SUCCEEDED["content"]["video_url"]
    assert provider.last.path == TASKS
    assert provider.last.query == [
        ("page_num", "1"),
        ("page_size", "3"),
        ("filter.task_ids", TASK),
        ("filter.task_ids", other),
        ("filter.task_ids", "gone"),
    ]
    assert await ark.query_many(access(provider, "ark"), []) == {}
    assert len(provider.asked) == 1


async def test_a_full_batch_fits_into_an_address(provider, ark):
    provider.plays({"total": 0, "items": []})
    refs = [ref(f"cgt-20260606160057-{number:05}") for number in range(ark.traits.batch_max)]
    assert await ark.query_many(access(provider, "ark"), refs) == {}
    assert len(provider.last.target) < 8000


TRAIL = Trail(submission_id="t-1-1", model="m-1", sent_from=NOW, sent_until=NOW + 60)


def listed(number, *, at, tag=None, model="m-1"):
    told = {"id": f"cgt-{number}", "model": model, "status": "running", "created_at": int(at)}
    return told if tag is None else {**told, "safety_identifier": tag}


async def test_a_lost_submission_is_found_by_our_id(provider, ark):
    page = [listed(n, at=NOW + 500 - n, tag=f"t-{n}-1") for n in range(1, 501)]
    hit = listed(999, at=NOW - 1, tag="t-1-1")
    provider.plays({"total": 501, "items": [*page[1:], listed(600, at=NOW)]}, {"total": 501, "items": [hit]})
    found = await ark.find(access(provider, "ark"), TRAIL)
    assert [task.upstream_task_id for task in found.tasks] == ["cgt-999"]
    assert (found.is_exact, found.is_complete) == (True, True)
    assert [asked.query for asked in provider.asked] == [
        [("page_num", "1"), ("page_size", "500")],
        [("page_num", "2"), ("page_size", "500")],
    ]


async def test_the_search_ends_where_the_list_is_older(provider, ark):
    provider.plays({"items": [listed(n, at=NOW - n) for n in range(500)]})
    found = await ark.find(access(provider, "ark"), TRAIL)
    assert (found.tasks, found.is_complete, len(provider.asked)) == ((), True, 1)


async def test_an_unsorted_list_is_read_on_to_the_limit(provider, web):
    provider.plays({"items": [listed(n, at=NOW - 500 + n) for n in range(500)]})
    found = await ArkUpstream(web, ArkOptions(search_pages_max=3)).find(access(provider, "ark"), TRAIL)
    assert (found.tasks, found.is_complete, len(provider.asked)) == ((), False, 3)


async def test_without_a_tag_only_model_and_time_remain(provider, web):
    items = [listed(1, at=NOW + 5), listed(2, at=NOW + 900), listed(3, at=NOW + 5, model="m-2"), {"id": "x"}]
    provider.plays({"items": items})
    ark = ArkUpstream(web, ArkOptions(tags_submissions=False))
    found = await ark.find(access(provider, "ark"), TRAIL)
    assert [task.upstream_task_id for task in found.tasks] == ["cgt-1"]
    assert (found.is_exact, found.is_complete, ark.traits.has_exact_search) == (False, True, False)


@pytest.mark.parametrize("word", ["running", "succeeded", "failed", "expired", "cancelled"])
async def test_delete_is_sent_for_queued_tasks_only(provider, ark, word):
    provider.plays({"id": TASK, "status": word})
    assert await ark.cancel(access(provider, "ark"), ref(TASK)) is (word == "cancelled")
    assert [asked.method for asked in provider.asked] == ["GET"]


async def test_cancel(provider, ark):
    queued = {"id": TASK, "status": "queued"}
    provider.plays(queued, {}, queued, error_answer("ark", 409, "TaskRunningCannotCancel"), queued, Answer(status=500))
    assert await ark.cancel(access(provider, "ark"), ref(TASK)) is True
    assert (provider.last.method, provider.last.target) == ("DELETE", f"{TASKS}/{TASK}")
    assert await ark.cancel(access(provider, "ark"), ref(TASK)) is False
    with pytest.raises(UpstreamError) as caught:
        await ark.cancel(access(provider, "ark"), ref(TASK))
    assert caught.value.kind is FailureKind.UNAVAILABLE


async def test_resellers_may_wrap_everything(provider, ark):
    channel = access(provider, "ark", quirks=(WRAPPED,))
    provider.plays({"code": 0, "data": {"id": TASK}}, {"code": 0, "data": SUCCEEDED}, SUCCEEDED, {"data": 7})
    assert (await ark.submit(channel, submission())).upstream_task_id == TASK
    assert (await ark.query(channel, ref(TASK))).state is TaskState.SUCCEEDED
    assert (await ark.query(channel, ref(TASK))).state is TaskState.SUCCEEDED
    with pytest.raises(UpstreamError):
        await ark.query(channel, ref(TASK))


def callback(body):
    return Callback(path="/callbacks/token", headers={}, body=body, received_at=NOW)


def test_a_callback_is_a_hint_and_no_more(ark):
    body = b'{"id":"cgt-1","status":"succeeded","content":{"video_url":"https://evil.example/x"}}'
    hint = ark.read_callback(wire.CREDENTIAL, callback(body))
    assert (hint.upstream_task_id, hint.state, hint.nonce, hint.is_signed) == ("cgt-1", "succeeded", "", False)
    assert ark.read_callback(wire.CREDENTIAL, callback(b'{"id":"cgt-1"}')).state is None
    for bad in (b"", b"[]", b"{}", b'{"id":7}', b"\xff", b"[" * 100_000):
        with pytest.raises(CallbackRefusedError):
            ark.read_callback(wire.CREDENTIAL, callback(bad))
