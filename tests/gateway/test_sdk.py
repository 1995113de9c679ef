"""The official SDK on both base addresses: streams, tools, errors as its exceptions, and its retries."""

import threading
import time
from types import SimpleNamespace

import openai
import pytest
from tests.support.chat import ANSWER, ScriptedUpstream, plain
from tests.support.gateway import (
    KEY,
    LIMITS,
    OTHER_KEY,
    FakeBank,
    FakeDirectory,
    GatewayServer,
    api_key,
    channel,
)
from tests.support.sandbox import Sandbox, flavour_directory

from yuanjing.domain.identity import KeyLimits
from yuanjing.domain.money import parse_amount

BASES = ("/v1", "/llmage/v1")
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"what": {"type": "string"}}}},
}


@pytest.fixture(scope="module")
def server():
    with Sandbox() as box:
        directory = flavour_directory(box)
        directory.keys.append(api_key(OTHER_KEY, customer_id="cus_poor"))
        with GatewayServer(directory) as server:
            yield server
            assert server.loop_errors == []


@pytest.fixture(params=BASES)
def sdk(server, request):
    with client(server, request.param) as made:
        yield made


def client(server, base="/v1", key=KEY, **options):
    return openai.OpenAI(base_url=server.url + base, api_key=key, **({"max_retries": 0, "timeout": 10} | options))


def create(made, text="hi", model="m-dashscope", **fields):
    return made.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **fields)


def is_seed(made):
    return "llmage" in str(made.base_url)


def requests_at(server):
    counters = server.gateway.counters
    return sum(counters.requests.values()) + counters.answered_openai + counters.answered_llmage


def test_plain(sdk, server):
    before = len(server.spool.records)
    answer = create(sdk, "hi sandbox:tokens=40")
    (record,) = server.spool.records[before:]
    assert answer.choices[0].message.content
    assert answer.usage.completion_tokens == 40
    assert parse_amount(answer.usage.model_extra["cost"]) == record.charge_nanos
    assert answer.usage.model_extra["currency"] == "CNY"
    assert answer._request_id == record.request_id
    if is_seed(sdk):
        assert answer.model_extra["llmusageid"] == record.id
        assert answer.model_extra["content"] == answer.choices[0].message.content
        assert answer.model_extra["finish"] == "1"


def test_stream(sdk, server):
    whole = create(sdk, "stream me")
    before = len(server.spool.records)
    chunks = list(create(sdk, "stream me", stream=True, stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    usage = chunks[-1].usage
    assert usage.completion_tokens == whole.usage.completion_tokens
    assert parse_amount(usage.model_extra["cost"]) == server.spool.records[before].charge_nanos


def test_a_stream_without_usage(sdk):
    chunks = list(create(sdk, stream=True))
    assert (chunks[-1].usage is not None) == is_seed(sdk)
    assert all(c.usage is None for c in chunks[:-1])


def test_tools_in_a_conversation(sdk):
    answer = create(sdk, "look_up the weather", tools=[TOOL])
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.name == "look_up"
    chunks = list(create(sdk, "look_up the weather", tools=[TOOL], stream=True))
    pieces = [p for c in chunks if c.choices for p in c.choices[0].delta.tool_calls or []]
    assert "".join(p.function.arguments or "" for p in pieces) == call.function.arguments
    assert pieces[0].id
    messages = [
        {"role": "user", "content": "look_up the weather"},
        answer.choices[0].message.model_dump(exclude_none=True, exclude={"annotations", "audio"}),
        {"role": "tool", "tool_call_id": call.id, "content": "rain at 17"},
    ]
    told = sdk.chat.completions.create(model="m-dashscope", messages=messages, tools=[TOOL])
    assert "rain at 17" in told.choices[0].message.content


def test_a_streamed_answer_by_the_sdk_s_helper(sdk):
    with sdk.chat.completions.stream(
        model="m-openai", messages=[{"role": "user", "content": "look_up it"}], tools=[TOOL]
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.name == "look_up"


def test_choices_images_and_json(sdk):
    assert [c.index for c in create(sdk, n=2).choices] == [0, 1]
    content = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    assert create(sdk, content).choices[0].message.content
    answer = create(sdk, "give me json", response_format={"type": "json_object"})
    assert answer.choices[0].message.content.startswith("{")
    logprobs = create(sdk, "hi sandbox:tokens=3", logprobs=True, top_logprobs=2).choices[0].logprobs
    assert len(logprobs.content) == 3


# errors

ERRORS = [
    ({"n": 0}, openai.BadRequestError, "n", "invalid_parameter"),
    ({"temperature": "hot"}, openai.BadRequestError, "temperature", "invalid_request"),
    ({"model": "nobody"}, openai.NotFoundError, "nobody", "model_not_found"),
    ({"text": "sandbox:no-money"}, openai.InternalServerError, "temporarily unavailable", "provider_unavailable"),
    ({"text": "sandbox:401"}, openai.InternalServerError, "temporarily unavailable", "provider_unavailable"),
    ({"text": "sandbox:503"}, openai.InternalServerError, "temporarily unavailable", "provider_unavailable"),
    ({"text": "sandbox:not-json"}, openai.InternalServerError, "valid", "provider_bad_answer"),
    ({"text": "sandbox:error-first"}, openai.BadRequestError, "", "content_policy_violation"),
]


@pytest.mark.parametrize(("fields", "kind", "text", "code"), ERRORS, ids=range(len(ERRORS)))
def test_errors_are_the_right_exceptions(sdk, fields, kind, text, code):
    with pytest.raises(kind) as caught:
        create(sdk, **fields)
    assert caught.value.request_id.startswith("req_")
    if is_seed(sdk):
        assert isinstance(caught.value.response.json()["error"], str)
        assert text in caught.value.response.text
    else:
        assert caught.value.code == code
        assert text in caught.value.message
        assert caught.value.type


def test_a_wrong_key(server):
    for base in BASES:
        with client(server, base, key="sk-wrong") as made, pytest.raises(openai.AuthenticationError) as caught:
            create(made)
        assert caught.value.response.status_code == 401
        if base == "/v1":
            assert caught.value.code == "invalid_api_key"
            assert "API key" in caught.value.message


def test_a_model_that_the_key_may_not_use():
    with ScriptedUpstream(b"") as upstream:
        keys = [api_key(limits=KeyLimits(models=("another",)))]
        directory = FakeDirectory([channel(upstream.url)], keys=keys)
        with (
            GatewayServer(directory) as server,
            client(server) as made,
            pytest.raises(openai.PermissionDeniedError) as caught,
        ):
            create(made, model="qwen3-max")
    assert caught.value.code == "model_not_allowed"


@pytest.mark.parametrize("word", ["error-mid", "drop", "malformed"])
def test_a_break_in_a_stream_raises_with_its_text(sdk, word):
    texts = {"error-mid": "inappropriate|filter|content", "drop": "unavailable", "malformed": "not valid"}
    stream = create(sdk, f"hi sandbox:tokens=40 sandbox:{word}", stream=True)
    seen = []
    with pytest.raises(openai.APIError, match=f"(?i){texts[word]}"):
        seen.extend(stream)
    assert seen


# retries


@pytest.mark.parametrize("base", BASES)
def test_no_money_is_tried_once(server, base):
    server.bank.balance.setdefault("cus_poor", 5)
    before = requests_at(server)
    with client(server, base, key=OTHER_KEY, max_retries=2) as made, pytest.raises(openai.RateLimitError) as caught:
        create(made)
    assert requests_at(server) == before + 1
    if base == "/v1":
        assert caught.value.code == "insufficient_quota"
        assert caught.value.type == "insufficient_quota"
        assert "Insufficient balance" in caught.value.message
    else:
        assert caught.value.response.text == '{"error": "Insufficient balance"}'


@pytest.mark.parametrize("fields", [{"n": 0}, {"model": "nobody"}], ids=["400", "404"])
def test_the_client_s_own_fault_is_tried_once(server, fields):
    before = requests_at(server)
    with client(server, max_retries=2) as made, pytest.raises(openai.APIStatusError):
        create(made, **fields)
    assert requests_at(server) == before + 1


def test_an_unavailable_provider_is_tried_again():
    failure = plain({"error": {"message": "busy"}}, 503)
    fine = plain({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
                  "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                  "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}}]})  # fmt: skip
    answers = iter([failure, fine])
    with (
        ScriptedUpstream(lambda _: next(answers)) as upstream,
        GatewayServer(FakeDirectory([channel(upstream.url)])) as server,
        client(server, max_retries=2) as made,
    ):
        assert create(made, model="qwen3-max").choices[0].message.content == "ok"
        assert len(upstream.seen) == 2
        assert len(server.spool.records) == 1
        assert requests_at(server) == 2


def test_too_many_requests_are_tried_again():
    fine = plain({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
                  "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                  "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}}]})  # fmt: skip
    with (
        ScriptedUpstream(fine, delay_seconds=0.3) as upstream,
        GatewayServer(
            FakeDirectory([channel(upstream.url)], keys=[api_key(limits=KeyLimits(concurrency=1))]), bank=FakeBank()
        ) as server,
        client(server, max_retries=2) as made,
    ):
        first = threading.Thread(target=create, args=(made,), kwargs={"model": "qwen3-max"})
        first.start()
        while not upstream.seen:
            threading.Event().wait(0.01)
        assert create(made, model="qwen3-max").choices[0].message.content == "ok"
        first.join()
        assert server.gateway.counters.refusals["rate_limit_exceeded"] == 1


def test_a_key_s_limit_a_minute_is_waited_for(monkeypatch):
    """The SDK sleeps as long as `Retry-After` says, if that is at most a minute; else it gives up within seconds."""
    waits = []
    monkeypatch.setattr(openai._base_client, "time", SimpleNamespace(sleep=waits.append, time=time.monotonic))
    with (
        ScriptedUpstream(ANSWER) as upstream,
        GatewayServer(
            FakeDirectory([channel(upstream.url)], keys=[api_key(limits=KeyLimits(requests_per_minute=1))])
        ) as server,
        client(server, max_retries=1) as made,
    ):
        create(made, model="qwen3-max")
        with pytest.raises(openai.RateLimitError, match="try again in"):
            create(made, model="qwen3-max")
        assert len(upstream.seen) == 1
    assert len(waits) == 1
    assert 30 <= waits[0] <= 60


# async


@pytest.mark.parametrize("base", BASES)
async def test_the_async_client(server, base):
    async with openai.AsyncOpenAI(base_url=server.url + base, api_key=KEY, max_retries=0) as made:
        answer = await create(made, "hi sandbox:tokens=20")
        assert answer.usage.completion_tokens == 20
        stream = await create(made, "hi sandbox:tokens=20", stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        assert chunks[-1].usage.completion_tokens == 20
        with pytest.raises(openai.BadRequestError):
            await create(made, n=LIMITS.choices_max + 1)
