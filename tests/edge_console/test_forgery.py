"""Requests that another site's page may have sent, and keys and cookies in the wrong places."""

from typing import Any

import httpx2
import pytest
from tests.edge.platform import Platform, described
from tests.edge_console.test_sign_in import code_of
from tests.support.signin import MOBILE, OTHER_MOBILE, Browser

Json = dict
OWN = "https://ai.example.com"
GOOD = {"origin": OWN, "sec-fetch-site": "same-origin"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": OWN + ".evil.example"},
        {"origin": "http://ai.example.com"},
        {"origin": OWN + ":8443"},
        {"origin": OWN + "/"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": OWN, "sec-fetch-site": "cross-site"},
        {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
    ],
    ids=repr,
)
async def test_a_foreign_or_missing_origin_is_refused(browser: Browser, headers: dict[str, str]) -> None:
    await browser.sign_in()
    answer = await browser.client.delete("/api/auth/session", headers={"x-csrf-token": browser.token, **headers})
    assert code_of(answer) == (403, "forgery_suspected", "origin")
    assert (await browser.open())["customer"] is not None


@pytest.mark.parametrize("headers", [{"origin": OWN}, {"sec-fetch-site": "same-origin"}, GOOD], ids=repr)
async def test_either_header_shows_our_own_page(browser: Browser, headers: dict[str, str]) -> None:
    await browser.sign_in()
    answer = await browser.client.delete("/api/auth/session", headers={"x-csrf-token": browser.token, **headers})
    assert answer.status_code == 204


@pytest.mark.parametrize("token", [None, "", "x", "ä"], ids=repr)
async def test_a_missing_or_wrong_token_is_refused(browser: Browser, token: str | None) -> None:
    await browser.sign_in()
    headers: Any = GOOD if token is None else GOOD | {"x-csrf-token": token.encode()}
    answer = await browser.client.delete("/api/auth/session", headers=headers)
    assert code_of(answer) == (403, "forgery_suspected", "x-csrf-token")


async def test_the_token_is_of_the_session_and_of_no_other(platform: Platform, browser: Browser) -> None:
    before = (await browser.open())["csrf_token"]
    await browser.sign_in()
    other = platform.browser()
    async with other.client:
        await other.open()
        for token in (before, other.token):
            answer = await browser.send("DELETE", "/api/auth/session", headers={"x-csrf-token": token})
            assert code_of(answer)[1] == "forgery_suspected"


async def test_who_shows_a_token_reads_nothing_of_another_session(browser: Browser) -> None:
    """A page that is still open on one customer's data, where somebody else has signed in meanwhile."""
    await browser.sign_in()
    before = browser.token
    for token, expected in ((before, 200), (None, 200), ("", 403), ("ä", 403)):
        headers: Any = {} if token is None else {"x-csrf-token": token.encode()}
        assert (await browser.client.get("/api/balance", headers=headers)).status_code == expected, token
    await browser.send("DELETE", "/api/auth/session")
    answer = await browser.client.get("/api/balance", headers={"x-csrf-token": before})
    assert code_of(answer)[1] == "not_signed_in"
    await browser.sign_in(OTHER_MOBILE)
    answer = await browser.client.get("/api/balance", headers={"x-csrf-token": before})
    assert code_of(answer) == (403, "forgery_suspected", "x-csrf-token")


async def test_signing_in_needs_the_token_of_the_browser_too(platform: Platform, browser: Browser) -> None:
    """Else another site could sign its visitor in as somebody else (login CSRF)."""
    await browser.open()
    challenge = await browser.ask_code()
    body = {"mobile": MOBILE, "challenge_id": challenge, "code": platform.sms.code()}
    answer = await browser.client.post("/api/auth/sessions", json=body, headers=GOOD)
    assert code_of(answer) == (403, "forgery_suspected", "x-csrf-token")
    other = platform.browser()
    async with other.client:
        answer = await other.client.post("/api/auth/codes", json={"mobile": MOBILE}, headers=GOOD)
        assert code_of(answer)[1] == "forgery_suspected"  # no cookie, no token
        await other.open()
        answer = await other.post("/api/auth/sessions", body)
        assert code_of(answer) == (403, "wrong_code", "code")  # not the browser that asked


async def test_without_a_public_address_the_host_that_was_called_is_ours(platform: Platform) -> None:
    browser = platform.browser(parts=platform.changed(public_base_url=""))
    async with browser.client:
        browser.origin = "http://ai.example.com"
        assert await browser.sign_in()
        browser.origin = "http://evil.example"
        assert code_of(await browser.post("/api/auth/totp"))[1] == "forgery_suspected"
        browser.origin = "http://[bad"
        assert code_of(await browser.post("/api/auth/totp"))[1] == "forgery_suspected"


async def test_a_key_opens_nothing_of_the_console(platform: Platform) -> None:
    browser = platform.browser(key=platform.key)
    async with browser.client:
        await browser.open()
        assert code_of(await browser.client.get("/api/auth/sessions")) == (401, "not_signed_in", None)
        assert code_of(await browser.post("/api/auth/totp")) == (401, "not_signed_in", None)


async def test_a_cookie_opens_nothing_of_the_api(browser: Browser) -> None:
    await browser.sign_in()
    for path in ("/v1/models", "/llmage/v1/models", "/llmage/v1/balance", "/llmage/tasks?taskid=1", "/v1/videos/1"):
        answer = await browser.send("GET", path)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/llmage/video", "/v1/videos"):
        assert (await browser.post(path, {"model": "x", "prompt": "x"})).status_code == 401


def unsafe_routes(document: Json) -> list[tuple[str, str]]:
    return [
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method in item
        if path.startswith("/api/") and method not in ("get", "head")
    ]


async def test_every_route_that_changes_anything_refuses_forged_requests(platform: Platform, browser: Browser) -> None:
    """A route that is added later is among them, or is not documented, which fails elsewhere."""
    document = described(platform.parts)
    await browser.sign_in()
    routes = unsafe_routes(document)
    assert len(routes) >= 11
    for method, path in routes:
        target = path.replace("{", "").replace("}", "")
        cases: list[dict[str, str]] = [
            {"x-csrf-token": browser.token},
            {"x-csrf-token": browser.token, "origin": "https://evil.example"},
            GOOD,
            GOOD | {"x-csrf-token": "x"},
        ]
        for headers in cases:
            answer = await browser.client.request(method, target, json={}, headers=headers)
            assert code_of(answer)[:2] == (403, "forgery_suspected"), (method, path, headers)
        names = {one["name"] for one in document["paths"][path][method.lower()]["parameters"]}
        assert {"Origin", "X-CSRF-Token"} <= names
        assert "403" in document["paths"][path][method.lower()]["responses"]


async def test_every_route_is_open_on_purpose_or_wants_a_session(platform: Platform) -> None:
    document = described(platform.parts)
    is_open = {
        ("GET", "/api/auth/captcha"),
        ("GET", "/api/auth/session"),
        ("GET", "/api/models"),
        ("GET", "/api/models/{llmid}"),
        ("POST", "/api/auth/codes"),
        ("POST", "/api/auth/sessions"),
    }
    browser = platform.browser(key=platform.key)
    async with browser.client:
        await browser.open()
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if not path.startswith("/api/") or (method.upper(), path) in is_open:
                    continue
                assert operation["security"] == [{"session": []}], path
                answer = await browser.send(method.upper(), path.replace("{", "").replace("}", ""))
                assert code_of(answer) == (401, "not_signed_in", None), path


async def test_wrong_paths_and_methods_answer_in_the_consoles_shape(browser: Browser) -> None:
    answer = await browser.client.get("/api/nothing")
    assert code_of(answer) == (404, "not_found", None)
    answer = await browser.client.patch("/api/auth/session")
    assert code_of(answer) == (405, "method_not_allowed", None)
    assert isinstance(answer, httpx2.Response)
    assert answer.headers["cache-control"] == "no-store"
