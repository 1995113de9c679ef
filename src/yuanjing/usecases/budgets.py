"""Budgets of API keys: what a key has spent in its period, and what its leases hold."""

import datetime as dt
from dataclasses import dataclass, replace

from yuanjing.domain.days import ZONE
from yuanjing.domain.identity import ApiKey, BudgetPeriod
from yuanjing.ports.identity import KeyBudget
from yuanjing.ports.store import Tx


def period_start(period: BudgetPeriod, at: float) -> float:
    """When the period around `at` began, in Unix seconds: a day or a month of UTC+8; `total` began at 0."""
    if period is BudgetPeriod.TOTAL:
        return 0.0
    day = dt.datetime.fromtimestamp(at, ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day if period is BudgetPeriod.DAY else day.replace(day=1)).timestamp()


def rolled(budget: KeyBudget, period: BudgetPeriod, at: float) -> KeyBudget:
    """The budget in the period around `at`: a new period starts with nothing spent, and holds what is held.

    A clock that goes back does not bring an old period back.
    """
    start = period_start(period, at)
    return replace(budget, period_start=start, spent_nanos=0) if start > budget.period_start else budget


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedBudget:
    """A key's limit and where it stands, locked until the end of the unit of work."""

    key: ApiKey
    limit_nanos: int
    budget: KeyBudget

    @property
    def left_nanos(self) -> int:
        """What may still be leased; 0 also when late usage went above the limit."""
        return max(0, self.limit_nanos - self.budget.spent_nanos - self.budget.held_nanos)


def lock_budget(tx: Tx, key: ApiKey, at: float) -> LockedBudget | None:
    """The key's budget, rolled to the current period; None if the key has no budget."""
    limit = key.limits.budget_nanos
    if limit is None:
        return None
    budget = tx.keys.budget(key.id)
    assert budget is not None, key.id
    return LockedBudget(key=key, limit_nanos=limit, budget=rolled(budget, key.limits.budget_period, at))


def restarted(tx: Tx, key: ApiKey, at: float) -> KeyBudget:
    """The budget of a key whose limit was set, taken away, or given another period: it counts from now on.

    The caller has locked the budget. Leases that were placed under an earlier budget are held by this one too; nobody
    resolves them meanwhile, since that moves the budget.
    """
    if key.limits.budget_nanos is None:
        return KeyBudget(period_start=0.0, spent_nanos=0, held_nanos=0, counted_from=at)
    holds = tx.holds.open_of_customer(key.book, key.customer_id)
    return KeyBudget(
        period_start=period_start(key.limits.budget_period, at),
        spent_nanos=0,
        held_nanos=sum(hold.remaining_nanos for hold in holds if hold.key_id == key.id),
        counted_from=at,
    )


def move_budget(tx: Tx, key_id: str, at: float, *, held_nanos: int, spent_nanos: int) -> None:
    """Add to what the key's leases hold and to what it has spent, and write both.

    The budget is locked before the key is read: whoever changes the key's limit has it locked too.
    """
    kept = tx.keys.budget(key_id)
    key = tx.keys.get(key_id) if kept is not None else None
    if kept is None or key is None or key.limits.budget_nanos is None:
        return
    budget = rolled(kept, key.limits.budget_period, at)
    moved = replace(budget, held_nanos=budget.held_nanos + held_nanos, spent_nanos=budget.spent_nanos + spent_nanos)
    assert moved.held_nanos >= 0, (key_id, moved)
    tx.keys.save_budget(key_id, moved)
