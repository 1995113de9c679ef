"""The same machine on SQLite and on spool files: fewer examples, real storage."""

import asyncio
import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from tests.money.test_state_machine import MACHINE_SETTINGS, MoneyMachine
from tests.support.money import FlakyStore, World

from yuanjing.adapters.spool import SqliteSpoolFolder
from yuanjing.adapters.sql import StoreOptions, open_store, upgrade
from yuanjing.domain.holds import LeasePolicy


@cache
def migrated() -> Path:
    """A database with the newest schema and nothing in it, made once for all examples."""
    path = Path(tempfile.mkdtemp(prefix="money-")) / "template.db"
    atexit.register(shutil.rmtree, path.parent)
    asyncio.run(upgrade(f"sqlite:///{path}"))
    return path


class SqliteMoneyMachine(MoneyMachine):
    """Coroutines run to their end here: other threads do the work."""

    is_stepped = False

    def make_world(self) -> World:
        self.folder = Path(tempfile.mkdtemp(prefix="money-", dir=migrated().parent))
        database = self.folder / "yuanjing.db"
        shutil.copy(migrated(), database)
        options = StoreOptions(synchronous="off")
        store = self.runner.run(open_store(f"sqlite:///{database}", options=options, clock=self.clock))
        return World(
            store=FlakyStore(store),
            spools=SqliteSpoolFolder(self.folder / "spool", sync="normal", rows_max=10_000, size_max_bytes=2**30),
            clock=self.clock,
            policy=LeasePolicy(share_percent=30, amount_max_nanos=10**9),
        )

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            for gateway in [*self.gateways.values(), *self.zombies]:
                gateway.kill()
            for reader in self.world.spools.readers():
                reader.close()
            shutil.rmtree(self.folder)


pytestmark = pytest.mark.timeout(300)
TestMoneyOnSqlite = SqliteMoneyMachine.TestCase
TestMoneyOnSqlite.settings = settings(MACHINE_SETTINGS, max_examples=15, stateful_step_count=30)
