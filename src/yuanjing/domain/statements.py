"""Monthly statements: what an account began a month with, what moved, and what it ended with.

A month is one of UTC+8, counted from January 1970. Which month an entry belongs to is decided when it is posted, and an
account's months never go back: if a clock does, the entry still belongs to the account's newest month. So each month of
an account is an unbroken run of versions, and `opening + sum of the entries = closing` holds for every one, with both
ends equal to the running balances in the ledger.
"""

import datetime as dt
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from yuanjing.domain.days import date_of, day_of, number_of, start_of
from yuanjing.domain.ledger import Reason, customer_of
from yuanjing.domain.money import Book

_EPOCH_YEAR, _MONTHS = 1970, 12
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
FINAL_AFTER_SECONDS = 300.0
"""After its end, a month still waits so long for what is being posted, and for clocks that differ."""


def month_of(at: float) -> int:
    """The month of UTC+8 that this Unix time is in."""
    date = date_of(day_of(at))
    return (date.year - _EPOCH_YEAR) * _MONTHS + date.month - 1


def month_text(month: int) -> str:
    """A month as `2026-11`."""
    year, index = divmod(month, _MONTHS)
    return f"{year + _EPOCH_YEAR:04d}-{index + 1:02d}"


def read_month(text: str) -> int:
    """The way back of `month_text`.

    Raises:
        ValueError: it is no month from 1970 on.
    """
    found = _MONTH.fullmatch(text)
    if found is None or int(found[1]) < _EPOCH_YEAR:
        raise ValueError("write a month such as 2026-11")
    return (int(found[1]) - _EPOCH_YEAR) * _MONTHS + int(found[2]) - 1


def month_start(month: int) -> float:
    """When the month began, in Unix seconds."""
    year, index = divmod(month, _MONTHS)
    return start_of(number_of(dt.date(year + _EPOCH_YEAR, index + 1, 1)))


def is_final(month: int, at: float) -> bool:
    """Whether nothing comes to the month any more."""
    return at >= month_start(month + 1) + FINAL_AFTER_SECONDS


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountMonth:
    """The entries of one reason on a customer's account in one month, added up.

    Attributes:
        entries: how many.
        amount_nanos: what the account received by them, less what it gave.
        first_version, last_version: of the first and the last of them.
    """

    book: Book
    account: str
    month: int
    reason: Reason
    entries: int
    amount_nanos: int
    first_version: int
    last_version: int

    def joined(self, other: "AccountMonth") -> "AccountMonth":
        """With further entries of the same account, month and reason."""
        return replace(
            self,
            entries=self.entries + other.entries,
            amount_nanos=self.amount_nanos + other.amount_nanos,
            first_version=min(self.first_version, other.first_version),
            last_version=max(self.last_version, other.last_version),
        )


Line = tuple[Book, str, Reason, int, int]
"""Of an entry: book, account, reason, amount and version."""


def by_month(lines: Iterable[Line], month: int) -> list[AccountMonth]:
    """Entries of customers' accounts that are posted together, added up; the platform has no statements."""
    sums: dict[tuple[Book, str, Reason], AccountMonth] = {}
    for book, account, reason, amount, version in lines:
        if customer_of(account) is None:
            continue
        one = AccountMonth(
            book=book,
            account=account,
            month=month,
            reason=reason,
            entries=1,
            amount_nanos=amount,
            first_version=version,
            last_version=version,
        )
        known = sums.get((book, account, reason))
        sums[book, account, reason] = one if known is None else known.joined(one)
    return [sums[key] for key in sorted(sums)]


@dataclass(frozen=True, kw_only=True, slots=True)
class StatementLine:
    """What moved for one reason: how many entries, and what they come to."""

    reason: Reason
    entries: int
    amount_nanos: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountStatement:
    """One account in one month.

    Attributes:
        first_version, last_version: the month's entries; `first_version` is one more than `last_version` if there are
            none.
    """

    book: Book
    account: str
    opening_nanos: int
    closing_nanos: int
    lines: Sequence[StatementLine]
    first_version: int
    last_version: int

    def __post_init__(self) -> None:
        assert self.opening_nanos + sum(line.amount_nanos for line in self.lines) == self.closing_nanos, self
        assert sum(line.entries for line in self.lines) == self.last_version - self.first_version + 1, self


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """A customer's accounts in one book and month."""

    book: Book
    month: int
    is_final: bool
    accounts: Sequence[AccountStatement]

    @property
    def opening_nanos(self) -> int:
        """What was owned when the month began."""
        return sum(account.opening_nanos for account in self.accounts)

    @property
    def closing_nanos(self) -> int:
        """What was owned when it ended, or is owned so far."""
        return sum(account.closing_nanos for account in self.accounts)

    @property
    def entries(self) -> int:
        """How many entries it has, in all accounts."""
        return sum(account.last_version - account.first_version + 1 for account in self.accounts)

    @property
    def lines(self) -> Sequence[StatementLine]:
        """What moved for each reason, over all accounts; holds and releases move within them and come to nothing."""
        return added_up(line for account in self.accounts for line in account.lines)


def added_up(lines: Iterable[StatementLine]) -> list[StatementLine]:
    """One line for each reason, in the order of the reasons."""
    sums: dict[Reason, tuple[int, int]] = {}
    for line in lines:
        entries, amount = sums.get(line.reason, (0, 0))
        sums[line.reason] = (entries + line.entries, amount + line.amount_nanos)
    return [
        StatementLine(reason=reason, entries=sums[reason][0], amount_nanos=sums[reason][1])
        for reason in Reason
        if reason in sums
    ]


def account_statement(book: Book, account: str, month: int, rows: Collection[AccountMonth]) -> AccountStatement:
    """The account in this month, from its rows of this month and all earlier ones."""
    its = [row for row in rows if row.month == month]
    before = [row for row in rows if row.month < month]
    opening = sum(row.amount_nanos for row in before)
    version = max((row.last_version for row in before), default=0)
    return AccountStatement(
        book=book,
        account=account,
        opening_nanos=opening,
        closing_nanos=opening + sum(row.amount_nanos for row in its),
        lines=added_up(
            StatementLine(reason=row.reason, entries=row.entries, amount_nanos=row.amount_nanos) for row in its
        ),
        first_version=version + 1,
        last_version=max((row.last_version for row in its), default=version),
    )
