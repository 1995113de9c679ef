import asyncio
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pysqlite3
import pytest
from tests.adapters.store_contract.builders import TEST, customer, grant, key, usage
from tests.adapters.store_contract.conftest import FAST

from yuanjing.adapters.sql import StoreOptions, open_store
from yuanjing.adapters.sql.alone import parse_url
from yuanjing.adapters.sql.sqlite_engine import check_copies, check_version, database_path
from yuanjing.adapters.sql.sqlite_threads import CHECKPOINT_IDLE_SECONDS
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Tx

WRITER = """
import asyncio, sys
from yuanjing.adapters.sql import StoreOptions, open_store
from yuanjing.domain import ledger
from yuanjing.domain.money import Book

async def main(url, name, count):
    store = await open_store(url, options=StoreOptions(synchronous=sys.argv[4]))
    for n in range(int(count)):
        transfer = ledger.grant(Book.TEST, "cus_a", 1, cause=f"{name}:{n}")
        await store.write(lambda tx: tx.ledger.post([transfer]))
        print(n, flush=True)
    await store.close()

asyncio.run(main(*sys.argv[1:4]))
"""


def _start_writer(url: str, name: str, count: int, synchronous: str = "off") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, url, name, str(count), synchronous]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # a program of ours, with our arguments


def _finish(process: subprocess.Popen[str]) -> list[str]:
    out, _ = process.communicate(timeout=30)
    return out.split()


def _lock(url: str) -> "pysqlite3.Connection":
    conn = pysqlite3.connect(database_path(parse_url(url)), isolation_level=None, timeout=0)
    conn.execute("BEGIN IMMEDIATE")
    return conn


async def test_processes_share_one_file(sqlite_url: str):
    store = await open_store(sqlite_url, options=FAST)
    other = _start_writer(sqlite_url, "other", 200)
    assert other.stdout
    await asyncio.to_thread(other.stdout.readline)
    for n in range(200):
        await store.write(lambda tx, n=n: tx.ledger.post([grant(amount=1, cause=f"mine:{n}")]))
    await asyncio.to_thread(_finish, other)
    assert other.returncode == 0
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 400
    entries = await store.read(lambda tx: tx.ledger.entries(TEST, "grants", before_version=None, limit=1))
    assert (entries[0].version, entries[0].balance_after_nanos) == (400, -400)
    assert store.counters.failures == 0
    await store.close()


async def test_what_a_killed_writer_was_told_is_committed(sqlite_url: str):
    for round_ in range(2):
        writer = _start_writer(sqlite_url, f"r{round_}", 100_000, "full")
        assert writer.stdout
        told = [await asyncio.to_thread(writer.stdout.readline) for _ in range(30)]
        writer.send_signal(signal.SIGKILL)
        told += (await asyncio.to_thread(writer.stdout.read)).split()
        writer.wait()
        writer.stdout.close()
        store = await open_store(sqlite_url, options=FAST)

        def kept(tx: Tx, round_: int = round_) -> int:
            return sum(1 for t in tx.ledger.scan_transfers() if t.id.startswith(f"grant:r{round_}:"))

        assert len(told) <= await store.read(kept) <= len(told) + 1
        assert sum((await store.read(lambda tx: tx.ledger.account_balances(TEST))).values()) == 0
        await store.close()


async def test_a_file_locked_for_long_is_unavailable_and_then_works_again(sqlite_url: str):
    store = await open_store(sqlite_url, options=StoreOptions(synchronous="off", busy_seconds=0.05, tries=3))
    locker = _lock(sqlite_url)
    started = time.monotonic()
    with pytest.raises(StoreUnavailableError, match="locked"):
        await store.write(lambda tx: tx.ledger.post([grant()]))
    assert 0.1 < time.monotonic() - started < 2
    assert store.counters.failures == 1
    assert store.counters.retries == 2
    assert await store.read(lambda tx: tx.signals.last_seq()) == 0
    locker.close()
    assert await store.write(lambda tx: tx.ledger.post([grant()])) == [True]
    await store.close()


async def test_who_writes_gets_its_turn_beside_a_process_that_always_writes(sqlite_url: str):
    store = await open_store(sqlite_url, options=FAST)
    has_ended = threading.Event()

    def write_without_end() -> None:
        conn = pysqlite3.connect(database_path(parse_url(sqlite_url)), isolation_level=None, timeout=5)
        while not has_ended.is_set():
            conn.execute("BEGIN IMMEDIATE")
            time.sleep(0.25)
            conn.execute("COMMIT")
            time.sleep(0.005)
        conn.close()

    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(write_without_end)
        try:
            began = time.monotonic()
            for n in range(4):
                await store.write(lambda tx, n=n: tx.ledger.post([grant(cause=f"turn:{n}")]))
            took = time.monotonic() - began
        finally:
            has_ended.set()
        busy.result()
    await store.close()
    assert took < 1.8, "SQLite itself looks ten times a second, and misses most turns"


async def test_a_short_lock_is_waited_for(sqlite_url: str):
    store = await open_store(sqlite_url, options=FAST)
    locker = _lock(sqlite_url)
    write = asyncio.ensure_future(store.write(lambda tx: tx.ledger.post([grant()])))
    await asyncio.sleep(0.1)
    assert not write.done()
    locker.execute("COMMIT")
    locker.close()
    assert await write == [True]
    await store.close()


async def test_a_read_does_not_wait_for_an_open_write(sqlite_url: str):
    store = await open_store(sqlite_url, options=FAST)
    locker = _lock(sqlite_url)
    started = time.monotonic()
    assert await store.read(lambda tx: tx.signals.last_seq()) == 0
    assert time.monotonic() - started < 1
    locker.close()
    await store.close()


async def test_a_full_disk_is_unavailable_and_loses_nothing(sqlite_url: str):
    """SQLite's page limit raises the same error as a disk without room."""
    store = await open_store(sqlite_url, options=FAST)

    def limit(tx: Tx) -> None:
        conn = tx.ledger._work.conn.connection.driver_connection  # type: ignore[attr-defined]
        (pages,) = conn.execute("PRAGMA page_count").fetchone()
        conn.execute(f"PRAGMA max_page_count={pages + 2}").close()

    await store.write(limit)
    with pytest.raises(StoreUnavailableError, match="full"):
        await store.write(lambda tx: tx.usages.add_new([usage(f"u{n}") for n in range(500)]))
    assert await store.read(lambda tx: list(tx.usages.scan())) == []
    assert await store.write(lambda tx: tx.usages.add_new([usage("u1")])) == {"u1"}
    await store.close()


async def test_dropped_while_waiting_is_not_done(sqlite_url: str):
    store = await open_store(sqlite_url, options=FAST)
    locker = _lock(sqlite_url)
    first = asyncio.ensure_future(store.write(lambda tx: tx.ledger.post([grant(amount=1)])))
    second = asyncio.ensure_future(store.write(lambda tx: tx.ledger.post([grant(amount=10)])))
    await asyncio.sleep(0.05)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    locker.close()
    await first
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 1
    await store.close()


async def test_pragmas_are_what_money_needs(sqlite_url: str):
    store = await open_store(sqlite_url)

    def pragmas(tx: Tx) -> dict[str, object]:
        conn = tx.ledger._work.conn.connection.driver_connection  # type: ignore[attr-defined]
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only", "wal_autocheckpoint")
        return {name: conn.execute(f"PRAGMA {name}").fetchone()[0] for name in names}

    expected: dict[str, object] = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 3000,
        "query_only": 0,
        "wal_autocheckpoint": 0,
    }
    assert await store.write(pragmas) == expected
    assert await store.read(pragmas) == expected | {"query_only": 1}
    await store.close()


async def test_foreign_keys_and_limits_hold_in_the_database_itself(sqlite_url: str):
    store = await open_store(sqlite_url, options=FAST)
    await store.write(lambda tx: (tx.ledger.post([grant()]), tx.customers.add(customer()), tx.keys.add(key())))
    await store.close()
    conn = pysqlite3.connect(database_path(parse_url(sqlite_url)), isolation_level=None)
    conn.execute("PRAGMA foreign_keys=ON")
    for statement in (
        "UPDATE accounts SET balance_nanos = -1 WHERE name = 'customer:cus_a:available'",
        "DELETE FROM customers",
        "DELETE FROM transfers",
        "UPDATE entries SET balance_after_nanos = balance_after_nanos + 1",
        "INSERT INTO transfers SELECT 99, id, book, reason, 1, debit, credit, NULL, NULL, '', 1.0 FROM transfers",
    ):
        with pytest.raises(pysqlite3.IntegrityError):
            conn.execute(statement)
    conn.close()


async def test_the_log_is_moved_into_the_database_and_gone_after_close(sqlite_url: str):
    path = database_path(parse_url(sqlite_url))
    log = path.with_name(path.name + "-wal")
    store = await open_store(sqlite_url, options=StoreOptions(synchronous="off", wal_bytes_max=100_000))
    size = path.stat().st_size
    await store.write(lambda tx: tx.usages.add_new([usage(f"u{n}") for n in range(1000)]))
    assert log.stat().st_size > 400_000
    async with asyncio.timeout(10):
        while log.stat().st_size > 100_000:  # noqa: ASYNC110  # nobody tells when a file shrinks
            await asyncio.sleep(0.02)
    assert path.stat().st_size > size
    await store.close()
    assert list(path.parent.iterdir()) == [path]


async def test_a_process_that_does_not_close_its_store_still_ends(sqlite_url: str):
    code = "import asyncio, sys; from yuanjing.adapters.sql import open_store; asyncio.run(open_store(sys.argv[1]))"
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, sqlite_url], timeout=20, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("version", "is_safe"),
    [
        ((3, 6, 23), True),
        ((3, 7, 0), False),
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 4), True),
    ],
    ids=str,
)
def test_versions_that_can_corrupt_are_refused(version: tuple[int, ...], *, is_safe: bool):
    if is_safe:
        check_version(version)
    else:
        with pytest.raises(StoreUnavailableError, match="corrupt"):
            check_version(version)


def test_a_second_copy_of_sqlite_is_refused():
    check_copies({"pysqlite3"})
    check_copies({"_sqlite3", "coverage"})
    with pytest.raises(StoreUnavailableError, match="only one"):
        check_copies({"pysqlite3", "_sqlite3"})


async def test_a_file_that_is_no_database_is_reported(tmp_path: Path):
    (tmp_path / "store.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreUnavailableError):
        await open_store(f"sqlite:///{tmp_path}/store.db")


async def test_the_writer_goes_on_after_a_failure_that_was_followed_by_quiet(sqlite_url: str):
    clock = ManualClock()
    store = await open_store(sqlite_url, options=FAST, clock=clock)
    await store.write(lambda tx: tx.ledger.post([grant(amount=1, cause="before")]))

    def fail(_: Tx) -> None:
        raise StoreUnavailableError("the disk is full")

    with pytest.raises(StoreUnavailableError):
        await store.write(fail)
    clock.advance(10)  # the checkpoint of what was written before is overdue, and there is no connection to do it
    await asyncio.sleep(2 * CHECKPOINT_IDLE_SECONDS)
    posted = store.write(lambda tx: tx.ledger.post([grant(amount=1, cause="after")]))
    await asyncio.wait_for(posted, 10)
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 2
    await store.close()
