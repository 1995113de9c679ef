"""Forgetting: what customers wrote in video tasks is blanked after some time."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

IS_REMEMBERED = sa.text("forgotten_at IS NULL")
IS_DELETED = sa.text("forgotten_at IS NULL AND deleted_at IS NOT NULL")


def upgrade() -> None:
    """Add a column and what finds the rows."""
    op.add_column("tasks", sa.Column("forgotten_at", sa.Double()))
    for name, column, where in (
        ("ix_tasks_remembered", "ended_at", IS_REMEMBERED),
        ("ix_tasks_deleted", "deleted_at", IS_DELETED),
    ):
        op.create_index(name, "tasks", [column], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Drop what was added."""
    op.drop_index("ix_tasks_deleted", "tasks")
    op.drop_index("ix_tasks_remembered", "tasks")
    op.drop_column("tasks", "forgotten_at")
