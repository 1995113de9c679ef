"""Owns a PostgreSQL server for tests: `python postgres_guard.py BIN DATA`.

It obeys `start` and `kill` on its standard input and answers each with a line. When the input ends, because the tests
have ended or were killed, it stops the server and removes the folder: nothing is left behind.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

START_SECONDS = 30.0
STOP_SECONDS = 5.0
SETTINGS = {
    "fsync": "off",  # a test's data need not survive the machine; synchronous_commit stays on
    "full_page_writes": "off",
    "max_connections": "200",
    "listen_addresses": "",
    "log_min_messages": "fatal",
    "shared_buffers": "32MB",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
}


class Guard:
    def __init__(self, bin_folder: Path, data: Path) -> None:
        self.bin = bin_folder
        self.data = data
        self.server: subprocess.Popen[bytes] | None = None
        self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}

    def init(self) -> None:
        if self.user:
            shutil.chown(self.data, "nobody", "nogroup")
        command = [self.bin / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += ["--no-sync", "--locale=C.UTF-8"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.data, **self.user)  # noqa: S603  # a program of ours, with our arguments

    def start(self) -> None:
        command = [self.bin / "postgres", "-D", self.data, "-k", self.data]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            self.server = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=self.data, **self.user)  # noqa: S603  # a program of ours, with our arguments
            while self.server.poll() is None and time.monotonic() < until:
                if self.is_ready():
                    return
                time.sleep(0.005)
            time.sleep(0.05)  # after a kill its last processes may still hold the memory
        raise TimeoutError("PostgreSQL does not start")

    def is_ready(self) -> bool:
        assert self.server is not None
        with contextlib.suppress(FileNotFoundError, IndexError):
            lines = (self.data / "postmaster.pid").read_text().split("\n")
            return lines[0] == str(self.server.pid) and lines[7].strip() == "ready"
        return False

    def kill(self, signal_: int = signal.SIGKILL) -> None:
        if self.server is None:
            return
        self.server.send_signal(signal_)
        try:
            self.server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait(STOP_SECONDS)
        self.server = None

    def clean(self) -> None:
        self.kill(signal.SIGINT)
        shutil.rmtree(self.data.parent, ignore_errors=True)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    guard = Guard(Path(sys.argv[1]), Path(sys.argv[2]))
    try:
        guard.init()
        for line in sys.stdin:
            {"start": guard.start, "kill": guard.kill}[line.strip()]()
            print("done", flush=True)  # noqa: T201  # the answer on the pipe
    finally:
        guard.clean()


if __name__ == "__main__":
    main()
