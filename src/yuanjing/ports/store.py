"""The store: where the ledger, the catalogue and everything else that lasts is kept.

A **unit of work** is one synchronous function over a `Tx`, run inside one database transaction: all of it happens or
none of it. It may be run again from the start after a serialisation failure or a lost connection before the commit, so
it must have no effect outside the `Tx`. It must not wait for anything but the database.

Errors common to all calls: `StoreUnavailableError` if the database cannot be reached or stays locked. If it comes while
a unit of work commits, or if the caller is cancelled, the commit may have happened: whoever repeats the work relies on
its ids. Times are Unix seconds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

from yuanjing.domain.catalog import Channel, Offer, Provider
from yuanjing.domain.holds import Hold
from yuanjing.domain.identity import ApiKey, Customer
from yuanjing.domain.ledger import Balances, Entry, Transfer
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ChatPrice
from yuanjing.domain.usage import PostedUsage
from yuanjing.ports.damage import Damaged

T = TypeVar("T")


class LedgerTable(Protocol):
    """Accounts, transfers and entries; append-only."""

    def post(self, transfers: Sequence[Transfer]) -> list[bool]:
        """Move money, all transfers or none; True for each that was new, False for one that already existed.

        Accounts are created at zero when first named and locked in sorted order; the limit of a customer's
        account is checked in the statement that moves the money. Transfers take effect in the order given: no
        customer's account may be below zero after any of them.

        One call per unit of work is best: a second one locks further accounts out of order, and may meet a deadlock.

        Raises:
            InsufficientFundsError: a customer's account would go below zero; nothing is changed.
            AlreadyExistsError: a transfer of that id exists with other content.
        """
        ...

    def balances(self, book: Book, customer_id: str) -> Balances:
        """The customer's accounts; zeros if it never had any money."""
        ...

    def account_balances(self, book: Book) -> Mapping[str, int]:
        """Every account of the book with its balance, for `verify` and reports."""
        ...

    def unlimited(self, book: Book) -> set[str]:
        """The accounts of the book that the store itself would let go below zero; for `verify`."""
        ...

    def entries(self, book: Book, account: str, *, before_version: int | None, limit: int) -> list[Entry]:
        """Entries of one account, newest first, below `before_version` if given."""
        ...

    def transfer(self, transfer_id: str) -> Transfer | None:
        """One transfer by id."""
        ...

    def scan_entries(self) -> Iterator[Entry | Damaged]:
        """Every entry ordered by book, account and version, streamed; for `verify`."""
        ...

    def scan_transfers(self) -> Iterator[Transfer | Damaged]:
        """Every transfer in the order of posting, streamed; for `verify`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldSum:
    """So many open holds, and what remains in them together."""

    count: int = 0
    remaining_nanos: int = 0


class HoldTable(Protocol):
    """Holds. Methods that return holds for change lock their rows, in the order of their ids."""

    def add(self, hold: Hold) -> None:
        """Insert a new hold.

        Raises:
            AlreadyExistsError: the id exists.
        """
        ...

    def save(self, hold: Hold) -> None:
        """Write the changed fields of an existing hold: its sums, marks, expiry and end.

        The write may wait in memory until the unit of work reads holds again or ends.

        Raises:
            NotFoundError: no such hold, where the store can tell at once.
        """
        ...

    def lock(self, hold_ids: Sequence[str]) -> dict[str, Hold]:
        """The holds that exist of these ids, locked."""
        ...

    def open_of_owner(self, node_id: str, incarnation: int) -> list[Hold]:
        """The open leases of one incarnation of a node, not locked; none comes or goes while the node is locked."""
        ...

    def open_of_customer(self, book: Book, customer_id: str) -> list[Hold]:
        """The customer's open holds, not locked."""
        ...

    def request_recall(self, book: Book, customer_id: str, at: float, *, except_hold: str | None) -> list[Hold]:
        """Mark the customer's open, not closing leases as wanted back, all but the one of the purse that asks.

        Returns those newly marked. All are locked together, in the order of their ids.
        """
        ...

    def recalled_of_owner(self, node_id: str, incarnation: int) -> list[Hold]:
        """The open leases of this node that someone wants back, not locked."""
        ...

    def expired(self, at: float, limit: int) -> list[Hold]:
        """Open holds with `expires_at` not after `at`, oldest first, not locked."""
        ...

    def scan(self) -> Iterator[Hold | Damaged]:
        """Every hold, closed ones too, streamed; for `verify`."""
        ...

    def open_sums(self) -> dict[Book, HoldSum]:
        """How much all open holds of each book hold; a book without any may be missing. For the metrics."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A process slot that owns leases and a spool; the pair (id, incarnation) is one life of it.

    Attributes:
        id: stable over restarts, e.g. `<machine>-<data folder>-g0`.
        machine: whose worker posts its spool.
        beat: raised by each heartbeat; observers compare it with what they saw before.
        beat_at: wall time of the last heartbeat, a label for people.
        posted_seq: the last row of this incarnation's spool that is posted.
        is_alive: this incarnation has not been closed by take-over or a clean stop.
    """

    id: str
    incarnation: int
    machine: str
    role: str
    beat: int
    beat_at: float
    posted_seq: int
    is_alive: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SpoolPosition:
    """How far the spool of one incarnation is posted; it outlives the incarnation."""

    node_id: str
    incarnation: int
    posted_seq: int
    is_finished: bool


class NodeTable(Protocol):
    """Nodes, their incarnations and how far their spools are posted."""

    def register(self, node_id: str, machine: str, role: str, at: float) -> Node:
        """Start a new life: incarnation and beat rise by one, `is_alive` is set, the spool position is 0."""
        ...

    def lock(self, node_id: str) -> Node | None:
        """The node's row, locked until the end of the unit of work; this is what fences."""
        ...

    def close(self, node_id: str, incarnation: int) -> bool:
        """End that life if it is the current one (raise the incarnation, clear `is_alive`); True if so."""
        ...

    def beat(self, node_id: str, incarnation: int, at: float) -> Node | None:
        """Record a heartbeat; the node after it, or None if that is not the current, living incarnation."""
        ...

    def all(self) -> list[Node]:
        """Every node."""
        ...

    def position(self, node_id: str, incarnation: int) -> SpoolPosition | None:
        """How far that spool is posted, locked; None if that incarnation never existed."""
        ...

    def advance(self, node_id: str, incarnation: int, *, expected_seq: int, posted_seq: int) -> bool:
        """Move the position from `expected_seq` to `posted_seq`; False if someone else has moved it."""
        ...

    def finish(self, node_id: str, incarnation: int) -> None:
        """Mark the spool as finished: its process is gone and every row is posted."""
        ...

    def unfinished(self) -> list[SpoolPosition]:
        """The spools that may still bring usage."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageFilter:
    """Which usage records to list; None means any. `before` is the (posted_at, id) of the last record seen."""

    customer_id: str | None = None
    key_id: str | None = None
    book: Book | None = None
    model: str | None = None
    before: tuple[float, str] | None = None
    limit: int = 50


class UsageTable(Protocol):
    """Usage records; written once. `get` and `list` raise `DamagedError` for a row that cannot be read."""

    def add_new(self, usages: Sequence[PostedUsage]) -> set[str]:
        """Insert those whose id is new and return their ids; others are left as they are."""
        ...

    def existing(self, usage_ids: Sequence[str]) -> set[str]:
        """Which of these ids are posted already."""
        ...

    def get(self, usage_id: str) -> PostedUsage | None:
        """One record."""
        ...

    def list(self, where: UsageFilter) -> list[PostedUsage]:
        """Records, newest first."""
        ...

    def scan(self) -> Iterator[PostedUsage | Damaged]:
        """Every record, streamed; for `verify`."""
        ...


class CustomerTable(Protocol):
    """Customers."""

    def add(self, customer: Customer) -> None:
        """Insert.

        Raises:
            AlreadyExistsError: the id or the mobile exists.
        """
        ...

    def get(self, customer_id: str) -> Customer | None:
        """One customer by id."""
        ...

    def by_mobile(self, mobile: str) -> Customer | None:
        """One customer by E.164 mobile number."""
        ...

    def list(self, *, after: str | None, limit: int) -> list[Customer]:
        """Customers in the order of their ids, above `after`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyBudget:
    """Where a key's budget stands in its current period."""

    period_start: float
    spent_nanos: int
    held_nanos: int


class KeyTable(Protocol):
    """API keys and their budgets."""

    def add(self, key: ApiKey) -> None:
        """Insert, with an empty budget.

        Raises:
            AlreadyExistsError: the id, public id or digest exists.
            NotFoundError: no such customer.
        """
        ...

    def get(self, key_id: str) -> ApiKey | None:
        """One key by `key_…` id."""
        ...

    def by_public_id(self, public_id: str) -> ApiKey | None:
        """One key by the eight characters in its written form; revoked and expired ones too."""
        ...

    def list(self, customer_id: str, *, after: str | None, limit: int) -> list[ApiKey]:
        """A customer's keys in the order of their ids, above `after`."""
        ...

    def revoke(self, key_id: str, at: float) -> bool:
        """Revoke; False if it does not exist or is revoked already."""
        ...

    def budget(self, key_id: str) -> KeyBudget | None:
        """Where the budget stands, locked; None if the key does not exist."""
        ...

    def scan_budgets(self) -> Iterator[tuple[str, KeyBudget]]:
        """Where every key's budget stands, streamed; for `verify`."""
        ...

    def save_budget(self, key_id: str, budget: KeyBudget) -> None:
        """Write it.

        Raises:
            NotFoundError: no such key.
        """
        ...


class CatalogTable(Protocol):
    """Providers, offers, prices and channels."""

    def save_provider(self, provider: Provider) -> None:
        """Insert or replace."""
        ...

    def providers(self) -> list[Provider]:
        """All, by id."""
        ...

    def save_offer(self, offer: Offer) -> None:
        """Insert or replace by id."""
        ...

    def offers(self) -> list[Offer]:
        """All, by model and id, disabled ones too."""
        ...

    def add_price(self, price: ChatPrice) -> None:
        """Insert a new version.

        Raises:
            AlreadyExistsError: the id, or that version of the offer, exists.
            NotFoundError: no such offer.
        """
        ...

    def prices(self, offer_id: str | None = None) -> list[ChatPrice]:
        """Every version, by offer and version; of one offer if given."""
        ...

    def price(self, price_id: str) -> ChatPrice | None:
        """One version."""
        ...

    def save_channel(self, channel: Channel) -> None:
        """Insert or replace by id.

        Raises:
            NotFoundError: no such provider.
        """
        ...

    def channels(self) -> list[Channel]:
        """All, by id."""
        ...


class Topic(StrEnum):
    """What a signal is about."""

    CATALOG = "catalog"
    KEY = "key"
    FUNDS = "funds"
    RECALL = "recall"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """A hint to every gateway process that something in the store has changed.

    Topics: `catalog` (read the catalogue again; subject empty), `key` (forget this key id), `funds` (this
    `book:customer` has money again), `recall` (this node id should return unused leases).
    """

    seq: int
    topic: Topic
    subject: str
    at: float


class SignalTable(Protocol):
    """A short-lived feed of hints; losing one delays freshness, never correctness."""

    def emit(self, topic: Topic, subject: str, at: float) -> None:
        """Append."""
        ...

    def since(self, seq: int, limit: int) -> list[Signal]:
        """Signals with a higher number, in order.

        A lower number may still appear later (transactions overlap), so readers look back over a margin and
        skip what they have handled.
        """
        ...

    def last_seq(self) -> int:
        """The highest number so far, 0 if none."""
        ...

    def prune(self, before: float) -> int:
        """Remove older ones, the newest of all apart, which keeps the numbers rising; how many."""
        ...


class Tx(Protocol):
    """What a unit of work sees; not to be used after it has ended.

    In a unit of work that only reads nothing is locked, and a change raises `RuntimeError`.
    """

    @property
    def ledger(self) -> LedgerTable:
        """Accounts, transfers and entries."""
        ...

    @property
    def holds(self) -> HoldTable:
        """Holds."""
        ...

    @property
    def nodes(self) -> NodeTable:
        """Nodes and spool positions."""
        ...

    @property
    def usages(self) -> UsageTable:
        """Usage records."""
        ...

    @property
    def customers(self) -> CustomerTable:
        """Customers."""
        ...

    @property
    def keys(self) -> KeyTable:
        """API keys and their budgets."""
        ...

    @property
    def catalog(self) -> CatalogTable:
        """Providers, offers, prices and channels."""
        ...

    @property
    def signals(self) -> SignalTable:
        """Hints to the gateway processes."""
        ...


@dataclass(kw_only=True, slots=True)
class StoreCounters:
    """Plain counters for metrics."""

    writes: int = 0
    reads: int = 0
    failures: int = 0
    retries: int = 0
    write_seconds: float = field(default=0.0)


class Store(Protocol):
    """Runs units of work."""

    @property
    def counters(self) -> StoreCounters:
        """What this store object has done so far."""
        ...

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run a unit of work that may change things, and commit it; an exception rolls back all of it."""
        ...

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run a unit of work that only reads, on one consistent snapshot."""
        ...

    async def close(self) -> None:
        """Finish what is running and let go of all connections."""
        ...
