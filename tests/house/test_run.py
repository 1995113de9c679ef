"""The runner of checks and tests: what it counts, and when it fails."""

import os
import stat
import time

import pytest
from tests import run
from tests.house import tidy

REPORT = """<?xml version="1.0"?>
<testsuites><testsuite>
<testcase classname="tests.a" name="test_good"/>
<testcase classname="tests.a" name="test_bad"><failure message="no"/></testcase>
<testcase classname="tests.a" name="test_broken"><error message="no"/></testcase>
<testcase classname="tests.a" name="test_known"><skipped type="pytest.xfail" message="a bug"/></testcase>
<testcase classname="tests.a" name="test_left_out"><skipped type="pytest.skip" message="no server"/></testcase>
</testsuite></testsuites>"""


def counts(**values):
    return run.Counts(**{"passed": 1, **values})


def test_tests_are_counted_by_outcome():
    found = run.count_tests(REPORT)
    assert (found.passed, found.failed, found.skipped) == (2, 2, {"tests.a::test_left_out": "no server"})


@pytest.mark.parametrize(
    ("found", "failures", "is_ci", "is_good"),
    [
        (counts(), [], True, True),
        (counts(skipped={"tests.a::b": "why"}), [], False, True),
        (counts(skipped={"tests.a::b": "why"}), [], True, False),
        (counts(failed=1), [], False, False),
        (counts(), ["lint"], False, False),
        (counts(passed=0), [], False, False),
        (counts(passed=0, skipped={"tests.a::b": "why"}), [], False, False),
    ],
)
def test_what_makes_a_run_fail(found, failures, is_ci, is_good):
    assert (run.verdict(found, failures, is_ci=is_ci) == []) is is_good


def step(name, script, **options):
    return run.Step(name=name, command=["/bin/sh", "-c", script], **options)


def pytest_step(folder, place):
    """Of some tests there, with nothing of ours."""
    options = ("-p", "xdist", f"--rootdir={folder}", "-c", os.devnull)
    bare = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return run.pytest_step("tests", folder, *options, place, environment=bare, is_run_again=True)


def test_a_step_s_output_is_shown_only_if_it_fails(tmp_path, capsys):
    runner = run.Runner(tmp_path)
    runner.run_pairs([step("good", "echo quiet"), step("bad", "echo loud; exit 3")])
    shown = capsys.readouterr().out
    assert runner.failures == ["bad"]
    assert "loud" in shown
    assert "quiet" not in shown
    assert [line[:4] for line in sorted(shown.splitlines()) if " s" in line] == ["FAIL", "ok  "]


def test_a_total_is_told(tmp_path, capsys):
    runner = run.Runner(tmp_path)
    assert runner.run(step("total", "echo detail; echo TOTAL  93%; echo more", shows_total=True))
    shown = capsys.readouterr().out
    assert "TOTAL 93%" in shown
    assert "detail" not in shown


def test_a_step_that_hangs_is_ended_with_what_it_started(tmp_path, capsys):
    runner = run.Runner(tmp_path)
    assert not runner.run(step("slow", "sleep 60 & echo $! > " + str(tmp_path / "pid") + "; wait", seconds_max=0.3))
    assert "not finished after" in capsys.readouterr().out
    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while _is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_running(process):
    """Whether it is there and not only waiting to be reaped."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as file:  # noqa: PTH123  # no folder of ours
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def test_a_run_of_pytest_without_tests_fails(tmp_path, capsys):
    runner = run.Runner(tmp_path)
    runner.run(step("tests", "exit 5", report=tmp_path / "none.xml"))
    assert runner.failures == []
    assert "no test ran" in run.verdict(runner.counts, runner.failures, is_ci=False)
    assert "no report" in capsys.readouterr().out


UNSTEADY = """
import pathlib

def test_good():
    pass

def test_unsteady():
    mark = pathlib.Path(__file__).with_name("mark")
    was_there = mark.exists()
    mark.touch()
    assert was_there

def test_bad():
    assert {bad}
"""


@pytest.mark.parametrize(
    ("bad", "folder", "failed", "unsteady"),
    [
        ("True", "some", 0, ["test_unsteady"]),
        ("False", "some", 2, []),
        ("True", "tests/money", 1, []),
    ],
)
def test_what_fails_once_is_run_again_alone_and_told(tmp_path, capsys, bad, folder, failed, unsteady):
    """Not where one failure may be lost money, and not what goes on failing."""
    place = tmp_path / folder
    place.mkdir(parents=True)
    (place / "test_it.py").write_text(UNSTEADY.format(bad=bad))
    runner = run.Runner(tmp_path)
    step = pytest_step(tmp_path, str(place))
    assert runner.run(step) is (failed == 0)
    shown = capsys.readouterr().out
    assert (runner.counts.passed, runner.counts.failed) == (3 - failed, failed)
    assert [name.rpartition("::")[2] for name in runner.unsteady] == unsteady
    assert ("again tests" in shown) is (folder == "some")
    assert "was_there" in shown


def test_many_failures_are_not_run_again(tmp_path):
    """Something is broken then."""
    (tmp_path / "test_it.py").write_text("".join(f"def test_{n}():\n    assert 0\n" for n in range(4)))
    runner = run.Runner(tmp_path)
    step = pytest_step(tmp_path, str(tmp_path))
    assert not runner.run(step)
    assert (runner.counts.failed, runner.unsteady) == (4, [])


def test_wrong_arguments_are_refused(capsys):
    assert run.main([]) == 2
    assert run.main(["everything"]) == 2
    assert "all | check | soak" in capsys.readouterr().err


def test_ci_runs_what_the_readme_says():
    script = tidy.ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    lines = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "set -euo pipefail"
    assert lines[-1] == "make test"
