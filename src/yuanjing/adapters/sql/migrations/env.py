"""Alembic's entry: runs the versions on the connection that the caller has put into the configuration."""

import sqlalchemy as sa
from alembic import context

from yuanjing.adapters.sql.tables import METADATA


def run() -> None:
    """Run the versions inside the transaction that the caller has begun."""
    connection = context.config.attributes["connection"]
    assert isinstance(connection, sa.Connection)
    context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


run()
