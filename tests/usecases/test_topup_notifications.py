"""Notifications that anybody can forge, and transfers that operators confirm."""

import pytest
from tests.usecases.test_topups import YUAN, World

from yuanjing.adapters.transfers import TransferMethod
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.topups import PayWay, RefundState, TopUpState, Verdict
from yuanjing.ports.payments import NotificationRefusedError, PaymentMethod, PaymentState
from yuanjing.ports.topups import TopUpFilter
from yuanjing.usecases.customers import create_customer
from yuanjing.usecases.topups import Notifications, TopUpPolicy

DAY = 86_400.0


@pytest.fixture
async def world():
    made = World()
    manual: PaymentMethod = TransferMethod("Send {amount} to us, reference {number}; {amount}!", seconds=14 * DAY)
    made.parts.methods["manual"] = manual  # type: ignore[index]  # a dictionary
    customer = await create_customer(made.store, made.clock, mobile="13800138000", test_grant_nanos=0)
    made.customer = customer.id
    return made


async def transfer(world, amount=100 * YUAN):
    return await world.topups.start(world.customer, "manual", PayWay.TRANSFER, amount)


async def test_forged_notifications_are_kept_up_to_a_number_each_hour_and_not_for_ever(world):
    object.__setattr__(world.parts, "policy", TopUpPolicy(forged_per_hour=3, forged_seconds=DAY))
    world.notifications = Notifications(world.parts)
    topup = await world.order()
    for _ in range(10):
        assert await world.take(b"bad") is Verdict.FORGED
    assert await world.verdicts("") == [Verdict.FORGED] * 3
    assert await world.take(topup.number.encode()) is Verdict.IGNORED  # genuine ones are always kept
    world.clock.advance(3601)
    await world.take(b"bad")
    assert len(await world.verdicts("")) == 4
    assert await world.notifications.prune() == 0
    world.clock.advance(DAY - 3000)
    assert await world.notifications.prune() == 3
    assert len(await world.verdicts("")) == 1
    world.clock.advance(10 * DAY)
    assert await world.notifications.prune() == 1
    assert await world.verdicts(topup.number) == [Verdict.IGNORED]


async def test_a_transfer_is_told_how_and_waits_for_its_operator(world):
    topup, begun = await transfer(world)
    assert begun.instructions == f"Send 100.00 to us, reference {topup.number}; 100.00!"
    assert (len(topup.number), topup.number.isupper()) == (12, True)
    assert topup.expires_at - topup.created_at == 14 * DAY
    world.clock.advance(DAY)
    assert await world.topups.sweep() == 0
    assert (await world.topups.show(world.customer, topup.id, ask=True)).asked_at is None
    done = await world.notifications.confirm(topup.number, " line 3 \n", amount_nanos=100 * YUAN)
    assert (done.state, done.note, done.flag) == (TopUpState.CREDITED, "line 3", "")
    await world.check(100 * YUAN)
    again = await world.notifications.confirm(topup.id, "line 4")
    assert again == done
    await world.check(100 * YUAN)
    (kept,) = await world.store.read(lambda tx: tx.topups.notifications(topup.number))
    assert (kept.method, kept.raw, kept.verdict) == ("manual", b"line 3", Verdict.CREDITED)


async def test_what_cannot_be_confirmed(world):
    topup, _ = await transfer(world)
    other = await world.order()
    for evidence in ("", "  ", "x" * 501):
        with pytest.raises(InvalidInputError, match="evidence"):
            await world.notifications.confirm(topup.id, evidence)
    with pytest.raises(InvalidInputError, match="amount"):
        await world.notifications.confirm(topup.id, "x", amount_nanos=99 * YUAN)
    with pytest.raises(InvalidInputError, match="sees its payments itself"):
        await world.notifications.confirm(other.id, "x")
    with pytest.raises(NotFoundError):
        await world.notifications.confirm("top_none", "x")
    with pytest.raises(NotFoundError):
        await world.notifications.take("manual", topup.number.encode())
    with pytest.raises(NotFoundError):
        world.notifications.acknowledgement("manual")
    with pytest.raises(NotificationRefusedError):
        world.parts.methods["manual"].read_notification(b"x")
    await world.check(0)


async def test_a_transfer_after_its_time_is_confirmed_all_the_same_and_flagged(world):
    topup, _ = await transfer(world)
    world.clock.advance(15 * DAY)
    assert await world.topups.sweep() == 1
    assert (await world.now(topup)).state is TopUpState.CLOSED
    done = await world.notifications.confirm(topup.id, "came late")
    assert (done.state, done.flag) == (TopUpState.CREDITED, "paid after it was closed")
    await world.check(100 * YUAN)


async def test_a_transfer_is_closed_and_given_back(world):
    topup, _ = await transfer(world)
    closed = await world.topups.close(world.customer, topup.id)
    assert (closed.state, closed.next_at) == (TopUpState.CLOSED, None)
    other, _ = await transfer(world)
    await world.notifications.confirm(other.id, "line 5")
    refund = await world.refunds.start(other.id, 40 * YUAN, "sent back by hand")
    assert refund.state is RefundState.DONE
    method = world.parts.methods["manual"]
    assert await method.find_refund(other.number, refund.number)
    assert (await method.query(other.number)).state is PaymentState.WAITING
    assert await method.bill(None) is None
    await world.check(60 * YUAN)


async def test_a_method_that_is_not_there_any_more(world):
    topup, _ = await transfer(world)
    del world.parts.methods["manual"]
    from yuanjing.ports.payments import PaymentUnavailableError  # noqa: PLC0415  # only here

    with pytest.raises(PaymentUnavailableError):
        await world.topups.close(world.customer, topup.id)
    with pytest.raises(InvalidInputError):
        await world.notifications.confirm(topup.id, "x")
    world.clock.advance(15 * DAY)
    assert await world.topups.sweep() == 1
    assert (await world.now(topup)).state is TopUpState.CREATED
    with pytest.raises(InvalidInputError):
        await world.topups.list(world.customer, limit=201)
    listed = await world.topups.list(world.customer)
    assert listed == await world.store.read(lambda tx: tx.topups.list(TopUpFilter(customer_id=world.customer)))
