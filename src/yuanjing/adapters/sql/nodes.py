"""Nodes and spool positions in SQL."""

from typing import Any

import sqlalchemy as sa

from yuanjing.adapters.sql.tables import nodes, spool_positions
from yuanjing.adapters.sql.work import Work, insert, lockable
from yuanjing.ports.store import Node, SpoolPosition

_NEW = insert(nodes)
_REGISTER = _NEW.on_conflict_do_update(
    index_elements=[nodes.c.id],
    set_={
        "incarnation": nodes.c.incarnation + 1,
        "machine": _NEW.excluded.machine,
        "role": _NEW.excluded.role,
        "beat": nodes.c.beat + 1,
        "beat_at": _NEW.excluded.beat_at,
        "is_alive": True,
    },
).returning(*nodes.c)
_ADD_POSITION = sa.insert(spool_positions)
_NODE = lockable(sa.select(nodes).where(nodes.c.id == sa.bindparam("node")))
_IS_CURRENT = sa.and_(
    nodes.c.id == sa.bindparam("node"),
    nodes.c.incarnation == sa.bindparam("current"),
    nodes.c.is_alive,
)
_CLOSE = sa.update(nodes).where(_IS_CURRENT).values(incarnation=nodes.c.incarnation + 1, is_alive=False)
_BEAT = (
    sa.update(nodes)
    .where(_IS_CURRENT)
    .values(beat=nodes.c.beat + 1, beat_at=sa.bindparam("moment"))
    .returning(*nodes.c)
)
_POSITION_OF_LIFE = sa.and_(
    spool_positions.c.node_id == nodes.c.id, spool_positions.c.incarnation == nodes.c.incarnation
)
_ALL = sa.select(nodes, spool_positions.c.posted_seq).outerjoin(spool_positions, _POSITION_OF_LIFE).order_by(nodes.c.id)
_IS_SPOOL = sa.and_(
    spool_positions.c.node_id == sa.bindparam("node"),
    spool_positions.c.incarnation == sa.bindparam("life"),
)
_POSITION = lockable(sa.select(spool_positions).where(_IS_SPOOL))
_ADVANCE = (
    sa.update(spool_positions)
    .where(_IS_SPOOL, spool_positions.c.posted_seq == sa.bindparam("expected"))
    .values(posted_seq=sa.bindparam("posted"))
)
_FINISH = sa.update(spool_positions).where(_IS_SPOOL).values(is_finished=True)
_UNFINISHED = (
    sa.select(spool_positions)
    .where(sa.not_(spool_positions.c.is_finished))
    .order_by(spool_positions.c.node_id, spool_positions.c.incarnation)
)


class SqlNodes:
    """See `yuanjing.ports.store.NodeTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def register(self, node_id: str, machine: str, role: str, at: float) -> Node:
        """See the port."""
        row = self._work.first(
            _REGISTER,
            id=node_id,
            incarnation=1,
            machine=machine,
            role=role,
            beat=1,
            beat_at=at,
            is_alive=True,
        )
        assert row is not None
        self._work.do(_ADD_POSITION, node_id=node_id, incarnation=row.incarnation, posted_seq=0, is_finished=False)
        return _from_row(row, 0)

    def lock(self, node_id: str) -> Node | None:
        """See the port."""
        rows = self._work.locked(_NODE, node=node_id)
        return self._with_position(rows[0]) if rows else None

    def close(self, node_id: str, incarnation: int) -> bool:
        """See the port."""
        return self._work.do(_CLOSE, node=node_id, current=incarnation) == 1

    def beat(self, node_id: str, incarnation: int, at: float) -> Node | None:
        """See the port."""
        row = self._work.first(_BEAT, node=node_id, current=incarnation, moment=at)
        return None if row is None else self._with_position(row)

    def all(self) -> list[Node]:
        """See the port."""
        return [_from_row(row, row.posted_seq or 0) for row in self._work.rows(_ALL)]

    def position(self, node_id: str, incarnation: int) -> SpoolPosition | None:
        """See the port."""
        rows = self._work.locked(_POSITION, node=node_id, life=incarnation)
        return _from_row_position(rows[0]) if rows else None

    def advance(self, node_id: str, incarnation: int, *, expected_seq: int, posted_seq: int) -> bool:
        """See the port."""
        changed = self._work.do(_ADVANCE, node=node_id, life=incarnation, expected=expected_seq, posted=posted_seq)
        return changed == 1

    def finish(self, node_id: str, incarnation: int) -> None:
        """See the port."""
        self._work.do(_FINISH, node=node_id, life=incarnation)

    def unfinished(self) -> list[SpoolPosition]:
        """See the port."""
        return [_from_row_position(row) for row in self._work.rows(_UNFINISHED)]

    def _with_position(self, row: sa.Row[Any]) -> Node:
        position = self._work.first(_POSITION.plain, node=row.id, life=row.incarnation)
        return _from_row(row, 0 if position is None else position.posted_seq)


def _from_row(row: sa.Row[Any], posted_seq: int) -> Node:
    return Node(
        id=row.id,
        incarnation=row.incarnation,
        machine=row.machine,
        role=row.role,
        beat=row.beat,
        beat_at=row.beat_at,
        posted_seq=posted_seq,
        is_alive=row.is_alive,
    )


def _from_row_position(row: sa.Row[Any]) -> SpoolPosition:
    return SpoolPosition(
        node_id=row.node_id,
        incarnation=row.incarnation,
        posted_seq=row.posted_seq,
        is_finished=row.is_finished,
    )
