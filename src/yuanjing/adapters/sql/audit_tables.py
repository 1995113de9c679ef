"""The tables of the audit log: its rows, and the heads of its streams."""

import sqlalchemy as sa

from yuanjing.adapters.sql.tables import COUNT, ID, METADATA, TIME

audit_rows = sa.Table(
    "audit_rows",
    METADATA,
    sa.Column("stream", COUNT, primary_key=True, autoincrement=False),
    sa.Column("number", COUNT, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary(), nullable=False),
    sa.Column("id", ID, nullable=False, unique=True),
    sa.Column("at", TIME, nullable=False),
    sa.Column("actor_kind", ID, nullable=False),
    sa.Column("actor_id", ID, nullable=False),
    sa.Column("address", ID, nullable=False),
    sa.Column("action", ID, nullable=False),
    sa.Column("subject", ID, nullable=False),
    sa.Column("customer_id", ID),
    sa.Column("details", sa.Text(), nullable=False),
    sa.Index(None, "customer_id", "id"),
    sa.Index(None, "subject", "id"),
)
IS_OF_CUSTOMER = audit_rows.c.customer_id.is_not(None)
sa.Index(
    "ix_audit_rows_recent",
    audit_rows.c.customer_id,
    audit_rows.c.action,
    audit_rows.c.at,
    sqlite_where=IS_OF_CUSTOMER,
    postgresql_where=IS_OF_CUSTOMER,
)

audit_heads = sa.Table(
    "audit_heads",
    METADATA,
    sa.Column("stream", COUNT, primary_key=True, autoincrement=False),
    sa.Column("base_number", COUNT, nullable=False),
    sa.Column("base_hash", sa.LargeBinary(), nullable=False),
    sa.Column("number", COUNT, nullable=False),
    sa.Column("hash", sa.LargeBinary(), nullable=False),
    sa.Column("seal", sa.LargeBinary(), nullable=False),
)
