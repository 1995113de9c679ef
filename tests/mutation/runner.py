"""Runs mutants: a plugin of pytest that takes the place of its loop over the tests."""

import gc
import os
import pickle
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest
from tests.mutation.operators import Mutant

_ELSEWHERE = ("postgres", "sqlite")
"""What the ids of tests say that want a database: the same tests run in memory."""
_SECONDS_MIN, _SLOWER = 10.0, 8.0
"""How long the tests of a mutant may take: so long, and so many times what they take without it."""
_SURVIVED, _KILLED = 0, 1

Function = tuple[str, str, int]
"""A file, the qualified name of a function in it, and the function's first line."""
_Targets = dict[Function, list[FunctionType]]


@dataclass(kw_only=True, slots=True)
class Fate:
    """What became of a mutant; `tests` is how many reach its function."""

    mutant: Mutant
    is_killed: bool
    is_slow: bool = False
    tests: int = 0


@dataclass(kw_only=True, slots=True)
class _Reached:
    """Which functions each test reaches, by its place among the tests, and how long it takes."""

    functions: dict[Function, list[int]]
    seconds: list[float]
    failures: list[str]


@dataclass(kw_only=True, slots=True)
class _Life:
    mutant: Mutant
    until: float
    tests: int


@dataclass(kw_only=True, eq=False)
class Runner:
    """Forks a process for each mutant, so many at once; the plugin."""

    root: str
    mutants: Sequence[Mutant]
    jobs: int
    say: Callable[[str], None]
    fates: list[Fate] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def pytest_sessionstart(self) -> None:
        """Examples are the same for every mutant, and a failure is not made smaller first."""
        from hypothesis import HealthCheck, Phase, settings  # noqa: PLC0415  # pytest wants to import its plugins itself

        settings.register_profile(
            "mutants",
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what wants a database."""
        items[:] = [item for item in items if not any(word in item.nodeid for word in _ELSEWHERE)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """See which tests reach what, then try every mutant."""
        if session.testsfailed:
            self.failures.append("the tests cannot be collected")
            return True
        began = time.monotonic()
        targets = functions_below(self.root)
        gc.freeze()
        reached = _in_a_child(session.config, lambda: _look(session.items, targets))
        self.failures += reached.failures
        self.say(
            f"{len(session.items)} tests reach {len(reached.functions)} functions, {time.monotonic() - began:.0f} s"
        )
        if not self.failures:
            self._try(session.items, reached, targets)
        return True

    def _try(self, items: Sequence[pytest.Item], reached: _Reached, targets: _Targets) -> None:
        lives: dict[int, _Life] = {}
        for mutant in self.mutants:
            while len(lives) >= self.jobs:
                self._wait(lives)
            name = (mutant.file, mutant.function, mutant.first_line)
            places = sorted(reached.functions.get(name, []), key=lambda place: reached.seconds[place])
            seconds = _SECONDS_MIN + _SLOWER * sum(reached.seconds[place] for place in places)
            pid = os.fork()
            if not pid:
                _live([items[place] for place in places], targets.get(name, []), mutant, self.root)
            lives[pid] = _Life(mutant=mutant, until=time.monotonic() + seconds, tests=len(places))
        while lives:
            self._wait(lives)

    def _wait(self, lives: dict[int, _Life]) -> None:
        """Until one or more have ended; those that take too long are ended, which counts as noticed."""
        while True:
            ended = False
            for pid, life in list(lives.items()):
                is_slow = time.monotonic() > life.until
                if is_slow:
                    os.kill(pid, 9)
                done, status = os.waitpid(pid, 0 if is_slow else os.WNOHANG)
                if done:
                    ended = True
                    del lives[pid]
                    is_killed = os.waitstatus_to_exitcode(status) != _SURVIVED
                    self.fates.append(Fate(mutant=life.mutant, is_killed=is_killed, is_slow=is_slow, tests=life.tests))
            if ended:
                if len(self.fates) % 100 == 0:
                    self.say(f"... {len(self.fates)} of {len(self.mutants)}")
                return
            time.sleep(0.005)


class _Reports:
    """The outcome of tests."""

    def __init__(self, on_failure: Callable[[str], None]) -> None:
        self._on_failure = on_failure

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._on_failure(f"{report.nodeid}: {report.longreprtext[-2000:]}")


def _run(items: Sequence[pytest.Item]) -> Iterator[int]:
    """Run tests one after the other; yields before each, and when all are done."""
    for place, item in enumerate(items):
        yield place
        following = items[place + 1] if place + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    yield len(items)


def _look(items: Sequence[pytest.Item], targets: _Targets) -> _Reached:
    """Run all tests as they are, and write down which of the functions each of them calls."""
    found = _Reached(functions=defaultdict(list), seconds=[], failures=[])
    items[0].config.pluginmanager.register(_Reports(found.failures.append))
    called: set[CodeType] = set()

    def see(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.add(frame.f_code)

    owners: dict[CodeType, Function] = {}
    for name, functions in targets.items():
        for code in (functions[0].__code__, *_below(functions[0].__code__)):
            owners[code] = name
    threading.setprofile(see)
    began = time.monotonic()
    for place in _run(items):
        now = time.monotonic()
        if place:
            found.seconds.append(now - began)
            for owner in {owners[code] for code in list(called) if code in owners}:
                found.functions[owner].append(place - 1)
        called.clear()
        sys.setprofile(see)  # again for each: a test may have taken it away
        began = now
    sys.setprofile(None)
    found.functions = dict(found.functions)
    return found


def _below(code: CodeType) -> Iterator[CodeType]:
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield const
            yield from _below(const)


def functions_below(root: str) -> _Targets:
    """All functions whose code is in a file below the folder; what a decorator has copied is there twice."""
    found: _Targets = defaultdict(list)
    for one in gc.get_objects():
        if type(one) is FunctionType and one.__code__.co_filename.startswith(root + os.sep):
            code = one.__code__
            found[os.path.relpath(code.co_filename, root), code.co_qualname, code.co_firstlineno].append(one)
    return found


def _live(items: Sequence[pytest.Item], targets: Sequence[FunctionType], mutant: Mutant, root: str) -> None:
    """A mutant's process: change the function, run the tests, end at the first that fails."""
    status = _SURVIVED
    try:
        _be_quiet(items[0].config if items else None)
        code = mutant.code(f"{root}{os.sep}{mutant.file}")
        for target in targets:
            target.__code__ = code
        if items:
            items[0].config.pluginmanager.register(_Reports(lambda _: os._exit(_KILLED)))
        for _ in _run(items):
            pass
    except BaseException:  # noqa: BLE001  # a mutant may raise anything, pytest's own exits included
        status = _KILLED
    os._exit(status)


def _be_quiet(config: pytest.Config | None) -> None:
    """Tests of a child show nothing."""
    if config is not None:
        config.pluginmanager.unregister(name="terminalreporter")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def _in_a_child(config: pytest.Config, work: Callable[[], Any]) -> Any:
    """What the work gives, done in a process of its own, so that nothing of it stays in this one."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(reader)
            _be_quiet(config)
            with os.fdopen(writer, "wb") as out:
                pickle.dump(work(), out)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        found = pickle.load(told)  # noqa: S301  # from our own process
    os.waitpid(pid, 0)
    return found
