"""Spools in memory; `kill` does to a writer what the end of its process does to a file's lock."""

from collections.abc import Sequence

from yuanjing.domain.errors import SpoolError, SpoolFullError
from yuanjing.domain.usage import UsageRecord
from yuanjing.ports.spool import SpooledUsage


class MemorySpool:
    """One spool: both sides of it, see `yuanjing.ports.spool`."""

    def __init__(self, folder: "MemorySpoolFolder", node_id: str, incarnation: int, rows_max: int) -> None:
        self.node_id = node_id
        self.incarnation = incarnation
        self._folder = folder
        self._rows_max = rows_max
        self._rows: dict[int, UsageRecord] = {}
        self._watermarks: dict[str, UsageRecord] = {}
        self._last_seq = 0
        self._forgotten_seq = 0
        self._is_owned = True

    def is_owned(self) -> bool:
        """See `SpoolReader.is_owned`."""
        return self._is_owned

    def after(self, seq: int, limit: int) -> list[SpooledUsage]:
        """See `SpoolReader.after`."""
        seqs = sorted(number for number in self._rows if number > seq)[:limit]
        return [SpooledUsage(seq=number, record=self._rows[number]) for number in seqs]

    def depth(self, seq: int) -> int:
        """See `SpoolReader.depth`."""
        return sum(number > seq for number in self._rows)

    def last_seq(self) -> int:
        """See `SpoolReader.last_seq`."""
        return max(self._rows, default=0)

    def watermarks(self) -> list[UsageRecord]:
        """See `SpoolReader.watermarks`."""
        return [self._watermarks[usage_id] for usage_id in sorted(self._watermarks)]

    def close(self) -> None:
        """See `SpoolReader.close`."""

    def remove(self) -> None:
        """See `SpoolReader.remove`."""
        assert not self._is_owned, f"the spool of {self.node_id} is in use"
        self._folder.drop(self)

    def append(self, records: Sequence[UsageRecord], watermarks: Sequence[UsageRecord]) -> int:
        """See `SpoolWriter.append`."""
        if not self._is_owned:
            raise SpoolError(f"the spool of {self.node_id} is closed")
        if self._last_seq + len(records) - self._forgotten_seq > self._rows_max:
            raise SpoolFullError(f"the spool of {self.node_id} is at its limit")
        for record in records:
            self._last_seq += 1
            self._rows[self._last_seq] = record
            self._watermarks.pop(record.id, None)
        ended = {record.id for record in records}
        self._watermarks.update({record.id: record for record in watermarks if record.id not in ended})
        return self._last_seq

    def forget(self, posted_seq: int) -> None:
        """See `SpoolWriter.forget`."""
        self._forgotten_seq = min(max(self._forgotten_seq, posted_seq), self._last_seq)
        self._rows = {seq: record for seq, record in self._rows.items() if seq > self._forgotten_seq}

    @property
    def unposted(self) -> int:
        """How many rows are written and not known to be posted."""
        return self._last_seq - self._forgotten_seq

    @property
    def room(self) -> int:
        """See `SpoolWriter.room`."""
        return self._rows_max - self.unposted if self._is_owned else 0

    @property
    def size_bytes(self) -> int:
        """See `SpoolWriter.size_bytes`; counted as one kilobyte a row."""
        return 1024 * len(self._rows)

    def kill(self) -> None:
        """End the writer, as closing it or the death of its process does."""
        self._is_owned = False


class MemorySpoolWriter:
    """See `yuanjing.ports.spool.SpoolWriter`."""

    def __init__(self, spool: MemorySpool) -> None:
        self._spool = spool
        self.append = spool.append
        self.forget = spool.forget
        self.close = spool.kill

    @property
    def depth(self) -> int:
        """See the port."""
        return self._spool.unposted

    @property
    def room(self) -> int:
        """See the port."""
        return self._spool.room

    def is_disk_well(self) -> bool:
        """See the port."""
        return True

    @property
    def size_bytes(self) -> int:
        """See the port."""
        return self._spool.size_bytes


class MemorySpoolFolder:
    """See `yuanjing.ports.spool.SpoolFolder`."""

    def __init__(self, *, rows_max: int = 1_000_000) -> None:
        self._rows_max = rows_max
        self._spools: dict[tuple[str, int], MemorySpool] = {}

    def create(self, node_id: str, incarnation: int) -> MemorySpoolWriter:
        """See the port."""
        key = (node_id, incarnation)
        if key in self._spools:
            raise SpoolError(f"the spool of {node_id} {incarnation} exists already")
        self._spools[key] = MemorySpool(self, node_id, incarnation, self._rows_max)
        return MemorySpoolWriter(self._spools[key])

    def readers(self) -> list[MemorySpool]:
        """See the port."""
        return [self._spools[key] for key in sorted(self._spools)]

    def drop(self, spool: MemorySpool) -> None:
        """Forget a spool that was removed."""
        self._spools.pop((spool.node_id, spool.incarnation), None)
