"""Customers: signing in, top-ups, and usage by day, which is added up from the usages that are there."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME: sa.Double[float] = sa.Double()
IS_DUE = sa.text("next_at IS NOT NULL")
IS_FLAGGED = sa.text("flag != ''")
_DAY = {
    "sqlite": "CAST((posted_at + 28800) / 86400 AS INTEGER)",
    "postgresql": "CAST(floor((posted_at + 28800) / 86400) AS BIGINT)",
}
_METER = {
    "sqlite": "coalesce(sum(json_extract(meters, '$.{0}')), 0)",
    "postgresql": "coalesce(sum(CAST(CAST(meters AS json) ->> '{0}' AS BIGINT)), 0)",
}


def upgrade() -> None:
    """Add a column, create the tables, and add up what was used."""
    op.add_column("customers", sa.Column("language", ID))
    _challenges()
    _sessions()
    _factors()
    _topups()
    _refunds()
    _notifications()
    _usage_days()


def downgrade() -> None:
    """Drop what was added."""
    for table in ("usage_days", "notifications", "refunds", "topups", "factors", "sessions", "challenges"):
        op.drop_table(table)
    op.drop_column("customers", "language")


def _challenges() -> None:
    op.create_table(
        "challenges",
        sa.Column("id", ID, nullable=False),
        sa.Column("mobile", ID, nullable=False),
        sa.Column("purpose", ID, nullable=False),
        sa.Column("browser_digest", sa.LargeBinary(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary()),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("address", ID, nullable=False),
        sa.Column("cost_nanos", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", TIME),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_challenges_attempts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_challenges")),
    )
    op.create_index(op.f("ix_challenges_mobile_created_at"), "challenges", ["mobile", "created_at"])
    op.create_index(op.f("ix_challenges_address_created_at"), "challenges", ["address", "created_at"])
    op.create_index(op.f("ix_challenges_created_at"), "challenges", ["created_at"])


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("address", ID, nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("idle_seconds", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_sessions_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_sessions_digest")),
    )
    op.create_index(op.f("ix_sessions_customer_id_created_at"), "sessions", ["customer_id", "created_at"])
    op.create_index(op.f("ix_sessions_ends_at"), "sessions", ["ends_at"])


def _factors() -> None:
    op.create_table(
        "factors",
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("totp_secret", sa.LargeBinary()),
        sa.Column("totp_pending", sa.LargeBinary()),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("recovery_digests", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("failed_at", TIME, nullable=False),
        sa.Column("locked_until", TIME, nullable=False),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_factors_failures")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_factors_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_factors")),
    )


def _topups() -> None:
    op.create_table(
        "topups",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.Column("book", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("method", ID, nullable=False),
        sa.Column("way", ID, nullable=False),
        sa.Column("amount_nanos", sa.BigInteger(), nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("next_at", TIME),
        sa.Column("checks", sa.BigInteger(), nullable=False),
        sa.Column("upstream_id", ID, nullable=False),
        sa.Column("paid_at", TIME),
        sa.Column("credited_at", TIME),
        sa.Column("closed_at", TIME),
        sa.Column("refunded_nanos", sa.BigInteger(), nullable=False),
        sa.Column("flag", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("amount_nanos > 0", name=op.f("ck_topups_amount")),
        sa.CheckConstraint("refunded_nanos >= 0 AND refunded_nanos <= amount_nanos", name=op.f("ck_topups_refunded")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_topups_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topups")),
        sa.UniqueConstraint("number", name=op.f("uq_topups_number")),
    )
    op.create_index(op.f("ix_topups_customer_id_id"), "topups", ["customer_id", "id"])
    op.create_index(op.f("ix_topups_method_credited_at"), "topups", ["method", "credited_at"])
    op.create_index("ix_topups_due", "topups", ["next_at"], sqlite_where=IS_DUE, postgresql_where=IS_DUE)
    op.create_index("ix_topups_flagged", "topups", ["id"], sqlite_where=IS_FLAGGED, postgresql_where=IS_FLAGGED)


def _refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("id", ID, nullable=False),
        sa.Column("topup_id", ID, nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.Column("amount_nanos", sa.BigInteger(), nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("next_at", TIME),
        sa.Column("checks", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("amount_nanos > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(["topup_id"], ["topups.id"], name=op.f("fk_refunds_topup_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("topup_id", "number", name=op.f("uq_refunds_topup_id_number")),
    )
    op.create_index(op.f("ix_refunds_ended_at"), "refunds", ["ended_at"])
    op.create_index("ix_refunds_due", "refunds", ["next_at"], sqlite_where=IS_DUE, postgresql_where=IS_DUE)


def _notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", ID, nullable=False),
        sa.Column("method", ID, nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.Column("verdict", ID, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index(op.f("ix_notifications_number_id"), "notifications", ["number", "id"])
    op.create_index(op.f("ix_notifications_received_at"), "notifications", ["received_at"])


def _usage_days() -> None:
    op.create_table(
        "usage_days",
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("book", ID, nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("model", ID, nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("charge_nanos", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("requests > 0", name=op.f("ck_usage_days_requests")),
        sa.CheckConstraint("charge_nanos >= 0", name=op.f("ck_usage_days_charge")),
        sa.PrimaryKeyConstraint("customer_id", "book", "day", "key_id", "model", name=op.f("pk_usage_days")),
    )
    op.create_index(op.f("ix_usage_days_key_id_day"), "usage_days", ["key_id", "day"])
    kind = op.get_bind().dialect.name
    day, meter = _DAY[kind], _METER[kind]
    amounts = f"{meter.format('input_tokens')}, {meter.format('output_tokens')}, sum(charge_nanos)"
    names = "customer_id, book, day, key_id, model, requests, input_tokens, output_tokens, charge_nanos"
    values = f"customer_id, book, {day}, key_id, model, count(*), {amounts}"
    group = f"GROUP BY customer_id, book, {day}, key_id, model"
    op.execute(f"INSERT INTO usage_days ({names}) SELECT {values} FROM usages {group}")  # noqa: S608  # our own words
