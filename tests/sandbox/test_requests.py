import pytest

from yuanjing.sandbox.options import SandboxOptions

STATUS_OF_BAD = {"deepseek": 422}


def error_of(answer):
    error = answer.json()["error"]
    return error if isinstance(error, dict) else {"message": error}


def test_credentials(box, flavour, make_chat):
    codes = [
        box.post(flavour, make_chat("hi"), key=key).status_code
        for key in (None, "wrong", "sandbox-key-fail-nothing", "sandbox-key", "other-key")
    ]
    wanted = {"ollama": [200] * 5, "vllm": [200, 401, 401, 200, 200]}
    assert codes == wanted.get(flavour, [401, 401, 401, 200, 200])


def test_another_scheme_is_no_credential(box, make_chat):
    for value in ("Basic sandbox-key", "sandbox-key", "Bearer", ""):
        headers = {"authorization": value}
        assert box.client.post("/v1/chat/completions", json=make_chat("hi"), headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "owner", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user"}]}, "messages[0]"),
        ({"model": 5}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 2.5}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"n": 0}, "n"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ],
    ids=str,
)
def test_bad_fields(box, flavour, make_chat, change, param):
    answer = box.post(flavour, {**make_chat("hi"), **change})
    assert answer.status_code in {400, STATUS_OF_BAD.get(flavour, 400)}
    error = error_of(answer)
    assert error["message"]
    if flavour in {"openai", "ark", "vllm", "ollama"}:
        assert error["param"] == param


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"model":NaN}'], ids=str)
def test_bodies_that_are_no_object(box, flavour, body):
    url = {"openai": "/v1", "dashscope": "/compatible-mode/v1", "ark": "/api/v3"}.get(flavour, f"/{flavour}/v1")
    headers = {"authorization": "Bearer sandbox-key"}
    answer = box.client.post(f"{url}/chat/completions", content=body, headers=headers)
    assert answer.status_code == STATUS_OF_BAD.get(flavour, 400)


def test_null_means_not_given(box, flavour, make_chat):
    names = (
        "stream stream_options max_tokens max_completion_tokens n stop temperature top_p seed logprobs top_logprobs "
        "response_format tools tool_choice parallel_tool_calls thinking reasoning_effort user metadata"
    )
    plain = box.post(flavour, make_chat("hi")).json()
    nulls = box.post(flavour, make_chat("hi", **dict.fromkeys(names.split()))).json()
    assert nulls["choices"] == plain["choices"]
    assert nulls["usage"] == plain["usage"]


def test_unknown_models(box, flavour, make_chat):
    answer = box.post(flavour, make_chat("hi", model="unknown-model"))
    assert answer.status_code == (400 if flavour == "deepseek" else 404)
    wanted = {
        "openai": "model_not_found",
        "dashscope": "model_not_found",
        "ark": "InvalidEndpointOrModel.NotFound",
        "deepseek": "invalid_request_error",
        "vllm": 404,
    }
    assert error_of(answer).get("code") == wanted.get(flavour)


@pytest.mark.parametrize(
    ("fields", "refusing"),
    [
        ({"stream_options": {"include_usage": True}}, ["openai", "dashscope", "deepseek", "vllm"]),
        ({"n": 5}, ["dashscope", "ark"]),
        ({"n": 2}, ["ark"]),
        ({"max_tokens": 5, "max_completion_tokens": 5}, ["openai"]),
        ({"tool_choice": "auto"}, ["openai", "dashscope", "ark", "deepseek", "moonshot", "vllm"]),
        ({"logprobs": True, "top_logprobs": 6}, ["dashscope"]),
        ({"response_format": {"type": "json_object"}}, ["openai", "dashscope"]),
    ],
    ids=str,
)
def test_what_only_some_refuse(box, flavour, make_chat, fields, refusing):
    status = box.post(flavour, make_chat("hi", **fields)).status_code
    assert status == (STATUS_OF_BAD.get(flavour, 400) if flavour in refusing else 200)


def test_tool_messages_need_their_call(box, make_chat):
    user = {"role": "user", "content": "x"}
    loose = {"role": "tool", "content": "5", "tool_call_id": "call_1"}
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    tied = {"role": "assistant", "content": None, "tool_calls": [call]}
    assert box.post("openai", make_chat("", messages=[user, loose])).status_code == 400
    assert box.post("openai", make_chat("", messages=[user, tied, loose])).status_code == 200
    assert box.post("ollama", make_chat("", messages=[user, loose])).status_code == 200


def test_models(box, flavour):
    url = {"openai": "/openai/v1", "dashscope": "/compatible-mode/v1", "ark": "/api/v3"}.get(flavour, f"/{flavour}/v1")
    headers = {"authorization": "Bearer sandbox-key"}
    listed = box.client.get(f"{url}/models", headers=headers).json()
    assert listed["object"] == "list"
    one = box.client.get(f"{url}/models/{listed['data'][0]['id']}", headers=headers).json()
    assert one == listed["data"][0]
    assert one["object"] == "model"
    assert box.client.get(f"{url}/models/unknown-x", headers=headers).status_code in {400, 404}
    assert box.client.get(f"{url}/models", headers={}).status_code == (200 if flavour in {"vllm", "ollama"} else 401)


def test_methods_paths_and_sizes(box, serve, make_chat):
    assert box.client.get("/v1/chat/completions").status_code == 405
    assert box.client.get("/nothing").status_code == 404
    assert box.client.get("/healthz").json() == {"status": "ok"}
    small = serve(SandboxOptions(time_scale=0, body_bytes_max=1000))
    assert small.post("openai", make_chat("x" * 2000)).status_code == 413
    assert small.post("openai", make_chat("x")).status_code == 200


@pytest.mark.parametrize("depth", [100, 400, 800, 1200, 100_000])
def test_deep_json_is_answered_or_refused(box, depth):
    deep = "[" * depth + "]" * depth
    body = f'{{"model": "m", "messages": [{{"role": "user", "content": "hi"}}], "x": {deep}}}'
    headers = {"authorization": "Bearer sandbox-key"}
    answer = box.client.post("/v1/chat/completions", content=body, headers=headers)
    assert answer.status_code == (200 if depth == 100 else answer.status_code)
    assert answer.status_code in {200, 400}
