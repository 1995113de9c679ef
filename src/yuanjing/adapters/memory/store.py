"""The store in memory, and its units of work."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from yuanjing.adapters.memory.accounts import MemoryChallenges, MemoryFactors, MemorySessions
from yuanjing.adapters.memory.alerts import MemoryAlerts
from yuanjing.adapters.memory.artifacts import MemoryArtifacts
from yuanjing.adapters.memory.audit import MemoryAudit
from yuanjing.adapters.memory.catalog import MemoryCatalog
from yuanjing.adapters.memory.holds import MemoryHolds
from yuanjing.adapters.memory.idempotency import MemoryIdempotency
from yuanjing.adapters.memory.identity import MemoryCustomers, MemoryKeys
from yuanjing.adapters.memory.journal import Journal
from yuanjing.adapters.memory.ledger import MemoryLedger
from yuanjing.adapters.memory.nodes import MemoryNodes
from yuanjing.adapters.memory.promotions import MemoryPromotions, MemoryRedeemCodes
from yuanjing.adapters.memory.receipts import MemoryReceiptKeys
from yuanjing.adapters.memory.signals import MemorySignals
from yuanjing.adapters.memory.tasks import MemoryTasks
from yuanjing.adapters.memory.topups import MemoryTopUps
from yuanjing.adapters.memory.usages import MemoryUsages
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.kit.clock import Clock, SystemClock
from yuanjing.ports.store import StoreCounters, Tx

T = TypeVar("T")


class MemoryTx:
    """All tables; one object for the life of the store, since units of work never overlap."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.ledger = MemoryLedger(journal, clock)
        self.holds = MemoryHolds(journal)
        self.nodes = MemoryNodes(journal)
        self.usages = MemoryUsages(journal)
        self.customers = MemoryCustomers(journal)
        self.keys = MemoryKeys(journal, self.customers)
        self.catalog = MemoryCatalog(journal)
        self.signals = MemorySignals(journal)
        self.tasks = MemoryTasks(journal, clock)
        self.artifacts = MemoryArtifacts(journal)
        self.challenges = MemoryChallenges(journal)
        self.sessions = MemorySessions(journal)
        self.factors = MemoryFactors(journal)
        self.topups = MemoryTopUps(journal)
        self.alerts = MemoryAlerts(journal)
        self.receipt_keys = MemoryReceiptKeys(journal)
        self.promotions = MemoryPromotions(journal)
        self.redeem_codes = MemoryRedeemCodes(journal)
        self.audit = MemoryAudit(journal)
        self.idempotency = MemoryIdempotency(journal)


class MemoryStore:
    """A store for one event loop of one process; nothing outlives it.

    A unit of work is never interrupted, so what it reads is a snapshot by itself.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self.counters = StoreCounters()
        self._journal = Journal()
        self._tx = MemoryTx(self._journal, clock or SystemClock())
        self._is_closed = False

    async def write(self, work: Callable[[Tx], T]) -> T:
        """See `yuanjing.ports.store.Store.write`."""
        self.counters.writes += 1
        return await self._run(work, may_write=True)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """See `yuanjing.ports.store.Store.read`."""
        self.counters.reads += 1
        return await self._run(work, may_write=False)

    async def close(self) -> None:
        """See `yuanjing.ports.store.Store.close`."""
        self._is_closed = True

    async def _run(self, work: Callable[[Tx], T], *, may_write: bool) -> T:
        await asyncio.sleep(0)  # a database gives other tasks a turn here; a test should see that too
        if self._is_closed:
            self.counters.failures += 1
            raise StoreUnavailableError("the store is closed")
        self._journal.begin(may_write=may_write)
        try:
            result = work(self._tx)
        except BaseException:
            self._journal.rollback()
            raise
        self._journal.commit()
        return result
