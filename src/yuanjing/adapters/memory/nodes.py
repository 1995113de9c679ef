"""Nodes in memory."""

from dataclasses import dataclass, replace

from yuanjing.adapters.memory.journal import Journal
from yuanjing.ports.store import Node, SpoolPosition


@dataclass(frozen=True, kw_only=True, slots=True)
class _Life:
    """A node without its spool position, which has a table of its own."""

    id: str
    incarnation: int
    machine: str
    role: str
    beat: int
    beat_at: float
    is_alive: bool


class MemoryNodes:
    """See `yuanjing.ports.store.NodeTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._nodes: dict[str, _Life] = {}
        self._positions: dict[tuple[str, int], SpoolPosition] = {}

    def register(self, node_id: str, machine: str, role: str, at: float) -> Node:
        """See the port."""
        old = self._nodes.get(node_id)
        life = _Life(
            id=node_id,
            incarnation=old.incarnation + 1 if old else 1,
            machine=machine,
            role=role,
            beat=old.beat + 1 if old else 1,
            beat_at=at,
            is_alive=True,
        )
        self._journal.put(self._nodes, node_id, life)
        position = SpoolPosition(node_id=node_id, incarnation=life.incarnation, posted_seq=0, is_finished=False)
        self._journal.put(self._positions, (node_id, life.incarnation), position)
        return self._node(life)

    def lock(self, node_id: str) -> Node | None:
        """See the port."""
        life = self._nodes.get(node_id)
        return None if life is None else self._node(life)

    def close(self, node_id: str, incarnation: int) -> bool:
        """See the port."""
        life = self._current(node_id, incarnation)
        if life is None:
            return False
        closed = replace(life, incarnation=incarnation + 1, is_alive=False)
        self._journal.put(self._nodes, node_id, closed)
        return True

    def beat(self, node_id: str, incarnation: int, at: float) -> Node | None:
        """See the port."""
        life = self._current(node_id, incarnation)
        if life is None:
            return None
        life = replace(life, beat=life.beat + 1, beat_at=at)
        self._journal.put(self._nodes, node_id, life)
        return self._node(life)

    def all(self) -> list[Node]:
        """See the port."""
        return [self._node(self._nodes[id_]) for id_ in sorted(self._nodes)]

    def position(self, node_id: str, incarnation: int) -> SpoolPosition | None:
        """See the port."""
        return self._positions.get((node_id, incarnation))

    def advance(self, node_id: str, incarnation: int, *, expected_seq: int, posted_seq: int) -> bool:
        """See the port."""
        position = self._positions.get((node_id, incarnation))
        if position is None or position.posted_seq != expected_seq:
            return False
        moved = replace(position, posted_seq=posted_seq)
        self._journal.put(self._positions, (node_id, incarnation), moved)
        return True

    def finish(self, node_id: str, incarnation: int) -> None:
        """See the port."""
        position = self._positions.get((node_id, incarnation))
        if position is not None:
            done = replace(position, is_finished=True)
            self._journal.put(self._positions, (node_id, incarnation), done)

    def unfinished(self) -> list[SpoolPosition]:
        """See the port."""
        return [self._positions[key] for key in sorted(self._positions) if not self._positions[key].is_finished]

    def _current(self, node_id: str, incarnation: int) -> _Life | None:
        life = self._nodes.get(node_id)
        return life if life is not None and life.is_alive and life.incarnation == incarnation else None

    def _node(self, life: _Life) -> Node:
        position = self._positions.get((life.id, life.incarnation))
        return Node(
            id=life.id,
            incarnation=life.incarnation,
            machine=life.machine,
            role=life.role,
            beat=life.beat,
            beat_at=life.beat_at,
            posted_seq=position.posted_seq if position else 0,
            is_alive=life.is_alive,
        )
