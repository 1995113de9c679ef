"""Top-ups, refunds and notifications in memory."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.bills import BillReport
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.topups import KeptNotification, Refund, RefundState, TopUp, Verdict
from yuanjing.ports.topups import TopUpFilter


class MemoryTopUps:
    """See `yuanjing.ports.topups.TopUpTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._topups: dict[str, TopUp] = {}
        self._refunds: dict[str, Refund] = {}
        self._kept: dict[str, KeptNotification] = {}
        self._bills: dict[tuple[str, dt.date], BillReport] = {}

    def add(self, topup: TopUp) -> None:
        """See the port."""
        if topup.id in self._topups or self.lock(topup.number) is not None:
            raise AlreadyExistsError(f"top-up {topup.id}, or its number, exists")
        self._journal.put(self._topups, topup.id, topup)

    def get(self, topup_id: str) -> TopUp | None:
        """See the port."""
        return self._topups.get(topup_id)

    def lock(self, number: str) -> TopUp | None:
        """See the port."""
        return next((one for one in self._topups.values() if one.number == number), None)

    def save(self, topup: TopUp) -> None:
        """See the port."""
        old = self._topups[topup.id]
        changed = replace(topup, amount_nanos=old.amount_nanos, customer_id=old.customer_id, number=old.number)
        self._journal.put(self._topups, topup.id, changed)

    def due(self, at: float, limit: int) -> list[TopUp]:
        """See the port."""
        due = [(one.next_at, one.id) for one in self._topups.values() if one.next_at is not None and one.next_at <= at]
        return [self._topups[id_] for _, id_ in sorted(due)[:limit]]

    def paid_between(self, method: str, start: float, end: float) -> list[TopUp]:
        """See the port."""
        found = [
            (one.paid_at, one.id)
            for one in self._topups.values()
            if one.method == method and one.paid_at is not None and start <= one.paid_at < end
        ]
        return [self._topups[id_] for _, id_ in sorted(found)]

    def add_refund(self, refund: Refund) -> None:
        """See the port."""
        if refund.id in self._refunds or any(one.number == refund.number for one in self.refunds(refund.topup_id)):
            raise AlreadyExistsError(f"refund {refund.id}, or its number, exists")
        self._journal.put(self._refunds, refund.id, refund)

    def lock_refund(self, refund_id: str) -> Refund | None:
        """See the port."""
        return self._refunds.get(refund_id)

    def save_refund(self, refund: Refund) -> None:
        """See the port."""
        old = self._refunds[refund.id]
        self._journal.put(self._refunds, refund.id, replace(refund, amount_nanos=old.amount_nanos, number=old.number))

    def refunds(self, topup_id: str) -> list[Refund]:
        """See the port."""
        return sorted((one for one in self._refunds.values() if one.topup_id == topup_id), key=lambda one: one.id)

    def due_refunds(self, at: float, limit: int) -> list[Refund]:
        """See the port."""
        due = [(one.next_at, one.id) for one in self._refunds.values() if one.next_at is not None and one.next_at <= at]
        return [self._refunds[id_] for _, id_ in sorted(due)[:limit]]

    def refunds_between(self, method: str, start: float, end: float) -> list[tuple[TopUp, Refund]]:
        """See the port."""
        found = [
            (one.ended_at, one.id)
            for one in self._refunds.values()
            if one.state is RefundState.DONE and one.ended_at is not None and start <= one.ended_at < end
        ]
        pairs = [(self._topups[self._refunds[id_].topup_id], self._refunds[id_]) for _, id_ in sorted(found)]
        return [(order, refund) for order, refund in pairs if order.method == method]

    def keep(self, notification: KeptNotification) -> None:
        """See the port."""
        self._journal.put(self._kept, notification.id, notification)

    def notifications(self, number: str) -> list[KeptNotification]:
        """See the port."""
        return sorted((one for one in self._kept.values() if one.number == number), key=lambda one: one.id)

    def prune(self, verdict: Verdict, before: float, limit: int) -> int:
        """See the port."""
        old = [one.id for one in self._kept.values() if one.verdict is verdict and one.received_at < before][:limit]
        for id_ in old:
            self._journal.remove(self._kept, id_)
        return len(old)

    def save_bill(self, report: BillReport) -> None:
        """See the port."""
        self._journal.put(self._bills, (report.method, report.day), report)

    def bill(self, method: str, day: dt.date) -> BillReport | None:
        """See the port."""
        return self._bills.get((method, day))

    def scan(self) -> Iterator[TopUp]:
        """See the port."""
        yield from self._topups.values()

    def scan_refunds(self) -> Iterator[tuple[TopUp, Refund]]:
        """See the port."""
        yield from ((self._topups[one.topup_id], one) for one in self._refunds.values())

    def list(self, where: TopUpFilter) -> list[TopUp]:
        """See the port."""
        found = [one for one in self._topups.values() if _matches(one, where)]
        return sorted(found, key=lambda one: one.id, reverse=True)[: where.limit]


def _matches(topup: TopUp, where: TopUpFilter) -> bool:
    return (
        where.customer_id in (None, topup.customer_id)
        and where.method in (None, topup.method)
        and where.state in (None, topup.state)
        and where.is_flagged in (None, topup.flag != "")
        and (where.before is None or topup.id < where.before)
    )
