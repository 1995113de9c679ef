"""However many tasks there are, SQLite finds each by an index."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.adapters.store_contract.builders import task

from yuanjing.adapters.sql.options import StoreOptions
from yuanjing.adapters.sql.sqlite_engine import create_sqlite_engine
from yuanjing.adapters.sql.tx import SqlTx
from yuanjing.domain.money import Book
from yuanjing.domain.videos import TaskStep
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.tasks import Takeable, TaskFilter


@pytest.fixture
def connection(sqlite_url: str) -> Iterator[sa.Connection]:
    engine = create_sqlite_engine(Path(sqlite_url.removeprefix("sqlite:///")), StoreOptions(synchronous="off"))
    with engine.connect() as conn:
        yield conn
    engine.dispose()


@contextmanager
def _plans(conn: sa.Connection) -> Iterator[list[str]]:
    """What SQLite does for the statements that run in the block."""
    statements: dict[str, object] = {}

    def note(*call: object) -> None:
        statements.setdefault(str(call[2]), call[3][0] if call[5] else call[3])  # type: ignore[index]

    plans: list[str] = []
    sa.event.listen(conn, "before_cursor_execute", note)
    yield plans
    sa.event.remove(conn, "before_cursor_execute", note)
    for statement, parameters in statements.items():
        rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
        plans += [f"{row[3]} <- {statement}" for row in rows]


def test_no_statement_goes_through_all_tasks(connection: sa.Connection):
    tx = SqlTx(connection, ManualClock(), may_write=True)
    tasks = tx.tasks
    for n in range(300):
        tasks.add(task(str(n), customer_id=f"cus_{n // 250}"), "submitted")
    only = Takeable(offers=[(Book.TEST, "offer_v")], created_until=0.0)
    with _plans(connection) as plans:
        for terms in ({}, {"only": only}):
            claimed = tasks.claim("w", [TaskStep.WAITING], at=5000.0, until=5060.0, limit=20, **terms)
            assert len({one.customer_id for one in claimed}) == 2
        tasks.save(claimed[0])
        tasks.renew("w", {"1": 1}, 5070.0)
        tasks.postpone("w", {"1": (1, 5000.0)})
        tasks.unclaim("w", {"2": 1})
        tasks.hasten("chan_1", "cgt-1", 5000.0)
        tasks.request_cancel("3", 5000.0)
        tasks.mark_deleted("4", 5000.0)
        tasks.owner_of("chan_1", "cgt-1")
        tasks.of_hold("hold_1")
        tasks.lost("chan_1", "wan", 1.0, 2.0)
        tasks.loads()
        tasks.under_way(["cus_0", "cus_1"])
        tasks.durations("offer_v", 50)
        tasks.counts()
        tasks.events("1")
        tasks.list(TaskFilter(customer_id="cus_0"))
        tasks.list(TaskFilter(is_flagged=True))
        tasks.list(TaskFilter(before=(5.0, "1")))
    scans = [plan for plan in plans if plan.startswith("SCAN task") and "USING" not in plan.partition("<-")[0]]
    sorts = [plan for plan in plans if plan.startswith("USE TEMP B-TREE FOR ORDER BY") and "LIMIT" in plan]
    assert len(plans) > 25
    assert (scans, sorts) == ([], [])
