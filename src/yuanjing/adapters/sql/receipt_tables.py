"""The public keys of receipts, old ones too."""

import sqlalchemy as sa

from yuanjing.adapters.sql.tables import ID, METADATA, TIME

receipt_keys = sa.Table(
    "receipt_keys",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("public_key", sa.LargeBinary(), nullable=False),
    sa.Column("created_at", TIME, nullable=False),
)
