"""Which schema a database has, found out without the migration tool, whose import is dear and seldom needed."""

from yuanjing.adapters.sql.alone import SchemaError, is_sqlite, newer_schema, parse_url, read_version, run_alone
from yuanjing.adapters.sql.sqlite_engine import database_path

HEAD = "0012"
"""The schema version that this program works with: the newest of `migrations/versions`."""


async def upgrade(url: str) -> None:
    """Create or upgrade the schema; see `migrate.upgrade`.

    Raises:
        SchemaError: it is newer than this program.
        StoreUnavailableError: the database cannot be reached or stays locked.
    """
    from yuanjing.adapters.sql.migrate import upgrade as migrate  # noqa: PLC0415  # the tool is imported only to migrate

    await migrate(url)


async def current(url: str) -> str | None:
    """The schema version of the database; None if it has none or does not exist yet.

    Raises:
        StoreUnavailableError: the database cannot be reached.
    """
    address = parse_url(url)
    if is_sqlite(address) and not database_path(address).exists():
        return None

    return await run_alone(address, read_version, may_write=False)


async def check(url: str) -> None:
    """Refuse a database whose schema is not the newest.

    Raises:
        SchemaError: it has none, an older or an unknown one.
        StoreUnavailableError: the database cannot be reached.
    """
    found = await current(url)
    if found == HEAD:
        return
    address = parse_url(url)
    where = address.render_as_string(hide_password=True)
    if found is None:
        raise SchemaError(f"the database {where} has no tables yet; run `yuanjing migrate`")
    from yuanjing.adapters.sql.migrate import revisions  # noqa: PLC0415  # only to say what is wrong

    if found in revisions():
        raise SchemaError(
            f"the database {where} is at schema {found}, this program needs {HEAD}; run `yuanjing migrate`"
        )
    raise newer_schema(address, found)
