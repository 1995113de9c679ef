"""Starting the forker, the process out of which a supervisor's other processes come (see `forker`).

Nothing here imports more than it must: `serve` starts the forker before it looks at its own command line, so that both
import at the same time.
"""

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

_END_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ForkerProcess:
    """A forker, and the socket on which it takes orders."""

    process: "subprocess.Popen[bytes]"
    control: socket.socket

    def close(self) -> None:
        """Let it end, which it does at once when nobody can give it orders any more."""
        self.control.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_END_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        self.control.close()
        self.process.kill()
        self.process.wait()


def launch() -> ForkerProcess:
    """Start a forker. It takes no part in Ctrl-C, which is for the supervisor.

    Raises:
        OSError: the system has no room for another process.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "yuanjing.bootstrap.forker", str(theirs.fileno())]
        process = subprocess.Popen(  # noqa: S603  # our own program
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )
    return ForkerProcess(process=process, control=ours)


_early: list[ForkerProcess] = []


def launch_early(arguments: Sequence[str]) -> None:
    """Start a forker for the supervisor that these arguments are going to run, if they are."""
    if "serve" not in arguments:
        return
    # Until the platform can act on it: it must not end a start under way.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if not any(word.startswith(("--role", "--help")) for word in arguments):
        with suppress(OSError):  # the supervisor will try again, and tell
            _early.append(launch())


def take() -> ForkerProcess:
    """The forker that was started early, else a new one.

    Raises:
        OSError: see `launch`.
    """
    return _early.pop() if _early else launch()


def drop_early() -> None:
    """End a forker that nobody has taken, as the command was refused."""
    while _early:
        _early.pop().kill()
