"""Statements over many rows that are one and the same text however many there are.

PostgreSQL takes them as arrays: one round trip, one execution, and one statement to prepare for each connection. A text
with a parameter for each value would be another one for each number of rows. SQLite is called in the process, where a
row at a time costs little; what would cost is to bind each row's values by name, so they go to the driver in order.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from yuanjing.adapters.sql.work import Work, insert

S = TypeVar("S")

Rows = Sequence[Mapping[str, Any]]
Among = Callable[[sa.ColumnElement[str]], sa.ColumnElement[bool]]
"""Makes the condition that a text column has one of the values that are given when the statement runs."""


def by_dialect(build: Callable[[Among], S], name: str) -> Mapping[str, S]:
    """What `build` makes with a condition on the list that parameter `name` brings, for each kind of database."""
    return {
        "sqlite": build(lambda column: column.in_(sa.bindparam(name, expanding=True))),
        "postgresql": build(lambda column: column == sa.any_(sa.bindparam(name, type_=postgresql.ARRAY(sa.Text())))),
    }


_QMARK = sqlite.dialect(paramstyle="qmark")


class Bulk:
    """INSERTs into one table; a row gives each column that the database does not number.

    Each row is known by one column, the first of the primary key unless told otherwise.
    """

    def __init__(self, table: sa.Table, *, known_by: sa.Column[str] | None = None) -> None:
        (key, *_) = table.primary_key.columns if known_by is None else (known_by,)
        self._some = insert(table).on_conflict_do_nothing().returning(key)
        columns = [column for column in table.c if column is not table.autoincrement_column]
        self._names = [column.name for column in columns]
        self._values = itemgetter(*self._names)
        self._each = str(sa.insert(table).values(dict.fromkeys(self._names)).inline().compile(dialect=_QMARK))
        arrays = sa.func.unnest(*(sa.bindparam(column.name, type_=_array_of(column)) for column in columns))
        rows = arrays.table_valued(*self._names).render_derived(name="new")
        self._all = insert(table).from_select(self._names, sa.select(*rows.c), include_defaults=False)
        self._new = self._all.on_conflict_do_nothing().returning(key)

    def add(self, work: Work, rows: Rows) -> None:
        """Insert all of them; a key that exists ends the transaction."""
        if work.dialect == "postgresql":
            work.do(self._all, **self._arrays(rows))
        else:
            work.do_driver_many(self._each, [self._values(row) for row in rows])

    def add_new(self, work: Work, rows: Rows) -> set[str]:
        """Insert those that break no unique key; what these are known by."""
        if not rows:
            return set()
        if work.dialect == "postgresql":
            found = work.rows(self._new, **self._arrays(rows))
        else:
            found = work.rows_of_many(self._some, rows)
        return {str(row[0]) for row in found}

    def _arrays(self, rows: Rows) -> dict[str, list[Any]]:
        return {name: [row[name] for row in rows] for name in self._names}


def _array_of(column: sa.Column[Any]) -> postgresql.ARRAY[Any]:
    """An array of the column's values, whose collation is the column's business."""
    return postgresql.ARRAY(sa.Text() if isinstance(column.type, sa.Text) else column.type)
