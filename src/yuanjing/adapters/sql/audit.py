"""The audit log in SQL."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import sqlalchemy as sa

from yuanjing.adapters.sql.audit_tables import IS_OF_CUSTOMER, audit_heads, audit_rows
from yuanjing.adapters.sql.work import Work, insert, lockable, to_row
from yuanjing.domain.audit import (
    NO_SEAL,
    Action,
    Actor,
    ActorKind,
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
from yuanjing.ports.damage import Damaged, readable, sound


def _as_it_is(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """The columns, on SQLite with the bytes of whatever stands in those of text: it may be no text any more."""
    return [
        column
        if isinstance(column.type, (sa.Integer, sa.Float))
        else sa.cast(column, sa.LargeBinary).label(column.name)
        for column in table.c
    ]


_ADD = sa.insert(audit_rows)
_PUT_HEAD = insert(audit_heads)
_SAVE_HEAD = _PUT_HEAD.on_conflict_do_update(
    index_elements=list(audit_heads.primary_key),
    set_={column.name: _PUT_HEAD.excluded[column.name] for column in audit_heads.c if not column.primary_key},
)
_ADD_HEAD = _PUT_HEAD.on_conflict_do_nothing()
_HEADS = {
    "postgresql": lockable(sa.select(audit_heads).order_by(audit_heads.c.stream)),
    "sqlite": lockable(sa.select(*_as_it_is(audit_heads)).order_by(audit_heads.c.stream)),
}
_SOME_HEADS = {
    name: lockable(both.plain.where(audit_heads.c.stream.in_(sa.bindparam("streams", expanding=True))))
    for name, both in _HEADS.items()
}
_IN_ORDER = (audit_rows.c.stream, audit_rows.c.number)
_ALL = {
    "postgresql": sa.select(audit_rows).order_by(*_IN_ORDER),
    "sqlite": sa.select(*_as_it_is(audit_rows)).order_by(*_IN_ORDER),
}
_OF_STREAM = {
    name: all_rows.order_by(None).where(audit_rows.c.stream == sa.bindparam("of_stream"))
    for name, all_rows in _ALL.items()
}
_LAST = {name: rows.order_by(audit_rows.c.number.desc()).limit(1) for name, rows in _OF_STREAM.items()}
_PLACE = {name: rows.where(audit_rows.c.number == sa.bindparam("place")) for name, rows in _OF_STREAM.items()}
_OLDEST = (
    sa.select(audit_rows)
    .where(audit_rows.c.stream == sa.bindparam("of_stream"), audit_rows.c.number > sa.bindparam("above"))
    .order_by(audit_rows.c.number)
    .limit(sa.bindparam("limit"))
)
_REMOVE = sa.delete(audit_rows).where(
    audit_rows.c.stream == sa.bindparam("of_stream"), audit_rows.c.number <= sa.bindparam("up_to")
)
_COUNT = (
    sa.select(sa.func.count().label("events"))
    .select_from(audit_rows)
    .where(
        IS_OF_CUSTOMER,
        audit_rows.c.customer_id == sa.bindparam("customer"),
        audit_rows.c.action == sa.bindparam("what"),
        audit_rows.c.at >= sa.bindparam("since"),
    )
)
_NEWEST_FIRST = {
    name: all_rows.order_by(None).order_by(audit_rows.c.id.desc()).limit(sa.bindparam("limit"))
    for name, all_rows in _ALL.items()
}


class SqlAudit:
    """See `yuanjing.ports.audit.AuditTable`."""

    def __init__(self, work: Work, key: bytes) -> None:
        self._work = work
        self._key = key
        self._waiting: list[AuditEvent] = []

    def append(self, event: AuditEvent) -> None:
        """See the port."""
        if not self._work.may_write:
            raise RuntimeError("this unit of work may only read")
        self._waiting.append(event)

    def flush(self) -> None:
        """Write what waits. The heads are locked in the order of their streams, after everything else."""
        if not self._waiting:
            return
        by_stream: defaultdict[int, list[AuditEvent]] = defaultdict(list)
        for event in self._waiting:
            by_stream[stream_of(event)].append(event)
        self._waiting.clear()
        heads = self._lock(sorted(by_stream))
        for stream, events in sorted(by_stream.items()):
            after, rows = extended(self._key, self._checked(stream, heads.get(stream)), events)
            self._work.do_many(_ADD, [_columns(row) for row in rows])
            self._work.do(_SAVE_HEAD, **to_row(audit_heads, after))

    def list(self, where: AuditFilter) -> list[AuditEvent]:
        """See the port."""
        columns, statement = audit_rows.c, _NEWEST_FIRST[self._work.dialect]
        if where.actor is not None:
            statement = statement.where((columns.actor_id == where.actor) | (columns.actor_kind == where.actor))
        if where.actions:
            statement = statement.where(columns.action.in_([action.value for action in where.actions]))
        if where.subject is not None:
            statement = statement.where(columns.subject == where.subject)
        if where.customer_id is not None:
            statement = statement.where(columns.customer_id == where.customer_id)
        if where.since is not None:
            statement = statement.where(columns.at >= where.since)
        if where.before is not None:
            statement = statement.where(columns.id < where.before)
        rows = self._work.rows(statement, limit=where.limit)
        return [sound(readable(f"{row.stream}/{row.number}", partial(_event, row))) for row in rows]

    def count(self, customer_id: str, action: Action, *, since: float) -> int:
        """See the port."""
        return self._work.rows(_COUNT, customer=customer_id, what=action.value, since=since)[0].events

    def heads(self) -> "list[AuditHead | Damaged]":
        """See the port."""
        return [_head(row) for row in self._work.rows(_HEADS[self._work.dialect].plain)]

    def is_sealed(self, head: AuditHead) -> bool:
        """See the port."""
        return is_sealed(self._key, head)

    def hash_of(self, stream: int, number: int) -> bytes | None:
        """See the port."""
        row = self._work.first(_PLACE[self._work.dialect], of_stream=stream, place=number)
        return None if row is None else row.hash

    def scan(self) -> Iterator[AuditRow | Damaged]:
        """See the port."""
        for row in self._work.stream(_ALL[self._work.dialect]):
            yield readable(f"{row.stream}/{row.number}", partial(_row, row))

    def purge(self, before: float, limit: int) -> int:
        """See the port."""
        removed = 0
        for head in map(_head, self._work.locked(_HEADS[self._work.dialect])):
            if isinstance(head, Damaged) or not is_sealed(self._key, head):
                continue
            last: AuditRow | None = None
            for row in self._work.rows(_OLDEST, of_stream=head.stream, above=head.base_number, limit=limit):
                if row.at >= before:
                    break
                last = _row(row)
            if last is not None:
                removed += self._work.do(_REMOVE, of_stream=head.stream, up_to=last.number)
                self._work.do(_SAVE_HEAD, **to_row(audit_heads, shortened(self._key, head, last)))
        return removed

    def _lock(self, streams: Sequence[int]) -> dict[int, AuditHead]:
        """The heads of these streams that there are; before the first event of all they are made.

        They are looked for once more also where another process has made them after the first look, or its rows would
        be taken for a stream whose head is lost.
        """
        statement = _SOME_HEADS[self._work.dialect]
        found = self._work.locked(statement, streams=streams)
        if not found:
            if self._work.first(_HEADS[self._work.dialect].plain) is None:
                self._work.do_many(_ADD_HEAD, [to_row(audit_heads, head) for head in first_heads(self._key)])
            found = self._work.locked(statement, streams=streams)
        heads = [_head(row) for row in found]
        return {head.stream: head for head in heads if isinstance(head, AuditHead)}

    def _checked(self, stream: int, head: AuditHead | None) -> AuditHead:
        """The head; what somebody has broken does not end all work, but goes on without a seal."""
        row = self._work.first(_LAST[self._work.dialect], of_stream=stream)
        if row is not None and type(row.number) is not int:
            return replace(head or AuditHead(stream=stream), seal=NO_SEAL)
        if head is not None and (row is None or row.number <= head.number):
            return head
        if row is None:
            return AuditHead(stream=stream)
        return AuditHead(stream=stream, number=row.number, hash=row.hash)


def _columns(row: AuditRow) -> dict[str, object]:
    event = row.event
    return {
        "stream": row.stream,
        "number": row.number,
        "hash": row.hash,
        "id": event.id,
        "at": event.at,
        "actor_kind": event.actor.kind.value,
        "actor_id": event.actor.id,
        "address": event.actor.address,
        "action": event.action.value,
        "subject": event.subject,
        "customer_id": event.customer_id,
        "details": event.details,
    }


def _row(row: sa.Row[Any]) -> AuditRow:
    return AuditRow(stream=_whole(row.stream), number=_whole(row.number), hash=bytes(row.hash), event=_event(row))


def _event(row: sa.Row[Any]) -> AuditEvent:
    if type(row.at) is not float:
        raise TypeError("its time is no number")
    actor = Actor(kind=ActorKind(_text(row.actor_kind)), id=_text(row.actor_id), address=_text(row.address))
    return AuditEvent(
        id=_text(row.id),
        at=row.at,
        actor=actor,
        action=Action(_text(row.action)),
        subject=_text(row.subject),
        customer_id=None if row.customer_id is None else _text(row.customer_id),
        details=_text(row.details),
    )


def _head(row: sa.Row[Any]) -> AuditHead | Damaged:
    def read() -> AuditHead:
        return AuditHead(
            stream=_whole(row.stream),
            base_number=_whole(row.base_number),
            base_hash=bytes(row.base_hash),
            number=_whole(row.number),
            hash=bytes(row.hash),
            seal=bytes(row.seal),
        )

    return readable(f"stream {row.stream}", read)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("it is no whole number")
    return value
