"""Connections to a SQLite file, by the one copy of SQLite that this process may use."""

import sys
import time
from collections.abc import Collection
from pathlib import Path

import pysqlite3
import sqlalchemy as sa
from sqlalchemy import exc

from yuanjing.adapters.sql.options import StoreOptions
from yuanjing.domain.errors import StoreUnavailableError

_BUSY_PAUSE_SECONDS = 0.02
_TURN_PAUSE_SECONDS = 0.001
"""Between two looks for a turn to write; each costs some microseconds."""
_WAL_SINCE = (3, 7, 0)
_WAL_SAFE_SINCE = (3, 51, 3)
_WAL_SAFE_BACKPORTS = ((3, 44, 6), (3, 50, 7))

_UNAVAILABLE = {
    pysqlite3.SQLITE_BUSY: "it stays locked by another process",
    pysqlite3.SQLITE_LOCKED: "it stays locked",
    pysqlite3.SQLITE_CANTOPEN: "its file cannot be opened",
    pysqlite3.SQLITE_IOERR: "its disk fails",
    pysqlite3.SQLITE_FULL: "its disk is full",
    pysqlite3.SQLITE_PROTOCOL: "its lock protocol fails",
    pysqlite3.SQLITE_CORRUPT: "its file is damaged",
    pysqlite3.SQLITE_NOTADB: "its file is no SQLite database",
}


def check_version(version: tuple[int, ...]) -> None:
    """Refuse the versions whose write-ahead log can be corrupted by several connections.

    Raises:
        StoreUnavailableError: the version is 3.7.0 to 3.51.2 and has no backport of the repair.
    """
    if _WAL_SINCE <= version < _WAL_SAFE_SINCE and version not in _WAL_SAFE_BACKPORTS:
        text = ".".join(map(str, version))
        raise StoreUnavailableError(f"SQLite {text} can corrupt a database; 3.51.3 or newer is needed")


def check_copies(modules: Collection[str]) -> None:
    """Refuse a second copy of SQLite in the process: closing a file in one drops the other's locks on it.

    Coverage measurement loads the standard library's copy for a file of its own, which is harmless.

    Raises:
        StoreUnavailableError: the standard library's `sqlite3` is loaded.
    """
    if "_sqlite3" in modules and "coverage" not in modules:
        raise StoreUnavailableError(
            "the standard library's sqlite3 is loaded beside pysqlite3; one process may use only one of them"
        )


def database_path(url: sa.URL) -> Path:
    """The file that `sqlite:///path` names.

    Raises:
        StoreUnavailableError: the address names no file.
    """
    if not url.database or url.database == ":memory:":
        raise StoreUnavailableError("a SQLite address names a file: sqlite:///path/to/file.db")
    return Path(url.database)


def create_sqlite_engine(path: Path, options: StoreOptions) -> sa.Engine:
    """An engine without a pool: each thread keeps the connection that it opens.

    Transactions are begun by hand (BEGIN IMMEDIATE or BEGIN), because the driver would begin too late.
    """
    check_version(tuple(pysqlite3.sqlite_version_info))
    check_copies(sys.modules.keys())

    pragmas = (
        "journal_mode=WAL",
        f"synchronous={options.synchronous.upper()}",
        "foreign_keys=ON",
        "wal_autocheckpoint=0",
        f"journal_size_limit={options.wal_bytes_max}",
    )

    def connect() -> pysqlite3.Connection:
        conn = pysqlite3.connect(path, timeout=options.busy_seconds, isolation_level=None, check_same_thread=False)
        try:
            for pragma in pragmas:
                _set(conn, pragma, options.busy_seconds)
        except pysqlite3.Error:
            conn.close()
            raise
        return conn

    return sa.create_engine("sqlite+pysqlite://", creator=connect, module=pysqlite3, poolclass=sa.pool.NullPool)


def _set(conn: pysqlite3.Connection, pragma: str, busy_seconds: float) -> None:
    """Changing a new file to WAL does not wait for others who do the same, as a statement does."""
    until = time.monotonic() + busy_seconds
    while True:
        try:
            conn.execute(f"PRAGMA {pragma}").close()
        except pysqlite3.Error as error:
            if not is_busy(error) or time.monotonic() >= until:
                raise
        else:
            return
        time.sleep(_BUSY_PAUSE_SECONDS)


def begin(conn: sa.Connection, statement: str, busy_seconds: float) -> None:
    """Begin a transaction; while another process has the file, look again soon, for `busy_seconds`.

    SQLite's own waiting looks ever more seldom, at last ten times a second: who waits so gets no turn beside a process
    that has one transaction after the other.
    """
    driver = conn.connection.driver_connection
    assert driver is not None
    until = time.monotonic() + busy_seconds
    driver.execute("PRAGMA busy_timeout=0").close()
    try:
        while True:
            try:
                driver.execute(statement).close()
            except pysqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() >= until:
                    break  # it is told by the statement below, in SQLAlchemy's words
            else:
                return
            time.sleep(_TURN_PAUSE_SECONDS)
        conn.exec_driver_sql(statement)
    finally:
        driver.execute(f"PRAGMA busy_timeout={int(busy_seconds * 1000)}").close()


def is_busy(error: BaseException) -> bool:
    """Whether the database was locked, so that trying again may help."""
    return _primary_code(error) in (pysqlite3.SQLITE_BUSY, pysqlite3.SQLITE_LOCKED)


def translate_sqlite(error: Exception) -> Exception:
    """What a failure of the driver means to the caller; the error itself if it is a bug."""
    code = _primary_code(error)
    if code == pysqlite3.SQLITE_READONLY:
        return RuntimeError("this unit of work may only read")
    if code in _UNAVAILABLE:
        return StoreUnavailableError(f"the database is not available: {_UNAVAILABLE[code]}")
    return error


def _primary_code(error: BaseException) -> int | None:
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
