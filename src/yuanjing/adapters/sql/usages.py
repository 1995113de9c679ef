"""Usage records in SQL."""

import heapq
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa

from yuanjing.adapters.sql.bulk import Bulk, by_dialect
from yuanjing.adapters.sql.tables import COUNT, IS_NOT_CHAT, api_keys, usages
from yuanjing.adapters.sql.usage_tables import usage_days
from yuanjing.adapters.sql.work import Work, dump, insert, to_fields, to_row
from yuanjing.domain.catalog import Operation
from yuanjing.domain.money import Book
from yuanjing.domain.usage import PostedUsage, UsageDay, UsageRecord, UsageStatus, by_day
from yuanjing.kit.text import is_storable
from yuanjing.ports.damage import Damaged, readable, sound
from yuanjing.ports.usages import DaysFilter, KeySpending, UsageFilter, UsageGroup, UsageSum

_ADD = Bulk(usages)
_EXISTING = sa.select(usages.c.id).where(usages.c.id.in_(sa.bindparam("ids", expanding=True)))
_ONE = sa.select(usages).where(usages.c.id == sa.bindparam("id"))
_NEWEST_FIRST = sa.select(usages).order_by(usages.c.posted_at.desc(), usages.c.id.desc())
_ALL = sa.select(usages).order_by(usages.c.posted_at, usages.c.id)
_PUT_DAY = insert(usage_days)
_ADD_DAY = _PUT_DAY.on_conflict_do_update(
    index_elements=list(usage_days.primary_key),
    set_={
        name: usage_days.c[name] + _PUT_DAY.excluded[name]
        for name in ("requests", "input_tokens", "output_tokens", "charge_nanos")
    },
)
_IN_ORDER = sa.select(usage_days).order_by(*usage_days.primary_key)
_DAYS = _IN_ORDER.where(
    usage_days.c.customer_id == sa.bindparam("customer"),
    usage_days.c.book == sa.bindparam("ledger"),
    usage_days.c.day.between(sa.bindparam("first"), sa.bindparam("last")),
)
_GROUPS = {
    UsageGroup.DAY: usage_days.c.day,
    UsageGroup.KEY: usage_days.c.key_id,
    UsageGroup.MODEL: usage_days.c.model,
}
_SUMS = [
    sa.cast(sa.func.sum(usage_days.c[name]), COUNT).label(name)
    for name in ("requests", "input_tokens", "output_tokens", "charge_nanos")
]
_FILTERS = ("customer_id", "key_id", "book", "model", "operation")
_OWN_PLAN = sa.text("SET LOCAL plan_cache_mode = force_custom_plan")
"""PostgreSQL: after some calls it would take one plan for all customers, made for the average one, which would read all
records of a large one and sort them."""
_METERS = msgspec.json.Decoder(dict[str, int])
_EXTRA = msgspec.json.Decoder(dict[str, str])


_SPENT = sa.select(sa.func.sum(usage_days.c.charge_nanos)).where(usage_days.c.key_id == api_keys.c.id)
_SPENT_BY_KEYS = by_dialect(
    lambda among: sa.select(
        api_keys.c.id,
        sa.select(sa.func.max(usages.c.posted_at))
        .where(usages.c.key_id == api_keys.c.id)
        .scalar_subquery()
        .label("last_used_at"),
        _SPENT.scalar_subquery().label("total_nanos"),
        _SPENT.where(usage_days.c.day >= sa.bindparam("since")).scalar_subquery().label("recent_nanos"),
    ).where(among(api_keys.c.id)),
    "keys",
)
"""The last use of a key is one look at the end of an index."""


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
        _ADD.add(self._work, [_to_row(usage) for usage in by_id.values()])
        self._work.do_many(_ADD_DAY, [to_row(usage_days, day) for day in by_day(by_id.values())])
        return set(by_id)

    def existing(self, usage_ids: Sequence[str]) -> set[str]:
        """See the port."""
        if not usage_ids:
            return set()
        return {row.id for row in self._work.rows(_EXISTING, ids=list(usage_ids))}

    def days(self, customer_id: str, book: Book, first: int, last: int) -> Sequence[UsageDay]:
        """See the port."""
        rows = self._work.rows(_DAYS, customer=customer_id, ledger=book.value, first=first, last=last)
        return [_from_row_day(row) for row in rows]

    def sum_days(self, where: DaysFilter) -> Sequence[UsageSum]:
        """See the port."""
        if not all(is_storable(one or "") for one in (where.customer_id, where.key_id, where.model)):
            return []
        groups = [column for group, column in _GROUPS.items() if group in where.by]
        statement = (
            sa.select(*groups, *_SUMS)
            .where(
                usage_days.c.customer_id == where.customer_id,
                usage_days.c.book == where.book.value,
                usage_days.c.day.between(where.first, where.last),
                *(usage_days.c.key_id == key for key in [where.key_id] if key is not None),
                *(usage_days.c.model == model for model in [where.model] if model is not None),
            )
            .group_by(*groups)
            .having(sa.func.count() > 0)
            .order_by(*groups)
            .limit(where.limit)
        )
        nothing: dict[str, Any] = {"day": None, "key_id": None, "model": None}
        return [UsageSum(**(nothing | to_fields(row))) for row in self._work.rows(statement)]

    def spent_by_keys(self, key_ids: Collection[str], *, since_day: int) -> Mapping[str, KeySpending]:
        """See the port."""
        rows = self._work.rows(_SPENT_BY_KEYS[self._work.dialect], keys=list(key_ids), since=since_day)
        return {
            row.id: KeySpending(
                total_nanos=int(row.total_nanos or 0),
                recent_nanos=int(row.recent_nanos or 0),
                last_used_at=row.last_used_at,
            )
            for row in rows
            if row.last_used_at is not None
        }

    def scan_days(self) -> Iterator[UsageDay | Damaged]:
        """See the port."""
        for row in self._work.stream(_IN_ORDER):
            yield readable(f"{row.customer_id} {row.day}", partial(_from_row_day, row))

    def get(self, usage_id: str) -> PostedUsage | None:
        """See the port."""
        row = self._work.first(_ONE, id=usage_id)
        return None if row is None else sound(_read(row))

    def list(self, where: UsageFilter) -> list[PostedUsage]:
        """See the port.

        A customer's records are found book by book: that is how the indexes have them. Those of a key are all of one
        customer and book, which is not asked for again: PostgreSQL would think that few records have all three, and
        fetch all of the key's to sort them.
        """
        if not all(is_storable(getattr(where, name) or "") for name in _FILTERS):
            return []
        if self._work.dialect == "postgresql":
            self._work.do(_OWN_PLAN)
        if where.key_id is not None:
            found = self._work.rows(_listing(replace(where, customer_id=None, book=None)))
            its = (row for row in found if where.customer_id in (None, row.customer_id))
            return [sound(_read(row)) for row in its if where.book in (None, row.book)]
        if where.customer_id is None or where.book is not None:
            return [sound(_read(row)) for row in self._work.rows(_listing(where))]
        pages = (self._work.rows(_listing(replace(where, book=book))) for book in Book)
        newest_first = heapq.merge(*pages, key=lambda row: (row.posted_at, row.id), reverse=True)
        return [sound(_read(row)) for row in itertools.islice(newest_first, where.limit)]

    def scan(self) -> Iterator[PostedUsage | Damaged]:
        """See the port."""
        for row in self._work.stream(_ALL):
            yield _read(row)


def _listing(where: UsageFilter) -> sa.Select[*tuple[Any, ...]]:
    """The records that the filter wants, newest first."""
    statement = _NEWEST_FIRST.limit(where.limit)
    for name in _FILTERS:
        value: str | None = getattr(where, name)
        if value is not None:
            statement = statement.where(usages.c[name] == str(value))
    if where.operation not in (None, Operation.CHAT):
        statement = statement.where(IS_NOT_CHAT)
    if where.posted_from is not None:
        statement = statement.where(usages.c.posted_at >= where.posted_from)
    if where.posted_until is not None:
        statement = statement.where(usages.c.posted_at < where.posted_until)
    if where.before is not None:
        statement = statement.where(sa.tuple_(usages.c.posted_at, usages.c.id) < where.before)
    return statement


def _from_row_day(row: sa.Row[Any]) -> UsageDay:
    fields = to_fields(row)
    fields["book"] = Book(row.book)
    return UsageDay(**fields)


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
