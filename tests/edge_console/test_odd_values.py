"""Values that no page of ours sends, in every field of every body under `/api/auth` (goal S13)."""

import json
import time
from typing import Any

import pytest
from tests.edge.platform import Platform, described
from tests.support.signin import Browser

SECONDS_MAX = 2.0
VALUES: dict[str, str] = {
    "long": json.dumps("x" * 60_000),
    "digits": json.dumps("1" * 60_000),
    "huge": "1" * 4_000,
    "exponent": "1e999",
    "nan": "NaN",
    "negative": "-1",
    "true": "true",
    "list": "[" * 1_000 + "]" * 1_000,
    "deep": "[" * 20_000 + "]" * 20_000,
    "object": '{"$ne": null}',
    "nul": '"a\\u0000b"',
    "surrogate": '"\\ud800"',
    "newline": '"123456\\n"',
    "other digits": json.dumps("١٢٣٤٥٦"),
    "sql": json.dumps("' --"),
}


def fields_of(document: Any) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Method, path, field, and the fields that are needed beside it."""
    found = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if path.startswith("/api/auth/") and "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                needed = tuple(schema.get("required", ()))
                found += [(method.upper(), path, name, needed) for name in schema["properties"]]
    return found


GOOD = {
    "mobile": '"13912345679"',
    "code": '"123456"',
    "challenge_id": '"chl_0"',
    "password": '"correct-horse-battery-staple"',
    "totp": '"123456"',
}


@pytest.mark.parametrize("value", VALUES)
async def test_no_value_of_a_field_is_an_error_of_ours(platform: Platform, browser: Browser, value: str) -> None:
    document = described(platform.parts)
    await browser.sign_in()
    fields = fields_of(document)
    assert len(fields) >= 20
    for method, path, name, needed in fields:
        parts = {one: GOOD[one] for one in needed if one != name} | {name: VALUES[value]}
        if name == "remember" and value == "true":
            continue
        content = "{" + ", ".join(f'"{one}": {text}' for one, text in parts.items()) + "}"
        began = time.perf_counter()
        answer = await browser.send(
            method, path, content=content.encode(), headers={"content-type": "application/json"}
        )
        assert 400 <= answer.status_code < 500, (method, path, name, answer.text)
        seconds = time.perf_counter() - began
        assert seconds < SECONDS_MAX or answer.json()["error"]["code"] == "wrong_password", (method, path, name)
        assert answer.json()["error"]["code"] != "internal_error"
    assert (await browser.open())["customer"] is not None


async def test_a_parameter_that_is_not_listed_is_refused_where_there_are_any(
    platform: Platform, browser: Browser
) -> None:
    """As docs/reference/console-api.md says; a path that has none does not read what follows the question mark."""
    await browser.sign_in()
    paths = described(platform.parts)["paths"]
    gets = {path: item["get"] for path, item in paths.items() if path.startswith("/api/") and "get" in item}
    with_parameters = {
        path: found
        for path, operation in gets.items()
        if (found := [one for one in operation.get("parameters", ()) if one["in"] == "query"])
    }
    assert len(with_parameters) >= 8
    for path, parameters in with_parameters.items():
        needed = {one["name"]: "2026-01-01" for one in parameters if one.get("required")}
        answer = await browser.client.get(path.replace("{month}", "2026-01"), params=needed | {"x": "1"})
        assert answer.status_code == 400, (path, answer.text)
        assert answer.json()["error"]["param"] == "x", path
    for path in gets.keys() - with_parameters.keys():
        if "{" not in path:
            assert (await browser.client.get(path, params={"x": "1"})).status_code == 200, path


@pytest.mark.parametrize(
    "cookie",
    [b"x" * 60_000, b"a=b", b'"quoted"', b"%00", "é".encode(), b"\xff", b"ses_0", b"../..", b"' OR 1=1 --"],
)
async def test_odd_cookies_are_nobodys(platform: Platform, cookie: bytes) -> None:
    browser = platform.browser()
    async with browser.client:
        for name in (b"__Host-yj_session", b"__Host-yj_browser"):
            answer = await browser.client.get("/api/auth/session", headers={"cookie": name + b"=" + cookie})
            assert answer.status_code == 200
            assert answer.json()["customer"] is None
        answer = await browser.client.get("/api/auth/sessions", headers={"cookie": b"__Host-yj_session=" + cookie})
        assert answer.status_code == 401


async def test_a_planted_browser_is_worth_nothing_without_its_token(platform: Platform, browser: Browser) -> None:
    """Who plants a cookie that it knows in somebody's browser still cannot send requests as that browser's page."""
    browser.client.cookies.set("__Host-yj_browser", "planted", domain="ai.example.com")
    for token in ("planted", "", "x" * 60_000):
        browser.token = token
        answer = await browser.post("/api/auth/codes", {"mobile": "13912345679"})
        assert answer.json()["error"]["code"] == "forgery_suspected"
    assert platform.sms.sent == []
