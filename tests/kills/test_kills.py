"""Every whole answer is charged once and right, every task ends in one settle or one release, whoever is killed."""

import json
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kills.mutants import MUTANTS, PLANS, attempt
from tests.kills.run import Plan, run
from tests.support.postgres import PostgresServer, memory_folder


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    """Where the database is to be made; None for a file."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres")


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory: what a killed process has written stays there too, and nobody waits for a disk."""
    with tempfile.TemporaryDirectory(prefix="yuanjing-kills-", dir=memory_folder()) as name:
        yield Path(name)


def play(plan: Plan, folder: Path, server: PostgresServer | None) -> dict[str, object]:
    """Run it; nothing may be wrong. The figures are shown with a failure, or with `-s`."""
    outcome = run(plan, folder, server)
    print(plan, json.dumps(outcome.figures))  # noqa: T201  # see above
    assert not outcome.wrong, "\n".join([str(plan), *outcome.wrong])
    return outcome.figures


def count(figures: dict[str, object], deed: str) -> int:
    return sum(int(str(figures.get(f"{deed} {role}", 0))) for role in ("gateway", "worker"))


@pytest.mark.timeout(900)
def test_nothing_is_lost_or_charged_twice_while_processes_are_killed_and_paused(folder, server):
    plan = Plan(operations=100_000, videos=100, kills=10, pauses=3, seed=secrets.randbelow(10**6), seconds_max=600.0)
    figures = play(plan, folder, server)
    assert int(str(figures["operations"])) >= plan.operations + plan.videos
    assert (count(figures, "killed"), count(figures, "paused")) == (10, 3)
    assert int(str(figures["while there was load"])) >= 10
    assert figures["fenced"], "no process woke after its node was taken over"
    assert figures["replayed"], "nobody asked again for an answer that was made"
    assert figures["refused for money"], "nobody ran out of money"


@pytest.mark.soak
def test_the_same_a_million_times(folder, server):
    plan = Plan(operations=1_000_000, videos=10_000, kills=100, pauses=30, gateways=2, seed=secrets.randbelow(10**6))
    figures = play(plan, folder, server)
    assert int(str(figures["operations"])) >= plan.operations + plan.videos
    assert (count(figures, "killed"), count(figures, "paused")) == (100, 30)
    assert int(str(figures["while there was load"])) >= 120
    assert int(str(figures["fenced"])) >= 10


@pytest.mark.soak
@pytest.mark.parametrize("name", MUTANTS)
def test_a_defect_is_found(name):
    mutant = MUTANTS[name]
    outcome = attempt(mutant.changes, mutant.plan)
    assert mutant.own(outcome.wrong), f"the product {name}, and nothing shows it: {outcome.wrong}"


@pytest.mark.soak
@pytest.mark.parametrize("name", PLANS)
def test_without_a_defect_nothing_is_found(name):
    outcome = attempt((), PLANS[name])
    assert not outcome.wrong, "\n".join(outcome.wrong)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_defect_can_be_made(name):
    assert all(change.fits() for change in MUTANTS[name].changes)
