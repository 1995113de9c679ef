"""The tables of signing in. Tokens, codes and recovery codes are keyed digests; a stolen table opens nothing."""

import sqlalchemy as sa

from yuanjing.adapters.sql.tables import COUNT, ID, JSON, METADATA, NANOS, TIME

challenges = sa.Table(
    "challenges",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("mobile", ID, nullable=False),
    sa.Column("purpose", ID, nullable=False),
    sa.Column("browser_digest", sa.LargeBinary(), nullable=False),
    sa.Column("code_digest", sa.LargeBinary()),
    sa.Column("receipt", sa.Text(), nullable=False),
    sa.Column("address", ID, nullable=False),
    sa.Column("cost_nanos", NANOS, nullable=False),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("expires_at", TIME, nullable=False),
    sa.Column("attempts", COUNT, nullable=False),
    sa.Column("ended_at", TIME),
    sa.CheckConstraint("attempts >= 0", name="attempts"),
    sa.Index(None, "mobile", "created_at"),
    sa.Index(None, "address", "created_at"),
    sa.Index(None, "created_at"),
)

sessions = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("customer_id", ID, sa.ForeignKey("customers.id"), nullable=False),
    sa.Column("digest", sa.LargeBinary(), nullable=False, unique=True),
    sa.Column("address", ID, nullable=False),
    sa.Column("agent", sa.Text(), nullable=False),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("seen_at", TIME, nullable=False),
    sa.Column("idle_seconds", TIME, nullable=False),
    sa.Column("ends_at", TIME, nullable=False),
    sa.Column("confirmed_at", TIME, nullable=False),
    sa.Column("ended_at", TIME),
    sa.Index(None, "customer_id", "created_at"),
    sa.Index(None, "ends_at"),
)

factors = sa.Table(
    "factors",
    METADATA,
    sa.Column("customer_id", ID, sa.ForeignKey("customers.id"), primary_key=True),
    sa.Column("password_hash", sa.Text(), nullable=False),
    sa.Column("totp_secret", sa.LargeBinary()),
    sa.Column("totp_pending", sa.LargeBinary()),
    sa.Column("totp_step", COUNT, nullable=False),
    sa.Column("recovery_digests", JSON, nullable=False),
    sa.Column("failures", COUNT, nullable=False),
    sa.Column("failed_at", TIME, nullable=False),
    sa.Column("locked_until", TIME, nullable=False),
    sa.Column("totp_failures", COUNT, nullable=False, server_default="0"),
    sa.Column("totp_failed_at", TIME, nullable=False, server_default="0"),
    sa.Column("totp_locked_until", TIME, nullable=False, server_default="0"),
    sa.CheckConstraint("failures >= 0", name="failures"),
)
