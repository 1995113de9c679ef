"""Bringing a database's schema to what this program expects."""

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from yuanjing.adapters.sql.alone import is_sqlite, newer_schema, parse_url, read_version, run_alone
from yuanjing.adapters.sql.sqlite_engine import database_path
from yuanjing.kit.disk import make_folder

_FOLDER = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x7975616E
_HEAD = "head"


async def upgrade(url: str, revision: str = _HEAD) -> None:
    """Create or upgrade the schema, and the file of a SQLite database, in one transaction.

    Safe to run by several processes at once: one does it, the others then find it done.

    Raises:
        SchemaError: it is newer than this program.
        StoreUnavailableError: the database cannot be reached or stays locked.
    """
    await _migrate(url, lambda config: command.upgrade(config, revision))


async def downgrade(url: str, revision: str) -> None:
    """Take versions back; data that only they can keep is lost. For tests and emergencies."""
    await _migrate(url, lambda config: command.downgrade(config, revision))


def head() -> str:
    """The newest of the versions."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None
    return newest


def revisions() -> frozenset[str]:
    """All versions."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


async def _migrate(url: str, step: Callable[[Config], None]) -> None:
    address = parse_url(url)

    def work(conn: sa.Connection) -> None:
        if conn.dialect.name == "postgresql":
            conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        found = read_version(conn)
        if found is not None and found not in revisions():
            raise newer_schema(address, found)
        config = _config()
        config.attributes["connection"] = conn
        step(config)

    if is_sqlite(address):
        make_folder(database_path(address).parent, 0o777)
    await run_alone(address, work, may_write=True)
