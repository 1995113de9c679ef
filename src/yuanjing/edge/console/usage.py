"""`/api/usage…`: what a customer has used, and how each charge came about."""

import datetime as dt
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Query as FromQuery
from fastapi.responses import StreamingResponse
from pydantic import BeforeValidator, Field

from yuanjing.domain.catalog import Operation
from yuanjing.domain.days import number_of
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.money import Book
from yuanjing.edge.console.auth import AuthenticatedSession
from yuanjing.edge.console.cursors import CURSOR_LENGTH_MAX, cursor_of, position_of
from yuanjing.edge.console.errors import READ_CODES, InvalidFieldError
from yuanjing.edge.console.queries import PAGE_DEFAULT, PAGE_MAX, TIME_LENGTH_MAX, ApiQuery, read_time
from yuanjing.edge.console.usage_views import (
    CSV_COLUMNS,
    CURRENCY,
    UsageDaysView,
    UsageDetails,
    UsageList,
    to_csv_row,
    to_day_sum,
    to_details,
    to_view,
)
from yuanjing.edge.csvs import DOCS as CSV_DOCS
from yuanjing.edge.csvs import Format as ListFormat
from yuanjing.edge.csvs import Row as CsvRow
from yuanjing.edge.csvs import csv_answer, wants_csv
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.edge.receipts import RECEIPT_ANSWER, receipt_answer
from yuanjing.ports.usages import DaysFilter, UsageFilter, UsageGroup
from yuanjing.usecases.signin import SignedIn

_QUERY_CODES = (*READ_CODES, "invalid_parameter")
ID_LENGTH_MAX, NAME_LENGTH_MAX = 64, 200
_DAY_LENGTH_MAX = 10
_YEAR_MIN, _YEAR_MAX = 1971, 9998
_BOOK = "The real money (`live`, also the default) or the play money; of a key it is known."
router = APIRouter(prefix="/api", tags=["usage"])


def _groups(value: object) -> object:
    """Words with commas between, each once."""
    words = value.split(",") if isinstance(value, str) else []
    if not words or len(set(words)) != len(words) or not set(words) <= set(UsageGroup):
        raise ValueError("write day, key and model, or some of them, with commas between")
    return value


class DaysQuery(ApiQuery):
    """Which days, and what they are added up by."""

    from_: str = Field(alias="from", max_length=_DAY_LENGTH_MAX, description="The first day, of UTC+8: `2026-11-01`.")
    to: str = Field(max_length=_DAY_LENGTH_MAX, description="The last day.")
    group: Annotated[str, BeforeValidator(_groups)] = Field(
        default="day", description="What to tell apart: `day`, `key` and `model`, or some of them with commas between."
    )
    key: str | None = Field(default=None, max_length=ID_LENGTH_MAX, description="Only what this key has used.")
    model: str | None = Field(default=None, max_length=NAME_LENGTH_MAX, description="Only of this model.")
    book: Book | None = Field(default=None, description=_BOOK)


class UsageQuery(ApiQuery):
    """Which records."""

    key: str | None = Field(default=None, max_length=ID_LENGTH_MAX, description="Only of this key.")
    model: str | None = Field(default=None, max_length=NAME_LENGTH_MAX, description="Only of this model.")
    operation: Operation | None = Field(default=None, description="Only of this operation, such as `chat`.")
    book: Book | None = Field(default=None, description=_BOOK)
    from_: str | None = Field(
        default=None,
        alias="from",
        max_length=TIME_LENGTH_MAX,
        description="Charged at this time or later: RFC 3339, or a day of UTC+8.",
    )
    to: str | None = Field(
        default=None,
        max_length=TIME_LENGTH_MAX,
        description="Charged before this time: RFC 3339, or a day of UTC+8, which is included.",
    )
    cursor: str | None = Field(default=None, max_length=CURSOR_LENGTH_MAX, description="`next` of the page before.")
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MAX, description="How many at most.")
    format: ListFormat | None = Field(
        default=None,
        description="`csv` for a file with all of them; `Accept: text/csv` says the same.",
    )


@router.get(
    "/usage/days",
    responses=error_responses(Dialect.CONSOLE, *_QUERY_CODES, "missing_required_parameter", "not_found"),
)
async def list_usage_days(
    parts: Parts, signed_in: AuthenticatedSession, query: Annotated[DaysQuery, FromQuery()]
) -> UsageDaysView:
    """What was used by day, key and model, and what it comes to."""
    where = DaysFilter(
        customer_id=signed_in.customer.id,
        book=query.book or Book.LIVE,
        first=_day(query.from_, "from"),
        last=_day(query.to, "to"),
        key_id=query.key,
        model=query.model,
        by=frozenset(map(UsageGroup, query.group.split(","))),
    )
    found = await parts.usage.days(where, book=query.book)
    return UsageDaysView(
        object="list",
        book=found.book.value,
        currency=CURRENCY,
        data=[to_day_sum(one) for one in found.sums],
        total=to_day_sum(found.total),
    )


@router.get(
    "/usage",
    response_model=UsageList,
    responses=error_responses(Dialect.CONSOLE, *_QUERY_CODES, "not_found") | {200: {"content": CSV_DOCS}},
)
async def list_usage(
    request: Request, parts: Parts, signed_in: AuthenticatedSession, query: Annotated[UsageQuery, FromQuery()]
) -> UsageList | StreamingResponse:
    """The records of what was used, newest first."""
    where = UsageFilter(
        key_id=query.key,
        model=query.model,
        operation=None if query.operation is None else query.operation.value,
        book=query.book,
        posted_from=read_time(query.from_, "from"),
        posted_until=read_time(query.to, "to", is_end=True),
        before=position_of(query.cursor),
        limit=query.limit + 1,
    )
    if wants_csv(request, query.format):
        rows = _rows(parts, signed_in, replace(where, before=None))
        return await csv_answer(request, "usage", CSV_COLUMNS, rows)
    found = await parts.usage.list(signed_in.customer.id, where)
    shown = found[: query.limit]
    return UsageList(
        object="list",
        data=[to_view(one) for one in shown],
        next=cursor_of(shown[-1].posted_at, shown[-1].record.id) if len(found) > len(shown) else None,
    )


async def _rows(parts: EdgeParts, signed_in: SignedIn, where: UsageFilter) -> AsyncGenerator[Iterable[CsvRow]]:
    async for page in parts.usage.export(signed_in.customer.id, where):
        yield [to_csv_row(one) for one in page]


@router.get("/usage/{usage_id}", responses=error_responses(Dialect.CONSOLE, *READ_CODES, "not_found"))
async def get_usage(parts: Parts, signed_in: AuthenticatedSession, usage_id: str) -> UsageDetails:
    """One record, with all that is needed to compute its charge again."""
    return to_details(await parts.usage.show(signed_in.customer.id, usage_id))


@router.get(
    "/usage/{usage_id}/receipt",
    response_class=Response,
    responses={200: RECEIPT_ANSWER, **error_responses(Dialect.CONSOLE, *READ_CODES, "not_found")},
)
async def get_usage_receipt(parts: Parts, signed_in: AuthenticatedSession, usage_id: str) -> Response:
    """A signed receipt of it, as a file; `yuanjing receipt verify` and anybody's own program can check it."""
    return receipt_answer(await parts.receipts.of_usage(usage_id, customer_id=signed_in.customer.id))


def _day(text: str, param: str) -> int:
    """A calendar day.

    Raises:
        InvalidFieldError: it is none.
    """
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidFieldError(param, "write a day such as 2026-11-30") from None
    if not _YEAR_MIN <= found.year <= _YEAR_MAX:
        raise InvalidFieldError(param, f"a year from {_YEAR_MIN} to {_YEAR_MAX}")
    return number_of(found)
