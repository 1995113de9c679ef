"""Promotion money and redeem codes over HTTP."""

from typing import Any

import pytest
from tests.edge.platform import PEPPER, Platform
from tests.edge_console.test_sign_in import code_of
from tests.support.signin import MOBILE, OTHER_MOBILE, Browser

from yuanjing.domain.money import Book
from yuanjing.usecases.customers import grant_promotion
from yuanjing.usecases.redemptions import CodeWish, create_codes

DAY = 86_400.0


async def codes(platform: Platform, **wish: Any) -> list[str]:
    made = await create_codes(platform.store, platform.clock, PEPPER, CodeWish(**({"amount_nanos": 5 * 10**9} | wish)))
    return [text for _, text in made]


async def test_a_code_is_redeemed_once_and_told_twice(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    (text,) = await codes(platform, money_days=30)
    answer = await browser.post("/api/redemptions", {"code": f" {text.lower()} "})
    assert answer.status_code == 200
    made = answer.json()
    promotion = made.pop("promotion")
    assert made == {
        "object": "redemption", "id": made["id"], "hint": text[:4], "redeemed_at": "2026-11-01T00:00:00Z"
    }  # fmt: skip
    assert promotion == {
        "object": "promotion", "id": promotion["id"], "book": "live", "currency": "CNY", "amount": "5.00",
        "left": "5.00", "expired": "0.00", "created_at": "2026-11-01T00:00:00Z", "expires_at": "2026-12-01T00:00:00Z",
    }  # fmt: skip
    assert (await browser.post("/api/redemptions", {"code": text})).json() == made | {"promotion": promotion}
    listed = (await browser.client.get("/api/redemptions")).json()
    assert listed == {"object": "list", "data": [made | {"promotion": promotion}], "next": None}
    assert (await browser.client.get("/api/promotions")).json()["data"] == [promotion]
    assert text not in answer.text


async def test_anothers_code_and_an_unknown_one_are_answered_alike(platform: Platform, browser: Browser) -> None:
    (text,) = await codes(platform)
    other = platform.browser()
    async with other.client:
        await other.sign_in(OTHER_MOBILE)
        assert (await other.post("/api/redemptions", {"code": text})).status_code == 200
    await browser.sign_in()
    answers = [await browser.post("/api/redemptions", {"code": one}) for one in (text, "0000-0000-0000-0000")]
    assert answers[0].text == answers[1].text
    assert code_of(answers[0]) == (403, "wrong_redeem_code", "code")
    assert (await browser.client.get("/api/redemptions")).json()["data"] == []
    assert (await browser.client.get("/api/promotions")).json()["data"] == []


async def test_guessing_is_stopped(platform: Platform, browser: Browser) -> None:
    (text,) = await codes(platform)
    await browser.sign_in()
    for _ in range(5):
        assert code_of(await browser.post("/api/redemptions", {"code": "0000-0000-0000-0000"}))[0] == 403
    answer = await browser.post("/api/redemptions", {"code": text})
    assert code_of(answer) == (429, "too_many_attempts", None)
    assert int(answer.headers["retry-after"]) == 3600
    platform.clock.advance(3600)
    assert (await browser.post("/api/redemptions", {"code": text})).status_code == 200


async def test_the_limit_of_a_batch_is_told(platform: Platform, browser: Browser) -> None:
    first, second = await codes(platform, count=2, customer_max=1)
    await browser.sign_in()
    assert (await browser.post("/api/redemptions", {"code": first})).status_code == 200
    assert code_of(await browser.post("/api/redemptions", {"code": second})) == (403, "redeem_code_limit", "code")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", "code"),
        ({"code": ""}, "invalid_parameter", "code"),
        ({"code": 12}, "invalid_parameter", "code"),
        ({"code": "0" * 61}, "invalid_parameter", "code"),
        ({"code": "0000-0000-0000-0001"}, "mistyped_redeem_code", "code"),
        ({"code": "x", "customer_id": "cus_x"}, "unsupported_parameter", "customer_id"),
        ({"code": "x", "amount": "1.00"}, "unsupported_parameter", "amount"),
    ],
)
async def test_faults_of_redeeming(browser: Browser, body: Any, code: str, param: str) -> None:
    await browser.sign_in()
    assert code_of(await browser.post("/api/redemptions", body)) == (400, code, param)


async def test_nobody_redeems_or_looks_without_a_session(platform: Platform, browser: Browser) -> None:
    (text,) = await codes(platform)
    await browser.open()
    assert code_of(await browser.post("/api/redemptions", {"code": text}))[:2] == (401, "not_signed_in")
    async with platform.client() as client:
        for path in ("/api/redemptions", "/api/promotions"):
            assert code_of(await client.get(path))[:2] == (401, "not_signed_in")
        assert (await client.post("/api/redemptions", json={"code": text})).status_code == 403
    await browser.sign_in()
    assert (await browser.post("/api/redemptions", {"code": text})).status_code == 200


async def test_lists_come_in_pages(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    for text in await codes(platform, count=5):
        assert (await browser.post("/api/redemptions", {"code": text})).status_code == 200
        platform.clock.advance(1)
    for path in ("/api/promotions", "/api/redemptions"):
        everything = (await browser.client.get(path)).json()["data"]
        assert len(everything) == 5
        pages, following = [], None
        for _ in range(3):
            query = {"limit": 2} | ({"before": following} if following else {})
            page = (await browser.client.get(path, params=query)).json()
            pages += page["data"]
            following = page["next"]
        assert (pages, following) == (everything, None)
        for query in ({"limit": 0}, {"limit": 201}, {"limit": "x"}, {"before": "'--"}, {"before": "cus_x"}):
            assert code_of(await browser.client.get(path, params=query))[:2] == (400, "invalid_parameter")
    missing = {"before": "code_" + "0" * 26}
    assert code_of(await browser.client.get("/api/redemptions", params=missing))[:2] == (404, "not_found")


async def test_one_sees_ones_own_promotion_money_of_both_books(platform: Platform, browser: Browser) -> None:
    signed_in = await browser.sign_in()
    for book, owner in ((Book.TEST, signed_in["customer"]["id"]), (Book.LIVE, platform.customer.id)):
        await grant_promotion(platform.store, platform.clock, customer_id=owner, book=book, amount_nanos=10**9)
    (lot,) = (await browser.client.get("/api/promotions")).json()["data"]
    assert (lot["book"], lot["amount"], lot["expires_at"]) == ("test", "1.00", None)
    assert signed_in["customer"]["mobile"] == MOBILE
