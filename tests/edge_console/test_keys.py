"""Keys over HTTP: made once, shown once, changed, and ended."""

from typing import Any

import pytest
from tests.adapters.store_contract.builders import usage
from tests.edge.platform import PEPPER, Platform
from tests.edge_console.test_sign_in import code_of
from tests.support.signin import OTHER_MOBILE, Browser

from yuanjing.domain.identity import AuthenticationError
from yuanjing.ports.store import Topic
from yuanjing.usecases.key_finder import KeyFinder
from yuanjing.usecases.keys import authenticate

DAY = 86_400.0


async def made(browser: Browser, **body: object) -> Any:
    answer = await browser.post("/api/keys", {"book": "test", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_key_is_shown_once_and_opens(platform: Platform, browser: Browser) -> None:
    me = (await browser.sign_in())["customer"]["id"]
    answer = await browser.post(
        "/api/keys",
        {
            "book": "live", "name": "生产", "expires_at": "2026-12-31", "models": ["qwen-max", "org/other:1"],
            "networks": ["192.0.2.7", "2001:db8::/32"], "requests_per_minute": 60, "tokens_per_minute": 1_000_000,
            "concurrency": 4, "budget": "12.5", "budget_period": "month",
        },
    )  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    text, key_id = body.pop("key"), body["id"]
    assert text.startswith(body["prefix"] + "_")
    assert body == {
        "object": "key", "id": key_id, "prefix": text[:16], "name": "生产", "book": "live", "state": "active",
        "created_at": "2026-11-01T00:00:00Z", "expires_at": "2026-12-31T16:00:00Z", "revoked_at": None,
        "last_used_at": None, "spent_this_month": "0.00", "spent_total": "0.00", "models": ["qwen3-max", "org/other:1"],
        "networks": ["192.0.2.7/32", "2001:db8::/32"], "requests_per_minute": 60, "tokens_per_minute": 1_000_000,
        "concurrency": 4, "budget": "12.50", "budget_period": "month", "budget_spent": "0.00", "budget_held": "0.00",
    }  # fmt: skip
    caller = await authenticate(KeyFinder(platform.store), platform.clock, PEPPER, text)
    assert (caller.customer.id, caller.key.id) == (me, key_id)
    one, several = await browser.client.get(f"/api/keys/{key_id}"), await browser.client.get("/api/keys")
    assert one.json() == body
    assert several.json() == {"object": "list", "data": [body], "next": None}
    assert text.split("_")[3] not in one.text + several.text


async def test_a_key_that_nothing_is_said_of_has_no_limits(browser: Browser) -> None:
    await browser.sign_in()
    body = await made(browser)
    assert (body["name"], body["models"], body["networks"], body["budget_period"]) == ("", [], [], "total")
    for name in ("expires_at", "requests_per_minute", "tokens_per_minute", "concurrency", "budget", "budget_spent"):
        assert body[name] is None, name


async def test_a_key_tells_its_last_use_and_what_it_has_cost(platform: Platform, browser: Browser) -> None:
    me = (await browser.sign_in())["customer"]["id"]
    body = await made(browser)
    now = platform.clock.unix()
    posted = [
        usage(f"u{age}", customer_id=me, key_id=body["id"], charge_nanos=10**9, posted_at=now - age * 3600.0)
        for age in (0, 10)  # the month began eight hours ago
    ]
    await platform.store.write(lambda tx: tx.usages.add_new(posted))
    found = (await browser.client.get(f"/api/keys/{body['id']}")).json()
    assert (found["last_used_at"], found["spent_this_month"], found["spent_total"]) == (
        "2026-11-01T00:00:00Z", "1.00", "2.00",
    )  # fmt: skip


async def test_a_change_leaves_what_is_not_named(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    body = await made(browser, name="old", concurrency=3, budget="5", expires_at="2026-11-30T00:00:00Z")
    path = f"/api/keys/{body['id']}"
    del body["key"]

    async def change(**changes: object) -> Any:
        answer = await browser.send("PATCH", path, json=changes)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert await change() == body
    assert await change(name="new") == body | {"name": "new"}
    changed = await change(concurrency=None, requests_per_minute=7, models=["qwen3-max"], networks=["10.0.0.0/8"])
    assert changed == body | {
        "name": "new", "concurrency": None, "requests_per_minute": 7,
        "models": ["qwen3-max"], "networks": ["10.0.0.0/8"],
    }  # fmt: skip
    changed = await change(expires_at=None, budget=None, models=[], networks=[], name="")
    assert changed == body | {
        "name": "", "concurrency": None, "requests_per_minute": 7, "expires_at": None, "budget": None,
        "budget_spent": None, "budget_held": None,
    }  # fmt: skip
    assert (await change(budget="0.000000001", budget_period="day"))["budget"] == "0.000000001"
    signals = await platform.store.read(lambda tx: tx.signals.since(0, 100))
    assert [(one.topic, one.subject) for one in signals if one.topic is Topic.KEY] == [
        (Topic.KEY, body["prefix"][8:])
    ] * 4


async def test_a_revoked_key_is_over(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    body = await made(browser)
    path = f"/api/keys/{body['id']}"
    platform.clock.advance(60)
    for _ in range(2):
        assert (await browser.send("DELETE", path)).status_code == 204
    found = (await browser.client.get(path)).json()
    assert (found["state"], found["revoked_at"]) == ("revoked", "2026-11-01T00:01:00Z")
    assert code_of(await browser.send("PATCH", path, json={"name": "x"})) == (409, "key_revoked", None)
    with pytest.raises(AuthenticationError):
        await authenticate(KeyFinder(platform.store), platform.clock, PEPPER, body["key"])


async def test_an_expired_key_says_so_and_can_be_lengthened(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    body = await made(browser, expires_at="2026-11-01T00:00:01Z")
    platform.clock.advance(1)
    path = f"/api/keys/{body['id']}"
    assert (await browser.client.get(path)).json()["state"] == "expired"
    answer = await browser.send("PATCH", path, json={"expires_at": "2026-11-01T00:00:01Z"})
    assert answer.status_code == 200  # nothing changes
    assert code_of(await browser.send("PATCH", path, json={"expires_at": "2026-10-31"})) == (
        400, "invalid_parameter", "expires_at",
    )  # fmt: skip
    assert (await browser.send("PATCH", path, json={"expires_at": "2026-11-02"})).json()["state"] == "active"


async def test_there_are_so_many_keys_and_they_come_in_pages(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    ids = [(await made(browser, book="live" if n % 2 else "test"))["id"] for n in range(5)]
    assert code_of(await browser.post("/api/keys", {"book": "test"})) == (409, "too_many_keys", None)
    first = (await browser.client.get("/api/keys?limit=3")).json()
    second = (await browser.client.get(f"/api/keys?limit=3&after={first['next']}")).json()
    assert [one["id"] for one in first["data"] + second["data"]] == sorted(ids)
    assert second["next"] is None
    live = (await browser.client.get("/api/keys?book=live")).json()["data"]
    assert sorted(one["id"] for one in live) == sorted([ids[1], ids[3]])
    assert (await browser.send("DELETE", f"/api/keys/{ids[0]}")).status_code == 204
    assert code_of(await browser.post("/api/keys", {"book": "test"}))[1] == "too_many_keys"
    platform.clock.advance(DAY + 1)
    await browser.sign_in()
    await made(browser)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", "book"),
        ({"book": None}, "invalid_parameter", "book"),
        ({"book": "demo"}, "invalid_parameter", "book"),
        ({"name": "x" * 101}, "invalid_parameter", "name"),
        ({"name": None}, "invalid_parameter", "name"),
        ({"name": "a\nb"}, "invalid_parameter", "name"),
        ({"name": 5}, "invalid_parameter", "name"),
        ({"expires_at": "soon"}, "invalid_parameter", "expires_at"),
        ({"expires_at": "2026-10-30"}, "invalid_parameter", "expires_at"),
        ({"expires_at": 1_800_000_000}, "invalid_parameter", "expires_at"),
        ({"expires_at": "2026-12-01T00:00:00"}, "invalid_parameter", "expires_at"),
        ({"models": "qwen3-max"}, "invalid_parameter", "models"),
        ({"models": ["gpt-9"]}, "invalid_parameter", "models"),
        ({"models": [""]}, "invalid_parameter", "models.0"),
        ({"models": ["x"] * 201}, "invalid_parameter", "models"),
        ({"models": [None]}, "invalid_parameter", "models.0"),
        ({"networks": ["10.0.0.1/8"]}, "invalid_parameter", "networks"),
        ({"networks": ["example.com"]}, "invalid_parameter", "networks"),
        ({"networks": ["1" * 65]}, "invalid_parameter", "networks.0"),
        ({"requests_per_minute": 0}, "invalid_parameter", "requests_per_minute"),
        ({"requests_per_minute": 1.5}, "invalid_parameter", "requests_per_minute"),
        ({"requests_per_minute": "5"}, "invalid_parameter", "requests_per_minute"),
        ({"tokens_per_minute": 10**9 + 1}, "invalid_parameter", "tokens_per_minute"),
        ({"tokens_per_minute": True}, "invalid_parameter", "tokens_per_minute"),
        ({"concurrency": -1}, "invalid_parameter", "concurrency"),
        ({"budget": 5}, "invalid_parameter", "budget"),
        ({"budget": "0"}, "invalid_parameter", "budget"),
        ({"budget": "-1"}, "invalid_parameter", "budget"),
        ({"budget": "1e3"}, "invalid_parameter", "budget"),
        ({"budget": "1.0000000001"}, "invalid_parameter", "budget"),
        ({"budget": "1000000000"}, "invalid_parameter", "budget"),
        ({"budget": "５"}, "invalid_parameter", "budget"),  # noqa: RUF001  # a digit all the same
        ({"budget_period": "week"}, "invalid_parameter", "budget_period"),
        ({"key": "yj_live_x"}, "unsupported_parameter", "key"),
        ({"customer_id": "cus_x"}, "unsupported_parameter", "customer_id"),
        ({"budget_nanos": 1}, "unsupported_parameter", "budget_nanos"),
        ({"revoked_at": None}, "unsupported_parameter", "revoked_at"),
    ],
)
async def test_faults_are_named_and_change_nothing(
    browser: Browser, body: dict[str, object], code: str, param: str
) -> None:
    """Of making a key and, but for its book, of changing it."""
    await browser.sign_in()
    kept = await made(browser)
    del kept["key"]
    whole = {"book": "test", **body} if body else body
    assert code_of(await browser.post("/api/keys", whole)) == (400, code, param)
    if "book" not in body and body:
        assert code_of(await browser.send("PATCH", f"/api/keys/{kept['id']}", json=body)) == (400, code, param)
    assert (await browser.client.get("/api/keys")).json()["data"] == [kept]


async def test_a_book_cannot_be_changed(browser: Browser) -> None:
    await browser.sign_in()
    path = f"/api/keys/{(await made(browser))['id']}"
    assert code_of(await browser.send("PATCH", path, json={"book": "live"})) == (400, "unsupported_parameter", "book")


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "book=x", "state=active", "after=x", "after=key_"])
async def test_faults_of_the_query_are_named(browser: Browser, query: str) -> None:
    await browser.sign_in()
    assert code_of(await browser.client.get(f"/api/keys?{query}")) == (
        400,
        "invalid_parameter",
        query.partition("=")[0],
    )


async def test_anothers_key_is_none(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    mine = (await made(browser))["id"]
    other = platform.browser(peer="127.0.0.2")
    async with other.client:
        await other.sign_in(OTHER_MOBILE)
        for key_id in (mine, "key_none", "%00"):
            path = f"/api/keys/{key_id}"
            expected = (404, "not_found", "key_id")
            assert code_of(await other.client.get(path)) == expected
            assert code_of(await other.send("PATCH", path, json={"name": "x"})) == expected
            assert code_of(await other.send("DELETE", path)) == expected
        assert (await other.client.get("/api/keys")).json()["data"] == []
    assert (await browser.client.get(f"/api/keys/{mine}")).json()["state"] == "active"
