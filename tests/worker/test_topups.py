"""The worker's loops of top-ups: what is due is done, and nobody is waited for at the end."""

import asyncio
import time

import pytest
from tests.usecases.test_topups import YUAN, World

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.topups import RefundState, TopUpState, Verdict
from yuanjing.ports.payments import PaymentRefusedError, PaymentUnavailableError
from yuanjing.usecases.customers import create_customer
from yuanjing.usecases.topups import Refunds, TopUpPolicy
from yuanjing.worker.topups import TopUpLoops


class Log:
    def __init__(self):
        self.lines = []

    def info(self, event, **facts):
        self.lines.append((event, facts))

    warning = info


@pytest.fixture
async def world():
    made = World()
    object.__setattr__(made.parts, "policy", TopUpPolicy(open_max=200, per_hour=200))
    customer = await create_customer(made.store, made.clock, mobile="13800138000", test_grant_nanos=0)
    made.customer = customer.id
    made.stop = asyncio.Event()
    made.log = Log()
    made.loops = TopUpLoops(made.parts, made.log, made.stop)
    return made


async def test_a_pass_says_whether_there_is_more(world):
    made = [await world.order() for _ in range(101)]
    for n, one in enumerate(made):
        world.method.pay(one.number, one.amount_nanos, f"up-{n}")
    assert not await world.loops.sweep()
    world.clock.advance(5)
    assert await world.loops.sweep()
    assert not await world.loops.sweep()
    assert {(await world.now(one)).state for one in made} == {TopUpState.CREDITED}
    await world.check(1010 * YUAN)


async def test_refunds_go_on_and_old_forged_notifications_go(world):
    topup = await world.order()
    await world.tell(topup)
    world.method.fails = PaymentUnavailableError("away")
    await world.refunds.start(topup.id, YUAN, "")
    world.method.fails = None
    world.clock.advance(5)
    assert not await world.loops.sweep_refunds()
    (done,) = await world.store.read(lambda tx: tx.topups.refunds(topup.id))
    assert done.state is RefundState.DONE
    assert await world.take(b"bad") is Verdict.FORGED
    world.clock.advance(40 * 86_400)
    assert not await world.loops.prune()
    assert await world.verdicts("") == []
    assert not await world.loops.match_bills()  # it has none
    assert world.log.lines == []
    await world.check(9 * YUAN)


async def test_the_end_does_not_wait_for_a_payment_method(world):
    await world.order()
    world.clock.advance(5)
    asked, ended = asyncio.Event(), asyncio.Event()

    async def never(number):
        del number
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    world.method.query = never
    sweeping = asyncio.get_running_loop().create_task(world.loops.sweep())
    await asked.wait()
    began = time.monotonic()
    world.stop.set()
    assert not await sweeping
    assert ended.is_set()
    assert time.monotonic() - began < 5


async def test_a_store_that_is_away_is_told_as_such(world):
    """And not as a group of errors, which the supervisor would take for a bug."""
    made = [await world.order() for _ in range(3)]
    world.clock.advance(5)
    write = world.store.write

    async def away(_work):
        raise StoreUnavailableError("away")

    world.store.write = away
    with pytest.raises(StoreUnavailableError):
        await world.loops.sweep()
    world.store.write = write
    for one in made:
        assert (await world.now(one)).state is TopUpState.CREATED


async def test_a_refund_that_moved_after_it_had_failed_is_told(world):
    topup = await world.order()
    await world.tell(topup)
    world.method.fails = PaymentUnavailableError("away")
    refund = await world.refunds.start(topup.id, YUAN, "")
    world.clock.advance(300)
    asked, gate = asyncio.Event(), asyncio.Event()

    async def moves_late(*_):
        asked.set()
        await gate.wait()
        return True

    async def refused(*_):
        raise PaymentRefusedError("no")

    world.method.refund = moves_late
    async with asyncio.TaskGroup() as group:
        group.create_task(world.loops.sweep_refunds())
        await asked.wait()
        world.method.refund = refused
        world.clock.advance(1000)  # longer than the claim of the one that waits
        await Refunds(world.parts).sweep()
        await world.check(10 * YUAN)
        gate.set()
    facts = {"method": "fake", "number": topup.number, "refund": refund.number, "amount": "1.00", "state": "done"}
    assert world.log.lines == [("topups.refund_moved_late", facts)]
    await world.check(9 * YUAN)
