import json

import jsonschema_rs
import pytest

from yuanjing.sandbox import tokens
from yuanjing.sandbox.options import SandboxOptions

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}, "days": {"type": "integer"}},
                "required": ["city", "unit", "days"],
            },
        },
    }
    for name in ("get_weather", "get_news")
]
PARAMETERS = TOOLS[0]["function"]["parameters"]


def test_it_tells_what_it_received(box):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, image, image]},
    ]
    answer = box.ask("openai", "", messages=messages, model="gpt-x", tools=TOOLS, temperature=0.5, made_up={"a": [1]})
    text = answer["choices"][0]["message"]["content"]
    for part in ("sandbox", "gpt-x", "2 message(s)", '"Be brief."', "images: 2", "get_weather, get_news"):
        assert part in text
    for part in ("temperature=0.5", 'made_up={"a":[1]}', '"What is this?"'):
        assert part in text
    tools = tokens.count(json.dumps(TOOLS, separators=(",", ":")))
    assert answer["usage"]["prompt_tokens"] == tools + 4 + 3 + 4 + tokens.count("What is this?") + 2 * 256


def test_the_language_of_the_last_user_text(box):
    assert "沙箱" in box.ask("openai", "你好")["choices"][0]["message"]["content"]
    assert "sandbox" in box.ask("openai", "hello")["choices"][0]["message"]["content"]


def test_long_texts_are_repeated_in_part(box):
    assert len(box.ask("openai", "long " * 5000)["choices"][0]["message"]["content"]) < 800


def test_same_request_same_answer(box, flavour, read_text):
    one, two = box.ask(flavour, "again", seed=1), box.ask(flavour, "again", seed=1)
    assert one["choices"] == two["choices"]
    assert one["id"] != two["id"] or flavour == "ollama"
    assert read_text(box.events(flavour, "again", seed=1)) == one["choices"][0]["message"]["content"]


@pytest.mark.parametrize("most", [1, 2, 3, 17])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_limits(box, flavour, read_text, most, name):
    if name == "max_completion_tokens" and flavour in ("dashscope", "deepseek"):
        assert (
            box.ask(flavour, "hi", **{name: most})["choices"][0]["finish_reason"] == "stop"
        )  # a field they do not know
        return
    events = box.events(flavour, "hi", **{name: most}, stream_options={"include_usage": True})
    cut = box.ask(flavour, "hi", **{name: most})
    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == most == events[-2]["usage"]["completion_tokens"]
    assert read_text(events) == cut["choices"][0]["message"]["content"]
    assert tokens.count(read_text(events)) == most


def test_a_limit_that_is_not_reached(box):
    whole = box.ask("openai", "hi")
    used = whole["usage"]["completion_tokens"]
    assert box.ask("openai", "hi", max_tokens=10**9)["choices"][0]["finish_reason"] == "stop"
    assert used == tokens.count(whole["choices"][0]["message"]["content"])


def test_whether_limits_cover_reasoning(box):
    for flavour, name, total in (
        ("ark", "max_tokens", False),
        ("ark", "max_completion_tokens", True),
        ("vllm", "max_tokens", True),
    ):
        answer = box.ask(flavour, "hi", model="cut-r1", **{name: 5})
        entry = box.entry("cut-r1")
        assert answer["choices"][0]["finish_reason"] == "length"
        assert (entry["completion_tokens"] == 5) == total
        assert entry["reasoning_tokens"] == (5 if total else entry["completion_tokens"] - 5)
    answer = box.ask("dashscope", "hi", model="cut-r1", thinking_budget=3)
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 3


@pytest.mark.parametrize("wanted", [0, 1, 2, 99, 3000])
@pytest.mark.parametrize("text", ["hi", "你好"])
def test_an_exact_number_of_tokens(box, flavour, read_text, wanted, text):
    for model in ("plain", "some-r1"):
        answer = box.ask(flavour, f"{text} sandbox:tokens={wanted}", model=model)
        assert answer["usage"]["completion_tokens"] == wanted
        assert answer["choices"][0]["finish_reason"] == "stop"
        content = answer["choices"][0]["message"]["content"]
        assert tokens.count(content) == (wanted if model == "plain" else wanted - wanted // 2)
        assert read_text(box.events(flavour, f"{text} sandbox:tokens={wanted}", model=model)) == content


def test_stop(box, read_text):
    answer = box.ask("openai", "hi", stop=["received", "never"])
    text = answer["choices"][0]["message"]["content"]
    assert text.endswith("I")
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] == tokens.count(text)
    assert read_text(box.events("openai", "hi", stop=["received", "never"])) == text


def test_choices_take_turns(box, read_text):
    answer = box.ask("dashscope", "hi", n=3)
    texts = [choice["message"]["content"] for choice in answer["choices"]]
    assert len(set(texts)) == 3
    assert answer["usage"]["completion_tokens"] == sum(map(tokens.count, texts))
    events = box.events("dashscope", "hi", n=3)
    assert [read_text(events, index) for index in range(3)] == texts
    indexes = [choice["index"] for event in events[:-1] for choice in event["choices"]]
    assert indexes[:9] == [0, 1, 2] * 3
    finishes = [choice["finish_reason"] for event in events[:-1] for choice in event["choices"]]
    assert finishes.count("stop") == 3
    assert len(box.ask("ollama", "hi", n=3)["choices"]) == 1
    inside = [c for e in box.events("moonshot", "hi", n=3)[:-1] for c in e["choices"] if "usage" in c]
    assert len(inside) == 1


def test_json(box, flavour):
    kind = {"type": "json_object"}
    answer = json.loads(box.ask(flavour, "as JSON please", response_format=kind)["choices"][0]["message"]["content"])
    assert answer["echo"] == "as JSON please"
    kind = {"type": "json_schema", "json_schema": {"name": "w", "strict": True, "schema": PARAMETERS}}
    answer = box.ask(flavour, "hi", response_format=kind)["choices"][0]["message"]["content"]
    jsonschema_rs.Draft202012Validator(PARAMETERS).validate(json.loads(answer))


def joined_calls(events):
    calls = {}
    for event in events[:-1]:
        for choice in event["choices"]:
            for piece in choice["delta"].get("tool_calls") or []:
                call = calls.setdefault(piece["index"], {"arguments": "", "pieces": 0})
                call["id"] = piece.get("id") or call["id"]
                call["name"] = piece["function"].get("name") or call["name"]
                call["arguments"] += piece["function"]["arguments"]
                call["pieces"] += 1
    return list(calls.values())


def test_tool_calls(box, flavour):
    events = box.events(flavour, "call get_weather now", tools=TOOLS)
    choice = box.ask(flavour, "call get_weather now", tools=TOOLS)["choices"][0]
    (streamed,) = joined_calls(events)
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls" == events[-2]["choices"][0]["finish_reason"]
    assert not choice["message"]["content"]
    assert (streamed["id"], streamed["name"]) == (call["id"], call["function"]["name"])
    assert streamed["arguments"] == call["function"]["arguments"]
    assert (streamed["pieces"] == 1) == (flavour == "ollama")
    jsonschema_rs.Draft202012Validator(PARAMETERS).validate(json.loads(streamed["arguments"]))
    entry = box.entry("m-1")
    wanted = tokens.count("get_weather") + tokens.count(streamed["arguments"])
    assert entry["completion_tokens"] == entry["sent_tokens"] == wanted


@pytest.mark.parametrize(
    ("text", "fields", "names"),
    [
        ("hello", {}, []),
        ("get_weather", {"tool_choice": "none"}, []),
        ("get_weathers", {}, []),
        ("hello", {"tool_choice": "required"}, ["get_weather"]),
        ("get_weather", {"tool_choice": {"type": "function", "function": {"name": "get_news"}}}, ["get_news"]),
        ("GET_NEWS", {}, ["get_news"]),
        ("get_news and get_weather", {}, ["get_weather", "get_news"]),
        ("get_news and get_weather", {"parallel_tool_calls": False}, ["get_weather"]),
    ],
    ids=str,
)
def test_when_tools_are_called(box, text, fields, names):
    message = box.ask("openai", text, tools=TOOLS, **fields)["choices"][0]["message"]
    assert [call["function"]["name"] for call in message.get("tool_calls", [])] == names
    assert len(joined_calls(box.events("openai", text, tools=TOOLS, **fields))) == len(names)


def test_a_tool_that_is_not_offered_cannot_be_chosen(box, make_chat):
    choice = {"type": "function", "function": {"name": "other"}}
    assert box.post("openai", make_chat("hi", tools=TOOLS, tool_choice=choice)).status_code == 400


def test_the_tools_result_is_used(box):
    call = box.ask("openai", "get_weather please", tools=TOOLS)["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": "21 degrees and sunny"}
    messages = [{"role": "user", "content": "get_weather please"}, call, result]
    choice = box.ask("openai", "", messages=messages, tools=TOOLS)["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert "21 degrees and sunny" in choice["message"]["content"]


def test_a_tool_call_is_cut_too(box):
    choice = box.ask("openai", "get_weather", tools=TOOLS, max_tokens=5)["choices"][0]
    assert choice["finish_reason"] == "length"
    assert tokens.count(choice["message"]["tool_calls"][0]["function"]["arguments"]) == 2
    assert box.entry("m-1")["completion_tokens"] == 5


def test_logprobs(box):
    choice = box.ask("openai", "hi", logprobs=True, top_logprobs=2, max_tokens=5)["choices"][0]
    told = choice["logprobs"]["content"]
    assert "".join(entry["token"] for entry in told) == choice["message"]["content"]
    assert all(bytes(entry["bytes"]).decode() == entry["token"] and entry["logprob"] <= 0 for entry in told)
    assert all(len(entry["top_logprobs"]) == 2 for entry in told)
    events = box.events("openai", "hi", logprobs=True, top_logprobs=2, max_tokens=5)
    streamed = [one for e in events[:-1] for c in e["choices"] for one in (c["logprobs"] or {"content": []})["content"]]
    assert streamed == told
    assert box.ask("openai", "hi")["choices"][0]["logprobs"] is None


def test_the_longest_answer_is_bounded_over_all_choices(serve):
    small = serve(SandboxOptions(time_scale=0, output_tokens_max=40))
    answer = small.ask("openai", "hi sandbox:tokens=1000000000", n=4)
    assert answer["usage"]["completion_tokens"] == 40
    answer = small.ask("openai", "hi", n=4, model="x-r1")
    assert answer["usage"]["completion_tokens"] <= 40
    assert {choice["finish_reason"] for choice in answer["choices"]} == {"length"}
