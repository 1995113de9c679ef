"""Rows that cannot be what they say: somebody, or a broken disk, has changed them behind the program's back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from yuanjing.domain.errors import YuanjingError

T = TypeVar("T")

_DAMAGE = (AssertionError, ValueError, TypeError, LookupError)
"""What reading such a row raises; a database that fails raises none of these."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Damaged:
    """Stands for a row that cannot be read.

    Attributes:
        id: the row's id as far as it has one.
        message: what is wrong with it.
    """

    id: str
    message: str


class DamagedError(YuanjingError):
    """A row that was asked for cannot be read."""

    def __init__(self, damaged: Damaged) -> None:
        super().__init__(f"{damaged.id} is damaged: {damaged.message}; run: yuanjing verify")


def readable(row_id: str, read: Callable[[], T]) -> T | Damaged:
    """What `read` makes of a row, or its damage."""
    try:
        return read()
    except _DAMAGE as error:
        text = " ".join(str(error).split())
        return Damaged(id=row_id, message=f"{type(error).__name__}: {text[:200]}")


def sound(row: T | Damaged) -> T:
    """The row.

    Raises:
        DamagedError: there is only its damage.
    """
    if isinstance(row, Damaged):
        raise DamagedError(row)
    return row
