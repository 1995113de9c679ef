"""What verification finds."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from yuanjing.ports.damage import Damaged

T = TypeVar("T")
_KEPT_MAX = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """One thing that is not as it must be.

    Attributes:
        check: the name of the check, such as `accounts`.
        subject: the id of what is wrong.
        message: a sentence with the figures.
    """

    check: str
    subject: str
    message: str


@dataclass(kw_only=True, slots=True)
class Findings:
    """Collects counts and breaches; of each check only the first hundred are kept."""

    checked: Counter[str] = field(default_factory=Counter[str])
    breaches: list[Breach] = field(default_factory=list[Breach])
    total: int = 0
    _kept: Counter[str] = field(default_factory=Counter[str])

    def count(self, check: str) -> None:
        """One more subject was looked at."""
        self.checked[check] += 1

    def sound(self, check: str, rows: Iterable[T | Damaged]) -> Iterator[T]:
        """The rows that can be read; each of the others is a breach."""
        for row in rows:
            if isinstance(row, Damaged):
                self.count(check)
                self.add(check, row.id, f"it cannot be read: {row.message}")
            else:
                yield row

    def add(self, check: str, subject: str, message: str) -> None:
        """A breach."""
        self.total += 1
        self._kept[check] += 1
        if self._kept[check] <= _KEPT_MAX:
            self.breaches.append(Breach(check=check, subject=subject, message=message))


def only_sound(rows: Iterable[T | Damaged]) -> Iterator[T]:
    """The rows that can be read, where another check tells of the others."""
    return (row for row in rows if not isinstance(row, Damaged))
