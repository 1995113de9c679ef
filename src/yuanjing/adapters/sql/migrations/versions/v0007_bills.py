"""Bills of payment methods, compared; orders are found by when they were paid, and tell when they were asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME: sa.Double[float] = sa.Double()


def upgrade() -> None:
    """Create the table, add a column and change an index."""
    op.create_table(
        "bills",
        sa.Column("method", ID, nullable=False),
        sa.Column("day", ID, nullable=False),
        sa.Column("checked_at", TIME, nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("paid_nanos", sa.BigInteger(), nullable=False),
        sa.Column("refunded_nanos", sa.BigInteger(), nullable=False),
        sa.Column("fee_nanos", sa.BigInteger(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("findings_total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("method", "day", name=op.f("pk_bills")),
    )
    op.add_column("topups", sa.Column("asked_at", TIME))
    op.drop_index(op.f("ix_topups_method_credited_at"), "topups")
    op.create_index(op.f("ix_topups_method_paid_at"), "topups", ["method", "paid_at"])


def downgrade() -> None:
    """Take it back."""
    op.drop_index(op.f("ix_topups_method_paid_at"), "topups")
    op.create_index(op.f("ix_topups_method_credited_at"), "topups", ["method", "credited_at"])
    op.drop_column("topups", "asked_at")
    op.drop_table("bills")
