"""The public keys of receipts in memory."""

from collections.abc import Sequence

from yuanjing.adapters.memory.journal import Journal
from yuanjing.ports.receipts import ReceiptKey


class MemoryReceiptKeys:
    """See `yuanjing.ports.receipts.ReceiptKeyTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._keys: dict[str, ReceiptKey] = {}

    def add(self, key: ReceiptKey) -> None:
        """See the port."""
        if key.id not in self._keys:
            self._journal.put(self._keys, key.id, key)

    def list(self) -> Sequence[ReceiptKey]:
        """See the port."""
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id), reverse=True)
