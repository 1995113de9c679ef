"""One suite for every store: each test that takes `store` runs on memory, SQLite and PostgreSQL."""

import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.support.postgres import run_apart

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.sql import StoreOptions, open_store, upgrade
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store

FAST = StoreOptions(synchronous="off", busy_seconds=5.0)
"""Tests that cut no power need no fsync."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    run_apart(upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "store.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgres"])
def sql_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncGenerator[Store]:
    if request.param == "memory":
        opened: Store = MemoryStore(clock=clock)
    else:
        opened = await open_store(request.getfixturevalue(f"{request.param}_url"), options=FAST, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def sql_store(sql_url: str, clock: ManualClock) -> AsyncGenerator[Store]:
    opened = await open_store(sql_url, options=FAST, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def other_store(sql_url: str, clock: ManualClock) -> AsyncGenerator[Store]:
    """A second store on the database of `sql_store`, as another process would have."""
    opened = await open_store(sql_url, options=FAST, clock=clock)
    yield opened
    await opened.close()
