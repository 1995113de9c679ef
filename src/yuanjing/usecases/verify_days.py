"""Check of usage by day: it is what the records of usage come to, and nothing else is in it.

Both are streamed. The records come by time, so that few days, keys and models are open at once; sums are handed on to
a `Tally` before there are too many of them. A second pass, over what the tally suspects, says what differs.
"""

import secrets
from collections.abc import Iterator
from operator import add

from yuanjing.domain.days import date_of
from yuanjing.domain.usage import PostedUsage, UsageDay, by_day
from yuanjing.ports.store import Tx
from yuanjing.usecases.breaches import Findings, only_sound
from yuanjing.usecases.tally import Tally

_CHECK = "usage days"
_PENDING_MAX = 2_000
_NAMES = ("requests", "input_tokens", "output_tokens", "charge_nanos")


class DayCheck:
    """Is shown every record, then compares."""

    def __init__(self) -> None:
        self._tally = Tally(counts=False)
        self._weights = [secrets.randbits(100) for _ in _NAMES]
        self._pending: list[PostedUsage] = []

    def add(self, usage: PostedUsage) -> None:
        """A record."""
        self._pending.append(usage)
        if len(self._pending) >= _PENDING_MAX:
            self._flush()

    def finish(self, tx: Tx, findings: Findings) -> None:
        """Compare with the days, and say what differs."""
        self._flush()
        for day in findings.sound(_CHECK, tx.usages.scan_days()):
            findings.count(_CHECK)
            self._tally.add(_key(day), self._weighted(day), sign=-1)
        if not self._tally.is_even:
            self._explain(tx, findings)

    def _flush(self) -> None:
        for day in by_day(self._pending):
            self._tally.add(_key(day), self._weighted(day))
        self._pending.clear()

    def _weighted(self, day: UsageDay) -> int:
        """One number of all four, under multiples that no data can be made for."""
        return sum(weight * count for weight, count in zip(self._weights, _counts(day), strict=True))

    def _explain(self, tx: Tx, findings: Findings) -> None:
        expected: dict[str, tuple[int, ...]] = {}
        for usage in only_sound(tx.usages.scan()):
            for day in by_day([usage]):
                self._sum_up(expected, day)
        actual: dict[str, tuple[int, ...]] = {}
        for day in only_sound(tx.usages.scan_days()):
            self._sum_up(actual, day)
        for key in sorted(expected.keys() | actual.keys()):
            if expected.get(key) != actual.get(key):
                message = f"it says {_words(actual.get(key))}, its records make {_words(expected.get(key))}"
                findings.add(_CHECK, key, message)

    def _sum_up(self, sums: dict[str, tuple[int, ...]], day: UsageDay) -> None:
        key = _key(day)
        if self._tally.is_suspect(key):
            sums[key] = tuple(map(add, sums.get(key, (0,) * len(_NAMES)), _counts(day)))


def _key(day: UsageDay) -> str:
    return f"{date_of(day.day)}|{day.book}|{day.customer_id}|{day.key_id}|{day.model}"


def _counts(day: UsageDay) -> Iterator[int]:
    return (getattr(day, name) for name in _NAMES)


def _words(counts: tuple[int, ...] | None) -> str:
    if counts is None:
        return "nothing"
    return ", ".join(f"{count} {name}" for name, count in zip(_NAMES, counts, strict=True))
