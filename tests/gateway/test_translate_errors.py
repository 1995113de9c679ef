"""Providers' errors and nonsense in both dialects: what the client is told, and that it pays for no refusal."""

import pytest
from tests.support.chat import ScriptedUpstream, plain, post, stream, user
from tests.support.gateway import FakeDirectory, GatewayServer, channel

from yuanjing.domain.usage import UsageStatus

every_dialect = pytest.mark.parametrize("dialect", ["openai", "llmage"])
CHUNK = (
    b'{"id":"c1","object":"chat.completion.chunk","created":1,"model":"qwen3-max","choices":[{"index":0,"delta":'
    b'{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}'
)


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(b"") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def scripted(upstream):
    with GatewayServer(FakeDirectory([channel(upstream.url)])) as server:
        yield server
        assert server.loop_errors == []


ERRORS = [
    ({"error": "boom"}, 400, 400),
    ({"error": {"message": "bad n", "code": 400}}, 400, 400),
    ({"object": "error", "message": "bad n", "type": "BadRequestError", "param": None, "code": 400}, 400, 400),
    ({"error": {"message": "bad", "type": "invalid_request_error", "code": "x"}}, 422, 400),
    (
        {"error": {"message": "Insufficient Balance", "type": "unknown_error", "code": "invalid_request_error"}},
        402,
        503,
    ),
    (
        {"error": {"message": "Insufficient Balance", "type": "unknown_error", "code": "invalid_request_error"}},
        400,
        503,
    ),
    ({"error": {"message": "x", "code": "Arrearage"}}, 400, 503),
    ({"code": "Arrearage", "message": "Access denied, please make sure your account is in good standing."}, 400, 503),
    ({"error": {"message": "x", "code": "AccountOverdueError", "type": "Forbidden"}}, 403, 503),
    ({"error": {"message": "quota", "type": "exceeded_current_quota_error"}}, 429, 503),
    ({"error": {"message": "Incorrect API key provided: sk-ab", "code": "invalid_api_key"}}, 401, 503),
    ({"error": {"message": "Incorrect API key provided: sk-ab", "code": "invalid_api_key"}}, 400, 503),
    ({"error": "Unauthorized"}, 401, 503),
    ({"error": {"message": "no such endpoint ep-1", "code": "model_not_found"}}, 404, 503),
    ({"error": {"message": "x", "code": "data_inspection_failed"}}, 400, 400),
    ({"error": {"message": "This model's maximum context length is 10", "code": "context_length_exceeded"}}, 400, 400),
    ({"error": {"message": "The request body is larger than 5 bytes."}}, 413, 400),
    (b"<html>502</html>", 502, 503),
    (b"", 500, 503),
    (b"\xff\xfe", 400, 400),
    (b"[1]", 400, 400),
    (b"[" * 50_000, 400, 400),
    ({"error": {"message": "\ud800 x"}}, 400, 400),
    ({"error": {"message": "x" * 5000}}, 400, 400),
    ({"error": {"message": 5, "code": []}}, 400, 400),
    ({"error": None}, 400, 400),
    ({"error": {"message": "Billing hard limit has been reached", "code": "billing_hard_limit_reached"}}, 400, 503),
    ({"error": {"message": "Your credit balance is too low to access the API."}}, 400, 503),
    ({"error": {"message": "您的账户已欠费, 请充值后重试", "code": "1113"}}, 400, 503),
    ({"error": {"message": "API key not valid. Please pass a valid API key."}}, 400, 503),
    ({"error": {"message": "Your API Key sk-ab has expired", "code": 400}}, 400, 503),
    ({"error": {"message": "x", "code": "Throttling.RateQuota"}}, 400, 503),
    ({"error": {"message": "x", "code": "AllocationQuota.FreeTierOnly"}}, 403, 503),
    ({"error": {"message": "bad schema of the function 'billing_rate_limit'", "code": "invalid_value"}}, 400, 400),
    (b"", 204, 502),
    (b"", 302, 503),
]


@every_dialect
@pytest.mark.parametrize(("body", "status", "public"), ERRORS, ids=range(len(ERRORS)))
def test_error_envelopes(scripted, upstream, dialect, body, status, public):
    upstream.answer = plain(body, status) if status != 204 else b"HTTP/1.1 204 X\r\n\r\n"
    before = len(scripted.spool.records)
    for streamed in (False, True):
        reply = post(scripted, dialect, user("x", stream=streamed))
        assert reply.status in {public, 503} if status == 204 else reply.status == public, reply.body
        text = reply.error if dialect == "llmage" else reply.error["message"]
        assert 0 < len(text) <= 500
        if public == 503:
            for word in ("rrear", "alance", "verdue", "quota", "API", "sk-", "ep-1", "nauthor", "illing", "欠费"):
                assert word not in text
    assert scripted.spool.records[before:] == []


def test_a_refusal_keeps_the_name_of_the_parameter(scripted, upstream):
    error = {"message": "max_tokens is too large", "param": "max_tokens", "code": "unsupported_parameter"}
    upstream.answer = plain({"error": error}, 400)
    reply = post(scripted, "openai", user("x"))
    assert (reply.status, reply.error["param"], reply.error["code"]) == (400, "max_tokens", "invalid_request")
    assert reply.error["message"] == error["message"]


def test_moderation_is_told_in_our_words(scripted, upstream):
    upstream.answer = plain({"error": {"message": "vendor's words", "code": "data_inspection_failed"}}, 400)
    reply = post(scripted, "openai", user("x"))
    assert reply.error["code"] == "content_policy_violation"
    assert "vendor" not in reply.error["message"]


def test_a_provider_cannot_send_clients_away_for_a_day(scripted, upstream):
    upstream.answer = b"HTTP/1.1 429 X\r\nretry-after: 86400\r\ncontent-length: 0\r\n\r\n"
    assert post(scripted, "openai", user("x")).headers["retry-after"] == "60"


NO_BALANCE = {"error": {"message": "Insufficient Balance", "type": "unknown_error", "code": "invalid_request_error"}}
INVALID = "invalid_request_error"
IN_STREAM = [
    (NO_BALANCE, "provider_unavailable"),
    ({"error": {"message": "x", "type": "Arrearage", "code": "Arrearage"}}, "provider_unavailable"),
    ({"error": {"message": "key", "type": "invalid_request_error", "code": "invalid_api_key"}}, "provider_unavailable"),
    ({"error": {"message": "limit", "code": 429}}, "provider_unavailable"),
    ({"error": {"message": "oops", "code": 500}}, "provider_unavailable"),
    ({"error": "oops"}, "provider_unavailable"),
    ({"error": {"message": "Incorrect API key provided: sk-abc", "type": INVALID}}, "provider_unavailable"),
    ({"error": {"message": "Rate limit exceeded", "type": INVALID, "code": "limit_requests"}}, "provider_unavailable"),
    ({"error": {"message": "bad n", "type": INVALID, "code": 400.5, "param": ["n"]}}, "invalid_request"),
    ({"object": "error", "message": "oops", "type": "InternalServerError", "code": 500}, "provider_unavailable"),
    ({"object": "error", "message": "too long", "type": "BadRequestError", "code": 400}, "invalid_request"),
    ({"error": {"message": "bad n", "type": "invalid_request_error"}}, "invalid_request"),
    ({"error": {"message": "stop", "code": "data_inspection_failed"}}, "content_policy_violation"),
    (b"{not json", "provider_bad_answer"),
    (b'{"choices":[{"index":0,"delta":{"content":"\xff"}}]}', "provider_bad_answer"),
    (b'{"choices":[{"index":0,"delta":{"content":"a","x":1e999}}], "id":"\xff"}', "provider_bad_answer"),
    (b"[" * 50_000, "provider_bad_answer"),
    (b'"text"', "provider_bad_answer"),
    (b"null", "provider_bad_answer"),
    (b'{"x":1}', "provider_bad_answer"),
]  # fmt: skip


@every_dialect
@pytest.mark.parametrize("place", ["first", "later"])
@pytest.mark.parametrize(("event", "code"), IN_STREAM, ids=range(len(IN_STREAM)))
def test_error_events(scripted, upstream, dialect, place, event, code):
    first = [CHUNK] if place == "later" else []
    upstream.answer = stream(*first, event)
    before = len(scripted.spool.records)
    reply = post(scripted, dialect, user("x", stream=True))
    assert b"[DONE]" not in reply.body
    for word in (b"rrear", b"alance", b"verdue", b"quota", b"api key", b"sk-", b"rate limit"):
        assert word not in reply.body
    records = scripted.spool.records[before:]
    if place == "later":
        assert reply.status == 200
        assert reply.error["code"] == code
        assert [r.status for r in records] == [UsageStatus.UPSTREAM_BROKE]
    else:
        assert reply.status >= 400
        assert dialect == "llmage" or reply.error["code"] == code
        assert records == []


NOT_ANSWERS = {
    "bad utf-8": b'{"choices":[{"message":{"content":"\xff"}}]}',
    "bad utf-8 beside": b'{"x":"\xff","choices":[{"message":{"content":"a"}}]}',
    "beyond numbers": b'{"x":1e999,"choices":[{"message":{"content":"a"}}]}',
    "no choices": b'{"id":"c"}',
    "empty choices": b'{"choices":[]}',
    "no message": b'{"choices":[{"index":0}]}',
    "null message": b'{"choices":[{"message":null}]}',
    "deep": b'{"choices":' + b"[" * 50_000,
    "text": b"hello",
    "empty": b"",
    "null": b"null",
}


@every_dialect
@pytest.mark.parametrize("ends", ["length", "close"])
@pytest.mark.parametrize("name", sorted(NOT_ANSWERS))
def test_what_is_no_answer(scripted, upstream, dialect, ends, name):
    body = NOT_ANSWERS[name]
    upstream.answer = plain(body) if ends == "length" else b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + body
    upstream.closes = ends == "close"
    before = len(scripted.spool.records)
    try:
        reply = post(scripted, dialect, user("x"))
    finally:
        upstream.closes = False
    if dialect == "openai" and "beside" in name + " beside" and name in {"bad utf-8 beside", "beyond numbers"}:
        assert reply.status in {200, 502}  # fields that nobody reads pass as they are
        return
    assert reply.status == 502
    assert dialect == "llmage" or reply.error["code"] == "provider_bad_answer"
    assert scripted.spool.records[before:] == []


@every_dialect
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("ends", [True, False])
def test_whole_without_done_means_that_every_choice_has_ended(scripted, upstream, dialect, n, ends):
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    finish = {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}
    upstream.answer, upstream.closes = stream(finish, ends=ends), True
    before = len(scripted.spool.records)
    try:
        reply = post(scripted, dialect, user("x", stream=True, n=n))
    finally:
        upstream.closes = False
    (record,) = scripted.spool.records[before:]
    assert reply.is_done == (n == 1)
    assert record.status is (UsageStatus.COMPLETED if n == 1 else UsageStatus.UPSTREAM_BROKE)
    assert not record.is_estimated
