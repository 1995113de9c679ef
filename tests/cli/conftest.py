import json
import logging
import os
from dataclasses import dataclass

import pytest
import structlog

from yuanjing.cli.app import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def document(self):
        """Standard output as the one JSON document it must be."""
        return json.loads(self.out)

    @property
    def error(self):
        """The error document on standard error, which must be all there is."""
        assert self.out == ""
        return json.loads(self.err)["error"]


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """No settings but a data folder of the test's own."""
    set_here = [name for name in os.environ if name.startswith("YUANJING_")]  # noqa: TID251  # to take it away
    for name in set_here:
        monkeypatch.delenv(name)
    monkeypatch.setenv("YUANJING_DATA", str(tmp_path / "var"))
    monkeypatch.setenv("NO_COLOR", "1")
    return monkeypatch


@pytest.fixture
def yuanjing(environment, capsys):  # noqa: ARG001  # a fixture cannot ask by usefixtures
    """Runs a command line in this process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code=int(code), out=captured.out, err=captured.err)

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
