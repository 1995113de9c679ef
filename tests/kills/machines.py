"""Two machines that share one database, each with gateways and a worker, and what they are set up with."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from tests.support.warm import warm_commands

READY_SECONDS = 40.0
STOP_SECONDS = 60.0
_START_FIELD = 19  # counted after the name, which may hold spaces
SETTINGS = {
    "YUANJING_KEY_PEPPER": "ab" * 32,
    "YUANJING_ENCRYPTION_KEY": "cd" * 32,
    "YUANJING_HEARTBEAT_SECONDS": "0.5",
    "YUANJING_LEASE_IDLE_SECONDS": "3",
    "YUANJING_OVERLOAD_LAG_SECONDS": "5",
    "YUANJING_HEARTBEAT_FRESH_SECONDS": "3",
    "YUANJING_NODE_SILENT_SECONDS": "6",
    "YUANJING_VIDEO_CLAIM_SECONDS": "3",
    "YUANJING_VIDEO_CALL_SECONDS": "20",
    "YUANJING_FETCH_ALLOWED_NETWORKS": "127.0.0.0/8",
    "YUANJING_VIDEO_TASKS_PER_CUSTOMER_MAX": "1000000",
    "YUANJING_LOG_LEVEL": "warning",
}


class Machine:
    """`yuanjing serve` with a data folder of its own, as a machine of its own; a context manager."""

    def __init__(self, folder: Path, database_url: str, gateways: int, *, source: Path | None = None) -> None:
        folder.mkdir()
        self.name = folder.name
        self.data = folder / "var"
        self._folder = folder
        own = {
            "YUANJING_DATA": str(self.data),
            "YUANJING_MACHINE": self.name,
            "YUANJING_PORT": "0",
            "YUANJING_WORKERS": str(gateways),
            "YUANJING_DATABASE_URL": database_url,
            "YUANJING_ARTIFACTS_URL": str(folder.parent / "artifacts"),
        }
        self.environment = {"PATH": os.environ["PATH"]} | SETTINGS | own  # noqa: TID251  # for child processes
        self._python_path = {} if source is None else {"PYTHONPATH": str(source)}
        self.process: subprocess.Popen[bytes]
        self.port = 0

    def start(self) -> None:
        """Start; whether it is ready, entering the context finds out."""
        environment = self.environment | self._python_path
        with (self._folder / "out").open("wb") as out, (self._folder / "err").open("ab") as err:
            command = [sys.executable, "-m", "yuanjing", "serve", "--json"]
            self.process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)  # noqa: S603  # our own program

    def __enter__(self) -> Self:
        began = time.monotonic()
        while not (said := (self._folder / "out").read_text()).endswith("\n"):
            assert time.monotonic() - began < READY_SECONDS, self.log()
            assert self.process.poll() is None, self.log()
            time.sleep(0.02)
        self.port = int(json.loads(said)["address"].rpartition(":")[2])
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is not None:
            return
        for pid in [*self.pids(""), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(5)

    def stop(self) -> int:
        """SIGTERM, and wait; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def log(self) -> str:
        return (self._folder / "err").read_text(encoding="utf-8")

    def pids(self, role: str, *, seconds: float = 0.0) -> list[int]:
        """The processes of a role, `gateway` or `worker`, that live for so long; all for an empty one."""
        name = f"yuanjing {role}" if role else ""
        found = [pid for pid, line in _descendants(self.process.pid) if line.startswith(name)]
        return [pid for pid in found if not seconds or _age(pid) >= seconds]

    def run(self, *arguments: str, stdin: str = "") -> dict[str, object]:
        """A command of the CLI, as its JSON document."""
        done = warm_commands().run([*arguments, "--json"], self.environment, stdin)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


def _age(pid: int) -> float:
    """For how many seconds a process has lived; 0 if it does not any more."""
    try:
        started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[_START_FIELD])
    except OSError:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")


def _descendants(parent: int) -> Iterator[tuple[int, str]]:
    """All that have come of a process, with their command lines."""
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{parent}/task").iterdir():
            for word in (task / "children").read_text().split():
                yield int(word), Path(f"/proc/{word}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                yield from _descendants(int(word))
