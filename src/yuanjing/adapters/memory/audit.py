"""The audit log in memory."""

from collections.abc import Iterator

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.audit import (
    Action,
    AuditEvent,
    AuditHead,
    AuditRow,
    extended,
    first_heads,
    is_sealed,
    shortened,
    stream_of,
)
from yuanjing.ports.audit import AuditFilter
from yuanjing.ports.damage import Damaged

_KEY = b""
"""Nobody but this process can reach it."""


class MemoryAudit:
    """See `yuanjing.ports.audit.AuditTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[tuple[int, int], AuditRow] = {}
        self._heads: dict[int, AuditHead] = {}

    def append(self, event: AuditEvent) -> None:
        """See the port."""
        if not self._heads:
            for head in first_heads(_KEY):
                self._journal.put(self._heads, head.stream, head)
        stream = stream_of(event)
        after, rows = extended(_KEY, self._heads[stream], [event])
        for row in rows:
            self._journal.put(self._rows, (row.stream, row.number), row)
        self._journal.put(self._heads, stream, after)

    def list(self, where: AuditFilter) -> list[AuditEvent]:
        """See the port."""
        found = [row.event for row in self._rows.values() if _is_wanted(row.event, where)]
        return sorted(found, key=lambda event: event.id, reverse=True)[: where.limit]

    def count(self, customer_id: str, action: Action, *, since: float) -> int:
        """See the port."""
        events = (row.event for row in self._rows.values())
        return sum((one.customer_id, one.action) == (customer_id, action) and one.at >= since for one in events)

    def heads(self) -> "list[AuditHead | Damaged]":
        """See the port."""
        return [self._heads[stream] for stream in sorted(self._heads)]

    def is_sealed(self, head: AuditHead) -> bool:
        """See the port."""
        return is_sealed(_KEY, head)

    def hash_of(self, stream: int, number: int) -> bytes | None:
        """See the port."""
        row = self._rows.get((stream, number))
        return None if row is None else row.hash

    def scan(self) -> Iterator[AuditRow]:
        """See the port."""
        yield from [self._rows[place] for place in sorted(self._rows)]

    def purge(self, before: float, limit: int) -> int:
        """See the port."""
        removed = 0
        for stream, head in sorted(self._heads.items()):
            rows = [row for row in self.scan() if row.stream == stream][:limit]
            old = [row for n, row in enumerate(rows) if all(one.event.at < before for one in rows[: n + 1])]
            for row in old:
                self._journal.remove(self._rows, (stream, row.number))
            if old:
                self._journal.put(self._heads, stream, shortened(_KEY, head, old[-1]))
            removed += len(old)
        return removed


def _is_wanted(event: AuditEvent, where: AuditFilter) -> bool:
    return (
        (where.actor is None or where.actor in (event.actor.id, event.actor.kind))
        and (not where.actions or event.action in where.actions)
        and where.subject in (None, event.subject)
        and where.customer_id in (None, event.customer_id)
        and (where.since is None or event.at >= where.since)
        and (where.before is None or event.id < where.before)
    )
