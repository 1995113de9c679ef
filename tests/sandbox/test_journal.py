import time

import pytest

from yuanjing.kit.clock import ManualClock
from yuanjing.sandbox.chat.cache import PrefixCache
from yuanjing.sandbox.options import SandboxOptions


def test_what_it_tells(box, make_chat):
    usage = box.events("moonshot", "hello", model="told", stream_options={"include_usage": True})[-2]["usage"]
    entry = box.entry("told", bodies=1)
    assert entry.pop("body").startswith('{"model":"told"')
    assert entry["duration_seconds"] < 5
    assert entry["time"].endswith("+00:00")
    assert entry["request_id"]
    wanted = {
        "path": "/moonshot/v1/chat/completions",
        "flavour": "moonshot",
        "credential": "-key",
        "stream": True,
        "include_usage": True,
        "messages": 1,
        "status": 200,
        "fault": None,
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "sent_tokens": usage["completion_tokens"],
        "cached_tokens": 0,
        "client_left": False,
    }
    assert entry.items() >= wanted.items()
    assert "body" not in box.entry("told")
    box.post("openai", make_chat("x", model="refused"), key="wrong-1234")
    last = box.journal()[0]
    assert (last["status"], last["credential"], last["completion_tokens"]) == (401, "1234", None)


def test_bounded_and_cleared(serve, make_chat):
    small = serve(SandboxOptions(time_scale=0, journal_length=3, journal_body_bytes_max=200))
    for number in range(5):
        small.post("openai", make_chat("x" * 50 * number, model=f"m{number}"))
    entries = small.journal(bodies=1)
    assert [entry["model"] for entry in entries] == ["m4", "m3", "m2"]
    assert [entry["body"] is None for entry in entries] == [True, True, False]
    assert len(small.journal(limit=1)) == 1
    assert small.client.get("/sandbox/journal?limit=x").status_code == 400
    assert small.client.delete("/sandbox/journal").json() == {"cleared": True}
    assert small.journal() == []


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves(serve, make_chat, stream):
    slow = serve(SandboxOptions(time_scale=1, chunks_per_second=20, first_token_seconds=0.02))
    body = make_chat("hello there sandbox:tokens=2000 sandbox:split-utf8", stream=stream, model="left")
    headers = {"authorization": "Bearer sandbox-key"}
    began = time.monotonic()
    if stream:
        with slow.client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
            next(answer.iter_raw())
    else:
        with pytest.raises(Exception, match="timed out"):
            slow.client.post("/v1/chat/completions", json=body, headers=headers, timeout=0.1)
    entry = slow.entry("left")
    assert entry["client_left"]
    assert entry["completion_tokens"] is None
    assert entry["sent_tokens"] < 100
    assert time.monotonic() - began < 2


def test_pacing(serve):
    paced = serve(SandboxOptions(first_token_seconds=0.2, chunks_per_second=100, tokens_per_chunk=1))
    for ask in (paced.ask, paced.events):
        began = time.monotonic()
        ask("openai", "hi sandbox:tokens=30")
        assert 0.45 <= time.monotonic() - began < 2


def test_index_pages(box):
    told = box.client.get("/sandbox").json()
    assert "sandbox:stall=SECONDS" in told["magic_words"]
    assert told["flavours"]["dashscope"] == ["/compatible-mode/v1"]
    page = box.client.get("/sandbox", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "sandbox:drop" in page.text


def test_the_cache_forgets():
    clock = ManualClock()
    cache = PrefixCache(clock, seconds=300, blocks_max=20)
    pieces = [str(number) for number in range(400)]
    assert cache.implicit("a", pieces) == 0
    assert cache.implicit("a", pieces) == 384
    assert cache.implicit("a", [*pieces[:300], *pieces]) == 256
    assert cache.implicit("b", pieces) == 0
    assert cache.implicit("a", pieces[:256]) == 0
    assert cache.implicit("a", pieces[:257]) == 256
    clock.advance(301)
    assert cache.implicit("a", pieces) == 0
    assert cache.implicit("a", pieces) == 384
    cache.implicit("c", [str(-number) for number in range(64 * 21)])
    assert cache.implicit("a", pieces) == 0
