"""Millions of rows into a database: the quick way of each kind, and the same schema as ever when it is done."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncpg
import pysqlite3
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, DropIndex

from bench.data.rows import COLUMNS, Batch
from yuanjing.adapters.sql.tables import METADATA

_CACHE_KIB = 1_500_000
_ROWS_PER_COMMIT = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """How long it took, and what is there now."""

    rows: int
    seconds: float
    index_seconds: float
    bytes_on_disk: int


def load_sqlite(path: Path, batches: Iterable[Batch]) -> Loaded:
    """Into a file that has the newest schema and that nobody else has open."""
    began, rows, since_commit = time.monotonic(), 0, 0
    with pysqlite3.connect(path, isolation_level=None) as conn:
        pragmas = ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF", f"cache_size=-{_CACHE_KIB}")
        for pragma in (*pragmas, "locking_mode=EXCLUSIVE"):
            conn.execute(f"PRAGMA {pragma}").close()
        for statement in _indexes(DropIndex, sqlite.dialect()):
            conn.execute(statement)
        conn.execute("BEGIN")
        for table, batch in batches:
            marks = ", ".join("?" * len(COLUMNS[table]))
            conn.executemany(f"INSERT INTO {table} ({', '.join(COLUMNS[table])}) VALUES ({marks})", batch)  # noqa: S608  # our own words
            rows, since_commit = rows + len(batch), since_commit + len(batch)
            if since_commit > _ROWS_PER_COMMIT:
                conn.execute("COMMIT")
                conn.execute("BEGIN")
                since_commit = 0
        conn.execute("COMMIT")
        filled = time.monotonic()
        for statement in _indexes(CreateIndex, sqlite.dialect()):
            conn.execute(statement)
        ended = time.monotonic()
    conn.close()
    return Loaded(rows=rows, seconds=filled - began, index_seconds=ended - filled, bytes_on_disk=path.stat().st_size)


async def load_postgres(url: str, batches: Iterable[Batch]) -> Loaded:
    """Into a database that has the newest schema; the user is its superuser."""
    began, rows = time.monotonic(), 0
    conn = await _connect(url)
    try:
        await conn.execute("SET session_replication_role = replica")  # no foreign key is checked
        await conn.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
        for statement in _indexes(DropIndex, postgresql.dialect()):
            await conn.execute(statement)
        for table, batch in batches:
            await conn.copy_records_to_table(table, records=batch, columns=COLUMNS[table])
            rows += len(batch)
        await conn.execute(
            "SELECT setval(pg_get_serial_sequence('transfers', 'seq'), (SELECT max(seq) FROM transfers))"
        )
        filled = time.monotonic()
        for statement in _indexes(CreateIndex, postgresql.dialect()):
            await conn.execute(statement)
        await conn.execute("VACUUM (ANALYZE)")
        size: int = await conn.fetchval("SELECT pg_database_size(current_database())")
    finally:
        await conn.close()
    return Loaded(rows=rows, seconds=filled - began, index_seconds=time.monotonic() - filled, bytes_on_disk=size)


async def _connect(url: str) -> Any:
    return await cast("Any", asyncpg).connect(url)  # it has no types


def _indexes(make: Any, dialect: sa.Dialect) -> Iterator[str]:
    """Statements for the indexes of the tables that are filled, but for those of keys."""
    for table in COLUMNS:
        for index in sorted(METADATA.tables[table].indexes, key=lambda one: str(one.name)):
            yield str(make(index).compile(dialect=dialect))
