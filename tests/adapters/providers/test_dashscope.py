"""DashScope's wire: the vectors, documented answers, every row of the error table, uploads."""

import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal

import pytest
from tests.adapters.providers.wire import NOW, Answer, access, error_answer, ref, submission

from yuanjing.adapters.providers.dashscope import DashscopeOptions, DashscopeUpstream
from yuanjing.domain.tasks import (
    UNAVAILABLE_TEXT,
    Delivery,
    FailureKind,
    MediaInput,
    MediaRole,
    Size,
    TaskState,
    UpstreamError,
    VideoMeter,
)
from yuanjing.ports.upstream import Callback, CallbackRefusedError, TaskRef, Trail

SUBMIT = "/api/v1/services/aigc/video-generation/video-synthesis"
TASK = "0385dc79-5ff8-4d82-bcb6-0123456789ab"
DATA = "data:image/jpeg;base64,/9j/4AAQ"
ACCEPTED = {"output": {"task_status": "PENDING", "task_id": TASK}, "request_id": "4909100c"}
FIRST, LAST, IMAGE = MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME, MediaRole.REFERENCE_IMAGE
VIDEO, AUDIO = MediaRole.REFERENCE_VIDEO, MediaRole.REFERENCE_AUDIO
TIMES = {
    "submit_time": "2026-04-20 17:55:17.075",
    "scheduled_time": "2026-04-20 17:55:17.129",
    "end_time": "2026-04-20 17:56:36.658",
}
SUBMITTED_AT = dt.datetime(2026, 4, 20, 9, 55, 17, 75000, dt.UTC).timestamp()


@pytest.fixture
def dashscope(web):
    return DashscopeUpstream(web)


def media(role, url=DATA):
    return MediaInput(role=role, url=url)


BODIES = {
    "seed-b": (
        submission(
            model="happyhorse-1.0-i2v",
            prompt="一起来调科目三",
            media=(media(FIRST),),
            resolution="720p",
            ratio="adaptive",
            duration_seconds=15,
        ),
        {
            "model": "happyhorse-1.0-i2v",
            "input": {"prompt": "一起来调科目三", "media": [{"type": "first_frame", "url": DATA}]},
            "parameters": {"resolution": "720P", "duration": 15, "watermark": False},
        },
    ),
    "happyhorse-t2v": (
        submission(prompt="...", resolution="720p", ratio="16:9", duration_seconds=5, seed=0),
        {
            "model": "m-1",
            "input": {"prompt": "..."},
            "parameters": {"resolution": "720P", "ratio": "16:9", "duration": 5, "watermark": False, "seed": 0},
        },
    ),
    "adaptive-is-left-out": (
        submission(resolution="720P", ratio="adaptive", duration_seconds=5),
        {
            "model": "m-1",
            "input": {"prompt": "a cat"},
            "parameters": {"resolution": "720P", "duration": 5, "watermark": False},
        },
    ),
    "happyhorse-i2v-has-no-ratio": (
        submission(prompt="", media=(media(FIRST),), resolution="1080p", ratio="16:9"),
        {
            "model": "m-1",
            "input": {"media": [{"type": "first_frame", "url": DATA}]},
            "parameters": {"resolution": "1080P", "watermark": False},
        },
    ),
    "happyhorse-r2v": (
        submission(media=(media(IMAGE, "a"), media(IMAGE, "b")), resolution="1080p", ratio="9:16", duration_seconds=12),
        {
            "model": "m-1",
            "input": {
                "prompt": "a cat",
                "media": [{"type": "reference_image", "url": "a"}, {"type": "reference_image", "url": "b"}],
            },
            "parameters": {"resolution": "1080P", "ratio": "9:16", "duration": 12, "watermark": False},
        },
    ),
    "wan2.7-i2v": (
        submission(media=(media(FIRST, "a"), media(LAST, "b")), resolution="720p", watermark=True),
        {
            "model": "m-1",
            "input": {
                "prompt": "a cat",
                "media": [{"type": "first_frame", "url": "a"}, {"type": "last_frame", "url": "b"}],
            },
            "parameters": {"resolution": "720P", "watermark": True},
        },
    ),
    "wan2.6-t2v": (
        submission(
            negative_prompt="blur",
            size=Size(width=1920, height=1080),
            duration_seconds=15,
            extras={"prompt_extend": False, "shot_type": "single", "audio_url": "https://x/a.mp3", "size": "1*1"},
        ),
        {
            "model": "m-1",
            "input": {"prompt": "a cat", "negative_prompt": "blur", "audio_url": "https://x/a.mp3"},
            "parameters": {
                "size": "1920*1080",
                "duration": 15,
                "watermark": False,
                "prompt_extend": False,
                "shot_type": "single",
            },
        },
    ),
    "wan2.6-i2v": (
        submission(form="img_url", media=(media(FIRST), media(AUDIO, "https://x/a.mp3")), resolution="720p"),
        {
            "model": "m-1",
            "input": {"prompt": "a cat", "img_url": DATA, "audio_url": "https://x/a.mp3"},
            "parameters": {"resolution": "720P", "watermark": False},
        },
    ),
    "wan2.6-r2v": (
        submission(
            form="reference_urls",
            media=(media(FIRST, "https://x/1"), media(LAST, "https://x/2"), media(VIDEO, "https://x/3.mp4")),
            size=Size(width=1280, height=720),
            duration_seconds=10,
            audio=True,
        ),
        {
            "model": "m-1",
            "input": {"prompt": "a cat", "reference_urls": ["https://x/1", "https://x/2", "https://x/3.mp4"]},
            "parameters": {"size": "1280*720", "duration": 10, "audio": True, "watermark": False},
        },
    ),
    "wan2.2-kf2v": (
        submission(form="frame_urls", media=(media(FIRST, "https://x/1"), media(LAST, "https://x/2"))),
        {
            "model": "m-1",
            "input": {"prompt": "a cat", "first_frame_url": "https://x/1", "last_frame_url": "https://x/2"},
            "parameters": {"watermark": False},
        },
    ),
}


@pytest.mark.parametrize("name", sorted(BODIES))
async def test_the_bodies(provider, dashscope, name):
    given, body = BODIES[name]
    provider.plays(ACCEPTED)
    accepted = await dashscope.submit(access(provider, "dashscope"), given)
    path = "/api/v1/services/aigc/image2video/video-synthesis" if name == "wan2.2-kf2v" else SUBMIT
    assert (provider.last.method, provider.last.target) == ("POST", path)
    assert provider.last.json == body
    assert provider.last.headers["x-dashscope-async"] == "enable"
    assert "x-dashscope-ossresourceresolve" not in provider.last.headers
    assert (accepted.upstream_task_id, accepted.state, accepted.request_id) == (TASK, "queued", "4909100c")


@pytest.mark.parametrize(
    "given",
    [submission(media=(media(IMAGE, "oss://a/b.png"),)), submission(extras={"audio_url": "oss://a/b.mp3"})],
)
async def test_uploads_are_announced(provider, dashscope, given):
    provider.plays(ACCEPTED)
    await dashscope.submit(access(provider, "dashscope"), given)
    assert provider.last.headers["x-dashscope-ossresourceresolve"] == "enable"


@pytest.mark.parametrize(
    ("form", "roles"),
    [
        ("none", []),
        ("img_url", [FIRST, FIRST]),
        ("img_url", [LAST]),
        ("frame_urls", [IMAGE]),
        ("reference_urls", [AUDIO]),
    ],
)
async def test_media_without_a_place_are_not_sent(provider, dashscope, form, roles):
    provider.plays(ACCEPTED)
    given = submission(form=form, media=tuple(media(role) for role in roles))
    with pytest.raises(UpstreamError) as caught:
        await dashscope.submit(access(provider, "dashscope"), given)
    assert caught.value.kind is FailureKind.INVALID_INPUT
    assert not provider.asked


def test_how_files_can_be_given(dashscope):
    every = {Delivery.INLINE, Delivery.URL, Delivery.UPLOAD}
    assert set(dashscope.deliveries("", FIRST)) == set(dashscope.deliveries("img_url", FIRST)) == every
    assert set(dashscope.deliveries("reference_urls", FIRST)) == every - {Delivery.INLINE}
    assert set(dashscope.deliveries("", VIDEO)) == every - {Delivery.INLINE}
    assert not dashscope.deliveries("img_url", LAST)
    assert not dashscope.deliveries("none", FIRST)


def output(status, **fields):
    return {"request_id": "e5d70b02", "output": {"task_id": TASK, "task_status": status, **fields}}


URL = "https://dashscope-result.oss-cn-beijing.aliyuncs.com/猫%2B.mp4?Expires=1&Signature=a%2Fb+c%3D"


async def test_succeeded(provider, dashscope):
    usage = {
        "duration": 5,
        "input_video_duration": 0,
        "output_video_duration": 5,
        "video_count": 1,
        "SR": 720,
        "ratio": "16:9",
    }
    provider.plays({**output("SUCCEEDED", **TIMES, orig_prompt="…", video_url=URL), "usage": usage})
    task = await dashscope.query(access(provider, "dashscope"), ref(TASK))
    assert (provider.last.method, provider.last.target) == ("GET", f"/api/v1/tasks/{TASK}")
    assert (task.state, task.video_url, task.cover_url, task.failure) == ("succeeded", URL, None, None)
    assert task.usage.meters == {VideoMeter.VIDEO_SECONDS: Decimal(5)}
    assert task.usage.details == usage
    assert (task.submitted_at, task.ended_at) == (SUBMITTED_AT, SUBMITTED_AT + 79.583)
    assert (task.delivered_seconds, task.request_id) == (Decimal(5), "e5d70b02")


async def test_seconds_may_be_broken_and_count_the_input(provider, dashscope):
    usage = {"duration": 15.04, "size": "1280*720", "input_video_duration": 5, "output_video_duration": 10.04}
    provider.plays({**output("SUCCEEDED", video_url=URL), "usage": {**usage, "video_count": 1, "SR": 720}})
    task = await dashscope.query(access(provider, "dashscope"), ref(TASK))
    assert task.usage.meters == {VideoMeter.VIDEO_SECONDS: Decimal("15.04")}
    assert (task.delivered_seconds, task.usage.details["size"]) == (Decimal("10.04"), "1280*720")


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (output("PENDING", submit_time=TIMES["submit_time"]), "queued"),
        (output("RUNNING", submit_time="…", scheduled_time=7), "running"),
        (output("SUSPENDED"), "running"),
        (output("running"), "running"),
        (output("CANCELED", end_time=TIMES["end_time"]), "canceled"),
    ],
)
async def test_the_other_states(provider, dashscope, body, state):
    provider.plays(body)
    task = await dashscope.query(access(provider, "dashscope"), ref(TASK))
    assert (task.state, task.is_word_known, task.video_url, task.usage, task.failure) == (state, True, None, None, None)


async def test_a_failure_stands_in_the_output(provider, dashscope):
    body = output("FAILED", code="InvalidParameter", message="The resolution is not valid xxxxxx")
    provider.plays({**body, "code": "Arrearage", "message": "not this one"})
    task = await dashscope.query(access(provider, "dashscope"), ref(TASK))
    assert (task.state, task.failure.kind, task.failure.code) == ("failed", "invalid_input", "InvalidParameter")
    assert task.failure.detail == "The resolution is not valid xxxxxx"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("DataInspectionFailed", "moderated"),
        ("data_inspection_failed", "moderated"),
        ("InvalidURL.ConnectionRefused", "invalid_input"),
        ("InvalidParameter.DataInspection", "invalid_input"),
        ("InternalError.Timeout", "unavailable"),
        ("Brand.New", "unavailable"),
        ("", "unavailable"),
    ],
)
async def test_why_tasks_fail(provider, dashscope, code, kind):
    provider.plays(output("FAILED", code=code))
    task = await dashscope.query(access(provider, "dashscope"), ref(TASK))
    assert task.failure.kind == kind
    assert code == "" or code not in task.failure.text


async def test_unknown_is_not_found(provider, dashscope):
    provider.plays(output("UNKNOWN"))
    with pytest.raises(UpstreamError) as caught:
        await dashscope.query(access(provider, "dashscope"), ref(TASK))
    assert (caught.value.kind, caught.value.failure.code) == (FailureKind.NOT_FOUND, "UNKNOWN")
    assert caught.value.request_id == "e5d70b02"


INVALID, AUTH, BALANCE = FailureKind.INVALID_INPUT, FailureKind.PROVIDER_AUTH, FailureKind.PROVIDER_BALANCE
RATE, UNKNOWN = FailureKind.RATE_LIMITED, FailureKind.UNKNOWN_OUTCOME
ROWS = [
    (400, "InvalidParameter", INVALID),
    *((400, code, FailureKind.MODERATED) for code in ("DataInspectionFailed", "data_inspection_failed")),
    (400, "Arrearage", BALANCE),
    (400, "UnsupportedOperation", INVALID),
    *((400, code, INVALID) for code in ("InvalidURL.ConnectionRefused", "InvalidParameter.DataInspection")),
    *((401, code, AUTH) for code in ("InvalidApiKey", "invalid_api_key")),
    *((403, f"{what}AccessDenied", AUTH) for what in ("", "Model.", "Workspace.")),
    (403, "AccessDenied.Unpurchased", AUTH),
    (403, "AllocationQuota.FreeTierOnly", BALANCE),
    *((404, code, FailureKind.NOT_FOUND) for code in ("ModelNotFound", "model_not_found", "model_not_supported")),
    *((429, f"Throttling{what}", RATE) for what in ("", ".RateQuota", ".BurstRate", ".AllocationQuota")),
    *((429, code, RATE) for code in ("LimitRequests", "limit_requests", "limit_burst_rate", "insufficient_quota")),
    *((429, code, BALANCE) for code in ("CommodityNotPurchased", "PrepaidBillOverdue", "PostpaidBillOverdue")),
    *((500, f"InternalError{what}", UNKNOWN) for what in ("", ".Algo", ".Timeout", ".Upload")),
    *((500, code, UNKNOWN) for code in ("SystemError", "ModelServiceFailed", "RequestTimeOut", "ModelServingError")),
    (503, "ModelUnavailable", UNKNOWN),
]


@pytest.mark.parametrize(("status", "code", "kind"), ROWS)
async def test_the_error_table(provider, dashscope, status, code, kind):
    provider.plays(error_answer("dashscope", status, code, "Access denied, your account is overdue, API-key"))
    with pytest.raises(UpstreamError) as caught:
        await dashscope.submit(access(provider, "dashscope"), submission())
    failure = caught.value.failure
    assert (failure.kind, failure.code, failure.status, caught.value.request_id) == (kind, code, status, "r-1")
    assert not any(word in failure.text.lower() for word in ("account", "denied", "key", "overdue"))


async def test_a_model_without_access_says_nothing_of_others(provider, dashscope):
    rows = (("Model.AccessDenied", AUTH, True), ("AccessDenied", AUTH, False), ("Workspace.AccessDenied", AUTH, False))
    for code, kind, is_of_model in (*rows, ("AllocationQuota.FreeTierOnly", BALANCE, True)):
        provider.plays(error_answer("dashscope", 403, code))
        with pytest.raises(UpstreamError) as caught:
            await dashscope.submit(access(provider, "dashscope"), submission())
        assert (caught.value.kind, caught.value.failure.is_of_model) == (kind, is_of_model)


async def test_an_unknown_model_is_not_the_customers_fault(provider, dashscope):
    provider.plays(error_answer("dashscope", 400, "InvalidParameter", "Model not exist."))
    with pytest.raises(UpstreamError) as caught:
        await dashscope.submit(access(provider, "dashscope"), submission())
    assert (caught.value.kind, str(caught.value)) == (FailureKind.NOT_FOUND, UNAVAILABLE_TEXT)


def line(task_id, status="RUNNING", *, at=NOW, model="m-1"):
    return {
        "api_key_id": "1",
        "gmt_create": int(at * 1000),
        "start_time": int(at * 1000),
        "end_time": None,
        "model_name": model,
        "request_id": "r-2",
        "status": status,
        "task_id": task_id,
    }


def page(*lines, number=1, pages=1):
    return {"total": 9, "data": list(lines), "total_page": pages, "page_no": number, "page_size": 100}


async def test_many_at_once_tell_states(provider, dashscope):
    provider.plays(
        page(line("a", "SUCCEEDED"), line("b", "UNKNOWN"), line("f", "FAILED"), line("x"), pages=9),
        page(line("c"), {"task_id": 7}, None, number=2, pages=9),
    )
    refs = [ref("a"), ref("c", at=NOW + 60), ref("f")]
    tasks = await dashscope.query_many(access(provider, "dashscope"), refs)
    assert {task_id: task.state.value for task_id, task in tasks.items()} == {
        "a": "succeeded",
        "c": "running",
        "f": "failed",
    }
    assert not any(task.has_results for task in tasks.values())
    assert [asked.path for asked in provider.asked] == ["/api/v1/tasks"] * 2
    assert provider.asked[0].query == [
        ("start_time", "20260521153138"),
        ("end_time", "20260521153638"),
        ("model_name", "m-1"),
        ("page_no", "1"),
        ("page_size", "100"),
    ]
    assert dict(provider.asked[1].query)["page_no"] == "2"
    assert await dashscope.query_many(access(provider, "dashscope"), []) == {}


async def test_the_window_of_a_list_is_a_day_at_most(provider, dashscope):
    provider.plays(page(line("a")))
    refs = [ref("a", at=NOW), TaskRef(upstream_task_id="b", model="m-2", submitted_at=NOW - 90_000)]
    assert set(await dashscope.query_many(access(provider, "dashscope"), refs)) == {"a"}
    query = dict(provider.last.query)
    assert "model_name" not in query
    start, end = (dt.datetime.strptime(query[f"{edge}_time"] + "Z", "%Y%m%d%H%M%S%z") for edge in ("start", "end"))
    assert end - start == dt.timedelta(days=1)


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, {"items": []}])
async def test_a_list_that_is_none_is_an_error_and_not_empty(provider, dashscope, body):
    provider.plays(body)
    with pytest.raises(UpstreamError) as caught:
        await dashscope.query_many(access(provider, "dashscope"), [ref(TASK)])
    assert caught.value.kind is FailureKind.UNAVAILABLE


TRAIL = Trail(submission_id="t-1-1", model="m-1", sent_from=NOW, sent_until=NOW + 60)


async def test_a_lost_submission_is_searched_by_model_and_time(provider, dashscope):
    lines = [line("a", at=NOW + 10), line("b", at=NOW + 900), line("c", model="m-2"), line("d", at=NOW - 900)]
    provider.plays(page(*lines))
    found = await dashscope.find(access(provider, "dashscope"), TRAIL)
    assert [task.upstream_task_id for task in found.tasks] == ["a"]
    assert (found.is_exact, found.is_complete) == (False, True)
    assert found.adoptable(is_claimed=lambda _: False, rivals=0) is found.tasks[0]
    assert found.adoptable(is_claimed=lambda task_id: task_id == "a", rivals=0) is None
    assert found.adoptable(is_claimed=lambda _: False, rivals=1) is None
    query = dict(provider.last.query)
    assert (query["start_time"], query["end_time"]) == ("20260521153138", "20260521153638")


async def test_a_search_with_too_many_pages_decides_nothing(provider, web):
    provider.plays(page(line("a"), pages=9))
    dashscope = DashscopeUpstream(web, DashscopeOptions(pages_max=2))
    found = await dashscope.find(access(provider, "dashscope"), TRAIL)
    assert (len(provider.asked), found.is_complete) == (2, False)
    assert found.adoptable(is_claimed=lambda _: False, rivals=0) is None


async def test_the_zone_of_the_list_is_data(provider, web):
    provider.plays(page())
    dashscope = DashscopeUpstream(web, DashscopeOptions(utc_offset_hours=0))
    await dashscope.find(access(provider, "dashscope"), TRAIL)
    assert dict(provider.last.query)["start_time"] == "20260521073138"


async def test_a_list_without_a_count_ends_with_a_short_page(provider, web):
    full, short = [line("a"), line("b")], [line("c")]
    provider.plays({"data": full}, {"data": short})
    found = await DashscopeUpstream(web, DashscopeOptions(page_size=2)).find(access(provider, "dashscope"), TRAIL)
    assert (len(found.tasks), found.is_complete) == (3, True)


async def test_cancel(provider, dashscope):
    refused = error_answer("dashscope", 400, "UnsupportedOperation")
    provider.plays({"request_id": "r"}, refused, Answer(raw=b"", cut_at=0), Answer(status=500))
    assert await dashscope.cancel(access(provider, "dashscope"), ref(TASK)) is True
    assert (provider.last.method, provider.last.target) == ("POST", f"/api/v1/tasks/{TASK}/cancel")
    assert provider.last.body == b""
    assert await dashscope.cancel(access(provider, "dashscope"), ref(TASK)) is False
    for _ in range(2):
        with pytest.raises(UpstreamError) as caught:
            await dashscope.cancel(access(provider, "dashscope"), ref(TASK))
        assert caught.value.kind is FailureKind.UNAVAILABLE


def event(**changes):
    told = {"type": "dashscope:System:AsyncTaskFinish", "data": {"task_id": TASK, "task_status": "SUCCEEDED"}} | changes
    return Callback(path="/", headers={}, body=json.dumps(told).encode(), received_at=NOW)


def test_an_event_is_a_hint_and_no_more(dashscope):
    hint = dashscope.read_callback("k", event(id="e-1"))
    assert (hint.upstream_task_id, hint.state, hint.nonce, hint.is_signed) == (TASK, TaskState.SUCCEEDED, "", False)
    for status, state in (("FAILED", TaskState.FAILED), ("UNKNOWN", None), (None, None), (5, None)):
        assert dashscope.read_callback("k", event(data={"task_id": TASK, "task_status": status})).state is state


def test_events_about_anything_else_are_taken_and_of_no_use(dashscope):
    for other in (event(type="oss:ObjectCreated:PutObject"), event(type=None), event(type=5)):
        assert dashscope.read_callback("k", other).upstream_task_id == ""


@pytest.mark.parametrize("data", [None, [], {}, {"task_id": 5}, {"task_id": "x" * 300}])
def test_events_that_name_no_task_are_refused(dashscope, data):
    with pytest.raises(CallbackRefusedError):
        dashscope.read_callback("k", event(data=data))
    for body in (b"", b"{", b"[]", b"\xff", b"null"):
        with pytest.raises(CallbackRefusedError):
            dashscope.read_callback("k", replace(event(), body=body))
