"""Holds in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.errors import AlreadyExistsError, NotFoundError
from yuanjing.domain.holds import Hold, HoldPurpose
from yuanjing.domain.money import Book
from yuanjing.ports.store import HoldSum


class MemoryHolds:
    """See `yuanjing.ports.store.HoldTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._holds: dict[str, Hold] = {}

    def add(self, *holds: Hold) -> None:
        """See the port."""
        for hold in holds:
            if hold.id in self._holds:
                raise AlreadyExistsError(f"hold {hold.id} exists")
            self._put(hold)

    def save(self, hold: Hold) -> None:
        """See the port."""
        if hold.id not in self._holds:
            raise NotFoundError(f"hold {hold.id} does not exist")
        self._put(hold)

    def lock(self, hold_ids: Sequence[str]) -> dict[str, Hold]:
        """See the port."""
        return {id_: self._holds[id_] for id_ in sorted(set(hold_ids)) if id_ in self._holds}

    def open_of_owner(self, node_id: str, incarnation: int) -> list[Hold]:
        """See the port."""
        return [h for h in self._open_leases() if (h.owner_node, h.owner_incarnation) == (node_id, incarnation)]

    def open_of_customer(self, book: Book, customer_id: str) -> list[Hold]:
        """See the port."""
        return [h for h in self._open() if (h.book, h.customer_id) == (book, customer_id)]

    def request_recall(self, book: Book, customer_id: str, at: float, *, except_hold: str | None) -> list[Hold]:
        """See the port."""
        marked = [
            replace(hold, recall_requested_at=at)
            for hold in self._open_leases()
            if (hold.book, hold.customer_id) == (book, customer_id)
            and not hold.is_closing
            and hold.recall_requested_at is None
            and hold.id != except_hold
        ]
        for hold in marked:
            self._journal.put(self._holds, hold.id, hold)
        return marked

    def recalled_of_owner(self, node_id: str, incarnation: int) -> list[Hold]:
        """See the port."""
        return [h for h in self.open_of_owner(node_id, incarnation) if h.recall_requested_at is not None]

    def expired(self, at: float, limit: int) -> list[Hold]:
        """See the port."""
        due = [hold for hold in self._open() if hold.expires_at <= at]
        return sorted(due, key=lambda hold: (hold.expires_at, hold.id))[:limit]

    def scan(self) -> Iterator[Hold]:
        """See the port."""
        yield from [self._holds[id_] for id_ in sorted(self._holds)]

    def open_sums(self) -> dict[Book, HoldSum]:
        """See the port."""
        sums: dict[Book, HoldSum] = {}
        for hold in self._open():
            so_far = sums.get(hold.book, HoldSum())
            remaining = so_far.remaining_nanos + hold.remaining_nanos
            sums[hold.book] = HoldSum(count=so_far.count + 1, remaining_nanos=remaining)
        return sums

    def _put(self, hold: Hold) -> None:
        """What CHECK constraints refuse in SQL is refused here too."""
        assert hold.amount_nanos > 0, hold
        assert hold.closed_at is None or hold.remaining_nanos == 0, hold
        self._journal.put(self._holds, hold.id, hold)

    def _open(self) -> list[Hold]:
        return [self._holds[id_] for id_ in sorted(self._holds) if self._holds[id_].closed_at is None]

    def _open_leases(self) -> list[Hold]:
        return [hold for hold in self._open() if hold.purpose is HoldPurpose.LEASE]
