"""Usage records in memory."""

from collections.abc import Iterator, Sequence

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.usage import PostedUsage
from yuanjing.ports.store import UsageFilter


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
        and (where.before is None or (usage.posted_at, record.id) < where.before)
    )
