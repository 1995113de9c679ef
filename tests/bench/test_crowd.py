"""A small crowd, made as the bench makes the large one."""

from pathlib import Path

import pytest
from bench.crowd import gather, people

from yuanjing.bootstrap.services import migrate, open_services
from yuanjing.domain.money import Book
from yuanjing.settings import Settings
from yuanjing.usecases.verify import verify


def test_rows_come_in_batches_and_each_key_has_its_budget() -> None:
    batches = list(people(30_000, 4, 1.0))
    counts = {table: sum(len(rows) for name, rows in batches if name == table) for table, _ in batches}
    assert counts == {"customers": 30_000, "api_keys": 120_000, "key_budgets": 120_000}
    assert len(batches) > 3
    assert len({row[4] for table, rows in batches if table == "api_keys" for row in rows}) == 120_000


async def test_the_callers_have_keys_and_money_and_the_books_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YUANJING_DATA", str(tmp_path))
    await migrate(Settings(data=tmp_path))
    keys = await gather(tmp_path, customers=20, keys_each=2, callers=4)
    assert len(set(keys)) == 4
    async with open_services(Settings(data=tmp_path)) as services:
        report = await verify(services.store, services.spools, services.clock)
        assert report.breaches == []
        balances = await services.store.read(lambda tx: tx.ledger.balances(Book.LIVE, f"cus_{5:026d}"))
        assert balances.available_nanos > 0
