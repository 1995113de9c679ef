import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy.util import await_only
from tests.adapters.store_contract.builders import TEST, grant, pay
from tests.support.postgres import PostgresServer, full_disk

from yuanjing.adapters.sql import StoreOptions, current, open_store
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.ports.store import Tx


def _grant(tx: Tx) -> list[bool]:
    return tx.ledger.post([grant(amount=1)])


async def test_an_outage_is_unavailable_and_then_works_again(postgres: PostgresServer, postgres_url: str):
    store = await open_store(postgres_url)
    for n in range(20):
        await store.write(lambda tx, n=n: tx.ledger.post([grant(amount=1, cause=f"before:{n}")]))
    await asyncio.to_thread(postgres.kill)
    try:
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(StoreUnavailableError):
                await store.write(_grant)
            with pytest.raises(StoreUnavailableError):
                await store.read(lambda tx: tx.signals.last_seq())
            assert time.monotonic() - started < 2
        with pytest.raises(StoreUnavailableError):
            await open_store(postgres_url)
        with pytest.raises(StoreUnavailableError):
            await current(postgres_url)
    finally:
        await asyncio.to_thread(postgres.start)
    assert await store.write(_grant) == [True]
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 21
    assert store.counters.failures == 6
    await store.close()


async def test_connections_lost_while_idle_are_not_noticed(postgres: PostgresServer, postgres_url: str):
    store = await open_store(postgres_url)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(store.write(_grant))
    await asyncio.to_thread(postgres.kill)
    await asyncio.to_thread(postgres.start)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(store.write(_grant))
            tasks.create_task(store.read(lambda tx: tx.signals.last_seq()))
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 10
    assert store.counters.retries >= 1
    assert store.counters.failures == 0
    await store.close()


async def test_a_connection_lost_inside_a_unit_of_work_runs_it_again(postgres: PostgresServer, postgres_url: str):
    store = await open_store(postgres_url)
    runs: list[int] = []
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'yuanjing'"

    def work(tx: Tx) -> list[bool]:
        runs.append(1)
        tx.ledger.post([grant(amount=1, cause="first")])
        if len(runs) == 1:
            postgres.sql(kill)
        return tx.ledger.post([grant(amount=1, cause="second")])

    assert await store.write(work) == [True]
    assert len(runs) == 2
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 2
    await store.close()


async def test_a_connection_lost_at_the_commit_is_not_repeated(postgres: PostgresServer, postgres_url: str):
    """Whether it happened is unknown: only the caller, whose ids make it harmless, may repeat it."""
    store = await open_store(postgres_url)
    runs: list[int] = []
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'yuanjing'"

    def work(tx: Tx) -> None:
        runs.append(1)
        tx.ledger.post([grant(amount=1, cause="only")])
        postgres.sql(kill)

    with pytest.raises(StoreUnavailableError, match="commit"):
        await store.write(work)
    assert len(runs) == 1
    assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 0
    await store.close()


async def test_a_lock_held_too_long_is_unavailable(postgres_url: str):
    options = StoreOptions(lock_seconds=0.05, tries=2)
    store, other = await open_store(postgres_url, options=options), await open_store(postgres_url)
    await store.write(_grant)
    entered, leave = asyncio.Event(), asyncio.Event()

    async def hold_the_lock() -> None:
        async with other._engine.begin() as conn:  # type: ignore[union-attr]
            await conn.exec_driver_sql("SELECT * FROM accounts FOR UPDATE")
            entered.set()
            await leave.wait()

    holder = asyncio.ensure_future(hold_the_lock())
    await entered.wait()
    with pytest.raises(StoreUnavailableError, match="busy"):
        await store.write(_grant)
    assert store.counters.retries == 1
    leave.set()
    await holder
    assert await store.write(_grant) == [True]
    await store.close()
    await other.close()


async def test_a_deadlock_is_repeated(postgres_url: str):
    """A unit of work that posts twice can lock in an order that no sorting helps; PostgreSQL ends one of two."""
    store = await open_store(postgres_url)
    await store.write(lambda tx: tx.ledger.post([grant(f"cus_{name}", 10) for name in "ab"]))
    both_hold_their_first = asyncio.Barrier(2)
    met: set[str] = set()

    def cross(first: str, second: str):
        def work(tx: Tx) -> None:
            tx.ledger.post([pay(f"cus_{first}", f"cus_{first}{first}", 1, f"pay:{first}:1")])
            if first not in met:
                met.add(first)
                await_only(both_hold_their_first.wait())
            tx.ledger.post([pay(f"cus_{second}", f"cus_{first}{first}", 1, f"pay:{first}:2")])

        return work

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(store.write(cross("a", "b")))
        tasks.create_task(store.write(cross("b", "a")))
    balances = await store.read(lambda tx: tx.ledger.account_balances(TEST))
    assert [balances[f"customer:cus_{name}:available"] for name in ("a", "b", "aa", "bb")] == [8, 8, 2, 2]
    assert store.counters.retries == 1
    await store.close()


@pytest.mark.parametrize(("is_at_commit", "said"), [(False, "its disk is full"), (True, "during a commit")])
async def test_a_full_disk_is_unavailable_and_loses_nothing(
    postgres: PostgresServer, postgres_url: str, *, is_at_commit: bool, said: str
):
    """PostgreSQL's own error, from a trigger: 53100 where a table or an index cannot grow."""
    database = postgres_url.rpartition("?")[0].rpartition("/")[2]
    store = await open_store(postgres_url)
    with full_disk(postgres, database, is_at_commit=is_at_commit):
        with pytest.raises(StoreUnavailableError, match=said):
            await store.write(_grant)
        assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 0
    assert (store.counters.failures, store.counters.retries) == (1, 0)
    assert await store.write(_grant) == [True]
    await store.close()


async def test_sessions_have_our_limits(postgres_url: str):
    store = await open_store(postgres_url)
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")

    def settings(tx: Tx) -> list[str]:
        conn = tx.ledger._work.conn  # type: ignore[attr-defined]
        return [conn.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]

    assert await store.write(settings) == ["2s", "10s", "30s", "on"]
    await store.close()


async def test_a_database_that_does_not_exist_is_unavailable(postgres: PostgresServer):
    with pytest.raises(StoreUnavailableError):
        await open_store(postgres.url("nothing_here"))


async def test_no_free_connection_in_time_is_unavailable(postgres_url: str):
    store = await open_store(postgres_url, options=StoreOptions(pool_size=1, pool_seconds=0.05, tries=2))
    async with store._engine.connect():  # type: ignore[union-attr]
        with pytest.raises(StoreUnavailableError, match="free"):
            await store.write(_grant)
    assert await store.write(_grant) == [True]
    await store.close()


def test_a_killed_test_run_leaves_no_server(postgres: PostgresServer):
    code = (
        "import sys, time\n"
        "from tests.support.postgres import PostgresServer, find_binaries\n"
        "server = PostgresServer(find_binaries())\n"
        "print(server.folder, (server.data / 'postmaster.pid').read_text().split()[0], flush=True)\n"
        "time.sleep(60)\n"
    )
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True)  # noqa: S603  # a program of ours, with our arguments
    assert process.stdout
    folder, pid = process.stdout.readline().split()
    os.kill(int(pid), 0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    until = time.monotonic() + 20
    while Path(folder).exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(folder).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert postgres.sql("SELECT 1") == "1"
