"""`/api/statements`: a customer's months, with what they began with, what moved, and what they ended with."""

from collections.abc import AsyncGenerator, Iterable
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.ledger import Reason, account_kind
from yuanjing.domain.money import Book, format_amount
from yuanjing.domain.statements import (
    AccountStatement,
    Statement,
    StatementLine,
    month_start,
    month_text,
    read_month,
)
from yuanjing.edge import csvs
from yuanjing.edge.console.auth import AuthenticatedSession
from yuanjing.edge.console.bodies import api_time
from yuanjing.edge.console.entries import CSV_COLUMNS, to_csv_row
from yuanjing.edge.console.errors import READ_CODES, InvalidFieldError
from yuanjing.edge.console.queries import PAGE_DEFAULT, PAGE_MAX, BookQuery
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import Parts
from yuanjing.ports.store import Store
from yuanjing.usecases.customers import AccountKind
from yuanjing.usecases.entries import stream_span
from yuanjing.usecases.statements import MonthTotal, list_statements, read_statement

_MONTH_LENGTH = len("2026-11")
_LIST_COLUMNS = ("month", "book", "opening (CNY)", "closing (CNY)", "final")
_FORMAT = "`csv` for a file; `Accept: text/csv` says the same."
router = APIRouter(prefix="/api", tags=["account"])


class StatementsQuery(BookQuery):
    """Which months are wanted."""

    before: str | None = Field(default=None, max_length=_MONTH_LENGTH, description="`next` of the page before.")
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MAX)
    format: csvs.Format | None = Field(default=None, description=_FORMAT)


class StatementQuery(BookQuery):
    """In which form the month is wanted."""

    format: csvs.Format | None = Field(default=None, description=_FORMAT)


class MonthView(BaseModel):
    """A month in which something was posted; amounts are decimal strings of CNY."""

    month: str
    book: Book
    opening: str = Field(description="What was owned when it began, in all accounts of the book.")
    closing: str = Field(description="What was owned when it ended, or is owned so far.")
    is_final: bool = Field(description="Whether nothing comes to it any more.")


class MonthList(BaseModel):
    """A page of months, newest first."""

    object: Literal["list"]
    data: list[MonthView]
    next: str | None = Field(description="As `before` it brings the next page; null on the last one.")


class SumView(BaseModel):
    """What moved for one reason."""

    reason: Reason
    entries: int
    amount: str = Field(description="What the account received, less what it gave.")


class AccountStatementView(BaseModel):
    """One account in the month: `opening` and the `sums` make `closing`."""

    account: AccountKind
    opening: str
    closing: str
    entries: int
    sums: list[SumView]


class StatementView(BaseModel):
    """A month of one book; `opening` and the `sums` make `closing`, in all and in each account."""

    object: Literal["statement"]
    month: str
    book: Book
    begins_at: str = Field(description="Months are those of UTC+8.")
    ends_at: str
    is_final: bool = Field(description="Whether nothing comes to it any more.")
    as_of: str
    opening: str = Field(description="What was owned when it began, in all accounts of the book.")
    closing: str = Field(description="What was owned when it ended, or is owned so far.")
    sums: list[SumView] = Field(description="Over all accounts; what moves between them comes to nothing.")
    accounts: list[AccountStatementView]


@router.get(
    "/statements",
    response_model=MonthList,
    responses=error_responses(Dialect.CONSOLE, *READ_CODES, "invalid_parameter") | {200: {"content": csvs.DOCS}},
)
async def list_months(
    request: Request, parts: Parts, signed_in: AuthenticatedSession, query: Annotated[StatementsQuery, Query()]
) -> MonthList | StreamingResponse:
    """The months in which something was posted."""
    before = None if query.before is None else _read_month(query.before, "before")
    found = await list_statements(
        parts.store, parts.clock, signed_in.customer.id, query.book, before=before, limit=query.limit
    )
    if csvs.wants_csv(request, query.format):
        return await csvs.csv_answer(
            request,
            f"statements-{query.book}",
            _LIST_COLUMNS,
            _one_page([_month_row(query.book, one) for one in found]),
        )
    following = month_text(found[-1].month) if len(found) == query.limit else None
    return MonthList(object="list", data=[_month_view(query.book, one) for one in found], next=following)


@router.get(
    "/statements/{month}",
    response_model=StatementView,
    responses=error_responses(Dialect.CONSOLE, *READ_CODES, "invalid_parameter", "not_found")
    | {200: {"content": csvs.DOCS}},
)
async def get_statement(
    request: Request,
    parts: Parts,
    signed_in: AuthenticatedSession,
    month: str,
    query: Annotated[StatementQuery, Query()],
) -> StatementView | StreamingResponse:
    """One month, such as `2026-11`. As a file it has each account's opening, all of its entries, and its closing."""
    as_of = parts.clock.unix()
    made = await read_statement(
        parts.store, parts.clock, signed_in.customer.id, query.book, _read_month(month, "month")
    )
    if csvs.wants_csv(request, query.format):
        if made.entries > parts.account.export_rows_max:
            raise InvalidFieldError(
                "format", f"a file has {parts.account.export_rows_max} entries at most; take /api/entries in parts"
            )
        name = f"statement-{query.book}-{month_text(made.month)}"
        return await csvs.csv_answer(request, name, CSV_COLUMNS, _rows(parts.store, made, as_of))
    return _view(made, as_of)


def _read_month(text: str, param: str) -> int:
    try:
        return read_month(text)
    except ValueError as error:
        raise InvalidFieldError(param, str(error)) from error


async def _one_page(rows: Iterable[csvs.Row]) -> AsyncGenerator[Iterable[csvs.Row]]:
    yield rows


async def _rows(store: Store, made: Statement, as_of: float) -> AsyncGenerator[Iterable[csvs.Row]]:
    """The accounts one after the other; what is posted meanwhile is not in it."""
    for account in made.accounts:
        yield [_end_row(account, "opening", month_start(made.month), account.opening_nanos)]
        async for entries in stream_span(
            store, account.book, account.account, account.first_version, account.last_version
        ):
            yield [to_csv_row(entry) for entry in entries]
        end = min(as_of, month_start(made.month + 1))
        yield [_end_row(account, "closing", end, account.closing_nanos)]


def _end_row(account: AccountStatement, word: str, at: float, nanos: int) -> csvs.Row:
    kind = account_kind(account.account)
    return (csvs.time_cell(at), account.book.value, kind, "", word, "", format_amount(nanos), "")


def _month_row(book: Book, total: MonthTotal) -> csvs.Row:
    return (
        month_text(total.month),
        book.value,
        format_amount(total.opening_nanos),
        format_amount(total.closing_nanos),
        "yes" if total.is_final else "no",
    )


def _month_view(book: Book, total: MonthTotal) -> MonthView:
    return MonthView(
        month=month_text(total.month),
        book=book,
        opening=format_amount(total.opening_nanos),
        closing=format_amount(total.closing_nanos),
        is_final=total.is_final,
    )


def _view(made: Statement, as_of: float) -> StatementView:
    return StatementView(
        object="statement",
        month=month_text(made.month),
        book=made.book,
        begins_at=api_time(month_start(made.month)),
        ends_at=api_time(month_start(made.month + 1)),
        is_final=made.is_final,
        as_of=api_time(as_of),
        opening=format_amount(made.opening_nanos),
        closing=format_amount(made.closing_nanos),
        sums=[_sum_view(line) for line in made.lines],
        accounts=[
            AccountStatementView(
                account=AccountKind(account_kind(account.account)),
                opening=format_amount(account.opening_nanos),
                closing=format_amount(account.closing_nanos),
                entries=account.last_version - account.first_version + 1,
                sums=[_sum_view(line) for line in account.lines],
            )
            for account in made.accounts
        ],
    )


def _sum_view(line: StatementLine) -> SumView:
    return SumView(reason=line.reason, entries=line.entries, amount=format_amount(line.amount_nanos))
