"""The tables of top-ups: orders, refunds, every notification as it came, and compared bills."""

import sqlalchemy as sa

from yuanjing.adapters.sql.tables import COUNT, ID, METADATA, NANOS, TIME

topups = sa.Table(
    "topups",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("number", ID, nullable=False, unique=True),
    sa.Column("book", ID, nullable=False),
    sa.Column("customer_id", ID, sa.ForeignKey("customers.id"), nullable=False),
    sa.Column("method", ID, nullable=False),
    sa.Column("way", ID, nullable=False),
    sa.Column("amount_nanos", NANOS, nullable=False),
    sa.Column("state", ID, nullable=False),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("expires_at", TIME, nullable=False),
    sa.Column("next_at", TIME),
    sa.Column("checks", COUNT, nullable=False),
    sa.Column("asked_at", TIME),
    sa.Column("upstream_id", ID, nullable=False),
    sa.Column("paid_at", TIME),
    sa.Column("credited_at", TIME),
    sa.Column("closed_at", TIME),
    sa.Column("refunded_nanos", NANOS, nullable=False),
    sa.Column("flag", sa.Text(), nullable=False),
    sa.Column("note", sa.Text(), nullable=False),
    sa.CheckConstraint("amount_nanos > 0", name="amount"),
    sa.CheckConstraint("refunded_nanos >= 0 AND refunded_nanos <= amount_nanos", name="refunded"),
    sa.Index(None, "customer_id", "id"),
    sa.Index(None, "method", "paid_at"),
)
IS_DUE = topups.c.next_at.is_not(None)
sa.Index("ix_topups_due", topups.c.next_at, sqlite_where=IS_DUE, postgresql_where=IS_DUE)
IS_FLAGGED = topups.c.flag != sa.literal_column("''")
sa.Index("ix_topups_flagged", topups.c.id, sqlite_where=IS_FLAGGED, postgresql_where=IS_FLAGGED)

refunds = sa.Table(
    "refunds",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("topup_id", ID, sa.ForeignKey("topups.id"), nullable=False),
    sa.Column("number", ID, nullable=False),
    sa.Column("amount_nanos", NANOS, nullable=False),
    sa.Column("state", ID, nullable=False),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("next_at", TIME),
    sa.Column("checks", COUNT, nullable=False),
    sa.Column("ended_at", TIME),
    sa.Column("note", sa.Text(), nullable=False),
    sa.CheckConstraint("amount_nanos > 0", name="amount"),
    sa.UniqueConstraint("topup_id", "number"),
    sa.Index(None, "ended_at"),
)
IS_REFUND_DUE = refunds.c.next_at.is_not(None)
sa.Index("ix_refunds_due", refunds.c.next_at, sqlite_where=IS_REFUND_DUE, postgresql_where=IS_REFUND_DUE)

notifications = sa.Table(
    "notifications",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("method", ID, nullable=False),
    sa.Column("raw", sa.LargeBinary(), nullable=False),
    sa.Column("number", ID, nullable=False),
    sa.Column("verdict", ID, nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("received_at", TIME, nullable=False),
    sa.Index(None, "number", "id"),
    sa.Index(None, "received_at"),
)

bills = sa.Table(
    "bills",
    METADATA,
    sa.Column("method", ID, primary_key=True),
    sa.Column("day", ID, primary_key=True),
    sa.Column("checked_at", TIME, nullable=False),
    sa.Column("lines", COUNT, nullable=False),
    sa.Column("paid_nanos", NANOS, nullable=False),
    sa.Column("refunded_nanos", NANOS, nullable=False),
    sa.Column("fee_nanos", NANOS, nullable=False),
    sa.Column("findings", sa.Text(), nullable=False),
    sa.Column("findings_total", COUNT, nullable=False),
)
