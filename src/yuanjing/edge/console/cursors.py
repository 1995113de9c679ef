"""Where a page of a list by time ended, as a text that the next call brings along."""

import re

from yuanjing.edge.console.errors import InvalidFieldError

CURSOR_LENGTH_MAX = 100
_CURSOR = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)-([A-Za-z0-9_-]{1,64})", re.ASCII)


def cursor_of(at: float, id_: str) -> str:
    """The time and the id of the page's last item."""
    return f"{at!r}-{id_}"


def position_of(cursor: str | None) -> tuple[float, str] | None:
    """The way back; None if there is none.

    Raises:
        InvalidFieldError: it is no cursor of ours.
    """
    if cursor is None:
        return None
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise InvalidFieldError("cursor", "give `next` of the page before")
    return float(match[1]), match[2]
