"""Streams of compatible providers whose chunks are not the usual ones."""

import pytest
from tests.gateway.test_translate import BELIEVED, DIALECTS, last_chunk
from tests.support.chat import ScriptedUpstream, post, stream, user
from tests.support.gateway import FakeDirectory, GatewayServer, channel


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(b"") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def scripted(upstream):
    with GatewayServer(FakeDirectory([channel(upstream.url)])) as server:
        yield server
        assert server.loop_errors == []


def test_who_asks_for_usage_in_each_chunk_gets_it(scripted, upstream):
    choice = {"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}
    upstream.answer = stream(last_chunk(choices=[choice], usage=BELIEVED), b"[DONE]")
    options = {"include_usage": True, "continuous_usage_stats": True}
    reply = post(scripted, "openai", user("x", stream=True, stream_options=options))
    assert [c["usage"]["prompt_tokens"] for c in reply.chunks] == [7, 7]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_without_an_answer_is_none(scripted, upstream, dialect):
    upstream.answer = stream(b"[DONE]")
    before = len(scripted.spool.records)
    reply = post(scripted, dialect, user("x", stream=True))
    assert reply.status == 502
    assert scripted.spool.records[before:] == []


def test_the_top_of_a_seed_chunk_is_the_first_choices(scripted, upstream):
    deltas = [
        [{"index": 1, "delta": {"content": "B", "reasoning_content": "b"}}],
        [{"index": 0, "delta": {"content": "A"}, "finish_reason": "stop"}],
        [{"index": 1, "delta": {}, "finish_reason": "stop"}],
    ]
    upstream.answer = stream(*[last_chunk(choices=d) for d in deltas], b"[DONE]")
    reply = post(scripted, "llmage", user("x", stream=True, n=2))
    assert [c["content"] for c in reply.chunks[:-1]] == ["", "A", ""]
    assert {c["reasoning_content"] for c in reply.chunks[:-1]} == {None}


def test_the_id_is_that_of_the_first_chunk_that_has_one(scripted, upstream):
    empty = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
    upstream.answer = stream(
        empty, last_chunk(choices=[{"index": 0, "delta": {"content": "x"}}]), last_chunk(), b"[DONE]"
    )
    reply = post(scripted, "llmage", user("x", stream=True))
    assert {c["id"] for c in reply.chunks} == {last_chunk()["id"]}
