"""The audit log: its rows, and the heads of its streams. On the way down it is lost."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME: sa.Double[float] = sa.Double()
IS_OF_CUSTOMER = sa.text("customer_id IS NOT NULL")


def upgrade() -> None:
    """Create the tables; the first event makes the heads, since their seal needs a key."""
    op.create_table(
        "audit_rows",
        sa.Column("stream", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor_kind", ID, nullable=False),
        sa.Column("actor_id", ID, nullable=False),
        sa.Column("address", ID, nullable=False),
        sa.Column("action", ID, nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("customer_id", ID),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "number", name=op.f("pk_audit_rows")),
        sa.UniqueConstraint("id", name=op.f("uq_audit_rows_id")),
    )
    op.create_index(op.f("ix_audit_rows_customer_id_id"), "audit_rows", ["customer_id", "id"])
    op.create_index(op.f("ix_audit_rows_subject_id"), "audit_rows", ["subject", "id"])
    op.create_index(
        "ix_audit_rows_recent",
        "audit_rows",
        ["customer_id", "action", "at"],
        sqlite_where=IS_OF_CUSTOMER,
        postgresql_where=IS_OF_CUSTOMER,
    )
    op.create_table(
        "audit_heads",
        sa.Column("stream", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("base_number", sa.BigInteger(), nullable=False),
        sa.Column("base_hash", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_audit_heads")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("audit_heads")
    op.drop_table("audit_rows")
