"""The first schema: every table."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME: sa.Double[float] = sa.Double()
IS_OPEN = sa.text("closed_at IS NULL")
HAS_HOLD = sa.text("hold_id IS NOT NULL")

_TABLES = (
    "accounts",
    "transfers",
    "entries",
    "holds",
    "nodes",
    "spool_positions",
    "signals",
    "usages",
    "customers",
    "api_keys",
    "key_budgets",
    "providers",
    "offers",
    "prices",
    "channels",
)


def upgrade() -> None:
    """Create everything, parents before children."""
    _ledger()
    _holds()
    _nodes()
    _usages()
    _customers()
    _catalog()


def downgrade() -> None:
    """Drop everything, children before parents."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _ledger() -> None:
    """Accounts, transfers and entries."""
    op.create_table(
        "accounts",
        sa.Column("book", ID, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("balance_nanos", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("may_go_negative", sa.Boolean(), nullable=False),
        sa.CheckConstraint("may_go_negative OR balance_nanos >= 0", name=op.f("ck_accounts_limit")),
        sa.PrimaryKeyConstraint("book", "name", name=op.f("pk_accounts")),
    )
    op.create_table(
        "transfers",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("book", ID, nullable=False),
        sa.Column("reason", ID, nullable=False),
        sa.Column("amount_nanos", sa.BigInteger(), nullable=False),
        sa.Column("debit", ID, nullable=False),
        sa.Column("credit", ID, nullable=False),
        sa.Column("hold_id", ID),
        sa.Column("corrects", ID),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("amount_nanos > 0", name=op.f("ck_transfers_amount")),
        sa.CheckConstraint("debit <> credit", name=op.f("ck_transfers_sides")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_transfers")),
        sa.UniqueConstraint("id", name=op.f("uq_transfers_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_transfers_hold_id", "transfers", ["hold_id"], sqlite_where=HAS_HOLD, postgresql_where=HAS_HOLD)
    op.create_table(
        "entries",
        sa.Column("book", ID, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("transfer_id", ID, nullable=False),
        sa.Column("amount_nanos", sa.BigInteger(), nullable=False),
        sa.Column("balance_before_nanos", sa.BigInteger(), nullable=False),
        sa.Column("balance_after_nanos", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_nanos <> 0", name=op.f("ck_entries_amount")),
        sa.CheckConstraint("balance_after_nanos = balance_before_nanos + amount_nanos", name=op.f("ck_entries_sum")),
        sa.ForeignKeyConstraint(
            ["book", "account"], ["accounts.book", "accounts.name"], name=op.f("fk_entries_book_account")
        ),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_entries_transfer_id")),
        sa.PrimaryKeyConstraint("book", "account", "version", name=op.f("pk_entries")),
    )
    op.create_index(op.f("ix_entries_transfer_id"), "entries", ["transfer_id"])


def _holds() -> None:
    """Holds and what finds the open ones."""
    op.create_table(
        "holds",
        sa.Column("id", ID, nullable=False),
        sa.Column("book", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("purpose", ID, nullable=False),
        sa.Column("amount_nanos", sa.BigInteger(), nullable=False),
        sa.Column("settled_nanos", sa.BigInteger(), nullable=False),
        sa.Column("released_nanos", sa.BigInteger(), nullable=False),
        sa.Column("owner_node", ID),
        sa.Column("owner_incarnation", sa.BigInteger()),
        sa.Column("key_id", ID),
        sa.Column("is_closing", sa.Boolean(), nullable=False),
        sa.Column("recall_requested_at", TIME),
        sa.Column("parts", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("closed_at", TIME),
        sa.CheckConstraint("amount_nanos > 0", name=op.f("ck_holds_amount")),
        sa.CheckConstraint(
            "closed_at IS NULL OR settled_nanos + released_nanos = amount_nanos", name=op.f("ck_holds_closed_empty")
        ),
        sa.CheckConstraint("released_nanos >= 0", name=op.f("ck_holds_released")),
        sa.CheckConstraint("settled_nanos + released_nanos <= amount_nanos", name=op.f("ck_holds_remaining")),
        sa.CheckConstraint("settled_nanos >= 0", name=op.f("ck_holds_settled")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_index(
        "ix_holds_open_customer", "holds", ["book", "customer_id"], sqlite_where=IS_OPEN, postgresql_where=IS_OPEN
    )
    op.create_index("ix_holds_open_expiry", "holds", ["expires_at"], sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)
    op.create_index(
        "ix_holds_open_owner",
        "holds",
        ["owner_node", "owner_incarnation"],
        sqlite_where=IS_OPEN,
        postgresql_where=IS_OPEN,
    )


def _nodes() -> None:
    """Nodes, spool positions and signals."""
    op.create_table(
        "nodes",
        sa.Column("id", ID, nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("machine", ID, nullable=False),
        sa.Column("role", ID, nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("beat_at", TIME, nullable=False),
        sa.Column("is_alive", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
    )
    op.create_table(
        "spool_positions",
        sa.Column("node_id", ID, nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("posted_seq", sa.BigInteger(), nullable=False),
        sa.Column("is_finished", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_spool_positions_node_id")),
        sa.PrimaryKeyConstraint("node_id", "incarnation", name=op.f("pk_spool_positions")),
    )
    op.create_table(
        "signals",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("topic", ID, nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_signals")),
        sqlite_autoincrement=True,
    )


def _usages() -> None:
    """Usage records."""
    op.create_table(
        "usages",
        sa.Column("id", ID, nullable=False),
        sa.Column("book", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("offer_id", ID, nullable=False),
        sa.Column("model", ID, nullable=False),
        sa.Column("operation", ID, nullable=False),
        sa.Column("channel_id", ID, nullable=False),
        sa.Column("hold_id", ID, nullable=False),
        sa.Column("price_id", ID, nullable=False),
        sa.Column("meters", sa.Text(), nullable=False),
        sa.Column("ceiling_nanos", sa.BigInteger(), nullable=False),
        sa.Column("charge_nanos", sa.BigInteger(), nullable=False),
        sa.Column("overrun_nanos", sa.BigInteger(), nullable=False),
        sa.Column("is_estimated", sa.Boolean(), nullable=False),
        sa.Column("is_stream", sa.Boolean(), nullable=False),
        sa.Column("status", ID, nullable=False),
        sa.Column("request_id", ID, nullable=False),
        sa.Column("upstream_request_id", ID, nullable=False),
        sa.Column("upstream_model", ID, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("first_byte_ms", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.Column("settle_transfer_id", ID),
        sa.Column("late_shortfall_nanos", sa.BigInteger(), nullable=False),
        sa.Column("posted_at", TIME, nullable=False),
        sa.CheckConstraint("charge_nanos >= 0 AND charge_nanos <= ceiling_nanos", name=op.f("ck_usages_charge")),
        sa.CheckConstraint("late_shortfall_nanos >= 0", name=op.f("ck_usages_late_shortfall")),
        sa.CheckConstraint("overrun_nanos >= 0", name=op.f("ck_usages_overrun")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usages")),
    )
    op.create_index(op.f("ix_usages_customer_id_posted_at_id"), "usages", ["customer_id", "posted_at", "id"])
    op.create_index(op.f("ix_usages_key_id_posted_at_id"), "usages", ["key_id", "posted_at", "id"])
    op.create_index(op.f("ix_usages_posted_at_id"), "usages", ["posted_at", "id"])
    op.create_index(op.f("ix_usages_settle_transfer_id"), "usages", ["settle_transfer_id"])


def _customers() -> None:
    """Customers, their keys and budgets."""
    op.create_table(
        "customers",
        sa.Column("id", ID, nullable=False),
        sa.Column("mobile", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("disabled_at", TIME),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("mobile", name=op.f("uq_customers_mobile")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("book", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public_id", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("revoked_at", TIME),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_api_keys_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
        sa.UniqueConstraint("public_id", name=op.f("uq_api_keys_public_id")),
    )
    op.create_index(op.f("ix_api_keys_customer_id_id"), "api_keys", ["customer_id", "id"])
    op.create_table(
        "key_budgets",
        sa.Column("key_id", ID, nullable=False),
        sa.Column("period_start", TIME, nullable=False),
        sa.Column("spent_nanos", sa.BigInteger(), nullable=False),
        sa.Column("held_nanos", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("held_nanos >= 0", name=op.f("ck_key_budgets_held")),
        sa.CheckConstraint("spent_nanos >= 0", name=op.f("ck_key_budgets_spent")),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_key_budgets_key_id")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_key_budgets")),
    )


def _catalog() -> None:
    """Providers, offers, prices and channels."""
    op.create_table(
        "providers",
        sa.Column("id", ID, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("label_zh", sa.Text(), nullable=False),
        sa.Column("protocol", ID, nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("sandbox_path", sa.Text(), nullable=False),
        sa.Column("on_disconnect", ID, nullable=False),
        sa.Column("quirks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_providers")),
    )
    op.create_table(
        "offers",
        sa.Column("id", ID, nullable=False),
        sa.Column("model", ID, nullable=False),
        sa.Column("operation", ID, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("provider_label", sa.Text(), nullable=False),
        sa.Column("enabled_from", sa.Text()),
        sa.Column("enabled_until", sa.Text()),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
    )
    op.create_table(
        "prices",
        sa.Column("id", ID, nullable=False),
        sa.Column("offer_id", ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("effective_from", sa.Text(), nullable=False),
        sa.Column("tiers", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text()),
        sa.CheckConstraint("version > 0", name=op.f("ck_prices_version")),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"], name=op.f("fk_prices_offer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prices")),
        sa.UniqueConstraint("offer_id", "version", name=op.f("uq_prices_offer_id_version")),
    )
    op.create_table(
        "channels",
        sa.Column("id", ID, nullable=False),
        sa.Column("provider_id", ID, nullable=False),
        sa.Column("book", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("credential", sa.LargeBinary(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("connections_max", sa.BigInteger(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("offers", sa.Text(), nullable=False),
        sa.Column("upstream_models", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["provider_id"], ["providers.id"], name=op.f("fk_channels_provider_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
    )
