"""Threads that own one SQLite connection each: one that writes, some that read."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.kit.clock import Clock

T = TypeVar("T")

CHECKPOINT_IDLE_SECONDS = 0.25
CHECKPOINT_BUSY_SECONDS = 1.0
_CUT_WAIT_MS = 100
_CUT_EVERY_SECONDS = 10.0


class Call(Generic[T]):
    """A function that waits for a thread's connection, and the future of its result."""

    def __init__(self, work: Callable[[sa.Connection], T]) -> None:
        self.future: Future[T] = Future()
        self._work = work

    def run(self, connect: Callable[[], sa.Connection]) -> bool:
        """Run it unless its caller has gone; False if the connection should not be used again."""
        if not self.future.set_running_or_notify_cancel():
            return True
        try:
            result = self._work(connect())
        except BaseException as error:  # noqa: BLE001  # it is handed to the caller, whatever it is
            self.future.set_exception(error)
            return not isinstance(error, StoreUnavailableError)
        self.future.set_result(result)
        return True


Calls = queue.SimpleQueue[Call[Any] | None]
"""What waits for a thread; each None ends one of them."""


class Checkpointer:
    """Moves the write-ahead log into the database between units of work, so that no commit has to.

    It runs when the writer is idle, and at least every second under load. A log that has outgrown its limit, because
    some reader was always at work, is cut back with a short wait for the readers.
    """

    def __init__(self, path: Path, wal_bytes_max: int, clock: Clock) -> None:
        self._wal = path.with_name(path.name + "-wal")
        self._wal_bytes_max = wal_bytes_max
        self._clock = clock
        self._dirty_since: float | None = None
        self._cut_at = -_CUT_EVERY_SECONDS

    @property
    def idle_seconds(self) -> float | None:
        """How long the writer may wait for work before a checkpoint is due; None without a bound."""
        return None if self._dirty_since is None else CHECKPOINT_IDLE_SECONDS

    @property
    def is_overdue(self) -> bool:
        """Whether a checkpoint is due although there is work."""
        since = self._dirty_since
        return since is not None and self._clock.monotonic() - since >= CHECKPOINT_BUSY_SECONDS

    def note_work(self) -> None:
        """A unit of work may have grown the log."""
        if self._dirty_since is None:
            self._dirty_since = self._clock.monotonic()

    def run(self, conn: sa.Connection) -> None:
        """Checkpoint now; a failure shows again, and loudly, at the next commit."""
        self._dirty_since = None
        raw = conn.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        now = self._clock.monotonic()
        if self._wal_bytes() > self._wal_bytes_max and now - self._cut_at >= _CUT_EVERY_SECONDS:
            self._cut_at = now
            (before,) = raw.execute("PRAGMA busy_timeout").fetchone()
            raw.execute(f"PRAGMA busy_timeout={_CUT_WAIT_MS}").close()
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
            raw.execute(f"PRAGMA busy_timeout={before}").close()

    def _wal_bytes(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0


class ConnectionThread:
    """Runs calls on a connection of its own, which it opens when first needed and again after a failure."""

    def __init__(
        self, connect: Callable[[], sa.Connection], calls: Calls, checkpointer: Checkpointer | None, name: str
    ) -> None:
        self._open = connect
        self._calls = calls
        self._checkpointer = checkpointer
        self._conn: sa.Connection | None = None
        # A daemon: a process that ends without closing its store must not hang; it is then like a crash.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _run(self) -> None:
        while (call := self._next()) is not None:
            is_usable = call.run(self._connect)
            del call  # its future must not keep results alive while the thread waits
            if not is_usable:
                self._disconnect()
            elif self._checkpointer is not None:
                self._checkpointer.note_work()
        self._disconnect()

    def _next(self) -> Call[Any] | None:
        checkpointer = self._checkpointer
        if checkpointer is None:
            return self._calls.get()
        while (conn := self._conn) is not None:
            if not checkpointer.is_overdue:
                try:
                    return self._calls.get(timeout=checkpointer.idle_seconds)
                except queue.Empty:
                    pass  # a quiet moment: what is below is for it
            self._checkpoint(checkpointer, conn)
        return self._calls.get()  # after a failure; whoever comes next opens a connection, and it is checkpointed then

    def _checkpoint(self, checkpointer: Checkpointer, conn: sa.Connection) -> None:
        try:
            checkpointer.run(conn)
        except conn.dialect.loaded_dbapi.Error:
            self._disconnect()  # the next unit of work opens a new one, and reports what is wrong

    def _connect(self) -> sa.Connection:
        if self._conn is None:
            self._conn = self._open()
        return self._conn

    def _disconnect(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
