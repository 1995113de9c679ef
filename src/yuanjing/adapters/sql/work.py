"""What the tables share inside one unit of work, and the pieces that statements are made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from yuanjing.kit.clock import Clock
from yuanjing.kit.text import is_storable

ROWS_PER_FETCH = 1000
"""How many rows a scan holds in memory."""

insert = postgresql.insert
"""PostgreSQL's INSERT … ON CONFLICT; the SQLite compiler renders it as well, which keeps one statement for both."""

to_json = msgspec.json.Encoder(order="sorted").encode


def dump(value: object) -> str:
    """JSON text with sorted keys."""
    return to_json(value).decode()


def to_row(table: sa.Table, value: object) -> dict[str, Any]:
    """The columns of a value whose fields are named like them; words of an `Enum` as text."""
    found = {column.name: getattr(value, column.name) for column in table.c}
    return {name: one.value if isinstance(one, StrEnum) else one for name, one in found.items()}


def to_fields(row: sa.Row[Any]) -> dict[str, Any]:
    """The columns of a row by name."""
    return {str(name): value for name, value in zip(row._fields, row, strict=True)}  # pyright: ignore[reportPrivateUsage]  # documented; the name keeps clear of columns


class Lockable(NamedTuple):
    """A SELECT for units of work that write, which lock the rows, and its form for those that only read."""

    plain: sa.Select[*tuple[Any, ...]]
    locking: sa.Select[*tuple[Any, ...]]


def lockable(statement: sa.Select[*tuple[Any, ...]]) -> Lockable:
    """Both forms; SQLite renders no FOR UPDATE, since its one writer excludes all others."""
    return Lockable(statement, statement.with_for_update())


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """One unit of work's connection and what it is allowed to do."""

    conn: sa.Connection
    clock: Clock
    may_write: bool

    @property
    def dialect(self) -> str:
        """The kind of database: `sqlite` or `postgresql`."""
        return self.conn.dialect.name

    def rows(self, statement: sa.Executable, **params: object) -> Sequence[sa.Row[Any]]:
        """Run a statement and fetch everything."""
        return self.conn.execute(statement, params).all()

    def locked(self, statement: Lockable, **params: object) -> Sequence[sa.Row[Any]]:
        """Run a SELECT and lock what it finds."""
        return self.conn.execute(statement.locking if self.may_write else statement.plain, params).all()

    def first(self, statement: sa.Executable, **params: object) -> sa.Row[Any] | None:
        """Run a statement and fetch the first row."""
        return self.conn.execute(statement, params).first()

    def find(self, statement: sa.Executable, **key: str) -> sa.Row[Any] | None:
        """Run a SELECT by a key that may come from a customer; nothing has one that databases cannot store."""
        return self.first(statement, **key) if all(map(is_storable, key.values())) else None

    def do(self, statement: sa.Executable, **params: object) -> int:
        """Run a statement; how many rows it changed."""
        return self.conn.execute(statement, params).rowcount

    def do_many(self, statement: sa.Executable, rows: Sequence[Mapping[str, object]]) -> None:
        """Run a statement once per set of parameters, in one go."""
        if rows:
            self.conn.execute(statement, rows)

    def do_driver_many(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run a statement in the driver's own words once per row of values, which the driver takes as they are."""
        if rows:
            self.conn.exec_driver_sql(statement, rows)

    def rows_of_many(self, statement: sa.Executable, rows: Sequence[Mapping[str, object]]) -> Sequence[sa.Row[Any]]:
        """Run an INSERT … RETURNING with many sets of parameters, many rows in a statement; all that it returns."""
        return self.conn.execute(statement, rows).all()

    def stream(self, statement: sa.Executable) -> Iterator[sa.Row[Any]]:
        """Run a SELECT and fetch row after row, by a server-side cursor where there is a server."""
        options = {"stream_results": True, "yield_per": ROWS_PER_FETCH}
        yield from self.conn.execute(statement, execution_options=options)
