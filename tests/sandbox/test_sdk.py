"""The official SDK against the sandbox."""

import openai
import pytest

TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"what": {"type": "string"}}}},
}


@pytest.fixture
def sdk(box):
    with openai.OpenAI(base_url=f"{box.url}/v1", api_key="sandbox-key", max_retries=0, timeout=10) as client:
        yield client


def create(client, text, **fields):
    return client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": text}], **fields)


def test_plain_and_stream(sdk):
    answer = create(sdk, "hello")
    assert answer._request_id.startswith("req_")
    chunks = list(create(sdk, "hello", stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == answer.choices[0].message.content
    assert chunks[-1].usage == answer.usage


def test_tools(sdk):
    chunks = list(create(sdk, "look_up it", tools=[TOOL], stream=True))
    pieces = [piece for c in chunks for piece in c.choices[0].delta.tool_calls or []]
    assert pieces[0].function.name == "look_up"
    assert "".join(piece.function.arguments for piece in pieces) == '{"what":"what"}'


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("401", openai.AuthenticationError),
        ("429", openai.RateLimitError),
        ("no-money", openai.RateLimitError),
        ("402", openai.APIStatusError),
        ("500", openai.InternalServerError),
        ("503", openai.InternalServerError),
        ("drop", openai.APIConnectionError),
    ],
)
def test_errors(sdk, word, error):
    with pytest.raises(error):
        create(sdk, f"hi sandbox:{word}")


@pytest.mark.parametrize("word", ["error-first", "error-mid"])
def test_errors_in_a_stream(sdk, word):
    with pytest.raises(openai.APIError, match="filter"):
        list(create(sdk, f"hi sandbox:{word}", stream=True))


@pytest.mark.parametrize(
    "word", ["crlf", "gzip", "split-utf8", "multi-data", "usage-twice", "done-twice", "no-done", "tokens=40"]
)
def test_harmless_ones(sdk, word):
    chunks = list(
        create(sdk, f"hi sandbox:tokens=40 sandbox:{word}", stream=True, stream_options={"include_usage": True})
    )
    assert chunks[-1].usage.completion_tokens == 40


async def test_async_without_a_key(box):
    async with openai.AsyncOpenAI(base_url=f"{box.url}/ollama/v1", api_key="none", max_retries=0) as client:
        stream = await create(client, "你好", stream=True)
        assert "沙箱" in "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
