"""What bodies may be, and how each fault is named."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.edge.platform import Platform, described
from tests.edge_console.test_sign_in import code_of
from tests.support.signin import MOBILE, Browser

FIELDS = {
    "id": "cus_x", "customer_id": "cus_x", "name": "x", "created_at": 0, "disabled_at": None, "confirmed_at": 1e12,
    "digest": "x", "ends_at": 1e12, "idle_seconds": 1e9, "password_hash": "x", "totp_secret": "x", "failures": 0,
    "locked_until": 0, "test_grant_nanos": 10**18, "attempts": 0, "expires_at": 1e12, "code_digest": "x",
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({}, 400, "missing_required_parameter", "mobile"),
        ({"mobile": None}, 400, "missing_required_parameter", "mobile"),
        ({"mobile": ""}, 400, "invalid_parameter", "mobile"),
        ({"mobile": 13912345678}, 400, "invalid_parameter", "mobile"),
        ({"mobile": "1" * 31}, 400, "invalid_parameter", "mobile"),
        ({"mobile": ["13912345678"]}, 400, "invalid_parameter", "mobile"),
        ({"mobile": "nobody"}, 400, "invalid_parameter", "mobile"),
        ({"mobile": "+14155552671"}, 400, "number_not_served", "mobile"),
        ({"mobile": MOBILE, "purpose": "new-mobile"}, 400, "invalid_parameter", "purpose"),
        ({"mobile": MOBILE, "captcha": "x" * 4001}, 400, "invalid_parameter", "captcha"),
        ({"mobile": MOBILE, "captcha": "x"}, 403, "captcha_required", "captcha"),
        ({"mobile": MOBILE, "code": "123456"}, 400, "unsupported_parameter", "code"),
        ({"mobile": MOBILE, "é" * 100: 1}, 400, "unsupported_parameter", "é" * 60),
    ],
)
async def test_faults_of_asking_for_a_code(browser: Browser, body: Any, status: int, code: str, param: str) -> None:
    await browser.open()
    assert code_of(await browser.post("/api/auth/codes", body)) == (status, code, param)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", "mobile"),
        ({"mobile": MOBILE}, "missing_required_parameter", "code"),
        ({"mobile": MOBILE, "code": "123456"}, "missing_required_parameter", "challenge_id"),
        ({"mobile": MOBILE, "challenge_id": "chl_1"}, "missing_required_parameter", "code"),
        ({"mobile": MOBILE, "challenge_id": "chl_'--", "code": "123456"}, "invalid_parameter", "challenge_id"),
        ({"mobile": MOBILE, "challenge_id": "chl_1", "code": "12345a"}, "invalid_parameter", "code"),
        ({"mobile": MOBILE, "challenge_id": "chl_1", "code": 123456}, "invalid_parameter", "code"),
        ({"mobile": MOBILE, "challenge_id": "chl_1", "code": "123456\n"}, "invalid_parameter", "code"),
        ({"mobile": MOBILE, "password": "x", "code": "123456"}, "invalid_parameter", "code"),
        ({"mobile": MOBILE, "password": "x" * 129}, "invalid_parameter", "password"),
        ({"mobile": MOBILE, "password": ""}, "invalid_parameter", "password"),
        ({"mobile": MOBILE, "password": "x", "remember": "yes"}, "invalid_parameter", "remember"),
        ({"mobile": MOBILE, "password": "x", "totp": "12345"}, "invalid_parameter", "totp"),
        ({"mobile": MOBILE, "password": "x", "recovery_code": "x" * 41}, "invalid_parameter", "recovery_code"),
    ],
)
async def test_faults_of_signing_in(browser: Browser, body: Any, code: str, param: str) -> None:
    await browser.open()
    answer = await browser.post("/api/auth/sessions", body)
    assert code_of(answer) == (400, code, param)
    assert "123456" not in answer.text


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'"x"', b"{", b'{"mobile": "\xff"}', b'{"mobile": "\\ud800"}', b'{"mobile": "1\\u00001"}'],
    ids=repr,
)
async def test_what_is_no_json_object(browser: Browser, body: bytes) -> None:
    await browser.open()
    answer = await browser.send(
        "POST", "/api/auth/codes", content=body, headers={"content-type": "application/json; charset=utf-8"}
    )
    assert code_of(answer)[:2] in ((400, "invalid_json"), (400, "invalid_parameter"))


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_what_is_said_to_be_something_else(browser: Browser, media_type: str) -> None:
    """A form of another site needs no permission of ours to be sent; JSON does."""
    await browser.open()
    answer = await browser.send(
        "POST", "/api/auth/codes", content=b'{"mobile": "13912345678"}', headers={"content-type": media_type}
    )
    assert code_of(answer) == (415, "unsupported_media_type", None)


async def test_large_bodies_are_not_read(browser: Browser) -> None:
    await browser.open()
    headers = {"content-type": "application/json"}
    fits = b'{"mobile": "x"}'.ljust(64 * 1024)
    assert code_of(await browser.send("POST", "/api/auth/codes", content=fits, headers=headers))[0] == 400
    answer = await browser.send("POST", "/api/auth/codes", content=fits + b" ", headers=headers)
    assert code_of(answer) == (413, "request_too_large", None)


async def test_a_body_that_is_said_to_be_large_is_refused_before_it_comes(browser: Browser) -> None:
    """A client that waits with it, or never sends it, is answered all the same."""
    await browser.open()
    asked: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        asked.append(1)
        yield b"{"

    headers = {"content-type": "application/json", "content-length": str(64 * 1024 + 1)}
    answer = await browser.send("POST", "/api/auth/codes", content=body(), headers=headers)
    assert code_of(answer) == (413, "request_too_large", None)
    assert not asked


@pytest.mark.parametrize("depth", [1_000, 30_000])
async def test_deep_bodies_are_answered(browser: Browser, depth: int) -> None:
    await browser.open()
    body = b'{"mobile":' + b"[" * depth + b"]" * depth + b"}"
    answer = await browser.send("POST", "/api/auth/codes", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400


async def test_no_field_of_a_row_can_be_set_by_a_request(platform: Platform, browser: Browser) -> None:
    """Mass assignment: every body refuses what it does not know, under its name."""
    document = described(platform.parts)
    await browser.sign_in()
    count = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if not path.startswith("/api/") or "requestBody" not in operation:
                continue
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            assert schema["additionalProperties"] is False
            for name, value in FIELDS.items():
                if name in schema["properties"]:
                    continue
                count += 1
                body = dict.fromkeys(schema.get("required", []), "x") | {name: value}
                answer = await browser.send(method.upper(), path, json=body)
                assert answer.status_code == 400, (path, name)
                assert answer.json()["error"]["param"] in (name, *schema.get("required", []))
    assert count >= 80


async def test_every_body_is_a_json_object_of_a_known_size(platform: Platform, browser: Browser) -> None:
    """413, 415 and 400 at every route that reads one."""
    document = described(platform.parts)
    await browser.sign_in()
    bodies = [
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"{}", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b" " * (64 * 1024 + 1), "application/json", 413, "request_too_large"),
        (b"{", "application/json", 400, "invalid_json"),
        (b"[]", "application/json", 400, "invalid_json"),
    ]
    routes = [
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.startswith("/api/") and "requestBody" in operation
    ]
    assert {"/api/profile", "/api/keys", "/api/keys/{key_id}"} <= {path for _, path in routes}
    for method, path in routes:
        for content, media_type, status, code in bodies:
            answer = await browser.send(method, path, content=content, headers={"content-type": media_type})
            assert code_of(answer)[:2] == (status, code), (method, path, content[:9])
