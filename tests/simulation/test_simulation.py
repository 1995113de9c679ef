"""Many seeds, each a platform under other faults; see the package's docstring."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.simulation import Outcome, simulate

ROOT = Path(__file__).parents[2]
SEEDS, SOAK_SEEDS = 1_000, 10_000
AT_ONCE, SOAK_AT_ONCE = 25, 500
pytestmark = pytest.mark.timeout(300)  # some seconds of one core, on machines that others use too


def failed(outcome: Outcome) -> str:
    again = f".venv/bin/python -m tests.simulation {outcome.seed} --trace"
    return "\n".join([f"seed {outcome.seed}; to run it again: {again}", *outcome.findings])


def run(seeds: Iterable[int]) -> None:
    for seed in seeds:
        outcome = simulate(seed)
        assert not outcome.findings, failed(outcome)


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_money_and_tasks_stay_exact_whatever_happens(first):
    run(range(first, first + AT_ONCE))


@pytest.mark.soak
@pytest.mark.parametrize("first", range(SEEDS, SEEDS + SOAK_SEEDS, SOAK_AT_ONCE))
def test_money_and_tasks_stay_exact_whatever_happens_for_long(first):
    run(range(first, first + SOAK_AT_ONCE))


def test_a_seed_is_always_the_same_story():
    for seed in range(3):
        assert simulate(seed).digest == simulate(seed).digest
    assert simulate(0).digest != simulate(1).digest


def test_nor_does_it_depend_on_the_process_or_its_hashes():
    """What is told of a seed by one machine is found again on another."""
    command = [sys.executable, "-m", "tests.simulation", "0", "6"]
    told = {
        subprocess.run(  # noqa: S603  # our own program
            command,
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1, told
    assert told.pop().count(b"\n") == 6


def test_the_seeds_reach_what_they_are_for():
    """Else it would find nothing because nothing happens."""
    sums: Counter[str] = Counter()
    for seed in range(40):
        sums.update(simulate(seed).counts)
    assert sums["whole"] > 200, sums
    assert sums["tasks"] > 40, sums
    assert sums["paid"] > 15, sums
    assert sums["late"] > 10, sums
    assert sums["lives"] > 200, sums
    assert sums["again"] > 100, sums
    assert sums["replayed"] > 20, sums


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_missing_safeguard_is_found(mutant: Mutant, monkeypatch):
    mutant.apply(monkeypatch)
    for seed in range(mutant.seeds):
        if any(mutant.finding in finding for finding in simulate(seed).findings):
            return
    pytest.fail(f"no seed below {mutant.seeds} has found it")
