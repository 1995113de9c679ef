"""What is not a payment: nothing of it moves money, all of it is kept, and a payment that follows still counts."""

import asyncio
from urllib.parse import urlencode

import httpx2
import pytest
from tests.support.alipay import OTHER, form, notification
from tests.support.shop import YUAN, Shop

from yuanjing.domain.topups import TopUpState, Verdict
from yuanjing.sandbox.alipay.faults import ATTACKS

FORGED, MISMATCH = Verdict.FORGED, Verdict.MISMATCH
OUTCOMES = {
    "forged": (FORGED, 403),
    "changed_amount": (FORGED, 403),
    "changed_app": (FORGED, 403),
    "changed_seller": (FORGED, 403),
    "changed_order": (FORGED, 403),
    "other_amount": (MISMATCH, 409),
    "other_app": (MISMATCH, 409),
    "other_seller": (MISMATCH, 409),
    "unknown_order": (Verdict.UNKNOWN, 404),
    "refund_notice": (Verdict.IGNORED, 200),
    "sha1": (FORGED, 403),
    "rsa1": (FORGED, 403),
    "no_sign_type": (FORGED, 403),
    "repeated_key": (FORGED, 403),
    "unsigned": (FORGED, 403),
}
OTHERS_ORDER = "nobody_placed_this_1"


def test_every_attack_of_the_simulator_is_here():
    assert set(OUTCOMES) == set(ATTACKS)


@pytest.mark.parametrize("attack", OUTCOMES)
async def test_an_attack_moves_nothing_and_is_kept(shop: Shop, attack: str):
    made = await shop.order("page", "10.00")
    verdict, status = OUTCOMES[attack]
    answer = await shop.press(made, "attack", attack)
    assert answer.status_code == 200
    number = OTHERS_ORDER if attack in ("unknown_order", "changed_order") else made["number"]
    log = (await asyncio.to_thread(shop.box.client.get, "/alipay/attempts")).json()["attempts"]
    (sent,) = log
    assert (sent["status"], sent["is_taken"]) == (status, status == 200)
    assert await shop.verdicts(number) == [verdict]
    row = await shop.row(made)
    assert (row.state, row.flag != "") == (TopUpState.CREATED, attack == "other_amount")
    await shop.check(0)
    assert (await shop.show(made))["state"] == "created"  # Alipay itself says so
    await shop.pay(made)
    await shop.attempts(made["number"], 2 if sent["out_trade_no"] == made["number"] else 1)
    assert (await shop.row(made)).state is TopUpState.CREDITED
    await shop.check(10 * YUAN)


async def test_a_genuine_notification_counts_for_its_own_order_only(shop: Shop):
    """Replayed under another order's number or amount its signature is wrong."""
    cheap, dear = await shop.order("page", "1.00"), await shop.order("page", "50000.00")
    await shop.pay(cheap, "lost")
    trade_no = shop.box.trade(cheap["number"])["trade_no"]
    good = notification(cheap["number"], "1.00", trade_no)
    replays = [
        good.replace(cheap["number"].encode(), dear["number"].encode()),
        good.replace(b"total_amount=1.00", b"total_amount=50000.00"),
        good + b"&out_trade_no=" + dear["number"].encode(),
        notification(dear["number"], "50000.00", trade_no).replace(b"50000.00", b"1.00"),
    ]
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        for body in replays:
            answer = await client.post(shop.url + "/callbacks/payments/alipay", content=body)
            assert (answer.status_code, answer.text) == (403, "forged")
        await shop.check(0)
        answer = await client.post(shop.url + "/callbacks/payments/alipay", content=good)
        assert answer.content == b"success"
    await shop.check(YUAN)


async def test_a_payment_that_is_told_with_another_trade_is_no_second_credit(shop: Shop):
    made = await shop.order()
    await shop.pay(made)
    await shop.attempts(made["number"], 1)
    body = notification(made["number"], "10.00", "2026113022001999999999999999")
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.post(shop.url + "/callbacks/payments/alipay", content=body)
    assert (answer.status_code, answer.text) == (409, "mismatch")
    assert "paid twice" in (await shop.row(made)).flag
    await shop.check(10 * YUAN)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 403),
        (b"\xff\xfe", 403),
        (b"a=b", 403),
        (b"{}", 403),
        (b"out_trade_no=" + b"x" * 65_520, 403),
        (b"out_trade_no=" + b"x" * 65_536, 413),
        (urlencode({f"f{n}": "1" for n in range(200)}).encode(), 403),
        (form({"out_trade_no": "x", "sign_type": "RSA2"}, OTHER), 403),
    ],
)
async def test_what_is_no_notification(shop: Shop, body: bytes, status: int):
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.post(shop.url + "/callbacks/payments/alipay", content=body)
    assert answer.status_code == status
    assert answer.content != b"success"
    await shop.check(0)


@pytest.mark.parametrize("path", ["other", "manual", "ALIPAY", "%00", "x" * 300])
async def test_other_methods_take_no_notifications(shop: Shop, path: str):
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.post(f"{shop.url}/callbacks/payments/{path}", content=b"x")
        assert (answer.status_code, answer.text) == (404, "not_found")
        assert (await client.get(f"{shop.url}/callbacks/payments/alipay")).status_code == 405


async def test_a_session_or_key_makes_no_difference_to_a_notification(shop: Shop):
    made = await shop.order()
    client = shop.browser.client
    answer = await client.post("/callbacks/payments/alipay", content=f"out_trade_no={made['number']}")
    assert (answer.status_code, answer.text) == (403, "forged")
    await shop.check(0)
