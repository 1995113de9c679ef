"""Lots of promotion money, and redeem codes, in memory."""

from collections.abc import Iterator
from dataclasses import replace

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.money import Book
from yuanjing.domain.promotions import Lot
from yuanjing.domain.redemptions import RedeemCode


class MemoryPromotions:
    """See `yuanjing.ports.promotions.PromotionTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[str, Lot] = {}

    def add(self, lot: Lot) -> None:
        """See the port."""
        if lot.id in self._rows or self.by_cause(lot.cause) is not None:
            raise AlreadyExistsError(f"promotion {lot.id}, or its cause, exists")
        self._journal.put(self._rows, lot.id, lot)

    def save(self, *lots: Lot) -> None:
        """See the port."""
        for lot in lots:
            old = self._rows.get(lot.id)
            if old is not None:
                changed = replace(old, left_nanos=lot.left_nanos, expired_nanos=lot.expired_nanos)
                self._journal.put(self._rows, lot.id, changed)

    def by_cause(self, cause: str) -> Lot | None:
        """See the port."""
        return next((lot for lot in self._rows.values() if lot.cause == cause), None)

    def open_of_customer(self, book: Book, customer_id: str) -> list[Lot]:
        """See the port."""
        return [lot for lot in self.scan() if lot.left_nanos and (lot.book, lot.customer_id) == (book, customer_id)]

    def due(self, at: float, limit: int, *, after: tuple[str, Book] | None) -> list[tuple[str, Book]]:
        """See the port."""
        found = {(lot.customer_id, lot.book) for lot in self._rows.values() if lot.left_nanos and lot.is_expired(at)}
        return sorted(one for one in found if after is None or one > after)[:limit]

    def list(self, customer_id: str, *, before: str | None, limit: int) -> list[Lot]:
        """See the port."""
        found = [lot for lot in self.scan() if lot.customer_id == customer_id and (before is None or lot.id < before)]
        return found[::-1][:limit]

    def scan(self) -> Iterator[Lot]:
        """See the port."""
        yield from [self._rows[id_] for id_ in sorted(self._rows)]


class MemoryRedeemCodes:
    """See `yuanjing.ports.promotions.RedeemCodeTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[str, RedeemCode] = {}

    def add(self, *codes: RedeemCode) -> None:
        """See the port."""
        for code in codes:
            if code.id in self._rows or self.lock(code.digest) is not None:
                raise AlreadyExistsError("a code exists")
            self._journal.put(self._rows, code.id, code)

    def get(self, code_id: str) -> RedeemCode | None:
        """See the port."""
        return self._rows.get(code_id)

    def lock(self, digest: bytes) -> RedeemCode | None:
        """See the port."""
        return next((code for code in self._rows.values() if code.digest == digest), None)

    def save(self, code: RedeemCode) -> None:
        """See the port."""
        old = self._rows.get(code.id)
        if old is not None:
            changed = replace(old, customer_id=code.customer_id, redeemed_at=code.redeemed_at)
            self._journal.put(self._rows, code.id, changed)

    def revoke(self, name: str, at: float) -> int:
        """See the port."""
        open_ones = [code for code in self._rows.values() if code.customer_id is None and code.revoked_at is None]
        found = [code for code in open_ones if name in {code.id, code.batch_id}]
        for code in found:
            self._journal.put(self._rows, code.id, replace(code, revoked_at=at))
        return len(found)

    def count_redeemed(self, batch_id: str, customer_id: str) -> int:
        """See the port."""
        return sum((code.batch_id, code.customer_id) == (batch_id, customer_id) for code in self._rows.values())

    def redeemed(self, customer_id: str, *, before: tuple[float, str] | None, limit: int) -> list[RedeemCode]:
        """See the port."""
        found = [
            ((code.redeemed_at, code.id), code)
            for code in self._rows.values()
            if code.customer_id == customer_id and code.redeemed_at is not None
        ]
        below = [(key, code) for key, code in found if before is None or key < before]
        return [code for _, code in sorted(below, key=lambda one: one[0], reverse=True)][:limit]

    def list(self, *, batch_id: str | None, before: str | None, limit: int) -> list[RedeemCode]:
        """See the port."""
        found = [
            self._rows[id_]
            for id_ in sorted(self._rows, reverse=True)
            if (batch_id is None or self._rows[id_].batch_id == batch_id) and (before is None or id_ < before)
        ]
        return found[:limit]

    def scan_redeemed(self) -> Iterator[RedeemCode]:
        """See the port."""
        yield from [self._rows[id_] for id_ in sorted(self._rows) if self._rows[id_].customer_id is not None]
