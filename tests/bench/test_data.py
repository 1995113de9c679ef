"""The rows that the bench of data invents are those of a platform that works."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from bench.data.__main__ import Results, Row, ask, prepare, verdict
from bench.data.loading import load_postgres, load_sqlite
from bench.data.measuring import QUESTIONS, Figure, Question, asked, measure
from bench.data.rows import Invented

from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.adapters.memory.store import MemoryStore
from yuanjing.adapters.sql import alone, open_store, upgrade
from yuanjing.adapters.sql.tables import METADATA
from yuanjing.domain.ledger import accounts_of
from yuanjing.domain.money import Book
from yuanjing.domain.statements import account_statement
from yuanjing.domain.usage import PostedUsage, by_day
from yuanjing.kit.clock import ManualClock, SystemClock
from yuanjing.usecases.signin.errors import TooManyCodesError
from yuanjing.usecases.verify import verify

USAGES, CUSTOMERS = 2_000, 30


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database full of invented rows."""
    is_sqlite = request.param == "sqlite"
    found = f"sqlite:///{tmp_path}/store.db" if is_sqlite else request.getfixturevalue("postgres_empty_url")
    await upgrade(found)
    clock = SystemClock()
    prices = await prepare(found, clock)
    invented = Invented(usages=USAGES, customers=CUSTOMERS, until=clock.unix(), prices=prices)
    loaded = load_sqlite(tmp_path / "store.db", invented.batches(500)) if is_sqlite else None
    loaded = loaded or await load_postgres(found, invented.batches(500))
    assert loaded.rows > 3 * USAGES
    return found


async def test_they_are_true_to_one_another_and_the_schema_is_as_ever(url: str) -> None:
    store = await open_store(url)
    report = await verify(store, MemorySpoolFolder(), SystemClock())
    assert report.breaches == []
    assert report.checked["usage"] == USAGES
    assert report.checked["holds"] == USAGES // 10
    usages = await store.read(lambda tx: list(tx.usages.scan()))
    days = await store.read(lambda tx: list(tx.usages.scan_days()))
    assert days == by_day(one for one in usages if isinstance(one, PostedUsage))
    entries = await store.read(lambda tx: list(tx.ledger.scan_entries()))
    for customer in {one.customer_id for one in days}:
        for account in accounts_of(customer):
            months = await store.read(lambda tx, account=account: tx.ledger.months(Book.LIVE, [account], last=10**6))
            its = [one for one in entries if (one.book, one.account) == (Book.LIVE, account)]  # type: ignore[union-attr]
            for month in {one.month for one in months}:
                assert account_statement(Book.LIVE, account, month, months)
            assert sum(one.entries for one in months) == len(its)
    await store.close()

    def differences(conn: sa.Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(conn), METADATA)

    assert await alone.run_alone(alone.parse_url(url), differences, may_write=True) == []


async def test_every_question_is_answered_for_any_customer_and_the_largest(url: str) -> None:
    clock = SystemClock()
    store = await open_store(url, clock=clock)
    able = asked(store, clock, until=clock.unix(), customers=CUSTOMERS)
    for question in QUESTIONS:
        for largest in (False, True):
            figure = await measure(able, question, largest=largest, count=3)
            assert 0 < figure.p10_ms <= figure.p50_ms <= figure.p99_ms <= figure.max_ms
    await store.close()


async def test_what_was_measured_is_kept_though_a_later_question_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results(tmp_path / "results" / "data.json", {"cores": "2"})
    figure = Figure(p10_ms=1, p50_ms=2, p99_ms=3, max_ms=4)

    async def measured(_able: object, question: Question, *, largest: bool, count: int) -> Figure:
        assert count == (200 if largest else 3)
        if question is QUESTIONS[1] and largest:
            raise TooManyCodesError(1.0)
        return figure

    monkeypatch.setattr("bench.data.__main__.measure", measured)
    able = asked(MemoryStore(), SystemClock(), until=0.0, customers=CUSTOMERS)
    with pytest.raises(TooManyCodesError):
        await ask(able, "sqlite", USAGES, 3, results)
    kept = json.loads(results.path.read_text())
    assert kept["machine"] == {"cores": "2"}
    asked_first = [(QUESTIONS[0].name, "any"), (QUESTIONS[0].name, "largest"), (QUESTIONS[1].name, "any")]
    assert [(row["question"], row["who"]) for row in kept["rows"]] == asked_first
    assert kept["rows"][0]["figure"] == {"p10_ms": 1, "p50_ms": 2, "p99_ms": 3, "max_ms": 4}


async def test_a_code_may_follow_another_at_the_same_moment() -> None:
    """A quick machine asks again within a millisecond, and that is no failure of the platform's."""
    clock = ManualClock()
    able = asked(MemoryStore(clock=clock), clock, until=clock.unix(), customers=CUSTOMERS)
    question = next(one for one in QUESTIONS if one.name == "a code is sent")
    for _ in range(3):
        await (await question.prepare(able, 0))()
    assert len(able.sender.sent) == 3


@pytest.mark.parametrize(
    ("goal", "figures", "word"),
    [
        (10, [(1, 9), (2, 10)], "met"),
        (10, [(1, 9), (2, 11)], "MISSED"),
        (10, [(1, 11), (1, 2)], "MISSED"),
        (100, [(1, 9), (3.1, 10)], "NOT FLAT"),
        (None, [(1, 1000), (3, 1000)], "flat"),
    ],
)
def test_a_goal_is_met_by_the_slowest_hundredth_at_each_size(
    goal: float | None, figures: list[tuple[float, float]], word: str
) -> None:
    rows = [
        Row(
            question="q",
            goal_ms=goal,
            database="sqlite",
            usages=10**number,
            who="any",
            figure=Figure(p10_ms=p50, p50_ms=p50, p99_ms=p99, max_ms=p99),
        )
        for number, (p50, p99) in enumerate(figures)
    ]
    assert verdict(rows) == word
