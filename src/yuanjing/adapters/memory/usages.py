"""Usage records in memory."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.money import Book
from yuanjing.domain.usage import PostedUsage, UsageDay, by_day, day_of
from yuanjing.ports.usages import DaysFilter, KeySpending, UsageFilter, UsageGroup, UsageSum


class MemoryUsages:
    """See `yuanjing.ports.store.UsageTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._usages: dict[str, PostedUsage] = {}

    def add_new(self, usages: Sequence[PostedUsage]) -> set[str]:
        """See the port."""
        added: set[str] = set()
        for usage in usages:
            if usage.record.id not in self._usages:
                self._journal.put(self._usages, usage.record.id, usage)
                added.add(usage.record.id)
        return added

    def existing(self, usage_ids: Sequence[str]) -> set[str]:
        """See the port."""
        return {id_ for id_ in usage_ids if id_ in self._usages}

    def days(self, customer_id: str, book: Book, first: int, last: int) -> Sequence[UsageDay]:
        """See the port."""
        mine = [one for one in self.scan_days() if (one.customer_id, one.book) == (customer_id, book)]
        return [one for one in mine if first <= one.day <= last]

    def sum_days(self, where: DaysFilter) -> Sequence[UsageSum]:
        """See the port."""
        sums: defaultdict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for one in self.days(where.customer_id, where.book, where.first, where.last):
            if where.key_id in (None, one.key_id) and where.model in (None, one.model):
                place = (
                    one.day if UsageGroup.DAY in where.by else 0,
                    one.key_id if UsageGroup.KEY in where.by else "",
                    one.model if UsageGroup.MODEL in where.by else "",
                )
                counts = (one.requests, one.input_tokens, one.output_tokens, one.charge_nanos)
                sums[place] = [a + b for a, b in zip(sums[place], counts, strict=True)]
        return [
            UsageSum(
                day=day if UsageGroup.DAY in where.by else None,
                key_id=key_id if UsageGroup.KEY in where.by else None,
                model=model if UsageGroup.MODEL in where.by else None,
                requests=counts[0],
                input_tokens=counts[1],
                output_tokens=counts[2],
                charge_nanos=counts[3],
            )
            for (day, key_id, model), counts in sorted(sums.items())[: where.limit]
        ]

    def spent_by_keys(self, key_ids: Collection[str], *, since_day: int) -> Mapping[str, KeySpending]:
        """See the port."""
        found: dict[str, KeySpending] = {}
        for key_id in key_ids:
            its = [usage for usage in self._usages.values() if usage.record.key_id == key_id]
            if its:
                recent = [usage for usage in its if day_of(usage.posted_at) >= since_day]
                found[key_id] = KeySpending(
                    total_nanos=sum(usage.record.charge_nanos for usage in its),
                    recent_nanos=sum(usage.record.charge_nanos for usage in recent),
                    last_used_at=max(usage.posted_at for usage in its),
                )
        return found

    def scan_days(self) -> Iterator[UsageDay]:
        """See the port."""
        yield from by_day(self._usages.values())

    def get(self, usage_id: str) -> PostedUsage | None:
        """See the port."""
        return self._usages.get(usage_id)

    def list(self, where: UsageFilter) -> list[PostedUsage]:
        """See the port."""
        found = [usage for usage in self._usages.values() if _matches(usage, where)]
        found.sort(key=lambda usage: (usage.posted_at, usage.record.id), reverse=True)
        return found[: where.limit]

    def scan(self) -> Iterator[PostedUsage]:
        """See the port."""
        yield from sorted(self._usages.values(), key=lambda usage: (usage.posted_at, usage.record.id))


def _matches(usage: PostedUsage, where: UsageFilter) -> bool:
    record = usage.record
    return (
        where.customer_id in (None, record.customer_id)
        and where.key_id in (None, record.key_id)
        and where.book in (None, record.book)
        and where.model in (None, record.model)
        and where.operation in (None, record.operation)
        and (where.posted_from is None or usage.posted_at >= where.posted_from)
        and (where.posted_until is None or usage.posted_at < where.posted_until)
        and (where.before is None or (usage.posted_at, record.id) < where.before)
    )
