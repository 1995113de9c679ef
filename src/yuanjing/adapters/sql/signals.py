"""Signals in SQL."""

import sqlalchemy as sa

from yuanjing.adapters.sql.tables import signals
from yuanjing.adapters.sql.work import Work
from yuanjing.ports.store import Signal, Topic

_EMIT = sa.insert(signals).inline()
_SINCE = (
    sa.select(signals).where(signals.c.seq > sa.bindparam("above")).order_by(signals.c.seq).limit(sa.bindparam("limit"))
)
_LAST = sa.select(sa.func.coalesce(sa.func.max(signals.c.seq), 0).label("seq"))
_PRUNE = sa.delete(signals).where(
    signals.c.at < sa.bindparam("before"),
    signals.c.seq < sa.select(sa.func.max(signals.c.seq)).scalar_subquery(),
)


class SqlSignals:
    """See `yuanjing.ports.store.SignalTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def emit(self, topic: Topic, subject: str, at: float) -> None:
        """See the port."""
        self._work.do(_EMIT, topic=topic.value, subject=subject, at=at)

    def since(self, seq: int, limit: int) -> list[Signal]:
        """See the port."""
        rows = self._work.rows(_SINCE, above=seq, limit=limit)
        return [Signal(seq=row.seq, topic=Topic(row.topic), subject=row.subject, at=row.at) for row in rows]

    def last_seq(self) -> int:
        """See the port."""
        row = self._work.first(_LAST)
        assert row is not None
        return row.seq

    def prune(self, before: float) -> int:
        """See the port."""
        return self._work.do(_PRUNE, before=before)
