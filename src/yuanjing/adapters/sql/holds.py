"""Holds in SQL."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import sqlalchemy as sa

from yuanjing.adapters.sql.bulk import Bulk
from yuanjing.adapters.sql.tables import IS_OPEN, holds
from yuanjing.adapters.sql.work import Work, lockable
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.holds import Hold, HoldPurpose
from yuanjing.domain.money import Book
from yuanjing.ports.damage import Damaged, readable
from yuanjing.ports.store import HoldSum

_IS_LEASE = holds.c.purpose == HoldPurpose.LEASE.value
_ADD = Bulk(holds)
_SAVE = (
    sa.update(holds)
    .where(holds.c.id == sa.bindparam("hold_id"))
    .values(
        {
            name: sa.bindparam(f"new_{name}", type_=holds.c[name].type)
            for name in (
                "amount_nanos",
                "settled_nanos",
                "released_nanos",
                "promotion_nanos",
                "is_closing",
                "recall_requested_at",
                "parts",
                "expires_at",
                "closed_at",
            )
        }
    )
)
_BY_IDS = lockable(sa.select(holds).where(holds.c.id.in_(sa.bindparam("ids", expanding=True))).order_by(holds.c.id))
_OF_OWNER = (
    sa.select(holds)
    .where(IS_OPEN, _IS_LEASE)
    .where(holds.c.owner_node == sa.bindparam("node"))
    .where(holds.c.owner_incarnation == sa.bindparam("incarnation"))
    .order_by(holds.c.id)
)
_IDS_MAX = 10_000
"""How many ids one statement names: both databases limit the parameters of a statement."""
_RECALLED = _OF_OWNER.where(holds.c.recall_requested_at.is_not(None))
_OF_CUSTOMER = (
    sa.select(holds)
    .where(IS_OPEN)
    .where(holds.c.book == sa.bindparam("in_book"))
    .where(holds.c.customer_id == sa.bindparam("of_customer"))
    .order_by(holds.c.id)
)
_RECALLABLE = lockable(
    _OF_CUSTOMER.where(_IS_LEASE, sa.not_(holds.c.is_closing), holds.c.recall_requested_at.is_(None)).where(
        holds.c.id.is_distinct_from(sa.bindparam("except_hold", type_=sa.Text()))
    )
)
_EXPIRED = (
    sa.select(holds)
    .where(IS_OPEN, holds.c.expires_at <= sa.bindparam("moment"))
    .order_by(holds.c.expires_at, holds.c.id)
    .limit(sa.bindparam("limit"))
)
_ALL = sa.select(holds).order_by(holds.c.id)
_REMAINING = holds.c.amount_nanos - holds.c.settled_nanos - holds.c.released_nanos
_OPEN_SUMS = (
    sa.select(holds.c.book, sa.func.count().label("holds"), sa.func.sum(_REMAINING).label("remaining_nanos"))
    .where(IS_OPEN)
    .group_by(holds.c.book)
)


class SqlHolds:
    """See `yuanjing.ports.store.HoldTable`.

    Saved holds are written together, when holds are next read or the unit of work ends: a posting batch saves a
    hundred.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._unsaved: dict[str, Hold] = {}

    def flush(self) -> None:
        """Write what is saved and not yet written, in the order of the ids."""
        if self._unsaved:
            rows = [_to_row_saved(self._unsaved[id_]) for id_ in sorted(self._unsaved)]
            self._unsaved.clear()
            self._work.do_many(_SAVE, rows)

    def add(self, *holds: Hold) -> None:
        """See the port."""
        added = _ADD.add_new(self._work, [_to_row(hold) for hold in holds])
        for hold in holds:
            if hold.id not in added:
                raise AlreadyExistsError(f"hold {hold.id} exists")

    def save(self, hold: Hold) -> None:
        """See the port."""
        self._unsaved[hold.id] = hold

    def lock(self, hold_ids: Sequence[str]) -> dict[str, Hold]:
        """See the port."""
        self.flush()
        found: dict[str, Hold] = {}
        wanted = sorted(set(hold_ids))
        for start in range(0, len(wanted), _IDS_MAX):
            rows = self._work.locked(_BY_IDS, ids=wanted[start : start + _IDS_MAX])
            found |= {row.id: _from_row(row) for row in rows}
        return found

    def open_of_owner(self, node_id: str, incarnation: int) -> list[Hold]:
        """See the port."""
        self.flush()
        rows = self._work.rows(_OF_OWNER, node=node_id, incarnation=incarnation)
        return [_from_row(row) for row in rows]

    def open_of_customer(self, book: Book, customer_id: str) -> list[Hold]:
        """See the port."""
        self.flush()
        rows = self._work.rows(_OF_CUSTOMER, in_book=book.value, of_customer=customer_id)
        return [_from_row(row) for row in rows]

    def request_recall(self, book: Book, customer_id: str, at: float, *, except_hold: str | None) -> list[Hold]:
        """See the port."""
        self.flush()
        rows = self._work.locked(_RECALLABLE, in_book=book.value, of_customer=customer_id, except_hold=except_hold)
        marked = [replace(_from_row(row), recall_requested_at=at) for row in rows]
        for hold in marked:
            self.save(hold)
        return marked

    def recalled_of_owner(self, node_id: str, incarnation: int) -> list[Hold]:
        """See the port."""
        self.flush()
        return [_from_row(row) for row in self._work.rows(_RECALLED, node=node_id, incarnation=incarnation)]

    def expired(self, at: float, limit: int) -> list[Hold]:
        """See the port."""
        self.flush()
        return [_from_row(row) for row in self._work.rows(_EXPIRED, moment=at, limit=limit)]

    def scan(self) -> Iterator[Hold | Damaged]:
        """See the port."""
        self.flush()
        for row in self._work.stream(_ALL):
            yield readable(row.id, partial(_from_row, row))

    def open_sums(self) -> dict[Book, HoldSum]:
        """See the port."""
        self.flush()
        return {
            Book(row.book): HoldSum(count=int(row.holds), remaining_nanos=int(row.remaining_nanos))
            for row in self._work.rows(_OPEN_SUMS)
        }


def _to_row(hold: Hold) -> dict[str, Any]:
    return {
        "id": hold.id,
        "book": hold.book.value,
        "customer_id": hold.customer_id,
        "purpose": hold.purpose.value,
        "amount_nanos": hold.amount_nanos,
        "settled_nanos": hold.settled_nanos,
        "released_nanos": hold.released_nanos,
        "promotion_nanos": hold.promotion_nanos,
        "owner_node": hold.owner_node,
        "owner_incarnation": hold.owner_incarnation,
        "key_id": hold.key_id,
        "is_closing": hold.is_closing,
        "recall_requested_at": hold.recall_requested_at,
        "parts": hold.parts,
        "created_at": hold.created_at,
        "expires_at": hold.expires_at,
        "closed_at": hold.closed_at,
    }


def _to_row_saved(hold: Hold) -> dict[str, Any]:
    return {
        "hold_id": hold.id,
        "new_amount_nanos": hold.amount_nanos,
        "new_settled_nanos": hold.settled_nanos,
        "new_released_nanos": hold.released_nanos,
        "new_promotion_nanos": hold.promotion_nanos,
        "new_is_closing": hold.is_closing,
        "new_recall_requested_at": hold.recall_requested_at,
        "new_parts": hold.parts,
        "new_expires_at": hold.expires_at,
        "new_closed_at": hold.closed_at,
    }


def _from_row(row: sa.Row[Any]) -> Hold:
    return Hold(
        id=row.id,
        book=Book(row.book),
        customer_id=row.customer_id,
        purpose=HoldPurpose(row.purpose),
        amount_nanos=row.amount_nanos,
        settled_nanos=row.settled_nanos,
        released_nanos=row.released_nanos,
        promotion_nanos=row.promotion_nanos,
        owner_node=row.owner_node,
        owner_incarnation=row.owner_incarnation,
        key_id=row.key_id,
        is_closing=row.is_closing,
        recall_requested_at=row.recall_requested_at,
        parts=row.parts,
        created_at=row.created_at,
        expires_at=row.expires_at,
        closed_at=row.closed_at,
    )
