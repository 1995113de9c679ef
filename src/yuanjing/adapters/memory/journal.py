"""What makes a unit of work over plain dictionaries undoable."""

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Journal:
    """Every change goes through here, with the way back written down first.

    All values in the tables are immutable, so remembering the old reference is enough.
    """

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []
        self._may_write = False

    def begin(self, *, may_write: bool) -> None:
        """Start a unit of work."""
        assert not self._undo, "units of work do not nest"
        self._may_write = may_write

    def commit(self) -> None:
        """Keep what was done."""
        self._undo.clear()
        self._may_write = False

    def rollback(self) -> None:
        """Undo what was done, newest first."""
        while self._undo:
            self._undo.pop()()
        self._may_write = False

    def put(self, table: dict[K, V], key: K, value: V) -> None:
        """Set an item."""
        if key in table:
            old = table[key]
            self._remember(lambda: table.__setitem__(key, old))
        else:
            self._remember(lambda: table.__delitem__(key))
        table[key] = value

    def remove(self, table: dict[K, V], key: K) -> None:
        """Remove an item that is there."""
        old = table[key]
        self._remember(lambda: table.__setitem__(key, old))
        del table[key]

    def append(self, rows: list[V], value: V) -> None:
        """Add to the end of a list."""
        self._remember(lambda: rows.__delitem__(-1))
        rows.append(value)

    def replace_all(self, rows: list[V], values: list[V]) -> None:
        """Put other items into a list."""
        old = rows.copy()
        self._remember(lambda: rows.__setitem__(slice(None), old))
        rows[:] = values

    def _remember(self, undo: Callable[[], None]) -> None:
        if not self._may_write:
            raise RuntimeError("this unit of work may only read")
        self._undo.append(undo)
