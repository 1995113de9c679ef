"""Usage records in SQL."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa

from yuanjing.adapters.sql.tables import usages
from yuanjing.adapters.sql.work import Work, dump
from yuanjing.domain.money import Book
from yuanjing.domain.usage import PostedUsage, UsageRecord, UsageStatus
from yuanjing.ports.damage import Damaged, readable, sound
from yuanjing.ports.store import UsageFilter

_ADD = sa.insert(usages)
_EXISTING = sa.select(usages.c.id).where(usages.c.id.in_(sa.bindparam("ids", expanding=True)))
_ONE = sa.select(usages).where(usages.c.id == sa.bindparam("id"))
_NEWEST_FIRST = sa.select(usages).order_by(usages.c.posted_at.desc(), usages.c.id.desc())
_ALL = sa.select(usages).order_by(usages.c.posted_at, usages.c.id)
_METERS = msgspec.json.Decoder(dict[str, int])
_EXTRA = msgspec.json.Decoder(dict[str, str])


class SqlUsages:
    """See `yuanjing.ports.store.UsageTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def add_new(self, usages: Sequence[PostedUsage]) -> set[str]:
        """See the port.

        A plain INSERT follows the look-up: if another unit of work inserts the same id between the two, the unique key
        refuses it, this unit of work runs again and then sees it. ON CONFLICT DO NOTHING would charge twice.
        """
        by_id: dict[str, PostedUsage] = {}
        for usage in usages:
            by_id.setdefault(usage.record.id, usage)
        for known in self.existing(list(by_id)):
            del by_id[known]
        self._work.do_many(_ADD, [_to_row(usage) for usage in by_id.values()])
        return set(by_id)

    def existing(self, usage_ids: Sequence[str]) -> set[str]:
        """See the port."""
        if not usage_ids:
            return set()
        return {row.id for row in self._work.rows(_EXISTING, ids=list(usage_ids))}

    def get(self, usage_id: str) -> PostedUsage | None:
        """See the port."""
        row = self._work.first(_ONE, id=usage_id)
        return None if row is None else sound(_read(row))

    def list(self, where: UsageFilter) -> list[PostedUsage]:
        """See the port."""
        statement = _NEWEST_FIRST.limit(where.limit)
        for name in ("customer_id", "key_id", "book", "model"):
            value: str | None = getattr(where, name)
            if value is not None:
                statement = statement.where(usages.c[name] == str(value))
        if where.before is not None:
            statement = statement.where(sa.tuple_(usages.c.posted_at, usages.c.id) < where.before)
        return [sound(_read(row)) for row in self._work.rows(statement)]

    def scan(self) -> Iterator[PostedUsage | Damaged]:
        """See the port."""
        for row in self._work.stream(_ALL):
            yield _read(row)


def _read(row: sa.Row[Any]) -> PostedUsage | Damaged:
    return readable(row.id, partial(_from_row, row))


def _to_row(usage: PostedUsage) -> dict[str, Any]:
    record = usage.record
    return {
        "id": record.id,
        "book": record.book.value,
        "customer_id": record.customer_id,
        "key_id": record.key_id,
        "offer_id": record.offer_id,
        "model": record.model,
        "operation": str(record.operation),
        "channel_id": record.channel_id,
        "hold_id": record.hold_id,
        "price_id": record.price_id,
        "meters": dump(record.meters),
        "ceiling_nanos": record.ceiling_nanos,
        "charge_nanos": record.charge_nanos,
        "overrun_nanos": record.overrun_nanos,
        "is_estimated": record.is_estimated,
        "is_stream": record.is_stream,
        "status": record.status.value,
        "request_id": record.request_id,
        "upstream_request_id": record.upstream_request_id,
        "upstream_model": record.upstream_model,
        "attempts": record.attempts,
        "started_at": record.started_at,
        "first_byte_ms": record.first_byte_ms,
        "duration_ms": record.duration_ms,
        "extra": dump(record.extra),
        "settle_transfer_id": usage.settle_transfer_id,
        "late_shortfall_nanos": usage.late_shortfall_nanos,
        "posted_at": usage.posted_at,
    }


def _from_row(row: sa.Row[Any]) -> PostedUsage:
    record = UsageRecord(
        id=row.id,
        book=Book(row.book),
        customer_id=row.customer_id,
        key_id=row.key_id,
        offer_id=row.offer_id,
        model=row.model,
        operation=row.operation,
        channel_id=row.channel_id,
        hold_id=row.hold_id,
        price_id=row.price_id,
        meters=_METERS.decode(row.meters),
        ceiling_nanos=row.ceiling_nanos,
        charge_nanos=row.charge_nanos,
        overrun_nanos=row.overrun_nanos,
        is_estimated=row.is_estimated,
        is_stream=row.is_stream,
        status=UsageStatus(row.status),
        request_id=row.request_id,
        upstream_request_id=row.upstream_request_id,
        upstream_model=row.upstream_model,
        attempts=row.attempts,
        started_at=row.started_at,
        first_byte_ms=row.first_byte_ms,
        duration_ms=row.duration_ms,
        extra=_EXTRA.decode(row.extra),
    )
    return PostedUsage(
        record=record,
        settle_transfer_id=row.settle_transfer_id,
        late_shortfall_nanos=row.late_shortfall_nanos,
        posted_at=row.posted_at,
    )
