"""The worker's side of a spool file."""

from collections.abc import Sequence
from typing import Any

import pysqlite3

from yuanjing.adapters.spool.codec import decode_record
from yuanjing.adapters.spool.files import SpoolFile, is_locked
from yuanjing.domain.errors import SpoolError
from yuanjing.domain.usage import UsageRecord
from yuanjing.ports.spool import SpooledUsage

_AFTER = "SELECT seq, body FROM usage WHERE seq > ? ORDER BY seq LIMIT ?"
_AFTER_BYTES_MAX = 8 * 1024 * 1024
"""Answers that are kept for retries make rows large; of these, fewer are read at a time."""
_DEPTH = "SELECT count(*) FROM usage WHERE seq > ?"
_LAST = "SELECT coalesce(max(seq), 0) FROM usage"
_WATERMARKS = "SELECT body FROM watermark ORDER BY id"


class SqliteSpoolReader:
    """See `yuanjing.ports.spool.SpoolReader`; opened when first read, closed by `close` and `remove`."""

    def __init__(self, file: SpoolFile) -> None:
        self._file = file
        self._connection: pysqlite3.Connection | None = None

    @property
    def node_id(self) -> str:
        """See the port."""
        return self._file.node_id

    @property
    def incarnation(self) -> int:
        """See the port."""
        return self._file.incarnation

    def is_owned(self) -> bool:
        """See the port."""
        return is_locked(self._file.lock)

    def after(self, seq: int, limit: int) -> list[SpooledUsage]:
        """See the port."""
        rows = self._select(_AFTER, (seq, limit), bytes_max=_AFTER_BYTES_MAX)
        return [SpooledUsage(seq=int(row[0]), record=decode_record(row[1])) for row in rows]

    def depth(self, seq: int) -> int:
        """See the port."""
        rows = self._select(_DEPTH, (seq,))
        return int(rows[0][0]) if rows else 0

    def last_seq(self) -> int:
        """See the port."""
        rows = self._select(_LAST, ())
        return int(rows[0][0]) if rows else 0

    def watermarks(self) -> list[UsageRecord]:
        """See the port."""
        return [decode_record(row[0]) for row in self._select(_WATERMARKS, ())]

    def close(self) -> None:
        """See the port."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def remove(self) -> None:
        """See the port."""
        assert not self.is_owned(), f"the spool {self._file.database.name} is in use"
        self.close()
        self._file.remove()

    def _select(
        self, statement: str, parameters: Sequence[int], *, bytes_max: int | None = None
    ) -> list[tuple[Any, ...]]:
        """All rows at once, so that no read stays open and keeps the log from starting afresh.

        With `bytes_max` only the first ones, whose bodies, the last column, together come to it.
        """
        try:
            if self._connection is None:
                if not self._file.database.exists():
                    return []
                self._connection = _open(self._file)
            found = self._connection.execute(statement, parameters)
            return found.fetchall() if bytes_max is None else _first(found, bytes_max)
        except pysqlite3.Error as error:
            if _is_unborn(error):
                self.close()
                return []
            raise SpoolError(f"the spool {self._file.database.name} cannot be read: {error}") from error


def _first(found: pysqlite3.Cursor, bytes_max: int) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    try:
        for row in found:
            rows.append(row)
            bytes_max -= len(row[-1])
            if bytes_max <= 0:
                break
    finally:
        found.close()
    return rows


def _open(file: SpoolFile) -> pysqlite3.Connection:
    connection = pysqlite3.connect(
        f"file:{file.database}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=5
    )
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA query_only=ON")
    return connection


def _is_unborn(error: Exception) -> bool:
    """Whether the file was found before its writer had made the tables: there is nothing to read yet."""
    return str(error).startswith("no such table")
