"""The tables of promotion money: its lots, and the codes that it can be had for."""

import sqlalchemy as sa

from yuanjing.adapters.sql.tables import COUNT, ID, METADATA, NANOS, TIME

promotions = sa.Table(
    "promotions",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("book", ID, nullable=False),
    sa.Column("customer_id", ID, sa.ForeignKey("customers.id"), nullable=False),
    sa.Column("amount_nanos", NANOS, nullable=False),
    sa.Column("left_nanos", NANOS, nullable=False),
    sa.Column("expired_nanos", NANOS, nullable=False),
    sa.Column("expires_at", TIME),
    sa.Column("cause", ID, nullable=False, unique=True),
    sa.Column("created_at", TIME, nullable=False),
    sa.CheckConstraint("amount_nanos > 0", name="amount"),
    sa.CheckConstraint(
        "left_nanos >= 0 AND expired_nanos >= 0 AND left_nanos + expired_nanos <= amount_nanos", name="left"
    ),
    sa.Index(None, "customer_id", "id"),
)
IS_LEFT = promotions.c.left_nanos > sa.literal_column("0")
sa.Index(
    "ix_promotions_left",
    promotions.c.customer_id,
    promotions.c.book,
    sqlite_where=IS_LEFT,
    postgresql_where=IS_LEFT,
)
sa.Index("ix_promotions_due", promotions.c.expires_at, sqlite_where=IS_LEFT, postgresql_where=IS_LEFT)

redeem_codes = sa.Table(
    "redeem_codes",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("batch_id", ID, nullable=False),
    sa.Column("digest", sa.LargeBinary(), nullable=False, unique=True),
    sa.Column("hint", ID, nullable=False),
    sa.Column("amount_nanos", NANOS, nullable=False),
    sa.Column("money_days", COUNT),
    sa.Column("customer_max", COUNT),
    sa.Column("expires_at", TIME),
    sa.Column("note", sa.Text(), nullable=False),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("revoked_at", TIME),
    sa.Column("customer_id", ID, sa.ForeignKey("customers.id")),
    sa.Column("redeemed_at", TIME),
    sa.CheckConstraint("amount_nanos > 0", name="amount"),
    sa.CheckConstraint("(customer_id IS NULL) = (redeemed_at IS NULL)", name="redeemed"),
    sa.Index(None, "batch_id", "id"),
)
IS_REDEEMED = redeem_codes.c.customer_id.is_not(None)
sa.Index(
    "ix_redeem_codes_redeemed",
    redeem_codes.c.customer_id,
    redeem_codes.c.redeemed_at,
    redeem_codes.c.id,
    sqlite_where=IS_REDEEMED,
    postgresql_where=IS_REDEEMED,
)
