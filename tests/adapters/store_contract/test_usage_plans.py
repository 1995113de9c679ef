"""However much usage there is, a page of it is read from an index, in order, and no more rows than it shows."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from tests.adapters.store_contract.builders import LIVE, TEST, usage

from yuanjing.adapters.sql import alone
from yuanjing.adapters.sql.tx import SqlTx
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.usages import DaysFilter, UsageFilter, UsageGroup

KEY, CUSTOMER = {"key_id": "key_1", "customer_id": "cus_1"}, {"customer_id": "cus_1", "book": TEST}
TIME = {"posted_from": 100.0, "posted_until": 90_000.0}
BEFORE = {"before": (80_000.0, "u5")}
PAGES: dict[str, dict[str, Any]] = {
    "key": KEY,
    "key and time": KEY | TIME,
    "key, model and time": KEY | TIME | {"model": "m1"},
    "key, model and time, a later page": KEY | TIME | BEFORE | {"model": "m1"},
    "a model that the key does not use": KEY | TIME | {"model": "rare"},
    "customer": CUSTOMER,
    "customer and time": CUSTOMER | TIME,
    "customer, a later page": CUSTOMER | TIME | BEFORE,
    "a book that the customer hardly uses": {"customer_id": "cus_1", "book": LIVE},
    "both books": {"customer_id": "cus_1"},
    "model": CUSTOMER | {"model": "m1"},
    "model and time": CUSTOMER | TIME | BEFORE | {"model": "m1"},
    "operation": CUSTOMER | {"operation": "text_to_video"},
    "operation and time": CUSTOMER | TIME | BEFORE | {"operation": "text_to_video"},
    "everybody": {},
    "everybody and time": TIME | BEFORE,
}
ROWS = 6_000
_FILTER = re.compile(r"^\s*(Rows Removed by Filter|Filter): (.*)$", re.MULTILINE)


def _key_of(number: int) -> str:
    """Of the customer and book that the record has; nearly all are of one."""
    if not number % 10:
        return f"key_of_{number}"
    if number % 1000 == 1:
        return "key_live"
    return "key_1" if number % 3 else f"key_{2 + number % 7}"


def _fill(conn: sa.Connection) -> None:
    """Most of it is one customer's, and of one key and model: what an index does not find shows there."""
    tx = SqlTx(conn, ManualClock(), may_write=True)
    tx.usages.add_new(
        [
            usage(
                f"u{n}",
                posted_at=n * 20.0,
                customer_id="cus_1" if n % 10 else f"cus_{n}",
                key_id=_key_of(n),
                model="m1" if n % 4 else f"m{n % 9}",
                operation="chat" if n % 50 != 7 else "text_to_video",
                book=TEST if n % 1000 != 1 else LIVE,
                charge_nanos=5,
            )
            for n in range(1, ROWS)
        ]
    )
    conn.execute(sa.text("ANALYZE"))


class Watched:
    """A filled database, and what it does for the statements of a call."""

    def __init__(self, conn: sa.Connection) -> None:
        self.tx = SqlTx(conn, ManualClock(), may_write=True)
        self.conn = conn
        self._calls: list[tuple[str, object]] = []
        sa.event.listen(conn, "before_cursor_execute", self._note)

    @property
    def is_sqlite(self) -> bool:
        return self.conn.dialect.name == "sqlite"

    def plans(self) -> Iterator[str]:
        calls, self._calls = self._calls, []
        assert calls
        for statement, parameters in calls:
            explain = "EXPLAIN QUERY PLAN" if self.is_sqlite else "EXPLAIN (ANALYZE, TIMING OFF)"
            rows = self.conn.exec_driver_sql(f"{explain} {statement}", parameters).all()  # type: ignore[arg-type]
            yield "\n".join(str(row[3] if self.is_sqlite else row[0]) for row in rows)
        self._calls.clear()

    def _note(self, *call: object) -> None:
        if not str(call[2]).startswith("SET"):
            self._calls.append((str(call[2]), call[3]))


async def _watch(url: str, look: Callable[[Watched], None]) -> None:
    """Fill in one transaction and look in the next, as the statistics are then there."""
    address = alone.parse_url(url)
    await alone.run_alone(address, _fill, may_write=True)
    await alone.run_alone(address, lambda conn: look(Watched(conn)), may_write=True)


async def test_a_page_of_records_is_read_from_an_index_in_order(sql_url: str):
    def look(watched: Watched) -> None:
        for name, where in PAGES.items():
            watched.tx.usages.list(UsageFilter(**where, limit=51))
            for plan in watched.plans():
                assert re.search("USING INDEX ix_usages|Index Scan (Backward )?(using|on) ix_usages", plan), (
                    name,
                    plan,
                )
                assert not re.search("TEMP B-TREE|Seq Scan", plan), (name, plan)
                # Of so few that are not of chat, PostgreSQL may fetch all.
                assert "operation" in where or not re.search("Sort|Bitmap", plan), (name, plan)
                assert watched.is_sqlite or _removed(plan) <= 60, (name, plan)
                if where and watched.is_sqlite:
                    assert plan.startswith("SEARCH usages"), (name, plan)

    await _watch(sql_url, look)


async def test_postgres_plans_each_page_for_its_customer(postgres_url: str):
    """One plan for all customers would be made for the average one; see `bench/data`, where the largest has 5%."""

    def look(watched: Watched) -> None:
        watched.tx.usages.list(UsageFilter(**CUSTOMER))
        mode = watched.conn.execute(sa.text("SHOW plan_cache_mode")).scalar()
        assert mode == "force_custom_plan"

    await _watch(postgres_url, look)


@pytest.mark.parametrize("more", [{"book": TEST}, {}], ids=len)
async def test_the_records_of_a_key_are_found_by_the_key_alone(sql_url: str, more: dict[str, Any]):
    """Customer and book follow from it; PostgreSQL would take the three for independent, and fetch all to sort them."""

    def look(watched: Watched) -> None:
        found = watched.tx.usages.list(UsageFilter(**{**KEY, **more}, limit=51))
        assert len(found) == 51
        (plan,) = watched.plans()
        assert "customer_id" not in plan
        assert watched.tx.usages.list(UsageFilter(**{**KEY, **more, "customer_id": "cus_10"})) == []
        assert watched.tx.usages.list(UsageFilter(**{**KEY, "book": LIVE})) == []

    await _watch(sql_url, look)


async def test_sqlite_looks_for_key_model_and_time_in_the_index(sqlite_url: str):
    def look(watched: Watched) -> None:
        watched.tx.usages.list(UsageFilter(**PAGES["key, model and time"]))
        (plan,) = watched.plans()
        assert plan == (
            "SEARCH usages USING INDEX ix_usages_key_id_model_posted_at_id "
            "(key_id=? AND model=? AND posted_at>? AND posted_at<?)"
        )

    await _watch(sqlite_url, look)


@pytest.mark.parametrize("by", [frozenset(), frozenset({UsageGroup.DAY}), frozenset(UsageGroup)], ids=len)
async def test_days_are_found_by_the_primary_key(sql_url: str, by: frozenset[UsageGroup]):
    def look(watched: Watched) -> None:
        watched.tx.usages.sum_days(DaysFilter(customer_id="cus_10", book=TEST, first=0, last=1, by=by))
        (plan,) = watched.plans()
        assert re.search(r"SEARCH usage_days USING|Index Scan.* using pk_usage_days|Bitmap Index Scan on pk_", plan)
        assert "Seq Scan" not in plan

    await _watch(sql_url, look)


def _removed(plan: str) -> int:
    return sum(int(number) for kind, number in _FILTER.findall(plan) if kind.startswith("Rows"))
