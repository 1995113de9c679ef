"""A small world of money for tests: customers, a price, and gateway processes that obey the rules of a purse."""

import datetime as dt
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from yuanjing.domain import ledger
from yuanjing.domain.catalog import Offer, Operation
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.holds import Hold, LeasePolicy
from yuanjing.domain.identity import ApiKey, BudgetPeriod, Customer, KeyLimits
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ChatPrice, ChatTier, ceiling_nanos, charge_nanos
from yuanjing.domain.usage import ChatUsage, PostedUsage, UsageRecord, split_charge
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.spool import SpoolFolder, SpoolReader, SpoolWriter
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.usages import UsageFilter
from yuanjing.usecases.leases import LeaseAnswer, LeaseKeeper, LeaseRequest, LeaseReturn
from yuanjing.usecases.nodes import NodeRef, register_node

T = TypeVar("T")

TTL_SECONDS = 900
PRICE = ChatPrice(
    id="price_1",
    offer_id="o" * 21,
    version=1,
    effective_from=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    tiers=(
        ChatTier(input_up_to=1000, input_nanos=3_200_000_123, output_nanos=12_800_000_007),
        ChatTier(input_up_to=None, input_nanos=4_800_000_001, output_nanos=19_200_000_003, cache_read_nanos=7),
    ),
)


class FlakyStore:
    """Loses the connection before a unit of work, or after its commit, when a test says so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fail_before = 0
        self.fail_after = 0
        self.is_away = False

    @property
    def counters(self):
        return self._store.counters

    async def write(self, work: Callable[[Tx], T]) -> T:
        self._check()
        if self.fail_before:
            self.fail_before -= 1
            raise StoreUnavailableError("the database is away")
        result = await self._store.write(work)
        if self.fail_after:
            self.fail_after -= 1
            raise StoreUnavailableError("the answer of the commit was lost")
        return result

    async def read(self, work: Callable[[Tx], T]) -> T:
        self._check()
        return await self._store.read(work)

    def _check(self) -> None:
        if self.is_away:
            raise StoreUnavailableError("the database is away")

    async def close(self) -> None:
        await self._store.close()


@dataclass(kw_only=True)
class InFlight:
    """A request between admission and its end."""

    usage_id: str
    hold_id: str
    ceiling: int


@dataclass(kw_only=True)
class Lease:
    """What a purse knows of its lease."""

    book: Book
    customer_id: str
    key_id: str
    budget_key_id: str | None
    free: int = 0


@dataclass(kw_only=True)
class Gateway:
    """A gateway process: leases in memory, a spool, and nothing that a real one could not do."""

    world: "World"
    node: NodeRef
    spool: SpoolWriter
    keeper: LeaseKeeper
    leases: dict[str, Lease] = field(default_factory=dict)
    in_flight: list[InFlight] = field(default_factory=list)
    is_dead: bool = False
    is_busy: bool = False

    async def acquire(
        self,
        customer_id: str,
        *,
        needed: int,
        recent: int = 0,
        book: Book = Book.LIVE,
        budget_key_id: str | None = None,
    ) -> LeaseAnswer:
        where = (book, customer_id, budget_key_id)
        mine = [i for i, lease in self.leases.items() if (lease.book, lease.customer_id, lease.budget_key_id) == where]
        request = LeaseRequest(
            book=book,
            customer_id=customer_id,
            key_id=budget_key_id,
            hold_id=mine[0] if mine else None,
            needed_nanos=needed,
            recent_nanos=recent,
        )
        answer = await self.keeper.acquire(self.node, request)
        if answer.hold_id is not None:
            key_id = budget_key_id or plain_key(customer_id, book)
            new = Lease(book=book, customer_id=customer_id, key_id=key_id, budget_key_id=budget_key_id)
            self.leases.setdefault(answer.hold_id, new).free += answer.granted_nanos
        return answer

    def admit(self, hold_id: str, ceiling: int) -> InFlight:
        lease = self.leases[hold_id]
        assert lease.free >= ceiling
        lease.free -= ceiling
        request = InFlight(usage_id=self.world.usage_id(), hold_id=hold_id, ceiling=ceiling)
        self.in_flight.append(request)
        return request

    def record(self, request: InFlight, usage: ChatUsage) -> UsageRecord:
        lease = self.leases[request.hold_id]
        charge, overrun = split_charge(charge_nanos(PRICE, usage), request.ceiling)
        return make_record(
            id=request.usage_id,
            book=lease.book,
            customer_id=lease.customer_id,
            key_id=lease.key_id,
            hold_id=request.hold_id,
            meters=usage.meters(),
            ceiling_nanos=request.ceiling,
            charge_nanos=charge,
            overrun_nanos=overrun,
            started_at=self.world.clock.unix(),
        )

    def mark(self, request: InFlight, usage: ChatUsage) -> UsageRecord:
        record = self.record(request, usage)
        self.spool.append([], [record])
        return record

    def finish(self, request: InFlight, usage: ChatUsage) -> UsageRecord:
        record = self.record(request, usage)
        self.spool.append([record], [])
        self.in_flight.remove(request)
        self.leases[request.hold_id].free += request.ceiling - record.charge_nanos
        return record

    async def chat(self, customer_id: str, usage: ChatUsage, **where) -> UsageRecord:
        """A whole request: lease exactly its ceiling, admit, finish."""
        ceiling = ceiling_nanos(PRICE, usage.input_tokens, usage.output_tokens)
        answer = await self.acquire(customer_id, needed=ceiling, **where)
        assert answer.hold_id is not None
        return self.finish(self.admit(answer.hold_id, ceiling), usage)

    async def give_back(
        self, hold_id: str, amount: int | None = None, *, is_final: bool = False, **marks: bool
    ) -> None:
        """`marks` as in `LeaseReturn`."""
        lease = self.leases[hold_id]
        amount = lease.free if amount is None else amount
        lease.free -= amount
        if is_final:
            assert not any(r.hold_id == hold_id for r in self.in_flight)
            assert not lease.free
            del self.leases[hold_id]
        given = LeaseReturn(hold_id=hold_id, amount_nanos=amount, is_final=is_final, **marks)
        await self.keeper.give_back(self.node, [given])

    def kill(self) -> None:
        """End the process as SIGKILL does."""
        self.is_dead = True
        self.spool.close()


@dataclass(kw_only=True)
class World:
    """A store, a folder of spools and a clock."""

    store: FlakyStore
    spools: SpoolFolder
    clock: ManualClock
    policy: LeasePolicy = field(default_factory=LeasePolicy)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    def usage_id(self) -> str:
        return f"use{next(self.numbers):018d}"

    async def prepare(self, *customer_ids: str, budgets: dict[str, tuple[str, int, BudgetPeriod]] | None = None):
        """Write the price, customers with a key of each book, and keys with budgets.

        `budgets`: key id → (customer, limit, period), all live.
        """

        def work(tx: Tx) -> None:
            for number, customer_id in enumerate(customer_ids):
                mobile = f"+8613800000{number:03d}"
                tx.customers.add(Customer(id=customer_id, mobile=mobile, name="", created_at=0.0))
                for book in Book:
                    tx.keys.add(make_key(plain_key(customer_id, book), customer_id, book))
            for key_id, (customer_id, limit, period) in (budgets or {}).items():
                limits = KeyLimits(budget_nanos=limit, budget_period=period)
                tx.keys.add(make_key(key_id, customer_id, Book.LIVE, limits=limits))

        await self.store.write(work)
        await self.store.write(add_price)

    async def grant(self, customer_id: str, amount: int, book: Book = Book.LIVE) -> None:
        transfer = ledger.grant(book, customer_id, amount, cause=f"g{next(self.numbers)}")
        await self.store.write(lambda tx: tx.ledger.post([transfer]))

    async def gateway(self, node_id: str = "m-g0", machine: str = "m") -> Gateway:
        node = await register_node(
            self.store, self.clock, node_id=node_id, machine=machine, role="gateway", spools=self.spools
        )
        keeper = LeaseKeeper(self.store, self.clock, self.policy, TTL_SECONDS)
        spool = self.spools.create(node.id, node.incarnation)
        return Gateway(world=self, node=node, spool=spool, keeper=keeper)

    def reader(self, gateway: Gateway) -> SpoolReader:
        key = (gateway.node.id, gateway.node.incarnation)
        return next(r for r in self.spools.readers() if (r.node_id, r.incarnation) == key)

    async def balances(self, customer_id: str, book: Book = Book.LIVE) -> ledger.Balances:
        return await self.store.read(lambda tx: tx.ledger.balances(book, customer_id))

    async def hold(self, hold_id: str) -> Hold:
        return await self.store.write(lambda tx: tx.holds.lock([hold_id])[hold_id])

    async def usages(self) -> dict[str, PostedUsage]:
        rows = await self.store.read(lambda tx: tx.usages.list(UsageFilter(limit=10_000)))
        return {row.record.id: row for row in rows}

    async def transfers(self) -> list[ledger.Transfer]:
        return await self.store.read(lambda tx: list(tx.ledger.scan_transfers()))

    async def signals(self) -> list[tuple[str, str]]:
        rows = await self.store.read(lambda tx: tx.signals.since(0, 1000))
        return [(str(row.topic), row.subject) for row in rows]


def plain_key(customer_id: str, book: Book = Book.LIVE) -> str:
    """The id of a customer's key without a budget."""
    return f"key_plain_{book}_{customer_id}"


def make_key(key_id: str, customer_id: str, book: Book, **changes) -> ApiKey:
    """A key with plausible values for what a test does not name."""
    values = {
        "id": key_id,
        "customer_id": customer_id,
        "book": book,
        "name": "k",
        "public_id": key_id,
        "digest": key_id.encode(),
        "limits": KeyLimits(),
        "created_at": 0.0,
    }
    return ApiKey(**{**values, **changes})


def make_record(**changes) -> UsageRecord:
    """A usage record with plausible values for what a test does not name."""
    values = {
        "id": "u" * 21,
        "book": Book.LIVE,
        "customer_id": "cus_a",
        "key_id": plain_key("cus_a"),
        "offer_id": PRICE.offer_id,
        "model": "qwen3-max",
        "operation": "chat",
        "channel_id": "chn_1",
        "hold_id": "hold_1",
        "price_id": PRICE.id,
        "meters": ChatUsage(input_tokens=0, output_tokens=0).meters(),
        "ceiling_nanos": 0,
        "charge_nanos": 0,
    }
    return UsageRecord(**{**values, **changes})


def add_price(tx: Tx) -> None:
    """The offer and the price that every record of these tests is charged at."""
    tx.catalog.save_offer(
        Offer(
            id=PRICE.offer_id,
            model="qwen3-max",
            operation=Operation.CHAT,
            label="Qwen3 Max",
            provider_label="Alibaba",
            providers={},
        )
    )
    tx.catalog.add_price(PRICE)


def tokens(input_tokens: int = 100, output_tokens: int = 50) -> ChatUsage:
    """A usage."""
    return ChatUsage(input_tokens=input_tokens, output_tokens=output_tokens)
