"""How each flavour writes: key by key where the service's documents show it."""

import tomllib
from pathlib import Path

import pytest

import yuanjing
from yuanjing.sandbox.chat.flavours import FLAVOURS
from yuanjing.sandbox.options import SandboxOptions

USAGE = {"stream_options": {"include_usage": True}}


def test_dashscope_stream_as_documented(box):
    events = box.events("dashscope", "hi sandbox:tokens=2", model="qwen3-max", **USAGE)
    first, middle, last, usage, done = events
    rest = {"object": "chat.completion.chunk", "system_fingerprint": None, "model": "qwen3-max"}
    assert list(first) == ["choices", "object", "usage", "created", "system_fingerprint", "model", "id"]
    assert first["id"].startswith("chatcmpl-")
    assert first.items() >= {**rest, "usage": None}.items()
    assert list(first["choices"][0].items()) == [
        ("delta", {"content": "", "role": "assistant"}),
        ("index", 0),
        ("logprobs", None),
        ("finish_reason", None),
    ]
    assert list(middle["choices"][0]) == ["finish_reason", "delta", "index", "logprobs"]
    assert list(middle["choices"][0]["delta"]) == ["content"]
    assert last["choices"] == [{"finish_reason": "stop", "delta": {"content": ""}, "index": 0, "logprobs": None}]
    assert usage["choices"] == []
    assert usage["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}
    assert done == "[DONE]"


def test_dashscope_thinking_has_its_nulls(box):
    deltas = [e["choices"][0]["delta"] for e in box.events("dashscope", "hi", enable_thinking=True)[1:-1]]
    assert set(deltas[0]) == {"content", "reasoning_content"}
    assert deltas[0]["content"] is None
    assert deltas[-1] == {"content": "", "reasoning_content": None}


def test_usage_in_a_stream_only_if_asked(box, flavour, read_text):
    model = f"asked-{flavour}"
    asked = box.events(flavour, "hi", model=model, **USAGE)
    silent = box.events(flavour, "hi", model=model)
    assert asked[-1] == silent[-1] == "[DONE]"
    assert read_text(asked) == read_text(silent) != ""
    plain = box.ask(flavour, "hi", model=model)["usage"]
    assert asked[-2]["choices"] == []
    assert asked[-2]["usage"] == plain
    told = [e["usage"] for e in silent[:-1] if e.get("usage")]
    inside = [c["usage"] for e in silent[:-1] for c in e["choices"] if "usage" in c]
    assert told == ([plain] if flavour == "deepseek" else [])
    assert inside == ([plain] if flavour == "moonshot" else [])
    if flavour == "openai":
        assert not any("usage" in e for e in silent[:-1])
        assert all(e["usage"] is None for e in asked[:-2])


def test_roles(box, flavour):
    events = box.events(flavour, "hi")
    roles = [choice["delta"].get("role") for event in events[:-1] for choice in event["choices"]]
    assert roles[0] == "assistant"
    assert set(roles[1:]) == ({"assistant"} if flavour in {"ark", "ollama"} else {None})


def test_reasoning(box, flavour, read_text):
    field = {"vllm": "reasoning", "ollama": "reasoning"}.get(flavour, "reasoning_content")
    events = box.events(flavour, "why?", model="some-r1", **USAGE)
    message = box.ask(flavour, "why?", model="some-r1")["choices"][0]["message"]
    assert read_text(events) == message["content"]
    reasoning = read_text(events, field=field)
    assert reasoning == message.get(field, "")
    assert bool(reasoning) == (flavour != "openai")
    entry = box.entry("some-r1")
    assert 0 < entry["reasoning_tokens"] < entry["completion_tokens"] == entry["sent_tokens"]


@pytest.mark.parametrize(
    ("fields", "thinks"),
    [
        ({}, False),
        ({"model": "qwen-thinking"}, True),
        ({"model": "deepseek-reasoner"}, True),
        ({"model": "DeepSeek-R1"}, True),
        ({"model": "ar1x"}, False),
        ({"enable_thinking": True}, True),
        ({"model": "x-r1", "enable_thinking": False}, False),
        ({"thinking": {"type": "enabled"}}, True),
        ({"model": "x-r1", "thinking": {"type": "disabled"}}, False),
        ({"reasoning_effort": "low"}, True),
        ({"reasoning_effort": "none"}, False),
    ],
    ids=str,
)
def test_who_thinks(box, fields, thinks):
    message = box.ask("ark", "hi", **fields)["choices"][0]["message"]
    assert ("reasoning_content" in message) == thinks


THINKERS = {
    "openai": ("gpt-5-mini", {"reasoning_effort": "none"}),
    "ark": ("doubao-seed-1-8-251228", {"thinking": {"type": "disabled"}}),
    "deepseek": ("deepseek-v4-flash", {"thinking": {"type": "disabled"}}),
    "moonshot": ("kimi-k2.5", {"thinking": {"type": "disabled"}}),
    "vllm": ("Qwen/Qwen3-32B", {"chat_template_kwargs": {"enable_thinking": False}}),
    "ollama": ("qwen3:8b", {"reasoning_effort": "none"}),
}


@pytest.mark.parametrize("name", THINKERS)
def test_models_that_reason_by_default_until_they_are_told_not_to(box, name):
    model, off = THINKERS[name]
    box.ask(name, "hi", model=model)
    assert box.entry(model)["reasoning_tokens"] > 0
    box.ask(name, "hi", model=model, **off)
    assert box.entry(model)["reasoning_tokens"] == 0


def test_a_switch_is_of_its_service(box):
    for name, model, is_off in (("ark", "doubao-seed-1-8-251228", True), ("deepseek", "deepseek-v4-flash", False)):
        box.ask(name, "hi", model=model, reasoning_effort="minimal")
        assert (box.entry(model)["reasoning_tokens"] == 0) == is_off


def test_the_catalogue_s_thinkers_think():
    """The sandbox keeps its own list; what the catalogue says of a model must hold there."""
    names = {f.name: f for f in FLAVOURS}
    for path in (Path(yuanjing.__file__).parent / "catalog" / "offers").glob("*.toml"):
        row = tomllib.loads(path.read_text(encoding="utf-8"))["offer"]
        if row["operation"] != "chat":
            continue
        for provider, model in row["providers"].items():
            thinks = "thinks by default" in row["description"]
            assert not thinks or model in names[provider].thinking_models, model
            assert model in names[provider].input_tokens_max
            assert names[provider].input_tokens_max[model] <= row["chat"]["context_tokens"]


def test_an_input_beyond_the_model_s_context(box, make_chat):
    limits = {"dashscope": ("qwen3-max", 258_048), "moonshot": ("moonshot-v1-8k", 8_192)}
    for name, (model, most) in limits.items():
        fits, over = ("字" * (most - 4 + more) for more in (0, 1))
        assert box.post(name, make_chat(fits, model=model)).status_code == 200
        answer = box.post(name, make_chat(over, model=model))
        assert answer.status_code == 400
        assert str(most) in answer.json()["error"]["message"]
        assert box.entry(model)["prompt_tokens"] is None
    assert box.post("moonshot", make_chat(over, model="any")).status_code == 200


def test_too_long_in_each_service_s_words(box, flavour, make_chat):
    for stream in (False, True):
        answer = box.post(flavour, make_chat("hi sandbox:too-long", stream=stream))
        assert answer.status_code == 400
        error = answer.json()["error"]
        words = {
            "dashscope": "Range of input length should be [1, 32768]",
            "ark": "exceed max message tokens",
            "moonshot": "exceeded model token limit: 32768 (requested: 32777)",
            "ollama": "exceeded max context length",
        }
        assert words.get(flavour, "maximum context length is 32768 tokens") in error["message"]
        assert (error.get("code") == "context_length_exceeded") == (flavour == "openai")
        assert box.entry("m-1")["fault"] == "too-long"


def test_cached_tokens(box, flavour):
    text = f"{flavour} " + "word " * 400
    box.ask(flavour, text)
    usage = box.ask(flavour, text + "more")["usage"]
    details = usage.get("prompt_tokens_details") or {}
    places = {
        "deepseek": usage.get("prompt_cache_hit_tokens"),
        "moonshot": usage.get("cached_tokens"),
        "ollama": box.entry("m-1")["cached_tokens"],
    }
    cached = places.get(flavour, details.get("cached_tokens"))
    assert cached == 384
    if flavour == "deepseek":
        assert usage["prompt_cache_miss_tokens"] == usage["prompt_tokens"] - 384
        assert "prompt_tokens_details" not in usage
    assert box.post(flavour, {"model": "other", "messages": [{"role": "user", "content": text}]}).status_code == 200
    assert box.entry("other")["cached_tokens"] == 0


def test_other_credentials_and_short_prompts_are_not_cached(box, make_chat):
    text = "private " + "word " * 400
    for key in ("sandbox-key", "other-key"):
        usage = box.post("openai", make_chat(text), key=key).json()["usage"]
        assert usage["prompt_tokens_details"]["cached_tokens"] == 0
    for _ in range(2):
        assert box.ask("openai", "word " * 200)["usage"]["prompt_tokens_details"]["cached_tokens"] == 0


def test_explicit_caching(box):
    parts = [{"type": "text", "text": "rule " * 1200, "cache_control": {"type": "ephemeral"}}]
    messages = [{"role": "system", "content": parts}, {"role": "user", "content": "hi"}]
    first, second = (box.ask("dashscope", "", messages=messages)["usage"]["prompt_tokens_details"] for _ in range(2))
    assert first["cache_type"] == second["cache_type"] == "ephemeral"
    assert (first["cached_tokens"], first["cache_creation"]["ephemeral_5m_input_tokens"]) == (0, 1204)
    assert (second["cached_tokens"], second["cache_creation_input_tokens"]) == (1204, 0)


def test_error_envelopes(box, flavour, make_chat):
    answer = box.post(flavour, make_chat("sandbox:429"))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    body = answer.json()
    keys = {
        "dashscope": ["code", "message", "param", "type"],
        "ark": ["code", "message", "param", "type"],
        "moonshot": ["message", "type"],
    }
    assert list(body["error"]) == keys.get(flavour, ["message", "type", "param", "code"])
    assert list(body) == (["error", "request_id"] if flavour == "dashscope" else ["error"])
    if flavour == "ark":
        assert body["error"]["message"].endswith("Request id: " + answer.headers["X-Request-Id"])
    if flavour == "dashscope":
        assert body["request_id"] == answer.headers["x-request-id"]
    assert body["error"].get("code") == {
        "openai": "rate_limit_exceeded",
        "dashscope": "limit_requests",
        "ark": "RateLimitExceeded.EndpointRPMExceeded",
        "deepseek": "rate_limit",
        "vllm": 429,
    }.get(flavour)


def test_no_money(box, flavour, make_chat):
    answer = box.post(flavour, make_chat("sandbox:no-money"))
    assert answer.status_code == {"openai": 429, "moonshot": 429, "dashscope": 400, "ark": 403}.get(flavour, 402)


def test_deepseek_signs_of_life(box, make_chat):
    _, data, _ = box.raw("deepseek", "hi")
    assert data.startswith(b": keep-alive\n\ndata: {")
    answer = box.post("deepseek", make_chat("hi"))
    assert answer.content.startswith(b"\n{")
    assert "content-length" not in answer.headers


def test_vllm_continuous_usage(box):
    events = box.events("vllm", "hi", stream_options={"include_usage": True, "continuous_usage_stats": True})
    counts = [event["usage"]["completion_tokens"] for event in events[1:-1]]
    assert counts == sorted(counts)
    assert counts[0] == 2
    assert counts[-1] == counts[-2] == box.ask("vllm", "hi")["usage"]["completion_tokens"]


def test_deepseek_gives_signs_while_it_is_slow(serve, make_chat):
    served = serve(SandboxOptions(time_scale=0, keep_alive_seconds=0.05))
    _, data, _ = served.raw("deepseek", "hi sandbox:slow-first-byte=0.22")
    assert data.startswith(b": keep-alive\n\n" * 5 + b"data: ")
    assert served.post("deepseek", make_chat("hi sandbox:slow-first-byte=0.22")).content.startswith(b"\n" * 5 + b"{")


def test_a_model_list_that_is_no_json(box):
    headers = {"authorization": "Bearer sandbox-key-fail-not-json"}
    assert box.client.get("/v1/models", headers=headers).text.startswith("<html>")
