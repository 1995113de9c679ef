"""Opening the store that an address names."""

from yuanjing.adapters.sql.alone import is_sqlite, parse_url
from yuanjing.adapters.sql.options import StoreOptions
from yuanjing.adapters.sql.schema import check
from yuanjing.adapters.sql.sqlite import SqliteStore
from yuanjing.adapters.sql.sqlite_engine import database_path
from yuanjing.kit.clock import Clock, SystemClock
from yuanjing.ports.store import Store


async def open_store(url: str, *, options: StoreOptions | None = None, clock: Clock | None = None) -> Store:
    """Open the database at `sqlite:///path/to/file.db` or `postgresql://user:password@host/name`.

    Args:
        url: the address; a relative SQLite path counts from the working directory.
        options: limits; see there.
        clock: labels the transfers.

    Raises:
        SchemaError: its schema is not the newest; `upgrade` it first.
        StoreUnavailableError: it cannot be reached.
    """
    await check(url)
    address = parse_url(url)
    options = options or StoreOptions()
    clock = clock or SystemClock()
    if is_sqlite(address):
        return SqliteStore(database_path(address), options, clock)
    from yuanjing.adapters.sql.postgres import PostgresStore  # noqa: PLC0415  # its driver is not for those who use SQLite

    return PostgresStore(address, options, clock)
