"""The rows of promotion money: its lots, and the codes that it can be had for."""

from collections.abc import Iterator
from typing import Protocol

from yuanjing.domain.money import Book
from yuanjing.domain.promotions import Lot
from yuanjing.domain.redemptions import RedeemCode
from yuanjing.ports.damage import Damaged


class PromotionTable(Protocol):
    """Lots of promotion money. Whoever changes those of a customer has locked the customer's accounts."""

    def add(self, lot: Lot) -> None:
        """Insert.

        Raises:
            AlreadyExistsError: the id or the cause exists.
        """
        ...

    def save(self, *lots: Lot) -> None:
        """Write what is left and what has expired of them."""
        ...

    def by_cause(self, cause: str) -> Lot | None:
        """One by the name of its grant."""
        ...

    def open_of_customer(self, book: Book, customer_id: str) -> list[Lot]:
        """The customer's lots that had something left when they were last looked at."""
        ...

    def due(self, at: float, limit: int, *, after: tuple[str, Book] | None) -> list[tuple[str, Book]]:
        """Customers and books with lots that have expired and had something left, in order, above `after`."""
        ...

    def list(self, customer_id: str, *, before: str | None, limit: int) -> list[Lot]:
        """A customer's lots, newest first, below the id `before` if given."""
        ...

    def scan(self) -> Iterator[Lot | Damaged]:
        """Every lot, streamed; for `verify`."""
        ...


class RedeemCodeTable(Protocol):
    """Redeem codes; their texts are not kept."""

    def add(self, *codes: RedeemCode) -> None:
        """Insert.

        Raises:
            AlreadyExistsError: the id or the digest of one exists; others may be inserted already.
        """
        ...

    def get(self, code_id: str) -> RedeemCode | None:
        """One by its id."""
        ...

    def lock(self, digest: bytes) -> RedeemCode | None:
        """One by its text's digest, locked until the end of the unit of work."""
        ...

    def save(self, code: RedeemCode) -> None:
        """Write who has redeemed it, and when."""
        ...

    def revoke(self, name: str, at: float) -> int:
        """Revoke those that nobody has redeemed or revoked, by the id of one or of a batch; how many."""
        ...

    def count_redeemed(self, batch_id: str, customer_id: str) -> int:
        """How many codes of a batch the customer has redeemed."""
        ...

    def redeemed(self, customer_id: str, *, before: tuple[float, str] | None, limit: int) -> list[RedeemCode]:
        """What a customer has redeemed, newest first, below the time and id `before` if given."""
        ...

    def list(self, *, batch_id: str | None, before: str | None, limit: int) -> list[RedeemCode]:
        """Codes, newest first, below the id `before`, of one batch if it is given."""
        ...

    def scan_redeemed(self) -> Iterator[RedeemCode | Damaged]:
        """Every code that somebody has redeemed, streamed; for `verify`."""
        ...
