"""Months, and the arithmetic of statements."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain import ledger
from yuanjing.domain.ledger import Reason
from yuanjing.domain.money import Book
from yuanjing.domain.statements import (
    AccountMonth,
    AccountStatement,
    Line,
    Statement,
    account_statement,
    by_month,
    is_final,
    month_of,
    month_start,
    month_text,
    read_month,
)

ACCOUNT = ledger.available("cus_a")
NOVEMBER = read_month("2026-11")


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        ("2026-10-31T15:59:59.999999+00:00", "2026-10"),
        ("2026-10-31T16:00:00+00:00", "2026-11"),
        ("2026-11-30T23:59:59+08:00", "2026-11"),
        ("2026-12-31T16:00:00+00:00", "2027-01"),
        ("1970-01-01T00:00:00+00:00", "1970-01"),
    ],
)
def test_months_are_of_utc_plus_8(moment: str, month: str) -> None:
    assert month_text(month_of(at(moment))) == month


@given(st.integers(min_value=0, max_value=12 * 2000))
def test_a_month_is_read_as_it_is_written_and_begins_where_the_last_one_ends(month: int) -> None:
    assert read_month(month_text(month)) == month
    assert month_of(month_start(month)) == month
    assert month_of(month_start(month + 1) - 0.001) == month


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-00", "2026-13", "2026-1", "26-11", "1969-12", "2026-11 ", "\uff12\uff10\uff12\uff16-11"]
)
def test_what_is_no_month(text: str) -> None:
    with pytest.raises(ValueError, match="write a month"):
        read_month(text)


def test_a_month_is_final_some_minutes_after_its_end() -> None:
    end = at("2026-12-01T00:00:00+08:00")
    assert [is_final(NOVEMBER, end + seconds) for seconds in (-1, 0, 299, 300)] == [False, False, False, True]


_REASONS = st.sampled_from([Reason.TOPUP, Reason.HOLD, Reason.SETTLE, Reason.RELEASE])
_POSTINGS = st.lists(
    st.tuples(
        st.integers(min_value=NOVEMBER - 3, max_value=NOVEMBER + 1),
        st.lists(st.tuples(_REASONS, st.integers(-(10**12), 10**12).filter(bool)), min_size=1, max_size=6),
    ),
    max_size=12,
)


@given(_POSTINGS)
def test_opening_and_entries_make_closing_for_whatever_is_posted(
    postings: list[tuple[int, list[tuple[Reason, int]]]],
) -> None:
    """Against a plain list of entries with their running balance, as the ledger has it."""
    balance, version, newest = 0, 0, 0
    balances = {0: 0}
    months: dict[int, int] = {}
    rows: dict[tuple[int, Reason], AccountMonth] = {}
    for asked, lines in postings:
        newest = max(newest, asked)
        posted: list[Line] = []
        for reason, amount in lines:
            version, balance = version + 1, balance + amount
            balances[version], months[version] = balance, newest
            posted.append((Book.TEST, ACCOUNT, reason, amount, version))
        for row in by_month(posted, newest):
            known = rows.get((row.month, row.reason))
            rows[row.month, row.reason] = row if known is None else known.joined(row)
    for month in range(NOVEMBER - 4, NOVEMBER + 3):
        made = account_statement(Book.TEST, ACCOUNT, month, list(rows.values()))
        its = [number for number, month_ in months.items() if month_ == month]
        assert [*range(made.first_version, made.last_version + 1)] == its
        assert made.opening_nanos == balances[made.first_version - 1]
        assert made.closing_nanos == balances[made.last_version]


def test_only_accounts_of_customers_have_months() -> None:
    lines = [(Book.LIVE, account, Reason.GRANT, 5, 1) for account in (ledger.GRANTS, ACCOUNT, ledger.clearing("x"))]
    assert [one.account for one in by_month(lines, 1)] == [ACCOUNT]


def test_rows_that_leave_a_gap_make_no_statement() -> None:
    row = AccountMonth(
        book=Book.LIVE, account=ACCOUNT, month=5, reason=Reason.TOPUP,
        entries=2, amount_nanos=3, first_version=1, last_version=3,
    )  # fmt: skip
    with pytest.raises(AssertionError):
        account_statement(Book.LIVE, ACCOUNT, 5, [row])


def test_a_statement_adds_up_its_accounts() -> None:
    def moved(account: str, amount_nanos: int) -> AccountStatement:
        row = AccountMonth(
            book=Book.LIVE, account=account, month=NOVEMBER, reason=Reason.HOLD,
            amount_nanos=amount_nanos, entries=2, first_version=1, last_version=2,
        )  # fmt: skip
        return account_statement(Book.LIVE, account, NOVEMBER, [row])

    whole = Statement(
        book=Book.LIVE, month=NOVEMBER, is_final=True, accounts=[moved(ACCOUNT, 7), moved(ledger.held("cus_a"), 5)]
    )
    assert (whole.opening_nanos, whole.closing_nanos, whole.entries) == (0, 12, 4)
    assert [(line.reason, line.amount_nanos, line.entries) for line in whole.lines] == [(Reason.HOLD, 12, 4)]
