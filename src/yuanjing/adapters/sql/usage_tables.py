"""What usage comes to by day: written with the usages themselves, so that no statement has to add up millions."""

import sqlalchemy as sa

from yuanjing.adapters.sql.tables import COUNT, ID, METADATA, NANOS

usage_days = sa.Table(
    "usage_days",
    METADATA,
    sa.Column("customer_id", ID, primary_key=True),
    sa.Column("book", ID, primary_key=True),
    sa.Column("day", COUNT, primary_key=True),
    sa.Column("key_id", ID, primary_key=True),
    sa.Column("model", ID, primary_key=True),
    sa.Column("requests", COUNT, nullable=False),
    sa.Column("input_tokens", COUNT, nullable=False),
    sa.Column("output_tokens", COUNT, nullable=False),
    sa.Column("charge_nanos", NANOS, nullable=False),
    sa.Index(None, "key_id", "day"),
    sa.CheckConstraint("requests > 0", name="requests"),
    sa.CheckConstraint("charge_nanos >= 0", name="charge"),
)
"""`day` counts days of UTC+8 since 1970-01-01, by the time of posting."""
