"""The spool: the durable file of one process in which finished usage waits until the ledger has posted it.

The gateway process writes; the worker of the machine reads. The file is on a disk that outlives the process. A spool
belongs to one life of a node (its incarnation) and is never written again by a later one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from yuanjing.domain.usage import UsageRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class SpooledUsage:
    """One row: `seq` starts at 1 or above and rises by at least one from row to row; no number is used twice."""

    seq: int
    record: UsageRecord


class SpoolWriter(Protocol):
    """The owner's side; called on its event loop, so each call must be short."""

    def append(self, records: Sequence[UsageRecord], watermarks: Sequence[UsageRecord]) -> int:
        """Make finished records durable, and the newest watermark of running streams; all in one transaction.

        A finished record removes the watermark of the same id. Returns the last `seq`.

        Raises:
            SpoolFullError: the spool is at its limit; nothing was written. It accepts again when rows were forgotten.
            SpoolError: the disk is full or broken; nobody knows what it has kept. The process must stop acknowledging,
                as this spool never accepts again.
            Exception: a record cannot be encoded; nothing was written.
        """
        ...

    def forget(self, posted_seq: int) -> None:
        """The ledger has posted every row up to this one: it may be removed, at a time of the writer's choosing.

        Raises:
            SpoolError: as for `append`.
        """
        ...

    @property
    def room(self) -> int:
        """How many more rows it takes; 0 if it is at its limit or broken. Asked for each request, before its work."""
        ...

    def is_disk_well(self) -> bool:
        """Whether files can be written where the spool is: asked of a broken one, before a new one is begun.

        It waits for the disk, so it is not for the event loop.
        """
        ...

    @property
    def depth(self) -> int:
        """How many rows are written and not known to be posted."""
        ...

    @property
    def size_bytes(self) -> int:
        """The size of the file, with what belongs to it."""
        ...

    def close(self) -> None:
        """Flush and let go of the file; `is_owned` of its reader is False from then on."""
        ...


class SpoolReader(Protocol):
    """The worker's side, of one file.

    Errors common to the calls that read: `SpoolError` if the file cannot be read.
    """

    @property
    def node_id(self) -> str:
        """Whose spool it is."""
        ...

    @property
    def incarnation(self) -> int:
        """Which life of the node."""
        ...

    def is_owned(self) -> bool:
        """Whether the writing process still lives (it holds a lock on the file).

        Once False it stays False: nothing is written any more, and what is read afterwards is complete.
        """
        ...

    def after(self, seq: int, limit: int) -> list[SpooledUsage]:
        """The next finished rows above `seq`, in order; none if none is left, below `limit` where they are large."""
        ...

    def depth(self, seq: int) -> int:
        """How many finished rows there are above `seq`."""
        ...

    def last_seq(self) -> int:
        """The number of the last finished row, 0 if there is none; cheap however many there are."""
        ...

    def watermarks(self) -> list[UsageRecord]:
        """What is known of streams that have not finished; meaningful only when the writer is gone."""
        ...

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        ...

    def remove(self) -> None:
        """Delete the file; only after everything in it is posted and the writer is gone."""
        ...


class SpoolFolder(Protocol):
    """All spools of one machine."""

    def create(self, node_id: str, incarnation: int) -> SpoolWriter:
        """Start the spool of a new life, locked by this process.

        Raises:
            SpoolError: the file exists, cannot be locked or cannot be written.
        """
        ...

    def readers(self) -> Sequence[SpoolReader]:
        """A reader for each spool file by node and incarnation, the same object each time for the same file."""
        ...
