"""Video: tasks, their history and files; what providers and prices of video add to their rows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME: sa.Double[float] = sa.Double()
IS_UNDER_WAY = sa.text("step != 'done'")
HAS_SUCCEEDED = sa.text("state = 'succeeded'")
IS_FLAGGED = sa.text("flag != ''")
HAS_UNKNOWN_OUTCOME = sa.text("upstream_task_id = '' AND sent_at IS NOT NULL")
HAS_UPSTREAM_TASK = sa.text("upstream_task_id != ''")
IS_THERE = sa.text("removed_at IS NULL")


def upgrade() -> None:
    """Add columns, then create the tables, parents before children."""
    op.add_column("providers", sa.Column("video", sa.Text()))
    op.add_column("prices", sa.Column("rates", sa.Text()))
    _tasks()
    _task_indexes()
    _task_events()
    _artifacts()


def downgrade() -> None:
    """Drop what was added."""
    for table in ("artifacts", "task_events", "tasks"):
        op.drop_table(table)
    op.drop_column("prices", "rates")
    op.drop_column("providers", "video")


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", ID, nullable=False),
        sa.Column("book", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("dialect", ID, nullable=False),
        sa.Column("request_id", ID, nullable=False),
        sa.Column("offer_id", ID, nullable=False),
        sa.Column("requested_offer_id", ID, nullable=False),
        sa.Column("model", ID, nullable=False),
        sa.Column("operation", ID, nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("price_id", ID, nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("ceiling_nanos", sa.BigInteger(), nullable=False),
        sa.Column("hold_id", ID, nullable=False),
        sa.Column("usage_id", ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("step", ID, nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("submissions", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", ID, nullable=False),
        sa.Column("upstream_model", ID, nullable=False),
        sa.Column("upstream_task_id", ID, nullable=False),
        sa.Column("upstream_word", ID, nullable=False),
        sa.Column("sent_at", TIME),
        sa.Column("accepted_at", TIME),
        sa.Column("started_at", TIME),
        sa.Column("ended_at", TIME),
        sa.Column("deadline_at", TIME),
        sa.Column("outcome", sa.Text()),
        sa.Column("video_artifact_id", ID),
        sa.Column("cover_artifact_id", ID),
        sa.Column("usage", sa.Text()),
        sa.Column("charge_nanos", sa.BigInteger(), nullable=False),
        sa.Column("failure", sa.Text()),
        sa.Column("flag", sa.Text(), nullable=False),
        sa.Column("is_cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("deleted_at", TIME),
        sa.Column("claim_owner", ID),
        sa.Column("claim_token", sa.BigInteger(), nullable=False),
        sa.Column("claim_until", TIME),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("is_hastened", sa.Boolean(), nullable=False),
        sa.CheckConstraint("charge_nanos >= 0 AND charge_nanos <= ceiling_nanos", name=op.f("ck_tasks_charge")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_tasks_hold_id")),
        sa.UniqueConstraint("usage_id", name=op.f("uq_tasks_usage_id")),
    )


def _task_indexes() -> None:
    op.create_index(op.f("ix_tasks_created_at_id"), "tasks", ["created_at", "id"])
    op.create_index(op.f("ix_tasks_customer_id_created_at_id"), "tasks", ["customer_id", "created_at", "id"])
    for name, columns, where in (
        ("ix_tasks_due", ["step", "due_at"], IS_UNDER_WAY),
        ("ix_tasks_due_of_customer", ["step", "customer_id", "due_at"], IS_UNDER_WAY),
        ("ix_tasks_channel", ["step", "channel_id"], IS_UNDER_WAY),
        ("ix_tasks_succeeded", ["offer_id", "ended_at"], HAS_SUCCEEDED),
        ("ix_tasks_flagged", ["created_at", "id"], IS_FLAGGED),
        ("ix_tasks_unknown", ["channel_id", "sent_at"], HAS_UNKNOWN_OUTCOME),
    ):
        op.create_index(name, "tasks", columns, sqlite_where=where, postgresql_where=where)
    op.create_index(
        "ix_tasks_upstream",
        "tasks",
        ["channel_id", "upstream_task_id"],
        unique=True,
        sqlite_where=HAS_UPSTREAM_TASK,
        postgresql_where=HAS_UPSTREAM_TASK,
    )


def _task_events() -> None:
    op.create_table(
        "task_events",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("step", ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_task_events_task_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_task_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_task_events_task_id"), "task_events", ["task_id"])


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("id", ID, nullable=False),
        sa.Column("path", ID, nullable=False),
        sa.Column("blob", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("sha256", ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("removed_at", TIME),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_artifacts_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifacts")),
        sa.UniqueConstraint("path", name=op.f("uq_artifacts_path")),
    )
    op.create_index(op.f("ix_artifacts_task_id"), "artifacts", ["task_id"])
    op.create_index(
        "ix_artifacts_expiry", "artifacts", ["expires_at"], sqlite_where=IS_THERE, postgresql_where=IS_THERE
    )
