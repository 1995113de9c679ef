"""`GET /api/security-events`: what a customer sees of its own account, and of nobody else's."""

from dataclasses import replace
from typing import Any

from tests.edge.platform import Platform
from tests.edge_console.test_sign_in import code_of
from tests.support.signin import OTHER_MOBILE, Browser

from yuanjing.domain.audit import Actor, ActorKind
from yuanjing.domain.money import Book
from yuanjing.usecases.customers import grant_money
from yuanjing.usecases.signin.operating import unlock_customer

OPERATOR = Actor(kind=ActorKind.OPERATOR, id="alice", address="machine-7")


async def _listed(browser: Browser, query: str = "") -> Any:
    answer = await browser.client.get(f"/api/security-events{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_customer_sees_what_happened_to_its_account(browser: Browser) -> None:
    await browser.sign_in()
    made = (await browser.post("/api/keys", {"book": "test", "name": "a name"})).json()
    assert (await browser.client.get("/api/profile")).status_code == 200
    found = await _listed(browser)
    assert (found["object"], found["next"]) == ("list", None)
    by_action = {one["action"]: one for one in found["data"]}
    assert set(by_action) == {"customer.created", "session.begun", "key.created"}
    key = by_action["key.created"]
    assert set(key) == {"object", "id", "at", "action", "by", "address", "subject", "details"}
    assert (key["object"], key["by"], key["subject"]) == ("security_event", "you", made["id"])
    assert key["details"] == {"book": "test", "public_id": made["prefix"].split("_")[2]}
    assert key["at"] == "2026-11-01T00:00:00Z"
    assert {one["address"] for one in found["data"]} == {by_action["session.begun"]["address"]}
    assert made["key"] not in str(found)


async def test_what_operators_do_is_told_without_who_they_are(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    id_ = (await browser.client.get("/api/profile")).json()["id"]
    await grant_money(
        platform.store, platform.clock, customer_id=id_, book=Book.LIVE, amount_nanos=10**9, note="why", by=OPERATOR
    )
    await platform.store.write(lambda tx: tx.factors.save(_locked(tx.factors.lock(id_))))
    await unlock_customer(platform.store, platform.clock, id_, by=OPERATOR)
    found = (await _listed(browser))["data"]
    (event,) = [one for one in found if one["by"] == "operator"]
    assert (event["action"], event["address"], event["details"]) == ("customer.unlocked", None, {})
    assert "alice" not in str(found)
    assert "machine-7" not in str(found)


def _locked(factors: Any) -> Any:
    return replace(factors, locked_until=10.0**10)


async def test_events_come_in_pages_and_are_ones_own(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    for _ in range(4):
        assert (await browser.post("/api/keys", {"book": "test"})).status_code == 200
    whole = (await _listed(browser))["data"]
    first = await _listed(browser, "?limit=4")
    assert [one["id"] for one in first["data"]] == [one["id"] for one in whole[:4]]
    rest = await _listed(browser, f"?limit=4&before={first['next']}")
    assert (rest["data"], rest["next"]) == (whole[4:], None)
    other = platform.browser()
    async with other.client:
        assert (await other.client.get("/api/security-events")).status_code == 401
        await other.sign_in(OTHER_MOBILE)
        theirs = (await _listed(other))["data"]
        assert {one["id"] for one in theirs} & {one["id"] for one in whole} == set()
        assert (await _listed(other, f"?before={whole[0]['id']}"))["data"] == [
            one for one in theirs if one["id"] < whole[0]["id"]
        ]
    for wrong in ("?before=x", "?limit=0", "?limit=201", "?more=1"):
        assert code_of(await browser.client.get(f"/api/security-events{wrong}"))[0] == 400
