"""`/api/entries`: everything that has moved a customer's money."""

from collections.abc import AsyncGenerator, Iterable
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.ledger import Entry, Reason, account_kind, cause_of
from yuanjing.domain.money import Book, format_amount
from yuanjing.edge import csvs
from yuanjing.edge.console.auth import AuthenticatedSession
from yuanjing.edge.console.bodies import api_time
from yuanjing.edge.console.errors import READ_CODES
from yuanjing.edge.console.queries import PAGE_DEFAULT, PAGE_MAX, TIME_LENGTH_MAX, BookQuery, read_time
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.usecases.customers import VERSION_MAX, AccountKind
from yuanjing.usecases.entries import EntryFilter, list_entries, stream_entries

CSV_COLUMNS = ("time (UTC+8)", "book", "account", "number", "reason", "amount (CNY)", "balance (CNY)", "reference")
router = APIRouter(prefix="/api", tags=["account"])


class EntriesQuery(BookQuery):
    """Which entries are wanted."""

    account: AccountKind = Field(default=AccountKind.AVAILABLE, description="Which of the customer's accounts.")
    reason: Reason | None = Field(default=None, description="Only entries of this reason.")
    from_: str | None = Field(
        default=None,
        alias="from",
        max_length=TIME_LENGTH_MAX,
        description="Posted at this time or later: RFC 3339, or a day of UTC+8.",
    )
    to: str | None = Field(
        default=None,
        max_length=TIME_LENGTH_MAX,
        description="Posted before this time: RFC 3339, or a day of UTC+8, which is included.",
    )
    before: int | None = Field(default=None, ge=1, le=VERSION_MAX, description="`next` of the page before.")
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MAX)
    format: csvs.Format | None = Field(
        default=None, description="`csv` for a file with all of them; `Accept: text/csv` says the same."
    )

    def to_filter(self) -> EntryFilter:
        """The same for the use case.

        Raises:
            InvalidFieldError: a time cannot be read.
        """
        return EntryFilter(
            book=self.book,
            kind=self.account,
            reason=self.reason,
            posted_from=read_time(self.from_, "from"),
            posted_until=read_time(self.to, "to", is_end=True),
        )


class EntryView(BaseModel):
    """One side of a movement of money; amounts are decimal strings of CNY."""

    number: int = Field(description="Counts the account's entries from 1, without a gap.")
    at: str
    book: Book
    account: AccountKind
    reason: Reason
    amount: str = Field(description="What the account received; negative if it gave.")
    balance_before: str
    balance_after: str
    reference: str = Field(
        description="What it was for: a hold, an order's number, a refund; empty if nothing has one."
    )


class EntryList(BaseModel):
    """A page of entries, newest first."""

    object: Literal["list"]
    data: list[EntryView]
    next: str | None = Field(description="As `before` it brings the next page; null on the last one.")


@router.get(
    "/entries",
    response_model=EntryList,
    responses=error_responses(Dialect.CONSOLE, *READ_CODES, "invalid_parameter") | {200: {"content": csvs.DOCS}},
)
async def list_ledger_entries(
    request: Request, parts: Parts, signed_in: AuthenticatedSession, query: Annotated[EntriesQuery, Query()]
) -> EntryList | StreamingResponse:
    """What has moved one of the customer's accounts. A page looks at 1000 entries; it may be short and not the last."""
    customer_id, where = signed_in.customer.id, query.to_filter()
    if csvs.wants_csv(request, query.format):
        pages = _rows(parts, customer_id, where)
        return await csvs.csv_answer(request, f"entries-{query.book}-{query.account}", CSV_COLUMNS, pages)
    page = await list_entries(parts.store, customer_id, where, before_version=query.before, limit=query.limit)
    following = None if page.next_version is None else str(page.next_version)
    return EntryList(object="list", data=[_view(one) for one in page.entries], next=following)


async def _rows(parts: EdgeParts, customer_id: str, where: EntryFilter) -> AsyncGenerator[Iterable[csvs.Row]]:
    async for entries in stream_entries(parts.store, customer_id, where, rows_max=parts.account.export_rows_max):
        yield [to_csv_row(entry) for entry in entries]


def to_csv_row(entry: Entry) -> csvs.Row:
    """An entry under `CSV_COLUMNS`."""
    return (
        csvs.time_cell(entry.created_at),
        entry.book.value,
        account_kind(entry.account),
        str(entry.version),
        entry.reason.value,
        format_amount(entry.amount_nanos),
        format_amount(entry.balance_after_nanos),
        csvs.text_cell(cause_of(entry)),
    )


def _view(entry: Entry) -> EntryView:
    return EntryView(
        number=entry.version,
        at=api_time(entry.created_at),
        book=entry.book,
        account=AccountKind(account_kind(entry.account)),
        reason=entry.reason,
        amount=format_amount(entry.amount_nanos),
        balance_before=format_amount(entry.balance_before_nanos),
        balance_after=format_amount(entry.balance_after_nanos),
        reference=cause_of(entry),
    )
