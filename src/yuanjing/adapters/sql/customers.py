"""Customers in SQL."""

from typing import Any

import sqlalchemy as sa

from yuanjing.adapters.sql.tables import customers
from yuanjing.adapters.sql.work import Work, insert, lockable
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.identity import Customer, Language

_ADD = insert(customers).on_conflict_do_nothing().returning(customers.c.id)
_BY_ID = sa.select(customers).where(customers.c.id == sa.bindparam("id"))
_BY_MOBILE = sa.select(customers).where(customers.c.mobile == sa.bindparam("mobile"))
_LIST = (
    sa.select(customers)
    .where(customers.c.id > sa.bindparam("after"))
    .order_by(customers.c.id)
    .limit(sa.bindparam("limit"))
)
_LOCK = lockable(_BY_ID)
_OTHERS = sa.select(customers.c.id).where(
    customers.c.mobile == sa.bindparam("mobile"), customers.c.id != sa.bindparam("customer")
)
_SAVE = (
    sa.update(customers)
    .where(customers.c.id == sa.bindparam("customer"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("mobile", "name", "disabled_at", "language")})
)


class SqlCustomers:
    """See `yuanjing.ports.store.CustomerTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def add(self, customer: Customer) -> None:
        """See the port."""
        row = self._work.first(
            _ADD,
            id=customer.id,
            mobile=customer.mobile,
            name=customer.name,
            created_at=customer.created_at,
            disabled_at=customer.disabled_at,
            language=customer.language,
        )
        if row is None:
            raise AlreadyExistsError("a customer with that id or mobile number exists")

    def get(self, customer_id: str) -> Customer | None:
        """See the port."""
        row = self._work.first(_BY_ID, id=customer_id)
        return None if row is None else _from_row(row)

    def by_mobile(self, mobile: str) -> Customer | None:
        """See the port."""
        row = self._work.first(_BY_MOBILE, mobile=mobile)
        return None if row is None else _from_row(row)

    def list(self, *, after: str | None, limit: int) -> list[Customer]:
        """See the port."""
        return [_from_row(row) for row in self._work.rows(_LIST, after=after or "", limit=limit)]

    def lock(self, customer_id: str) -> Customer | None:
        """See the port."""
        rows = self._work.locked(_LOCK, id=customer_id)
        return _from_row(rows[0]) if rows else None

    def save(self, customer: Customer) -> None:
        """See the port."""
        if self._work.first(_OTHERS, mobile=customer.mobile, customer=customer.id) is not None:
            raise AlreadyExistsError("a customer with that mobile number exists")
        self._work.do(
            _SAVE,
            customer=customer.id,
            new_mobile=customer.mobile,
            new_name=customer.name,
            new_disabled_at=customer.disabled_at,
            new_language=customer.language,
        )


def language_of(text: str | None) -> Language | None:
    """The language that a row has."""
    return None if text is None else Language(text)


def _from_row(row: sa.Row[Any]) -> Customer:
    return Customer(
        id=row.id,
        mobile=row.mobile,
        name=row.name,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        language=language_of(row.language),
    )
