"""Usage by key, model, operation and time, however much of it there is; and the public keys of receipts."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME: sa.Double[float] = sa.Double()
IS_NOT_CHAT = sa.text("operation != 'chat'")
_OF_CUSTOMER = ["customer_id", "posted_at", "id"]
_ADDED = (
    ["customer_id", "book", "posted_at", "id"],
    ["customer_id", "book", "model", "posted_at", "id"],
    ["key_id", "model", "posted_at", "id"],
)


def upgrade() -> None:
    """Add the indexes and the table; the index that one of them replaces goes."""
    op.drop_index(_name(_OF_CUSTOMER), "usages")
    for columns in _ADDED:
        op.create_index(_name(columns), "usages", columns)
    op.create_index(
        "ix_usages_not_chat",
        "usages",
        ["customer_id", "book", "operation", "posted_at", "id"],
        sqlite_where=IS_NOT_CHAT,
        postgresql_where=IS_NOT_CHAT,
    )
    op.create_table(
        "receipt_keys",
        sa.Column("id", ID, nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt_keys")),
    )


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("receipt_keys")
    op.drop_index("ix_usages_not_chat", "usages")
    for columns in reversed(_ADDED):
        op.drop_index(_name(columns), "usages")
    op.create_index(_name(_OF_CUSTOMER), "usages", _OF_CUSTOMER)


def _name(columns: list[str]) -> str:
    return op.f(f"ix_usages_{'_'.join(columns)}")
