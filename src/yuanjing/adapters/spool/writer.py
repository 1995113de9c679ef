"""The owner's side of a spool file. Each call is on the hot path: a few statements and no more."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import pysqlite3

from yuanjing.adapters.spool.checkpoints import Checkpointer
from yuanjing.adapters.spool.codec import encode_record
from yuanjing.adapters.spool.files import SpoolFile, take_lock
from yuanjing.domain.errors import SpoolError, SpoolFullError
from yuanjing.domain.usage import UsageRecord
from yuanjing.kit.disk import sync_folder

_SCHEMA = """
CREATE TABLE usage (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE watermark (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""
_INSERT = "INSERT INTO usage (seq, body) VALUES (?, ?)"
_TOGETHER_MAX = 16
_INSERT_TOGETHER = tuple(_INSERT + ", (?, ?)" * more for more in range(_TOGETHER_MAX))
"""One statement for so many rows is a transaction by itself: one call of SQLite instead of three."""
_MARK = "INSERT OR REPLACE INTO watermark (id, body) VALUES (?, ?)"
_UNMARK = "DELETE FROM watermark WHERE id = ?"
_DELETE = "DELETE FROM usage WHERE seq <= ?"
_DELETE_ROWS = 128
"""Forgotten rows are deleted in pieces of this size, each inside an append."""
_MAKE_ROOM_ROWS = 10_000
"""And in pieces of this size, some tens of milliseconds, when the file has become large."""
_ADMIT_PERCENT = 90
"""From this part of its greatest size on a spool has no room for new work; the rest is for what is under way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpoolLimits:
    """How durable and how large a spool is; settings `spool_sync`, `spool_rows_max`, `spool_size_max_bytes`."""

    sync: str
    rows_max: int
    size_max_bytes: int


class SqliteSpoolWriter:
    """See `yuanjing.ports.spool.SpoolWriter`.

    Numbers are given out here and not by SQLite: a file has one writer in its whole life, so a counter in memory never
    repeats, and the table that AUTOINCREMENT keeps would cost a page in every transaction.
    """

    def __init__(self, file: SpoolFile, limits: SpoolLimits) -> None:
        lock = take_lock(file.lock)
        if lock is None:
            raise SpoolError(f"the spool {file.database.name} exists already")
        self._lock = lock
        self._file = file
        self._limits = limits
        self._last_seq = 0
        self._forgotten_seq = 0
        self._deleted_seq = 0
        self._marked: set[str] = set()
        self._size_bytes = 0
        self._free_bytes = 0
        """Of a large file, what is free inside it: SQLite does not give pages back, but uses them again."""
        self._large_bytes = limits.size_max_bytes * _ADMIT_PERCENT // 100
        self._broken: str | None = None
        self._is_closed = False
        try:
            self._connection = _open(file, limits.sync)
        except (pysqlite3.Error, OSError) as error:
            os.close(lock)
            raise SpoolError(f"the spool {file.database.name} cannot be written: {error}") from error
        cursor = self._connection.cursor()
        self._execute, self._executemany = cursor.execute, cursor.executemany
        self._checkpointer = Checkpointer(
            file.database, sync=limits.sync, on_pass=self._measure, on_failure=self._note_failure
        )

    def append(self, records: Sequence[UsageRecord], watermarks: Sequence[UsageRecord]) -> int:
        """See the port."""
        first = self._last_seq + 1
        last = self._last_seq + len(records)
        if self._broken is not None or last - self._forgotten_seq > self._limits.rows_max:
            self._refuse()
        rows: list[int | bytearray] = []
        for seq, record in enumerate(records, first):
            rows += (seq, encode_record(record))
        marks = [(record.id, encode_record(record)) for record in watermarks] if watermarks else []
        try:
            if self._size_bytes >= self._limits.size_max_bytes:
                self._refuse_if_large()
            is_piece_due = self._forgotten_seq - self._deleted_seq >= _DELETE_ROWS
            if marks or self._marked or is_piece_due or len(records) > _TOGETHER_MAX:
                self._append(rows, [record.id for record in records], marks, deletes_piece=is_piece_due)
            elif records:
                self._execute(_INSERT_TOGETHER[len(records) - 1], rows)
        except SpoolFullError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it was, a half-made transaction must not be gone on with
            self._break(error)
        self._last_seq = last
        return last

    def _append(
        self,
        rows: list[int | bytearray],
        ended: list[str],
        marks: list[tuple[str, bytearray]],
        *,
        deletes_piece: bool,
    ) -> None:
        execute, executemany = self._execute, self._executemany
        execute("BEGIN IMMEDIATE")
        executemany(_INSERT, zip(rows[::2], rows[1::2], strict=True))
        finished = self._marked.intersection(ended) if self._marked else set[str]()
        if finished:
            executemany(_UNMARK, [(usage_id,) for usage_id in finished])
        if ended and marks:
            marks = [mark for mark in marks if mark[0] not in ended]
        if marks:
            executemany(_MARK, marks)
        deleted = self._deleted_seq
        if deletes_piece:
            deleted += _DELETE_ROWS
            execute(_DELETE, (deleted,))
        execute("COMMIT")
        self._deleted_seq = deleted
        self._marked.difference_update(finished)
        self._marked.update([mark[0] for mark in marks])

    def forget(self, posted_seq: int) -> None:
        """See the port."""
        if self._broken is not None:
            self._refuse()  # whoever has nothing to append hears here that the checkpointer has failed
        self._forgotten_seq = min(max(self._forgotten_seq, posted_seq), self._last_seq)
        if self._size_bytes >= self._large_bytes:
            self._checkpointer.shrinks = True
            try:
                self._make_room(_MAKE_ROOM_ROWS)
            except pysqlite3.Error as error:
                self._break(error)
        else:
            self._checkpointer.shrinks = False
            self._free_bytes = 0

    @property
    def room(self) -> int:
        """See the port."""
        if self._broken is not None or self._size_bytes - self._free_bytes >= self._large_bytes:
            return 0
        return self._limits.rows_max - self._last_seq + self._forgotten_seq

    def is_disk_well(self) -> bool:
        """See the port."""
        return self._file.is_disk_well()

    @property
    def depth(self) -> int:
        """See the port."""
        return self._last_seq - self._forgotten_seq

    @property
    def size_bytes(self) -> int:
        """See the port."""
        self._measure()
        return self._size_bytes

    def close(self) -> None:
        """See the port."""
        if self._is_closed:
            return
        self._is_closed = True
        self._broken = self._broken or "it is closed"
        self._checkpointer.close()
        try:
            self._connection.close()
        finally:
            os.close(self._lock)

    def _measure(self) -> None:
        self._size_bytes = self._file.size_bytes()

    def _refuse_if_large(self) -> None:
        """Look closely before refusing: what was forgotten is deleted first, and free pages do not count."""
        self._make_room(self._limits.rows_max)
        if self.size_bytes - self._free_bytes >= self._limits.size_max_bytes:
            raise SpoolFullError(f"the spool {self._file.database.name} has reached its size limit")

    def _make_room(self, rows: int) -> None:
        """Delete this many forgotten rows, and see how much of the file is free."""
        deleted = min(self._forgotten_seq, self._deleted_seq + rows)
        if deleted > self._deleted_seq:
            self._execute(_DELETE, (deleted,))
            self._deleted_seq = deleted
        ((free_pages,),) = self._execute("PRAGMA freelist_count").fetchall()
        ((page_bytes,),) = self._execute("PRAGMA page_size").fetchall()
        self._free_bytes = int(free_pages) * int(page_bytes)

    def _note_failure(self, message: str) -> None:
        self._broken = self._broken or message

    def _refuse(self) -> None:
        if self._broken is not None:
            raise SpoolError(f"the spool {self._file.database.name} cannot be written: {self._broken}")
        raise SpoolFullError(f"the spool {self._file.database.name} has {self.depth} rows not posted, its limit")

    def _break(self, error: Exception) -> None:
        """Never write again: after a failed write or sync nobody knows what the disk has kept."""
        self._broken = str(error)
        if self._connection.in_transaction:
            try:
                self._execute("ROLLBACK")
            except pysqlite3.Error as second:
                self._broken = f"{error}; and then: {second}"
        raise SpoolError(f"the spool {self._file.database.name} cannot be written: {self._broken}") from error


def _open(file: SpoolFile, sync: str) -> pysqlite3.Connection:
    connection = pysqlite3.connect(str(file.database), isolation_level=None, check_same_thread=False, timeout=5)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={sync}")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.executescript(_SCHEMA)
    sync_folder(file.folder)
    return connection
