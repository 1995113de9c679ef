"""The public keys with which receipts are checked. Private ones are never in the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiptKey:
    """One key's public half.

    Attributes:
        id: made from the key; receipts name it.
        public_key: 32 bytes, as RFC 8032 has them.
        created_at: when this platform first used it, in Unix seconds.
    """

    id: str
    public_key: bytes
    created_at: float


class ReceiptKeyTable(Protocol):
    """Keys are added and never removed: a receipt must be readable as long as anybody has it."""

    def add(self, key: ReceiptKey) -> None:
        """Keep a key; nothing is changed if it is there."""
        ...

    def list(self) -> Sequence[ReceiptKey]:
        """All of them, the newest first."""
        ...
