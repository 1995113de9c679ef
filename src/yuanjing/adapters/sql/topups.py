"""Top-ups, refunds, notifications and bills in SQL."""

import datetime as dt
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

import msgspec
import sqlalchemy as sa

from yuanjing.adapters.sql.topup_tables import IS_DUE, IS_FLAGGED, IS_REFUND_DUE, bills, notifications, refunds, topups
from yuanjing.adapters.sql.work import Work, dump, insert, lockable, to_fields, to_row
from yuanjing.domain.bills import BillFinding, BillReport
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.money import Book
from yuanjing.domain.topups import KeptNotification, PayWay, Refund, RefundState, TopUp, TopUpState, Verdict
from yuanjing.kit.text import is_storable
from yuanjing.ports.damage import Damaged, readable
from yuanjing.ports.topups import TopUpFilter

_TOPUP_CHANGES = (
    "state", "next_at", "checks", "asked_at", "upstream_id", "paid_at", "credited_at", "closed_at", "refunded_nanos",
    "flag", "note",
)  # fmt: skip
_REFUND_CHANGES = ("state", "next_at", "checks", "ended_at", "note")
_ADD = insert(topups).on_conflict_do_nothing().returning(topups.c.id)
_ONE = sa.select(topups).where(topups.c.id == sa.bindparam("topup"))
_BY_NUMBER = lockable(sa.select(topups).where(topups.c.number == sa.bindparam("topup")))
_SAVE = (
    sa.update(topups)
    .where(topups.c.id == sa.bindparam("topup"))
    .values({name: sa.bindparam(f"new_{name}") for name in _TOPUP_CHANGES})
)
_NEWEST_FIRST = sa.select(topups).order_by(topups.c.id.desc())
_DUE = (
    sa.select(topups)
    .where(IS_DUE, topups.c.next_at <= sa.bindparam("moment"))
    .order_by(topups.c.next_at, topups.c.id)
    .limit(sa.bindparam("limit"))
)
_PAID = (
    sa.select(topups)
    .where(
        topups.c.method == sa.bindparam("by"),
        topups.c.paid_at >= sa.bindparam("first"),
        topups.c.paid_at < sa.bindparam("last"),
    )
    .order_by(topups.c.paid_at, topups.c.id)
)
_ADD_REFUND = insert(refunds).on_conflict_do_nothing().returning(refunds.c.id)
_REFUND = lockable(sa.select(refunds).where(refunds.c.id == sa.bindparam("refund")))
_SAVE_REFUND = (
    sa.update(refunds)
    .where(refunds.c.id == sa.bindparam("refund"))
    .values({name: sa.bindparam(f"new_{name}") for name in _REFUND_CHANGES})
)
_ALL_REFUNDS = sa.select(refunds).order_by(refunds.c.id)
_REFUNDS = sa.select(refunds).where(refunds.c.topup_id == sa.bindparam("topup")).order_by(refunds.c.id)
_DUE_REFUNDS = (
    sa.select(refunds)
    .where(IS_REFUND_DUE, refunds.c.next_at <= sa.bindparam("moment"))
    .order_by(refunds.c.next_at, refunds.c.id)
    .limit(sa.bindparam("limit"))
)
_REFUNDED = (
    sa.select(refunds)
    .join(topups, topups.c.id == refunds.c.topup_id)
    .where(
        topups.c.method == sa.bindparam("by"),
        refunds.c.state == RefundState.DONE.value,
        refunds.c.ended_at >= sa.bindparam("first"),
        refunds.c.ended_at < sa.bindparam("last"),
    )
    .order_by(refunds.c.ended_at, refunds.c.id)
)
_KEEP = sa.insert(notifications)
_OLD = (
    sa.select(notifications.c.id)
    .where(notifications.c.received_at < sa.bindparam("moment"), notifications.c.verdict == sa.bindparam("what"))
    .limit(sa.bindparam("limit"))
)
_PRUNE = sa.delete(notifications).where(notifications.c.id.in_(_OLD.scalar_subquery()))
_BILL_KEY = [bills.c.method, bills.c.day]
_ADD_BILL = insert(bills)
_SAVE_BILL = _ADD_BILL.on_conflict_do_update(
    index_elements=_BILL_KEY,
    set_={one.name: _ADD_BILL.excluded[one.name] for one in bills.c if not one.primary_key},
)
_BILL = sa.select(bills).where(bills.c.method == sa.bindparam("by"), bills.c.day == sa.bindparam("date"))
_ALL = sa.select(topups).order_by(topups.c.id)
_KEPT = sa.select(notifications).where(notifications.c.number == sa.bindparam("order")).order_by(notifications.c.id)


class SqlTopUps:
    """See `yuanjing.ports.topups.TopUpTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def add(self, topup: TopUp) -> None:
        """See the port."""
        if self._work.first(_ADD, **to_row(topups, topup)) is None:
            raise AlreadyExistsError(f"top-up {topup.id}, or its number, exists")

    def get(self, topup_id: str) -> TopUp | None:
        """See the port."""
        row = self._work.find(_ONE, topup=topup_id)
        return None if row is None else _topup(row)

    def lock(self, number: str) -> TopUp | None:
        """See the port."""
        rows = self._work.locked(_BY_NUMBER, topup=number) if is_storable(number) else ()
        return _topup(rows[0]) if rows else None

    def save(self, topup: TopUp) -> None:
        """See the port."""
        row = to_row(topups, topup)
        self._work.do(_SAVE, topup=topup.id, **{f"new_{name}": row[name] for name in _TOPUP_CHANGES})

    def due(self, at: float, limit: int) -> list[TopUp]:
        """See the port."""
        return [_topup(row) for row in self._work.rows(_DUE, moment=at, limit=limit)]

    def paid_between(self, method: str, start: float, end: float) -> list[TopUp]:
        """See the port."""
        return [_topup(row) for row in self._work.rows(_PAID, by=method, first=start, last=end)]

    def add_refund(self, refund: Refund) -> None:
        """See the port."""
        if self._work.first(_ADD_REFUND, **to_row(refunds, refund)) is None:
            raise AlreadyExistsError(f"refund {refund.id}, or its number, exists")

    def lock_refund(self, refund_id: str) -> Refund | None:
        """See the port."""
        rows = self._work.locked(_REFUND, refund=refund_id)
        return _refund(rows[0]) if rows else None

    def save_refund(self, refund: Refund) -> None:
        """See the port."""
        row = to_row(refunds, refund)
        self._work.do(_SAVE_REFUND, refund=refund.id, **{f"new_{name}": row[name] for name in _REFUND_CHANGES})

    def refunds(self, topup_id: str) -> list[Refund]:
        """See the port."""
        return [_refund(row) for row in self._work.rows(_REFUNDS, topup=topup_id)]

    def due_refunds(self, at: float, limit: int) -> list[Refund]:
        """See the port."""
        return [_refund(row) for row in self._work.rows(_DUE_REFUNDS, moment=at, limit=limit)]

    def refunds_between(self, method: str, start: float, end: float) -> list[tuple[TopUp, Refund]]:
        """See the port."""
        found = [_refund(row) for row in self._work.rows(_REFUNDED, by=method, first=start, last=end)]
        orders = {refund.topup_id: self.get(refund.topup_id) for refund in found}
        return [(order, refund) for refund in found if (order := orders[refund.topup_id]) is not None]

    def keep(self, notification: KeptNotification) -> None:
        """See the port."""
        self._work.do(_KEEP, **to_row(notifications, notification))

    def notifications(self, number: str) -> list[KeptNotification]:
        """See the port."""
        return [_notification(row) for row in self._work.rows(_KEPT, order=number)]

    def prune(self, verdict: Verdict, before: float, limit: int) -> int:
        """See the port."""
        return self._work.do(_PRUNE, what=verdict.value, moment=before, limit=limit)

    def save_bill(self, report: BillReport) -> None:
        """See the port."""
        row = to_row(bills, report) | {"day": report.day.isoformat(), "findings": dump(report.findings)}
        self._work.do(_SAVE_BILL, **row)

    def bill(self, method: str, day: dt.date) -> BillReport | None:
        """See the port."""
        row = self._work.find(_BILL, by=method, date=day.isoformat())
        return None if row is None else _bill(row)

    def scan(self) -> Iterator[TopUp | Damaged]:
        """See the port."""
        for row in self._work.stream(_ALL):
            yield readable(row.id, partial(_topup, row))

    def scan_refunds(self) -> Iterator[tuple[TopUp, Refund] | Damaged]:
        """See the port."""
        for row in self._work.stream(_ALL_REFUNDS):
            yield readable(row.id, partial(self._pair, row))

    def _pair(self, row: sa.Row[Any]) -> tuple[TopUp, Refund]:
        topup = self.get(row.topup_id)
        if topup is None:
            raise LookupError("its top-up is gone")
        return topup, _refund(row)

    def list(self, where: TopUpFilter) -> list[TopUp]:
        """See the port."""
        statement = _NEWEST_FIRST.limit(where.limit)
        for name in ("customer_id", "method", "state"):
            value: str | None = getattr(where, name)
            if value is not None:
                statement = statement.where(topups.c[name] == str(value))
        if where.is_flagged is not None:
            statement = statement.where(IS_FLAGGED if where.is_flagged else sa.not_(IS_FLAGGED))
        if where.before is not None:
            statement = statement.where(topups.c.id < where.before)
        return [_topup(row) for row in self._work.rows(statement)]


def _topup(row: sa.Row[Any]) -> TopUp:
    fields = to_fields(row)
    fields |= {"book": Book(row.book), "way": PayWay(row.way), "state": TopUpState(row.state)}
    return TopUp(**fields)


def _refund(row: sa.Row[Any]) -> Refund:
    fields = to_fields(row)
    fields["state"] = RefundState(row.state)
    return Refund(**fields)


def _notification(row: sa.Row[Any]) -> KeptNotification:
    fields = to_fields(row)
    fields |= {"verdict": Verdict(row.verdict), "raw": bytes(row.raw)}
    return KeptNotification(**fields)


def _bill(row: sa.Row[Any]) -> BillReport:
    fields = to_fields(row)
    findings = msgspec.json.decode(cast("str", row.findings), type=tuple[BillFinding, ...])
    fields |= {"day": dt.date.fromisoformat(row.day), "findings": findings}
    return BillReport(**fields)
