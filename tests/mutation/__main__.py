"""Tries mutants of `domain/`: `.venv/bin/python -m tests.mutation [--files NAME …] [--sample N] [--seed N]`.

Tells the score of each file, and every mutant that no test has noticed. 1 if too few were noticed, or if a line of
`equivalent.toml` is wrong.
"""

import argparse
import os
import random
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.mutation.operators import Mutant, mutants_of
from tests.mutation.runner import Fate, Runner

ROOT = Path(__file__).parents[2]
DOMAIN = ROOT / "src" / "yuanjing" / "domain"
TESTS = ("tests/domain", "tests/catalog", "tests/usecases", "tests/usecases_admin", "tests/usecases_signin")
FLOOR, MONEY_FLOOR = 85.0, 95.0
"""Percent of the mutants that must be noticed: of all of them, and of each file of `MONEY`."""
MONEY = ("holds.py", "ledger.py", "money.py", "pricing.py")

Named = tuple[str, str, str]
"""A file, a function and what was changed in it: a mutant as people write it down."""


def equivalents() -> dict[Named, str]:
    """Mutants that do what the original does, with the reason of each."""
    rows = tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text(encoding="utf-8"))["mutant"]
    return {(row["file"], row["function"], row["change"]): row["why"] for row in rows}


def all_mutants(names: Sequence[str]) -> dict[str, list[Mutant]]:
    """The mutants of each file, or of those that are named."""
    files = sorted(DOMAIN.rglob("*.py"))
    found = {
        str(path.relative_to(DOMAIN)): mutants_of(path.read_text(encoding="utf-8"), str(path.relative_to(DOMAIN)))
        for path in files
    }
    return {file: some for file, some in found.items() if some and (not names or file in names)}


def named(mutant: Mutant) -> Named:
    """How people write it down."""
    return mutant.file, mutant.function, mutant.told()


def judged(fates: Sequence[Fate], known: Mapping[Named, str]) -> list[str]:
    """The lines of the report that ask for something: too low a score, or a wrong line of the list."""
    wrong: list[str] = []
    by_file: dict[str, list[Fate]] = defaultdict(list)
    for fate in fates:
        name = named(fate.mutant)
        if name not in known:
            by_file[fate.mutant.file].append(fate)
        elif fate.is_killed:
            wrong.append(f"listed as equivalent, but a test fails: {' | '.join(name)}")
    say("")
    for file, some in sorted(by_file.items()):
        say(f"{file:<32} {_score(some):6.1f} %  {len(some):5}")
        if file in MONEY and _score(some) < MONEY_FLOOR:
            wrong.append(f"{file}: below {MONEY_FLOOR:g} %")
    whole = [fate for some in by_file.values() for fate in some]
    say(f"{'TOTAL':<32} {_score(whole):6.1f} %  {len(whole):5}, {sum(fate.is_slow for fate in whole)} of them by time")
    if _score(whole) < FLOOR:
        wrong.append(f"below {FLOOR:g} %")
    return wrong


def _score(fates: Sequence[Fate]) -> float:
    return 100.0 * sum(fate.is_killed for fate in fates) / len(fates) if fates else 100.0


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Try them; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--files", nargs="*", default=[], help="only these, as `ledger.py`")
    parser.add_argument("--sample", type=int, default=0, help="at most so many of each file outside of money")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    found, known = all_mutants(asked.files), equivalents()
    chance = random.Random(asked.seed)  # noqa: S311  # a sample, no secret
    chosen: list[Mutant] = []
    for file, some in found.items():
        is_whole = file in MONEY or not asked.sample or len(some) <= asked.sample
        chosen += some if is_whole else chance.sample(some, asked.sample)
    count = sum(len(some) for some in found.values())
    say(f"{len(chosen)} of {count} mutants, seed {asked.seed}")
    runner = Runner(root=str(DOMAIN), mutants=chosen, jobs=asked.jobs, say=say)
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--randomly-seed=1", "--timeout=0")
    os.chdir(ROOT)
    pytest.main([*options, "-m", "not soak", *TESTS], plugins=[runner])
    for failure in runner.failures:
        say(f"fails without any mutant: {failure}")
    if runner.failures or len(runner.fates) < len(chosen):
        return 1
    for fate in sorted(runner.fates, key=lambda fate: (fate.mutant.file, fate.mutant.line)):
        if not fate.is_killed and named(fate.mutant) not in known:
            one = fate.mutant
            say(f"survived: src/yuanjing/domain/{one.file}:{one.line} {one.function} ({fate.tests} tests)")
            say(f"    {one.told()}")
    existing = {named(mutant) for some in found.values() for mutant in some}
    wrong = [
        f"no such mutant any more: {' | '.join(name)}" for name in known if name not in existing and not asked.files
    ]
    wrong += judged(runner.fates, known)
    for line in wrong:
        say(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
