"""The rows of usage: what was asked for, and what it cost; written once."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from yuanjing.domain.money import Book
from yuanjing.domain.usage import PostedUsage, UsageDay
from yuanjing.ports.damage import Damaged


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageFilter:
    """Which usage records to list; None means any.

    Attributes:
        operation: the name of an `Operation`.
        posted_from, posted_until: posted at this Unix time or later, and before that one.
        before: the (posted_at, id) of the last record seen; older ones follow.
    """

    customer_id: str | None = None
    key_id: str | None = None
    book: Book | None = None
    model: str | None = None
    operation: str | None = None
    posted_from: float | None = None
    posted_until: float | None = None
    before: tuple[float, str] | None = None
    limit: int = 50


class UsageGroup(StrEnum):
    """What usage is added up by."""

    DAY = "day"
    KEY = "key"
    MODEL = "model"


@dataclass(frozen=True, kw_only=True, slots=True)
class DaysFilter:
    """Which days of usage to add up, and by what; None means any.

    Attributes:
        first, last: days of UTC+8 since 1970-01-01, both of them included.
        limit: how many sums at most.
    """

    customer_id: str
    book: Book
    first: int
    last: int
    key_id: str | None = None
    model: str | None = None
    by: frozenset[UsageGroup] = frozenset()
    limit: int = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageSum:
    """What several days, keys and models come to; None where they were added up."""

    day: int | None
    key_id: str | None
    model: str | None
    requests: int
    input_tokens: int
    output_tokens: int
    charge_nanos: int


@dataclass(frozen=True, kw_only=True, slots=True)
class KeySpending:
    """What a key has cost, all of it and since some day, and when it was last used.

    Attributes:
        last_used_at: when its last use was posted, in Unix seconds; None if it was never used.
    """

    total_nanos: int = 0
    recent_nanos: int = 0
    last_used_at: float | None = None


class UsageTable(Protocol):
    """Usage records; written once. `get` and `list` raise `DamagedError` for a row that cannot be read."""

    def add_new(self, usages: Sequence[PostedUsage]) -> set[str]:
        """Insert those whose id is new, add them to their days, and return their ids; others are left as they are."""
        ...

    def days(self, customer_id: str, book: Book, first: int, last: int) -> Sequence[UsageDay]:
        """What the customer used on the days `first` to `last`, by day, key and model."""
        ...

    def sum_days(self, where: DaysFilter) -> Sequence[UsageSum]:
        """The same added up, in the order of day, key and model; nothing if there was no usage."""
        ...

    def spent_by_keys(self, key_ids: Collection[str], *, since_day: int) -> Mapping[str, KeySpending]:
        """What each of these keys has cost, all of it and from that day on; one that was never used is missing."""
        ...

    def scan_days(self) -> Iterator[UsageDay | Damaged]:
        """Every day of every customer, in the order of `by_day`, streamed; for `verify`."""
        ...

    def existing(self, usage_ids: Sequence[str]) -> set[str]:
        """Which of these ids are posted already."""
        ...

    def get(self, usage_id: str) -> PostedUsage | None:
        """One record."""
        ...

    def list(self, where: UsageFilter) -> list[PostedUsage]:
        """Records, newest first."""
        ...

    def scan(self) -> Iterator[PostedUsage | Damaged]:
        """Every record, streamed; for `verify`."""
        ...
