"""A few magic words through every provider's way of writing: what the client is told, and the bill to the token."""

import pytest
from tests.support.bills import expect_books, expect_own_count, price, wait_for_entry
from tests.support.chat import post, user
from tests.support.gateway import GatewayServer
from tests.support.sandbox import FLAVOURS, Sandbox, flavour_directory

from yuanjing.domain.money import parse_amount
from yuanjing.domain.usage import Meter, UsageStatus

DIALECTS = ("openai", "llmage")
UNAVAILABLE = (503, "provider_unavailable")
POLICY = (400, "content_policy_violation")
TOO_LONG = (400, "context_length_exceeded")
TROUBLE = dict.fromkeys(("vllm", "ollama"), UNAVAILABLE)
"""Engines of one's own have no moderation: what stops them in the middle is their failure."""
HIDES_REASONING = {"openai"}
TELLS_REASONING_TOKENS = {"openai", "dashscope", "ark", "deepseek"}
TELLS_NO_CACHE = {"ollama"}


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        yield box


@pytest.fixture(scope="module")
def server(box):
    with GatewayServer(flavour_directory(box)) as server:
        yield server
        assert server.loop_errors == []


@pytest.fixture(params=FLAVOURS)
def flavour(request):
    return request.param


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


@pytest.fixture(params=["stream", "plain"])
def mode(request):
    return request.param


@pytest.fixture
def ask(server, flavour, dialect, mode):
    """Ask the flavour; the reply, the records that it made, and the text."""
    streamed = {"stream": True, "stream_options": {"include_usage": True}} if mode == "stream" else {}

    def one(word, **fields):
        before = len(server.spool.records)
        text = f"请说 sandbox:tokens=40 {word}"
        reply = post(server, dialect, user(text, model=f"m-{flavour}", **streamed, **fields))
        assert reply.is_whole
        expect_books(server)
        return reply, server.spool.records[before:], text

    return one


def expect_bill(box, reply, record):
    """Client, record and provider agree on every count, and the charge is the price of them."""
    assert reply.status == 200
    assert record.status is UsageStatus.COMPLETED
    assert not record.is_estimated
    entry = wait_for_entry(box)
    assert record.meters[Meter.INPUT_TOKENS] == entry["prompt_tokens"]
    assert record.meters[Meter.OUTPUT_TOKENS] == entry["completion_tokens"] == entry["sent_tokens"] == 40
    assert record.charge_nanos == -(-price(record.meters) // 1) <= record.ceiling_nanos
    usage = reply.usage
    assert parse_amount(usage["cost"]) == record.charge_nanos
    assert usage["currency"] == "CNY"
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (entry["prompt_tokens"], 40)
    assert "estimated" not in usage
    return entry


def part_of(reply, mode, field):
    """All text in a field of the first choice."""
    if mode == "plain":
        return reply.json["choices"][0]["message"].get(field) or ""
    deltas = [c["choices"][0]["delta"] for c in reply.chunks if c.get("choices")]
    return "".join(delta.get(field) or "" for delta in deltas)


def test_a_whole_answer(box, ask, mode):
    reply, (record,), _ = ask("")
    entry = expect_bill(box, reply, record)
    assert record.meters[Meter.CACHE_READ_TOKENS] == entry["cached_tokens"] == 0
    if mode == "stream":
        assert reply.is_done
        assert sum(1 for chunk in reply.chunks if chunk.get("usage")) == 1
        assert not any("usage" in choice for chunk in reply.chunks for choice in chunk["choices"])


def test_cached_input_costs_less(box, ask, flavour, dialect, mode):
    prefix = f"{flavour} {dialect} {mode} " + "word " * 400
    ask("", messages=[{"role": "user", "content": prefix}, {"role": "user", "content": "sandbox:tokens=40"}])
    messages = [{"role": "user", "content": prefix}, {"role": "user", "content": "again sandbox:tokens=40"}]
    reply, (record,), _ = ask("", messages=messages)
    entry = expect_bill(box, reply, record)
    assert entry["cached_tokens"] >= 384
    told = 0 if flavour in TELLS_NO_CACHE else entry["cached_tokens"]
    assert record.meters[Meter.CACHE_READ_TOKENS] == told


def test_reasoning(box, ask, flavour, mode):
    reply, (record,), _ = ask("", thinking={"type": "enabled"})
    entry = expect_bill(box, reply, record)
    assert entry["reasoning_tokens"] == 20
    told = 20 if flavour in TELLS_REASONING_TOKENS else 0
    assert record.meters[Meter.REASONING_TOKENS] == told
    assert bool(part_of(reply, mode, "reasoning_content")) == (flavour not in HIDES_REASONING)
    assert part_of(reply, mode, "content")
    assert b'"reasoning":' not in reply.body


def test_no_usage(ask, mode):
    reply, (record,), text = ask("sandbox:no-usage")
    assert reply.status == 200
    assert record.status is UsageStatus.COMPLETED
    expect_own_count(record, text, part_of(reply, mode, "content"))
    assert record.charge_nanos == -(-price(record.meters) // 1) <= record.ceiling_nanos
    assert reply.usage["estimated"] is True
    assert parse_amount(reply.usage["cost"]) == record.charge_nanos
    assert mode == "plain" or reply.is_done


@pytest.mark.parametrize("word", ["401", "402", "no-money", "429", "500", "503", "error-first", "too-long"])
def test_refusals_cost_nothing(ask, flavour, dialect, word):
    expected = {"error-first": TROUBLE.get(flavour, POLICY), "too-long": TOO_LONG}.get(word, UNAVAILABLE)
    reply, records, _ = ask(f"sandbox:{word}")
    assert records == []
    assert reply.status == expected[0]
    assert b"[DONE]" not in reply.body
    if dialect == "openai":
        assert reply.error["code"] == expected[1]
    else:
        assert isinstance(reply.error, str)


def test_an_error_in_the_middle(ask, flavour, mode):
    expected = TROUBLE.get(flavour, POLICY)
    reply, records, text = ask("sandbox:error-mid")
    assert b"[DONE]" not in reply.body
    if mode == "plain":
        assert (reply.status, records) == (expected[0], [])
        return
    (record,) = records
    assert reply.error["code"] == expected[1]
    assert record.status is UsageStatus.UPSTREAM_BROKE
    expect_own_count(record, text, part_of(reply, mode, "content"))
    assert record.charge_nanos == -(-price(record.meters) // 1) <= record.ceiling_nanos


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_longest_answer_is_kept_under_either_name(server, flavour, dialect, mode, name):
    before = len(server.spool.records)
    body = user("hi", model=f"m-{flavour}", stream=mode == "stream", **{name: 3})
    assert post(server, dialect, body).status == 200
    (record,) = server.spool.records[before:]
    assert record.meters[Meter.OUTPUT_TOKENS] <= 3 + record.meters.get(Meter.REASONING_TOKENS, 0)
    assert record.overrun_nanos == 0
