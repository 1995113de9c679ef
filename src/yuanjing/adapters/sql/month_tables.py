"""What the entries of customers' accounts come to by month: written with them: no statement adds up millions."""

import sqlalchemy as sa

from yuanjing.adapters.sql.tables import COUNT, ID, METADATA, NANOS

account_months = sa.Table(
    "account_months",
    METADATA,
    sa.Column("book", ID, primary_key=True),
    sa.Column("account", ID, primary_key=True),
    sa.Column("month", COUNT, primary_key=True),
    sa.Column("reason", ID, primary_key=True),
    sa.Column("entries", COUNT, nullable=False),
    sa.Column("amount_nanos", NANOS, nullable=False),
    sa.Column("first_version", COUNT, nullable=False),
    sa.Column("last_version", COUNT, nullable=False),
    sa.ForeignKeyConstraint(["book", "account"], ["accounts.book", "accounts.name"]),
    sa.CheckConstraint("entries > 0 AND first_version > 0", name="entries"),
    sa.CheckConstraint("last_version >= first_version + entries - 1", name="versions"),
)
"""`month` counts months of UTC+8 since January 1970; see `yuanjing.domain.statements`."""
