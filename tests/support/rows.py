"""Rows for whatever tables a database has: their columns and constraints are read from it, not from the program."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

Row = dict[str, Any]
TRIES_MAX = 500
_NULL_SHARE = 0.3
_MANY = 4
"""Numbers are small, so that sums and limits that a CHECK wants are met by chance."""


def tables_of(conn: sa.Connection) -> Sequence[sa.Table]:
    """The tables as the database has them now, parents before children; without the migration tool's own."""
    found = sa.MetaData()
    found.reflect(conn)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def all_rows(conn: sa.Connection) -> dict[str, list[Row]]:
    """What each table holds, in an order that depends on nothing but the content."""
    return {
        table.name: sorted((dict(row) for row in conn.execute(sa.select(table)).mappings()), key=_order)
        for table in tables_of(conn)
    }


def common(rows: Mapping[str, list[Row]], other: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    """`rows` without the tables and columns that `other` does not have."""
    shared: dict[str, list[Row]] = {}
    for table in rows.keys() & other.keys():
        names = other[table][0].keys() if other[table] else ()
        shared[table] = sorted(({k: v for k, v in row.items() if k in names} for row in rows[table]), key=_order)
    return shared


class Filler:
    """Puts rows into every table; what a CHECK or a unique key refuses is tried again with other values."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311  # no secret
        self._numbers = count(1)

    def fill(self, conn: sa.Connection, rows_each: int = 4) -> None:
        """Add so many rows to each table; each nullable column is empty in some of them and filled in others."""
        tables = tables_of(conn)
        assert tables
        for table in tables:
            optional = [column.name for column in table.c if column.nullable]
            for empty in ((), tuple(optional), *([None] * (rows_each - 2))):
                self._add(conn, table, empty)

    def _add(self, conn: sa.Connection, table: sa.Table, empty: tuple[str, ...] | None) -> None:
        """`empty` are the nullable columns to leave empty where the constraints allow it; None: by chance."""
        for number in range(TRIES_MAX):
            row = self._row(conn, table, empty if number < TRIES_MAX // 2 else None)
            try:
                with conn.begin_nested():
                    conn.execute(sa.insert(table).values(row))
            except exc.IntegrityError:
                continue
            return
        raise AssertionError(f"no row was found that {table.name} takes: give its columns values here")

    def _row(self, conn: sa.Connection, table: sa.Table, empty: tuple[str, ...] | None) -> Row:
        row = dict(self._values(table, empty))
        for key in table.foreign_key_constraints:
            names = [element.parent.name for element in key.elements]
            if any(name in row and row[name] is None for name in names):
                continue
            parents = [element.column for element in key.elements]
            found = conn.execute(sa.select(*parents)).all()
            row |= dict(zip(names, self._random.choice(found), strict=True))
        return row

    def _values(self, table: sa.Table, empty: tuple[str, ...] | None) -> Iterator[tuple[str, Any]]:
        for column in table.c:
            if column.name == "seq" and column.primary_key:
                continue  # the database numbers it
            if column.nullable:
                is_empty = self._random.random() < _NULL_SHARE if empty is None else column.name in empty
                if is_empty:
                    yield column.name, None
                    continue
            is_key = column.primary_key and len(table.primary_key) == 1 and isinstance(column.type, sa.Integer)
            yield column.name, next(self._numbers) if is_key else self._value(column.type)

    def _value(self, kind: sa.types.TypeEngine[Any]) -> object:
        if isinstance(kind, sa.Boolean):
            return self._random.random() < 0.5
        if isinstance(kind, sa.Integer):
            return self._random.randrange(_MANY)
        if isinstance(kind, sa.Float):
            return self._random.randrange(10**6) / 4
        if isinstance(kind, sa.LargeBinary):
            return b"\x00\xff" + str(next(self._numbers)).encode()
        assert isinstance(kind, sa.String), f"no value of type {kind!r}: add it here"
        return json.dumps({"input_tokens": next(self._numbers)})  # migrations may read JSON in any text


def _order(row: Row) -> str:
    return repr(sorted(row.items()))
