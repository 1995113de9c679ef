"""The tables, for SQLite and PostgreSQL alike.

Amounts are whole nano-yuan in 64 bits. Times are Unix seconds, labels for people only: nothing is decided on them
but expiry. The dates of the catalogue (`enabled_from`, `effective_from`) are ISO 8601 text in UTC. Documents that
only the program reads (meters, tiers, parameter specs) are JSON text with sorted keys.

`usages` has no foreign keys: it records facts that a spool brings, which must never be refused.
"""

import sqlalchemy as sa

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Names and ids sort by their bytes everywhere, so that the order of locks and pages is one and the same."""
NANOS = sa.BigInteger()
COUNT = sa.BigInteger()
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME: sa.Double[float] = sa.Double()
JSON = sa.Text()

accounts = sa.Table(
    "accounts",
    METADATA,
    sa.Column("book", ID, primary_key=True),
    sa.Column("name", ID, primary_key=True),
    sa.Column("balance_nanos", NANOS, nullable=False),
    sa.Column("version", COUNT, nullable=False),
    sa.Column("may_go_negative", sa.Boolean(), nullable=False),
    sa.CheckConstraint("may_go_negative OR balance_nanos >= 0", name="limit"),
)

transfers = sa.Table(
    "transfers",
    METADATA,
    sa.Column("seq", SEQ, primary_key=True),
    sa.Column("id", ID, nullable=False, unique=True),
    sa.Column("book", ID, nullable=False),
    sa.Column("reason", ID, nullable=False),
    sa.Column("amount_nanos", NANOS, nullable=False),
    sa.Column("debit", ID, nullable=False),
    sa.Column("credit", ID, nullable=False),
    sa.Column("hold_id", ID),
    sa.Column("corrects", ID),
    sa.Column("note", sa.Text(), nullable=False),
    sa.Column("created_at", TIME, nullable=False),
    sa.CheckConstraint("amount_nanos > 0", name="amount"),
    sa.CheckConstraint("debit <> credit", name="sides"),
    sqlite_autoincrement=True,
)
sa.Index(
    "ix_transfers_hold_id",
    transfers.c.hold_id,
    sqlite_where=transfers.c.hold_id.is_not(None),
    postgresql_where=transfers.c.hold_id.is_not(None),
)

entries = sa.Table(
    "entries",
    METADATA,
    sa.Column("book", ID, primary_key=True),
    sa.Column("account", ID, primary_key=True),
    sa.Column("version", COUNT, primary_key=True),
    sa.Column("transfer_id", ID, sa.ForeignKey("transfers.id"), nullable=False, index=True),
    sa.Column("amount_nanos", NANOS, nullable=False),
    sa.Column("balance_before_nanos", NANOS, nullable=False),
    sa.Column("balance_after_nanos", NANOS, nullable=False),
    sa.ForeignKeyConstraint(["book", "account"], ["accounts.book", "accounts.name"]),
    sa.CheckConstraint("balance_after_nanos = balance_before_nanos + amount_nanos", name="sum"),
    sa.CheckConstraint("amount_nanos <> 0", name="amount"),
)

holds = sa.Table(
    "holds",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("book", ID, nullable=False),
    sa.Column("customer_id", ID, nullable=False),
    sa.Column("purpose", ID, nullable=False),
    sa.Column("amount_nanos", NANOS, nullable=False),
    sa.Column("settled_nanos", NANOS, nullable=False),
    sa.Column("released_nanos", NANOS, nullable=False),
    sa.Column("promotion_nanos", NANOS, nullable=False, server_default=sa.text("0")),
    sa.Column("owner_node", ID),
    sa.Column("owner_incarnation", COUNT),
    sa.Column("key_id", ID),
    sa.Column("is_closing", sa.Boolean(), nullable=False),
    sa.Column("recall_requested_at", TIME),
    sa.Column("parts", COUNT, nullable=False),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("expires_at", TIME, nullable=False),
    sa.Column("closed_at", TIME),
    sa.CheckConstraint("amount_nanos > 0", name="amount"),
    sa.CheckConstraint("settled_nanos >= 0", name="settled"),
    sa.CheckConstraint("released_nanos >= 0", name="released"),
    sa.CheckConstraint("settled_nanos + released_nanos <= amount_nanos", name="remaining"),
    sa.CheckConstraint(
        "promotion_nanos >= 0 AND promotion_nanos <= amount_nanos - settled_nanos - released_nanos", name="promotion"
    ),
    sa.CheckConstraint("closed_at IS NULL OR settled_nanos + released_nanos = amount_nanos", name="closed_empty"),
)
IS_OPEN = holds.c.closed_at.is_(None)
sa.Index(
    "ix_holds_open_owner",
    holds.c.owner_node,
    holds.c.owner_incarnation,
    sqlite_where=IS_OPEN,
    postgresql_where=IS_OPEN,
)
sa.Index(
    "ix_holds_open_customer",
    holds.c.book,
    holds.c.customer_id,
    sqlite_where=IS_OPEN,
    postgresql_where=IS_OPEN,
)
sa.Index("ix_holds_open_expiry", holds.c.expires_at, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)

nodes = sa.Table(
    "nodes",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("incarnation", COUNT, nullable=False),
    sa.Column("machine", ID, nullable=False),
    sa.Column("role", ID, nullable=False),
    sa.Column("beat", COUNT, nullable=False),
    sa.Column("beat_at", TIME, nullable=False),
    sa.Column("is_alive", sa.Boolean(), nullable=False),
)

spool_positions = sa.Table(
    "spool_positions",
    METADATA,
    sa.Column("node_id", ID, sa.ForeignKey("nodes.id"), primary_key=True),
    sa.Column("incarnation", COUNT, primary_key=True),
    sa.Column("posted_seq", COUNT, nullable=False),
    sa.Column("is_finished", sa.Boolean(), nullable=False),
)

usages = sa.Table(
    "usages",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("book", ID, nullable=False),
    sa.Column("customer_id", ID, nullable=False),
    sa.Column("key_id", ID, nullable=False),
    sa.Column("offer_id", ID, nullable=False),
    sa.Column("model", ID, nullable=False),
    sa.Column("operation", ID, nullable=False),
    sa.Column("channel_id", ID, nullable=False),
    sa.Column("hold_id", ID, nullable=False),
    sa.Column("price_id", ID, nullable=False),
    sa.Column("meters", JSON, nullable=False),
    sa.Column("ceiling_nanos", NANOS, nullable=False),
    sa.Column("charge_nanos", NANOS, nullable=False),
    sa.Column("overrun_nanos", NANOS, nullable=False),
    sa.Column("is_estimated", sa.Boolean(), nullable=False),
    sa.Column("is_stream", sa.Boolean(), nullable=False),
    sa.Column("status", ID, nullable=False),
    sa.Column("request_id", ID, nullable=False),
    sa.Column("upstream_request_id", ID, nullable=False),
    sa.Column("upstream_model", ID, nullable=False),
    sa.Column("attempts", COUNT, nullable=False),
    sa.Column("started_at", TIME, nullable=False),
    sa.Column("first_byte_ms", COUNT, nullable=False),
    sa.Column("duration_ms", COUNT, nullable=False),
    sa.Column("extra", JSON, nullable=False),
    sa.Column("settle_transfer_id", ID),
    sa.Column("late_shortfall_nanos", NANOS, nullable=False),
    sa.Column("posted_at", TIME, nullable=False),
    sa.CheckConstraint("charge_nanos >= 0 AND charge_nanos <= ceiling_nanos", name="charge"),
    sa.CheckConstraint("overrun_nanos >= 0", name="overrun"),
    sa.CheckConstraint("late_shortfall_nanos >= 0", name="late_shortfall"),
    sa.Index(None, "posted_at", "id"),
    sa.Index(None, "customer_id", "book", "posted_at", "id"),
    sa.Index(None, "customer_id", "book", "model", "posted_at", "id"),
    sa.Index(None, "key_id", "posted_at", "id"),
    sa.Index(None, "key_id", "model", "posted_at", "id"),
    sa.Index(None, "settle_transfer_id"),
)
IS_NOT_CHAT = usages.c.operation != sa.literal_column("'chat'")
sa.Index(
    "ix_usages_not_chat",
    usages.c.customer_id,
    usages.c.book,
    usages.c.operation,
    usages.c.posted_at,
    usages.c.id,
    sqlite_where=IS_NOT_CHAT,
    postgresql_where=IS_NOT_CHAT,
)
"""Nearly all records are of chat, and those of a customer are found without asking for the operation."""

customers = sa.Table(
    "customers",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("mobile", ID, nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("disabled_at", TIME),
    sa.Column("language", ID),
)

api_keys = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("customer_id", ID, sa.ForeignKey("customers.id"), nullable=False),
    sa.Column("book", ID, nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("public_id", ID, nullable=False, unique=True),
    sa.Column("digest", sa.LargeBinary(), nullable=False, unique=True),
    sa.Column("limits", JSON, nullable=False),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("expires_at", TIME),
    sa.Column("revoked_at", TIME),
    sa.Index(None, "customer_id", "id"),
)

key_budgets = sa.Table(
    "key_budgets",
    METADATA,
    sa.Column("key_id", ID, sa.ForeignKey("api_keys.id"), primary_key=True),
    sa.Column("period_start", TIME, nullable=False),
    sa.Column("spent_nanos", NANOS, nullable=False),
    sa.Column("held_nanos", NANOS, nullable=False),
    sa.Column("counted_from", TIME, nullable=False, server_default="0"),
    sa.CheckConstraint("spent_nanos >= 0", name="spent"),
    sa.CheckConstraint("held_nanos >= 0", name="held"),
)

providers = sa.Table(
    "providers",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("label", sa.Text(), nullable=False),
    sa.Column("label_zh", sa.Text(), nullable=False),
    sa.Column("protocol", ID, nullable=False),
    sa.Column("base_url", sa.Text(), nullable=False),
    sa.Column("sandbox_path", sa.Text(), nullable=False),
    sa.Column("on_disconnect", ID, nullable=False),
    sa.Column("quirks", JSON, nullable=False),
    sa.Column("video", JSON),
)

offers = sa.Table(
    "offers",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("model", ID, nullable=False),
    sa.Column("operation", ID, nullable=False),
    sa.Column("label", sa.Text(), nullable=False),
    sa.Column("provider_label", sa.Text(), nullable=False),
    sa.Column("enabled_from", sa.Text()),
    sa.Column("enabled_until", sa.Text()),
    sa.Column("document", JSON, nullable=False),
)

prices = sa.Table(
    "prices",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("offer_id", ID, sa.ForeignKey("offers.id"), nullable=False),
    sa.Column("version", COUNT, nullable=False),
    sa.Column("effective_from", sa.Text(), nullable=False),
    sa.Column("tiers", JSON, nullable=False),
    sa.Column("rates", JSON),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("created_at", sa.Text()),
    sa.UniqueConstraint("offer_id", "version"),
    sa.CheckConstraint("version > 0", name="version"),
)

channels = sa.Table(
    "channels",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("provider_id", ID, sa.ForeignKey("providers.id"), nullable=False),
    sa.Column("book", ID, nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("base_url", sa.Text(), nullable=False),
    sa.Column("credential", sa.LargeBinary(), nullable=False),
    sa.Column("priority", COUNT, nullable=False),
    sa.Column("weight", COUNT, nullable=False),
    sa.Column("connections_max", COUNT, nullable=False),
    sa.Column("is_enabled", sa.Boolean(), nullable=False),
    sa.Column("offers", JSON, nullable=False),
    sa.Column("upstream_models", JSON, nullable=False),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("requests_per_minute", COUNT),
    sa.Column("tokens_per_minute", COUNT),
    sa.Column("concurrency", COUNT),
)

signals = sa.Table(
    "signals",
    METADATA,
    sa.Column("seq", SEQ, primary_key=True),
    sa.Column("topic", ID, nullable=False),
    sa.Column("subject", ID, nullable=False),
    sa.Column("at", TIME, nullable=False),
    sqlite_autoincrement=True,
)

tasks = sa.Table(
    "tasks",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("book", ID, nullable=False),
    sa.Column("customer_id", ID, nullable=False),
    sa.Column("key_id", ID, nullable=False),
    sa.Column("dialect", ID, nullable=False),
    sa.Column("request_id", ID, nullable=False),
    sa.Column("offer_id", ID, nullable=False),
    sa.Column("requested_offer_id", ID, nullable=False),
    sa.Column("model", ID, nullable=False),
    sa.Column("operation", ID, nullable=False),
    sa.Column("request", JSON, nullable=False),
    sa.Column("price_id", ID, nullable=False),
    sa.Column("quote", JSON, nullable=False),
    sa.Column("ceiling_nanos", NANOS, nullable=False),
    sa.Column("hold_id", ID, nullable=False, unique=True),
    sa.Column("usage_id", ID, nullable=False, unique=True),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("state", ID, nullable=False),
    sa.Column("step", ID, nullable=False),
    sa.Column("next_at", TIME, nullable=False),
    sa.Column("submissions", COUNT, nullable=False),
    sa.Column("failures", COUNT, nullable=False),
    sa.Column("channel_id", ID, nullable=False),
    sa.Column("upstream_model", ID, nullable=False),
    sa.Column("upstream_task_id", ID, nullable=False),
    sa.Column("upstream_word", ID, nullable=False),
    sa.Column("sent_at", TIME),
    sa.Column("accepted_at", TIME),
    sa.Column("started_at", TIME),
    sa.Column("ended_at", TIME),
    sa.Column("deadline_at", TIME),
    sa.Column("outcome", JSON),
    sa.Column("video_artifact_id", ID),
    sa.Column("cover_artifact_id", ID),
    sa.Column("usage", JSON),
    sa.Column("charge_nanos", NANOS, nullable=False),
    sa.Column("failure", JSON),
    sa.Column("flag", sa.Text(), nullable=False),
    sa.Column("is_cancel_requested", sa.Boolean(), nullable=False),
    sa.Column("deleted_at", TIME),
    sa.Column("forgotten_at", TIME),
    sa.Column("claim_owner", ID),
    sa.Column("claim_token", COUNT, nullable=False),
    sa.Column("claim_until", TIME),
    sa.Column("due_at", TIME, nullable=False),
    sa.Column("is_hastened", sa.Boolean(), nullable=False),
    sa.CheckConstraint("charge_nanos >= 0 AND charge_nanos <= ceiling_nanos", name="charge"),
    sa.Index(None, "created_at", "id"),
    sa.Index(None, "customer_id", "created_at", "id"),
)
"""`due_at` is when a row may be claimed: its `next_at`, or the end of its claim; so one index finds all that are due.
`is_hastened` is set by what comes in from outside, until the next claim."""
IS_UNDER_WAY = tasks.c.step != sa.literal_column("'done'")
"""As text in the statement: with a parameter the planner would not use the indexes for it."""
for _name, _columns in {
    "ix_tasks_due": (tasks.c.step, tasks.c.due_at),
    "ix_tasks_due_of_customer": (tasks.c.step, tasks.c.customer_id, tasks.c.due_at),
    "ix_tasks_channel": (tasks.c.step, tasks.c.channel_id),
}.items():
    sa.Index(_name, *_columns, sqlite_where=IS_UNDER_WAY, postgresql_where=IS_UNDER_WAY)
HAS_SUCCEEDED = tasks.c.state == sa.literal_column("'succeeded'")
sa.Index(
    "ix_tasks_succeeded",
    tasks.c.offer_id,
    tasks.c.ended_at,
    sqlite_where=HAS_SUCCEEDED,
    postgresql_where=HAS_SUCCEEDED,
)
IS_REMEMBERED = tasks.c.forgotten_at.is_(None)
IS_DELETED = sa.and_(IS_REMEMBERED, tasks.c.deleted_at.is_not(None))
sa.Index("ix_tasks_remembered", tasks.c.ended_at, sqlite_where=IS_REMEMBERED, postgresql_where=IS_REMEMBERED)
sa.Index("ix_tasks_deleted", tasks.c.deleted_at, sqlite_where=IS_DELETED, postgresql_where=IS_DELETED)
IS_FLAGGED = tasks.c.flag != sa.literal_column("''")
sa.Index("ix_tasks_flagged", tasks.c.created_at, tasks.c.id, sqlite_where=IS_FLAGGED, postgresql_where=IS_FLAGGED)
HAS_UPSTREAM_TASK = tasks.c.upstream_task_id != sa.literal_column("''")
sa.Index(
    "ix_tasks_upstream",
    tasks.c.channel_id,
    tasks.c.upstream_task_id,
    unique=True,
    sqlite_where=HAS_UPSTREAM_TASK,
    postgresql_where=HAS_UPSTREAM_TASK,
)
HAS_UNKNOWN_OUTCOME = sa.and_(tasks.c.upstream_task_id == sa.literal_column("''"), tasks.c.sent_at.is_not(None))
sa.Index(
    "ix_tasks_unknown",
    tasks.c.channel_id,
    tasks.c.sent_at,
    sqlite_where=HAS_UNKNOWN_OUTCOME,
    postgresql_where=HAS_UNKNOWN_OUTCOME,
)

task_events = sa.Table(
    "task_events",
    METADATA,
    sa.Column("seq", SEQ, primary_key=True),
    sa.Column("task_id", ID, sa.ForeignKey("tasks.id"), nullable=False, index=True),
    sa.Column("at", TIME, nullable=False),
    sa.Column("state", ID, nullable=False),
    sa.Column("step", ID, nullable=False),
    sa.Column("text", sa.Text(), nullable=False),
    sqlite_autoincrement=True,
)

artifacts = sa.Table(
    "artifacts",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("path", ID, nullable=False, unique=True),
    sa.Column("blob", ID, nullable=False),
    sa.Column("kind", ID, nullable=False),
    sa.Column("customer_id", ID, nullable=False),
    sa.Column("task_id", ID, sa.ForeignKey("tasks.id"), nullable=False, index=True),
    sa.Column("facts", JSON, nullable=False),
    sa.Column("sha256", ID, nullable=False),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("expires_at", TIME, nullable=False),
    sa.Column("removed_at", TIME),
)
IS_THERE = artifacts.c.removed_at.is_(None)
sa.Index("ix_artifacts_expiry", artifacts.c.expires_at, sqlite_where=IS_THERE, postgresql_where=IS_THERE)
