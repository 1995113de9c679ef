"""The application on a real port, below the gateway's protocol: who answers what."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import httpx2
import pytest
import uvicorn
from tests.edge.platform import Platform
from tests.support.claims import FakeClaims
from tests.support.gateway import PEPPER, FakeBank, FakeDirectory, FakeNode, FakeSpool, ListLog

from yuanjing.edge.app import create_app
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.protocol import GatewayProtocol
from yuanjing.gateway.runtime import Gateway, GatewayParts
from yuanjing.kit.clock import SystemClock


@asynccontextmanager
async def serve(platform: Platform) -> AsyncGenerator[httpx2.AsyncClient]:
    gateway = Gateway(
        GatewayParts(
            options=GatewayOptions(),
            clock=SystemClock(),
            log=ListLog(),
            pepper=PEPPER,
            directory=FakeDirectory([]),
            leases=FakeBank(),
            claims=FakeClaims(),
            node=FakeNode(),
            spool=FakeSpool(),  # type: ignore[arg-type]
        )
    )

    @asynccontextmanager
    async def life(_app: object) -> AsyncGenerator[Mapping[str, object]]:
        await gateway.start()
        yield {"gateway": gateway}
        await gateway.stop()

    app = create_app(platform.changed(lifespan=life, is_ready=lambda: gateway.is_ready))
    config = uvicorn.Config(
        app,
        http=GatewayProtocol,
        ws="none",
        lifespan="on",
        log_level=logging.ERROR,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.005)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:
            yield client
        server.should_exit = True


async def test_hot_posts_are_the_gateways_and_all_else_is_ours(platform: Platform) -> None:
    headers = {"authorization": f"Bearer {platform.key}"}
    async with serve(platform) as client:
        assert (await client.get("/readyz")).json() == {"status": "ready", "reasons": []}
        for path in ("/v1/chat/completions", "/llmage/v1/chat/completions"):
            hot = await client.post(path, json={})
            assert hot.status_code == 401  # by the gateway, whose fake directory knows other keys
            cold = await client.get(path)
            assert (cold.status_code, cold.headers["allow"]) == (405, "POST")
            assert "cache-control" not in hot.headers
            assert "cache-control" in cold.headers
            head = await client.head(path)
            assert (head.status_code, head.content) == (405, b"")
            assert (await client.options(path)).status_code == 204
        assert (await client.get("/v1/models", headers=headers)).status_code == 200
        balance = await client.head("/llmage/v1/balance", headers=headers)
        assert (balance.status_code, balance.content) == (200, b"")
        assert int(balance.headers["content-length"]) > 100
        assert (await client.get("/llmage/v1/balance", headers=headers)).json()["available"] == "100.00"
        assert (await client.get("/metrics")).status_code == 200


async def test_the_401_of_both_sides_is_the_same(platform: Platform) -> None:
    async with serve(platform) as client:
        for hot, cold in (
            ("/v1/chat/completions", "/v1/models"),
            ("/llmage/v1/chat/completions", "/llmage/v1/balance"),
        ):
            below, above = await client.post(hot, json={}), await client.get(cold)
            assert (below.status_code, below.content) == (above.status_code, above.content)
            assert len(below.headers["x-request-id"]) == len(above.headers["x-request-id"])


async def _raw(port: int, line: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """The status line, headers and body that a request without a body gets."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(line + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *rest = head.split(b"\r\n")
    headers = (one.decode().partition(": ") for one in rest)
    return status, {name.lower(): value for name, _, value in headers}, body


async def test_methods_are_answered_as_the_reference_says(platform: Platform) -> None:
    async with serve(platform) as client:
        port = client.base_url.port
        assert port is not None
        status, headers, body = await _raw(port, b"FOO /v1/models")
        assert (status.split()[1], body) == (b"400", b"Invalid HTTP request received.")
        assert headers["content-type"].startswith("text/plain")
        assert "x-request-id" not in headers
        for line, expected, allow in (
            (b"CONNECT example.com:80", b"405", None),
            (b"OPTIONS *", b"404", None),
            (b"OPTIONS /v1/models", b"204", "GET, HEAD"),
            (b"OPTIONS /v1/chat/completions", b"204", "POST"),
            (b"DELETE /v1/models", b"405", "GET, HEAD"),
        ):
            status, headers, _ = await _raw(port, line)
            assert (status.split()[1], headers.get("allow")) == (expected, allow), line
            assert headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1/chat/completions%0a", "/v1/models%0A", "/healthz%0a", "/v1/models/x%0a"])
async def test_a_line_feed_at_the_end_makes_another_path(platform: Platform, path: str) -> None:
    async with serve(platform) as client:
        for method in ("POST", "GET"):
            answer = await client.request(method, path, json={})
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
