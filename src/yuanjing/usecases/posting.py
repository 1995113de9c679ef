"""Posting: spooled usage becomes usage records and settle transfers, exactly once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from yuanjing.domain.errors import NotFoundError, StoreUnavailableError
from yuanjing.domain.usage import UsageRecord, UsageStatus
from yuanjing.kit.clock import Clock
from yuanjing.ports.spool import SpooledUsage, SpoolReader
from yuanjing.ports.store import SpoolPosition, Store, Tx
from yuanjing.usecases.charges import Batch, post_records
from yuanjing.usecases.movements import Late, Movements, write_contended


@dataclass(frozen=True, kw_only=True, slots=True)
class SpoolEnd:
    """What a spool without a living writer still has to be posted: all there will ever be.

    Attributes:
        posted_seq: up to where it was posted when this was read.
        rows: the finished rows above that.
        watermarks: the last that is known of requests in flight when the writer ended.
    """

    node_id: str
    incarnation: int
    posted_seq: int
    rows: Sequence[SpooledUsage]
    watermarks: Sequence[UsageRecord]


class UsagePoster:
    """Posts spools in batches of at most `batch_rows`.

    Any number of posters may work on one spool: each batch moves the spool's position from where it was read, so only
    one of them succeeds. The position is remembered, so that an empty spool costs no look into the store.
    """

    def __init__(self, store: Store, clock: Clock, *, batch_rows: int) -> None:
        self._store = store
        self._clock = clock
        self.batch_rows = batch_rows
        self._positions: dict[tuple[str, int], int] = {}
        self._late = Late()

    def take_late(self) -> Late:
        """What this poster has settled late since this was asked last."""
        late, self._late = self._late, Late()
        return late

    def note_late(self, late: Late) -> None:
        """Somebody has posted the end of a spool for this poster, see `nodes.take_over`: so much of it came late."""
        self._late += late

    def posted_seq(self, reader: SpoolReader) -> int:
        """Up to where this poster knows the spool to be posted; 0 before it has looked."""
        return self._positions.get((reader.node_id, reader.incarnation), 0)

    async def post(self, reader: SpoolReader) -> int:
        """Post the next batch; how many rows were posted in this pass, 0 also if another poster was faster.

        Raises:
            NotFoundError: no such life of the node was ever registered in this store.
            SpoolError: the spool cannot be read.
        """
        seq = await self._position(reader)
        rows = reader.after(seq, self.batch_rows)
        if not rows:
            return 0
        node_id, incarnation = reader.node_id, reader.incarnation

        def work(tx: Tx) -> Late | None:
            tx.nodes.lock(node_id)
            return post_rows(tx, node_id, incarnation, seq, rows, self._clock.unix())

        try:
            late = await write_contended(self._store, work)
        except StoreUnavailableError:
            self.forget(reader)  # the commit may have happened
            raise
        if late is None:
            self.forget(reader)
            return 0
        self._late += late
        self._positions[node_id, incarnation] = rows[-1].seq
        return len(rows)

    async def drain(self, reader: SpoolReader) -> int:
        """Post batch after batch until one is not full; how many rows."""
        total = 0
        while True:
            posted = await self.post(reader)
            total += posted
            if posted < self.batch_rows:
                return total

    async def read_end(self, reader: SpoolReader) -> SpoolEnd:
        """Post what is more than one batch, and read all that is left of a spool whose writer is gone."""
        while True:
            await self.drain(reader)
            seq = await self._position(reader)
            rows = reader.after(seq, self.batch_rows + 1)
            if len(rows) <= self.batch_rows and len(rows) == reader.depth(seq):
                return SpoolEnd(
                    node_id=reader.node_id,
                    incarnation=reader.incarnation,
                    posted_seq=seq,
                    rows=rows,
                    watermarks=reader.watermarks(),
                )

    async def finish(self, reader: SpoolReader) -> bool:
        """Post the rest of a spool whose writer is gone and whose life was closed; True when the file may be removed.

        False while the writer lives, or while that life still has to be taken over: take-over posts the end itself, in
        one transaction with the return of the leases.
        """
        if reader.is_owned():
            return False
        end = await self.read_end(reader)

        def work(tx: Tx) -> Late | None:
            node = tx.nodes.lock(end.node_id)
            if node is not None and node.is_alive and node.incarnation == end.incarnation:
                return None
            position = tx.nodes.position(end.node_id, end.incarnation)
            if position is not None and position.is_finished and not end.rows:
                return Late()
            return post_end(tx, end, self._clock.unix())

        late = await write_contended(self._store, work)
        self.forget(reader)
        self._late += late or Late()
        return late is not None

    def forget(self, reader: SpoolReader) -> None:
        """Read the position afresh next time."""
        self._positions.pop((reader.node_id, reader.incarnation), None)

    async def _position(self, reader: SpoolReader) -> int:
        node_id, incarnation = reader.node_id, reader.incarnation
        known = self._positions.get((node_id, incarnation))
        if known is not None:
            return known

        def work(tx: Tx) -> SpoolPosition | None:
            return tx.nodes.position(node_id, incarnation)

        position = await self._store.write(work)
        if position is None:
            raise NotFoundError(f"node {node_id} has no incarnation {incarnation} in this store")
        self._positions[node_id, incarnation] = position.posted_seq
        return position.posted_seq


def post_rows(  # a batch is named by where it comes from
    tx: Tx, node_id: str, incarnation: int, expected_seq: int, rows: Sequence[SpooledUsage], at: float
) -> Late | None:
    """Post rows and move the spool's position over them; None, with nothing done, if it is not where it was read.

    Returned is what of it came late.

    The caller has locked the node's row, so that posting and take-over do not overlap.
    """
    first, last = rows[0].seq, rows[-1].seq
    if not tx.nodes.advance(node_id, incarnation, expected_seq=expected_seq, posted_seq=last):
        return None
    cause = f"{node_id}:{incarnation}:{first}-{last}"
    moves = Movements(tx, at)
    post_records(tx, moves, Batch(records=[row.record for row in rows], owner=(node_id, incarnation), cause=cause))
    moves.apply()
    return moves.late


def post_end(tx: Tx, end: SpoolEnd, at: float, *, is_release: bool = False) -> Late | None:
    """Post all that is left of a spool and mark it as finished; None, with nothing done, if its position has moved.

    A request that was in flight is charged its last watermark, as an estimate. With `is_release` the rest of the
    owner's leases goes back after that.
    """
    owner = (end.node_id, end.incarnation)
    last = end.rows[-1].seq if end.rows else end.posted_seq
    if not tx.nodes.advance(*owner, expected_seq=end.posted_seq, posted_seq=last):
        return None
    interrupted = [replace(record, status=UsageStatus.INTERRUPTED, is_estimated=True) for record in end.watermarks]
    cause = f"{end.node_id}:{end.incarnation}:{end.posted_seq + 1}-end"
    batch = Batch(records=[*(row.record for row in end.rows), *interrupted], owner=owner, cause=cause)
    late = close_leases(tx, batch, at, is_release=is_release)
    tx.nodes.finish(end.node_id, end.incarnation)
    return late


def close_leases(tx: Tx, batch: Batch, at: float, *, is_release: bool = True) -> Late:
    """Post a batch and return the rest of its owner's leases, all in one go; the caller has locked the node.

    Returned is what of it came late.
    """
    leases = [hold.id for hold in tx.holds.open_of_owner(*batch.owner)] if is_release else []
    moves = Movements(tx, at)
    holds = post_records(tx, moves, batch, and_lock=leases)
    for hold_id in leases:
        if holds[hold_id].closed_at is None:
            moves.resolve(holds[hold_id])
    moves.apply()
    return moves.late
