"""Signing in on every store."""

import shutil
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.postgres import run_apart
from tests.support.signin import FakeSender, sign_in_parts

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.sql import StoreOptions, open_store, upgrade
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store
from yuanjing.usecases.signin import SignInParts

MakeParts = Callable[..., SignInParts]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sms() -> FakeSender:
    return FakeSender()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    run_apart(upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def any_store(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> AsyncGenerator[Store]:
    if request.param == "memory":
        opened: Store = MemoryStore(clock=clock)
    else:
        url = f"sqlite:///{tmp_path / 'store.db'}"
        if request.param == "sqlite":
            shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "store.db")
        else:
            url = request.getfixturevalue("postgres_url")
        opened = await open_store(url, options=StoreOptions(synchronous="off", busy_seconds=20.0), clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
def parts(clock: ManualClock, sms: FakeSender) -> SignInParts:
    """In memory."""
    return sign_in_parts(MemoryStore(clock=clock), clock, sms)


@pytest.fixture
def make_parts(clock: ManualClock, sms: FakeSender) -> MakeParts:
    """In memory, with another policy."""

    def make(**policy: Any) -> SignInParts:
        return sign_in_parts(MemoryStore(clock=clock), clock, sms, **policy)

    return make
