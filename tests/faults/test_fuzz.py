"""Bytes by chance for all that reads what others send: a little here, for long in `make soak`."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.targets import TARGETS, check_events

ROUNDS = 600
SOAK_SECONDS = 120
ROOT = Path(__file__).parents[2]
BYTES = (
    b"\n",
    b"\r\n",
    b"\r",
    b'"',
    b"{",
    b"}",
    b"[",
    b"\x00",
    b"\xff",
    b"\\ud800",
    b"9" * 30,
    b"-1",
    b"null",
    b"data:",
    b":",
)


def mutated(choose: random.Random, data: bytes) -> bytes:
    """The bytes with some of them changed, cut out, put in twice or put elsewhere."""
    for _ in range(choose.randrange(1, 5)):
        at, size = choose.randrange(len(data) + 1), choose.randrange(1, 40)
        kind = choose.randrange(5)
        if kind == 0:
            data = data[:at] + bytes([choose.randrange(256)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[at + size :]
        elif kind == 2:
            data = data[:at] + choose.choice(BYTES) + data[at:]
        elif kind == 3:
            data = data[:at] + data[at : at + size] * choose.choice((2, 50)) + data[at:]
        else:
            to = choose.randrange(len(data) + 1)
            data = data[:to] + data[at : at + size] + data[to:]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_bytes_by_chance_break_nothing(name):
    seed = random.randrange(2**32)  # noqa: S311  # no secret; told if it fails
    choose = random.Random(seed)  # noqa: S311  # no secret; told if it fails
    target, samples = TARGETS[name]
    for sample in samples:
        target(sample)
    for number in range(ROUNDS):
        data = mutated(choose, choose.choice(samples))
        try:
            target(data)
        except Exception as error:
            raise AssertionError(f"seed {seed}, number {number}: {data!r}") from error


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
def test_bytes_by_coverage_break_nothing(name, tmp_path):
    command = [sys.executable, "-m", "tests.faults.fuzz", name, str(SOAK_SECONDS)]
    ended = subprocess.run(  # noqa: S603  # our own program
        command, cwd=tmp_path, env={"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert "DONE" in ended.stderr or "Done" in ended.stderr


def test_the_checks_can_fail():
    with pytest.raises(AssertionError):
        check_events(b"data: {}\n\n", is_done=True)
    with pytest.raises(ValueError, match="Expecting"):
        check_events(b"data: {x}\n\n", is_done=False)
