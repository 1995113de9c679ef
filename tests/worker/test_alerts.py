"""The worker's loop of notices: it says what it did, and waits for nobody when it is to stop."""

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs
from tests.adapters.store_contract.test_balance_alerts import Sender, World

from yuanjing.adapters.memory import MemoryStore
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.messages import SentMessage, SmsUnavailableError
from yuanjing.usecases.balance_alerts import BalanceAlerts
from yuanjing.worker.alerts import AlertLoop


@pytest.fixture
async def world() -> World:
    clock = ManualClock()
    made = World(MemoryStore(clock=clock), clock)
    await made.add()
    return made


async def test_it_says_how_many_were_told_and_to_nobody_whom(world: World) -> None:
    with capture_logs() as logs:
        loop = AlertLoop(world.alerts, structlog.get_logger("worker"), asyncio.Event())
        assert [await loop.run() for _ in range(2)] == [False, False]
    assert [(one["event"], one["told"]) for one in logs] == [("alerts.told", 1)]
    assert "138" not in str(logs)


async def test_it_says_when_the_sender_is_away(world: World) -> None:
    world.sender.failure = SmsUnavailableError("the vendor does not answer")
    with capture_logs() as logs:
        await AlertLoop(world.alerts, structlog.get_logger("worker"), asyncio.Event()).run()
    assert [(one["event"], one["error"]) for one in logs] == [
        ("alerts.sender_unavailable", "the vendor does not answer")
    ]


async def test_a_pass_that_fails_is_the_supervisors(world: World) -> None:
    world.sender.failure = ValueError("a bug")
    with pytest.raises(ValueError, match="a bug"):
        await AlertLoop(world.alerts, structlog.get_logger("worker"), asyncio.Event()).run()


async def test_it_does_not_wait_for_a_sender_when_it_is_to_stop(world: World) -> None:
    asked, stop = asyncio.Event(), asyncio.Event()

    class Slow(Sender):
        async def send_notice(self, mobile: str, notice: object, fields: object) -> SentMessage:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError((mobile, notice, fields))

    alerts = BalanceAlerts(store=world.store, clock=world.clock, sms=Slow())
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = group.create_task(AlertLoop(alerts, structlog.get_logger("worker"), stop).run())
        await asked.wait()
        stop.set()
        assert await running is False
