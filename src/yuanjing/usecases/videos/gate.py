"""Who may bring files: placing a task decides, but files are fetched, opened and kept before that, at our cost."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from yuanjing.domain.errors import InsufficientFundsError
from yuanjing.domain.holds import HoldPurpose
from yuanjing.domain.identity import Caller
from yuanjing.domain.ledger import available
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.budgets import lock_budget
from yuanjing.usecases.videos.parts import TooManyTasksError, budget_error


class IntakeGate:
    """Lets a request's files in if its customer could pay for the task, and may have one more."""

    def __init__(self, store: Store, clock: Clock, tasks_max: int) -> None:
        self._store = store
        self._clock = clock
        self._tasks_max = tasks_max
        self._inside: Counter[str] = Counter()

    @asynccontextmanager
    async def passed(self, caller: Caller, least_nanos: int) -> AsyncGenerator[None]:
        """While files are taken in for a task that costs at least so much; it counts as a task of its customer.

        Raises:
            InsufficientFundsError, BudgetExceededError, TooManyTasksError: they would be taken in for nothing.
        """
        customer_id, at = caller.customer.id, self._clock.unix()
        under_way = await self._store.read(lambda tx: _look(tx, caller, least_nanos, at))
        if under_way + self._inside[customer_id] >= self._tasks_max:
            raise TooManyTasksError(self._tasks_max)
        self._inside[customer_id] += 1
        try:
            yield
        finally:
            self._inside[customer_id] -= 1
            if not self._inside[customer_id]:
                del self._inside[customer_id]


def _look(tx: Tx, caller: Caller, least_nanos: int, at: float) -> int:
    """How many of the customer's tasks are under way; what leases hold may come back, and counts as the customer's."""
    key = caller.key
    leases = [
        hold for hold in tx.holds.open_of_customer(key.book, key.customer_id) if hold.purpose is HoldPurpose.LEASE
    ]
    owned = tx.ledger.balances(key.book, key.customer_id).spendable_nanos
    if owned + sum(hold.remaining_nanos for hold in leases) < least_nanos:
        raise InsufficientFundsError(available(key.customer_id), least_nanos)
    budget = lock_budget(tx, key, at)
    own = sum(hold.remaining_nanos for hold in leases if hold.key_id == key.id)
    if budget is not None and budget.left_nanos + own < least_nanos:
        raise budget_error(budget, least_nanos)
    return tx.tasks.under_way([key.customer_id])[key.customer_id]
