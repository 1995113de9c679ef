"""Leases in memory: nothing spent twice, nothing lost, and the last yuan spendable."""

import asyncio
import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from yuanjing.domain.errors import FencedError, StoreUnavailableError
from yuanjing.domain.money import Book
from yuanjing.gateway.counters import Counters
from yuanjing.gateway.lease_source import PurseKey, Refill
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.purse import Purses, Waiter

BUYER = (Book.TEST, "cus_1", None)
OPTIONS = GatewayOptions(lease_wait_seconds=0.06, refuse_seconds=0.25, heartbeat_seconds=0.02, close_seconds=0.3)


@dataclass
class Ledger:
    """A lease source that keeps books: `available`, and what each hold has."""

    available: int = 1000
    holds: dict[str, int] = field(default_factory=dict)
    calls: list[tuple[str | None, int, int]] = field(default_factory=list)
    given_back: list[tuple[str, int, bool]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    next_hold: str | None = None
    fails: list[Exception] = field(default_factory=list)
    return_fails: list[Exception] = field(default_factory=list)
    lost: int = 0
    loses_reply: bool = False
    is_recalling: bool = False
    extra: int = 0
    gate: asyncio.Event | None = None
    return_gate: asyncio.Event | None = None
    desk: "Desk | None" = None

    async def acquire(self, key, *, hold_id, needed_nanos, recent_nanos, asked):
        assert key == self.desk.buyer
        assert (asked is not None) == any(p.waiters for p in self.desk.purses._purses.values())
        assert needed_nanos > 0
        assert recent_nanos >= 0
        self.calls.append((hold_id, needed_nanos, recent_nanos))
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        if self.fails:
            raise self.fails.pop(0)
        if self.available < needed_nanos:
            return Refill(
                hold_id=None,
                granted_nanos=0,
                available_nanos=self.available,
                is_recalling=self.is_recalling,
                asked=dict(self.asked),
            )
        amount = min(self.available, needed_nanos + self.extra)
        self.available -= amount
        if self.loses_reply:
            self.loses_reply = False
            self.lost += amount
            raise StoreUnavailableError("the commit's answer was lost")
        hold = self.next_hold or hold_id or f"hold_{len(self.holds)}"
        self.next_hold = None
        self.holds[hold] = self.holds.get(hold, 0) + amount
        return Refill(hold_id=hold, granted_nanos=amount, available_nanos=self.available, is_recalling=False)

    async def give_back(self, returns):
        await asyncio.sleep(0)
        if self.return_gate is not None:
            await self.return_gate.wait()
        if self.return_fails:
            raise self.return_fails.pop(0)
        for back in returns:
            assert back.amount_nanos >= 0
            self.given_back.append((back.hold_id, back.amount_nanos, back.is_final))
            self.answers += [back.hold_id] * back.is_answer
            self.holds[back.hold_id] -= back.amount_nanos
            assert self.holds[back.hold_id] >= 0
            self.available += back.amount_nanos


class Desk:
    """Purses over a ledger with a hand-turned clock, and how a request uses them."""

    def __init__(self, ledger: Ledger, options: GatewayOptions = OPTIONS, buyer: PurseKey = BUYER) -> None:
        self.ledger, self.options, self.time, self.fenced = ledger, options, 100.0, 0
        ledger.desk, self.buyer = self, buyer
        self.tasks: set[asyncio.Task] = set()
        self.counters = Counters()
        self.purses = Purses(
            ledger, options, self.counters, now=lambda: self.time, spawn=self.spawn, on_fenced=self.on_fenced
        )

    def spawn(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def on_fenced(self):
        self.fenced += 1

    @property
    def purse(self):
        return self.purses.get(self.buyer)

    def ask(self, ceiling, floor=None, refused=None):
        """A future of the hold that a reservation was made in, or of the refusal."""
        future = asyncio.get_running_loop().create_future()

        def attempt():
            purse = self.purse
            if purse.reserve(ceiling):
                future.set_result(purse.hold_id)
                return
            self.purses.wait(
                purse,
                Waiter(
                    ceiling_nanos=ceiling,
                    floor_nanos=ceiling if floor is None else floor,
                    deadline=self.time + self.options.lease_wait_seconds,
                    wake=wake,
                ),
            )

        def wake(refill):
            if refill is None:
                attempt()
            elif refused is not None:
                refused(refill, future)
            else:
                future.set_result(refill)

        attempt()
        return future

    async def quiet(self):
        for _ in range(1000):
            if not self.tasks:
                return
            await asyncio.sleep(0.001)
        raise AssertionError(self.tasks)

    def total(self, charged=0):
        return self.ledger.available + self.purses.leased_nanos + self.ledger.lost + charged


async def test_the_first_request_leases_and_the_next_does_not():
    desk = Desk(Ledger(extra=100))
    hold = await desk.ask(50)
    assert await desk.ask(60) == hold
    assert desk.ledger.calls == [(None, 50, 8 * 50)]  # several of its ceilings, if a share of the balance allows it
    assert (desk.purse.free, desk.purse.reserved) == (40, 110)
    desk.purses.settle(desk.purse, hold, 50, 7)
    assert (desk.purse.free, desk.purse.reserved, desk.purse.spent) == (83, 60, 7)
    assert desk.total(7) == 1000


async def test_many_wait_for_one_call_and_are_served_in_order():
    desk = Desk(Ledger())
    futures = [desk.ask(100) for _ in range(12)]
    done = await asyncio.wait_for(asyncio.gather(*futures), 2)  # noqa: TID251  # a test may gather
    assert [isinstance(d, str) for d in done] == [True] * 10 + [False] * 2
    assert desk.ledger.available == 0
    assert desk.total() == 1000


async def test_a_refusal_is_remembered_then_asked_again():
    desk = Desk(Ledger(available=10))
    refusal = await desk.ask(50)
    assert (refusal.granted_nanos, refusal.available_nanos) == (0, 10)
    for _ in range(5):
        assert await desk.ask(50) is refusal
    assert len(desk.ledger.calls) == 1
    desk.time += 0.249
    assert await desk.ask(50) is refusal
    desk.time += 0.002
    assert await desk.ask(50) is not refusal
    assert len(desk.ledger.calls) == 2
    desk.ledger.available = 100
    desk.purses.forget_refusal(Book.LIVE, "cus_1")
    desk.purses.forget_refusal(Book.TEST, "cus_2")
    assert isinstance(await desk.ask(50), Refill)
    desk.purses.forget_refusal(Book.TEST, "cus_1")
    assert await desk.ask(50) == "hold_0"


async def test_who_can_do_with_less_is_not_refused_from_memory():
    desk = Desk(Ledger(available=30))
    refusal = await desk.ask(50)
    assert await desk.ask(50, floor=31) is refusal
    assert await desk.ask(50, floor=30) is not refusal
    assert len(desk.ledger.calls) == 2


async def test_who_is_refused_may_ask_for_less():
    desk = Desk(Ledger(available=30))
    seen = []

    def less(refill, future):
        seen.append(refill.available_nanos)
        desk.ask(refill.available_nanos).add_done_callback(lambda f: future.set_result(f.result()))

    assert await asyncio.wait_for(desk.ask(50, floor=10, refused=less), 2) == "hold_0"
    assert seen == [30]
    assert desk.purse.reserved == 30
    await desk.quiet()


async def test_money_that_others_hold_is_waited_for():
    desk = Desk(Ledger(available=10, is_recalling=True))
    future = desk.ask(50)
    await asyncio.sleep(0.02)
    assert not future.done()
    desk.ledger.available = 60
    assert await asyncio.wait_for(future, 2) == "hold_0"


async def test_but_not_for_ever():
    desk = Desk(Ledger(available=10, is_recalling=True))
    future = desk.ask(50)
    await asyncio.sleep(0.02)
    assert len(desk.ledger.calls) <= 8  # it does not ask in a frenzy
    desk.time += 0.07
    assert (await asyncio.wait_for(future, 2)).is_recalling
    await desk.quiet()


async def test_who_waits_keeps_nothing_from_others():
    desk = Desk(Ledger(available=60, is_recalling=True))
    hold = await desk.ask(60)
    desk.purses.settle(desk.purse, hold, 60, 0)
    future = desk.ask(100)
    await asyncio.sleep(0.02)
    assert (desk.purse.free, desk.ledger.available) == (0, 60)
    desk.ledger.available = 100
    assert await asyncio.wait_for(future, 2) == hold


async def test_a_recall_during_a_call_is_answered_after_it():
    desk = Desk(Ledger(extra=100, gate=asyncio.Event()))
    future = desk.ask(50)
    await asyncio.sleep(0)
    desk.ledger.holds["hold_0"] = 0
    desk.purse.hold_id = "hold_0"
    desk.purses.recall({"hold_0"})
    desk.ledger.next_hold = "hold_0"
    desk.ledger.gate.set()
    hold = await asyncio.wait_for(future, 2)
    await desk.quiet()
    assert desk.ledger.given_back == [(hold, 100, False)]
    desk.purses.settle(desk.purse, hold, 50, 20)
    await desk.quiet()
    assert desk.ledger.given_back[1:] == [(hold, 30, False)]
    await asyncio.wait_for(desk.ask(10), 2)
    assert not desk.purse.is_recalled
    desk.purses.settle(desk.purse, hold, 10, 0)
    assert desk.purse.free == 110


async def test_a_large_wish_does_not_refuse_a_small_one():
    desk = Desk(Ledger(available=60))
    large, small = desk.ask(100), desk.ask(40)
    assert (await large).available_nanos == 60
    assert await small == "hold_0"
    others = Desk(Ledger(available=60, is_recalling=True))
    large, small = others.ask(100), others.ask(40)
    assert await small == "hold_0"
    assert not large.done()
    others.time += 1
    assert isinstance(await large, Refill)


async def test_a_refused_renewal_refuses_nobody():
    desk = Desk(Ledger(available=100))
    hold = await desk.ask(100)
    desk.purses.settle(desk.purse, hold, 100, 40)
    desk.purses.renew(desk.purse)
    await desk.quiet()
    assert desk.purse.short is None
    desk.ledger.available = 40
    assert await desk.ask(100) == hold


async def test_a_renewal_that_gives_little_is_not_repeated_at_once():
    desk = Desk(Ledger(available=1000, extra=5))
    hold = await desk.ask(100)
    desk.purses.settle(desk.purse, hold, 100, 90)
    for _ in range(3):
        desk.purses.renew(desk.purse)
        await desk.quiet()
    assert len(desk.ledger.calls) == 2


async def test_recall_gives_back_what_is_free():
    desk = Desk(Ledger(extra=500))
    hold = await desk.ask(50)
    desk.purses.recall({hold})
    await desk.quiet()
    assert desk.ledger.given_back == [(hold, 500, False)]
    assert (desk.purse.free, desk.purse.reserved, desk.purse.hold_id) == (0, 50, hold)
    desk.purses.settle(desk.purse, hold, 50, 20)
    desk.purses.recall({hold})
    await desk.quiet()
    assert desk.ledger.holds[hold] == 20
    assert desk.total(20) == 1000


async def test_an_idle_lease_goes_back_and_the_purse_is_forgotten():
    desk = Desk(Ledger(extra=500))
    hold = await desk.ask(50)
    desk.time += 100
    desk.purses.tick(1.0)
    assert desk.purses.count == 1  # something is reserved
    desk.purses.settle(desk.purse, hold, 50, 20)
    desk.time += 29.9
    desk.purses.tick(1.0)
    await desk.quiet()
    assert desk.ledger.given_back == []
    desk.time += 0.2
    purse = desk.purses._purses[BUYER]
    desk.purses.tick(1.0)
    await desk.quiet()
    assert desk.ledger.given_back == [(hold, 530, True)]
    assert desk.purses.count == 0
    assert purse.is_dropped
    assert desk.total(20) == 1000


async def test_spending_fades():
    desk = Desk(Ledger(extra=500))
    hold = await desk.ask(400)
    desk.purses.settle(desk.purse, hold, 400, 400)
    for _ in range(20):
        desk.purses.tick(0.25)
    assert desk.purse.spent < 40


async def test_renewal_comes_before_the_need():
    desk = Desk(Ledger(extra=100))
    hold = await desk.ask(100)
    desk.purses.settle(desk.purse, hold, 100, 90)
    desk.purses.renew(desk.purse)
    desk.purses.renew(desk.purse)
    await desk.quiet()
    assert desk.ledger.calls[1:] == [(hold, 1, 4 * 90)]
    assert desk.purse.hold_id == hold


async def test_a_refused_renewal_is_not_repeated_at_once_and_does_not_refuse_who_can_pay():
    desk = Desk(Ledger(available=150, extra=40))
    hold = await desk.ask(100)
    desk.purses.settle(desk.purse, hold, 100, 90)
    desk.purses.renew(desk.purse)
    await desk.quiet()
    desk.purses.renew(desk.purse)
    await desk.quiet()
    assert len(desk.ledger.calls) == 2
    assert await desk.ask(60) == hold  # 50 are in the purse, 10 in the ledger


async def test_the_hold_changes_under_reservations():
    desk = Desk(Ledger(extra=30))
    old = await desk.ask(50)
    desk.ledger.next_hold = "hold_new"
    assert await desk.ask(40) == "hold_new"
    await desk.quiet()
    assert desk.ledger.given_back == [(old, 30, False)]
    desk.purses.settle(desk.purse, old, 50, 20)
    await desk.quiet()
    assert desk.ledger.given_back[-1] == (old, 30, False)
    assert desk.ledger.holds[old] == 20
    desk.purses.settle(desk.purse, "hold_new", 40, 10)
    assert desk.purse.free == desk.ledger.holds["hold_new"] - 10
    assert desk.total(30) == 1000


async def test_a_lost_store_refuses_and_loses_nothing():
    desk = Desk(Ledger(fails=[StoreUnavailableError("down")]))
    futures = [desk.ask(50), desk.ask(60)]
    for future in futures:
        assert (await future).available_nanos == -1
    assert desk.purse.short is None
    assert await desk.ask(50) == "hold_0"
    assert desk.total() == 1000


async def test_a_lost_reply_gives_no_money_to_the_purse():
    desk = Desk(Ledger(loses_reply=True))
    assert (await desk.ask(50)).available_nanos == -1
    assert desk.purses.leased_nanos == 0
    assert await desk.ask(50) == "hold_0"
    assert (desk.ledger.lost, desk.total()) == (50, 1000)


async def test_a_fenced_node_stops():
    desk = Desk(Ledger(fails=[FencedError("n", 1)]))
    assert (await desk.ask(50)).available_nanos == -1
    assert desk.fenced == 1
    hold = await desk.ask(50)
    desk.purses.settle(desk.purse, hold, 50, 0)
    desk.ledger.return_fails.append(FencedError("n", 1))
    await desk.purses.close()
    assert desk.fenced == 2


async def test_returns_are_repeated_until_they_arrive_once():
    desk = Desk(Ledger(return_fails=[StoreUnavailableError("down")] * 3))
    hold = await desk.ask(50)
    desk.purses.settle(desk.purse, hold, 50, 20)
    desk.purses.recall({hold})
    await desk.quiet()
    assert desk.ledger.given_back == [(hold, 30, False)]


async def test_close_returns_everything_once():
    desk = Desk(Ledger(extra=100))
    hold = await desk.ask(50)
    desk.purses.settle(desk.purse, hold, 50, 20)
    await desk.purses.close()
    assert desk.ledger.given_back == [(hold, 130, True)]
    assert desk.total(20) == 1000


async def test_close_does_not_wait_for_a_lost_store_for_ever():
    desk = Desk(Ledger(return_fails=[StoreUnavailableError("down")] * 10_000))
    hold = await desk.ask(50)
    desk.purses.settle(desk.purse, hold, 50, 20)
    await asyncio.wait_for(desk.purses.close(), 2)
    for task in desk.tasks:
        task.cancel()


async def test_what_is_reserved_at_the_close_stays():
    desk = Desk(Ledger(extra=100))
    hold = await desk.ask(50)
    await desk.purses.close()
    assert desk.ledger.holds[hold] == 150
    assert desk.purse.reserved == 50


async def test_something_free_of_charge_still_needs_a_lease():
    desk = Desk(Ledger())
    assert await desk.ask(0) == "hold_0"
    desk.purses.settle(desk.purse, "hold_0", 0, 0)
    assert desk.total() == 1000
    poor = Desk(Ledger(available=0))
    assert isinstance(await asyncio.wait_for(poor.ask(0), 2), Refill)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_any_order_of_things_keeps_the_books(seed):
    asyncio.run(_any_order(random.Random(seed)))  # noqa: S311  # a repeatable choice, no secret


async def _any_order(choose):  # noqa: C901, PLR0912  # one case for each thing that may happen
    desk = Desk(Ledger(available=3000, extra=choose.choice([0, 50, 400])))
    charged, open_ones = 0, []
    for _ in range(60):
        match choose.randrange(9):
            case 0 | 1 | 2:
                future = desk.ask(ceiling := choose.randrange(200))
                open_ones.append((ceiling, future))
            case 3 | 4:
                for pair in [p for p in open_ones if p[1].done()][:2]:
                    open_ones.remove(pair)
                    if isinstance(pair[1].result(), str):
                        charge = choose.randint(0, pair[0])
                        desk.purses.settle(desk.purse, pair[1].result(), pair[0], charge)
                        charged += charge
            case 5:
                desk.purses.recall(set(desk.ledger.holds))
            case 6:
                desk.time += choose.choice([0.05, 0.3, 4.0])
                desk.purses.tick(0.25)
            case 7:
                desk.ledger.next_hold = f"hold_x{choose.randrange(10**9)}"
                desk.purses.renew(desk.purse)
            case 8:
                desk.ledger.fails = [StoreUnavailableError("down")] * choose.randrange(2)
                desk.ledger.loses_reply = choose.random() < 0.2
        for _ in range(choose.randrange(4)):
            await asyncio.sleep(0)
    desk.ledger.fails.clear()
    await desk.quiet()
    for ceiling, future in open_ones:
        assert future.done()
        if isinstance(future.result(), str):
            desk.purses.settle(desk.purse, future.result(), ceiling, 0)
    await desk.quiet()
    assert desk.purse.reserved == 0
    assert desk.total(charged) == 3000
    await desk.purses.close()
    assert desk.ledger.available + desk.ledger.lost + charged == 3000
    assert sum(desk.ledger.holds.values()) == charged
