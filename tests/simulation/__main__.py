"""Runs seeds again: `.venv/bin/python -m tests.simulation SEED [UNTIL] [--trace] [--mutant NAME]`."""

import argparse
import sys

import pytest
from tests.simulation.mutants import MUTANTS
from tests.simulation.simulation import simulate


def main() -> int:
    """Print a digest and what was found for each seed; 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("seed", type=int)
    parser.add_argument("until", type=int, nargs="?", help="run all seeds below this one")
    parser.add_argument("--trace", action="store_true", help="print what happened")
    parser.add_argument("--mutant", choices=[one.name for one in MUTANTS], help="take this safeguard away")
    asked = parser.parse_args()
    found = 0
    with pytest.MonkeyPatch.context() as patch:
        for mutant in MUTANTS:
            if mutant.name == asked.mutant:
                mutant.apply(patch)
        for seed in range(asked.seed, asked.until or asked.seed + 1):
            outcome = simulate(seed)
            lines = [*(outcome.trace if asked.trace else ()), f"seed {seed} {outcome.digest}", *outcome.findings]
            sys.stdout.write("\n".join(lines) + "\n")
            found += bool(outcome.findings)
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
