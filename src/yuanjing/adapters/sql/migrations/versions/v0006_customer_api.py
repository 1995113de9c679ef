"""Statements by month, added up from the entries there are; budgets that are set later; notices of low balances."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME: sa.Double[float] = sa.Double()
_MONTH = {
    "sqlite": (
        "(CAST(strftime('%Y', CAST(t.created_at AS INTEGER) + 28800, 'unixepoch') AS INTEGER) - 1970) * 12"
        " + CAST(strftime('%m', CAST(t.created_at AS INTEGER) + 28800, 'unixepoch') AS INTEGER) - 1"
    ),
    "postgresql": (
        "(CAST(extract(year FROM to_timestamp(floor(t.created_at) + 28800) AT TIME ZONE 'UTC') AS BIGINT) - 1970) * 12"
        " + CAST(extract(month FROM to_timestamp(floor(t.created_at) + 28800) AT TIME ZONE 'UTC') AS BIGINT) - 1"
    ),
}
"""A month of UTC+8, counted from January 1970."""


def upgrade() -> None:
    """Create the tables, and add up what was posted; an account's months never go back."""
    op.create_table(
        "account_months",
        sa.Column("book", ID, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("month", sa.BigInteger(), nullable=False),
        sa.Column("reason", ID, nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("amount_nanos", sa.BigInteger(), nullable=False),
        sa.Column("first_version", sa.BigInteger(), nullable=False),
        sa.Column("last_version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("entries > 0 AND first_version > 0", name=op.f("ck_account_months_entries")),
        sa.CheckConstraint("last_version >= first_version + entries - 1", name=op.f("ck_account_months_versions")),
        sa.ForeignKeyConstraint(
            ["book", "account"], ["accounts.book", "accounts.name"], name=op.f("fk_account_months_book_account")
        ),
        sa.PrimaryKeyConstraint("book", "account", "month", "reason", name=op.f("pk_account_months")),
    )
    month = _MONTH[op.get_bind().dialect.name]
    dated = (
        "SELECT e.book, e.account, e.version, e.amount_nanos, t.reason,"  # noqa: S608  # our own words
        f" max({month}) OVER (PARTITION BY e.book, e.account ORDER BY e.version ROWS UNBOUNDED PRECEDING) AS month"
        " FROM entries AS e JOIN transfers AS t ON t.id = e.transfer_id"
        " WHERE substr(e.account, 1, 9) = 'customer:'"
    )
    op.execute(
        "INSERT INTO account_months"  # noqa: S608  # our own words
        " (book, account, month, reason, entries, amount_nanos, first_version, last_version)"
        " SELECT book, account, month, reason, count(*), sum(amount_nanos), min(version), max(version)"
        f" FROM ({dated}) AS dated GROUP BY book, account, month, reason"
    )
    op.add_column("key_budgets", sa.Column("counted_from", TIME, nullable=False, server_default="0"))
    op.create_table(
        "balance_alerts",
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("below_nanos", sa.BigInteger()),
        sa.Column("is_armed", sa.Boolean(), nullable=False),
        sa.Column("claimed_at", TIME),
        sa.Column("told_at", TIME),
        sa.CheckConstraint("below_nanos > 0", name=op.f("ck_balance_alerts_below")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_balance_alerts_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_balance_alerts")),
    )


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("balance_alerts")
    op.drop_column("key_budgets", "counted_from")
    op.drop_table("account_months")
