"""Vidu's wire: the vectors, documented answers, every row of the error table, signed callbacks."""

import base64
import datetime as dt
import hashlib
import hmac
from dataclasses import replace
from decimal import Decimal
from email.utils import format_datetime

import pytest
from tests.adapters.providers import wire
from tests.adapters.providers.wire import NOW, Answer, access, error_answer, ref, submission

from yuanjing.adapters.providers.vidu import ViduOptions, ViduUpstream
from yuanjing.domain.tasks import (
    Delivery,
    FailureKind,
    MediaInput,
    MediaRole,
    TaskState,
    UpstreamError,
    VideoMeter,
)
from yuanjing.ports.upstream import Callback, CallbackRefusedError, Trail

TASK = "936759404378734592"
CREATED = {
    "task_id": TASK,
    "state": "created",
    "model": "viduq3-pro",
    "style": "general",
    "prompt": "…",
    "images": [],
    "duration": 5,
    "seed": 231958,
    "aspect_ratio": "16:9",
    "resolution": "720p",
    "movement_amplitude": "auto",
    "bgm": False,
    "audio": True,
    "payload": "",
    "off_peak": False,
    "watermark": False,
    "credits": 100,
    "created_at": "2025-01-01T15:41:31.968916Z",
}
CREATION = {
    "id": "936760000000000000",
    "url": "https://x.example/猫%2B.mp4?X-A=a%2Fb+c",
    "cover_url": "https://x.example/cover.jpeg?s=1",
    "watermarked_url": "https://x.example/w.mp4",
}
SUCCESS = {
    "id": TASK,
    "state": "success",
    "err_code": "",
    "credits": 100,
    "payload": "t-1-1",
    "bgm": False,
    "off_peak": False,
    "creations": [CREATION],
}


@pytest.fixture
def vidu(web):
    return ViduUpstream(web)


def image(role, url="https://x.example/a.png"):
    return MediaInput(role=role, url=url)


async def test_the_vector_of_the_seed(provider, web):
    given = submission(
        model="viduq3-pro", prompt="一只猫", duration_seconds=1, ratio="16:9", resolution="540P", off_peak=False
    )
    body = {
        "model": "viduq3-pro",
        "prompt": "一只猫",
        "duration": 1,
        "aspect_ratio": "16:9",
        "resolution": "540p",
        "off_peak": False,
    }
    provider.plays({**CREATED, "credits": 10})
    accepted = await ViduUpstream(web, ViduOptions(tags_submissions=False)).submit(access(provider, "vidu"), given)
    assert (provider.last.method, provider.last.target) == ("POST", "/ent/v2/text2video")
    assert provider.last.headers["authorization"] == f"Token {wire.CREDENTIAL}"
    assert provider.last.json == body
    assert (accepted.upstream_task_id, accepted.state) == (TASK, TaskState.QUEUED)
    assert accepted.usage.meters == {VideoMeter.PROVIDER_CREDITS: Decimal(10)}
    assert accepted.usage.details == {"credits": 10, "off_peak": False, "type": "text2video"}
    await ViduUpstream(web).submit(access(provider, "vidu"), given)
    assert provider.last.json == {**body, "payload": given.id}


FIRST, LAST, REFERENCE = MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME, MediaRole.REFERENCE_IMAGE


@pytest.mark.parametrize(
    ("roles", "endpoint", "images", "has_ratio"),
    [
        ([FIRST], "img2video", ["0"], False),
        ([FIRST, LAST], "start-end2video", ["0", "1"], False),
        ([LAST, FIRST], "start-end2video", ["1", "0"], False),
        ([REFERENCE, REFERENCE, REFERENCE], "reference2video", ["0", "1", "2"], True),
    ],
)
async def test_the_call_follows_the_media(provider, vidu, roles, endpoint, images, has_ratio):
    provider.plays(CREATED)
    media = tuple(image(role, str(number)) for number, role in enumerate(roles))
    given = submission(
        prompt="",
        media=media,
        ratio="1:1",
        seed=7,
        audio=False,
        off_peak=True,
        watermark=True,
        callback_url="https://our.example/c/1",
        extras={"movement_amplitude": "auto", "off_peak": False},
    )
    accepted = await vidu.submit(access(provider, "vidu"), given)
    assert provider.last.path == f"/ent/v2/{endpoint}"
    assert provider.last.json == {
        "model": "m-1",
        "images": images,
        **({"aspect_ratio": "1:1"} if has_ratio else {}),
        "seed": 7,
        "audio": False,
        "off_peak": True,
        "watermark": True,
        "callback_url": "https://our.example/c/1",
        "payload": given.id,
        "movement_amplitude": "auto",
    }
    assert accepted.usage.details["type"] == endpoint


@pytest.mark.parametrize(
    "roles",
    [[LAST], [FIRST, FIRST], [FIRST, REFERENCE], [FIRST, LAST, LAST], [MediaRole.REFERENCE_VIDEO]],
)
async def test_media_that_no_call_takes_are_not_sent(provider, vidu, roles):
    provider.plays(CREATED)
    with pytest.raises(UpstreamError) as caught:
        await vidu.submit(access(provider, "vidu"), submission(media=tuple(image(role) for role in roles)))
    assert caught.value.kind is FailureKind.INVALID_INPUT
    assert not provider.asked


def test_how_files_can_be_given(vidu):
    assert set(vidu.deliveries("", FIRST)) == {Delivery.INLINE, Delivery.URL}
    assert not vidu.deliveries("", MediaRole.REFERENCE_VIDEO)


async def test_a_reply_without_credits_is_accepted_all_the_same(provider, vidu):
    provider.plays({"task_id": TASK, "state": "success", "unknown": {}})
    accepted = await vidu.submit(access(provider, "vidu"), submission())
    assert (accepted.upstream_task_id, accepted.usage, accepted.state) == (TASK, None, TaskState.QUEUED)


async def test_success(provider, vidu):
    provider.plays(SUCCESS)
    task = await vidu.query(access(provider, "vidu"), ref(TASK))
    assert (provider.last.method, provider.last.target) == ("GET", f"/ent/v2/tasks/{TASK}/creations")
    assert (task.state, task.video_url, task.cover_url) == ("succeeded", CREATION["url"], CREATION["cover_url"])
    assert task.usage.meters == {VideoMeter.PROVIDER_CREDITS: Decimal(100)}
    assert task.usage.details == {"credits": 100, "off_peak": False, "type": "text2video"}
    assert (task.submission_id, task.failure, task.has_results) == ("t-1-1", None, True)


async def test_the_usage_tells_the_call_that_made_the_video(provider, vidu):
    given = replace(ref(TASK), roles=(LAST, FIRST))
    provider.plays(SUCCESS, {"tasks": [{"id": TASK, **SUCCESS}], "next_page_token": ""})
    alone = await vidu.query(access(provider, "vidu"), given)
    many = await vidu.query_many(access(provider, "vidu"), [given])
    assert alone.usage.details["type"] == many[TASK].usage.details["type"] == "start-end2video"


async def test_an_answer_may_leave_out_the_id(provider, vidu):
    provider.plays({"state": "success", "err_code": "", "credits": 4, "payload": "", "creations": [CREATION]})
    task = await vidu.query(access(provider, "vidu"), ref(TASK))
    assert (task.upstream_task_id, task.submission_id) == (TASK, None)


@pytest.mark.parametrize(
    ("word", "state"),
    [("created", "queued"), ("queueing", "queued"), ("processing", "running"), ("Processing", "running")],
)
async def test_the_states_before_the_end(provider, vidu, word, state):
    provider.plays({**SUCCESS, "state": word, "creations": []})
    task = await vidu.query(access(provider, "vidu"), ref(TASK))
    assert (task.state, task.video_url, task.is_word_known) == (state, None, True)


@pytest.mark.parametrize(
    ("code", "state", "kind"),
    [
        ("CreationPolicyViolation", "failed", "moderated"),
        ("TaskPromptPolicyViolation", "failed", "moderated"),
        ("ImageDownloadFailure", "failed", "invalid_input"),
        ("InternalServiceFailure", "failed", "unavailable"),
        ("SomethingNew", "failed", "unavailable"),
        ("", "failed", "unavailable"),
        ("UserCancelled", "canceled", None),
        ("Canceled", "expired", None),
    ],
)
async def test_failed_has_three_meanings(provider, vidu, code, state, kind):
    provider.plays({**SUCCESS, "state": "failed", "err_code": code, "credits": 0, "creations": []})
    task = await vidu.query(access(provider, "vidu"), ref(TASK))
    assert (task.state, task.failure and task.failure.kind) == (state, kind)
    assert task.usage.meters == {VideoMeter.PROVIDER_CREDITS: Decimal(0)}


INVALID, RATE, DOWN = FailureKind.INVALID_INPUT, FailureKind.RATE_LIMITED, FailureKind.UNAVAILABLE
ROWS = [
    *((400, f"Field{kind}", INVALID) for kind in ("Lacking", "Unwanted", "Invalid", "ItemCountOutOfRange")),
    *((400, code, INVALID) for code in ("BadRequest", "PageSizeOutOfRange")),
    *((400, f"Image{kind}", INVALID) for kind in ("DownloadFailure", "FormatInvalid", "CheckRatio")),
    (400, "OperationInProcess", RATE),
    *((400, code, FailureKind.MODERATED) for code in ("TaskPromptPolicyViolation", "AuditSubmitIllegal")),
    (400, "CreationPolicyViolation", FailureKind.MODERATED),
    (400, "CreditInsufficient", FailureKind.PROVIDER_BALANCE),
    (400, "ModelUnavailable", DOWN),
    (401, "Unauthorized", FailureKind.PROVIDER_AUTH),
    (403, "Forbidden", FailureKind.PROVIDER_AUTH),
    *((404, code, FailureKind.NOT_FOUND) for code in ("TaskNotFound", "CreationNotFound", "NotFound")),
    (409, "Conflict", DOWN),
    *((429, code, RATE) for code in ("QuotaExceeded", "TooManyRequests", "SystemThrottling")),
    (499, "Canceled", FailureKind.UNKNOWN_OUTCOME),
    (500, "InternalServiceFailure", FailureKind.UNKNOWN_OUTCOME),
]


@pytest.mark.parametrize(("status", "code", "kind"), ROWS)
async def test_the_error_table(provider, vidu, status, code, kind):
    provider.plays(error_answer("vidu", status, code, "credits insufficient for token"))
    with pytest.raises(UpstreamError) as caught:
        await vidu.submit(access(provider, "vidu"), submission())
    failure = caught.value.failure
    assert (failure.kind, failure.code, failure.status) == (kind, code, status)
    assert caught.value.request_id == "r-1"
    assert not any(word in failure.text.lower() for word in ("credit", "token", "vidu"))


async def test_an_unknown_task(provider, vidu):
    provider.plays(error_answer("vidu", 404, "TaskNotFound"))
    with pytest.raises(UpstreamError) as caught:
        await vidu.query(access(provider, "vidu"), ref(TASK))
    assert caught.value.kind is FailureKind.NOT_FOUND


async def test_many_at_once_over_pages(provider, vidu):
    bare = {"id": "3", "state": "success", "model": "m"}
    first = {
        "tasks": [SUCCESS, {"id": "9", "state": "created"}, {"id": 4, "state": "created"}],
        "next_page_token": "p" * 900,
    }
    provider.plays(first, {"tasks": [bare, None], "next_page_token": ""})
    tasks = await vidu.query_many(access(provider, "vidu"), [ref(TASK), ref("3"), ref("5")])
    assert {task_id: task.has_results for task_id, task in tasks.items()} == {TASK: True, "3": False}
    assert tasks[TASK].cover_url == CREATION["cover_url"]
    ids = [("task_ids", "3"), ("task_ids", "5"), ("task_ids", TASK)]
    assert [asked.path for asked in provider.asked] == ["/ent/v2/tasks"] * 2
    assert [asked.query for asked in provider.asked] == [
        [*ids, ("pager.pagesz", "100")],
        [*ids, ("pager.pagesz", "100"), ("pager.page_token", "p" * 900)],
    ]
    assert await vidu.query_many(access(provider, "vidu"), []) == {}


async def test_an_endless_list_ends(provider, vidu):
    provider.plays({"tasks": [], "next_page_token": "again"})
    assert await vidu.query_many(access(provider, "vidu"), [ref(TASK)]) == {}
    assert len(provider.asked) == vidu.traits.calls_per_batch_max


@pytest.mark.parametrize("body", [{}, {"tasks": None}, {"tasks": {}}, {"data": []}])
async def test_a_list_that_is_none_is_an_error_and_not_empty(provider, vidu, body):
    provider.plays(body)
    with pytest.raises(UpstreamError) as caught:
        await vidu.query_many(access(provider, "vidu"), [ref(TASK)])
    assert caught.value.kind is FailureKind.UNAVAILABLE


TRAIL = Trail(submission_id="t-1-1", model="m-1", sent_from=NOW, sent_until=NOW + 60)


async def test_a_lost_submission_is_found_by_its_payload(provider, vidu):
    items = [
        {"id": "1", "state": "created", "model": "m-1", "payload": "t-2-1"},
        {"id": "2", "state": "created", "model": "m-1", "payload": "t-1-1", "created_at": "2026-05-21T07:33:40.5Z"},
    ]
    provider.plays({"tasks": items, "next_page_token": ""})
    found = await vidu.find(access(provider, "vidu"), TRAIL)
    assert [task.upstream_task_id for task in found.tasks] == ["2"]
    assert found.tasks[0].submitted_at == dt.datetime(2026, 5, 21, 7, 33, 40, 500000, dt.UTC).timestamp()
    assert (found.is_exact, found.is_complete) == (True, True)
    assert provider.last.query == [
        ("created_at.from", "2026-05-21T07:31:38Z"),
        ("created_at.to", "2026-05-21T07:36:38Z"),
        ("pager.pagesz", "100"),
    ]


async def test_a_list_that_tells_no_payload_is_asked_task_by_task(provider, vidu):
    items = [
        {"id": "1", "state": "created", "model": "m-2"},
        {"id": "2", "state": "created", "model": "m-1"},
        {"id": "3", "state": "created"},
    ]
    lost = {"id": "3", "state": "processing", "credits": 1, "payload": "t-1-1", "creations": []}
    provider.plays({"tasks": items}, {**lost, "id": "2", "payload": "t-3-1"}, lost)
    found = await vidu.find(access(provider, "vidu"), TRAIL)
    assert [task.upstream_task_id for task in found.tasks] == ["3"]
    assert [asked.path.rpartition("/tasks")[2] for asked in provider.asked] == ["", "/2/creations", "/3/creations"]


async def test_a_search_among_too_many_is_not_complete(provider, web):
    provider.plays({"tasks": [{"id": str(n), "state": "created"} for n in range(3)]}, Answer(body={"state": "created"}))
    vidu = ViduUpstream(web, ViduOptions(search_queries_max=2))
    found = await vidu.find(access(provider, "vidu"), TRAIL)
    assert (found.tasks, found.is_exact, found.is_complete, len(provider.asked)) == ((), True, False, 3)


async def test_without_a_tag_only_model_and_time_remain(provider, web):
    items = [{"id": "1", "state": "created", "model": "m-1"}, {"id": "2", "state": "created", "model": "m-2"}]
    provider.plays({"tasks": items})
    found = await ViduUpstream(web, ViduOptions(tags_submissions=False)).find(access(provider, "vidu"), TRAIL)
    assert ([task.upstream_task_id for task in found.tasks], found.is_exact) == (["1"], False)


async def test_cancel(provider, vidu):
    running = error_answer("vidu", 400, "BadRequest", "task state is scheduled, can not cancel")
    provider.plays({}, running, error_answer("vidu", 404, "TaskNotFound"), Answer(raw=b"", cut_at=0))
    assert await vidu.cancel(access(provider, "vidu"), ref(TASK)) is True
    assert (provider.last.method, provider.last.target) == ("POST", f"/ent/v2/tasks/{TASK}/cancel")
    assert provider.last.json == {"id": TASK}
    assert await vidu.cancel(access(provider, "vidu"), ref(TASK)) is False
    for kind in (FailureKind.NOT_FOUND, FailureKind.UNAVAILABLE):
        with pytest.raises(UpstreamError) as caught:
            await vidu.cancel(access(provider, "vidu"), ref(TASK))
        assert caught.value.kind is kind


DATE, NONCE = "Tue, 06 May 2025 12:09:42 GMT", "123e4567-e89b-12d3-a456-426614174000"
AT = dt.datetime(2025, 5, 6, 12, 9, 42, tzinfo=dt.UTC).timestamp()
HEADERS = {
    "x-hmac-algorithm": "hmac-sha256",
    "x-hmac-access-key": "vidu",
    "x-hmac-signed-headers": "Date;x-request-nonce",
    "date": DATE,
    "x-request-nonce": NONCE,
}
BODY = b'{"id":"936759404378734592","state":"success"}'
VECTORS = [
    ("", "AXdQuo7/f9g9/IDnldgJSMkIA0Zru3ArBHkhXHmdksU="),
    ("name=james&age=36", "uDl3Wvgx6utIjKWRnCyt4OhsefE06Qj8cCg41RV4aeE="),
    ("name=james&age=36", "q2h2I/2LjUMRCr6Rn+Ez8inBxPbfGU/yLE6sdIq9IBs="),  # of age=36&name=james
]


def callback(signature, *, query="", body=BODY, at=AT, path="/vidu/callback", **headers):
    told = {**HEADERS, "x-hmac-signature": signature, **{n.replace("_", "-"): v for n, v in headers.items()}}
    return Callback(path=path, query=query, headers=told, body=body, received_at=at)


@pytest.mark.parametrize(("query", "signature"), VECTORS)
def test_the_vectors_of_the_signature(vidu, query, signature):
    hint = vidu.read_callback("vda_test_key", callback(signature, query=query))
    assert (hint.upstream_task_id, hint.state, hint.nonce, hint.is_signed) == (TASK, "succeeded", NONCE, True)


def test_the_sorted_form_is_not_taken_for_another_query(vidu):
    with pytest.raises(CallbackRefusedError, match="wrong"):
        vidu.read_callback("vda_test_key", callback(VECTORS[1][1], query="age=36&name=james"))


GOOD = VECTORS[0][1]


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": ""},
        {"signature": GOOD[:-2] + "A="},
        {"signature": "é"},
        {"path": "/vidu/callback/"},
        {"query": "a=1"},
        {"at": AT + 301},
        {"at": AT - 301},
        {"x_request_nonce": "other"},
        {"x_request_nonce": ""},
        {"date": "Tue, 06 May 2025 12:09:43 GMT"},
        {"date": ""},
        {"date": "yesterday"},
        {"date": "Tue, 06 May 99999999 12:09:42 GMT"},
        {"date": "Tue, 06 May 2025 12:09:42 -0000"},
        {"x_hmac_algorithm": "hmac-sha1"},
        {"x_hmac_algorithm": "none"},
        {"x_hmac_access_key": "mallory"},
        {"x_hmac_signed_headers": ""},
        {"x_hmac_signed_headers": "Date"},
        {"x_hmac_signed_headers": "x-request-nonce"},
        {"x_hmac_signed_headers": "Date;x-request-nonce" + ";a" * 100},
        {"body": b"{}"},
        {"body": b"no json"},
    ],
)
def test_what_is_forged_or_old_is_refused(vidu, changes):
    with pytest.raises(CallbackRefusedError):
        vidu.read_callback("vda_test_key", callback(**{"signature": GOOD, **changes}))


def test_another_credential_does_not_verify(vidu):
    for credential in ("vda_test_kez", "", "é"):
        with pytest.raises(CallbackRefusedError):
            vidu.read_callback(credential, callback(GOOD))


def test_the_edge_of_the_time(vidu):
    for at in (AT - 300, AT + 300):
        assert vidu.read_callback("vda_test_key", callback(GOOD, at=at)).is_signed


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b'{"id":"1","status":"processing"}', "running"),
        (b'{"task_id":"1","state":"failed","err_code":"x"}', "failed"),
        (b'{"id":"1","state":"new"}', None),
        (b'{"id":"1"}', None),
    ],
)
def test_both_names_of_the_state_are_read(vidu, body, state):
    hint = vidu.read_callback("vda_test_key", callback(GOOD, body=body))
    assert (hint.upstream_task_id, hint.state) == ("1", state)


def test_further_signed_headers_are_part_of_the_signature(vidu):
    date = format_datetime(dt.datetime.fromtimestamp(NOW, dt.UTC), usegmt=True)
    text = f"POST\n/c\n\nvidu\n{date}\nX-More:7\ndate:{date}\nx-request-nonce:n\n"
    signature = base64.b64encode(hmac.new(b"k", text.encode(), hashlib.sha256).digest()).decode()
    headers = {"x_hmac_signed_headers": "X-More;date;x-request-nonce", "date": date, "x_request_nonce": "n"}
    assert vidu.read_callback("k", callback(signature, path="/c", at=NOW, x_more="7", **headers)).nonce == "n"
    with pytest.raises(CallbackRefusedError):
        vidu.read_callback("k", callback(signature, path="/c", at=NOW, x_more="8", **headers))


def test_the_published_vector_of_the_scheme():
    """APISIX's own: the same construction over its own values."""
    lines = "GET\n/index.html\nage=36&name=james\nuser-key\nTue, 19 Jan 2021 11:33:20 GMT\n"
    lines += "User-Agent:curl/7.29.0\nx-custom-a:test\n"
    digest = hmac.new(b"my-secret-key", lines.encode(), hashlib.sha256).digest()
    assert base64.b64encode(digest).decode() == "8XV1GB7Tq23OJcoz6wjqTs4ZLxr9DiLoY4PxzScWGYg="
