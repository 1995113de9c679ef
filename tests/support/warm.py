"""The command line and the platform without their seconds of imports: a process that has imported all forks for each.

Tests that ask the platform again and again, or start it, would else spend most of their time on imports. That the
command line starts as a program of its own is shown where it is tested itself (tests/cli), and what `make run` does, as
well as how a platform starts and ends, with cold ones (tests/e2e; see `Platform`).
"""

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from yuanjing.bootstrap.launch import ForkerProcess

_MODULES = (
    "yuanjing.cli.app",
    "yuanjing.bootstrap.services",
    "yuanjing.bootstrap.demo",
    "yuanjing.usecases.verify",
    "yuanjing.bootstrap.supervisor",
    "yuanjing.bootstrap.prepare",
    "yuanjing.bootstrap.gateway",
    "yuanjing.bootstrap.worker",
    "yuanjing.bootstrap.sandbox",
)
_ORDER_BYTES_MAX = 200_000
_DESCRIPTORS_MAX = 1024
"""No process of the tests' has more so early."""
_STREAMS, _WITH_ENDING = 3, 4
"""Descriptors that come with a command: its streams, and, if it runs by itself, where to tell its end."""
_SECONDS_MAX = 60.0


class WarmProcess:
    """A command that runs by itself, as `subprocess.Popen` shows one; its parent is not we, so a pipe tells its end."""

    def __init__(self, pid: int, ending: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ending = ending

    def poll(self) -> int | None:
        """Its exit code, or its signal as a negative number; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it runs on.
        """
        if self.returncode is None:
            if not select.select([self._ending], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("yuanjing", timeout)
            self.returncode = int(os.read(self._ending, 20) or b"255")
            os.close(self._ending)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class WarmCommands:
    """Runs commands, one at a time, and starts such as run by themselves."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._lock = Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_SECONDS_MAX)
        with theirs:
            command = [sys.executable, "-P", __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, env=dict(environment), pass_fds=[theirs.fileno()])  # noqa: S603  # this file
        atexit.register(self.close)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """The command's exit code and what it wrote."""
        with self._lock, _file() as given, _file() as out, _file() as err:
            given.write(stdin)
            given.seek(0)
            order = json.dumps({"arguments": arguments, "environment": dict(environment)}).encode()
            socket.send_fds(self._control, [order], [given.fileno(), out.fileno(), err.fileno()])
            try:
                code = int(self._control.recv(_ORDER_BYTES_MAX))
            except BaseException:  # a test's time is over: the answer that is still to come is nobody's
                self._control.close()
                warm_commands.cache_clear()
                raise
            return subprocess.CompletedProcess(list(arguments), code, _text(out), _text(err))

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], out: IO[str], err: IO[str]
    ) -> WarmProcess:
        """Start a command that runs by itself."""
        ending, theirs = os.pipe()
        order = json.dumps({"arguments": arguments, "environment": dict(environment)}).encode()
        with self._lock, open(os.devnull, "rb") as nothing:  # noqa: PTH123  # a file as the others
            socket.send_fds(self._control, [order], [nothing.fileno(), out.fileno(), err.fileno(), theirs])
            os.close(theirs)
            return WarmProcess(int(self._control.recv(_ORDER_BYTES_MAX)), ending)

    def close(self) -> None:
        """End the process."""
        self._control.close()
        self._process.wait(_SECONDS_MAX)


def _file() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8")


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


@functools.cache
def warm_commands() -> WarmCommands:
    """The one of this process; its environment is as bare as that of the platforms under test."""
    return WarmCommands({"PATH": os.environ["PATH"]})  # noqa: TID251  # for a child process


def serve(control: socket.socket) -> None:
    """Fork for each order until nobody can give one any more."""
    from yuanjing.bootstrap.forker import import_for_all, import_shared  # noqa: PLC0415  # in this process only

    import_for_all()
    import_shared(*_MODULES)
    while True:
        text, descriptors, _, _ = socket.recv_fds(control, _ORDER_BYTES_MAX, _WITH_ENDING)
        if not text:
            return
        order, streams, endings = json.loads(text), descriptors[:_STREAMS], descriptors[_STREAMS:]
        if endings:
            _fork(functools.partial(_keep, control, order, streams, *endings))
        else:
            control.send(str(_code(_fork(functools.partial(_live, order, streams)))).encode())
        for descriptor in descriptors:
            os.close(descriptor)
        _forget_keepers()


def _keep(control: socket.socket, order: dict[str, Any], streams: Sequence[int], ending: int) -> None:
    """Start a command that runs by itself, tell its number, and later how it has ended."""
    os.setsid()
    pid = _fork(functools.partial(_live, order, streams))
    control.send(str(pid).encode())
    control.close()
    code = _code(pid)
    with suppress(BrokenPipeError):  # nobody wants to know any more
        os.write(ending, str(code).encode())


def _forget_keepers() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _fork(work: Callable[[], object]) -> int:
    """Do this in a new process, which then ends; its number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001  # the process ends with it
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _live(order: dict[str, Any], streams: Sequence[int]) -> None:
    """Be `yuanjing` with these arguments."""
    from yuanjing.__main__ import main  # noqa: PLC0415  # in the forked process only
    from yuanjing.bootstrap import launch  # noqa: PLC0415  # the same

    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(_STREAMS, _DESCRIPTORS_MAX)
    os.environ.clear()  # noqa: TID251  # this process is a command's now
    os.environ.update(order["environment"])  # noqa: TID251  # the same
    sys.argv = ["yuanjing", *order["arguments"]]
    launch.launch = _launch
    main()


def _launch() -> "ForkerProcess":
    """A forker that has imported everything already."""
    from yuanjing.bootstrap import forker, launch  # noqa: PLC0415  # in the forked process only

    ours, theirs = socket.socketpair()

    def live() -> NoReturn:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.closerange(_STREAMS, theirs.fileno())
        os.closerange(theirs.fileno() + 1, _DESCRIPTORS_MAX)
        forker.show_as("yuanjing.bootstrap.forker")
        sys.exit(forker.main(theirs.detach()))

    process = _Forked(_fork(live))
    theirs.close()
    return launch.ForkerProcess(process=process, control=ours)  # type: ignore[arg-type]


class _Forked:
    """As much of `subprocess.Popen` as a supervisor wants of its forker."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def wait(self, timeout: float = _SECONDS_MAX) -> int:
        """Wait for its end."""
        end = time.monotonic() + timeout
        while self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise subprocess.TimeoutExpired("forker", timeout)
            else:
                time.sleep(0.002)
        return self.returncode

    def kill(self) -> None:
        """End it at once."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
