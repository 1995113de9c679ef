"""Months of customers' accounts in SQL; a part of the ledger."""

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from yuanjing.adapters.sql.bulk import by_dialect
from yuanjing.adapters.sql.month_tables import account_months
from yuanjing.adapters.sql.work import Work, dump, to_fields
from yuanjing.domain.ledger import Reason
from yuanjing.domain.money import Book
from yuanjing.domain.statements import AccountMonth
from yuanjing.ports.damage import Damaged, readable

_FIELDS = ("book", "account", "month", "reason", "entries", "amount_nanos", "first_version", "last_version")
_TEXTS = frozenset({"book", "account", "reason"})

# The accounts are locked, so nobody else opens a newer month of theirs meanwhile. `WHERE true` tells SQLite's parser
# that no join condition follows.
_ADD = """
INSERT INTO account_months (book, account, month, reason, entries, amount_nanos, first_version, last_version)
SELECT n.book, n.account,
  coalesce((SELECT max(m.month) FROM account_months AS m
            WHERE m.book = n.book AND m.account = n.account AND m.month > n.month), n.month),
  n.reason, n.entries, n.amount_nanos, n.first_version, n.last_version
FROM (SELECT {columns} FROM {rows}) AS n
WHERE true
ON CONFLICT (book, account, month, reason) DO UPDATE SET
  entries = account_months.entries + excluded.entries,
  amount_nanos = account_months.amount_nanos + excluded.amount_nanos,
  last_version = excluded.last_version
"""


def _columns(value: str, number: str) -> str:
    return ", ".join(
        (value if name in _TEXTS else number).format(index=index) + f" AS {name}" for index, name in enumerate(_FIELDS)
    )


_ADD_ALL = {
    "sqlite": sa.text(
        _ADD.format(columns=_columns("value ->> {index}", "value ->> {index}"), rows="json_each(:months)")
    ),
    "postgresql": sa.text(
        _ADD.format(
            columns=_columns("e ->> {index}", "CAST(e ->> {index} AS bigint)"),
            rows="json_array_elements(CAST(:months AS json)) AS e",
        )
    ),
}
_IN_ORDER = sa.select(account_months).order_by(*account_months.primary_key)
_OF_ACCOUNTS = by_dialect(
    lambda among: _IN_ORDER.where(
        account_months.c.book == sa.bindparam("ledger"),
        among(account_months.c.account),
        account_months.c.month <= sa.bindparam("last"),
    ),
    "accounts",
)


def add_months(work: Work, months: Sequence[AccountMonth]) -> None:
    """Add entries that were just posted to the months of their accounts, which are locked."""
    if months:
        packed = dump([[getattr(month, name) for name in _FIELDS] for month in months])
        work.do(_ADD_ALL[work.dialect], months=packed)


def read_months(work: Work, book: Book, accounts: Collection[str], last: int) -> list[AccountMonth]:
    """See `LedgerTable.months`."""
    if not accounts:
        return []
    rows = work.rows(_OF_ACCOUNTS[work.dialect], ledger=book.value, accounts=sorted(accounts), last=last)
    return [_from_row(row) for row in rows]


def scan_months(work: Work) -> Iterator[AccountMonth | Damaged]:
    """See `LedgerTable.scan_months`."""
    for row in work.stream(_IN_ORDER):
        yield readable(f"{row.book} {row.account} {row.month} {row.reason}", partial(_from_row, row))


def _from_row(row: sa.Row[Any]) -> AccountMonth:
    fields = to_fields(row)
    fields["book"], fields["reason"] = Book(row.book), Reason(row.reason)
    return AccountMonth(**fields)
