"""The same machine on PostgreSQL: few examples, for its locks and its types."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.money.test_state_machine import MACHINE_SETTINGS, MoneyMachine
from tests.support.money import FlakyStore, World
from tests.support.postgres import PostgresServer

from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.adapters.sql import open_store
from yuanjing.domain.holds import LeasePolicy

EXAMPLES = settings(
    MACHINE_SETTINGS,
    max_examples=4,
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
    database=None,
)


@pytest.fixture
def machine(postgres: PostgresServer, postgres_template: str) -> Iterator[type[MoneyMachine]]:
    """The machine on a new database for each example."""
    made: list[str] = []

    class PostgresMoneyMachine(MoneyMachine):
        is_stepped = False

        def make_world(self) -> World:
            made.append(postgres.create_database(postgres_template))
            store = self.runner.run(open_store(postgres.url(made[-1]), clock=self.clock))
            return World(
                store=FlakyStore(store),
                spools=MemorySpoolFolder(),
                clock=self.clock,
                policy=LeasePolicy(share_percent=30, amount_max_nanos=10**9),
            )

    yield PostgresMoneyMachine
    for name in made:
        postgres.drop_database(name)


@pytest.mark.timeout(300)
def test_money_on_postgres(machine):
    run_state_machine_as_test(machine, settings=EXAMPLES)
