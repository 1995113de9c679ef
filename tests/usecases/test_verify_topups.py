"""Verify finds each way in which top-ups, refunds and the ledger can differ; rows are changed behind its back."""

from dataclasses import replace

import pytest
from tests.support.shop import breaches
from tests.usecases.test_topups import YUAN, World, paid

from yuanjing.domain import ledger
from yuanjing.domain.money import Book
from yuanjing.domain.topups import RefundState, TopUpState
from yuanjing.ports.payments import PaymentRefusedError
from yuanjing.usecases.customers import create_customer


@pytest.fixture
async def world():
    made = World()
    customer = await create_customer(made.store, made.clock, mobile="13800138000", test_grant_nanos=0)
    made.customer = customer.id
    return made


async def found(world) -> set[str]:
    return {one.subject for one in await world.store.read(breaches)}


def rows(world):
    return world.store._tx.topups


async def fill(world):
    """Orders in every state, and refunds in every state."""
    first, second = await paid(world), await paid(world, 5 * YUAN)
    await world.order()
    done = await world.refunds.start(first.id, 4 * YUAN, "")
    world.method.refund_moves = False
    await world.refunds.start(first.id, YUAN, "")
    world.method.fails = PaymentRefusedError("no")
    failed = await world.refunds.start(second.id, YUAN, "")
    assert failed.state is RefundState.FAILED
    return first, second, done, failed


async def test_a_world_with_everything_in_it_is_clean(world):
    await fill(world)
    assert await found(world) == set()


@pytest.mark.parametrize(
    "change",
    [
        {"amount_nanos": 11 * YUAN},
        {"state": TopUpState.CREATED},
        {"customer_id": "cus_other"},
        {"method": "other"},
        {"number": "YJother"},
    ],
)
async def test_an_order_that_is_not_what_was_credited(world, change):
    first, *_ = await fill(world)
    rows(world)._topups[first.id] = replace(rows(world)._topups[first.id], **change)
    assert f"topup:{first.number}" in await found(world)


async def test_an_order_that_is_gone(world):
    first, second, *_ = await fill(world)
    rows(world)._refunds.clear()
    del rows(world)._topups[second.id]
    subjects = await found(world)
    assert f"topup:{second.number}" in subjects
    assert first.id in subjects


async def test_an_order_that_is_said_to_be_credited(world):
    await fill(world)
    open_ = next(one for one in rows(world)._topups.values() if one.state is TopUpState.CREATED)
    rows(world)._topups[open_.id] = replace(open_, state=TopUpState.CREDITED)
    assert await found(world) == {f"topup:{open_.number}"}


async def test_what_is_said_to_have_gone_back(world):
    first, *_ = await fill(world)
    rows(world)._topups[first.id] = replace(rows(world)._topups[first.id], refunded_nanos=0)
    assert await found(world) == {first.id}


@pytest.mark.parametrize("change", [{"amount_nanos": 5 * YUAN}, {"state": RefundState.FAILED}])
async def test_a_refund_that_is_not_what_was_moved(world, change):
    first, _, done, _ = await fill(world)
    rows(world)._refunds[done.id] = replace(done, **change)
    subjects = await found(world)
    assert first.id in subjects
    assert subjects & {f"refund:{done.id}", f"correction:refund:{done.id}"}


async def test_a_refund_that_failed_and_brought_nothing_back(world):
    *_, failed = await fill(world)
    rows(world)._refunds[failed.id] = replace(failed, state=RefundState.DONE)
    assert f"correction:refund:{failed.id}" in await found(world)


async def test_money_of_a_refund_that_was_taken_again(world):
    """It goes with a refund that failed and has moved all the same, and with no other."""
    *_, done, failed = await fill(world)
    take = ledger.retake_refund(Book.LIVE, world.customer, YUAN, method="fake", id_=failed.id)
    await world.store.write(lambda tx: tx.ledger.post([take]))
    assert await found(world) == {f"correction:refund:{failed.id}"}
    topup = rows(world)._topups[failed.topup_id]
    rows(world)._refunds[failed.id] = replace(failed, state=RefundState.DONE)
    rows(world)._topups[topup.id] = replace(topup, refunded_nanos=YUAN)
    assert await found(world) == set()
    second = ledger.retake_refund(Book.LIVE, world.customer, YUAN, method="fake", id_=done.id)
    await world.store.write(lambda tx: tx.ledger.post([second]))
    assert await found(world) == {f"correction:refund:{done.id}"}


async def test_money_that_came_without_an_order(world):
    await fill(world)
    post = ledger.top_up(Book.LIVE, world.customer, YUAN, method="fake", number="YJnobody")
    await world.store.write(lambda tx: tx.ledger.post([post]))
    assert await found(world) == {"topup:YJnobody"}


async def test_money_that_went_without_a_refund(world):
    await fill(world)
    post = ledger.refund(Book.LIVE, world.customer, YUAN, method="fake", id_="ref_nobody")
    await world.store.write(lambda tx: tx.ledger.post([post]))
    assert await found(world) == {"refund:ref_nobody"}
