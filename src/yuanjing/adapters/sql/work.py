"""What the tables share inside one unit of work, and the pieces that statements are made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from yuanjing.kit.clock import Clock

ROWS_PER_FETCH = 1000
"""How many rows a scan holds in memory."""

insert = postgresql.insert
"""PostgreSQL's INSERT … ON CONFLICT; the SQLite compiler renders it as well, which keeps one statement for both."""

to_json = msgspec.json.Encoder(order="sorted").encode


def dump(value: object) -> str:
    """JSON text with sorted keys."""
    return to_json(value).decode()


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

    def rows(self, statement: sa.Executable, **params: object) -> Sequence[sa.Row[Any]]:
        """Run a statement and fetch everything."""
        return self.conn.execute(statement, params).all()

    def locked(self, statement: Lockable, **params: object) -> Sequence[sa.Row[Any]]:
        """Run a SELECT and lock what it finds."""
        return self.conn.execute(statement.locking if self.may_write else statement.plain, params).all()

    def first(self, statement: sa.Executable, **params: object) -> sa.Row[Any] | None:
        """Run a statement and fetch the first row."""
        return self.conn.execute(statement, params).first()

    def do(self, statement: sa.Executable, **params: object) -> int:
        """Run a statement; how many rows it changed."""
        return self.conn.execute(statement, params).rowcount

    def do_many(self, statement: sa.Executable, rows: Sequence[Mapping[str, object]]) -> None:
        """Run a statement once per set of parameters, in one go."""
        if rows:
            self.conn.execute(statement, rows)

    def stream(self, statement: sa.Executable) -> Iterator[sa.Row[Any]]:
        """Run a SELECT and fetch row after row, by a server-side cursor where there is a server."""
        options = {"stream_results": True, "yield_per": ROWS_PER_FETCH}
        yield from self.conn.execute(statement, execution_options=options)
