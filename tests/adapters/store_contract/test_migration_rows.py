"""Every version up and down over rows in every table; a new version is covered as soon as it is there."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from tests.support.rows import Filler, all_rows, common, tables_of

from yuanjing.adapters.sql import HEAD, alone, current, migrate, upgrade
from yuanjing.adapters.sql.tables import METADATA

T = TypeVar("T")


_FIRST, *_BETWEEN, _LAST = sorted(migrate.revisions() - {HEAD})
OLD_VERSIONS = [_FIRST, *(pytest.param(one, marks=pytest.mark.soak) for one in _BETWEEN), _LAST]
"""Each step by itself is in the test above; from the others in one go is for the long run."""


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    return request.getfixturevalue("postgres_empty_url")


async def within(url: str, work: Callable[[sa.Connection], T]) -> T:
    return await alone.run_alone(alone.parse_url(url), work, may_write=True)


async def test_rows_of_every_table_survive_every_version_up_and_down(empty_url: str):
    """What two neighbouring versions both have is not changed by going from one to the other."""
    filler = Filler()
    for _ in migrate.revisions():
        before = await within(empty_url, all_rows)
        await migrate.upgrade(empty_url, "+1")
        after = await within(empty_url, all_rows)
        assert common(after, before) == common(before, after)
        await within(empty_url, filler.fill)
    assert await current(empty_url) == HEAD
    assert set(await within(empty_url, lambda conn: [table.name for table in tables_of(conn)])) == set(METADATA.tables)
    for _ in migrate.revisions():
        before = await within(empty_url, all_rows)
        assert all(len(rows) >= 4 for rows in before.values())
        await migrate.downgrade(empty_url, "-1")
        after = await within(empty_url, all_rows)
        assert common(after, before) == common(before, after)
    assert await within(empty_url, all_rows) == {}


@pytest.mark.parametrize("version", OLD_VERSIONS)
async def test_an_old_database_with_rows_ends_as_a_new_one(empty_url: str, version: str):
    await migrate.upgrade(empty_url, version)
    await within(empty_url, Filler().fill)
    rows = await within(empty_url, all_rows)
    await upgrade(empty_url)

    def differences(conn: sa.Connection) -> list[object]:
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": True})
        return compare_metadata(context, METADATA)

    assert await within(empty_url, differences) == []
    await within(empty_url, Filler(seed=1).fill)
    await migrate.downgrade(empty_url, version)
    back = await within(empty_url, all_rows)
    assert back.keys() == rows.keys()
    for table, expected in rows.items():
        assert len(back[table]) == len(expected) + 4
        assert all(row in back[table] for row in expected), table


async def test_the_rows_are_of_every_kind(tmp_path: Path):
    """Else the tests above would show less than they seem to: each column has values, and NULLs where it may."""
    url = f"sqlite:///{tmp_path}/store.db"
    await upgrade(url)
    await within(url, Filler().fill)
    rows = await within(url, all_rows)
    for table in METADATA.sorted_tables:
        for column in table.c:
            found = [row[column.name] for row in rows[table.name]]
            assert any(value is not None for value in found), column
            assert not column.nullable or None in found, column
