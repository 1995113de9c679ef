"""Idempotency keys for gateways in tests: the platform's own rules over a store in memory.

Several gateways may share one `FakeClaims`; it is used from their threads in turn. What the worker does, `post` does
when the test says so.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from yuanjing.adapters.memory import MemoryStore
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.idempotency import Claim, Found
from yuanjing.domain.usage import UsageRecord
from yuanjing.ports.store import Tx
from yuanjing.usecases.idempotency import claim_chats, keep_answers, look_up, release_claims

T = TypeVar("T")


class FakeClaims:
    """See `gateway.claims.ClaimSource`; of a node that lives, whose spool is never finished."""

    def __init__(self) -> None:
        self.is_down = False
        self.calls = 0
        self.claimed = 0
        self.delay_seconds = 0.0
        self._store = MemoryStore()
        self._lock = threading.Lock()
        self.node = self.run(lambda tx: tx.nodes.register("n", "m", "gateway", 0.0))

    def run(self, work: Callable[[Tx], T]) -> T:
        """A unit of work, from any thread; the store in memory waits for nothing but its turn."""
        with self._lock:
            steps = self._store.write(work)
            while True:
                try:
                    steps.send(None)
                except StopIteration as end:
                    return end.value

    async def _within(self, work: Callable[[Tx], T]) -> T:
        self.calls += 1
        await asyncio.sleep(self.delay_seconds)
        if self.is_down:
            raise StoreUnavailableError("down")
        return self.run(work)

    async def claim(self, claims: Sequence[Claim]) -> Sequence[Found]:
        self.claimed += len(claims)
        owner = (self.node.id, self.node.incarnation)
        return await self._within(lambda tx: claim_chats(tx, claims, owner, 1.0))

    async def look(self, claims: Sequence[Claim]) -> Sequence[Found | None]:
        return await self._within(lambda tx: [look_up(tx, claim) for claim in claims])

    async def release(self, claims: Sequence[Claim]) -> None:
        await self._within(lambda tx: release_claims(tx, claims))

    def post(self, records: Sequence[UsageRecord]) -> None:
        """The worker posts these records."""
        self.run(lambda tx: keep_answers(tx, records, 2.0))
