from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.support.money import FlakyStore, World
from tests.usecases.video_market import Market

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.adapters.sql import StoreOptions, open_store, upgrade
from yuanjing.kit.clock import ManualClock


@pytest.fixture
def world() -> World:
    clock = ManualClock()
    return World(store=FlakyStore(MemoryStore(clock=clock)), spools=MemorySpoolFolder(), clock=clock)


@pytest.fixture
async def market() -> Market:
    """A market in memory, prepared."""
    clock = ManualClock()
    opened = Market(store=FlakyStore(MemoryStore(clock=clock)), clock=clock)
    await opened.prepare()
    return opened


@pytest.fixture(params=["sqlite", "postgres"])
async def sql_market(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Market]:
    """A market on a database, not prepared."""
    clock = ManualClock()
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    else:
        url = f"sqlite:///{tmp_path}/store.db"
        await upgrade(url)
    store = await open_store(url, options=StoreOptions(synchronous="off"), clock=clock)
    yield Market(store=store, clock=clock)
    await store.close()
