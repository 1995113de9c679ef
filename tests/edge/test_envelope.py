"""What every answer has, and what becomes of wrong paths, wrong methods and bugs."""

import httpx2
import pytest
import structlog
from tests.edge.platform import Platform

from yuanjing.domain.errors import FencedError, StoreUnavailableError
from yuanjing.edge.app import create_app
from yuanjing.kit.metrics import CONTENT_TYPE

COLD = (
    "/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/models", "/v1/models/qwen3-max", "/llmage/v1/models",
    "/llmage/v1/pricing?model=qwen3-max", "/llmage/v1/balance",
)  # fmt: skip
HOT = ("/v1/chat/completions", "/llmage/v1/chat/completions")


@pytest.fixture(autouse=True)
def without_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page at `/` is then ours; those of the console are in test_site.py."""
    monkeypatch.setattr("yuanjing.edge.site.is_built", lambda: False)


async def test_head_is_get_without_a_body(client: httpx2.AsyncClient) -> None:
    for path in COLD:
        full, head = await client.get(path), await client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "content-type", "content-security-policy"):
            assert head.headers[name] == full.headers[name]


async def test_every_answer_has_an_id_and_security_headers(client: httpx2.AsyncClient) -> None:
    ids: set[str] = set()
    paths = (*COLD, *HOT, "/nothing", "/llmage/v1/pricing")
    for path in paths:
        answer = await client.get(path, headers={"x-request-id": "mine"})
        ids.add(answer.headers["x-request-id"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert len(ids) == len(paths)
    assert all(len(i) == 25 and i.startswith("req_") for i in ids)


async def test_hot_paths_know_post_only(client: httpx2.AsyncClient) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD"):
        for path in HOT:
            answer = await client.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
            text = f"This path does not know the method {method}; it knows POST"
            if method == "HEAD":
                assert answer.content == b""
            elif path.startswith("/llmage"):
                assert answer.json() == {"error": text}
            else:
                error = {"message": text, "type": "invalid_request_error", "param": None, "code": "method_not_allowed"}
                assert answer.json() == {"error": error}


async def test_other_paths_know_get_and_head(client: httpx2.AsyncClient) -> None:
    for path in COLD:
        answer = await client.post(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_options_tells_what_is_allowed(client: httpx2.AsyncClient) -> None:
    for paths, allow in ((HOT, "POST"), (COLD, "GET, HEAD")):
        for path in paths:
            answer = await client.options(path)
            assert (answer.status_code, answer.headers["allow"], answer.content) == (204, allow, b"")


async def test_unknown_paths(client: httpx2.AsyncClient) -> None:
    for path in ("/nothing", "/v1/nothing", "/docs", "/redoc", "/llmagefake", "/healthz/"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    for path in ("/llmage", "/llmage/", "/llmage/v1/nothing"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert answer.json() == {"error": "There is nothing at this path; see GET /openapi.json"}
    assert (await client.options("/nothing")).status_code == 404


async def test_a_hot_request_that_comes_up_here_is_a_bug(client: httpx2.AsyncClient) -> None:
    with structlog.testing.capture_logs() as lines:
        openai, llmage = [await client.post(path, json={"prompt": "canary"}) for path in HOT]
    assert openai.status_code == llmage.status_code == 500
    assert openai.json()["error"]["code"] == "internal_error"
    assert llmage.json() == {"error": "Internal error"}
    assert [(x["event"], x["route"], x["error"]) for x in lines] == [
        ("edge.failed", p, "MisdirectedError") for p in HOT
    ]
    assert lines[0]["request_id"] == openai.headers["x-request-id"]


async def test_a_bug_is_logged_without_what_the_customer_sent(platform: Platform) -> None:
    async def broken(_work: object) -> object:
        raise ValueError("canary in the text")

    platform.store.read = broken  # type: ignore[method-assign, assignment]
    async with platform.client() as client:
        with structlog.testing.capture_logs() as lines:
            answer = await client.get("/llmage/v1/pricing?model=canary", headers={"x-canary": "canary"})
    assert (answer.status_code, answer.json()) == (500, {"error": "Internal error"})
    assert "canary" not in answer.text
    assert "canary" not in str(lines)
    assert lines[0]["error"] == "ValueError"
    assert lines[0]["route"] == "/llmage/v1/pricing"
    assert any("broken" in place for place in lines[0]["trace"])


async def test_a_failure_that_no_dialect_lists_is_a_bug(platform: Platform) -> None:
    async def broken(_work: object) -> object:
        raise FencedError("node", 1)

    platform.store.read = broken  # type: ignore[method-assign, assignment]
    async with platform.client() as client:
        with structlog.testing.capture_logs() as lines:
            answer = await client.get("/v1/models")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert [x["error"] for x in lines] == ["FencedError"]


async def test_without_a_store_a_client_may_try_again(platform: Platform) -> None:
    async def broken(_work: object) -> object:
        raise StoreUnavailableError("down")

    platform.store.read = broken  # type: ignore[method-assign, assignment]
    async with platform.client() as client:
        answer = await client.get("/llmage/v1/balance")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json() == {"error": "Temporarily unavailable"}
        assert (await client.get("/v1/models")).json()["error"]["code"] == "store_unavailable"
        assert (await client.get("/healthz")).status_code == 200


async def test_health_and_readiness(platform: Platform, client: httpx2.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ready", "reasons": []}
    platform.is_ready = False
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["starting or stopping"])
    parts = platform.changed(why_not_ready=lambda: ["store_unavailable"])
    async with platform.client(key=None, parts=parts) as other:
        answer = await other.get("/readyz")
    assert (answer.status_code, answer.text) == (503, '{"status":"not_ready","reasons":["store_unavailable"]}')


async def test_metrics_are_for_this_machine(platform: Platform) -> None:
    platform.metrics = b"# HELP x X\n"
    public = platform.changed(metrics_public=True)
    for peer, headers, parts, status in (
        ("127.0.0.1", {}, platform.parts, 200),
        ("::1", {}, platform.parts, 200),
        ("192.0.2.1", {}, platform.parts, 404),
        ("127.0.0.1", {"x-forwarded-for": "192.0.2.1"}, platform.parts, 404),
        ("127.0.0.1", {"forwarded": "for=192.0.2.1"}, platform.parts, 404),
        ("192.0.2.1", {}, public, 200),
    ):
        async with platform.client(key=None, peer=peer, parts=parts) as client:
            answer = await client.get("/metrics", headers=headers)
        assert answer.status_code == status
        if status == 200:
            assert (answer.content, answer.headers["content-type"]) == (b"# HELP x X\n", CONTENT_TYPE)


async def test_the_home_page_needs_nothing_from_elsewhere(platform: Platform) -> None:
    async with platform.client(key=None) as client:
        answer = await client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for word in ("<script", "src=", "http-equiv", "@import", "url("):
        assert word not in answer.text
    assert 'href="/openapi.json"' in answer.text
    assert "curl https://ai.example.com/v1/chat/completions" in answer.text
    async with platform.client(key=None, parts=platform.changed(allow_test_pages=False)) as client:
        assert "yj_test_" not in (await client.get("/")).text


async def test_parts_do_not_show_the_pepper(platform: Platform) -> None:
    assert "pepper" not in repr(platform.parts)
    assert create_app(platform.parts).state.parts is platform.parts
