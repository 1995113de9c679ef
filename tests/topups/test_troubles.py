"""Alipay's gateway is down, slow or wrong: nobody loses an order, waits for ever, or is credited without proof."""

import asyncio
import time

import pytest
from tests.support.shop import YUAN, Shop

from yuanjing.domain.topups import TopUpState

TROUBLES = ("http500", "done500", "timeout", "system_error", "unavailable", "wrong_signature")


async def fault(shop: Shop, name: str, **fields: str) -> None:
    await asyncio.to_thread(shop.box.fault, name, **fields)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_an_order_that_cannot_be_begun_is_told_and_stays_open(shop: Shop, trouble: str):
    await fault(shop, trouble, method="alipay.trade.precreate", seconds="0")
    answer = await shop.browser.post("/api/topups", {"method": "alipay", "way": "qr", "amount": "10.00"})
    assert answer.status_code == 503
    error = answer.json()["error"]
    assert error["code"] == "payment_unavailable"
    assert "ACQ" not in answer.text
    assert "alipay.trade" not in answer.text
    assert answer.headers["retry-after"] == "60"
    (left,) = (await shop.browser.client.get("/api/topups")).json()["data"]
    assert left["state"] == "created"
    again = await shop.order("qr")
    await shop.pay(again)
    await shop.attempts(again["number"], 1)
    await shop.check(10 * YUAN)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_page_that_waits_sees_no_trouble_and_a_payment_comes_through_later(shop: Shop, trouble: str):
    made = await shop.order()
    await shop.pay(made, "lost")
    await fault(shop, trouble, method="alipay.trade.query", times="2", seconds="0")
    for _ in range(2):
        assert (await shop.show(made))["state"] == "created"
        await shop.check(0)
    assert (await shop.show(made))["state"] == "credited"
    await shop.check(10 * YUAN)


async def test_a_page_waits_for_a_slow_gateway_no_longer_than_allowed(shop: Shop):
    made = await shop.order()
    await shop.pay(made, "lost")
    await fault(shop, "slow", method="alipay.trade.query", seconds="20")
    began = time.monotonic()
    assert (await shop.show(made))["state"] == "created"
    assert time.monotonic() - began < 5
    assert (await shop.show(made))["state"] == "credited"
    await shop.check(10 * YUAN)


async def test_the_sweep_goes_on_with_others_when_one_answer_is_missing(shop: Shop):
    made = [await shop.order("page", "1.00") for _ in range(5)]
    for one in made:
        await shop.pay(one, "lost")
    await shop.advance(5)
    await fault(shop, "http500", method="alipay.trade.query")
    assert await shop.orders.sweep() == 5
    states = [(await shop.row(one)).state for one in made]
    assert sorted(states) == [TopUpState.CREATED, *[TopUpState.CREDITED] * 4]
    await shop.check(4 * YUAN)
    await shop.advance(10)
    assert await shop.orders.sweep() == 1
    await shop.check(5 * YUAN)


@pytest.mark.parametrize("trouble", ["http500", "timeout", "unavailable", "wrong_signature"])
async def test_an_order_is_not_closed_here_while_alipay_cannot_be_asked(shop: Shop, trouble: str):
    made = await shop.order()
    await shop.pay(made, "lost")
    await shop.advance(2500)
    await fault(shop, trouble, times="9", seconds="0")
    await shop.orders.sweep()
    assert (await shop.row(made)).state is TopUpState.CREATED
    answer = await shop.browser.post(f"/api/topups/{made['id']}/close")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "payment_unavailable")
    await fault(shop, "none")
    await shop.advance(600)
    await shop.orders.sweep()
    await shop.check(10 * YUAN)


async def test_while_a_page_is_open_alipay_is_asked_as_often_as_allowed_and_no_more(shop: Shop):
    object.__setattr__(shop.parts.policy, "ask_seconds", 3600.0)
    made = await shop.order()
    await asyncio.to_thread(shop.box.cashier, made["number"])
    await shop.show(made)
    await shop.pay(made, "lost")
    shown = await asyncio.gather(*(shop.show(made) for _ in range(20)))  # noqa: TID251  # just all at once
    assert {one["state"] for one in shown} == {"created"}
    await shop.advance(3601)
    assert (await shop.show(made))["state"] == "credited"
    await shop.check(10 * YUAN)
