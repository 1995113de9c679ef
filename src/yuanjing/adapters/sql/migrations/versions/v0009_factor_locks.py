"""Wrong one-time passwords are counted, and lock, apart from wrong passwords."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TIME: sa.Double[float] = sa.Double()
_ADDED = ("totp_failures", "totp_failed_at", "totp_locked_until")


def upgrade() -> None:
    """Add the columns; a lock that holds holds for both, as it did."""
    op.add_column("factors", sa.Column("totp_failures", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("factors", sa.Column("totp_failed_at", TIME, nullable=False, server_default="0"))
    op.add_column("factors", sa.Column("totp_locked_until", TIME, nullable=False, server_default="0"))
    op.execute("UPDATE factors SET totp_locked_until = locked_until")


def downgrade() -> None:
    """Take the columns away."""
    for name in reversed(_ADDED):
        op.drop_column("factors", name)
