"""A copy of a SQLite database while it is in use."""

import os
import sys
from pathlib import Path

import pysqlite3

from yuanjing.adapters.sql.alone import is_sqlite, parse_url
from yuanjing.adapters.sql.sqlite_engine import check_copies, database_path, translate_sqlite
from yuanjing.domain.errors import AlreadyExistsError, InvalidInputError, NotFoundError, StoreUnavailableError
from yuanjing.kit.disk import sync_folder

_BUSY_SECONDS = 15.0


def copy_database(url: str, target: Path) -> int:
    """Write the database, as it is at one moment, into a new file that its owner only can read; its size in bytes.

    It is one step of SQLite's own backup, by the copy of SQLite that everybody else here uses: another one, or a copy
    of the file, could break the locks of those who are at work, or miss what is only in the write-ahead log.

    Raises:
        InvalidInputError: the database is no file.
        NotFoundError: there is no database yet.
        AlreadyExistsError: the target exists.
        StoreUnavailableError: one of the files cannot be used.
    """
    address = parse_url(url)
    if not is_sqlite(address):
        raise InvalidInputError("this copies SQLite databases; for PostgreSQL use pg_dump", param="database_url")
    source = database_path(address)
    if not source.exists():
        raise NotFoundError(f"there is no database {source}", param="database_url")
    check_copies(sys.modules.keys())
    if target.exists():
        raise AlreadyExistsError(f"{target} exists already; name a new file", param="file")
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            _copy(source, draft)
            draft.rename(target)
            sync_folder(target.parent)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnavailableError(f"{target} cannot be written: {error.strerror}") from error
    return target.stat().st_size


def _copy(source: Path, draft: Path) -> None:
    try:
        reading = pysqlite3.connect(source, timeout=_BUSY_SECONDS)
        try:
            writing = pysqlite3.connect(draft)
            try:
                reading.backup(writing)
                # One file, without a log beside it that would have to be copied as well.
                writing.execute("PRAGMA journal_mode=DELETE").close()
            finally:
                writing.close()
        finally:
            reading.close()
    except pysqlite3.Error as error:
        raise translate_sqlite(error) from error
    with draft.open("rb") as file:
        os.fsync(file.fileno())
