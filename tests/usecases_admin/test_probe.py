"""`channel test` against servers that answer well, badly and not at all."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from yuanjing.adapters.providers.probe import HttpChannelProbe
from yuanjing.ports.upstream import ProbeTarget

SECRET = "sk-canary-0123456789"


@asynccontextmanager
async def provider(status, body, *, is_silent=False):
    """An HTTP server with one answer; yields its address and the requests it got."""
    requests = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if b"content-length:" in line.lower()), 0
        )
        requests.append((head.decode(), await reader.readexactly(length)))
        if not is_silent:
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            writer.write(
                b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (status, len(text)) + text
            )
            await writer.drain()
            writer.close()
        else:
            await reader.read()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1", requests
    finally:
        server.close()


async def probe(address, *, model=None, credential=SECRET, timeout_seconds=5.0):
    target = ProbeTarget(base_url=address, credential=credential, model=model)
    return await HttpChannelProbe(timeout_seconds=timeout_seconds).probe(target)


async def test_a_list_of_models_is_good_news():
    answer = {"object": "list", "data": [{"id": "b"}, {"id": "a"}, {"odd": 1}, "odd"]}
    async with provider(200, answer) as (address, requests):
        report = await probe(address)
    assert (report.is_ok, report.status, report.models) == (True, 200, ("a", "b"))
    head, _ = requests[0]
    assert head.startswith("GET /v1/models HTTP/1.1\r\n")
    assert f"authorization: Bearer {SECRET}" in head


async def test_a_tiny_chat_asks_for_one_token():
    async with provider(200, {"choices": []}) as (address, requests):
        report = await probe(address, model="m")
    assert report.is_ok
    head, body = requests[0]
    assert head.startswith("POST /v1/chat/completions ")
    assert json.loads(body) == {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}


async def test_without_a_credential_none_is_sent():
    async with provider(200, {"data": []}) as (address, requests):
        assert (await probe(address, credential="")).is_ok
    assert "authorization" not in requests[0][0].lower()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {"error": {"message": f"Incorrect API key {SECRET}"}}, "credential is refused"),
        (401, {"error": f"no {SECRET}"}, "credential is refused"),
        (402, {}, "no money"),
        (403, {}, "permissions"),
        (404, b"<html>", "address"),
        (429, {"message": "slow"}, "limited"),
        (500, b"", "unexpected status"),
        (200, b"<html>hello</html>", "not in the OpenAI protocol"),
        (200, [], "not in the OpenAI protocol"),
        (302, b"", "unexpected status"),
    ],
)
async def test_bad_news_says_what_to_change_and_never_the_credential(status, body, words):
    async with provider(status, body) as (address, _):
        report = await probe(address)
    assert not report.is_ok
    assert report.status == status
    assert words in report.message
    assert SECRET not in report.message


async def test_silence_and_absence_are_reports_too():
    async with provider(200, {}, is_silent=True) as (address, _):
        report = await probe(address, timeout_seconds=0.2)
    assert (report.is_ok, report.status) == (False, None)
    assert "no answer in time" in report.message
    report = await probe("http://127.0.0.1:9/v1")
    assert "cannot be reached" in report.message
