"""Notices of low balances: one for each fall, one a day at most, and none lost, over every store."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from tests.adapters.store_contract.builders import customer

from yuanjing.domain import ledger
from yuanjing.domain.alerts import CLAIM_SECONDS, BalanceAlert
from yuanjing.domain.identity import Language
from yuanjing.domain.money import NANOS_PER_YUAN, Book
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.messages import (
    Notice,
    SentMessage,
    SmsLimitedError,
    SmsRefusedError,
    SmsUnavailableError,
)
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases import balance_alerts
from yuanjing.usecases.account import change_profile
from yuanjing.usecases.balance_alerts import AlertReport, BalanceAlerts, can_tell

YUAN = NANOS_PER_YUAN
DAY = 86_400.0
LINE = 10 * YUAN


@dataclass
class Sender:
    """Keeps the notices that it takes; `failure` is raised instead, `crash` after it has taken one."""

    notices: frozenset[Notice] = frozenset(Notice)
    sent: list[tuple[str, Notice, Mapping[str, str]]] = field(default_factory=list)
    failure: Exception | None = None
    crash: Exception | None = None
    name: str = "fake"
    makes_codes: bool = False
    cost_nanos: int = 0

    async def send_notice(self, mobile: str, notice: Notice, fields: Mapping[str, str]) -> SentMessage:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.sent.append((mobile, notice, dict(fields)))
        if self.crash is not None:
            raise self.crash
        return SentMessage()

    async def send_code(self, mobile: str, code: str, *, minutes: int) -> SentMessage:
        raise NotImplementedError

    async def check_code(self, mobile: str, code: str, receipt: str) -> bool:
        raise NotImplementedError


class World:
    """Customers with lines and money."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store, self.clock, self.sender = store, clock, Sender()
        self.alerts = BalanceAlerts(store=store, clock=clock, sms=self.sender)
        self._number = 0

    async def add(self, number: int = 1, *, line: int | None = LINE, owned: int = 0, **changes: object) -> str:
        made = customer(f"cus_{number:03}", f"+86138{number:08}")
        await self.store.write(lambda tx: tx.customers.add(replace(made, **({"disabled_at": None} | changes))))
        if line is not None:
            await change_profile(self.store, made.id, lambda terms: replace(terms, low_balance_nanos=line))
        if owned:
            await self.move(made.id, owned)
        return made.id

    async def move(self, customer_id: str, amount: int) -> None:
        self._number += 1
        name = str(self._number)
        if amount > 0:
            transfer = ledger.top_up(Book.LIVE, customer_id, amount, method="x", number=name)
        else:
            transfer = ledger.settle_late(Book.LIVE, customer_id, -amount, cause=name)
        await self.store.write(lambda tx: tx.ledger.post([transfer]))

    async def run(self) -> int:
        """How many notices a pass has sent."""
        before = len(self.sender.sent)
        await self.alerts.run()
        return len(self.sender.sent) - before

    async def alert(self, customer_id: str) -> BalanceAlert:
        return await self.store.read(lambda tx: tx.alerts.lock(customer_id))


@pytest.fixture
def world(store: Store, clock: ManualClock) -> World:
    return World(store, clock)


async def test_one_notice_for_each_fall_and_one_a_day(world: World) -> None:
    me = await world.add(owned=LINE)
    assert await world.run() == 0  # at the line is not below it
    await world.move(me, -1)
    assert [await world.run() for _ in range(3)] == [1, 0, 0]
    assert world.sender.sent == [("+8613800000001", Notice.LOW_BALANCE, {"balance": "9.99", "threshold": "10.00"})]
    world.clock.advance(10 * DAY)
    assert await world.run() == 0  # it has not been back
    await world.move(me, 1)
    assert await world.run() == 0
    await world.move(me, -1)
    assert [await world.run() for _ in range(2)] == [1, 0]
    await world.move(me, 1)
    assert await world.run() == 0
    await world.move(me, -5 * YUAN)
    assert await world.run() == 0  # a second fall on the same day
    world.clock.advance(DAY)
    assert [await world.run() for _ in range(2)] == [1, 0]
    assert world.sender.sent[-1][2]["balance"] == "5.00"


async def test_a_line_above_the_balance_is_told_at_once(world: World) -> None:
    me = await world.add(line=None, owned=5 * YUAN)
    assert await world.run() == 0
    await change_profile(world.store, me, lambda terms: replace(terms, low_balance_nanos=LINE))
    assert await world.run() == 1
    await change_profile(world.store, me, lambda terms: replace(terms, low_balance_nanos=None))
    world.clock.advance(DAY)
    assert await world.run() == 0


async def test_what_is_held_is_owned_and_play_money_is_not(world: World) -> None:
    me = await world.add(owned=LINE)
    posted = [
        ledger.place_hold(Book.LIVE, me, LINE - 1, hold_id="hold_1", part=1),
        ledger.grant(Book.TEST, me, 10**15, cause="play"),
    ]
    await world.store.write(lambda tx: tx.ledger.post(posted))
    assert await world.run() == 0
    await world.move(me, -1)
    assert await world.run() == 1


async def test_the_language_is_the_customers_where_the_sender_has_it(world: World) -> None:
    for number, language in ((1, Language.EN), (2, Language.ZH), (3, None)):
        await world.add(number, language=language)
    assert await world.run() == 3
    assert [notice for _, notice, _ in world.sender.sent] == [
        Notice.LOW_BALANCE_EN, Notice.LOW_BALANCE, Notice.LOW_BALANCE,
    ]  # fmt: skip
    for number, only in ((4, Notice.LOW_BALANCE), (5, Notice.LOW_BALANCE_EN)):
        await world.add(number, language=Language.EN if only is Notice.LOW_BALANCE else Language.ZH)
        world.sender.notices = frozenset({only})
        assert await world.run() == 1
        assert world.sender.sent[-1][1] is only
    assert can_tell(Sender(notices=frozenset({Notice.LOW_BALANCE_EN})))
    assert not can_tell(Sender(notices=frozenset()))


async def test_customers_who_are_disabled_are_not_written_to(world: World) -> None:
    await world.add(disabled_at=5.0)
    assert await world.run() == 0


async def test_many_customers_are_looked_through_in_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balance_alerts, "PAGE", 3)
    monkeypatch.setattr(balance_alerts, "AT_ONCE", 2)
    for number in range(9):
        await world.add(number, owned=LINE if number % 4 == 3 else YUAN)
    assert await world.run() == 7
    assert world.alerts.report == AlertReport(told=7)
    assert len({mobile for mobile, _, _ in world.sender.sent}) == 7


async def test_two_workers_tell_each_customer_once(world: World) -> None:
    for number in range(12):
        await world.add(number)
    others = [BalanceAlerts(store=world.store, clock=world.clock, sms=world.sender) for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        for one in others:
            group.create_task(one.run())
    assert sorted(mobile for mobile, _, _ in world.sender.sent) == [f"+86138{number:08}" for number in range(12)]


async def test_a_crash_before_the_notice_goes_out_loses_nothing(world: World) -> None:
    await world.add()
    world.sender.failure = RuntimeError("killed")
    with pytest.raises(RuntimeError):
        await world.alerts.run()
    world.sender.failure = None
    assert await world.run() == 0  # somebody may be sending it
    world.clock.advance(CLAIM_SECONDS)
    assert [await world.run() for _ in range(2)] == [1, 0]


async def test_a_crash_after_the_notice_went_out_tells_it_twice_and_no_more(world: World) -> None:
    await world.add()
    world.sender.crash = RuntimeError("killed")
    with pytest.raises(RuntimeError):
        await world.alerts.run()
    world.sender.crash = None
    world.clock.advance(CLAIM_SECONDS)
    assert [await world.run() for _ in range(3)] == [1, 0, 0]
    world.clock.advance(DAY)
    assert await world.run() == 0
    assert len(world.sender.sent) == 2


async def test_a_number_that_is_not_served_is_not_tried_all_the_time(world: World) -> None:
    me = await world.add()
    world.sender.failure = SmsRefusedError("no such number")
    assert await world.alerts.run() == AlertReport(refused=1)
    world.sender.failure = None
    world.clock.advance(2 * DAY)
    assert await world.run() == 0
    assert not (await world.alert(me)).is_armed


async def test_a_sender_with_too_many_to_a_number_is_asked_later(world: World) -> None:
    for number in (1, 2):
        await world.add(number)
    world.sender.failure = SmsLimitedError("too many")
    assert await world.alerts.run() == AlertReport(waiting=2)
    world.sender.failure = None
    assert await world.run() == 0
    world.clock.advance(CLAIM_SECONDS)
    assert await world.run() == 2


async def test_a_sender_that_is_away_ends_the_pass_and_nothing_is_lost(world: World) -> None:
    for number in range(3):
        await world.add(number)
    world.sender.failure = SmsUnavailableError("the vendor does not answer")
    assert await world.alerts.run() == AlertReport(waiting=1, trouble="the vendor does not answer")
    world.sender.failure = None
    world.clock.advance(CLAIM_SECONDS)
    assert await world.run() == 3


async def test_a_sender_that_is_away_is_not_asked_for_the_next_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balance_alerts, "PAGE", 2)
    for number in range(4):
        await world.add(number)
    world.sender.failure = SmsUnavailableError("the vendor does not answer")
    await world.alerts.run()
    claimed = [(await world.alert(f"cus_{number:03}")).claimed_at is not None for number in range(4)]
    assert claimed == [True, True, False, False]


async def test_a_line_that_moves_while_the_notice_goes_out(world: World) -> None:
    """It was told of; the new line counts from the next day on, once the balance was there."""
    me = await world.add(owned=YUAN)
    sender = world.sender

    class Moving(Sender):
        async def send_notice(self, mobile: str, notice: Notice, fields: Mapping[str, str]) -> SentMessage:
            await change_profile(world.store, me, lambda terms: replace(terms, low_balance_nanos=2 * LINE))
            return await sender.send_notice(mobile, notice, fields)

    await BalanceAlerts(store=world.store, clock=world.clock, sms=Moving()).run()
    alert = await world.alert(me)
    assert (alert.below_nanos, alert.is_armed, alert.claimed_at) == (2 * LINE, False, None)
    assert await world.run() == 0


async def test_a_customer_without_a_line_has_no_row(world: World) -> None:
    await world.add(line=None)

    def rows(tx: Tx) -> list[BalanceAlert]:
        return tx.alerts.list(after=None, limit=9)

    assert await world.store.read(rows) == []
