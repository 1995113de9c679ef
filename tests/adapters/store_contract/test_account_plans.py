"""However many customers, entries and usages there are, what an account shows is found by indexes."""

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from tests.adapters.store_contract.builders import TEST, customer, grant, key, place, usage
from tests.adapters.store_contract.test_usage_plans import Watched

from yuanjing.adapters.sql import alone
from yuanjing.adapters.sql.tx import SqlTx
from yuanjing.domain.alerts import BalanceAlert
from yuanjing.domain.ledger import accounts_of, available
from yuanjing.kit.clock import ManualClock

CUSTOMERS = 600
QUESTIONS: dict[str, Callable[[SqlTx], object]] = {
    "months": lambda tx: tx.ledger.months(TEST, accounts_of("cus_0007"), last=10**6),
    "an entry by its number": lambda tx: tx.ledger.entries(TEST, available("cus_0007"), before_version=2, limit=1),
    "what several own": lambda tx: tx.ledger.owned(TEST, ["cus_0007", "cus_0500"]),
    "spending of keys": lambda tx: tx.usages.spent_by_keys(["key_0007", "key_0500"], since_day=3),
    "how many keys": lambda tx: tx.keys.count("cus_0007", since=5.0),
    "keys of a book": lambda tx: tx.keys.list("cus_0007", after=None, limit=50, book=TEST),
    "budgets": lambda tx: tx.keys.budgets(["key_0007", "key_0500"]),
    "lines of customers": lambda tx: tx.alerts.list(after="cus_0550", limit=20),
}


def _fill(conn: sa.Connection) -> None:
    tx = SqlTx(conn, ManualClock(), may_write=True)
    names = [f"{number:04}" for number in range(CUSTOMERS)]
    for name in names:
        tx.customers.add(customer(f"cus_{name}", f"+86138{int(name):08}"))
        tx.keys.add(key(f"key_{name}", f"abcd{name}", customer_id=f"cus_{name}", book=TEST))
        tx.alerts.save(BalanceAlert(customer_id=f"cus_{name}", below_nanos=5))
    posted = [one for name in names for one in (grant(f"cus_{name}", 9), place(f"cus_{name}", 5, hold=f"hold_{name}"))]
    tx.ledger.post(posted)
    usages = [
        usage(
            f"u{name}-{day}", key_id=f"key_{name}", customer_id=f"cus_{name}", posted_at=day * 86_400.0, charge_nanos=5
        )
        for name in names
        for day in range(3)
    ]
    tx.usages.add_new(usages)
    conn.execute(sa.text("ANALYZE"))


@pytest.fixture
async def filled_url(sql_url: str) -> str:
    await alone.run_alone(alone.parse_url(sql_url), _fill, may_write=True)
    return sql_url


async def test_what_an_account_shows_is_found_by_indexes(filled_url: str) -> None:
    def look(conn: sa.Connection) -> None:
        watched = Watched(conn)
        for name, ask in QUESTIONS.items():
            assert ask(watched.tx), name
            for plan in watched.plans():
                assert re.search("USING (COVERING )?INDEX|USING PRIMARY KEY|Index (Only )?Scan", plan), (name, plan)
                assert not re.search(r"^SCAN |Seq Scan", plan, re.MULTILINE), (name, plan)

        watched.tx.usages.spent_by_keys(["key_0007"], since_day=1)
        (plan,) = watched.plans()  # the last use is one look at the end of an index
        if watched.is_sqlite:
            assert "SEARCH usages USING COVERING INDEX ix_usages_key_id_posted_at_id (key_id=?)" in plan
        else:
            assert re.search(r"Index Only Scan Backward using ix_usages_key_id_posted_at_id .*rows=1", plan), plan

    await alone.run_alone(alone.parse_url(filled_url), look, may_write=True)
