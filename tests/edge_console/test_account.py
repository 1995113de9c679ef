"""The profile and the balance over HTTP."""

import asyncio
from typing import Any

import pytest
from tests.edge.platform import Platform
from tests.edge_console.test_sign_in import code_of
from tests.support.signin import MOBILE, Browser

from yuanjing.domain import ledger
from yuanjing.domain.money import NANOS_PER_YUAN, Book
from yuanjing.ports.store import Topic, Tx

YUAN = NANOS_PER_YUAN


async def test_the_profile_of_a_new_customer(browser: Browser) -> None:
    me = (await browser.sign_in())["customer"]["id"]
    answer = await browser.client.get("/api/profile")
    assert answer.json() == {
        "object": "profile", "id": me, "mobile": MOBILE, "name": "", "language": None, "low_balance": None,
        "created_at": "2026-11-01T00:00:00Z",
        "factors": {"password": False, "totp": False, "recovery_codes_left": 0},
    }  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"


async def test_a_change_leaves_what_is_not_named(browser: Browser) -> None:
    before = (await browser.sign_in())["customer"]

    async def change(**changes: object) -> Any:
        answer = await browser.send("PATCH", "/api/profile", json=changes)
        assert answer.status_code == 200, answer.text
        assert answer.json() == (await browser.client.get("/api/profile")).json()
        return {name: answer.json()[name] for name in ("name", "language", "low_balance")}

    assert await change() == {"name": "", "language": None, "low_balance": None}
    assert await change(name="  张三 ") == {"name": "张三", "language": None, "low_balance": None}
    assert await change(language="en") == {"name": "张三", "language": "en", "low_balance": None}
    assert await change(low_balance="10") == {"name": "张三", "language": "en", "low_balance": "10.00"}
    assert await change(language=None, name="") == {"name": "", "language": None, "low_balance": "10.00"}
    assert await change(low_balance=None) == {"name": "", "language": None, "low_balance": None}
    assert (await browser.open())["customer"] == before


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"name": "x" * 101}, "invalid_parameter", "name"),
        ({"name": "a\tb"}, "invalid_parameter", "name"),
        ({"name": None}, "invalid_parameter", "name"),
        ({"language": "fr"}, "invalid_parameter", "language"),
        ({"language": ""}, "invalid_parameter", "language"),
        ({"low_balance": 10}, "invalid_parameter", "low_balance"),
        ({"low_balance": "0"}, "invalid_parameter", "low_balance"),
        ({"low_balance": "0.00"}, "invalid_parameter", "low_balance"),
        ({"low_balance": "-1"}, "invalid_parameter", "low_balance"),
        ({"low_balance": "10 yuan"}, "invalid_parameter", "low_balance"),
        ({"mobile": "+8613912345670"}, "unsupported_parameter", "mobile"),
        ({"id": "cus_x"}, "unsupported_parameter", "id"),
        ({"created_at": "2020-01-01T00:00:00Z"}, "unsupported_parameter", "created_at"),
        ({"disabled_at": None}, "unsupported_parameter", "disabled_at"),
        ({"factors": {}}, "unsupported_parameter", "factors"),
    ],
)
async def test_faults_are_named_and_change_nothing(
    browser: Browser, body: dict[str, object], code: str, param: str
) -> None:
    await browser.sign_in()
    before = (await browser.client.get("/api/profile")).json()
    assert code_of(await browser.send("PATCH", "/api/profile", json={"language": "en"} | body)) == (400, code, param)
    assert (await browser.client.get("/api/profile")).json() == before


async def test_the_balance_in_both_books(platform: Platform, browser: Browser) -> None:
    me = (await browser.sign_in())["customer"]["id"]

    def work(tx: Tx) -> None:
        tx.ledger.post(
            [
                ledger.top_up(Book.LIVE, me, 9 * YUAN + 1, method="x", number="1"),
                ledger.place_hold(Book.LIVE, me, 2 * YUAN, hold_id="hold_1", part=1),
            ]
        )

    await platform.store.write(work)
    answer = await browser.client.get("/api/balance")
    assert answer.json() == {
        "object": "balance", "currency": "CNY", "as_of": "2026-11-01T00:00:00Z",
        "live": {"available": "7.000000001", "held": "2.00", "promotion": "0.00"},
        "test": {"available": "100.00", "held": "0.00", "promotion": "0.00"},
    }  # fmt: skip


async def spend(platform: Platform, customer_id: str, amount: int, cause: str) -> None:
    transfer = ledger.settle_late(Book.TEST, customer_id, amount, cause=cause)
    await platform.store.write(lambda tx: tx.ledger.post([transfer]))


async def test_the_test_book_is_filled_up_some_times_a_day(platform: Platform, browser: Browser) -> None:
    """The policy of these tests: twice. The day of UTC+8 began at 16:00."""
    me = (await browser.sign_in())["customer"]["id"]

    async def fill() -> Any:
        answer = await browser.post("/api/balance/test-grant")
        assert answer.status_code == 200, answer.text
        return answer.json()

    full = await fill()
    assert (full["granted"], full["test"]["available"]) == ("0.00", "100.00")
    for amount in (30 * YUAN, 5):
        await spend(platform, me, amount, f"c{amount}")
        filled = await fill()
        assert filled["test"] == {"available": "100.00", "held": "0.00", "promotion": "0.00"}
        assert filled["live"]["available"] == "0.00"
    assert filled["granted"] == "0.000000005"
    await spend(platform, me, YUAN, "third")
    refused = await browser.post("/api/balance/test-grant")
    assert code_of(refused)[:2] == (429, "rate_limit_exceeded")
    assert refused.headers["retry-after"] == str(16 * 3600)
    platform.clock.advance(16 * 3600)
    await browser.sign_in()
    assert (await fill())["granted"] == "1.00"
    signals = await platform.store.read(lambda tx: tx.signals.since(0, 100))
    assert [one.subject for one in signals if one.topic is Topic.FUNDS] == [f"test:{me}"] * 3


async def test_what_is_held_is_owned(platform: Platform, browser: Browser) -> None:
    """Else leases could be used to get more."""
    me = (await browser.sign_in())["customer"]["id"]
    hold = ledger.place_hold(Book.TEST, me, 40 * YUAN, hold_id="hold_1", part=1)
    await platform.store.write(lambda tx: tx.ledger.post([hold]))
    assert (await browser.post("/api/balance/test-grant")).json()["granted"] == "0.00"


async def test_several_fillings_at_once_fill_once(platform: Platform, browser: Browser) -> None:
    me = (await browser.sign_in())["customer"]["id"]
    await spend(platform, me, 30 * YUAN, "x")
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(browser.post("/api/balance/test-grant")) for _ in range(5)]
    answers = [one.result() for one in asked]
    assert sorted(one.json()["granted"] for one in answers) == ["0.00"] * 4 + ["30.00"]


@pytest.mark.parametrize("path", ["/api/profile", "/api/balance", "/api/keys"])
async def test_nobody_is_told_nothing(browser: Browser, path: str) -> None:
    await browser.open()
    assert code_of(await browser.client.get(path))[:2] == (401, "not_signed_in")
