"""Checkpoints of a spool's write-ahead log, off the event loop."""

import threading
from collections.abc import Callable
from pathlib import Path

import pysqlite3

_INTERVAL_SECONDS = 1.0
_WAL_BYTES_MIN = 1024 * 1024
_WAL_BYTES_MAX = 64 * 1024 * 1024
_PASSES_MAX = 6


class Checkpointer:
    """A thread with a connection of its own that copies the log into the database file.

    `PASSIVE` never makes the writer wait, but the log starts afresh only after a pass that nothing was written during;
    so several passes follow each other, each with less to copy. If the log has become large all the same, one `RESTART`
    makes the writer wait for some milliseconds, which is better than a log without bound.
    """

    def __init__(
        self, database: Path, *, sync: str, on_pass: Callable[[], None], on_failure: Callable[[str], None]
    ) -> None:
        self._database = database
        self._sync = sync
        self._on_pass = on_pass
        self._on_failure = on_failure
        self.shrinks = False
        """Whether the log's file is cut after each pass, which makes the writer wait a little."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool-checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop and wait for the pass that is running."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            connection = pysqlite3.connect(str(self._database), isolation_level=None, timeout=5)
            connection.execute(f"PRAGMA synchronous={self._sync}")
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute(f"PRAGMA journal_size_limit={_WAL_BYTES_MAX}")
            while not self._stop.wait(_INTERVAL_SECONDS):
                self._pass(connection)
                self._on_pass()
            connection.close()
        except (pysqlite3.Error, OSError) as error:
            self._on_failure(str(error))

    def _pass(self, connection: pysqlite3.Connection) -> None:
        wal = Path(f"{self._database}-wal")
        size = wal.stat().st_size if wal.exists() else 0
        if size < _WAL_BYTES_MIN and not self.shrinks:
            return
        is_copied = self._copy(connection)
        if self.shrinks:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        elif not is_copied and size > _WAL_BYTES_MAX:
            connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()

    def _copy(self, connection: pysqlite3.Connection) -> bool:
        """Copy what can be copied without making anybody wait; whether it was all."""
        for _ in range(_PASSES_MAX):
            _, logged, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if logged == copied:
                return True
        return False
