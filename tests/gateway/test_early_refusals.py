"""Refusals before a request is read whole: in the dialect of its path, with the headers that HTTP wants."""

import pytest
from tests.support.chat import PATHS, post, user
from tests.support.gateway import FakeDirectory, GatewayServer, channel
from tests.support.rawclient import RawClient

from yuanjing.gateway.options import GatewayOptions

DIALECTS = ("openai", "llmage")


@pytest.fixture(scope="module")
def server():
    options = GatewayOptions(tick_seconds=0.02, request_head_seconds=0.3)
    with GatewayServer(FakeDirectory([channel("http://127.0.0.1:9/v1")]), options=options) as server:
        yield server
        assert server.loop_errors == []


def is_in_dialect(error, dialect):
    return isinstance(error, dict) == (dialect == "openai")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_headers_too_large(server, dialect):
    reply = post(server, dialect, user("x"), headers={"x-much": "a" * 70_000})
    assert reply.status == 431
    assert is_in_dialect(reply.error, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_headers_too_slow(server, dialect):
    with RawClient(server.port, timeout=10.0) as client:
        client.send(f"POST {PATHS[dialect]} HTTP/1.1\r\nhost: x\r\n".encode())
        answer = client.receive()
    assert answer.status == 408
    assert is_in_dialect(answer.json["error"], dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_who_shows_no_key_is_told_how(server, dialect):
    reply = post(server, dialect, user("x"), key=None)
    assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert is_in_dialect(reply.error, dialect)
