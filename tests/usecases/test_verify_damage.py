"""Data that the program can never have written: verify tells of each by name and never gives up."""

import asyncio
import re
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
from yuanjing.ports.usages import UsageFilter
from yuanjing.usecases.usages import list_usages, show_usage
from yuanjing.usecases.verify import verify

USAGE = "use000000000000000004"
"""The first usage record of the busy world, which one hold has paid for."""
PLACES = {
    "<month>": "rowid = (SELECT min(rowid) FROM account_months)",
    "<day>": "rowid = (SELECT min(rowid) FROM usage_days)",
    "<usage>": f"id = '{USAGE}'",
    "<open>": "id = (SELECT id FROM holds WHERE closed_at IS NULL AND promotion_nanos = 0 LIMIT 1)",
    "<gifted>": "id = (SELECT id FROM holds WHERE promotion_nanos > 0 LIMIT 1)",
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
    "a day's charge": ("usage days", "UPDATE usage_days SET charge_nanos = charge_nanos + 1 WHERE <day>"),
    "a day's requests": ("usage days", "UPDATE usage_days SET requests = requests + 1 WHERE <day>"),
    "a day's input": ("usage days", "UPDATE usage_days SET input_tokens = input_tokens - 1 WHERE <day>"),
    "a day's output": ("usage days", "UPDATE usage_days SET output_tokens = 0, input_tokens = 9 WHERE <day>"),
    "a day lost": ("usage days", "DELETE FROM usage_days WHERE <day>"),
    "a day moved": ("usage days", "UPDATE usage_days SET day = day + 1 WHERE <day>"),
    "a day of another key": ("usage days", "UPDATE usage_days SET key_id = 'key_zzz' WHERE <day>"),
    "a day of another book": ("usage days", "UPDATE usage_days SET book = 'other' WHERE <day>"),
    "a day invented": (
        "usage days",
        (
            "INSERT INTO usage_days SELECT customer_id, book, day, key_id, 'ghost', requests, input_tokens, "
            "output_tokens, charge_nanos FROM usage_days WHERE <day>"
        ),
    ),
    "a month's amount": ("months", "UPDATE account_months SET amount_nanos = amount_nanos + 1 WHERE <month>"),
    "a month with a gap": ("months", "UPDATE account_months SET last_version = last_version + 9 WHERE <month>"),
    "a month with an entry too many": (
        "months",
        "UPDATE account_months SET entries = entries + 1, last_version = last_version + 1 WHERE <month>",
    ),
    "a month of another reason": ("months", "UPDATE account_months SET reason = 'refund' WHERE <month>"),
    "a month of no reason": ("months", "UPDATE account_months SET reason = 'gift' WHERE <month>"),
    "a month lost": ("months", "DELETE FROM account_months WHERE <month>"),
    "all months lost": ("months", "DELETE FROM account_months"),
    "a month invented": (
        "months",
        (
            "INSERT INTO account_months SELECT book, account, month + 1, reason, 1, 5, last_version + 1, "
            "last_version + 1 FROM account_months WHERE <month>"
        ),
    ),
    "usage lost": ("usage days", "DELETE FROM usages WHERE <usage>"),
    "usage of another day": ("usage days", "UPDATE usages SET posted_at = posted_at + 200000 WHERE <usage>"),
    "usage of another model": ("usage days", "UPDATE usages SET model = 'other' WHERE <usage>"),
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
            "created_at, expires_at, closed_at, promotion_nanos FROM holds WHERE <closed>"
        ),
    ),
    "promotion money of a hold": ("holds", "UPDATE holds SET promotion_nanos = 1 WHERE <open>"),
    "no promotion money in a hold": ("holds", "UPDATE holds SET promotion_nanos = 0 WHERE <gifted>"),
    "unreadable lot": ("promotions", "UPDATE promotions SET left_nanos = amount_nanos + 1 WHERE cause = 'spring'"),
    "lot with less than there is": ("promotions", "UPDATE promotions SET left_nanos = 5 WHERE cause = 'spring'"),
    "lot with more than was given": ("promotions", "UPDATE promotions SET amount_nanos = 9e9 WHERE cause = 'spring'"),
    "lot deleted": ("promotions", "DELETE FROM promotions WHERE cause = 'spring'"),
    "lot of another": ("promotions", "UPDATE promotions SET customer_id = 'cus_b' WHERE cause = 'spring'"),
    "lot of another cause": ("promotions", "UPDATE promotions SET cause = 'winter' WHERE cause = 'spring'"),
    "lot that lost what had expired": ("promotions", "UPDATE promotions SET expired_nanos = 0 WHERE cause = 'old'"),
    "code of another": ("redeem codes", "UPDATE redeem_codes SET customer_id = 'cus_a' WHERE customer_id = 'cus_b'"),
    "code of another amount": ("redeem codes", "UPDATE redeem_codes SET amount_nanos = 6 WHERE customer_id = 'cus_b'"),
    "code without its lot": ("redeem codes", "DELETE FROM promotions WHERE cause LIKE 'code:%'"),
    "lot without its code": (
        "redeem codes",
        "UPDATE redeem_codes SET customer_id = NULL, redeemed_at = NULL WHERE customer_id = 'cus_b'",
    ),
    "unreadable code": ("redeem codes", "UPDATE redeem_codes SET amount_nanos = 0 WHERE customer_id = 'cus_b'"),
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
    if "<usage>" in statement and check == "usage":
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


async def test_a_day_that_differs_is_told_with_both_figures(damaged):
    world = await damaged(CASES["a day's charge"][1])
    report = await verify(world.store, world.spools, world.clock)
    (breach,) = report.breaches
    assert breach.check == "usage days"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\|(live|test)\|cus_\w+\|key_\w+\|[\w.-]+", breach.subject)
    said, made = re.findall(r"(\d+) charge_nanos", breach.message)
    assert int(said) == int(made) + 1
