"""Lists as CSV files (RFC 4180) that spreadsheets open: streamed page by page, and without formulas."""

import csv
import io
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Literal

from fastapi import Request
from fastapi.responses import StreamingResponse

from yuanjing.domain.days import ZONE
from yuanjing.edge.envelope import IS_HEAD
from yuanjing.edge.error_docs import Json

Format = Literal["json", "csv"]
Row = Sequence[str]
MEDIA_TYPE = "text/csv"
DOCS: Json = {"text/csv": {"schema": {"type": "string"}}}
"""What a route that also answers CSV says of its 200."""
_BYTE_ORDER_MARK = "\ufeff"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001  # Excel takes these too


def wants_csv(request: Request, format_: Format | None) -> bool:
    """Whether CSV is asked for: by `format`, or else by an `Accept` that names it and does not prefer JSON."""
    if format_ is not None:
        return format_ == "csv"
    weights = {"text/csv": 0.0, "application/json": 0.0}
    for part in request.headers.get("accept", "").lower().split(","):
        media_type, _, rest = part.partition(";")
        if media_type.strip() in weights:
            weights[media_type.strip()] = _weight(rest)
    return weights["text/csv"] > weights["application/json"]


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def text_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula; numbers of ours need none of this."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def time_cell(at: float) -> str:
    """A time of UTC+8, as spreadsheets read it."""
    return datetime.fromtimestamp(int(at), UTC).astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


async def csv_answer(
    request: Request, name: str, header: Row, pages: AsyncGenerator[Iterable[Row]]
) -> StreamingResponse:
    """The file; its first page is read before the answer begins, so that an error is still told as one.

    The next page is read when the one before has gone out: a slow client holds no more than that. A failure after the
    beginning breaks the answer off, which clients see.
    """
    first = await anext(pages, None) or ()  # CPython 3.11 cannot take a tuple as the default: it unpacks it
    headers = {"content-disposition": f'attachment; filename="{name}.csv"', "vary": "Accept"}
    is_head = bool(request.scope.get(IS_HEAD))
    body = _body(header, first, pages, is_head=is_head)
    return StreamingResponse(body, media_type=f"{MEDIA_TYPE}; charset=utf-8", headers=headers)


async def _body(
    header: Row, first: Iterable[Row], pages: AsyncGenerator[Iterable[Row]], *, is_head: bool
) -> AsyncGenerator[bytes]:
    async with aclosing(pages):
        if is_head:
            return
        yield (_BYTE_ORDER_MARK + _written([header, *first])).encode()
        async for page in pages:
            yield _written(page).encode()


def _written(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
