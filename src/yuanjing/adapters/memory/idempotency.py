"""Idempotency keys in memory."""

from collections.abc import Sequence
from dataclasses import replace

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.idempotency import FinishedRequest, IdempotentRequest


class MemoryIdempotency:
    """See `yuanjing.ports.idempotency.IdempotencyTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[tuple[str, bytes], IdempotentRequest] = {}

    def add_new(self, rows: Sequence[IdempotentRequest]) -> set[str]:
        """See the port."""
        added: set[str] = set()
        for row in rows:
            if (row.key_id, row.digest) not in self._rows:
                self._put(row)
                added.add(row.usage_id)
        return added

    def get(self, key_id: str, digest: bytes) -> IdempotentRequest | None:
        """See the port."""
        return self._rows.get((key_id, digest))

    def lock(self, key_id: str, digest: bytes) -> IdempotentRequest | None:
        """See the port."""
        return self.get(key_id, digest)

    def hand_over(self, row: IdempotentRequest) -> None:
        """See the port."""
        old = self._rows.get((row.key_id, row.digest))
        if old is not None:
            owner = {"node_id": row.node_id, "incarnation": row.incarnation}
            self._put(replace(old, usage_id=row.usage_id, changed_at=row.changed_at, **owner))

    def finish(self, results: Sequence[FinishedRequest], at: float) -> None:
        """See the port."""
        for one in results:
            row = self._running(one.key_id, one.digest, one.usage_id)
            if row is not None:
                self._put(replace(row, is_done=True, answer=one.answer, clamped_to=one.clamped_to, changed_at=at))

    def release(self, key_id: str, digest: bytes, usage_id: str) -> bool:
        """See the port."""
        row = self._running(key_id, digest, usage_id)
        if row is not None:
            self._journal.remove(self._rows, (key_id, digest))
        return row is not None

    def prune(self, before: float, limit: int) -> int:
        """See the port."""
        old = sorted((row.changed_at, place) for place, row in self._rows.items() if row.changed_at < before)[:limit]
        for _, place in old:
            self._journal.remove(self._rows, place)
        return len(old)

    def _put(self, row: IdempotentRequest) -> None:
        self._journal.put(self._rows, (row.key_id, row.digest), row)

    def _running(self, key_id: str, digest: bytes, usage_id: str) -> IdempotentRequest | None:
        row = self.get(key_id, digest)
        return row if row is not None and row.usage_id == usage_id and not row.is_done else None
