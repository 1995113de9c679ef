"""Every magic word of the sandbox, in both dialects, streamed and plain: what the client is told and what it pays."""

import time

import pytest
from tests.support.bills import expect_books, expect_own_count, price, wait_for_entry
from tests.support.chat import post, user
from tests.support.gateway import FakeBank, GatewayServer, channel
from tests.support.sandbox import Sandbox, flavour_directory, offer_id, shipped_providers

from yuanjing.domain.money import NANOS_PER_YUAN, parse_amount
from yuanjing.domain.usage import Meter, UsageStatus
from yuanjing.gateway.options import GatewayOptions
from yuanjing.sandbox.faults import Fault

MODEL = "m-dashscope"
WHOLE, GUESSED, BROKEN, REFUSED = "whole", "guessed", "broken", "refused"
OPTIONS = GatewayOptions(tick_seconds=0.02, first_byte_seconds=0.8, idle_seconds=0.8, plain_answer_seconds=0.8)

UNAVAILABLE = (503, "provider_unavailable")
BAD_ANSWER = (502, "provider_bad_answer")
TIMEOUT = (504, "provider_timeout")
POLICY = (400, "content_policy_violation")
TOO_LONG = (400, "context_length_exceeded")

# word: (streamed, plain); a refusal and a break say with which error
WORDS = {
    "401": ((REFUSED, UNAVAILABLE), (REFUSED, UNAVAILABLE)),
    "402": ((REFUSED, UNAVAILABLE), (REFUSED, UNAVAILABLE)),
    "no-money": ((REFUSED, UNAVAILABLE), (REFUSED, UNAVAILABLE)),
    "429": ((REFUSED, UNAVAILABLE), (REFUSED, UNAVAILABLE)),
    "500": ((REFUSED, UNAVAILABLE), (REFUSED, UNAVAILABLE)),
    "503": ((REFUSED, UNAVAILABLE), (REFUSED, UNAVAILABLE)),
    "too-long": ((REFUSED, TOO_LONG), (REFUSED, TOO_LONG)),
    "slow-first-byte=0.1": ((WHOLE, None), (WHOLE, None)),
    "slow-first-byte=3": ((REFUSED, TIMEOUT), (REFUSED, TIMEOUT)),
    "stall=3": ((BROKEN, TIMEOUT), (REFUSED, TIMEOUT)),
    "drop": ((BROKEN, UNAVAILABLE), (REFUSED, UNAVAILABLE)),
    "malformed": ((BROKEN, BAD_ANSWER), (REFUSED, BAD_ANSWER)),
    "error-first": ((REFUSED, POLICY), (REFUSED, POLICY)),
    "error-mid": ((BROKEN, POLICY), (REFUSED, POLICY)),
    "no-usage": ((GUESSED, None), (GUESSED, None)),
    "no-done": ((WHOLE, None), (WHOLE, None)),
    "huge-chunk=300000": ((WHOLE, None), (WHOLE, None)),
    "huge-chunk=2000000": ((BROKEN, BAD_ANSWER), (WHOLE, None)),
    "not-json": ((REFUSED, BAD_ANSWER), (REFUSED, BAD_ANSWER)),
    "truncated-length": ((WHOLE, None), (REFUSED, UNAVAILABLE)),
    "gzip": ((REFUSED, BAD_ANSWER), (REFUSED, BAD_ANSWER)),
    "usage-negative": ((GUESSED, None), (GUESSED, None)),
    "usage-huge": ((GUESSED, None), (GUESSED, None)),
    "usage-twice": ((WHOLE, None), (WHOLE, None)),
    "done-twice": ((WHOLE, None), (WHOLE, None)),
    "crlf": ((WHOLE, None), (WHOLE, None)),
    "split-utf8": ((WHOLE, None), (WHOLE, None)),
    "bom": ((WHOLE, None), (WHOLE, None)),
    "multi-data": ((WHOLE, None), (WHOLE, None)),
    "tokens=40": ((WHOLE, None), (WHOLE, None)),
}
CASES = [(word, mode, *WORDS[word][mode == "plain"]) for word in WORDS for mode in ("stream", "plain")]


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        yield box


@pytest.fixture(scope="module")
def server(box):
    with GatewayServer(flavour_directory(box), options=OPTIONS) as server:
        yield server


def test_every_word_is_here():
    assert {word.partition("=")[0] for word in WORDS} == {fault.value for fault in Fault} | {"tokens"}


@pytest.mark.parametrize("dialect", ["openai", "llmage"])
@pytest.mark.parametrize("case", CASES, ids=[f"{w}-{m}" for w, m, _, _ in CASES])
def test_a_word(box, server, dialect, case):
    word, mode, outcome, error = case
    fields = {"stream": True, "stream_options": {"include_usage": True}} if mode == "stream" else {}
    before = len(server.spool.records)
    text = f"请说 sandbox:tokens=40 sandbox:{word}"
    reply = post(server, dialect, user(text, model=MODEL, **fields))
    records = server.spool.records[before:]
    assert reply.is_whole
    if outcome == REFUSED:
        expect_refusal(reply, dialect, error)
        assert records == []
    else:
        (record,) = records
        assert reply.status == 200
        assert record.id == reply.headers["x-yuanjing-usage-id"]
        assert reply.headers["x-request-id"] == record.request_id == f"req_{record.id}"
        assert record.is_stream == (mode == "stream")
        assert record.charge_nanos == -(-price(record.meters) // 1) <= record.ceiling_nanos
        if outcome == BROKEN:
            expect_break(reply, record, error, text)
        else:
            expect_whole(box, reply, record, outcome, (mode, text))
            ids = [c["llmusageid"] for c in (reply.chunks if mode == "stream" else [reply.json]) if "llmusageid" in c]
            assert set(ids) == ({record.id} if dialect == "llmage" else set())
    expect_books(server)


def expect_refusal(reply, dialect, error):
    status, code = error
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json"
    assert b"DONE" not in reply.body
    if dialect == "openai":
        assert reply.error["code"] == code
        assert reply.error["message"]
    else:
        assert isinstance(reply.error, str)
    lowered = reply.body.lower()
    for word in (b"arrear", b"api key", b"quota", b"overdue", b"balance", b"sandbox"):
        assert word not in lowered or status == 400


def expect_break(reply, record, error, prompt):
    assert not reply.is_done
    assert b"[DONE]" not in reply.body
    assert reply.error["code"] == error[1]
    assert reply.error["message"]
    assert b'"error"' in reply.events[-1]
    assert record.status is UsageStatus.UPSTREAM_BROKE
    expect_own_count(record, prompt, "".join(
        c["choices"][0]["delta"].get("content") or "" for c in reply.chunks if c.get("choices")))  # fmt: skip


def expect_whole(box, reply, record, outcome, asked):
    mode, prompt = asked
    if mode == "stream":
        assert reply.is_done
    assert record.status is UsageStatus.COMPLETED
    usage = reply.usage
    assert parse_amount(usage["cost"]) == record.charge_nanos
    assert usage["currency"] == "CNY"
    assert usage["prompt_tokens"] == record.meters[Meter.INPUT_TOKENS]
    assert usage["completion_tokens"] == record.meters[Meter.OUTPUT_TOKENS]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    if outcome == GUESSED:
        assert usage["estimated"] is True
        expect_own_count(record, prompt, reply.text)
        return
    assert "estimated" not in usage
    assert not record.is_estimated
    entry = wait_for_entry(box)
    assert entry["model"] == MODEL
    assert record.meters[Meter.INPUT_TOKENS] == entry["prompt_tokens"]
    assert record.meters[Meter.OUTPUT_TOKENS] == entry["completion_tokens"] == entry["sent_tokens"] == 40
    assert record.meters[Meter.CACHE_READ_TOKENS] == entry["cached_tokens"]


# the next channel


def failing(box, word):
    """The directory with a channel before the good one whose credential asks for a fault."""
    directory = flavour_directory(box)
    url = box.url + shipped_providers()["dashscope"].sandbox_path
    first = channel(
        url, id="ch_first", name="first", provider_id="dashscope", credential=f"sandbox-key-fail-{word}", priority=-1
    )
    directory.channels.append(first)
    return directory


RETRIED = ["401", "402", "no-money", "429", "500", "503", "not-json", "gzip"]
RETRIED_STREAM = ["slow-first-byte=3"]
RETRIED_PLAIN = ["drop", "malformed", "truncated-length"]


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        *((word, mode) for word in RETRIED for mode in ("stream", "plain")),
        *((word, "stream") for word in RETRIED_STREAM),
        *((word, "plain") for word in RETRIED_PLAIN),
    ],
    ids=lambda value: value,
)
def test_the_next_channel_answers(box, word, mode):
    box.clear()
    with GatewayServer(failing(box, word), options=OPTIONS) as server:
        for dialect in ("openai", "llmage"):
            reply = post(server, dialect, user("hi", model=MODEL, stream=mode == "stream"))
            assert reply.status == 200
            assert reply.text
            assert mode == "plain" or reply.is_done
        records = server.spool.records
        assert [(r.channel_id, r.attempts, r.is_estimated) for r in records] == [("ch_dashscope", 2, False)] * 2
        states = server.gateway.directory.channels
        assert (states["ch_first"].health.failures, states["ch_dashscope"].health.failures) == (2, 0)
        assert (states["ch_first"].in_flight, states["ch_dashscope"].in_flight) == (0, 0)
    tails = {entry["credential"] for entry in box.journal()}
    assert len(tails) == 2


@pytest.mark.parametrize("word", ["drop", "stall=3", "malformed", "error-mid"])
def test_not_after_the_first_byte(box, word):
    with GatewayServer(failing(box, word), options=OPTIONS) as server:
        reply = post(server, "openai", user("hi sandbox:tokens=40", model=MODEL, stream=True))
        assert reply.status == 200
        assert b"[DONE]" not in reply.body
        (record,) = server.spool.records
        assert (record.channel_id, record.attempts) == ("ch_first", 1)
        assert server.gateway.directory.channels["ch_dashscope"].attempts == 0


def test_a_refusal_of_the_request_itself_is_not_tried_again(box):
    with GatewayServer(failing(box, "error-first"), options=OPTIONS) as server:
        reply = post(server, "openai", user("hi", model=MODEL))
        assert (reply.status, reply.error["code"]) == POLICY
        assert server.gateway.directory.channels["ch_dashscope"].attempts == 0
        assert server.spool.records == []


def test_all_channels_fail(box):
    bank = FakeBank()
    directory = failing(box, "500")
    directory.channels = [
        c if c.id == "ch_first" else channel(c.base_url, id=c.id, provider_id=c.provider_id, credential="wrong")
        for c in directory.channels
    ]
    with GatewayServer(directory, options=OPTIONS, bank=bank) as server:
        reply = post(server, "openai", user("hi", model=MODEL))
        assert reply.status == 503
        assert reply.error == {
            "message": "The provider is temporarily unavailable; try again in a moment",
            "type": "api_error",
            "param": None,
            "code": "provider_unavailable",
        }
        assert server.spool.records == []
        expect_books(server)
    assert bank.granted == bank.returned
    assert bank.balance["cus_1"] == 100 * NANOS_PER_YUAN


def test_no_more_channels_than_allowed(box):
    directory = failing(box, "503")
    url = directory.channels[-1].base_url
    directory.channels = [
        channel(url, id=f"ch_{i}", provider_id="dashscope", credential="sandbox-key-fail-503", priority=i)
        for i in range(6)
    ]
    box.clear()
    with GatewayServer(directory, options=OPTIONS) as server:
        assert post(server, "openai", user("hi", model=MODEL)).status == 503
    assert len(box.journal()) == 1 + OPTIONS.retries_max


@pytest.mark.parametrize("word", ["429", "401", "slow-first-byte=3"])
def test_a_failure_shows_the_wait_that_the_provider_asked_for(server, word):
    reply = post(server, "openai", user(f"sandbox:{word}", model=MODEL))
    if word == "slow-first-byte=3":
        assert "retry-after" not in reply.headers
    else:
        assert reply.headers["retry-after"] == "1"
    assert "x-should-retry" not in reply.headers


def test_the_record_tells_the_whole_story(box, server):
    before = len(server.spool.records)
    post(server, "openai", user("hi sandbox:tokens=3", model=MODEL))
    record = server.spool.records[before]
    entry = wait_for_entry(box)
    assert record.offer_id == offer_id("dashscope")
    assert (record.model, record.upstream_model) == (MODEL, MODEL)
    assert (record.operation, record.channel_id) == ("chat", "ch_dashscope")
    assert record.hold_id in server.bank.holds
    assert record.price_id == f"price_{record.offer_id}"
    assert abs(record.started_at - time.time()) < 10  # noqa: TID251  # the record carries the wall clock
    assert 0 <= record.first_byte_ms <= record.duration_ms < 5000
    assert record.upstream_request_id == entry["request_id"]
