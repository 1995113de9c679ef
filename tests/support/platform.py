"""The whole platform as real processes, as a user starts it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from tests.support.leaks import Secrets
from tests.support.warm import WarmProcess, warm_commands

READY_SECONDS = 30.0
STOP_SECONDS = 40.0


def children_of(parent: int) -> dict[int, list[str]]:
    """The command lines of a process's children by their pids."""
    found: dict[int, list[str]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found[int(folder.name)] = (folder / "cmdline").read_bytes().decode().split("\0")
        except (OSError, ValueError):
            continue
    return found


class Platform:
    """`yuanjing serve --sandbox --demo` on free ports with a data folder of its own; a context manager."""

    def __init__(self, data: Path, *, workers: int = 1, is_cold: bool = False, **settings: str) -> None:
        """`settings` are variables by their names, such as `YUANJING_LOG_LEVEL="debug"`.

        A cold one is a program as a user starts it, with a second or two of imports; else it comes out of a process
        that has them behind it (see `warm`), and is the same from there on.
        """
        self.is_cold = is_cold
        self.data = data
        own = {"YUANJING_DATA": str(data), "YUANJING_PORT": "0", "YUANJING_SANDBOX_PORT": "0"}
        own["YUANJING_LEASE_IDLE_SECONDS"] = "3"  # tests wait until all of it is back
        own["YUANJING_OVERLOAD_LAG_SECONDS"] = "5"  # many tests at once make a machine late, and are no load of one
        self.environment = {"PATH": os.environ["PATH"], "YUANJING_WORKERS": str(workers)} | own | settings  # noqa: TID251  # for child processes
        self.command = [sys.executable, "-m", "yuanjing"]
        self.process: subprocess.Popen[str] | WarmProcess
        self.secrets = Secrets()
        self.secrets.note_settings(settings)
        self.text = ""
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._kill_rest()

    @property
    def key(self) -> str:
        """The demonstration customer's key."""
        return (self.data / "demo-key").read_text(encoding="ascii").strip()

    def start(self) -> float:
        """Start and wait until it says that it is ready; the seconds that took."""
        began = time.monotonic()
        self.text = ""
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data.parent / "serve.out").open("w") as out, (self.data.parent / "serve.err").open("a") as err:
            arguments = ["serve", "--sandbox", "--demo"]
            if self.is_cold:
                command = [*self.command, *arguments]
                self.process = subprocess.Popen(command, stdout=out, stderr=err, env=self.environment, text=True)  # noqa: S603  # our own program
            else:
                self.process = warm_commands().start(arguments, self.environment, out, err)
        while "usage list" not in self.text:
            assert time.monotonic() - began < READY_SECONDS, self.errors()
            assert self.process.poll() is None, self.errors()
            time.sleep(0.02)
            self.text = (self.data.parent / "serve.out").read_text(encoding="utf-8")
        self.url = json.loads((self.data / "address.json").read_text())["platform"]
        return time.monotonic() - began

    def errors(self) -> str:
        """What it has logged."""
        return (self.data.parent / "serve.err").read_text(encoding="utf-8")

    def stop(self) -> int:
        """SIGTERM, and wait; the exit code. What it has logged tells no secret that it was given or has made."""
        self.text = ""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill_rest()
            raise
        self.secrets.note_folder(self.data)
        self.secrets.check(self.errors())
        return code

    def _kill_rest(self) -> None:
        """Leave nothing behind, stopped processes neither."""
        for pid in [*self.children(""), *self.forkers(), self.process.pid] if self.process.poll() is None else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(5)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor."""
        self.process.send_signal(number)

    def children(self, role: str) -> list[int]:
        """The pids of the processes out of the forker whose command line names the role; all for an empty one."""
        forked = [child for pid in self.forkers() for child in children_of(pid).items()]
        return [pid for pid, line in forked if not role or role in line]

    def forkers(self) -> list[int]:
        """The pid of the forker, in a list that is empty when there is none."""
        return [pid for pid, line in children_of(self.process.pid).items() if "yuanjing.bootstrap.forker" in line]

    def run(self, *arguments: str, stdin: str = "") -> dict[str, object]:
        """A command of the CLI, as its JSON document."""
        done = warm_commands().run([*arguments, "--json"], self.environment, stdin)
        assert done.stdout, done.stderr
        document = json.loads(done.stdout)
        self.secrets.note(*stdin.split())
        self.secrets.note_document(document)
        return document

    def usages(self, *options: str) -> dict[str, dict[str, object]]:
        """All posted usage records by id; options as for `usage list`."""
        found: dict[str, dict[str, object]] = {}
        after: list[str] = []
        while True:
            page = self.run("usage", "list", "--limit", "1000", *options, *after)
            found |= {usage["id"]: usage for usage in page["usages"]}  # type: ignore[attr-defined]
            if page["next"] is None:
                return found
            after = ["--before", str(page["next"])]

    def new_key(self, customer: str = "+8613800138000", *options: str) -> str:
        """One more test key of a customer."""
        return str(self.run("key", "create", customer, "--test", *options)["secret"])

    def new_customer(self, mobile: str) -> str:
        """A customer with the play money that every new one gets; its id."""
        return str(self.run("customer", "create", "--mobile", mobile)["customer"]["id"])  # type: ignore[index]

    def verify(self) -> list[object]:
        """The breaches that `yuanjing verify` finds, once all that is spooled is posted."""
        return self.run("verify")["breaches"]  # type: ignore[return-value]
