"""Answers of compatible providers in both dialects: their differences made normal, everything else untouched."""

import json

import pytest
from tests.support.chat import ScriptedUpstream, plain, post, sse, stream, user
from tests.support.gateway import FakeDirectory, GatewayServer, channel, provider
from tests.support.sandbox import FLAVOURS, Sandbox, flavour_directory

from yuanjing.domain.catalog import ChatLimits
from yuanjing.domain.usage import Meter, UsageStatus

DIALECTS = ("openai", "llmage")
MODES = ("stream", "plain")
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"what": {"type": "string"}}}},
}


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        yield box


@pytest.fixture(scope="module")
def server(box):
    limits = ChatLimits(context_tokens=262_144, output_tokens_max=8_192, reasoning_tokens_max=1000)
    with GatewayServer(flavour_directory(box, limits=limits)) as server:
        yield server
        assert server.loop_errors == []


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(b"") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def scripted(upstream):
    with GatewayServer(FakeDirectory([channel(upstream.url)])) as server:
        yield server
        assert server.loop_errors == []


def ask(server, flavour, dialect, mode, text="hi sandbox:tokens=40", **fields):
    if mode == "stream":
        fields |= {"stream": True, "stream_options": {"include_usage": True}}
    before = len(server.spool.records)
    reply = post(server, dialect, user(text, model=f"m-{flavour}", **fields))
    return reply, server.spool.records[before:]


every_flavour = pytest.mark.parametrize("flavour", FLAVOURS)
every_dialect = pytest.mark.parametrize("dialect", DIALECTS)
every_mode = pytest.mark.parametrize("mode", MODES)


@every_flavour
@every_dialect
@every_mode
def test_usage_is_found_everywhere(box, server, flavour, dialect, mode):
    reply, (record,) = ask(server, flavour, dialect, mode)
    assert reply.status == 200
    entry = box.journal()[0]
    assert entry["flavour"] == flavour
    assert not record.is_estimated
    assert record.meters[Meter.INPUT_TOKENS] == entry["prompt_tokens"]
    assert record.meters[Meter.OUTPUT_TOKENS] == entry["completion_tokens"] == 40
    assert reply.usage["completion_tokens"] == 40
    assert reply.usage["currency"] == "CNY"
    assert mode == "plain" or reply.is_done


@every_flavour
@every_mode
def test_cached_tokens_are_found_everywhere(box, server, flavour, mode):
    text = f"{flavour} {mode} " + "word " * 800 + "sandbox:tokens=3"
    ask(server, flavour, "openai", "plain", text)
    reply, (record,) = ask(server, flavour, "llmage", mode, text)
    entry = box.journal()[0]
    assert entry["cached_tokens"] > 256
    # Ollama does not tell how much came from a cache.
    assert record.meters[Meter.CACHE_READ_TOKENS] == (0 if flavour == "ollama" else entry["cached_tokens"])
    assert reply.usage["prompt_tokens_details"]["cached_tokens"] == record.meters[Meter.CACHE_READ_TOKENS]
    tokens = record.meters
    cached = tokens[Meter.CACHE_READ_TOKENS]
    micro = (tokens[Meter.INPUT_TOKENS] - cached) * 3200 + cached * 640 + tokens[Meter.OUTPUT_TOKENS] * 12800
    assert record.charge_nanos == micro


@every_flavour
@every_dialect
@every_mode
def test_reasoning_has_one_name(box, server, flavour, dialect, mode):
    reply, (record,) = ask(server, flavour, dialect, mode, enable_thinking=True, reasoning_effort="high")
    assert reply.status == 200
    parts = (
        [c["choices"][0]["delta"] for c in reply.chunks if c.get("choices")]
        if mode == "stream"
        else [reply.json["choices"][0]["message"]]
    )
    reasoning = "".join(part.get("reasoning_content") or "" for part in parts)
    assert not any("reasoning" in part for part in parts)
    assert bool(reasoning) == (flavour != "openai")
    entry = box.journal()[0]
    if entry["reasoning_tokens"]:
        assert record.meters[Meter.REASONING_TOKENS] in {entry["reasoning_tokens"], 0}
    if dialect == "llmage":
        top = [c.get("reasoning_content") for c in (reply.chunks if mode == "stream" else [reply.json])]
        assert "".join(text or "" for text in top) == reasoning
    assert reply.text


@every_flavour
def test_roles_of_the_seed_dialect(server, flavour):
    reply, _ = ask(server, flavour, "llmage", "stream")
    roles = [c["choices"][0]["delta"]["role"] for c in reply.chunks if c["choices"]]
    assert roles == ["assistant"] + [None] * (len(roles) - 1)
    finishes = [c["choices"][0].get("finish_reason") for c in reply.chunks if c["choices"]]
    assert finishes[-1] == "length" if finishes[-1] != "stop" else True
    assert not any(finishes[:-1])
    assert {c["finish"] for c in reply.chunks[:-1]} == {"0"}
    assert reply.chunks[-1]["finish"] == "1"
    assert reply.chunks[-1]["choices"] == []
    assert len({c["id"] for c in reply.chunks}) == 1
    assert {c["model"] for c in reply.chunks} == {f"m-{flavour}"}


@every_flavour
@every_dialect
@every_mode
def test_tools_come_through(server, flavour, dialect, mode):
    reply, (record,) = ask(server, flavour, dialect, mode, "look_up the weather", tools=[TOOL])
    if mode == "stream":
        deltas = [c["choices"][0]["delta"] for c in reply.chunks if c.get("choices")]
        pieces = [piece for delta in deltas for piece in delta.get("tool_calls") or []]
        name = pieces[0]["function"]["name"]
        arguments = "".join(piece["function"].get("arguments") or "" for piece in pieces)
    else:
        (call,) = reply.json["choices"][0]["message"]["tool_calls"]
        name, arguments = call["function"]["name"], call["function"]["arguments"]
    assert name == "look_up"
    assert json.loads(arguments)["what"]
    assert not record.is_estimated


@every_flavour
@every_dialect
@every_mode
@pytest.mark.parametrize("word", ["401", "402", "no-money", "429", "500", "503"])
def test_provider_trouble_is_never_shown(server, flavour, dialect, mode, word):
    reply, records = ask(server, flavour, dialect, mode, f"sandbox:{word}")
    assert records == []
    assert reply.status == 503
    if dialect == "llmage":
        assert reply.error == "Provider temporarily unavailable"
    else:
        assert (reply.error["code"], reply.error["type"]) == ("provider_unavailable", "api_error")
        assert reply.error["message"] == "The provider is temporarily unavailable; try again in a moment"


@every_flavour
@every_dialect
@pytest.mark.parametrize("word", ["error-first", "error-mid"])
def test_errors_in_a_200_stream(server, flavour, dialect, word):
    reply, records = ask(server, flavour, dialect, "stream", f"x sandbox:tokens=40 sandbox:{word}")
    assert b"[DONE]" not in reply.body
    is_policy = flavour not in {"vllm", "ollama"}  # these only say that the engine stopped
    if word == "error-first":
        assert reply.status == (400 if is_policy else 503)
        assert records == []
        return
    assert reply.status == 200
    assert set(reply.error) == {"message", "type", "param", "code"}
    assert reply.error["code"] == ("content_policy_violation" if is_policy else "provider_unavailable")
    (record,) = records
    assert record.status is UsageStatus.UPSTREAM_BROKE
    assert 0 < record.charge_nanos <= record.ceiling_nanos


@every_flavour
def test_a_bad_value_is_the_clients_to_mend(server, flavour):
    reply, records = ask(server, flavour, "openai", "plain", temperature="hot")
    assert reply.status == 400
    assert reply.error["code"] == "invalid_request"
    assert "temperature" in reply.error["message"]
    assert records == []


@every_flavour
@every_dialect
def test_without_include_usage(server, flavour, dialect):
    reply = post(server, dialect, user("hi sandbox:tokens=5", model=f"m-{flavour}", stream=True))
    assert reply.is_done
    has_usage_chunk = any(c["choices"] == [] for c in reply.chunks)
    assert has_usage_chunk == (dialect == "llmage")
    if has_usage_chunk:
        assert reply.chunks[-1]["usage"]["completion_tokens"] == 5
    assert not server.spool.records[-1].is_estimated


def test_deepseek_keeps_the_connection_alive_unseen(server):
    for dialect in DIALECTS:
        for mode in MODES:
            reply, _ = ask(server, "deepseek", dialect, mode)
            assert b"keep-alive" not in reply.body
            assert reply.body.strip() == reply.body.removesuffix(b"\n\n")


def test_several_choices(server):
    for dialect in DIALECTS:
        reply, (record,) = ask(server, "dashscope", dialect, "stream", n=3)
        indexes = {c["choices"][0]["index"] for c in reply.chunks if c["choices"]}
        assert indexes == {0, 1, 2}
        assert record.meters[Meter.OUTPUT_TOKENS] == 120
        assert reply.is_done
        reply, _ = ask(server, "dashscope", dialect, "plain", n=3)
        assert [c["index"] for c in reply.json["choices"]] == [0, 1, 2]


# bytes

CHUNKS = [
    (
        b'{"id":"c1","object":"chat.completion.chunk","created":1,"model":"qwen3-max","choices":[{"index":0,"delta":'
        b'{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}'
    ),
    (
        b'{"choices": [{"index": 0, "delta": {"content": "\\u4f60\\/\xe5\xa5\xbd \xf0\x9f\x98\x80"}}],  "id":"c1",'
        b'"object":"chat.completion.chunk","created":1, "model":"qwen3-max"}'
    ),
    (
        b'{"id":"c1","object":"chat.completion.chunk","created":1,"model":"qwen3-max","choices":[{"index":0,"delta":'
        b'{"tool_calls":[{"index":0,"id":"t","type":"function",'
        b'"function":{"name":"f","arguments":"{\\"a\\": 1.0}"}}]}}]}'
    ),
    (
        b'{"id":"c1","object":"chat.completion.chunk","created":1,"model":"qwen3-max","x_new":[1.50,1e2,{"b":null}],'
        b'"choices":[{"index":0,"delta":{"content":"z","x":1E5},"logprobs":{"content":[{"token":"z","logprob":-0.10}]}}]}'
    ),
    (
        b'{"id":"c1","object":"chat.completion.chunk","created":1,"model":"qwen3-max","service_tier":"default",'
        b'"system_fingerprint":"fp","obfuscation":"aaa","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
    ),
]
USAGE_CHUNK = (
    b'{"id":"c1","object":"chat.completion.chunk","created":1,"model":"qwen3-max","choices":[],"system_fingerprint":'
    b'"fp","usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"x":1.50,"prompt_tokens_details":'
    b'{"cached_tokens":2}}}'
)


def test_chunks_pass_byte_for_byte(scripted, upstream):
    upstream.answer = stream(*CHUNKS, USAGE_CHUNK, b"[DONE]")
    reply = post(scripted, "openai", user("x", stream=True))
    assert reply.events == [*CHUNKS, b"[DONE]"]
    reply = post(scripted, "openai", user("x", stream=True, stream_options={"include_usage": True}))
    cost = b',"cost":"0.0000832","currency":"CNY"}}'
    assert reply.events == [*CHUNKS, USAGE_CHUNK[:-2] + cost, b"[DONE]"]


def test_a_plain_answer_passes_byte_for_byte(scripted, upstream):
    choices = (
        b'[ {"index":0, "message":{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function",'
        b'"function":{"name":"f","arguments":"{\\"a\\": 1.0}"}}],"refusal":null,"x":1E5},'
        b'"logprobs":{"content":[{"token":"\\u4f60","logprob":-0.10}]},"finish_reason":"tool_calls"} ]'
    )
    head = b'{"id":"c1","object":"chat.completion","created":1,"model":"qwen3-max","choices":'
    rest = b',"x_new":[1.50,1e2,{"b":null}],"system_fingerprint":null'
    usage = b',"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"x":1.50'
    upstream.answer = plain(head + choices + rest + usage + b"}}")
    reply = post(scripted, "openai", user("x"))
    assert reply.body == head + choices + rest + usage + b',"cost":"0.0000832","currency":"CNY"}}'


def test_the_seed_dialect_keeps_what_it_does_not_know(scripted, upstream):
    upstream.answer = stream(*CHUNKS, USAGE_CHUNK, b"[DONE]")
    reply = post(scripted, "llmage", user("x", stream=True))
    chunks = reply.chunks
    printed = ["id", "object", "created", "choices", "model", "reasoning_content", "content", "finish", "llmusageid"]
    for chunk in chunks[:-1]:
        assert list(chunk)[: len(printed)] == printed
    assert chunks[2]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == '{"a": 1.0}'
    assert chunks[3]["x_new"] == [1.5, 100.0, {"b": None}]
    assert chunks[3]["choices"][0]["logprobs"]["content"][0]["logprob"] == -0.1
    assert chunks[4]["choices"][0]["finish_reason"] == "stop"
    assert chunks[4]["obfuscation"] == "aaa"
    assert list(chunks[-1]) == ["id", "object", "created", "choices", "model", "finish", "usage", "llmusageid"]
    names = ["total_tokens", "completion_tokens", "prompt_tokens", "prompt_tokens_details", "x", "cost", "currency"]
    assert list(chunks[-1]["usage"]) == names
    assert reply.body.isascii()


def test_the_model_is_called_by_its_public_name(upstream):
    text = 'he said "qwen3-max-2026" and "model"'
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "ep-2026-secret",
             "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]}  # fmt: skip
    answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "ep-2026-secret",
              "choices": [{"index": 0, "message": {"role": "assistant", "content": text}}],
              "usage": {"prompt_tokens": 1, "completion_tokens": 1}}  # fmt: skip
    renamed = channel(upstream.url, upstream_models={"qwen3maxqwen3maxqwen3": "ep-2026-secret"})
    with GatewayServer(FakeDirectory([renamed])) as server:
        for dialect in DIALECTS:
            upstream.answer = stream(chunk, b"[DONE]")
            asked = user("x", stream=True, stream_options={"include_usage": True})
            streamed = post(server, dialect, asked)
            upstream.answer = plain(answer)
            whole = post(server, dialect, user("x"))
            assert upstream.seen[-1].json["model"] == "ep-2026-secret"
            for reply in (streamed, whole):
                assert b"secret" not in reply.body
                assert reply.text == text
            assert {c["model"] for c in streamed.chunks} == {whole.json["model"]} == {"qwen3-max"}


def test_reasoning_is_renamed_and_the_rest_stays(upstream):
    directory = FakeDirectory([channel(upstream.url)], providers=[provider(quirks=("reasoning_field",))])
    thought = (
        b'{"id":"c","object":"chat.completion.chunk","created":1,"model":"qwen3-max",'
        b'"choices":[{"index":0,"delta":{"reasoning":"hm"}}]}'
    )
    with GatewayServer(directory) as server:
        upstream.answer = stream(thought, *CHUNKS, b"[DONE]")
        reply = post(server, "openai", user("x", stream=True))
        assert reply.chunks[0]["choices"][0]["delta"] == {"reasoning_content": "hm"}
        assert reply.events[1:] == [*CHUNKS, b"[DONE]"]


def last_chunk(**fields):
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "qwen3-max",
            "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]} | fields  # fmt: skip


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
FINISH = [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop", "usage": USAGE}]
USAGES = {
    "top of the last content chunk": [last_chunk(usage=USAGE)],
    "choice": [last_chunk(choices=FINISH)],
    "choice, then null at the top": [last_chunk(choices=FINISH, usage=None)],
    "own chunk": [last_chunk(), last_chunk(choices=[], usage=USAGE)],
    "own chunk without choices": [last_chunk(), {"id": "c", "object": "chat.completion.chunk", "usage": USAGE}],
    "own chunk, choices null": [last_chunk(), last_chunk(choices=None, usage=USAGE)],
    "continuous": [last_chunk(usage=USAGE | {"completion_tokens": 1}), last_chunk(choices=[], usage=USAGE)],
    "zeroes first": [last_chunk(usage=dict.fromkeys(USAGE, 0)), last_chunk(choices=[], usage=USAGE)],
    "null details": [last_chunk(usage=USAGE | {"prompt_tokens_details": None, "completion_tokens_details": None})],
    "null counts": [last_chunk(usage=USAGE | {"prompt_tokens_details": {"cached_tokens": None}})],
}


@every_dialect
@pytest.mark.parametrize("case", sorted(USAGES))
def test_where_usage_may_stand(scripted, upstream, dialect, case):
    upstream.answer = stream(*USAGES[case], b"[DONE]")
    before = len(scripted.spool.records)
    reply = post(scripted, dialect, user("x", stream=True, stream_options={"include_usage": True}))
    assert reply.is_done, reply.body
    (record,) = scripted.spool.records[before:]
    assert (record.meters[Meter.INPUT_TOKENS], record.meters[Meter.OUTPUT_TOKENS]) == (7, 3)
    assert not record.is_estimated
    assert (reply.usage["prompt_tokens"], reply.usage["completion_tokens"]) == (7, 3)
    assert reply.usage["cost"] == "0.0000608"


BELIEVED = {"prompt_tokens": 7, "completion_tokens": 3}
SALVAGED = [
    {"prompt_tokens": 7.0, "completion_tokens": 3.0},
    BELIEVED | {"prompt_tokens_details": []},
    BELIEVED | {"prompt_tokens_details": {"cached_tokens": "2"}, "completion_tokens_details": 5},
    BELIEVED | {"cached_tokens": "many", "prompt_cache_hit_tokens": None},
]
UNBELIEVED = [
    {"prompt_tokens": -7, "completion_tokens": 3},
    {"prompt_tokens": 7, "completion_tokens": 10**12},
    {"prompt_tokens": 10**30, "completion_tokens": 3},
    {"prompt_tokens": "7", "completion_tokens": "3"},
    {"prompt_tokens": 7},
    {"prompt_tokens": 7.5, "completion_tokens": 3},
    {"prompt_tokens": True, "completion_tokens": 3},
    BELIEVED | {"prompt_tokens_details": {"cached_tokens": -1}},
    {},
    [],
    5,
    "usage",
]


def told(scripted, upstream, how, usage):
    """The reply and the record of an answer with this usage."""
    dialect, mode = how
    if mode == "stream":
        upstream.answer = stream(last_chunk(), last_chunk(choices=[], usage=usage), b"[DONE]")
    else:
        message = {"role": "assistant", "content": "x"}
        upstream.answer = plain(last_chunk(choices=[{"index": 0, "message": message}], usage=usage))
    before = len(scripted.spool.records)
    asked = {"stream": True, "stream_options": {"include_usage": True}} if mode == "stream" else {}
    reply = post(scripted, dialect, user("hello!!", **asked))
    assert reply.status == 200
    (record,) = scripted.spool.records[before:]
    return reply, record


@every_dialect
@every_mode
@pytest.mark.parametrize("usage", UNBELIEVED, ids=range(len(UNBELIEVED)))
def test_usage_that_is_not_believed(scripted, upstream, dialect, mode, usage):
    reply, record = told(scripted, upstream, (dialect, mode), usage)
    assert record.is_estimated
    assert (record.meters[Meter.INPUT_TOKENS], record.meters[Meter.OUTPUT_TOKENS]) == (3, 1)
    assert reply.usage["estimated"] is True
    assert (reply.usage["prompt_tokens"], reply.usage["completion_tokens"]) == (3, 1)


@every_dialect
@every_mode
@pytest.mark.parametrize("usage", SALVAGED, ids=range(len(SALVAGED)))
def test_usage_of_which_a_part_is_not_right(scripted, upstream, dialect, mode, usage):
    _, record = told(scripted, upstream, (dialect, mode), usage)
    assert not record.is_estimated
    assert (record.meters[Meter.INPUT_TOKENS], record.meters[Meter.OUTPUT_TOKENS]) == (7, 3)
    assert record.meters[Meter.CACHE_READ_TOKENS] == 0


@every_dialect
@pytest.mark.parametrize("place", ["beside the text", "in the choice", "both"])
@pytest.mark.parametrize("asked", [None, False, True])
def test_usage_is_told_once_and_at_the_end(scripted, upstream, dialect, place, asked):
    choice = {"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}
    if place != "beside the text":
        choice["usage"] = BELIEVED
    fields = {"usage": BELIEVED} if place != "in the choice" else {}
    ends = [last_chunk(choices=[], usage=BELIEVED)] if place == "both" else []
    upstream.answer = stream(last_chunk(choices=[choice], **fields), *ends, b"[DONE]")
    options = {} if asked is None else {"stream_options": {"include_usage": asked}}
    before = len(scripted.spool.records)
    reply = post(scripted, dialect, user("x", stream=True, **options))
    (record,) = scripted.spool.records[before:]
    assert not record.is_estimated
    assert reply.chunks[0]["choices"][0]["delta"]["content"] == "x"
    told = [c for c in reply.chunks if c.get("usage") or any(one.get("usage") for one in c["choices"])]
    assert len(told) == (1 if asked or dialect == "llmage" else 0)
    assert all(c["choices"] == [] and c["usage"]["cost"] for c in told)


@every_mode
@pytest.mark.parametrize("cached", [None, 0, 2])
def test_the_usual_usage_is_written_as_any_other(scripted, upstream, mode, cached):
    """The template and the encoder write the same; a field more sends it to the encoder."""
    details = {} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}
    usual = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10} | details
    by_template, _ = told(scripted, upstream, ("llmage", mode), usual)
    by_encoder, _ = told(scripted, upstream, ("llmage", mode), usual | {"x": 1})
    written = by_template.body.partition(b'"usage": ')[2].partition(b', "llmusageid"')[0]
    assert (
        by_encoder.body.partition(b'"usage": ')[2].partition(b', "llmusageid"')[0].replace(b', "x": 1', b"") == written
    )
    assert written.startswith(b"{")
    assert written.endswith(b', "currency": "CNY"}')


def test_an_event_over_several_lines_stays_one_line(scripted, upstream):
    lines = [
        b'data: {"id":"c","object":"chat.completion.chunk","created":1,',
        b'data:  "model":"qwen3-max","choices":',
        b'data: [{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\r\n\r',
        b"data:[DONE]\n\n",
    ]
    body = b"\n".join(lines)
    upstream.answer = sse(body)
    reply = post(scripted, "openai", user("x", stream=True))
    assert reply.chunks[0]["choices"][0]["delta"] == {"content": "x"}
    assert reply.is_done
