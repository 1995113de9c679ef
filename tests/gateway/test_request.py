"""What a request may say in both dialects, what goes upstream untouched, and what is refused with which words."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.chat import ANSWER, STREAM_ANSWER, ScriptedUpstream, post, user
from tests.support.gateway import LIMITS, MODEL, OFFER_ID, FakeDirectory, GatewayServer, channel

from yuanjing.domain.catalog import ChatLimits
from yuanjing.domain.dialects import Dialect
from yuanjing.gateway.request import ChatRequest, RequestError


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(lambda seen: STREAM_ANSWER if b'"stream":true' in seen.body else ANSWER) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def server(upstream):
    with GatewayServer(FakeDirectory([channel(upstream.url)])) as server:
        yield server


@pytest.fixture
def sent(server, upstream):
    """Post, and give the body that reached the upstream."""

    def send(dialect, body, status=200):
        upstream.seen.clear()
        reply = post(server, dialect, body)
        assert reply.status == status, reply.body
        return upstream.seen[0].body

    return send


def read(body: object, dialect: Dialect = Dialect.OPENAI) -> ChatRequest:
    return ChatRequest(dialect, body if isinstance(body, bytes) else json.dumps(body).encode())


def messages_of(body: bytes) -> list[dict]:
    return json.loads(body)["messages"]


# the seed's fields


def test_prompts_become_messages(sent):
    assert messages_of(sent("llmage", {"model": MODEL, "prompt": '你好\n"x"'})) == [
        {"role": "user", "content": '你好\n"x"'}
    ]
    body = {"model": MODEL, "prompt": "p", "sys_prompt": "s"}
    assert messages_of(sent("llmage", body)) == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "p"},
    ]
    assert "prompt" not in json.loads(sent("llmage", body))
    assert "sys_prompt" not in json.loads(sent("llmage", body))


def test_prompt_after_messages_and_sys_prompt_before_them(sent):
    messages = [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]
    body = {"model": MODEL, "messages": messages, "prompt": "3", "sys_prompt": "0"}
    assert [m["content"] for m in messages_of(sent("llmage", body))] == ["0", "1", "2", "3"]
    body = {"model": MODEL, "messages": messages}
    assert messages_of(sent("llmage", body)) == messages
    assert messages_of(sent("llmage", body | {"prompt": "", "sys_prompt": None})) == messages
    assert messages_of(sent("llmage", body | {"messages": [], "prompt": "p"})) == [{"role": "user", "content": "p"}]
    assert messages_of(sent("llmage", body | {"messages": None, "prompt": "p"})) == [{"role": "user", "content": "p"}]


def test_a_prompt_may_be_parts(sent):
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://e.test/i.png"}}]
    assert messages_of(sent("llmage", {"model": MODEL, "prompt": parts})) == [{"role": "user", "content": parts}]


@pytest.mark.parametrize("name", [MODEL, OFFER_ID, "qwen-max"])
@pytest.mark.parametrize("dialect", ["openai", "llmage"])
def test_the_model_by_name_alias_and_llmid(sent, dialect, name):
    assert json.loads(sent(dialect, user("x", model=name)))["model"] == MODEL


def test_llmid_alone_names_the_model(sent):
    body = json.loads(sent("llmage", {"llmid": OFFER_ID, "prompt": "x"}))
    assert body["model"] == MODEL
    assert "llmid" not in body


@pytest.mark.parametrize("word", [True, "true", "True", 1, "1", "Y", "y", "yes", " on "], ids=repr)
def test_words_that_ask_for_a_stream(sent, word):
    body = json.loads(sent("llmage", {"model": MODEL, "prompt": "x", "stream": word}))
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("word", [False, "false", 0, "0", "N", "n", "no", "off", "", None], ids=repr)
def test_words_that_do_not(sent, word):
    body = json.loads(sent("llmage", {"model": MODEL, "prompt": "x", "stream": word}))
    assert body["stream"] is False
    assert "stream_options" not in body


@pytest.mark.parametrize("word", ["true", 1, 0, "Y", "false", 2, {}, []], ids=repr)
def test_openai_takes_only_a_boolean(server, word):
    reply = post(server, "openai", user("x", stream=word))
    assert reply.status == 400
    assert reply.error["param"] == "stream"
    assert "bool" in reply.error["message"]


# untouched

RAW_FIELDS = [
    b'"temperature":1.0',
    b'"temperature":1e2',
    b'"temperature":0.70',
    b'"seed":123456789012345678901234567890',
    b'"top_p":1E-2',
    b'"stop":["\\u4f60\\n","\xe4\xbd\xa0"]',
    b'"user":"\\u0041\\/"',
    b'"tools":[ {"type": "function", "function": {"name":"f", "parameters": {"type":"object", "x": 1.0}}} ]',
    b'"tool_choice":{"type":"function",  "function":{"name":"f"}}',
    b'"response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"minimum":1e2}}}',
    b'"reasoning_effort":"high"',
    b'"n":2',
    b'"logprobs":true',
    b'"top_logprobs":3',
    b'"parallel_tool_calls":false',
    b'"enable_thinking":true',
    b'"max_tokens":17',
    b'"x_unknown":{"a":[1.50,{"b":null}],"\\u0061":"\\ud83d\\ude00"}',
    b'"metadata":{"z":"1","a":"2"}',
    b'"service_tier":null',
]


@pytest.mark.parametrize("dialect", ["openai", "llmage"])
@pytest.mark.parametrize(
    "field", RAW_FIELDS, ids=[f.split(b'"')[1].decode() + f"-{i}" for i, f in enumerate(RAW_FIELDS)]
)
def test_fields_pass_as_they_were_written(sent, dialect, field):
    body = sent(dialect, b'{"model":"qwen3-max", ' + field + b' ,"messages":[{"role":"user","content":"x"}]}')
    assert b"," + field + b"," in body
    names = [key for key, _ in json.loads(body, object_pairs_hook=list)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("dialect", ["openai", "llmage"])
def test_messages_pass_as_they_were_written(sent, dialect):
    messages = (
        b'[ {"role":"system","content":"\\u4f60\xe5\xa5\xbd"},{"role":"user", "content":[{"type":"text","text":"a"},'
        b'{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}],"name":"n"},'
        b'{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function",'
        b'"function":{"name":"f","arguments":"{\\"a\\": 1.0}"}}]},{"role":"tool","tool_call_id":"c","content":"7"} ]'
    )
    assert b'"messages":' + messages in sent(dialect, b'{"model":"qwen3-max","messages":' + messages + b"}")


def test_stream_options_are_merged(sent):
    def options(given):
        return json.loads(sent("openai", user("x", stream=True, stream_options=given)))["stream_options"]

    assert options({"include_usage": False, "chunk_include_usage": 1}) == {
        "include_usage": True,
        "chunk_include_usage": 1,
    }
    assert options({"include_usage": True, "z": 1.5}) == {"include_usage": True, "z": 1.5}
    assert options({"include_obfuscation": False}) == {"include_obfuscation": False, "include_usage": True}
    assert options(None) == {"include_usage": True}
    assert options({}) == {"include_usage": True}


# refused

NESTED = b"[" * 10_000 + b"]" * 10_000
BAD_BODIES = {
    "empty": b"",
    "spaces": b"  \n",
    "text": b"hello",
    "form": b"model=qwen3-max&prompt=x",
    "cut": b'{"model":"qwen3-max","messages":[{"role":"user","content":"x"}]',
    "nan": b'{"model":"qwen3-max","prompt":"x","messages":[],"temperature":NaN}',
    "deep": b'{"model":"qwen3-max","x":' + NESTED + b',"messages":[{"role":"user","content":"x"}]}',
    "deep-content": b'{"model":"qwen3-max","messages":[{"role":"user","content":' + NESTED + b"}]}",
    "deep-objects": b'{"model":"qwen3-max","x":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",
    "not-utf8": b'{"model":"qwen3-max","messages":[{"role":"user","content":"\xff\xfe"}]}',
    "not-utf8-unread": b'{"model":"qwen3-max","x":"\xc3","messages":[{"role":"user","content":"x"}]}',
    "lone-surrogate": b'{"model":"\\ud800","messages":[{"role":"user","content":"x"}]}',
    "array": b"[]",
    "number": b"5",
    "string": b'"x"',
    "null": b"null",
}


@pytest.mark.parametrize("dialect", ["openai", "llmage"])
@pytest.mark.parametrize("name", sorted(BAD_BODIES))
def test_what_is_no_json_object(server, dialect, name):
    reply = post(server, dialect, BAD_BODIES[name])
    assert reply.status == 400
    text = reply.error if dialect == "llmage" else reply.error["message"]
    assert "JSON object" in text
    if dialect == "openai":
        assert reply.error == {
            "message": text,
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_json",
        }


CASES = [
    ("model", {"model": 5}),
    ("model", {"model": ["qwen3-max"]}),
    ("messages", {"messages": "hello"}),
    ("messages", {"messages": {"role": "user", "content": "x"}}),
    ("messages", {"messages": []}),
    ("messages", {"messages": [1]}),
    ("messages", {"messages": ["x"]}),
    ("messages", {"messages": [None]}),
    ("messages", {"messages": [{"role": "user", "content": 5}]}),
    ("messages", {"messages": [{"role": "user", "content": {"text": "x"}}]}),
    ("messages", {"messages": [{"role": "user", "content": True}]}),
    ("messages", {"messages": [{"role": "user", "content": ["x"]}]}),
    ("messages", {"messages": [{"role": "user", "content": [{"type": 5}]}]}),
    ("messages", {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}),
    ("messages", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": 5}]}]}),
    ("messages", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 5}}]}]}),
    ("stream_options", {"stream_options": 5}),
    ("stream_options", {"stream_options": {"include_usage": "yes"}}),
    ("n", {"n": 0}),
    ("n", {"n": -1}),
    ("n", {"n": 9}),
    ("n", {"n": "2"}),
    ("n", {"n": 1.5}),
    ("n", {"n": True}),
    ("n", {"n": 2**63}),
    ("n", {"n": 10**30}),
    ("n", {"n": []}),
    ("max_tokens", {"max_tokens": 0}),
    ("max_tokens", {"max_tokens": -5}),
    ("max_tokens", {"max_tokens": 2**31}),
    ("max_tokens", {"max_tokens": -(2**63)}),
    ("max_tokens", {"max_tokens": "100"}),
    ("max_tokens", {"max_tokens": {}}),
    ("max_completion_tokens", {"max_completion_tokens": 0}),
    ("max_completion_tokens", {"max_completion_tokens": 2**64}),
    ("max_completion_tokens", {"max_completion_tokens": False}),
    ("stream", {"stream": {}}),
    ("stream", {"stream": 1.5}),
]


@pytest.mark.parametrize(("param", "change"), CASES, ids=[f"{p}-{i}" for i, (p, _) in enumerate(CASES)])
def test_wrong_values_are_named(server, upstream, param, change):
    upstream.seen.clear()
    reply = post(server, "openai", user("x") | change)
    assert reply.status == 400, reply.body
    error = reply.error
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "invalid_parameter", param)
    assert param in error["message"]
    assert "xpected" in error["message"] or "must be" in error["message"]
    reply = post(server, "llmage", user("x") | change)
    assert (reply.status, reply.error) == (400, f"Invalid parameter: {param}")
    assert not upstream.seen


@pytest.mark.parametrize("name", ["model", "messages"])
@pytest.mark.parametrize("how", ["absent", "null"])
def test_missing_fields_are_named(server, name, how):
    body = user("x")
    if how == "absent":
        del body[name]
    else:
        body[name] = None
    reply = post(server, "openai", body)
    assert reply.status == 400
    assert reply.error == {
        "message": f"Missing required parameter: {name}",
        "type": "invalid_request_error",
        "param": name,
        "code": "missing_required_parameter",
    }


def test_nulls_and_empty_contents_pass(sent):
    messages = [{"role": "assistant", "content": None}, {"role": "assistant"}, {"role": "user", "content": ""}]
    body = json.loads(sent("openai", {"model": MODEL, "messages": messages, "n": None, "max_tokens": None}))
    assert body["messages"] == messages
    assert body["n"] is None


@pytest.mark.parametrize("field", ["n", "max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize(
    "value", [2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, -1, -(2**63), 10**400], ids=str
)
def test_huge_integers_end_at_once(server, field, value):
    records = len(server.spool.records)
    for dialect in ("openai", "llmage"):
        data = json.dumps(user("x") | {field: value}).encode()
        began = time.perf_counter()
        reply = post(server, dialect, data)
        assert time.perf_counter() - began < 0.5  # 50 ms, and what a busy machine needs
        assert reply.status in {200, 400}
        assert (reply.status == 200) == (value == 2**31 - 1 and field != "n")
    for record in server.spool.records[records:]:
        assert 0 <= record.charge_nanos <= record.ceiling_nanos


def test_a_number_of_many_digits_is_refused(server):
    body = b'{"model":"qwen3-max","messages":[{"role":"user","content":"x"}],"max_tokens":' + b"9" * 100_000 + b"}"
    assert post(server, "openai", body).status == 400


@given(value=st.integers(min_value=-(2**64), max_value=2**64), field=st.sampled_from(["n", "max_tokens"]))
def test_any_integer_is_refused_or_bounded(value, field):
    try:
        request = read(user("x") | {field: value})
    except RequestError as error:
        assert error.param == field  # noqa: PT017  # either outcome is right
        return
    assert 1 <= request.n <= 2**31 - 1
    assert 1 <= request.output_tokens_max(LIMITS) <= LIMITS.output_tokens_max


# bounds


def test_the_input_is_bounded_by_the_body():
    body = json.dumps(user("你好" * 10)).encode()
    request = read(body)
    assert request.input_tokens_max(LIMITS) == len(body) + 64 + 16
    assert read(user("x" * 400_000)).input_tokens_max(LIMITS) == LIMITS.context_tokens


def test_images_count_by_number_not_by_size():
    def parts(url):
        return read({"model": "m", "messages": [{"role": "user", "content": [
            {"type": "text", "text": "t"}, {"type": "image_url", "image_url": {"url": url}}]}]})  # fmt: skip

    small, large = parts("data:image/png;base64," + "A" * 4), parts("data:image/png;base64," + "A" * 40_000)
    assert small.input_tokens_max(LIMITS) == large.input_tokens_max(LIMITS)
    assert large.images == 1
    by_url = parts("https://example.test/picture.png")
    assert by_url.images == 1
    assert by_url.input_tokens_max(LIMITS) >= LIMITS.image_tokens_max + len("https://example.test/picture.png")
    as_text = read({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": "data:image/png;base64,AAAA"}]}]})  # fmt: skip
    assert as_text.images == 1


@pytest.mark.parametrize("prompt", [["a", "b"], [1], [{"type": 5}], [{"type": "text", "text": 1}], 5, {"a": "b"}])
@pytest.mark.parametrize("name", ["prompt", "sys_prompt"])
def test_a_prompt_that_is_none_is_named(name, prompt):
    with pytest.raises(RequestError) as refused:
        ChatRequest(Dialect.LLMAGE, json.dumps({"model": "m", "prompt": "x"} | {name: prompt}).encode())
    error = refused.value
    assert (error.code, error.message, error.param) == ("invalid_parameter", f"Invalid parameter: {name}", name)


GROWING = [
    {"enable_search": True},
    {"enable_search": 1},
    {"search_options": {"forced_search": True}},
    {"web_search_options": {}},
    {"enable_code_interpreter": True},
    {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
    {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA"}}]}]},
    {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "https://e.test/v"}}]}]},
    {"tools": [{"type": "web_search"}]},
    {"tools": [{"type": "builtin_function", "function": {"name": "$web_search"}}]},
]


@pytest.mark.parametrize("change", GROWING, ids=range(len(GROWING)))
def test_what_may_grow_is_bounded_by_the_context(change):
    assert read(user("x") | change).input_tokens_max(LIMITS) == LIMITS.context_tokens


@pytest.mark.parametrize(
    "change", [{"enable_search": False}, {"enable_search": None}, {"tools": [{"type": "function", "function": {}}]}]
)
def test_what_does_not_grow_is_not(change):
    assert read(user("x") | change).input_tokens_max(LIMITS) < 1000


def test_the_output_is_bounded_by_what_a_provider_may_heed():
    limits = ChatLimits(context_tokens=1000, output_tokens_max=100, reasoning_tokens_max=7)
    assert read(user("x")).output_tokens_max(limits) == 107
    assert read(user("x", max_tokens=10)).output_tokens_max(limits) == 17
    assert read(user("x", max_completion_tokens=10)).output_tokens_max(limits) == 17
    assert read(user("x", max_tokens=5000)).output_tokens_max(limits) == 107
    assert read(user("x", max_tokens=50, max_completion_tokens=10)).output_tokens_max(limits) == 57
    assert read(user("x", max_tokens=10, max_completion_tokens=50)).output_tokens_max(limits) == 57


def limits_sent(limit_field, clamp_to=None, **fields):
    body = json.loads(read(user("x", **fields)).upstream_body(b'"m"', clamp_to, limit_field))
    return {name: body[name] for name in ("max_tokens", "max_completion_tokens") if name in body}


def test_a_clamp_goes_into_every_limit_that_was_given():
    assert limits_sent(None, 20) == {"max_tokens": 20}
    assert limits_sent("max_completion_tokens", 20) == {"max_completion_tokens": 20}
    assert limits_sent(None, 20, max_tokens=100) == {"max_tokens": 20}
    assert limits_sent(None, 20, max_completion_tokens=100) == {"max_completion_tokens": 20}
    both = {"max_tokens": 100, "max_completion_tokens": 90}
    assert limits_sent(None, 20, **both) == {"max_tokens": 20, "max_completion_tokens": 20}
    assert limits_sent(None, 20, max_tokens=100, max_completion_tokens=5) == {
        "max_tokens": 20,
        "max_completion_tokens": 5,
    }


@pytest.mark.parametrize(
    ("name", "other"), [("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")]
)
def test_a_limit_goes_under_the_name_that_the_provider_heeds(name, other):
    assert limits_sent(name) == {}
    assert limits_sent(name, **{name: 7}) == {name: 7}
    assert limits_sent(name, **{other: 7}) == {name: 7}
    assert limits_sent(name, **{other: 7, name: None}) == {name: 7}
    assert limits_sent(name, **{other: 7, name: 9}) == {name: 9}
    assert limits_sent(name, 5, **{other: 7}) == {name: 5}
    assert limits_sent(None, **{other: 7, name: 9}) == {other: 7, name: 9}


def test_an_image_counts_as_one_whatever_its_part_is_called():
    part = {"image_url": {"url": "https://x/y.png"}}
    assert read({"model": "m", "messages": [{"role": "user", "content": [part]}]}).images == 1


def test_our_count_of_the_prompt_takes_texts_and_tools():
    request = read({"model": "m", "tools": [{"type": "function"}], "messages": [
        {"role": "user", "content": "你好"}, {"role": "user", "content": [{"type": "text", "text": "abc"}]},
        {"role": "assistant", "content": None}]})  # fmt: skip
    assert request.prompt_bytes() == 6 + 3 + len(b'[{"type": "function"}]')
