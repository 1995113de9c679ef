"""API keys and their budgets in SQL."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from yuanjing.adapters.sql.bulk import by_dialect
from yuanjing.adapters.sql.customers import language_of
from yuanjing.adapters.sql.tables import api_keys, customers, key_budgets
from yuanjing.adapters.sql.work import Work, dump, insert, lockable
from yuanjing.domain.errors import AlreadyExistsError, NotFoundError
from yuanjing.domain.identity import ApiKey, Customer, KeyLimits
from yuanjing.domain.money import Book
from yuanjing.ports.identity import KeyBudget

_LIMITS = msgspec.json.Decoder(KeyLimits)
_CUSTOMER = sa.select(customers.c.id).where(customers.c.id == sa.bindparam("customer"))
_ADD = insert(api_keys).on_conflict_do_nothing().returning(api_keys.c.id)
_ADD_BUDGET = sa.insert(key_budgets)
_BY_ID = sa.select(api_keys).where(api_keys.c.id == sa.bindparam("id"))
_BY_PUBLIC_ID = sa.select(api_keys).where(api_keys.c.public_id == sa.bindparam("public_id"))
_WITH_CUSTOMERS = by_dialect(
    lambda among: (
        sa.select(api_keys, customers.c.mobile, customers.c.name.label("customer_name"))
        .add_columns(customers.c.created_at.label("customer_since"), customers.c.disabled_at, customers.c.language)
        .join(customers, customers.c.id == api_keys.c.customer_id)
        .where(among(api_keys.c.public_id))
    ),
    "public_ids",
)
_LIST = (
    sa.select(api_keys)
    .where(api_keys.c.customer_id == sa.bindparam("customer"))
    .where(api_keys.c.id > sa.bindparam("after"))
    .order_by(api_keys.c.id)
    .limit(sa.bindparam("limit"))
)
_LIST_OF_BOOK = _LIST.where(api_keys.c.book == sa.bindparam("ledger"))
_COUNT = (
    sa.select(sa.func.count())
    .select_from(api_keys)
    .where(api_keys.c.customer_id == sa.bindparam("customer"))
    .where(sa.or_(api_keys.c.revoked_at.is_(None), api_keys.c.created_at >= sa.bindparam("since")))
)
_SAVE = (
    sa.update(api_keys)
    .where(api_keys.c.id == sa.bindparam("key"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("name", "limits", "expires_at")})
)
_REVOKE = (
    sa.update(api_keys)
    .where(api_keys.c.id == sa.bindparam("key"), api_keys.c.revoked_at.is_(None))
    .values(revoked_at=sa.bindparam("moment"))
)
_BUDGET = lockable(sa.select(key_budgets).where(key_budgets.c.key_id == sa.bindparam("key")))
_BUDGETS = by_dialect(lambda among: sa.select(key_budgets).where(among(key_budgets.c.key_id)), "keys")
_ALL_BUDGETS = sa.select(key_budgets).order_by(key_budgets.c.key_id)
_SAVE_BUDGET = (
    sa.update(key_budgets)
    .where(key_budgets.c.key_id == sa.bindparam("key"))
    .values(period_start=sa.bindparam("start"), spent_nanos=sa.bindparam("spent"), held_nanos=sa.bindparam("held"))
    .values(counted_from=sa.bindparam("since"))
)


class SqlKeys:
    """See `yuanjing.ports.store.KeyTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def add(self, key: ApiKey) -> None:
        """See the port."""
        if self._work.first(_CUSTOMER, customer=key.customer_id) is None:
            raise NotFoundError(f"customer {key.customer_id} does not exist")
        if self._work.first(_ADD, **_to_row(key)) is None:
            raise AlreadyExistsError("a key with that id, public id or digest exists")
        self._work.do(_ADD_BUDGET, key_id=key.id, period_start=0.0, spent_nanos=0, held_nanos=0, counted_from=0.0)

    def get(self, key_id: str) -> ApiKey | None:
        """See the port."""
        row = self._work.first(_BY_ID, id=key_id)
        return None if row is None else _from_row(row)

    def by_public_id(self, public_id: str) -> ApiKey | None:
        """See the port."""
        row = self._work.first(_BY_PUBLIC_ID, public_id=public_id)
        return None if row is None else _from_row(row)

    def with_customers(self, public_ids: Collection[str]) -> Mapping[str, tuple[ApiKey, Customer]]:
        """See the port."""
        rows = self._work.rows(_WITH_CUSTOMERS[self._work.dialect], public_ids=list(public_ids))
        return {row.public_id: (_from_row(row), _from_row_customer(row)) for row in rows}

    def list(self, customer_id: str, *, after: str | None, limit: int, book: Book | None = None) -> list[ApiKey]:
        """See the port."""
        params: dict[str, object] = {"customer": customer_id, "after": after or "", "limit": limit}
        if book is None:
            rows = self._work.rows(_LIST, **params)
        else:
            rows = self._work.rows(_LIST_OF_BOOK, ledger=book.value, **params)
        return [_from_row(row) for row in rows]

    def count(self, customer_id: str, *, since: float) -> int:
        """See the port."""
        (row,) = self._work.rows(_COUNT, customer=customer_id, since=since)
        return int(row[0])

    def save(self, key: ApiKey) -> None:
        """See the port."""
        self._work.do(_SAVE, key=key.id, new_name=key.name, new_limits=dump(key.limits), new_expires_at=key.expires_at)

    def revoke(self, key_id: str, at: float) -> bool:
        """See the port."""
        return self._work.do(_REVOKE, key=key_id, moment=at) == 1

    def budget(self, key_id: str) -> KeyBudget | None:
        """See the port."""
        rows = self._work.locked(_BUDGET, key=key_id)
        return _from_row_budget(rows[0]) if rows else None

    def budgets(self, key_ids: Collection[str]) -> Mapping[str, KeyBudget]:
        """See the port."""
        rows = self._work.rows(_BUDGETS[self._work.dialect], keys=list(key_ids))
        return {row.key_id: _from_row_budget(row) for row in rows}

    def scan_budgets(self) -> Iterator[tuple[str, KeyBudget]]:
        """See the port."""
        for row in self._work.stream(_ALL_BUDGETS):
            yield row.key_id, _from_row_budget(row)

    def save_budget(self, key_id: str, budget: KeyBudget) -> None:
        """See the port."""
        changed = self._work.do(
            _SAVE_BUDGET,
            key=key_id,
            start=budget.period_start,
            spent=budget.spent_nanos,
            held=budget.held_nanos,
            since=budget.counted_from,
        )
        if changed != 1:
            raise NotFoundError(f"key {key_id} does not exist")


def _from_row_budget(row: sa.Row[Any]) -> KeyBudget:
    return KeyBudget(
        period_start=row.period_start,
        spent_nanos=row.spent_nanos,
        held_nanos=row.held_nanos,
        counted_from=row.counted_from,
    )


def _from_row_customer(row: sa.Row[Any]) -> Customer:
    return Customer(
        id=row.customer_id,
        mobile=row.mobile,
        name=row.customer_name,
        created_at=row.customer_since,
        disabled_at=row.disabled_at,
        language=language_of(row.language),
    )


def _to_row(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "customer_id": key.customer_id,
        "book": key.book.value,
        "name": key.name,
        "public_id": key.public_id,
        "digest": key.digest,
        "limits": dump(key.limits),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _from_row(row: sa.Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        customer_id=row.customer_id,
        book=Book(row.book),
        name=row.name,
        public_id=row.public_id,
        digest=row.digest,
        limits=_LIMITS.decode(row.limits),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
