"""Refunds at the simulated Alipay: money leaves the balance first, moves once, and comes back if it is refused."""

import asyncio

import pytest
from tests.support.shop import YUAN, Shop

from yuanjing.domain.errors import InsufficientFundsError, InvalidInputError
from yuanjing.domain.topups import RefundState, TopUpState, Verdict


async def paid(shop: Shop, amount: str = "10.00"):
    made = await shop.order("page", amount)
    await shop.pay(made)
    await shop.attempts(made["number"], 1)
    return made


def back(shop: Shop, made) -> str:
    return shop.box.trade(made["number"])["refunded"]


async def test_a_part_and_then_the_rest_goes_back_to_the_payer(shop: Shop):
    made = await paid(shop)
    first = await shop.refunds.start(made["number"], 4 * YUAN, "asked by mail")
    assert first.state is RefundState.DONE
    assert (back(shop, made), (await shop.show(made))["refunded"]) == ("4.00", "4.00")
    await shop.check(6 * YUAN)
    with pytest.raises(InvalidInputError):
        await shop.refunds.start(made["id"], 7 * YUAN, "")
    rest = await shop.refunds.start(made["id"], None, "")
    assert (rest.state, rest.amount_nanos) == (RefundState.DONE, 6 * YUAN)
    assert (back(shop, made), shop.box.trade(made["number"])["status"]) == ("10.00", "TRADE_CLOSED")
    with pytest.raises(InvalidInputError):
        await shop.refunds.start(made["id"], None, "")
    await shop.check(0)


async def test_notifications_of_a_refund_change_nothing(shop: Shop):
    made = await paid(shop)
    await shop.refunds.start(made["id"], 4 * YUAN, "")
    await shop.attempts(made["number"], 2)
    assert await shop.verdicts(made["number"]) == [Verdict.CREDITED, Verdict.IGNORED]
    await shop.refunds.start(made["id"], 6 * YUAN, "")
    found = await shop.attempts(made["number"], 3)
    assert all(one["is_taken"] for one in found)
    assert (await shop.row(made)).state is TopUpState.CREDITED
    await shop.check(0)


@pytest.mark.parametrize("trouble", ["http500", "done500", "timeout", "system_error", "unavailable", "wrong_signature"])
async def test_a_refund_without_an_answer_moves_once(shop: Shop, trouble: str):
    made = await paid(shop)
    for method in ("alipay.trade.refund", "alipay.trade.fastpay.refund.query"):
        await asyncio.to_thread(shop.box.fault, trouble, method=method, seconds="0")
    refund = await shop.refunds.start(made["id"], 4 * YUAN, "")
    assert refund.state is RefundState.REQUESTED
    await shop.check(6 * YUAN)  # nobody can spend it meanwhile
    await asyncio.to_thread(shop.box.fault, "none")
    await shop.advance(5)
    assert await shop.refunds.sweep() == 1
    assert await shop.refunds.sweep() == 0
    assert back(shop, made) == "4.00"
    await shop.check(6 * YUAN)


async def test_a_refund_that_takes_its_time_is_asked_for_until_it_is_there(shop: Shop):
    made = await paid(shop)
    await asyncio.to_thread(shop.box.fault, "slow_refund", method="alipay.trade.refund", seconds="100")
    refund = await shop.refunds.start(made["id"], 4 * YUAN, "")
    assert refund.state is RefundState.REQUESTED
    await shop.advance(50)
    assert await shop.refunds.sweep() == 1
    await shop.advance(100)
    assert await shop.refunds.sweep() == 1
    (done,) = await shop.store.read(lambda tx: tx.topups.refunds(made["id"]))
    assert done.state is RefundState.DONE
    await shop.check(6 * YUAN)


async def test_a_refund_that_alipay_refuses_comes_back_to_the_balance(shop: Shop):
    made = await paid(shop)
    await asyncio.to_thread(shop.box.post, "finish", out_trade_no=made["number"])
    refund = await shop.refunds.start(made["id"], 4 * YUAN, "too late")
    assert refund.state is RefundState.FAILED
    assert refund.note.startswith("too late; ")
    assert "TRADE_HAS_FINISHED" in refund.note
    assert (await shop.row(made)).refunded_nanos == 0
    await shop.check(10 * YUAN)


async def test_what_alipay_has_given_back_by_itself_is_not_given_back_twice(shop: Shop):
    made = await paid(shop)
    fields = {"out_trade_no": made["number"], "amount": "8.00", "out_request_no": "console_1"}
    await asyncio.to_thread(shop.box.post, "refunds", **fields)
    refund = await shop.refunds.start(made["id"], 4 * YUAN, "")
    assert refund.state is RefundState.FAILED
    assert back(shop, made) == "8.00"
    await shop.check(10 * YUAN)


async def test_many_refunds_at_once_are_not_more_than_was_paid(shop: Shop):
    made = await paid(shop)

    async def start() -> bool:
        try:
            await shop.refunds.start(made["id"], 3 * YUAN, "")
        except (InvalidInputError, InsufficientFundsError):
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(start()) for _ in range(8)]
        for _ in range(4):
            group.create_task(shop.refunds.sweep())
    assert sum(task.result() for task in tasks) == 3
    await shop.advance(5)
    await shop.refunds.sweep()
    assert back(shop, made) == "9.00"
    await shop.check(YUAN)
