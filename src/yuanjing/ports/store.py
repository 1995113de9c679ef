"""The store: where the ledger, the catalogue and everything else that lasts is kept.

A **unit of work** is one synchronous function over a `Tx`, run inside one database transaction: all of it happens or
none of it. It may be run again from the start after a serialisation failure or a lost connection before the commit, so
it must have no effect outside the `Tx`. It must not wait for anything but the database.

Errors common to all calls: `StoreUnavailableError` if the database cannot be reached or stays locked. If it comes while
a unit of work commits, or if the caller is cancelled, the commit may have happened: whoever repeats the work relies on
its ids. Times are Unix seconds.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

from yuanjing.domain.holds import Hold
from yuanjing.domain.ledger import Balances, Entry, Transfer
from yuanjing.domain.money import Book
from yuanjing.domain.statements import AccountMonth
from yuanjing.ports.accounts import ChallengeTable, FactorTable, SessionTable
from yuanjing.ports.alerts import AlertTable
from yuanjing.ports.artifacts import ArtifactTable
from yuanjing.ports.audit import AuditTable
from yuanjing.ports.catalog import CatalogTable
from yuanjing.ports.damage import Damaged
from yuanjing.ports.idempotency import IdempotencyTable
from yuanjing.ports.identity import CustomerTable, KeyTable
from yuanjing.ports.promotions import PromotionTable, RedeemCodeTable
from yuanjing.ports.receipts import ReceiptKeyTable
from yuanjing.ports.tasks import TaskTable
from yuanjing.ports.topups import TopUpTable
from yuanjing.ports.usages import UsageTable

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

    def lock_balances(
        self, book: Book, customer_ids: Collection[str], *, is_to_open: bool = False
    ) -> Mapping[str, Balances]:
        """What each of these customers has; nobody else moves it until the unit of work ends.

        It is for a decision before `post`. The customers' accounts are locked, in sorted order; books are to be locked
        in sorted order too. Accounts that do not exist cannot be locked, unless they are to be opened first.
        """
        ...

    def balances(self, book: Book, customer_id: str) -> Balances:
        """The customer's accounts; zeros if it never had any money."""
        ...

    def owned(self, book: Book, customer_ids: Collection[str]) -> Mapping[str, int]:
        """What each of these customers owns: available, held and promotion money together."""
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

    def months(self, book: Book, accounts: Collection[str], *, last: int) -> list[AccountMonth]:
        """What the entries of these customers' accounts come to, up to a month, by account, month and reason."""
        ...

    def transfer(self, transfer_id: str) -> Transfer | None:
        """One transfer by id."""
        ...

    def scan_entries(self) -> Iterator[Entry | Damaged]:
        """Every entry ordered by book, account and version, streamed; for `verify`."""
        ...

    def scan_months(self) -> Iterator[AccountMonth | Damaged]:
        """Every month of every account by book, account, month and reason, streamed; for `verify`."""
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

    def add(self, *holds: Hold) -> None:
        """Insert new holds.

        Raises:
            AlreadyExistsError: the id of one exists; others may be inserted already.
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


class Topic(StrEnum):
    """What a signal is about."""

    CATALOG = "catalog"
    KEY = "key"
    FUNDS = "funds"
    RECALL = "recall"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """A hint to every gateway process that something in the store has changed.

    Topics: `catalog` (read the catalogue again; or, if the subject is a channel's id, that one was tried and works),
    `key` (forget this key id), `funds` (this `book:customer` has money again), `recall` (this node id should return
    unused leases).
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

    @property
    def tasks(self) -> TaskTable:
        """Video tasks and their history."""
        ...

    @property
    def artifacts(self) -> ArtifactTable:
        """Files of tasks."""
        ...

    @property
    def challenges(self) -> ChallengeTable:
        """Codes that were sent."""
        ...

    @property
    def sessions(self) -> SessionTable:
        """Browsers in which customers are signed in."""
        ...

    @property
    def factors(self) -> FactorTable:
        """Passwords and one-time passwords."""
        ...

    @property
    def topups(self) -> TopUpTable:
        """Top-ups, refunds and notifications."""
        ...

    @property
    def alerts(self) -> AlertTable:
        """Notices about low balances."""
        ...

    @property
    def receipt_keys(self) -> ReceiptKeyTable:
        """The public keys of receipts."""
        ...

    @property
    def promotions(self) -> PromotionTable:
        """Lots of promotion money."""
        ...

    @property
    def redeem_codes(self) -> RedeemCodeTable:
        """Codes for promotion money."""
        ...

    @property
    def audit(self) -> AuditTable:
        """Who has changed what."""
        ...

    @property
    def idempotency(self) -> IdempotencyTable:
        """The requests for which clients' idempotency keys stand."""
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
