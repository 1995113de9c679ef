import asyncio
import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from bench.load import BODY_BYTES, chat_body

from bench import paced, upstream

PATH = "/v1/chat/completions"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = await upstream.start()
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture
async def client(port: int) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client


async def test_a_plain_answer_is_600_bytes_of_json_with_usage(client: httpx2.AsyncClient) -> None:
    for path in (PATH, "/compatible-mode/v1/chat/completions?x=1"):
        answer = await client.post(path, content=chat_body("openai", is_stream=False))
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert len(answer.content) == upstream.PLAIN_BYTES
        assert answer.json()["usage"] == upstream.USAGE


@pytest.mark.parametrize("body", [b'{"stream":true}', b'{"stream": true}', chat_body("llmage", is_stream=True)])
async def test_a_stream_is_64_chunks_then_usage_then_done(client: httpx2.AsyncClient, body: bytes) -> None:
    answer = await client.post(PATH, content=body)
    assert answer.headers["transfer-encoding"] == "chunked"
    events = answer.text.removesuffix("\n\n").split("\n\n")
    assert events[-1] == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-1]]
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks[:-1]] == [f"word{n:02} " for n in range(64)]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == upstream.USAGE


async def test_models_health_and_unknown_paths(client: httpx2.AsyncClient) -> None:
    assert [model["id"] for model in (await client.get("/v1/models")).json()["data"]] == list(upstream.MODELS)
    assert (await client.get("/health")).status_code == 200
    assert (await client.get(PATH)).status_code == 404
    assert (await client.post("/v1/embeddings", content=b"{}")).status_code == 404


async def test_pipelined_requests_are_answered_in_order_also_behind_a_paced_stream(port: int) -> None:
    def post(body: bytes, more: str = "") -> bytes:
        return f"POST {PATH} HTTP/1.1\r\nhost: x\r\n{more}content-length: {len(body)}\r\n\r\n".encode() + body

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(post(b"{}") + post(b'{"stream":true,"model":"paced-1000"}') + post(b'{"stream":true}'))
    writer.write(post(b"{}", "connection: close\r\n"))
    answers = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    first, paced_stream, stream, last = (b"HTTP/1.1 200 OK" + part for part in answers.split(b"HTTP/1.1 200 OK")[1:])
    assert first == last == upstream.PLAIN
    assert stream == upstream.STREAM
    assert paced_stream.count(b'"content":"@') == upstream.CHUNKS
    assert paced_stream.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


async def test_the_connection_ends_after_an_answer_that_closes_it(port: int) -> None:
    for body in (b"{}", b'{"stream":true}', b'{"stream":true,"model":"paced-1000"}'):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert answer.endswith(upstream.PLAIN[-40:] if body == b"{}" else b"0\r\n\r\n")


async def _run_paced(port: int, body: bytes, streams: int = 20) -> tuple[paced.Paced, list[str]]:
    peaks: list[str] = []
    request = paced.request_bytes("x", PATH, {"content-type": "application/json"}, body)
    seen = await paced.run(
        host="127.0.0.1",
        port=port,
        request=request,
        streams=streams,
        interval_ms=5,
        on_peak=lambda: peaks.append("peak"),
    )
    return seen, peaks


async def test_paced_clients_see_every_chunk_and_how_late_it_was(port: int) -> None:
    seen, peaks = await _run_paced(port, chat_body("openai", is_stream=True, word="paced-200"))
    assert seen.errors == {}
    assert peaks == ["peak"]
    assert seen.chunks == 20 * upstream.CHUNKS
    assert 0 < seen.late_p50_ms <= seen.late_p99_ms <= seen.late_max_ms
    assert seen.upstream_late_max_ms <= seen.late_max_ms
    assert seen.seconds >= 0.005 * (upstream.CHUNKS - 1)
    assert seen.body_bytes > seen.chunks * 100


async def test_paced_clients_count_streams_that_are_not_whole(port: int) -> None:
    seen, peaks = await _run_paced(port, b"{}", streams=3)
    assert seen.errors == {"chunks missing": 3}
    assert peaks == []
    request = paced.request_bytes("x", "/nowhere", {}, b"{}")
    seen = await paced.run(host="127.0.0.1", port=port, request=request, streams=2, interval_ms=5)
    assert seen.errors == {"status 404": 2}


@pytest.mark.parametrize("dialect", ["openai", "llmage"])
@pytest.mark.parametrize("is_stream", [True, False])
def test_requests_are_200_bytes_of_json(dialect: str, *, is_stream: bool) -> None:
    body = chat_body(dialect, is_stream=is_stream, word="paced-20")
    assert len(body) == BODY_BYTES
    assert json.loads(body).get("stream", False) is is_stream
    assert b"paced-20 " in body
