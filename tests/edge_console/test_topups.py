"""Paying in under `/api/topups`, over a payment method in memory."""

from typing import Any

import pytest
from tests.edge.platform import Platform
from tests.edge_console.test_sign_in import code_of
from tests.support.signin import OTHER_MOBILE, Browser

from yuanjing.domain.money import Book
from yuanjing.domain.topups import Verdict
from yuanjing.edge.app import create_app
from yuanjing.edge.openapi import build_document
from yuanjing.ports.payments import PaymentRefusedError, PaymentStart, PaymentUnavailableError

YUAN = 10**9
GOOD = {"method": "fake", "way": "page", "amount": "10.00"}


@pytest.fixture
async def customer(browser: Browser) -> str:
    return (await browser.sign_in())["customer"]["id"]


async def order(browser: Browser, **changes: Any) -> Any:
    answer = await browser.post("/api/topups", GOOD | changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def tell(platform: Platform, made: Any, amount: int = 10 * YUAN, upstream: str = "up-1") -> Any:
    async with platform.client(key=None) as client:
        text = f"{made['number']} {amount} {upstream}"
        return await client.post("/callbacks/payments/fake", content=text.encode())


async def test_the_methods_and_how_much_at_once(browser: Browser, customer: str) -> None:
    assert customer
    answer = await browser.client.get("/api/topups/methods")
    assert answer.json() == {
        "object": "list",
        "currency": "CNY",
        "data": [
            {
                "name": "fake",
                "ways": ["page", "qr"],
                "amount_min": "1.00",
                "amount_max": "50000.00",
                "is_confirmed_by_hand": False,
            }
        ],
    }


async def test_an_order_from_its_beginning_to_the_balance(platform: Platform, browser: Browser, customer: str) -> None:
    made = await order(browser)
    assert made["payment"]["url"] == f"https://pay.example/{made['number']}"
    assert [made["payment"][name] for name in ("qr_text", "qr_svg", "instructions")] == [None, None, None]
    (asked,) = platform.payments.orders
    assert (asked.client_address, asked.amount_nanos) == ("127.0.0.1", 10 * YUAN)
    assert asked.return_url == f"https://ai.example.com/?topup={made['id']}"
    assert asked.notify_url == "https://ai.example.com/callbacks/payments/fake"
    answer = await tell(platform, made)
    assert (answer.status_code, answer.content) == (200, b"taken")
    shown = (await browser.client.get(f"/api/topups/{made['id']}")).json()
    assert (shown["state"], shown["credited_at"]) == ("credited", shown["paid_at"])
    balances = await platform.store.read(lambda tx: tx.ledger.balances(Book.LIVE, customer))
    assert balances.available_nanos == 10 * YUAN


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({}, 400, "missing_required_parameter", "method"),
        ({"method": "fake"}, 400, "missing_required_parameter", "way"),
        ({"method": "fake", "way": "page"}, 400, "missing_required_parameter", "amount"),
        (GOOD | {"method": "other"}, 404, "not_found", "method"),
        (GOOD | {"method": ""}, 400, "invalid_parameter", "method"),
        (GOOD | {"method": "x" * 41}, 400, "invalid_parameter", "method"),
        (GOOD | {"way": "wap"}, 400, "invalid_parameter", "way"),
        (GOOD | {"way": "cash"}, 400, "invalid_parameter", "way"),
        (GOOD | {"amount": 10}, 400, "invalid_parameter", "amount"),
        (GOOD | {"amount": "10.001"}, 400, "invalid_parameter", "amount"),
        (GOOD | {"amount": "-10"}, 400, "invalid_parameter", "amount"),
        (GOOD | {"amount": "1e3"}, 400, "invalid_parameter", "amount"),
        (GOOD | {"amount": "0.99"}, 400, "invalid_parameter", "amount"),
        (GOOD | {"amount": "50000.01"}, 400, "invalid_parameter", "amount"),
        (GOOD | {"amount": "１０"}, 400, "invalid_parameter", "amount"),  # noqa: RUF001  # digits that are no ASCII
        (GOOD | {"amount": "10\n"}, 400, "invalid_parameter", "amount"),
        (GOOD | {"customer_id": "cus_x"}, 400, "unsupported_parameter", "customer_id"),
        (GOOD | {"state": "credited"}, 400, "unsupported_parameter", "state"),
        (GOOD | {"book": "live"}, 400, "unsupported_parameter", "book"),
    ],
)
async def test_faults_of_an_order(
    platform: Platform, browser: Browser, body: Any, status: int, code: str, param: str
) -> None:
    await browser.sign_in()
    assert code_of(await browser.post("/api/topups", body)) == (status, code, param)
    assert platform.payments.orders == []
    assert (await browser.client.get("/api/topups")).json()["data"] == []


async def test_so_many_open_orders_and_no_more(browser: Browser, customer: str) -> None:
    assert customer
    made = [await order(browser) for _ in range(3)]
    answer = await browser.post("/api/topups", GOOD)
    assert code_of(answer)[:2] == (429, "rate_limit_exceeded")
    assert answer.headers["retry-after"] == "60"
    closed = await browser.post(f"/api/topups/{made[0]['id']}/close")
    assert closed.json()["state"] == "closed"
    await order(browser)


async def test_pages_of_the_list(browser: Browser, customer: str, platform: Platform) -> None:
    assert customer
    made = []
    for n in range(5):
        one = await order(browser)
        await tell(platform, one, upstream=f"up-{n}")
        made.append(one["id"])
    seen, before = [], None
    while True:
        query = {"limit": "2"} | ({"before": before} if before else {})
        page = (await browser.client.get("/api/topups", params=query)).json()
        seen += [one["id"] for one in page["data"]]
        before = page["next"]
        if before is None:
            break
    assert seen == made[::-1]
    assert "payment" not in page["data"][0]
    for wrong in ("0", "201", "-1", "x", ""):
        answer = await browser.client.get("/api/topups", params={"limit": wrong})
        assert code_of(answer) == (400, "invalid_parameter", "limit")
    for wrong in ("top_", "x" * 30, "'", "top_" + "0" * 25 + "\x00"):
        answer = await browser.client.get("/api/topups", params={"before": wrong})
        assert code_of(answer) == (400, "invalid_parameter", "before")


async def test_anothers_order_is_not_there(platform: Platform, browser: Browser, customer: str) -> None:
    assert customer
    made = await order(browser)
    stranger = platform.browser()
    async with platform.client(key=None) as anonymous:
        for path in ("/api/topups", "/api/topups/methods", f"/api/topups/{made['id']}"):
            assert code_of(await anonymous.get(path))[:2] == (401, "not_signed_in")
    await stranger.sign_in(OTHER_MOBILE)
    for id_ in (made["id"], "top_" + "0" * 26, "x", "%00"):
        assert code_of(await stranger.client.get(f"/api/topups/{id_}")) == (404, "not_found", "topup")
        assert code_of(await stranger.post(f"/api/topups/{id_}/close")) == (404, "not_found", "topup")
    assert (await stranger.client.get("/api/topups")).json()["data"] == []
    await stranger.client.aclose()
    assert (await browser.client.get(f"/api/topups/{made['id']}")).json()["state"] == "created"


async def test_a_key_opens_nothing_here(platform: Platform) -> None:
    async with platform.client() as client:
        assert code_of(await client.get("/api/topups"))[:2] == (401, "not_signed_in")


async def test_another_sites_page_orders_nothing(platform: Platform, browser: Browser, customer: str) -> None:
    assert customer
    made = await order(browser)
    for path, body in (("/api/topups", GOOD), (f"/api/topups/{made['id']}/close", None)):
        answer = await browser.client.post(path, json=body, headers={"origin": "https://evil.example"})
        assert code_of(answer)[:2] == (403, "forgery_suspected")
    assert len(platform.payments.orders) == 1


@pytest.mark.parametrize("error", [PaymentRefusedError("ACQ.SECRET"), PaymentUnavailableError("ACQ.SECRET")])
async def test_what_a_payment_method_says_of_itself_is_for_operators(
    platform: Platform, browser: Browser, customer: str, error: Exception
) -> None:
    assert customer
    made = await order(browser)
    platform.payments.fails = error
    for answer in (await browser.post("/api/topups", GOOD), await browser.post(f"/api/topups/{made['id']}/close")):
        assert code_of(answer) == (503, "payment_unavailable", None)
        assert "ACQ" not in answer.text
    assert (await browser.client.get(f"/api/topups/{made['id']}")).json()["state"] == "created"


async def test_a_code_comes_as_a_picture_too(platform: Platform, browser: Browser, customer: str) -> None:
    assert customer

    async def start(_order: Any) -> PaymentStart:
        return PaymentStart(qr_text="https://qr.example/<x>")

    platform.payments.start = start  # type: ignore[method-assign]
    made = await order(browser, way="qr")
    assert made["payment"]["qr_text"] == "https://qr.example/<x>"
    assert made["payment"]["qr_svg"].startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "<x>" not in made["payment"]["qr_svg"]


async def test_every_notification_is_kept_and_answered_by_its_verdict(
    platform: Platform, browser: Browser, customer: str
) -> None:
    assert customer
    made = await order(browser)
    assert (await tell(platform, made, 9 * YUAN)).status_code == 409
    assert (await tell(platform, {"number": "YJnobody"})).status_code == 404
    async with platform.client(key=None) as client:
        answer = await client.post("/callbacks/payments/fake", content=b"bad")
        assert (answer.status_code, answer.text) == (403, "forged")
        assert answer.headers["content-type"].startswith("text/plain")
        answer = await client.post("/callbacks/payments/fake", content=b"x" * 65_537)
        assert answer.status_code == 413
    assert [(await tell(platform, made)).content for _ in range(2)] == [b"taken", b"taken"]
    kept = await platform.store.read(lambda tx: tx.topups.notifications(made["number"]))
    assert [one.verdict for one in kept] == [Verdict.MISMATCH, Verdict.CREDITED, Verdict.REPEATED]
    assert kept[0].raw == f"{made['number']} {9 * YUAN} up-1".encode()


async def test_without_a_payment_method_there_are_no_routes(platform: Platform) -> None:
    parts = platform.changed(topups=None)
    document = build_document(create_app(parts), "")
    assert not [path for path in document["paths"] if "topup" in path or "payments" in path]
    assert "top-ups" not in str(document["tags"])
    browser = platform.browser(parts=parts)
    await browser.sign_in()
    assert code_of(await browser.client.get("/api/topups"))[:2] == (404, "not_found")
    assert code_of(await browser.post("/api/topups", GOOD))[:2] == (404, "not_found")
    assert (await browser.client.post("/callbacks/payments/fake", content=b"x")).status_code == 404
    await browser.client.aclose()
