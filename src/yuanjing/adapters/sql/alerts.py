"""Notices about low balances in SQL."""

from typing import Any

import sqlalchemy as sa

from yuanjing.adapters.sql.tables import ID, METADATA, NANOS, TIME
from yuanjing.adapters.sql.work import Work, insert, lockable, to_fields, to_row
from yuanjing.domain.alerts import BalanceAlert

balance_alerts = sa.Table(
    "balance_alerts",
    METADATA,
    sa.Column("customer_id", ID, sa.ForeignKey("customers.id"), primary_key=True),
    sa.Column("below_nanos", NANOS),
    sa.Column("is_armed", sa.Boolean(), nullable=False),
    sa.Column("claimed_at", TIME),
    sa.Column("told_at", TIME),
    sa.CheckConstraint("below_nanos > 0", name="below"),
)
_HAS_LINE = balance_alerts.c.below_nanos.is_not(None)
_ONE = lockable(sa.select(balance_alerts).where(balance_alerts.c.customer_id == sa.bindparam("customer")))
_PUT = insert(balance_alerts)
_SAVE = _PUT.on_conflict_do_update(
    index_elements=list(balance_alerts.primary_key),
    set_={column.name: _PUT.excluded[column.name] for column in balance_alerts.c if not column.primary_key},
)
_LIST = (
    sa.select(balance_alerts)
    .where(_HAS_LINE, balance_alerts.c.customer_id > sa.bindparam("after"))
    .order_by(balance_alerts.c.customer_id)
    .limit(sa.bindparam("limit"))
)


class SqlAlerts:
    """See `yuanjing.ports.alerts.AlertTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def lock(self, customer_id: str) -> BalanceAlert:
        """See the port."""
        rows = self._work.locked(_ONE, customer=customer_id)
        return _from_row(rows[0]) if rows else BalanceAlert(customer_id=customer_id)

    def save(self, alert: BalanceAlert) -> None:
        """See the port."""
        self._work.do(_SAVE, **to_row(balance_alerts, alert))

    def list(self, *, after: str | None, limit: int) -> list[BalanceAlert]:
        """See the port."""
        return [_from_row(row) for row in self._work.rows(_LIST, after=after or "", limit=limit)]


def _from_row(row: sa.Row[Any]) -> BalanceAlert:
    return BalanceAlert(**to_fields(row))
