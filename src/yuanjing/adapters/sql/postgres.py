"""The store on PostgreSQL, through asyncpg."""

import asyncio
import random
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine

from yuanjing.adapters.sql.options import StoreOptions
from yuanjing.adapters.sql.postgres_engine import (
    FAILURES,
    create_postgres_engine,
    is_lost,
    may_repeat,
    translate_postgres,
)
from yuanjing.adapters.sql.tx import SqlTx
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import StoreCounters, Tx

T = TypeVar("T")

_BACKOFF_SECONDS = 0.005


class _Commit(Exception):  # noqa: N818  # it marks a place, it is not an error of its own
    """Wraps a failure of COMMIT itself, after which nobody knows whether it happened."""


class PostgresStore:
    """See `yuanjing.ports.store.Store`."""

    def __init__(self, url: sa.URL, options: StoreOptions, clock: Clock) -> None:
        self.counters = StoreCounters()
        self._options = options
        self._clock = clock
        self._engine = create_postgres_engine(url, options)
        # READ COMMITTED with row locks for what changes; one snapshot for what only reads.
        self._reading = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._is_closed = False

    async def write(self, work: Callable[[Tx], T]) -> T:
        """See the port."""
        self.counters.writes += 1
        started = self._clock.monotonic()
        try:
            return await self._repeat(self._engine, work, may_write=True)
        finally:
            self.counters.write_seconds += self._clock.monotonic() - started

    async def read(self, work: Callable[[Tx], T]) -> T:
        """See the port."""
        self.counters.reads += 1
        return await self._repeat(self._reading, work, may_write=False)

    async def close(self) -> None:
        """See the port."""
        self._is_closed = True
        await self._engine.dispose()

    async def _repeat(self, engine: AsyncEngine, work: Callable[[Tx], T], *, may_write: bool) -> T:
        """Run the unit of work, again if the database asks for it, a bounded number of times."""
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")
        for attempt in range(1, self._options.tries + 1):
            try:
                return await self._run(engine, work, may_write=may_write)
            except _Commit as error:
                self.counters.failures += 1
                raise StoreUnavailableError("the database was lost during a commit") from error.__cause__
            except FAILURES as error:
                if not may_repeat(error) or attempt == self._options.tries:
                    translated = translate_postgres(error)
                    self.counters.failures += isinstance(translated, StoreUnavailableError)
                    raise translated from error
            self.counters.retries += 1
            await asyncio.sleep(_BACKOFF_SECONDS * attempt * (1 + random.random()))  # noqa: S311  # no secret
        raise AssertionError  # the last attempt returned or raised

    async def _run(self, engine: AsyncEngine, work: Callable[[Tx], T], *, may_write: bool) -> T:
        def unit(conn: sa.Connection) -> T:
            tx = SqlTx(conn, self._clock, may_write=may_write, audit_key=self._options.audit_key)
            result = work(tx)
            tx.finish()
            return result

        async with engine.connect() as conn:
            result = await conn.run_sync(unit)
            try:
                await conn.commit()
            except exc.DBAPIError as error:
                if is_lost(error):
                    raise _Commit from error
                raise
            return result
