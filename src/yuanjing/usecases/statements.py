"""Monthly statements of a customer, each proved against the running balances of the ledger before anybody sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.ledger import accounts_of
from yuanjing.domain.money import Book
from yuanjing.domain.statements import (
    AccountMonth,
    AccountStatement,
    Statement,
    account_statement,
    is_final,
    month_of,
    month_text,
)
from yuanjing.kit.clock import Clock
from yuanjing.ports.damage import Damaged, DamagedError, readable, sound
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.pages import page_size

_MONTH_MAX = 2**31


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthTotal:
    """What a customer owned at the beginning and the end of a month in which something was posted."""

    month: int
    opening_nanos: int
    closing_nanos: int
    is_final: bool


async def read_statement(store: Store, clock: Clock, customer_id: str, book: Book, month: int) -> Statement:
    """The customer's accounts in one month; one without entries opens and closes alike.

    Raises:
        NotFoundError: the month has not begun.
        DamagedError: the months and the ledger's running balances do not agree.
    """
    now = clock.unix()

    def work(tx: Tx) -> Statement:
        rows = tx.ledger.months(book, accounts_of(customer_id), last=month)
        if month > month_of(now) and not any(row.month == month for row in rows):
            raise NotFoundError(f"the month {month_text(month)} has not begun", param="month")
        return Statement(
            book=book,
            month=month,
            is_final=is_final(month, now),
            accounts=[_proved(tx, book, account, month, rows) for account in accounts_of(customer_id)],
        )

    return await store.read(work)


async def list_statements(
    store: Store, clock: Clock, customer_id: str, book: Book, *, before: int | None = None, limit: int = 50
) -> Sequence[MonthTotal]:
    """The months in which something was posted, newest first, older than the month `before`.

    Raises:
        InvalidInputError: the page is too large.
    """
    last = _MONTH_MAX if before is None else before - 1
    rows = await store.read(lambda tx: tx.ledger.months(book, accounts_of(customer_id), last=last))
    now = clock.unix()
    totals: list[MonthTotal] = []
    owned = 0
    for month, its in groupby(sorted(rows, key=_month), key=_month):
        opening = owned
        owned += sum(row.amount_nanos for row in its)
        totals.append(
            MonthTotal(month=month, opening_nanos=opening, closing_nanos=owned, is_final=is_final(month, now))
        )
    return totals[::-1][: page_size(limit)]


def _month(row: AccountMonth) -> int:
    return row.month


def _proved(tx: Tx, book: Book, account: str, month: int, rows: Sequence[AccountMonth]) -> AccountStatement:
    """The account's statement, if its sums lead from one running balance of the ledger to the other."""
    name = f"{book} {account} {month_text(month)}"
    its = [row for row in rows if row.account == account]
    made = sound(readable(name, lambda: account_statement(book, account, month, its)))
    ends = ((made.first_version - 1, made.opening_nanos), (made.last_version, made.closing_nanos))
    for version, expected in ends:
        found = tx.ledger.entries(book, account, before_version=version + 1, limit=1) if version else []
        stood = (found[0].version, found[0].balance_after_nanos) if found else (0, 0)
        if stood != (version, expected):
            message = f"its entries make {expected} at {version}, the ledger stood at {stood[1]} at {stood[0]}"
            raise DamagedError(Damaged(id=name, message=message))
    return made
