"""Lots of promotion money in SQL."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import sqlalchemy as sa

from yuanjing.adapters.sql.promotion_tables import IS_LEFT, promotions
from yuanjing.adapters.sql.work import Work, insert, lockable, to_fields, to_row
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.money import Book
from yuanjing.domain.promotions import Lot
from yuanjing.ports.damage import Damaged, readable

_ADD = insert(promotions).on_conflict_do_nothing().returning(promotions.c.id)
_SAVE = (
    sa.update(promotions)
    .where(promotions.c.id == sa.bindparam("lot"))
    .values(left_nanos=sa.bindparam("left"), expired_nanos=sa.bindparam("expired"))
)
_BY_CAUSE = sa.select(promotions).where(promotions.c.cause == sa.bindparam("name"))
_OF_CUSTOMER = lockable(
    sa.select(promotions)
    .where(IS_LEFT, promotions.c.customer_id == sa.bindparam("customer"), promotions.c.book == sa.bindparam("of_book"))
    .order_by(promotions.c.id)
)
_WHOSE = sa.tuple_(promotions.c.customer_id, promotions.c.book)
_DUE = (
    sa.select(promotions.c.customer_id, promotions.c.book)
    .where(IS_LEFT, promotions.c.expires_at <= sa.bindparam("moment"))
    .where(sa.tuple_(sa.bindparam("customer", type_=sa.Text()), sa.bindparam("of_book", type_=sa.Text())) < _WHOSE)
    .distinct()
    .order_by(promotions.c.customer_id, promotions.c.book)
    .limit(sa.bindparam("limit"))
)
_NEWEST_FIRST = (
    sa.select(promotions)
    .where(promotions.c.customer_id == sa.bindparam("customer"))
    .order_by(promotions.c.id.desc())
    .limit(sa.bindparam("limit"))
)
_OLDER = _NEWEST_FIRST.where(promotions.c.id < sa.bindparam("below"))
_ALL = sa.select(promotions).order_by(promotions.c.id)


class SqlPromotions:
    """See `yuanjing.ports.promotions.PromotionTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def add(self, lot: Lot) -> None:
        """See the port."""
        if self._work.first(_ADD, **to_row(promotions, lot)) is None:
            raise AlreadyExistsError(f"promotion {lot.id}, or its cause, exists")

    def save(self, *lots: Lot) -> None:
        """See the port."""
        self._work.do_many(
            _SAVE, [{"lot": lot.id, "left": lot.left_nanos, "expired": lot.expired_nanos} for lot in lots]
        )

    def by_cause(self, cause: str) -> Lot | None:
        """See the port."""
        row = self._work.find(_BY_CAUSE, name=cause)
        return None if row is None else _lot(row)

    def open_of_customer(self, book: Book, customer_id: str) -> list[Lot]:
        """See the port."""
        rows = self._work.locked(_OF_CUSTOMER, customer=customer_id, of_book=book.value)
        return [_lot(row) for row in rows]

    def due(self, at: float, limit: int, *, after: tuple[str, Book] | None) -> list[tuple[str, Book]]:
        """See the port."""
        customer, book = after if after is not None else ("", "")
        rows = self._work.rows(_DUE, moment=at, limit=limit, customer=customer, of_book=str(book))
        return [(row.customer_id, Book(row.book)) for row in rows]

    def list(self, customer_id: str, *, before: str | None, limit: int) -> list[Lot]:
        """See the port."""
        if before is None:
            rows = self._work.rows(_NEWEST_FIRST, customer=customer_id, limit=limit)
        else:
            rows = self._work.rows(_OLDER, customer=customer_id, below=before, limit=limit)
        return [_lot(row) for row in rows]

    def scan(self) -> Iterator[Lot | Damaged]:
        """See the port."""
        for row in self._work.stream(_ALL):
            yield readable(row.id, partial(_lot, row))


def _lot(row: sa.Row[Any]) -> Lot:
    fields = to_fields(row)
    fields["book"] = Book(row.book)
    return Lot(**fields)
