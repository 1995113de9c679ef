"""Idempotency keys, with the answers that are given again."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME: sa.Double[float] = sa.Double()


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "idempotency_keys",
        sa.Column("key_id", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("usage_id", ID, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("node_id", ID),
        sa.Column("incarnation", sa.BigInteger()),
        sa.Column("task_id", ID),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        sa.Column("answer", sa.LargeBinary()),
        sa.Column("clamped_to", sa.BigInteger()),
        sa.PrimaryKeyConstraint("key_id", "digest", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_changed_at", "idempotency_keys", ["changed_at"])


def downgrade() -> None:
    """Take it away, and with it what clients' retries would have been answered."""
    op.drop_table("idempotency_keys")
