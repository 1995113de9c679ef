"""Work on a database without a store: one transaction on a connection of its own."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from yuanjing.adapters.sql.options import StoreOptions
from yuanjing.adapters.sql.sqlite_engine import create_sqlite_engine, database_path, translate_sqlite
from yuanjing.domain.errors import StoreUnavailableError, YuanjingError

T = TypeVar("T")

_OPTIONS = StoreOptions(pool_size=1, lock_seconds=60.0, statement_seconds=3600.0, busy_seconds=15.0)
"""Migrations wait for what runs, and may take long on a large table."""


_HAS_VERSION = {
    "sqlite": sa.text("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"),
    "postgresql": sa.text("SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL"),
}
_VERSION = sa.text("SELECT version_num FROM alembic_version")


class SchemaError(YuanjingError):
    """The database's schema is not the one that this program works with; the message says what to do."""

    code = "schema_mismatch"


def parse_url(url: str) -> sa.URL:
    """The address of a database.

    Raises:
        StoreUnavailableError: it is neither `sqlite:///path/to/file.db` nor `postgresql://…`.
    """
    try:
        address = sa.make_url(url)
    except exc.ArgumentError as error:
        raise StoreUnavailableError("the database address cannot be read") from error
    if address.drivername not in ("sqlite", "postgresql"):
        raise StoreUnavailableError(
            f"a database address begins with sqlite:/// or postgresql://, this one with {address.drivername}://"
        )
    return address


def is_sqlite(url: sa.URL) -> bool:
    """Whether the address names a file."""
    return url.drivername == "sqlite"


def read_version(conn: sa.Connection) -> str | None:
    """The schema version that a connection finds; None if it finds none."""
    if conn.execute(_HAS_VERSION[conn.dialect.name]).first() is None:
        return None
    found: str | None = conn.execute(_VERSION).scalar()
    return found


def newer_schema(address: sa.URL, found: str) -> SchemaError:
    """The error about a schema version that this program does not know."""
    where = address.render_as_string(hide_password=True)
    return SchemaError(
        f"the database {where} is at schema {found}, which is newer than this program; install the newer one again"
    )


async def run_alone(address: sa.URL, work: Callable[[sa.Connection], T], *, may_write: bool) -> T:
    """Run in one transaction on a connection of its own.

    Raises:
        StoreUnavailableError: the database cannot be reached or used, or stays locked; the message is for operators.
    """
    if is_sqlite(address):
        run = _run_sqlite if may_write else _read_sqlite
        return await asyncio.to_thread(run, database_path(address), work)
    from yuanjing.adapters.sql.postgres_engine import (  # noqa: PLC0415  # its driver is not for those who use SQLite
        FAILURES,
        create_postgres_engine,
        explain_postgres,
    )

    engine = create_postgres_engine(address, _OPTIONS)
    try:
        async with engine.begin() as conn:
            return await conn.run_sync(work)
    except FAILURES as error:
        raise explain_postgres(error, address) from error
    finally:
        await engine.dispose()


def _run_sqlite(path: Path, work: Callable[[sa.Connection], T]) -> T:
    """Foreign keys are off meanwhile: rebuilding a parent table would delete its children by cascade."""
    engine = create_sqlite_engine(path, _OPTIONS)
    try:
        with engine.connect() as conn:
            conn.exec_driver_sql("PRAGMA foreign_keys=OFF")
            conn.rollback()
            with conn.begin():
                conn.exec_driver_sql("BEGIN IMMEDIATE")
                result = work(conn)
                broken: list[Any] = list(conn.exec_driver_sql("PRAGMA foreign_key_check").all())
                if broken:
                    raise SchemaError(f"the migration would break {len(broken)} references; nothing was done")
            return result
    except exc.DBAPIError as error:
        raise translate_sqlite(error) from error
    finally:
        engine.dispose()


def _read_sqlite(path: Path, work: Callable[[sa.Connection], T]) -> T:
    engine = create_sqlite_engine(path, _OPTIONS)
    try:
        with engine.connect() as conn:
            return work(conn)
    except exc.DBAPIError as error:
        raise translate_sqlite(error) from error
    finally:
        engine.dispose()
