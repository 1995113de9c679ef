"""The store on SQLite and PostgreSQL."""

from yuanjing.adapters.sql.alone import SchemaError
from yuanjing.adapters.sql.backup import copy_database
from yuanjing.adapters.sql.options import StoreOptions
from yuanjing.adapters.sql.schema import HEAD, current, upgrade
from yuanjing.adapters.sql.store import open_store

__all__ = ["HEAD", "SchemaError", "StoreOptions", "copy_database", "current", "open_store", "upgrade"]
