"""Whatever is done to the audit log behind the program's back, verification sees it."""

import datetime as dt
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.support.audit import KEY, Vandal, found_in, write_events
from tests.support.postgres import run_apart

from yuanjing.adapters.sql import StoreOptions, open_store, upgrade
from yuanjing.domain.audit import STREAMS, Action
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.audit import AuditFilter
from yuanjing.ports.store import Store
from yuanjing.usecases.audit import purge_audit

ROWS, FEW_ROWS = 10_000, 300
OPTIONS = StoreOptions(synchronous="off", audit_key=KEY)
SINGLE_CHANGES, SINGLE_CHANGES_SOAK = 48, 5_000
ROUNDS_SOAK = 25
PLACE = {"stream", "number"}


def at(unix: float) -> ManualClock:
    return ManualClock(dt.datetime.fromtimestamp(unix, dt.UTC))


async def _fill(path: Path, count: int) -> None:
    await upgrade(f"sqlite:///{path}")
    store = await open_store(f"sqlite:///{path}", options=OPTIONS)
    await write_events(store, count)
    await store.close()


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Databases with many and with few rows."""
    folder = tmp_path_factory.mktemp("audit")
    made = {count: folder / f"{count}.db" for count in (ROWS, FEW_ROWS)}
    for count, path in made.items():
        run_apart(_fill(path, count))
    return made


@pytest.fixture(params=[FEW_ROWS])
async def log(request: pytest.FixtureRequest, templates: dict[int, Path], tmp_path: Path) -> AsyncGenerator["Log"]:
    path = tmp_path / "store.db"
    shutil.copy(templates[request.param], path)
    store = await open_store(f"sqlite:///{path}", options=OPTIONS, clock=ManualClock())
    vandal = Vandal(path, seed=request.param)
    yield Log(store, vandal)
    vandal.close()
    await store.close()


class Log:
    """A log, and somebody who has the file that it is in."""

    def __init__(self, store: Store, vandal: Vandal) -> None:
        self.store = store
        self.vandal = vandal
        self.run = vandal.connection.execute

    def table(self, name: str) -> list[tuple[object, ...]]:
        return self.run(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()  # noqa: S608  # our own names

    def put_back(self, name: str, rows: list[tuple[object, ...]]) -> None:
        self.run("BEGIN")
        self.run(f"DELETE FROM {name}")  # noqa: S608  # the same
        marks = ", ".join("?" * len(rows[0]))
        self.vandal.connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608  # the same
        self.run("COMMIT")


many = pytest.mark.parametrize("log", [ROWS], indirect=True)


async def _every_row_is_told(log: Log, rounds: int) -> int:
    """Change one byte of each second row, of all columns in turn; then of the others. How many bytes were changed."""
    (count,) = log.run("SELECT count(*) FROM audit_rows").fetchone()
    assert count == ROWS
    assert (await found_in(log.store)).told == []
    columns = [name for name in log.vandal.columns("audit_rows") if name not in PLACE]
    before = log.table("audit_rows")
    places = log.run("SELECT rowid, stream, number FROM audit_rows").fetchall()
    changed = 0
    for one_round in range(rounds):
        for parity in (0, 1):
            hit = set()
            log.run("BEGIN")
            for n, (rowid, stream, number) in enumerate(places):
                if number % 2 != parity:
                    continue
                tries = (columns[(n + one_round + extra) % len(columns)] for extra in range(len(columns)))
                assert any(log.vandal.change_a_byte("audit_rows", rowid, column) for column in tries)
                hit.add(f"{stream}/{number}")
            log.run("COMMIT")
            missed = hit - (await found_in(log.store)).rows
            assert missed == set()
            changed += len(hit)
            log.put_back("audit_rows", before)
            places = log.run("SELECT rowid, stream, number FROM audit_rows").fetchall()
    return changed


@many
async def test_a_byte_of_each_of_ten_thousand_rows_is_seen(log: Log):
    assert await _every_row_is_told(log, 1) == ROWS


@many
@pytest.mark.soak
async def test_a_byte_of_each_of_ten_thousand_rows_is_seen_again_and_again(log: Log):
    assert await _every_row_is_told(log, ROUNDS_SOAK) == ROWS * ROUNDS_SOAK


async def _single_changes_are_seen(log: Log, count: int) -> None:
    """One byte anywhere in the log, its heads and places included, and nothing else."""
    kept = {name: log.table(name) for name in ("audit_rows", "audit_heads")}
    places = [(name, column) for name in kept for column in log.vandal.columns(name)]
    done = 0
    for n in range(count * 20):
        table, column = places[n % len(places)]
        rowids = [row[0] for row in log.run(f"SELECT rowid FROM {table}")]  # noqa: S608  # our own names
        if not log.vandal.change_a_byte(table, log.vandal.random.choice(rowids), column):
            continue
        assert (await found_in(log.store)).told != [], (table, column)
        log.put_back(table, kept[table])
        done += 1
        if done == count:
            break
    assert done == count
    assert (await found_in(log.store)).told == []


async def test_one_byte_anywhere_is_seen(log: Log):
    await _single_changes_are_seen(log, SINGLE_CHANGES)


@pytest.mark.soak
async def test_one_byte_anywhere_is_seen_thousands_of_times(log: Log):
    await _single_changes_are_seen(log, SINGLE_CHANGES_SOAK)


@many
@pytest.mark.soak
async def test_one_byte_among_ten_thousand_rows_is_seen(log: Log):
    await _single_changes_are_seen(log, SINGLE_CHANGES)


CUTS = {
    "the last row": "DELETE FROM audit_rows WHERE <last>",
    "the first row": "DELETE FROM audit_rows WHERE stream = 2 AND number = 1",
    "a row between": "DELETE FROM audit_rows WHERE stream = 2 AND number = 7",
    "a whole stream": "DELETE FROM audit_rows WHERE stream = 2",
    "a stream and its head": "DELETE FROM audit_rows WHERE stream = 2; DELETE FROM audit_heads WHERE stream = 2",
    "a head": "DELETE FROM audit_heads WHERE stream = 2",
    "all heads": "DELETE FROM audit_heads",
    "all rows": "DELETE FROM audit_rows",
    "the last row, and the head put back to the one before": (
        "DELETE FROM audit_rows WHERE <last>; UPDATE audit_heads SET number = number - 1, hash = (SELECT hash FROM "
        "audit_rows r WHERE r.stream = 2 ORDER BY number DESC LIMIT 1) WHERE stream = 2"
    ),
    "the first rows, as if their time were over": (
        "UPDATE audit_heads SET base_number = 3, base_hash = (SELECT hash FROM audit_rows r WHERE r.stream = 2 AND "
        "r.number = 3) WHERE stream = 2; DELETE FROM audit_rows WHERE stream = 2 AND number <= 3"
    ),
    "two rows change places": (
        "UPDATE audit_rows SET number = -1 WHERE stream = 2 AND number = 4; UPDATE audit_rows SET number = 4 WHERE "
        "stream = 2 AND number = 5; UPDATE audit_rows SET number = 5 WHERE stream = 2 AND number = -1"
    ),
    "a row moves to the end of another stream": (
        "UPDATE audit_rows SET stream = 3, number = (SELECT max(number) + 1 FROM audit_rows WHERE stream = 3) "
        "WHERE <last>"
    ),
    "a row is added": (
        "INSERT INTO audit_rows SELECT stream, number + 1, hash, 'aud_x', at, actor_kind, actor_id, address, action, "
        "subject, customer_id, details FROM audit_rows WHERE <last>"
    ),
    "a text becomes NULL": "UPDATE audit_rows SET customer_id = NULL WHERE stream = 2 AND customer_id IS NOT NULL",
    "a hash becomes text": "UPDATE audit_heads SET hash = 'text' WHERE stream = 2",
    "a row's hash becomes text": "UPDATE audit_rows SET hash = 'text' WHERE <last>",
    "a row's number becomes text": "UPDATE audit_rows SET number = 'text' WHERE <last>",
    "a row is no text": "UPDATE audit_rows SET subject = CAST(x'ff' AS TEXT) WHERE <last>",
    "a number becomes text": "UPDATE audit_heads SET number = 'text' WHERE stream = 2",
    "a time becomes text": "UPDATE audit_rows SET at = 'text' WHERE stream = 2 AND number = 3",
}
LAST = "stream = 2 AND number = (SELECT max(number) FROM audit_rows r WHERE r.stream = 2)"


@pytest.mark.parametrize("name", CUTS)
async def test_what_is_cut_moved_or_added_is_seen_and_stays_seen(log: Log, name: str):
    for statement in CUTS[name].replace("<last>", LAST).split("; "):
        assert log.run(statement).rowcount > 0
    assert (await found_in(log.store)).told != []
    await write_events(log.store, FEW_ROWS)  # work goes on, in all streams
    assert (await found_in(log.store)).told != []


async def test_a_stream_that_was_made_again_without_the_key_is_seen(log: Log, templates: dict[int, Path]):
    """A forger who computes all hashes anew, and seals the heads as well as he can."""
    path = templates[FEW_ROWS].parent / "forged.db"
    run_apart(upgrade(f"sqlite:///{path}"))
    forged = await open_store(f"sqlite:///{path}", options=StoreOptions(synchronous="off", audit_key=b"another key"))
    await write_events(forged, FEW_ROWS - 1)
    assert (await found_in(forged)).told == []
    await forged.close()
    forger = Vandal(path, seed=1)
    for name in ("audit_rows", "audit_heads"):
        log.put_back(name, forger.connection.execute(f"SELECT * FROM {name}").fetchall())  # noqa: S608  # our own names
    forger.close()
    told = (await found_in(log.store)).told
    assert [subject for subject, _ in told] == [f"stream {n}" for n in range(STREAMS)]
    assert "not written by this platform, or with another key" in told[0][1]


async def test_what_is_old_is_removed_and_the_rest_still_fits(log: Log):
    events = await log.store.read(lambda tx: tx.audit.list(AuditFilter(limit=FEW_ROWS)))
    times = sorted(one.at for one in events)
    clock = at((times[199] + times[200]) / 2 + 86_400 * 30)
    removed = await purge_audit(log.store, clock, days=30)
    left = await log.store.read(lambda tx: tx.audit.list(AuditFilter(limit=FEW_ROWS + 1)))
    assert (removed, len(left)) == (200, FEW_ROWS - 200 + 1)
    assert (left[0].action, left[0].details) == (Action.LOG_PURGED, '{"older_than_days":30,"rows":200}')
    assert (await found_in(log.store)).told == []
    assert await purge_audit(log.store, clock, days=30) == 0
    log.run(
        "DELETE FROM audit_rows WHERE number = (SELECT min(number) FROM audit_rows WHERE stream = 2) AND stream = 2"
    )
    assert (await found_in(log.store)).told != []


@many
async def test_so_much_is_removed_at_once_and_no_more(log: Log):
    clock = at(2_000_000_000.0)
    before = dict(log.run("SELECT stream, count(*) FROM audit_rows GROUP BY stream"))
    removed = await purge_audit(log.store, clock, days=30)
    assert removed == sum(min(count, 500) for count in before.values()) < ROWS
    while await purge_audit(log.store, clock, days=30):
        pass
    left = log.run("SELECT action, count(*) FROM audit_rows GROUP BY action").fetchall()
    assert [action for action, _ in left] == [Action.LOG_PURGED]
    assert (await found_in(log.store)).told == []


async def test_nothing_is_removed_of_what_was_broken(log: Log):
    log.run("UPDATE audit_heads SET seal = x'00' WHERE stream = 2")
    (count,) = log.run("SELECT count(*) FROM audit_rows WHERE stream = 2").fetchone()
    await purge_audit(log.store, at(2_000_000_000.0), days=30)
    assert log.run("SELECT count(*) FROM audit_rows WHERE stream = 2").fetchone()[0] >= count
