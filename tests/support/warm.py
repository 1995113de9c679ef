"""The command line without its second of imports: a process that has imported it forks for each command.

Tests that ask the platform again and again would else spend most of their time on imports. That the command line starts
as a program of its own is shown where it is tested itself (tests/cli), and with what `make run` prints (tests/e2e).
"""

import atexit
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from threading import Lock
from typing import IO

_MODULES = ("yuanjing.cli.app", "yuanjing.bootstrap.services", "yuanjing.bootstrap.demo", "yuanjing.usecases.verify")
_ORDER_BYTES_MAX = 200_000
_SECONDS_MAX = 60.0


class WarmCommands:
    """Runs commands, one at a time."""

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
            code = int(self._control.recv(_ORDER_BYTES_MAX))
            return subprocess.CompletedProcess(list(arguments), code, _text(out), _text(err))

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
    """Fork for each order until nobody can give one any more; returns in each fork, when its command has ended."""
    for module in _MODULES:
        import_module(module)
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, _ORDER_BYTES_MAX, 3)
        if not order:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            _live(json.loads(order), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _live(order: dict[str, object], descriptors: Sequence[int]) -> None:
    """Be `yuanjing` with these arguments; ends the process."""
    from yuanjing.__main__ import main  # noqa: PLC0415  # in the forked process only

    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()  # noqa: TID251  # this process is a command's now
    os.environ.update(order["environment"])  # type: ignore[call-overload]  # noqa: TID251  # the same
    sys.argv = ["yuanjing", *order["arguments"]]  # type: ignore[misc]
    main()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
