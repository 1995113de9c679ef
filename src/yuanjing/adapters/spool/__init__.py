"""The spool as SQLite files in a folder, one file for each life of a node."""

from yuanjing.adapters.spool.folder import SqliteSpoolFolder

__all__ = ["SqliteSpoolFolder"]
