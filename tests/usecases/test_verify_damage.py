"""Data that the program can never have written: verify tells of each by name and never gives up."""

import asyncio
import shutil
import threading
from pathlib import Path

import pysqlite3
import pytest
from tests.support.money import FlakyStore, World
from tests.usecases.busy import fill

from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.adapters.sql import StoreOptions, open_store, upgrade
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.damage import DamagedError
from yuanjing.ports.store import UsageFilter
from yuanjing.usecases.usages import list_usages, show_usage
from yuanjing.usecases.verify import verify

USAGE = "use000000000000000004"
"""The first usage record of the busy world, which one hold has paid for."""
PLACES = {
    "<usage>": f"id = '{USAGE}'",
    "<closed>": "id = (SELECT id FROM holds WHERE closed_at IS NOT NULL AND released_nanos > 0 LIMIT 1)",
}
CASES = {
    "impossible meters": ("usage", "UPDATE usages SET meters = '{\"cache_read_tokens\":5}' WHERE <usage>"),
    "meters of text": ("usage", 'UPDATE usages SET meters = \'{"input_tokens":"x"}\' WHERE <usage>'),
    "meters not JSON": ("usage", "UPDATE usages SET meters = 'zzz' WHERE <usage>"),
    "charge below zero": ("usage", "UPDATE usages SET charge_nanos = -5 WHERE <usage>"),
    "overrun above its maximum": ("usage", "UPDATE usages SET overrun_nanos = 20000000000000 WHERE <usage>"),
    "unknown status": ("usage", "UPDATE usages SET status = 'weird' WHERE <usage>"),
    "unknown book": ("usage", "UPDATE usages SET book = 'other' WHERE <usage>"),
    "price without tiers": ("usage", "UPDATE prices SET tiers = '[]'"),
    "usage of another hold": ("usage", "UPDATE usages SET hold_id = 'hold_zzz' WHERE <usage>"),
    "usage of nobody's key": ("usage", "UPDATE usages SET key_id = 'key_zzz' WHERE <usage>"),
    "usage of another's key": ("usage", "UPDATE usages SET key_id = 'key_plain_live_cus_b' WHERE <usage>"),
    "unknown reason": ("transfers", "UPDATE transfers SET reason = 'gift' WHERE seq = 1"),
    "unknown book of a transfer": ("transfers", "UPDATE transfers SET book = 'xx' WHERE seq = 1"),
    "transfer of nothing": ("transfers", "UPDATE transfers SET amount_nanos = 0 WHERE seq = 1"),
    "unknown purpose": ("holds", "UPDATE holds SET purpose = 'gift' WHERE closed_at IS NULL"),
    "closed hold changed": (
        "holds",
        "UPDATE holds SET settled_nanos = released_nanos, released_nanos = settled_nanos WHERE <closed>",
    ),
    "closed hold deleted": ("holds", "DELETE FROM holds WHERE <closed>"),
    "closed hold of another": ("holds", "UPDATE holds SET customer_id = 'cus_zzz' WHERE <closed>"),
    "hold invented": (
        "holds",
        (
            "INSERT INTO holds SELECT 'hold_q', book, customer_id, purpose, amount_nanos, settled_nanos, "
            "released_nanos, owner_node, owner_incarnation, key_id, is_closing, recall_requested_at, parts, "
            "created_at, expires_at, closed_at FROM holds WHERE <closed>"
        ),
    ),
    "spent without usage": ("budgets", "UPDATE key_budgets SET spent_nanos = 7 WHERE key_id = 'key_unused'"),
    "held without leases": ("budgets", "UPDATE key_budgets SET held_nanos = 7 WHERE key_id = 'key_unused'"),
    "spent without a budget": (
        "budgets",
        "UPDATE key_budgets SET spent_nanos = 7 WHERE key_id = 'key_plain_live_cus_a'",
    ),
    "limits of a key not JSON": ("budgets", "UPDATE api_keys SET limits = '[' WHERE id = 'key_t'"),
    "customer without a limit": (
        "accounts",
        "UPDATE accounts SET may_go_negative = 1 WHERE name = 'customer:cus_a:available'",
    ),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MemorySpoolFolder]:
    """A database file of the busy world, and its spools."""
    path, spools = tmp_path_factory.mktemp("damage") / "busy.db", MemorySpoolFolder()

    async def build() -> None:
        await upgrade(f"sqlite:///{path}")
        store = await open_store(f"sqlite:///{path}", options=StoreOptions(synchronous="off"), clock=ManualClock())
        await fill(World(store=FlakyStore(store), spools=spools, clock=ManualClock()))
        await store.close()

    thread = threading.Thread(target=lambda: asyncio.run(build()))
    thread.start()
    thread.join()
    return path, spools


@pytest.fixture
async def damaged(template, tmp_path):
    """Opens a copy of the busy world in which some statement was run behind the program's back."""
    path, spools = template
    copy = tmp_path / "store.db"
    shutil.copy(path, copy)
    opened = []

    async def run(statement: str) -> World:
        connection = pysqlite3.connect(str(copy), isolation_level=None)
        connection.execute("PRAGMA foreign_keys = off")
        connection.execute("PRAGMA ignore_check_constraints = on")
        for place, condition in PLACES.items():
            statement = statement.replace(place, condition)
        if statement:
            assert connection.execute(statement).rowcount > 0
        connection.close()
        clock = ManualClock()
        store = await open_store(f"sqlite:///{copy}", options=StoreOptions(synchronous="off"), clock=clock)
        opened.append(store)
        return World(store=FlakyStore(store), spools=spools, clock=clock)

    yield run
    for store in opened:
        await store.close()


async def test_the_world_is_clean_before(damaged):
    world = await damaged("")
    assert (await verify(world.store, world.spools, world.clock)).breaches == []


@pytest.mark.parametrize("name", CASES)
async def test_damage_is_a_breach_and_no_crash(damaged, name):
    check, statement = CASES[name]
    world = await damaged(statement)
    report = await verify(world.store, world.spools, world.clock)
    found = {(breach.check, breach.subject) for breach in report.breaches}
    assert check in {check for check, _ in found}, found
    if "<usage>" in statement:
        assert ("usage", USAGE) in found
    assert {"entries", "transfers", "holds", "usage", "budgets", "spools"} <= report.checked.keys()


@pytest.mark.parametrize("name", ["impossible meters", "meters not JSON", "unknown status", "price without tiers"])
async def test_what_cannot_be_shown_says_why(damaged, name):
    world = await damaged(CASES[name][1])
    with pytest.raises(DamagedError, match="is damaged"):
        await show_usage(world.store, USAGE)
    if name in {"meters not JSON", "unknown status"}:
        with pytest.raises(DamagedError, match=USAGE):
            await list_usages(world.store, UsageFilter())
