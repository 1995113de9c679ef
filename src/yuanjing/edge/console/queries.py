"""What may follow the question mark of a path under `/api`."""

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

from yuanjing.domain.days import number_of, start_of
from yuanjing.domain.money import Book
from yuanjing.edge.console.errors import InvalidFieldError

PAGE_DEFAULT, PAGE_MAX = 50, 200
TIME_LENGTH_MAX = 40
_DATE_LENGTH = len("2026-11-30")
_YEAR_MIN, _YEAR_MAX = 1970, 9998


class ApiQuery(BaseModel):
    """The base of all queries: no parameter more than those of the class."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BookQuery(ApiQuery):
    """Which book is meant."""

    book: Book = Field(default=Book.LIVE, description="`live` for real money, `test` for play money.")


def read_time(text: str | None, param: str, *, is_end: bool = False) -> float | None:
    """A time as a query has it, in Unix seconds: RFC 3339, or a day of UTC+8, whose end is meant with `is_end`.

    Raises:
        InvalidFieldError: it is neither.
    """
    if text is None:
        return None
    found = _day(text) if len(text) <= _DATE_LENGTH else _moment(text)
    if found is None:
        raise InvalidFieldError(param, "write 2026-11-30, or 2026-11-30T08:00:00Z")
    if not _YEAR_MIN <= found.year <= _YEAR_MAX:
        raise InvalidFieldError(param, f"a year from {_YEAR_MIN} to {_YEAR_MAX}")
    if isinstance(found, dt.datetime):
        return found.timestamp()
    return start_of(number_of(found) + (1 if is_end else 0))


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _moment(text: str) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(text.replace(" ", "+"))  # what a plus becomes that was not escaped
    except ValueError:
        return None
    return None if found.tzinfo is None else found
