"""The seed's printed samples as snapshots: what a DashScope stream becomes, byte for byte."""

import json
import re
from pathlib import Path

import pytest
from tests.support.chat import ScriptedUpstream, plain, post, sse
from tests.support.gateway import FakeBank, FakeDirectory, GatewayServer, channel

from yuanjing.domain.money import format_amount

SAMPLES = Path(__file__).parent / "samples"
STREAM = (SAMPLES / "seed_stream.txt").read_bytes()
PLAIN = (SAMPLES / "seed_plain.json").read_bytes()
USAGE_ID = re.compile(rb'"llmusageid": "([A-Za-z0-9_-]{21})"')
PRINTED_ID = b'"llmusageid": "K9_veNBxeqvrFfbGWXs0R"'
COST = format_amount((10 * 3_200_000_000 + 60 * 12_800_000_000) // 10**6).encode()
ADDED = b', "cost": "' + COST + b'", "currency": "CNY"}'


def dashscope_event(printed: dict) -> bytes:
    """The event of DashScope's documented stream from which a printed line came: six fields fewer, its nulls back."""
    choices = [
        {
            "delta": {"content": c["delta"]["content"]} | ({"role": "assistant"} if c["delta"]["role"] else {}),
            "index": 0,
            "logprobs": None,
            "finish_reason": c.get("finish_reason"),
        }
        for c in printed["choices"]
    ]
    usage = printed.get("usage")
    if usage:
        names = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details")
        usage = {name: usage[name] for name in names}
    event = {
        "choices": choices,
        "object": "chat.completion.chunk",
        "usage": usage,
        "created": printed["created"],
        "system_fingerprint": None,
        "model": printed["model"],
        "id": printed["id"],
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def dashscope_stream() -> bytes:
    events = [dashscope_event(json.loads(line[6:])) for line in STREAM.splitlines() if line != b"data: [DONE]"]
    return b"".join(b"data: " + event + b"\n\n" for event in [*events, b"[DONE]"])


@pytest.fixture
def upstream():
    with ScriptedUpstream(b"") as upstream:
        yield upstream


@pytest.fixture
def server(upstream):
    with GatewayServer(FakeDirectory([channel(upstream.url)])) as server:
        yield server


def expected_stream(usage_id: bytes) -> bytes:
    lines = STREAM.replace(PRINTED_ID, b'"llmusageid": "' + usage_id + b'"').splitlines()
    lines[-2] = lines[-2].replace(b'{"cached_tokens": 0}}', b'{"cached_tokens": 0}' + ADDED)
    return b"".join(line + b"\n\n" for line in lines)


def test_the_stream_is_the_printed_one(server, upstream):
    upstream.answer = sse(dashscope_stream())
    reply = post(server, "llmage", {"model": "qwen3-max", "prompt": "你是谁", "stream": True})
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    ids = set(USAGE_ID.findall(reply.body))
    assert len(ids) == 1
    assert reply.body == expected_stream(ids.pop())
    assert upstream.seen[0].json["messages"] == [{"role": "user", "content": "你是谁"}]


def test_a_stream_cut_at_every_byte_stays_the_printed_one(server, upstream):
    body = dashscope_stream()
    pieces = b"".join(b"1\r\n" + body[i : i + 1] + b"\r\n" for i in range(len(body))) + b"0\r\n\r\n"
    upstream.answer = sse(b"", ends=False)[: -len(b"0\r\n\r\n")] + pieces
    reply = post(server, "llmage", {"model": "qwen3-max", "prompt": "你是谁", "stream": "Y"})
    assert reply.body == expected_stream(USAGE_ID.findall(reply.body)[0])


def test_the_plain_answer_is_the_printed_one(server, upstream):
    printed = json.loads(PLAIN)
    answer = {
        "choices": [
            {
                "message": {"role": "assistant", "content": printed["content"]},
                "finish_reason": "stop",
                "index": 0,
                "logprobs": None,
            }
        ],
        "object": "chat.completion",
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 60,
            "total_tokens": 70,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
        "created": printed["created"],
        "system_fingerprint": None,
        "model": "qwen3-max",
        "id": printed["id"],
    }
    upstream.answer = plain(json.dumps(answer, ensure_ascii=False).encode())
    reply = post(server, "llmage", {"model": "qwen3-max", "prompt": "你是谁"})
    usage_id = USAGE_ID.findall(reply.body)[0]
    assert PLAIN.endswith(b'"total_tokens": 70}}')
    expected = PLAIN[:-2] + ADDED + b', "llmusageid": "' + usage_id + b'"}'
    assert reply.body == expected
    assert "我是通义千问".encode() in reply.body


ERRORS = [
    ({"model": "qwen3-max", "prompt": "x"}, {"key": None}, 401, b'{"error": "Invalid API Key"}'),
    ({"model": "qwen3-max"}, {}, 400, b'{"error": "Missing required parameter: prompt"}'),
    ({"model": "qwen3-max", "prompt": ""}, {}, 400, b'{"error": "Missing required parameter: prompt"}'),
    ({"prompt": "x"}, {}, 400, b'{"error": "Missing required parameter: model"}'),
    ({"model": "qwen3-max", "prompt": "x", "n": 0}, {}, 400, b'{"error": "Invalid parameter: n"}'),
    ({"model": "qwen3-max", "prompt": "x", "n": "2"}, {}, 400, b'{"error": "Invalid parameter: n"}'),
    ({"model": "qwen3-max", "prompt": "x", "n": 9}, {}, 400, b'{"error": "Invalid parameter: n"}'),
    ({"model": "qwen3-max", "prompt": "x", "max_tokens": -1}, {}, 400, b'{"error": "Invalid parameter: max_tokens"}'),
    ({"model": "qwen3-max", "prompt": "x", "stream": "perhaps"}, {}, 400, b'{"error": "Invalid parameter: stream"}'),
    ({"model": "qwen3-max", "prompt": 7}, {}, 400, b'{"error": "Invalid parameter: prompt"}'),
    ({"model": "qwen3-max", "messages": "hello"}, {}, 400, b'{"error": "Invalid parameter: messages"}'),
    ({"model": "qwen3-max", "messages": []}, {}, 400, b'{"error": "Invalid parameter: messages"}'),
]


@pytest.mark.parametrize(("body", "how", "status", "text"), ERRORS)
def test_errors_are_the_printed_ones(server, body, how, status, text):
    reply = post(server, "llmage", body, **how)
    assert (reply.status, reply.body) == (status, text)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"].startswith("req_")
    assert server.bank.calls == 0
    assert server.gateway.purses.count == 0


def test_no_money_is_the_printed_one(upstream):
    bank = FakeBank(balance={"cus_1": 1000})
    with GatewayServer(FakeDirectory([channel(upstream.url)]), bank=bank) as server:
        reply = post(server, "llmage", {"model": "qwen3-max", "prompt": "x"})
    assert (reply.status, reply.body) == (429, b'{"error": "Insufficient balance"}')
    assert reply.headers["x-should-retry"] == "false"
    assert "retry-after" not in reply.headers
    assert not upstream.seen


def test_provider_trouble_has_the_mapped_text(server, upstream):
    body = {"error": {"code": "Arrearage", "message": "Access denied, account is in arrears", "type": "Arrearage"}}
    upstream.answer = plain(body, 400)
    reply = post(server, "llmage", {"model": "qwen3-max", "prompt": "x"})
    assert (reply.status, reply.body) == (503, b'{"error": "Provider temporarily unavailable"}')
    assert reply.headers["retry-after"] == "1"
    assert server.spool.records == []


def test_reasoning_goes_to_the_top_and_stays_in_the_delta(server, upstream):
    def event(delta: dict, finish: str | None = None) -> bytes:
        choice = {"delta": delta, "index": 0, "logprobs": None, "finish_reason": finish}
        return json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "qwen3-max",
                           "choices": [choice], "usage": None, "system_fingerprint": None}).encode()  # fmt: skip

    events = [
        event({"content": None, "role": "assistant", "reasoning_content": ""}),
        event({"content": None, "reasoning_content": "想"}),
        event({"content": "好", "reasoning_content": None}),
        event({"content": "", "reasoning_content": None}, "stop"),
    ]
    upstream.answer = sse(b"".join(b"data: " + e + b"\n\n" for e in [*events, b"[DONE]"]))
    reply = post(server, "llmage", {"model": "qwen3-max", "prompt": "x", "stream": 1})
    tail = b', "finish": "0", "llmusageid": "' + USAGE_ID.findall(reply.body)[0] + b'"}'
    head = b'{"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": '
    assert reply.events[:4] == [
        head + b'[{"logprobs": null, "index": 0, "delta": {"content": "", "role": "assistant", '
        b'"reasoning_content": ""}}], "model": "qwen3-max", "reasoning_content": "", "content": ""' + tail,
        head + b'[{"delta": {"content": "", "role": null, "reasoning_content": "\\u60f3"}, "index": 0}], '
        b'"model": "qwen3-max", "reasoning_content": "\\u60f3", "content": ""' + tail,
        head + b'[{"delta": {"content": "\\u597d", "role": null}, "index": 0}], "model": "qwen3-max", '
        b'"reasoning_content": null, "content": "\\u597d"' + tail,
        head + b'[{"delta": {"content": "", "role": null}, "index": 0, "finish_reason": "stop"}], '
        b'"model": "qwen3-max", "reasoning_content": null, "content": ""' + tail,
    ]
    assert reply.is_done


def test_a_break_in_a_stream_is_an_error_event_without_done(server, upstream):
    first = dashscope_stream().split(b"\n\n")[1]
    error = b'data: {"error":{"code":"data_inspection_failed","param":null,"message":"Output data may contain \xe4\xb8\x8d","type":"data_inspection_failed"},"id":"c","request_id":"r"}'  # noqa: E501  # the documented event
    upstream.answer = sse(first + b"\n\n" + error + b"\n\n")
    reply = post(server, "llmage", {"model": "qwen3-max", "prompt": "x", "stream": True})
    assert reply.events[1] == (
        b'{"error": {"message": "The provider\'s content policy refused this content; change the request", '
        b'"type": "invalid_request_error", '
        b'"param": null, "code": "content_policy_violation"}}'
    )
    assert len(reply.events) == 2
    assert reply.is_whole
    assert not reply.is_done


def test_a_plain_answer_s_texts_are_escaped_as_json_escapes_them(server, upstream):
    texts = ["".join(map(chr, range(0x2030))) + '\\" </script> 😀', "the second, \x7f"]
    answer = {
        "id": "chatcmpl-\\1",
        "object": "chat.completion",
        "created": 1,
        "model": "qwen3-max",
        "choices": [
            {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": None}
            for i, text in enumerate(texts)
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 60, "total_tokens": 70},
    }
    upstream.answer = plain(json.dumps(answer).encode())
    reply = post(server, "llmage", {"model": "qwen3-max", "prompt": "x", "n": 2})
    assert reply.body == json.dumps(json.loads(reply.body), ensure_ascii=False).encode()
    told = json.loads(reply.body)
    assert told["content"] == texts[0]
    assert [choice["message"]["content"] for choice in told["choices"]] == texts
    assert (told["id"], told["choices"][1]["finish_reason"]) == ("chatcmpl-\\1", None)
