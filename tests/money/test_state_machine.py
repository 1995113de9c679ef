"""Everything that can happen to money at once, against a model that only adds up.

Units of work of several coroutines are interleaved by hand: a coroutine is stepped from one unit of work to the next,
so posting, take-over, acquiring and returning meet in every order. Connections break before and after commits,
processes crash, pause past their take-over and wake up, spools come late, clocks jump.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Coroutine

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from tests.money.promotion_rules import PromotionRules
from tests.support.money import PRICE, TTL_SECONDS, FlakyStore, Gateway, World, tokens

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.domain.errors import FencedError, StoreUnavailableError
from yuanjing.domain.holds import LeasePolicy
from yuanjing.domain.identity import BudgetPeriod
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ceiling_nanos
from yuanjing.domain.usage import UsageStatus
from yuanjing.kit.clock import ManualClock
from yuanjing.usecases.expiry import expire_holds
from yuanjing.usecases.nodes import beat, find_reader, take_over
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.verify import verify

CUSTOMERS = ("cus_a", "cus_b")
SLOTS = ("m-g0", "m-g1", "n-g0")
BUDGETS = {
    "key_total": ("cus_a", 3_000_000, BudgetPeriod.TOTAL),
    "key_day": ("cus_a", 2_000_000, BudgetPeriod.DAY),
}
customers = st.sampled_from(CUSTOMERS)
slots = st.sampled_from(SLOTS)
sizes = st.sampled_from([1, 5, 20, 60])
counts = st.sampled_from([0, 1, 1, 3, 4, 5, 20, 60])
picks = st.integers(min_value=0, max_value=30)
steps = st.sampled_from([99, 99, 99, 0, 1, 2])
keys = st.sampled_from([None, None, "key_total", "key_day"])


class MoneyMachine(PromotionRules):
    """The rules. `run` drives a coroutine to its end, `start` leaves it to be stepped where the store allows it."""

    is_stepped = True

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.world = self.make_world()
        self.posters = {name: UsagePoster(self.world.store, self.clock, batch_rows=3) for name in ("m", "m2")}
        self.gateways: dict[str, Gateway] = {}
        self.zombies: list[Gateway] = []
        self.running: list[tuple[Coroutine, Callable]] = []
        self.granted: defaultdict[tuple[Book, str], int] = defaultdict(int)
        self.acknowledged: dict[str, tuple[int, str]] = {}
        self.may_be_late: set[str] = set()
        self.marked: dict[str, tuple[int, str]] = {}

    def make_world(self) -> World:
        store = FlakyStore(MemoryStore(clock=self.clock))
        return World(
            store=store,
            spools=MemorySpoolFolder(),
            clock=self.clock,
            policy=LeasePolicy(share_percent=30, amount_max_nanos=10**9),
        )

    # how coroutines run

    def run(self, coroutine: Coroutine):
        """To the end; None if the store was away."""

        async def guarded():
            try:
                return await coroutine
            except StoreUnavailableError:
                return None

        return self.do(guarded())

    def do(self, coroutine: Coroutine):
        """To the end; what waits for nothing but the memory store needs no event loop."""
        if not self.is_stepped:
            return self.runner.run(coroutine)
        while True:
            try:
                coroutine.send(None)
            except StopIteration as stop:
                return stop.value

    def start(self, coroutine: Coroutine, steps: int, then: Callable = lambda _: None) -> None:
        """Begin, do so many units of work, and go on in later steps."""
        if not self.is_stepped:
            try:
                then(self.run(coroutine))
            except FencedError:
                return
            return
        self.running.append((coroutine, then))
        for _ in range(steps + 1):
            if self.step(len(self.running) - 1):
                return

    def step(self, index: int) -> bool:
        """One unit of work; whether the coroutine has ended."""
        coroutine, then = self.running[index]
        try:
            coroutine.send(None)
        except StopIteration as stop:
            self.running.pop(index)
            then(stop.value)
        except (StoreUnavailableError, FencedError):
            self.running.pop(index)
        else:
            return False
        return True

    def alive(self, pick: int) -> Gateway | None:
        """A process that has not ended and does not know of a take-over."""
        living = [gateway for _, gateway in sorted(self.gateways.items()) if not gateway.is_dead]
        return living[pick % len(living)] if living else None

    # rules

    @initialize(amount=st.sampled_from([12_000_000, 3_000_001, 40_000_000, 700_000]))
    def begin(self, amount: int) -> None:
        self.run(self.world.prepare(*CUSTOMERS, budgets=BUDGETS))
        self.grant("cus_a", amount, Book.LIVE)
        self.grant("cus_b", 3_000_000, Book.LIVE)
        for slot in SLOTS[:2]:
            self.gateways[slot] = self.run(self.world.gateway(slot, slot[0]))

    @rule(customer=customers, amount=st.sampled_from([1, 400_000, 5_000_000]), book=st.sampled_from(Book))
    def grant(self, customer: str, amount: int, book: Book) -> None:
        if self.broken:
            return
        self.run(self.world.grant(customer, amount, book))
        self.granted[book, customer] += amount

    @rule(
        pick=picks,
        customer=customers,
        book=st.sampled_from(Book),
        key=keys,
        size=sizes,
        recent=st.sampled_from([0, 0, 100_000, 3_000_000]),
        steps=steps,
    )
    def acquire(self, pick, customer, book, key, size, recent, steps) -> None:  # noqa: PLR0913, PLR0917  # a rule draws them
        gateway = self.alive(pick)
        if gateway is None or gateway.is_busy:
            return
        if key is not None:
            customer, book = "cus_a", Book.LIVE
        needed = ceiling_nanos(PRICE, size + 1, size)
        gateway.is_busy = True
        coroutine = gateway.acquire(customer, needed=needed, recent=recent, book=book, budget_key_id=key)
        self.start(self._not_busy(gateway, coroutine), steps)

    async def _not_busy(self, gateway: Gateway, coroutine: Coroutine) -> None:
        """One request of a process at a time: each purse has one filler."""
        try:
            answer = await coroutine
            assert bool(answer.granted_nanos) == (answer.hold_id is not None)
        finally:
            gateway.is_busy = False

    @rule(
        pick=picks,
        customer=st.sampled_from(["cus_a", "cus_a", "cus_b"]),
        key=keys,
        size=sizes,
        uses=st.lists(st.tuples(counts, counts, st.booleans()), min_size=1, max_size=4),
    )
    def chat(self, pick, customer, key, size, uses) -> None:
        """The usual way, some times: a lease, a request, perhaps its end."""
        gateway = self.alive(pick)
        if gateway is None or gateway.is_busy:
            return
        ceiling = ceiling_nanos(PRICE, size + 1, size)
        customer = customer if key is None else "cus_a"
        for got, made, is_whole in uses:
            coroutine = gateway.acquire(customer, needed=ceiling, recent=3 * ceiling, budget_key_id=key)
            answer = self.run(coroutine)
            if answer is None or answer.hold_id is None:
                return
            gateway.admit(answer.hold_id, ceiling)
            if is_whole:
                self._finish(gateway, len(gateway.in_flight) - 1, got, made)

    @rule(pick=picks, size=sizes)
    def admit(self, pick, size) -> None:
        gateway = self.alive(pick)
        if gateway is None or not gateway.leases:
            return
        hold_id = sorted(gateway.leases)[pick % len(gateway.leases)]
        ceiling = min(gateway.leases[hold_id].free, ceiling_nanos(PRICE, size + 1, size))
        if ceiling:
            gateway.admit(hold_id, ceiling)

    @rule(pick=picks, got=counts, made=counts)
    def finish(self, pick, got, made) -> None:
        self._finish(self.alive(pick), pick, got, made)

    @precondition(lambda self: any(z.in_flight for z in self.zombies))
    @rule(pick=picks, got=counts, made=counts)
    def zombie_finishes(self, pick, got, made) -> None:
        waiting = [z for z in self.zombies if z.in_flight]
        self._finish(waiting[pick % len(waiting)], pick, got, made)

    def _finish(self, gateway, pick, got, made) -> None:
        if gateway is None or gateway.is_dead or not gateway.in_flight:
            return
        request = gateway.in_flight[pick % len(gateway.in_flight)]
        record = gateway.finish(request, tokens(got, made))
        self.acknowledged[record.id] = (record.charge_nanos, record.hold_id)
        self.marked.pop(record.id, None)
        if gateway in self.zombies:
            self.may_be_late.add(record.id)

    @rule(pick=picks)
    def spool_again(self, pick) -> None:
        """A record that is in the spool already is appended once more."""
        gateway = self.alive(pick)
        reader = find_reader(self.world.spools, *self._ref(gateway)) if gateway is not None else None
        rows = reader.after(0, 100) if reader is not None else []
        if gateway is not None and rows:
            gateway.spool.append([rows[pick % len(rows)].record], [])

    def _ref(self, gateway: Gateway) -> tuple[str, int]:
        return gateway.node.id, gateway.node.incarnation

    @rule(pick=picks, got=counts, made=counts)
    def mark(self, pick, got, made) -> None:
        gateway = self.alive(pick)
        if gateway is None or not gateway.in_flight:
            return
        request = gateway.in_flight[pick % len(gateway.in_flight)]
        record = gateway.mark(request, tokens(got, made))
        self.marked[record.id] = (record.charge_nanos, record.hold_id)

    @rule(pick=picks, share=st.integers(min_value=0, max_value=4), steps=steps)
    def give_back(self, pick, share, steps) -> None:
        gateway = self.alive(pick)
        if gateway is None or not gateway.leases or gateway.is_busy:
            return
        hold_id = sorted(gateway.leases)[pick % len(gateway.leases)]
        is_final = share == 4 and not any(r.hold_id == hold_id for r in gateway.in_flight)
        amount = None if share == 4 else gateway.leases[hold_id].free * share // 4
        self.start(gateway.give_back(hold_id, amount, is_final=is_final), steps)

    @rule(pick=picks, steps=steps)
    def beat(self, pick, steps) -> None:
        gateway = self.alive(pick)
        if gateway is None:
            return

        async def work() -> None:
            seen = await beat(self.world.store, self.clock, gateway.node)
            await gateway.keeper.finish_pending(gateway.node)
            gateway.spool.forget(seen.posted_seq)
            for hold_id in seen.recalled:
                if hold_id in gateway.leases:
                    await gateway.give_back(hold_id, is_answer=True)

        self.start(work(), steps)

    @rule(name=st.sampled_from(["m", "m2"]), pick=picks, steps=steps)
    def post(self, name, pick, steps) -> None:
        readers = self.world.spools.readers()
        if readers:
            self.start(self.posters[name].post(readers[pick % len(readers)]), steps)

    @precondition(lambda self: self.running)
    @rule(pick=picks)
    def step_one(self, pick) -> None:
        self.step(pick % len(self.running))

    @rule(pick=picks, luck=st.integers(min_value=0, max_value=3))
    def crash(self, pick, luck) -> None:
        gateway = self.alive(pick)
        if gateway is not None and not luck:
            gateway.kill()

    @rule()
    def restart(self) -> None:
        gone = [slot for slot in SLOTS if slot not in self.gateways or self.gateways[slot].is_dead]
        if self.broken or not gone:
            return
        slot = gone[0]
        fresh = self.run(self.world.gateway(slot, slot[0]))
        if fresh is not None:
            self.gateways[slot] = fresh

    @rule(slot=slots, is_local=st.booleans(), steps=steps, luck=st.integers(min_value=0, max_value=1))
    def end_life(self, slot, is_local, steps, luck) -> None:
        gateway = self.gateways.get(slot)
        if gateway is None or (luck and not gateway.is_dead):
            return
        node = gateway.node
        reader = find_reader(self.world.spools, node.id, node.incarnation) if is_local else None
        if not (is_local and gateway.is_dead):
            self.may_be_late |= {r.usage_id for r in gateway.in_flight}
            self._late_rows(gateway)
        if not gateway.is_dead:
            self.zombies.append(self.gateways.pop(slot))
        coroutine = take_over(
            self.world.store,
            self.clock,
            node_id=node.id,
            incarnation=node.incarnation,
            reader=reader,
            poster=UsagePoster(self.world.store, self.clock, batch_rows=3),
        )
        self.start(coroutine, steps)

    def _late_rows(self, gateway: Gateway) -> None:
        reader = find_reader(self.world.spools, gateway.node.id, gateway.node.incarnation)
        if reader is not None:
            self.may_be_late |= {row.record.id for row in reader.after(0, 10_000)}

    @precondition(lambda self: self.zombies)
    @rule(pick=picks)
    def zombie_ends(self, pick) -> None:
        self.zombies.pop(pick % len(self.zombies)).kill()

    @precondition(lambda self: self.zombies)
    @rule(pick=picks)
    def zombie_acts(self, pick) -> None:
        """A paused process wakes up and does not know yet."""
        gateway = self.zombies[pick % len(self.zombies)]
        if gateway.is_busy:
            return
        before = self.run(self._life(gateway))
        if before == (gateway.node.incarnation, True):
            return
        for coroutine in (
            gateway.acquire("cus_a", needed=1),
            gateway.keeper.give_back(gateway.node, []),
            beat(self.world.store, self.clock, gateway.node),
        ):
            try:
                self.do(coroutine)
            except (FencedError, StoreUnavailableError):
                continue
            assert coroutine.__name__ == "give_back", "a fenced process reached the ledger"

    async def _life(self, gateway: Gateway) -> tuple[int, bool]:
        nodes = await self.world.store.read(lambda tx: tx.nodes.all())
        return next((n.incarnation, n.is_alive) for n in nodes if n.id == gateway.node.id)

    @rule(pick=picks, steps=steps)
    def finish_spool(self, pick, steps) -> None:
        readers = self.world.spools.readers()
        if readers:
            reader = readers[pick % len(readers)]
            self.start(self.posters["m"].finish(reader), steps, lambda done: reader.remove() if done else None)

    @rule(steps=steps)
    def expire(self, steps) -> None:
        holds = self.run(self.world.store.read(lambda tx: list(tx.holds.scan())))
        closing = {hold.id for hold in holds or () if hold.is_closing and hold.closed_at is None}
        self.may_be_late |= {i for i, (_, hold_id) in self.acknowledged.items() if hold_id in closing}
        self.start(expire_holds(self.world.store, self.clock, ttl_seconds=TTL_SECONDS), steps)

    @rule(seconds=st.sampled_from([0.2, 2, 20, 1000, 90_000]))
    def wait(self, seconds) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-100_000, -5, 5, 100_000]))
    def jump(self, seconds) -> None:
        self.clock.jump(seconds)

    @rule(is_after=st.booleans())
    def lose_connection(self, is_after) -> None:
        store = self.world.store
        if is_after:
            store.fail_after = 1
        else:
            store.fail_before = 1

    @property
    def broken(self) -> bool:
        return bool(self.world.store.fail_after or self.world.store.fail_before)

    # what must always hold

    @invariant()
    def money_is_right(self) -> None:
        if not self.granted and not self.gateways:
            return
        report = self.do(verify(self.world.store, self.world.spools, self.clock))
        assert [b for b in report.breaches if b.check != "spools"] == []
        self._check_sums()
        self._check_budgets()
        for gateway in self.gateways.values():
            if not gateway.is_dead:
                self._check_escrow(gateway)

    def _check_sums(self) -> None:
        usages = self.do(self.world.usages())
        paid: defaultdict[tuple[Book, str], int] = defaultdict(int)
        for usage_id, usage in usages.items():
            record = usage.record
            expected = self.acknowledged.get(usage_id) or self.marked[usage_id]
            assert (record.charge_nanos, record.hold_id) == expected
            assert (usage_id in self.acknowledged) == (record.status is not UsageStatus.INTERRUPTED)
            if usage_id not in self.may_be_late:
                assert not usage.late_shortfall_nanos, usage_id
                assert ":late:" not in (usage.settle_transfer_id or ""), usage_id
            paid[record.book, record.customer_id] += record.charge_nanos - usage.late_shortfall_nanos
        expired = self.collected()
        for (book, customer), granted in self.granted.items():
            balances = self.do(self.world.balances(customer, book))
            gone = paid[book, customer] + expired.get((book, customer), 0)
            assert balances.spendable_nanos + balances.held_nanos + gone == granted

    def _check_budgets(self) -> None:
        """No key holds and spends more than its budget, but for usage that came late."""
        if self.may_be_late:
            return
        for key_id, (_, limit, _) in BUDGETS.items():
            budget = self.do(self.world.store.read(lambda tx, key_id=key_id: tx.keys.budget(key_id)))
            assert budget.held_nanos + budget.spent_nanos <= limit

    def _check_escrow(self, gateway: Gateway) -> None:
        """The ledger holds at least what the process may still charge, and what it has charged but is not posted."""
        if not gateway.leases or self.run(self._life(gateway)) != (gateway.node.incarnation, True):
            return
        posted = self.do(self.world.usages())
        holds = self.do(self.world.store._store.write(lambda tx: tx.holds.lock(list(gateway.leases))))
        for hold_id, lease in gateway.leases.items():
            reserved = sum(r.ceiling for r in gateway.in_flight if r.hold_id == hold_id)
            waiting = sum(c for i, (c, h) in self.acknowledged.items() if h == hold_id and i not in posted)
            assert holds[hold_id].remaining_nanos >= lease.free + reserved + waiting

    def teardown(self) -> None:
        """Let everything come to an end; then nothing is held, and every answer is charged exactly once."""
        try:
            if self.granted or self.gateways:
                self._end()
        finally:
            for coroutine, _ in self.running:
                coroutine.close()
            self.run(self.world.store.close())
            self.runner.close()

    def _end(self) -> None:
        self.world.store.fail_after = self.world.store.fail_before = 0
        while self.running:
            self.step(0)
        for gateway in [*self.gateways.values(), *self.zombies]:
            if not gateway.is_dead:
                gateway.kill()
        for node in self.do(self.world.store.read(lambda tx: tx.nodes.all())):
            reader = find_reader(self.world.spools, node.id, node.incarnation)
            self.do(
                take_over(
                    self.world.store,
                    self.clock,
                    node_id=node.id,
                    incarnation=node.incarnation,
                    reader=reader,
                    poster=UsagePoster(self.world.store, self.clock, batch_rows=3),
                )
            )
        poster = UsagePoster(self.world.store, self.clock, batch_rows=3)
        for reader in self.world.spools.readers():
            assert self.do(poster.finish(reader))
            reader.remove()
        report = self.do(verify(self.world.store, self.world.spools, self.clock))
        assert report.breaches == []
        self._check_sums()
        usages = self.do(self.world.usages())
        assert usages.keys() == self.acknowledged.keys() | self.marked.keys()
        for book, customer in self.granted:
            assert self.do(self.world.balances(customer, book)).held_nanos == 0


MACHINE_SETTINGS = settings(
    max_examples=int(os.environ.get("MONEY_EXAMPLES", "200")),  # noqa: TID251  # a knob of the soak run
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
pytestmark = pytest.mark.timeout(300)  # one test with very many steps
TestMoneyInMemory = MoneyMachine.TestCase
TestMoneyInMemory.settings = MACHINE_SETTINGS
