"""Idempotency keys in SQL."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from yuanjing.adapters.sql.bulk import Bulk
from yuanjing.adapters.sql.tables import COUNT, ID, METADATA, TIME
from yuanjing.adapters.sql.work import Work, lockable, to_fields, to_row
from yuanjing.domain.idempotency import FinishedRequest, IdempotentRequest

idempotency_keys = sa.Table(
    "idempotency_keys",
    METADATA,
    sa.Column("key_id", ID, primary_key=True),
    sa.Column("digest", sa.LargeBinary(), primary_key=True),
    sa.Column("content", sa.LargeBinary(), nullable=False),
    sa.Column("usage_id", ID, nullable=False),
    sa.Column("changed_at", TIME, nullable=False, index=True),
    sa.Column("node_id", ID),
    sa.Column("incarnation", COUNT),
    sa.Column("task_id", ID),
    sa.Column("is_done", sa.Boolean(), nullable=False),
    sa.Column("answer", sa.LargeBinary()),
    sa.Column("clamped_to", COUNT),
)
"""No foreign keys: a key says what has been, and must not be in the way of what a spool brings."""

_IT = sa.and_(
    idempotency_keys.c.key_id == sa.bindparam("api_key"), idempotency_keys.c.digest == sa.bindparam("its_digest")
)
_RUNNING = sa.and_(_IT, idempotency_keys.c.usage_id == sa.bindparam("usage"), sa.not_(idempotency_keys.c.is_done))
_ADD = Bulk(idempotency_keys, known_by=idempotency_keys.c.usage_id)
_ONE = lockable(sa.select(idempotency_keys).where(_IT))
_HAND_OVER = (
    sa.update(idempotency_keys)
    .where(_IT)
    .values(
        usage_id=sa.bindparam("usage"),
        node_id=sa.bindparam("node"),
        incarnation=sa.bindparam("life"),
        changed_at=sa.bindparam("moment"),
    )
)
_FINISH = (
    sa.update(idempotency_keys)
    .where(_RUNNING)
    .values(
        is_done=True,
        answer=sa.bindparam("body"),
        clamped_to=sa.bindparam("clamped"),
        changed_at=sa.bindparam("moment"),
    )
)
_RELEASE = sa.delete(idempotency_keys).where(_RUNNING)
_PLACE = sa.tuple_(idempotency_keys.c.key_id, idempotency_keys.c.digest)
_OLD = (
    sa.select(idempotency_keys.c.key_id, idempotency_keys.c.digest)
    .where(idempotency_keys.c.changed_at < sa.bindparam("before"))
    .order_by(idempotency_keys.c.changed_at)
    .limit(sa.bindparam("limit"))
)
_PRUNE = sa.delete(idempotency_keys).where(_PLACE.in_(_OLD))


class SqlIdempotency:
    """See `yuanjing.ports.idempotency.IdempotencyTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def add_new(self, rows: Sequence[IdempotentRequest]) -> set[str]:
        """See the port."""
        return _ADD.add_new(self._work, [to_row(idempotency_keys, row) for row in rows])

    def get(self, key_id: str, digest: bytes) -> IdempotentRequest | None:
        """See the port."""
        row = self._work.first(_ONE.plain, api_key=key_id, its_digest=digest)
        return None if row is None else _from_row(row)

    def lock(self, key_id: str, digest: bytes) -> IdempotentRequest | None:
        """See the port."""
        rows = self._work.locked(_ONE, api_key=key_id, its_digest=digest)
        return _from_row(rows[0]) if rows else None

    def hand_over(self, row: IdempotentRequest) -> None:
        """See the port."""
        self._work.do(
            _HAND_OVER,
            api_key=row.key_id,
            its_digest=row.digest,
            usage=row.usage_id,
            node=row.node_id,
            life=row.incarnation,
            moment=row.changed_at,
        )

    def finish(self, results: Sequence[FinishedRequest], at: float) -> None:
        """See the port."""
        self._work.do_many(_FINISH, [_to_result(one, at) for one in results])

    def release(self, key_id: str, digest: bytes, usage_id: str) -> bool:
        """See the port."""
        return self._work.do(_RELEASE, api_key=key_id, its_digest=digest, usage=usage_id) == 1

    def prune(self, before: float, limit: int) -> int:
        """See the port."""
        return self._work.do(_PRUNE, before=before, limit=limit)


def _to_result(one: FinishedRequest, at: float) -> dict[str, object]:
    place = {"api_key": one.key_id, "its_digest": one.digest, "usage": one.usage_id}
    return {**place, "body": one.answer, "clamped": one.clamped_to, "moment": at}


def _from_row(row: sa.Row[Any]) -> IdempotentRequest:
    return IdempotentRequest(**to_fields(row))
