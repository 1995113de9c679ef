"""The history of the schema, for Alembic; run by `yuanjing.adapters.sql.migrate` on a connection that it passes."""
