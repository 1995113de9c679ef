"""The rows of top-ups, refunds, notifications and compared bills."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from yuanjing.domain.bills import BillReport
from yuanjing.domain.topups import KeptNotification, Refund, TopUp, TopUpState, Verdict
from yuanjing.ports.damage import Damaged


@dataclass(frozen=True, kw_only=True, slots=True)
class TopUpFilter:
    """Which top-ups to list, newest first; None means any. `before` is the id of the last one seen."""

    customer_id: str | None = None
    method: str | None = None
    state: TopUpState | None = None
    is_flagged: bool | None = None
    before: str | None = None
    limit: int = 50


class TopUpTable(Protocol):
    """Top-ups and what belongs to them."""

    def add(self, topup: TopUp) -> None:
        """Insert.

        Raises:
            AlreadyExistsError: the id or the number exists.
        """
        ...

    def get(self, topup_id: str) -> TopUp | None:
        """One by id."""
        ...

    def lock(self, number: str) -> TopUp | None:
        """One by its number, locked until the end of the unit of work."""
        ...

    def save(self, topup: TopUp) -> None:
        """Write everything that changes."""
        ...

    def due(self, at: float, limit: int) -> list[TopUp]:
        """Those whose `next_at` has come, oldest first."""
        ...

    def paid_between(self, method: str, start: float, end: float) -> Sequence[TopUp]:
        """Those of a method that were paid within [start, end), oldest first, for its bill."""
        ...

    def add_refund(self, refund: Refund) -> None:
        """Insert.

        Raises:
            AlreadyExistsError: the id or its number within the top-up exists.
        """
        ...

    def lock_refund(self, refund_id: str) -> Refund | None:
        """One refund, locked."""
        ...

    def save_refund(self, refund: Refund) -> None:
        """Write everything that changes."""
        ...

    def refunds(self, topup_id: str) -> Sequence[Refund]:
        """Those of a top-up, oldest first."""
        ...

    def due_refunds(self, at: float, limit: int) -> Sequence[Refund]:
        """Those whose `next_at` has come, oldest first."""
        ...

    def refunds_between(self, method: str, start: float, end: float) -> Sequence[tuple[TopUp, Refund]]:
        """Those of a method that were done within [start, end), oldest first, for its bill."""
        ...

    def keep(self, notification: KeptNotification) -> None:
        """Keep a notification with its verdict."""
        ...

    def notifications(self, number: str) -> Sequence[KeptNotification]:
        """Those of an order, oldest first."""
        ...

    def prune(self, verdict: Verdict, before: float, limit: int) -> int:
        """Remove notifications with a verdict that came before a time; how many."""
        ...

    def save_bill(self, report: BillReport) -> None:
        """Keep a compared bill; one of the same method and day is replaced."""
        ...

    def bill(self, method: str, day: dt.date) -> BillReport | None:
        """The compared bill of a day."""
        ...

    def scan(self) -> Iterator[TopUp | Damaged]:
        """All top-ups, one after another."""
        ...

    def scan_refunds(self) -> Iterator[tuple[TopUp, Refund] | Damaged]:
        """All refunds with their top-ups, one after another."""
        ...

    def list(self, where: TopUpFilter) -> list[TopUp]:
        """Some, newest first."""
        ...
