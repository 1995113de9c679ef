"""Promotion money: its lots, how much of it a hold has, and redeem codes.

On the way down lots and codes are lost. What customers have of promotion money stays in their accounts, and what holds
have of it counts as available money.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME: sa.Double[float] = sa.Double()
IS_LEFT = sa.text("left_nanos > 0")
IS_REDEEMED = sa.text("customer_id IS NOT NULL")
_HELD = "promotion_nanos >= 0 AND promotion_nanos <= amount_nanos - settled_nanos - released_nanos"


def upgrade() -> None:
    """Add a column, with its check, which SQLite adds in the same statement only; create the tables."""
    check = f"CONSTRAINT ck_holds_promotion CHECK ({_HELD})"
    op.execute(f"ALTER TABLE holds ADD COLUMN promotion_nanos BIGINT DEFAULT 0 NOT NULL {check}")
    _promotions()
    _redeem_codes()


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("redeem_codes")
    op.drop_table("promotions")
    op.drop_column("holds", "promotion_nanos")


def _promotions() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", ID, nullable=False),
        sa.Column("book", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("amount_nanos", sa.BigInteger(), nullable=False),
        sa.Column("left_nanos", sa.BigInteger(), nullable=False),
        sa.Column("expired_nanos", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("cause", ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("amount_nanos > 0", name=op.f("ck_promotions_amount")),
        sa.CheckConstraint(
            "left_nanos >= 0 AND expired_nanos >= 0 AND left_nanos + expired_nanos <= amount_nanos",
            name=op.f("ck_promotions_left"),
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_promotions_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotions")),
        sa.UniqueConstraint("cause", name=op.f("uq_promotions_cause")),
    )
    op.create_index(op.f("ix_promotions_customer_id_id"), "promotions", ["customer_id", "id"])
    for name, columns in (("ix_promotions_left", ["customer_id", "book"]), ("ix_promotions_due", ["expires_at"])):
        op.create_index(name, "promotions", columns, sqlite_where=IS_LEFT, postgresql_where=IS_LEFT)


def _redeem_codes() -> None:
    op.create_table(
        "redeem_codes",
        sa.Column("id", ID, nullable=False),
        sa.Column("batch_id", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("hint", ID, nullable=False),
        sa.Column("amount_nanos", sa.BigInteger(), nullable=False),
        sa.Column("money_days", sa.BigInteger()),
        sa.Column("customer_max", sa.BigInteger()),
        sa.Column("expires_at", TIME),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.Column("customer_id", ID),
        sa.Column("redeemed_at", TIME),
        sa.CheckConstraint("amount_nanos > 0", name=op.f("ck_redeem_codes_amount")),
        sa.CheckConstraint("(customer_id IS NULL) = (redeemed_at IS NULL)", name=op.f("ck_redeem_codes_redeemed")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_redeem_codes_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redeem_codes")),
        sa.UniqueConstraint("digest", name=op.f("uq_redeem_codes_digest")),
    )
    op.create_index(op.f("ix_redeem_codes_batch_id_id"), "redeem_codes", ["batch_id", "id"])
    op.create_index(
        "ix_redeem_codes_redeemed",
        "redeem_codes",
        ["customer_id", "redeemed_at", "id"],
        sqlite_where=IS_REDEEMED,
        postgresql_where=IS_REDEEMED,
    )
