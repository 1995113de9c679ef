"""What a worker remembers beside the rows: of use, but never needed, and bounded."""

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A mapping of at most `most` keys; the one that was set longest ago makes room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        """What was set last; None if nothing was, or it is forgotten."""
        return self._values.get(key)

    def set(self, key: K, value: V) -> None:
        """Remember it, as the newest."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def forget(self, key: K) -> None:
        """It is of no use any more."""
        self._values.pop(key, None)
