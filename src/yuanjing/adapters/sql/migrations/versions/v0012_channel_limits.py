"""Limits of channels: requests and tokens a minute, and requests at once."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_LIMITS = ("requests_per_minute", "tokens_per_minute", "concurrency")


def upgrade() -> None:
    """Add the columns; channels that exist have no limits."""
    for name in _LIMITS:
        op.add_column("channels", sa.Column(name, sa.BigInteger()))


def downgrade() -> None:
    """Take them away."""
    for name in reversed(_LIMITS):
        op.drop_column("channels", name)
