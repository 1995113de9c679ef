"""Top-ups: one payment is one credit, however it is heard of; refunds move money once."""

import asyncio

import pytest
from tests.support.payments import FakeMethod
from tests.support.shop import breaches

from yuanjing.adapters.memory import MemoryStore
from yuanjing.domain.errors import InsufficientFundsError, InvalidInputError, NotFoundError
from yuanjing.domain.ledger import is_posting, settle_late
from yuanjing.domain.money import Book
from yuanjing.domain.topups import PayWay, RefundState, TopUpState, Verdict
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.payments import (
    Payment,
    PaymentMethod,
    PaymentRefusedError,
    PaymentState,
    PaymentUnavailableError,
)
from yuanjing.ports.topups import TopUpFilter
from yuanjing.usecases.customers import create_customer
from yuanjing.usecases.topups import Notifications, Refunds, TopUpParts, TopUpPolicy, TopUps
from yuanjing.usecases.topups.orders import TooManyOrdersError

YUAN = 10**9


class World:
    def __init__(self):
        self.clock = ManualClock()
        self.store = MemoryStore(clock=self.clock)
        self.method = FakeMethod()
        contract: PaymentMethod = self.method
        self.parts = TopUpParts(
            store=self.store,
            clock=self.clock,
            methods={"fake": contract},
            policy=TopUpPolicy(open_max=3),
            subject="Yuanjing",
            return_url=lambda id_: f"https://us.example/topups/{id_}",
            notify_url=lambda name: f"https://us.example/notify/{name}",
        )
        self.topups, self.refunds = TopUps(self.parts), Refunds(self.parts)
        self.notifications = Notifications(self.parts)
        self.customer = ""

    async def order(self, amount=10 * YUAN, way=PayWay.PAGE):
        return (await self.topups.start(self.customer, "fake", way, amount))[0]

    async def tell(self, topup, amount=None, upstream="up-1"):
        text = f"{topup.number} {topup.amount_nanos if amount is None else amount} {upstream}"
        return await self.take(text.encode())

    async def take(self, raw, method="fake"):
        return (await self.notifications.take(method, raw))[0]

    async def now(self, topup):
        return await self.store.read(lambda tx: tx.topups.get(topup.id))

    async def available(self):
        return (await self.store.read(lambda tx: tx.ledger.balances(Book.LIVE, self.customer))).available_nanos

    async def verdicts(self, number):
        return [one.verdict for one in await self.store.read(lambda tx: tx.topups.notifications(number))]

    async def check(self, available):
        """The books are even, every transfer is a posting, and the customer has this much."""
        assert await self.available() == available
        accounts = await self.store.read(lambda tx: tx.ledger.account_balances(Book.LIVE))
        assert sum(accounts.values()) == 0
        transfers = await self.store.read(lambda tx: list(tx.ledger.scan_transfers()))
        assert all(is_posting(one) for one in transfers)


@pytest.fixture
async def world():
    made = World()
    customer = await create_customer(made.store, made.clock, mobile="13800138000", test_grant_nanos=0)
    made.customer = customer.id
    return made


async def test_a_payment_that_is_told_is_credited_once(world):
    topup, begun = await world.topups.start(world.customer, "fake", PayWay.PAGE, 10 * YUAN, client_address="192.0.2.1")
    (order,) = world.method.orders
    assert begun.url == f"https://pay.example/{topup.number}"
    assert (order.amount_nanos, order.client_address) == (10 * YUAN, "192.0.2.1")
    assert order.notify_url == "https://us.example/notify/fake"
    assert order.return_url == f"https://us.example/topups/{topup.id}"
    assert (topup.state, len(topup.number), topup.number.isalnum()) == (TopUpState.CREATED, 30, True)
    await world.check(0)
    assert [await world.tell(topup) for _ in range(3)] == [Verdict.CREDITED, Verdict.REPEATED, Verdict.REPEATED]
    done = await world.now(topup)
    assert (done.state, done.upstream_id, done.next_at, done.flag) == (TopUpState.CREDITED, "up-1", None, "")
    assert sorted(await world.verdicts(topup.number)) == [Verdict.CREDITED, Verdict.REPEATED, Verdict.REPEATED]
    await world.check(10 * YUAN)


async def test_fifty_notifications_polls_and_sweeps_at_once_credit_once(world):
    topup = await world.order()
    world.method.pay(topup.number, topup.amount_nanos)
    world.clock.advance(6)
    async with asyncio.TaskGroup() as group:
        told = [group.create_task(world.tell(topup)) for _ in range(50)]
        for _ in range(10):
            group.create_task(world.topups.sweep())
            group.create_task(world.topups.show(world.customer, topup.id, ask=True))
    assert [task.result() for task in told].count(Verdict.CREDITED) <= 1
    await world.check(10 * YUAN)


@pytest.mark.parametrize(
    ("amount", "upstream", "credited_before"),
    [(10 * YUAN - 10_000_000, "up-1", False), (11 * YUAN, "up-1", False), (10 * YUAN, "up-2", True)],
)
async def test_what_was_not_ordered_is_not_credited_but_flagged(world, amount, upstream, credited_before):
    topup = await world.order()
    if credited_before:
        await world.tell(topup)
    before = await world.available()
    assert await world.tell(topup, amount, upstream) is Verdict.MISMATCH
    assert topup.number in (await world.now(topup)).flag
    await world.check(before)


async def test_what_is_forged_unknown_or_no_payment_is_kept_and_moves_nothing(world):
    topup = await world.order()
    assert await world.take(b"bad") is Verdict.FORGED
    assert await world.take(b"YJnothing 1 up") is Verdict.UNKNOWN
    assert await world.take(topup.number.encode()) is Verdict.IGNORED
    assert await world.verdicts(topup.number) == [Verdict.IGNORED]
    assert await world.verdicts("") == [Verdict.FORGED]
    with pytest.raises(NotFoundError):
        await world.take(b"x", "other")
    world.method.accepts_notifications = False
    with pytest.raises(NotFoundError):
        await world.tell(topup)
    await world.check(0)


async def test_a_notification_that_is_lost_is_made_good_by_asking(world):
    topup = await world.order()
    assert (await world.topups.show(world.customer, topup.id, ask=True)).state is TopUpState.CREATED
    world.method.pay(topup.number, topup.amount_nanos)
    assert (await world.topups.show(world.customer, topup.id)).state is TopUpState.CREATED
    world.clock.advance(3)
    assert (await world.topups.show(world.customer, topup.id, ask=True)).state is TopUpState.CREDITED
    other = await world.order(5 * YUAN, PayWay.QR)
    world.method.pay(other.number, other.amount_nanos)
    assert await world.topups.sweep() == 0
    world.clock.advance(5)
    assert await world.topups.sweep() == 1
    assert (await world.now(other)).state is TopUpState.CREDITED
    with pytest.raises(NotFoundError):
        await world.topups.show("cus_other", topup.id)
    await world.check(15 * YUAN)


async def test_orders_are_asked_for_ever_less_often_and_closed_when_they_expire(world):
    topup = await world.order()
    pauses, last = [], world.clock.unix()
    while (await world.now(topup)).state is TopUpState.CREATED:
        world.clock.advance(1)
        if await world.topups.sweep():
            pauses.append(world.clock.unix() - last)
            last = world.clock.unix()
    assert pauses[:4] == [5, 5, 10, 20]
    assert max(pauses) <= 300
    assert world.method.closed == [topup.number]
    done = await world.now(topup)
    assert 1800 <= done.closed_at - done.created_at <= 2100
    await world.check(0)


async def test_a_payment_after_the_close_is_credited_and_flagged(world):
    topup = await world.order()
    world.clock.advance(2000)
    await world.topups.sweep()
    assert (await world.now(topup)).state is TopUpState.CLOSED
    assert await world.tell(topup) is Verdict.CREDITED
    assert (await world.now(topup)).flag == "paid after it was closed"
    flagged = await world.store.read(lambda tx: tx.topups.list(TopUpFilter(is_flagged=True)))
    assert [one.id for one in flagged] == [topup.id]
    await world.check(10 * YUAN)


async def test_a_method_that_cannot_be_asked_is_asked_again_and_nothing_is_closed(world):
    topup = await world.order()
    world.method.fails = PaymentUnavailableError("away")
    for _ in range(20):
        world.clock.advance(300)
        await world.topups.sweep()
    assert (await world.now(topup)).state is TopUpState.CREATED
    world.method.fails = None
    world.method.pay(topup.number, topup.amount_nanos)
    world.clock.advance(300)
    await world.topups.sweep()
    await world.check(10 * YUAN)


async def test_an_order_that_nobody_began_is_over_some_time_after_its_expiry(world):
    topup = await world.order()
    world.method.payments[topup.number] = Payment(number=topup.number, state=PaymentState.UNKNOWN)
    world.clock.advance(1801)
    await world.topups.sweep()
    assert (await world.now(topup)).state is TopUpState.CREATED  # a payment may be on its way
    world.clock.advance(700)
    await world.topups.sweep()
    assert (await world.now(topup)).state is TopUpState.CLOSED


@pytest.mark.parametrize(
    ("method", "way", "amount", "param"),
    [
        ("other", PayWay.PAGE, 10 * YUAN, "method"),
        ("fake", PayWay.WAP, 10 * YUAN, "way"),
        ("fake", PayWay.PAGE, 0, "amount"),
        ("fake", PayWay.PAGE, -YUAN, "amount"),
        ("fake", PayWay.PAGE, YUAN + 1, "amount"),
        ("fake", PayWay.PAGE, YUAN - 10_000_000, "amount"),
        ("fake", PayWay.PAGE, 50_000 * YUAN + 10_000_000, "amount"),
    ],
)
async def test_what_cannot_be_ordered(world, method, way, amount, param):
    with pytest.raises((InvalidInputError, NotFoundError)) as caught:
        await world.topups.start(world.customer, method, way, amount)
    assert caught.value.param == param
    assert await world.store.read(lambda tx: tx.topups.list(TopUpFilter())) == []


async def test_a_customer_has_so_many_open_orders_and_no_more(world):
    topups = [await world.order() for _ in range(3)]
    with pytest.raises(TooManyOrdersError):
        await world.order()
    await world.tell(topups[0])
    await world.order()
    with pytest.raises(NotFoundError):
        await world.topups.start("cus_other", "fake", PayWay.PAGE, YUAN)


async def test_a_customer_orders_so_many_times_within_an_hour_and_no_more(world):
    object.__setattr__(world.parts, "policy", TopUpPolicy(open_max=3, per_hour=4))
    for _ in range(4):
        topup = await world.order()
        await world.topups.close(world.customer, topup.id)
        world.clock.advance(600)
    with pytest.raises(TooManyOrdersError) as refused:
        await world.order()
    assert refused.value.retry_after_seconds == 1200
    world.clock.advance(1199)
    with pytest.raises(TooManyOrdersError):
        await world.order()
    world.clock.advance(1)
    await world.order()


async def test_an_order_that_its_method_refuses_is_closed_and_one_of_unknown_fate_is_not(world):
    world.method.fails = PaymentRefusedError("no")
    with pytest.raises(PaymentRefusedError):
        await world.order()
    world.method.fails = PaymentUnavailableError("away")
    with pytest.raises(PaymentUnavailableError):
        await world.order()
    states = [one.state for one in await world.store.read(lambda tx: tx.topups.list(TopUpFilter()))]
    assert sorted(states) == [TopUpState.CLOSED, TopUpState.CREATED]


async def paid(world, amount=10 * YUAN):
    topup = await world.order(amount)
    await world.tell(topup)
    return topup


async def test_refunds_in_parts_up_to_the_whole(world):
    topup = await paid(world)
    first = await world.refunds.start(topup.id, 4 * YUAN, "asked by mail")
    assert (first.state, first.note) == (RefundState.DONE, "asked by mail")
    await world.check(6 * YUAN)
    with pytest.raises(InvalidInputError):
        await world.refunds.start(topup.id, 6 * YUAN + 10_000_000, "")
    await world.refunds.start(topup.id, 6 * YUAN, "")
    assert sorted(world.method.refunds.values()) == [4 * YUAN, 6 * YUAN]
    for amount in (10_000_000, 0, -YUAN, 5):
        with pytest.raises(InvalidInputError):
            await world.refunds.start(topup.id, amount, "")
    with pytest.raises(NotFoundError):
        await world.refunds.start("top_none", YUAN, "")
    await world.check(0)


async def test_money_that_was_spent_cannot_go_back(world):
    topup = await paid(world)
    other = await paid(world, 5 * YUAN)
    await world.refunds.start(other.id, 5 * YUAN, "")

    def spend(tx):
        from yuanjing.domain import ledger  # noqa: PLC0415  # only here

        tx.ledger.post([ledger.settle_late(Book.LIVE, world.customer, 9 * YUAN, cause="test")])

    await world.store.write(spend)
    with pytest.raises(InsufficientFundsError):
        await world.refunds.start(topup.id, 2 * YUAN, "")
    assert (await world.now(topup)).refunded_nanos == 0
    await world.check(YUAN)


async def test_a_refund_that_is_refused_brings_the_money_back(world):
    topup = await paid(world)
    world.method.fails = PaymentRefusedError("not refundable")
    refund = await world.refunds.start(topup.id, 4 * YUAN, "")
    assert refund.state is RefundState.FAILED
    assert (await world.now(topup)).refunded_nanos == 0
    await world.check(10 * YUAN)
    world.method.fails = None
    assert (await world.refunds.start(topup.id, 10 * YUAN, "")).state is RefundState.DONE
    await world.check(0)


async def test_a_refund_of_unknown_fate_is_asked_for_again_under_its_number(world):
    topup = await paid(world)
    world.method.fails = PaymentUnavailableError("away")
    refund = await world.refunds.start(topup.id, 4 * YUAN, "")
    assert refund.state is RefundState.REQUESTED
    await world.check(6 * YUAN)  # nobody can spend it meanwhile
    world.method.fails, world.method.refund_moves = None, False
    world.clock.advance(5)
    assert await world.refunds.sweep() == 1
    world.method.refund_moves = True
    world.clock.advance(300)
    assert await world.refunds.sweep() == 1
    assert await world.refunds.sweep() == 0
    (done,) = await world.store.read(lambda tx: tx.topups.refunds(topup.id))
    assert (done.state, done.checks, done.next_at) == (RefundState.DONE, 2, None)
    assert world.method.refunds == {(topup.number, refund.number): 4 * YUAN}
    await world.check(6 * YUAN)


class Stubborn(FakeMethod):
    """A method whose answers to calls for a refund are given, one after another; an answer may be an error."""

    answers: tuple = ()

    def __init__(self):
        super().__init__()
        self.is_waiting = asyncio.Event()

    async def refund(self, number, refund_number, amount_nanos, reason):
        first, *rest = self.answers
        self.answers = tuple(rest)
        if isinstance(first, asyncio.Event):
            self.is_waiting.set()
            await first.wait()
            return await super().refund(number, refund_number, amount_nanos, reason)
        if isinstance(first, Exception):
            raise first
        return first


class NotOfPaymentError(PaymentRefusedError):
    is_of_payment = False


@pytest.fixture
async def stubborn(world):
    world.method = world.parts.methods["fake"] = Stubborn()
    return world


async def only_refund(world, topup):
    (found,) = await world.store.read(lambda tx: tx.topups.refunds(topup.id))
    return found


async def test_a_refusal_of_the_question_about_a_refund_is_no_refusal_of_the_refund(stubborn):
    topup = await paid(stubborn)
    stubborn.method.answers = (False,)

    async def refused(*_):
        raise PaymentRefusedError("no permission to ask")

    stubborn.method.find_refund = refused
    refund = await stubborn.refunds.start(topup.id, 4 * YUAN, "")
    assert refund.state is RefundState.REQUESTED
    await stubborn.check(6 * YUAN)


async def test_after_an_attempt_of_unknown_fate_only_refusals_of_the_payment_count(stubborn):
    topup = await paid(stubborn)
    away, not_now, no = PaymentUnavailableError("away"), NotOfPaymentError("no permission"), PaymentRefusedError("no")
    stubborn.method.answers = (away, not_now, no)
    await stubborn.refunds.start(topup.id, 4 * YUAN, "")
    stubborn.clock.advance(300)
    assert await stubborn.refunds.sweep() == 1
    assert (await only_refund(stubborn, topup)).state is RefundState.REQUESTED
    await stubborn.check(6 * YUAN)
    stubborn.clock.advance(300)
    assert await stubborn.refunds.sweep() == 1
    assert (await only_refund(stubborn, topup)).state is RefundState.FAILED
    await stubborn.check(10 * YUAN)
    stubborn.method.answers = (not_now,)
    assert (
        await stubborn.refunds.start(topup.id, 4 * YUAN, "")
    ).state is RefundState.FAILED  # nothing was asked before


async def test_a_refund_that_is_asked_about_is_left_alone(stubborn):
    topup = await paid(stubborn)
    gate = asyncio.Event()
    stubborn.method.answers = (gate, PaymentRefusedError("no"))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(stubborn.refunds.start(topup.id, 4 * YUAN, ""))
        await stubborn.method.is_waiting.wait()
        assert await stubborn.refunds.sweep() == 0
        gate.set()
    assert first.result().state is RefundState.DONE
    await stubborn.check(6 * YUAN)


async def test_two_sweeps_ask_about_a_refund_once(stubborn):
    topup = await paid(stubborn)
    gate = asyncio.Event()
    stubborn.method.answers = (PaymentUnavailableError("away"), gate)
    await stubborn.refunds.start(topup.id, 4 * YUAN, "")
    stubborn.clock.advance(300)
    async with asyncio.TaskGroup() as group:
        group.create_task(stubborn.refunds.sweep())
        group.create_task(stubborn.refunds.sweep())
        await stubborn.method.is_waiting.wait()
        gate.set()
    assert (await only_refund(stubborn, topup)).state is RefundState.DONE
    await stubborn.check(6 * YUAN)


async def test_a_payment_method_that_never_answers_is_not_waited_for(stubborn):
    topup = await paid(stubborn)
    object.__setattr__(stubborn.parts, "policy", TopUpPolicy(refund_seconds=0.01))
    stubborn.method.answers = (asyncio.Event(), True)
    assert (await stubborn.refunds.start(topup.id, 4 * YUAN, "")).state is RefundState.REQUESTED
    stubborn.clock.advance(300)
    await stubborn.refunds.sweep()
    assert (await only_refund(stubborn, topup)).state is RefundState.DONE
    await stubborn.check(6 * YUAN)


@pytest.mark.parametrize("spent", [0, 7 * YUAN])
async def test_a_refund_that_moved_after_it_had_failed_is_flagged_and_taken_again_if_it_is_there(stubborn, spent):
    topup = await paid(stubborn)
    gate, told = asyncio.Event(), []
    stubborn.method.answers = (gate, PaymentRefusedError("no"))
    refunds = Refunds(stubborn.parts, lambda order, refund: told.append((order.id, refund.state)))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(refunds.start(topup.id, 4 * YUAN, "asked by mail"))
        await stubborn.method.is_waiting.wait()
        stubborn.clock.advance(1000)  # a process that slept for longer than its claim
        await refunds.sweep()
        await stubborn.check(10 * YUAN)
        if spent:
            use = settle_late(Book.LIVE, stubborn.customer, spent, cause="test")
            await stubborn.store.write(lambda tx: tx.ledger.post([use]))
        gate.set()
    refund, order = await only_refund(stubborn, topup), await stubborn.now(topup)
    assert first.result() == refund
    assert refund.state is (RefundState.FAILED if spent else RefundState.DONE)
    assert refund.note.startswith("asked by mail; no; moved after it had failed")
    assert refund.number in order.flag
    assert order.flag.endswith("is still to be taken" if spent else "was taken again")
    assert order.refunded_nanos == (0 if spent else 4 * YUAN)
    assert told == [(topup.id, refund.state)]
    await stubborn.check(10 * YUAN - spent if spent else 6 * YUAN)
    assert [one for one in await stubborn.store.read(breaches) if one.check == "top-ups"] == []
