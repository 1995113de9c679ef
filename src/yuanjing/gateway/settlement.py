"""From a finished answer to a durable record: the bill, the purse, and the spool once per event-loop turn."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from yuanjing.domain.errors import SpoolError
from yuanjing.domain.pricing import ChatPrice, charge_nanos
from yuanjing.domain.usage import ChatUsage, UsageRecord, split_charge
from yuanjing.gateway.counters import Counters
from yuanjing.ports.spool import SpoolWriter


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """A charge split at the ceiling: what the customer pays, and what the platform loses above it."""

    charge_nanos: int
    overrun_nanos: int


def amounts(price: ChatPrice, usage: ChatUsage, ceiling_nanos: int) -> Amounts:
    """The charge of the usage, never above the ceiling; the rest is overrun."""
    charged, overrun = split_charge(charge_nanos(price, usage), ceiling_nanos)
    return Amounts(charge_nanos=charged, overrun_nanos=overrun)


class Settled(Protocol):
    """Who waits for a record to be durable."""

    def on_durable(self) -> None:
        """The record is written: the answer may end."""
        ...

    def on_not_durable(self) -> None:
        """It could not be written: the answer must not look complete."""
        ...


class Spooler:
    """Gathers the records of one event-loop turn and writes them in one transaction."""

    def __init__(self, spool: SpoolWriter, counters: Counters, *, on_failure: Callable[[SpoolError], None]) -> None:
        self._spool = spool
        self._counters = counters
        self._on_failure = on_failure
        self._records: list[UsageRecord] = []
        self._waiting: list[Settled] = []
        self._watermarks: list[UsageRecord] = []
        self._is_scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, record: UsageRecord, settled: Settled) -> None:
        """Make a finished record durable at the end of this turn, then tell."""
        self._records.append(record)
        self._waiting.append(settled)
        self._schedule()

    def add_watermark(self, record: UsageRecord) -> None:
        """Note how far a running stream has come; charged only if the process dies."""
        self._watermarks.append(record)
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what has gathered, now."""
        self._is_scheduled = False
        records, waiting, watermarks = self._records, self._waiting, self._watermarks
        if not records and not watermarks:
            return
        self._records, self._waiting, self._watermarks = [], [], []
        self._counters.spool_flushes += 1
        try:
            self._spool.append(records, watermarks)
        except SpoolError as error:
            self._counters.spool_failures += 1
            self._on_failure(error)
            for settled in waiting:
                settled.on_not_durable()
            return
        for settled in waiting:
            settled.on_durable()

    def forget(self, posted_seq: int) -> None:
        """The ledger has posted every row up to this one."""
        self._spool.forget(posted_seq)

    @property
    def depth(self) -> int:
        """Rows that are not known to be posted."""
        return self._spool.depth

    def close(self) -> None:
        """Flush and let go of the file."""
        self.flush()
        self._spool.close()
