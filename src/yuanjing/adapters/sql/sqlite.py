"""The store on a SQLite file: one thread writes, some read; other processes may use the file at the same time."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from yuanjing.adapters.sql.options import StoreOptions
from yuanjing.adapters.sql.sqlite_engine import begin, create_sqlite_engine, is_busy, translate_sqlite
from yuanjing.adapters.sql.sqlite_threads import Call, Calls, Checkpointer, ConnectionThread
from yuanjing.adapters.sql.tx import SqlTx
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import StoreCounters, Tx

T = TypeVar("T")


class SqliteStore:
    """See `yuanjing.ports.store.Store`. Usable from any event loop of the process, and from several."""

    def __init__(self, path: Path, options: StoreOptions, clock: Clock) -> None:
        self.counters = StoreCounters()
        self._options = options
        self._clock = clock
        self._engine = create_sqlite_engine(path, options)
        self._writes = Calls()
        self._reads = Calls()
        self._is_closed = False
        checkpointer = Checkpointer(path, options.wal_bytes_max, clock)
        self._writer = ConnectionThread(self._open, self._writes, checkpointer, "store-writer")
        self._readers = [
            ConnectionThread(self._open_reader, self._reads, None, f"store-reader-{n}") for n in range(options.readers)
        ]

    async def write(self, work: Callable[[Tx], T]) -> T:
        """See the port.

        If the caller is cancelled while the unit of work waits for the writer it is dropped; while it runs, it is
        finished and committed.
        """
        self.counters.writes += 1
        return await self._submit(self._writes, lambda conn: self._write(conn, work))

    async def read(self, work: Callable[[Tx], T]) -> T:
        """See the port."""
        self.counters.reads += 1
        return await self._submit(self._reads, lambda conn: self._unit(conn, work, may_write=False))

    async def close(self) -> None:
        """See the port."""
        if self._is_closed:
            return
        self._is_closed = True
        self._writes.put(None)
        for _ in self._readers:
            self._reads.put(None)
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for reader in self._readers:
            reader.join()
        self._writer.join()  # last, so that its connection, the last of this process, cleans up the log
        self._engine.dispose()

    async def _submit(self, calls: Calls, work: Callable[[sa.Connection], T]) -> T:
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")
        call = Call(work)
        calls.put(call)
        try:
            return await asyncio.wrap_future(call.future)
        except StoreUnavailableError:
            self.counters.failures += 1
            raise

    def _open(self) -> sa.Connection:
        try:
            return self._engine.connect()
        except exc.DBAPIError as error:
            raise translate_sqlite(error) from error

    def _open_reader(self) -> sa.Connection:
        conn = self._open()
        conn.exec_driver_sql("PRAGMA query_only=ON")
        conn.rollback()
        return conn

    def _write(self, conn: sa.Connection, work: Callable[[Tx], T]) -> T:
        started = self._clock.monotonic()
        try:
            return self._unit(conn, work, may_write=True)
        finally:
            self.counters.write_seconds += self._clock.monotonic() - started

    def _unit(self, conn: sa.Connection, work: Callable[[Tx], T], *, may_write: bool) -> T:
        try:
            with conn.begin():
                self._begin(conn, "BEGIN IMMEDIATE" if may_write else "BEGIN")
                tx = SqlTx(conn, self._clock, may_write=may_write, audit_key=self._options.audit_key)
                result = work(tx)
                tx.finish()
        except exc.DBAPIError as error:
            raise translate_sqlite(error) from error
        return result

    def _begin(self, conn: sa.Connection, statement: str) -> None:
        """Begin; other processes are waited for `busy_seconds` each time."""
        for _ in range(self._options.tries - 1):
            try:
                begin(conn, statement, self._options.busy_seconds)
            except exc.OperationalError as error:
                if not is_busy(error):
                    raise
                self.counters.retries += 1
            else:
                return
        begin(conn, statement, self._options.busy_seconds)
