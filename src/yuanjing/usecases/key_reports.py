"""A customer's keys with what they have spent and when they were last used."""

from collections.abc import Sequence
from dataclasses import dataclass

from yuanjing.domain.days import day_of
from yuanjing.domain.identity import ApiKey
from yuanjing.domain.money import Book
from yuanjing.domain.statements import month_of, month_start
from yuanjing.kit.clock import Clock
from yuanjing.ports.identity import KeyBudget
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.usages import KeySpending
from yuanjing.usecases.budgets import rolled
from yuanjing.usecases.keys import own_key
from yuanjing.usecases.pages import page_size


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyReport:
    """A key, what it has cost in all and in this month of UTC+8, and where its budget stands if it has one."""

    key: ApiKey
    spending: KeySpending
    budget: KeyBudget | None


async def list_key_reports(
    store: Store, clock: Clock, customer_id: str, *, book: Book | None = None, after: str | None = None, limit: int = 50
) -> Sequence[KeyReport]:
    """A customer's keys, of one book if it is given, in the order of their ids, revoked and expired ones too.

    Raises:
        InvalidInputError: the page is too large.
    """
    size = page_size(limit)
    return await store.read(
        lambda tx: _reports(tx, clock.unix(), tx.keys.list(customer_id, after=after, limit=size, book=book))
    )


async def read_key_report(store: Store, clock: Clock, customer_id: str, key_id: str) -> KeyReport:
    """One key of the customer.

    Raises:
        NotFoundError: the customer has no such key.
    """
    return await store.read(lambda tx: _reports(tx, clock.unix(), [own_key(tx, customer_id, key_id)])[0])


def _reports(tx: Tx, now: float, keys: Sequence[ApiKey]) -> Sequence[KeyReport]:
    ids = [key.id for key in keys]
    spent = tx.usages.spent_by_keys(ids, since_day=day_of(month_start(month_of(now))))
    budgets = tx.keys.budgets([key.id for key in keys if key.limits.budget_nanos is not None])
    return [
        KeyReport(
            key=key,
            spending=spent.get(key.id, KeySpending()),
            budget=rolled(budgets[key.id], key.limits.budget_period, now) if key.id in budgets else None,
        )
        for key in keys
    ]
