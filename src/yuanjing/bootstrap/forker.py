"""The forker: `python -m yuanjing.bootstrap.forker FD`, the process out of which a supervisor's other processes come.

It imports what they have in common once and then does nothing but fork them when it is told to, and tell how they end.
It has one thread, no event loop and no connection, so that a fork of it is as good as new. What it says and hears on
its socket are lines of JSON:

- `{"fork": kind, "descriptors": n}`, with n descriptors beside it → `{"forked": pid}`, or with `"reason"` and no pid
- `{"signal": number, "pid": pid}` sends a signal, unless the process has ended; only its parent can know
- `{"ended": pid, "code": code}` tells that a process has ended, with its exit code or its signal as a negative number

When its supervisor ends in whatever way, the socket closes; it then asks the others to end, and ends.
"""

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType

_SHARED = ("uvloop", "uvicorn", "yuanjing.bootstrap.services", "yuanjing.kit.metrics", "yuanjing.bootstrap.child")
"""What most processes import, and with it all that it imports."""
_GATEWAY = "yuanjing.bootstrap.gateway"
"""Imported when the first gateway is wanted, so that the others need not wait for it; later ones then have it."""

_READ_BYTES = 65_536
_DESCRIPTORS_MAX = 16
_PR_SET_PDEATHSIG = 1
_HELD_BACK = (signal.SIGTERM, signal.SIGINT)
"""Held back here, as the others may still be draining; a process that is forked meanwhile meets them a little later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Birth:
    """What a process is to be that has just been forked."""

    kind: str
    descriptors: list[int]


class Forker:
    """Obeys its supervisor."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._bell, self._hammer = socket.socketpair()
        self._bell.settimeout(0)
        self._hammer.settimeout(0)
        self._text = b""
        self._descriptors: list[int] = []
        self._living: set[int] = set()

    def run(self) -> Birth | None:
        """Until the supervisor has ended; or in a forked process what it is to be."""
        signal.signal(signal.SIGCHLD, _heard)  # without a handler the bell does not ring
        signal.set_wakeup_fd(self._hammer.fileno(), warn_on_full_buffer=False)
        while True:
            ready, _, _ = select.select([self._control, self._bell], [], [])
            if self._bell in ready:
                self._bell.recv(_READ_BYTES)
                self._tell_who_ended()
            if self._control in ready:
                if not self._hear():
                    for pid in self._living:
                        os.kill(pid, signal.SIGTERM)
                    return None
                birth = self._obey()
                if birth is not None:
                    return birth

    def _hear(self) -> bool:
        """Read; False when nobody can say anything any more."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, _READ_BYTES, _DESCRIPTORS_MAX)
        except ConnectionError:
            return False
        self._text += data
        self._descriptors += descriptors
        return bool(data)

    def _obey(self) -> Birth | None:
        *lines, self._text = self._text.split(b"\n")
        for order in map(json.loads, lines):
            if "fork" in order:
                count: int = order["descriptors"]
                given, self._descriptors = self._descriptors[:count], self._descriptors[count:]
                if self._fork(order["fork"], given):
                    return Birth(kind=order["fork"], descriptors=given)
            elif order["pid"] in self._living:
                os.kill(order["pid"], order["signal"])
        return None

    def _fork(self, kind: str, given: list[int]) -> bool:
        """Whether we are the new process."""
        if kind == "gateway" and _GATEWAY not in sys.modules:
            import_shared(_GATEWAY)
        forker = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            pid, reason = None, error.strerror
        else:
            reason = None
        if pid == 0:
            self._become(kind, forker)
            return True
        for descriptor in given:
            os.close(descriptor)
        if pid is not None:
            self._living.add(pid)
        self._say({"forked": pid, "reason": reason})
        return False

    def _become(self, kind: str, forker: int) -> None:
        """Leave everything behind that is the forker's. When that dies in whatever way, Linux asks us to end."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for each in (self._control, self._bell, self._hammer):
            each.close()
        os.setsid()
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            show_as(f"yuanjing {kind}")
        if os.getppid() != forker:
            os.kill(os.getpid(), signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_BACK)

    def _tell_who_ended(self) -> None:
        while self._living:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._living.discard(pid)
            self._say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})

    def _say(self, answer: dict[str, object]) -> None:
        with suppress(ConnectionError):  # the supervisor has ended, which we shall hear
            self._control.sendall(json.dumps(answer).encode() + b"\n")


def _heard(_number: int, _frame: FrameType | None) -> None:
    """The bell has rung already."""


def import_for_all() -> None:
    """Import what most processes need."""
    # structlog would draw tracebacks with it, where we write JSON; it takes a tenth of all imports.
    sys.modules["rich"] = None  # pyright: ignore[reportArgumentType]  # Python's own way to say that it is not there
    import_shared("structlog")
    del sys.modules["rich"]
    import_shared(*_SHARED)


def import_shared(*names: str) -> None:
    """Import modules for all processes to come, whose memory they share: it is not searched for garbage again."""
    gc.disable()
    for name in names:
        import_module(name)
    gc.freeze()
    gc.enable()


def show_as(title: str) -> None:
    """Let `ps` show these words instead of the forker's, which were as many letters and more; Linux only."""
    fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    begin, end = (int(fields[number]) for number in (45, 46))
    words = title.replace(" ", "\0").encode() + b"\0"
    if begin and len(words) <= end - begin:
        ctypes.memmove(begin, words.ljust(end - begin, b"\0"), end - begin)


def main(descriptor: int) -> int:
    """Be the forker, and in each process that is forked become what it is to be; the exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    import_for_all()
    birth = Forker(control).run()
    if birth is None:
        return 0
    from yuanjing.bootstrap.child import main as live  # noqa: PLC0415  # it is one of the shared modules

    return live(birth.kind, *birth.descriptors)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
