"""The requests for which clients' idempotency keys stand."""

from collections.abc import Sequence
from typing import Protocol

from yuanjing.domain.idempotency import FinishedRequest, IdempotentRequest


class IdempotencyTable(Protocol):
    """Rows by API key and digest of the client's key. Who changes several goes in the order of these."""

    def add_new(self, rows: Sequence[IdempotentRequest]) -> set[str]:
        """Insert those whose keys are free, of two with one key the first; the usage ids of those that were inserted.

        If another unit of work is just inserting one of them, this waits for its end.
        """
        ...

    def get(self, key_id: str, digest: bytes) -> IdempotentRequest | None:
        """One row."""
        ...

    def lock(self, key_id: str, digest: bytes) -> IdempotentRequest | None:
        """One row, locked."""
        ...

    def hand_over(self, row: IdempotentRequest) -> None:
        """Another request is the first now: write its usage id, owner and time into the row, which is locked."""
        ...

    def finish(self, results: Sequence[FinishedRequest], at: float) -> None:
        """The requests' results are known; nothing happens to a row that is not this request's, or is done already."""
        ...

    def release(self, key_id: str, digest: bytes, usage_id: str) -> bool:
        """Remove the row, so that the key is free; False if it is not this request's, or is done."""
        ...

    def prune(self, before: float, limit: int) -> int:
        """Remove at most so many rows that were changed before this time, the oldest first; how many."""
        ...
