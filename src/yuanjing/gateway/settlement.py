"""From a finished answer to a durable record: the charge, and the spool once per event-loop turn."""

import asyncio
from typing import Protocol

from yuanjing.domain.errors import SpoolError, SpoolFullError
from yuanjing.domain.usage import UsageRecord
from yuanjing.gateway.counters import Counters
from yuanjing.ports.spool import SpoolWriter


class Settled(Protocol):
    """Who waits for a record to be durable."""

    def on_durable(self) -> None:
        """The record is written: the answer may end."""
        ...

    def on_not_durable(self, *, is_refused: bool) -> None:
        """The answer must not look complete: the record was refused, or it is not known what the disk has kept."""
        ...


class SpoolWatcher(Protocol):
    """Who is told when the spool does not do its work; each call must return."""

    def spool_failed(self, error: Exception) -> None:
        """A write failed: a `SpoolError` that is no `SpoolFullError` means that none will succeed any more."""
        ...

    def settled_failed(self, settled: Settled, error: Exception) -> None:
        """Telling it raised."""
        ...


class Spooler:
    """Gathers the records of one event-loop turn and writes them in one transaction."""

    def __init__(self, spool: SpoolWriter, counters: Counters, watcher: SpoolWatcher) -> None:
        self._spool = spool
        self._counters = counters
        self._watcher = watcher
        self._records: list[UsageRecord] = []
        self._waiting: list[Settled] = []
        self._watermarks: list[UsageRecord] = []
        self._is_scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, record: UsageRecord, settled: Settled) -> None:
        """Make a finished record durable at the end of this turn, then tell."""
        self._records.append(record)
        self._waiting.append(settled)
        if not self._is_scheduled:
            self._schedule()

    def add_watermark(self, record: UsageRecord) -> None:
        """Note how far a running stream has come; charged only if the process dies."""
        self._watermarks.append(record)
        if not self._is_scheduled:
            self._schedule()

    def _schedule(self) -> None:
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
        self._write(records, waiting, watermarks)

    def _write(self, records: list[UsageRecord], waiting: list[Settled], watermarks: list[UsageRecord]) -> None:
        self._counters.spool_flushes += 1
        try:
            self._spool.append(records, watermarks)
        except Exception as error:  # noqa: BLE001  # whatever it is, nothing may wait for ever; the watcher logs it
            if not isinstance(error, SpoolError) and len(records) + len(watermarks) > 1:
                self._write_each(records, waiting, watermarks)  # one that cannot be written must not take others along
            else:
                self._failed(error, waiting)
            return
        for settled in waiting:
            try:
                settled.on_durable()
            except Exception as error:  # noqa: BLE001  # the others must be told; the watcher logs it
                self._watcher.settled_failed(settled, error)

    def _write_each(self, records: list[UsageRecord], waiting: list[Settled], watermarks: list[UsageRecord]) -> None:
        for record, settled in zip(records, waiting, strict=True):
            self._write([record], [settled], [])
        for watermark in watermarks:
            self._write([], [], [watermark])

    def _failed(self, error: Exception, waiting: list[Settled]) -> None:
        """Nothing was written, unless the disk itself failed: then nobody knows."""
        self._counters.spool_failures += 1
        is_refused = isinstance(error, SpoolFullError) or not isinstance(error, SpoolError)
        self._watcher.spool_failed(error)
        for settled in waiting:
            try:
                settled.on_not_durable(is_refused=is_refused)
            except Exception as second:  # noqa: BLE001  # the others must be told; the watcher logs it
                self._watcher.settled_failed(settled, second)

    def forget(self, posted_seq: int) -> None:
        """The ledger has posted every row up to this one."""
        try:
            self._spool.forget(posted_seq)
        except SpoolError as error:
            self._watcher.spool_failed(error)

    @property
    def depth(self) -> int:
        """Rows that are not known to be posted."""
        return self._spool.depth

    def close(self) -> None:
        """Flush and let go of the file."""
        self.flush()
        self._spool.close()
