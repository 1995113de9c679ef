"""Programs under measurement: started on one core, watched through /proc, always ended."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 30.0
_STOP_SECONDS = 5.0
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_UTIME_FIELD, _STIME_FIELD = 11, 12  # counted after the name, which may hold spaces


class BenchError(Exception):
    """A program could not be started or measured; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A chat service that answers at `url`.

    Attributes:
        url: Scheme, host and port.
        gateway_pids: The processes whose CPU and memory count.
        api_key: Bearer token to send, "" for none.
        crowd: Bearer tokens to send instead; nine of ten requests carry one of the first tenth.
        paths: Dialect to path of its chat completions.
        close: Ends every process of the service.
        settle: Waits until the service has done what the last run left to do; returns for how many requests that was.
    """

    name: str
    url: str
    gateway_pids: tuple[int, ...]
    api_key: str = ""
    crowd: tuple[str, ...] = ()
    paths: tuple[tuple[str, str], ...] = (("openai", "/v1/chat/completions"),)
    close: Callable[[], None]
    settle: Callable[[], int] = field(default=lambda: 0)


def free_port() -> int:
    """Return a port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(command: Sequence[str], *, core: int, log: Path, pipe: bool = False) -> "subprocess.Popen[str]":
    """Start `command` pinned to `core`; its output goes to `log`, standard output to a pipe if `pipe`.

    The kernel ends it when the bench dies without a chance to clean up. It has a session of its own, so that
    Ctrl-C reaches the bench alone, which then ends things in order.
    """
    pinned = ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core), *command]
    with log.open("ab") as sink:
        return subprocess.Popen(
            pinned,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipe else sink,
            stderr=sink,
            start_new_session=True,
            text=True,
        )


def start_module(module: str, *arguments: str, core: int, log: Path) -> "subprocess.Popen[str]":
    """Start a Python module of this repository, its standard output in a pipe."""
    return start([sys.executable, "-m", module, *arguments], core=core, log=log, pipe=True)


def stop(process: "subprocess.Popen[str]") -> None:
    """End `process` and what it started: asked first, killed after five seconds."""
    pids = family(process.pid)
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    for pid in pids:
        if pid != process.pid or process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait(_STOP_SECONDS)
    if process.stdout is not None:
        process.stdout.close()


def family(pid: int) -> tuple[int, ...]:
    """Return `pid` and all its living descendants."""
    pids = [pid]
    for parent in pids:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                pids += [int(child) for child in (task / "children").read_text().split()]
    return tuple(pids)


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return user plus system time of `pids` so far."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[_UTIME_FIELD]) + int(fields[_STIME_FIELD])
    return ticks / _TICKS_PER_SECOND


def core_busy_seconds(core: int) -> float:
    """Return for how long `core` has been doing anything since boot, time stolen by the hypervisor included."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_SECOND


def pss_bytes(pids: Sequence[int]) -> int:
    """Return the memory of `pids`, pages shared between processes divided among them."""
    rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids)
    return sum(int(line.split()[1]) * 1024 for text in rollups for line in text.splitlines() if line.startswith("Pss:"))


def wait_ready(
    url: str, path: str, process: "subprocess.Popen[str]", log: Path, seconds: float = READY_SECONDS
) -> None:
    """Wait until GET `path` is answered with 200.

    Raises:
        BenchError: The process ended, or `seconds` went by.
    """
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, HTTPException):
            if get_status(url, path) == 200:  # noqa: PLR2004 - HTTP's own number
                return
        time.sleep(0.05)
    raise BenchError(f"{url} was not ready: {tail(log)}")


def get_status(url: str, path: str) -> int:
    """Return the status of GET `path`."""
    return get(url, path)[0]


def get(url: str, path: str) -> tuple[int, str]:
    """Return the status and the text that GET `path` is answered with."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def tail(log: Path, lines: int = 8) -> str:
    """Return the end of a log, for an error message."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:]) or "it wrote nothing"
