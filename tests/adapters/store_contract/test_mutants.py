"""Safeguards taken out of the SQL of both databases: of each the test that must fail without it, and does."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.run import count_tests
from tests.support.defects import Change, mutated

ROOT = Path(__file__).parents[3]
BOTH = ("sqlite", "postgres")
_TRIES = 3
"""What only a race shows may not show at once."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A defect, and the tests of this folder, as `module::name`, each of which must fail on these databases."""

    changes: Sequence[Change]
    tests: Sequence[str]
    databases: Sequence[str] = BOTH


def one(file: str, old: str, new: str) -> list[Change]:
    return [Change(file=f"adapters/sql/{file}", old=old, new=new)]


_FIRST = "migrations/versions/v0001_initial.py"
MUTANTS = {
    "moves money without looking at the limit": Mutant(
        changes=one("ledger.py", "AND (accounts.may_go_negative OR accounts.balance_nanos + m.delta >= 0)", ""),
        tests=["safeguards::test_the_statement_that_moves_money_keeps_the_limit"],
    ),
    "looks at the limit only when it is too late to go on": Mutant(
        changes=one("ledger.py", "if after < 0 and not may_go_negative(account):", "if after < -(2**63):"),
        tests=["ledger::test_a_customer_never_goes_below_zero_and_the_unit_of_work_can_go_on"],
    ),
    "has no limit in the table": Mutant(
        changes=one(
            _FIRST,
            'sa.CheckConstraint("may_go_negative OR balance_nanos >= 0", name=op.f("ck_accounts_limit"))',
            'sa.CheckConstraint("balance_nanos = balance_nanos", name=op.f("ck_accounts_limit"))',
        ),
        tests=["safeguards::test_no_statement_breaks_the_ledger[{}-below zero]"],
    ),
    "has no unique id of transfers": Mutant(
        changes=one(
            _FIRST,
            'sa.UniqueConstraint("id", name=op.f("uq_transfers_id"))',
            'sa.UniqueConstraint("id", "seq", name=op.f("uq_transfers_id"))',
        ),
        tests=["safeguards::test_no_statement_breaks_the_ledger[{}-an id twice]"],
    ),
    "does not look for a transfer that is there": Mutant(
        changes=one("ledger.py", "other = known.get(transfer.id)", "other = None"),
        tests=[
            "ledger::test_repeating_a_transfer_changes_nothing",
            "ledger::test_a_transfer_twice_in_one_batch_counts_once",
        ],
    ),
    "takes one id for two contents": Mutant(
        changes=one("ledger.py", "elif other != transfer:", "elif not other:"),
        tests=["ledger::test_one_id_with_two_contents_in_one_batch_is_refused"],
    ),
    "locks accounts in any order": Mutant(
        changes=one(
            "ledger.py",
            "        .where(among(accounts.c.name))\n        .order_by(accounts.c.name)",
            "        .where(among(accounts.c.name))\n        .order_by(sa.func.random())",
        ),
        tests=["concurrency::test_fifty_opposite_transfers_at_once_do_not_deadlock"],
        databases=["postgres"],
    ),
    "locks no rows": Mutant(
        changes=one(
            "work.py",
            "return Lockable(statement, statement.with_for_update())",
            "return Lockable(statement, statement)",
        ),
        tests=[
            "concurrency::test_a_balance_is_spent_once_by_many",
            "concurrency::test_who_locks_what_is_available_decides_by_it_alone",
            "concurrency::test_a_node_locked_here_cannot_be_closed_there",
        ],
        databases=["postgres"],
    ),
    "begins to write when it first writes": Mutant(
        changes=one("sqlite.py", '"BEGIN IMMEDIATE" if may_write else "BEGIN"', '"BEGIN"'),
        tests=["concurrency::test_a_balance_is_spent_once_by_many"],
        databases=["sqlite"],
    ),
    "lets a former life beat": Mutant(
        changes=one(
            "nodes.py",
            '    nodes.c.incarnation == sa.bindparam("current"),\n    nodes',
            '    nodes.c.incarnation <= nodes.c.incarnation + 0 * sa.bindparam("current"),\n    nodes',
        ),
        tests=[
            "nodes::test_beats_count_only_for_the_living_incarnation",
            "nodes::test_closing_raises_the_incarnation_once",
        ],
    ),
    "lets a closed life beat": Mutant(
        changes=one("nodes.py", "    nodes.c.is_alive,\n)", ")"),
        tests=[
            "nodes::test_beats_count_only_for_the_living_incarnation",
            "nodes::test_closing_raises_the_incarnation_once",
        ],
    ),
    "moves a spool's position from anywhere": Mutant(
        changes=one(
            "nodes.py",
            '.where(_IS_SPOOL, spool_positions.c.posted_seq == sa.bindparam("expected"))',
            '.where(_IS_SPOOL, spool_positions.c.posted_seq >= sa.bindparam("expected"))',
        ),
        tests=["nodes::test_a_position_moves_only_from_where_it_is"],
    ),
    "takes what is there for new": Mutant(
        changes=one(
            "bulk.py",
            "return {str(row[0]) for row in found}",
            "return {str(row[0]) for row in found} or {str(next(iter(row.values()))) for row in rows}",
        ),
        tests=["holds::test_an_id_is_taken_once_and_the_unit_of_work_can_go_on"],
    ),
    "charges what was charged": Mutant(
        changes=one("usages.py", "for known in self.existing(list(by_id)):", "for known in ():"),
        tests=["usages::test_a_record_is_written_once", "concurrency::test_the_same_usage_from_many_is_new_once"],
    ),
    "lets a former claim write": Mutant(
        changes=one(
            "tasks.py",
            '.where(_IS_IT, tasks.c.claim_token == sa.bindparam("token"), IS_UNDER_WAY)',
            '.where(_IS_IT, tasks.c.claim_token >= sa.bindparam("token"), IS_UNDER_WAY)',
        ),
        tests=["tasks::test_only_the_newest_claim_may_write"],
    ),
    "changes a task that has ended": Mutant(
        changes=one(
            "tasks.py",
            '.where(_IS_IT, tasks.c.claim_token == sa.bindparam("token"), IS_UNDER_WAY)',
            '.where(_IS_IT, tasks.c.claim_token == sa.bindparam("token"))',
        ),
        tests=["tasks::test_an_ended_task_is_never_changed"],
    ),
    "lets any request finish or free a key": Mutant(
        changes=one(
            "idempotency.py",
            'idempotency_keys.c.usage_id == sa.bindparam("usage"), sa',
            'sa.or_(idempotency_keys.c.usage_id == sa.bindparam("usage"), sa.true()), sa',
        ),
        tests=[
            "idempotency::test_a_result_comes_once_and_from_its_own_request",
            "idempotency::test_only_its_own_request_frees_a_key",
        ],
    ),
    "frees a key that has its answer": Mutant(
        changes=one(
            "idempotency.py", 'sa.bindparam("usage"), sa.not_(idempotency_keys.c.is_done))', 'sa.bindparam("usage"))'
        ),
        tests=["idempotency::test_a_result_comes_once_and_from_its_own_request"],
    ),
    "revokes a key again": Mutant(
        changes=one(
            "keys.py",
            '.where(api_keys.c.id == sa.bindparam("key"), api_keys.c.revoked_at.is_(None))',
            '.where(api_keys.c.id == sa.bindparam("key"))',
        ),
        tests=["identity::test_a_key_is_revoked_once"],
    ),
    "revokes a code that was redeemed": Mutant(
        changes=one(
            "redeem_codes.py",
            ".where(redeem_codes.c.customer_id.is_(None), redeem_codes.c.revoked_at.is_(None))",
            ".where(redeem_codes.c.revoked_at.is_(None))",
        ),
        tests=["redeem_codes::test_only_what_nobody_has_redeemed_is_revoked"],
    ),
    "recalls a lease that is closing, or twice": Mutant(
        changes=one(
            "holds.py",
            "_OF_CUSTOMER.where(_IS_LEASE, sa.not_(holds.c.is_closing), holds.c.recall_requested_at.is_(None)).where(",
            "_OF_CUSTOMER.where(_IS_LEASE).where(",
        ),
        tests=["holds::test_recall_marks_the_leases_of_others_once"],
    ),
}


def places_of(mutant: Mutant) -> dict[str, str]:
    """What to run, by the name in the report."""
    found: dict[str, str] = {}
    for test in mutant.tests:
        module, _, name = test.partition("::")
        for database in mutant.databases:
            whole = name.format(database) if "[" in name else f"{name}[{database}]"
            place = f"tests/adapters/store_contract/test_{module}.py::{whole}"
            found[f"tests.adapters.store_contract.test_{module}::{whole}"] = place
    return found


def run(places: Sequence[str], source: Path, report: Path) -> tuple[set[str], int]:
    """Run tests of this folder on this version of the product: which failed, and how many did not."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", f"pythonpath={source}"]
    done = subprocess.run(  # noqa: S603  # our own tests
        [*command, f"--junitxml={report}", *places],
        cwd=ROOT,
        env=dict(os.environ),  # noqa: TID251  # for a child process
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    counts = count_tests(report.read_text(encoding="utf-8"))
    assert counts.passed + counts.failed == len(places), done.stdout
    return counts.failures, counts.passed


@pytest.mark.parametrize("name", MUTANTS)
def test_a_defect_can_be_made(name):
    assert all(change.fits() for change in MUTANTS[name].changes)


@pytest.mark.soak
def test_all_of_these_tests_pass_on_a_copy_without_a_defect(tmp_path):
    places = {place for mutant in MUTANTS.values() for place in places_of(mutant).values()}
    failed, passed = run(sorted(places), mutated([], tmp_path), tmp_path / "report.xml")
    assert (failed, passed) == (set(), len(places))


@pytest.mark.soak
@pytest.mark.parametrize("name", MUTANTS)
def test_a_missing_safeguard_is_found(tmp_path, name):
    mutant = MUTANTS[name]
    places = places_of(mutant)
    source = mutated(mutant.changes, tmp_path)
    missing = set(places)
    for attempt in range(_TRIES):
        failed, _ = run([places[one] for one in sorted(missing)], source, tmp_path / f"{attempt}.xml")
        missing -= failed
        if not missing:
            return
    pytest.fail(f"the product {name}, and these tests pass: {sorted(missing)}")
