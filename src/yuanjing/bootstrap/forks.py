"""The supervisor's end of the forker: processes, how they are signalled, and how they end."""

import asyncio
import errno
import json
import signal
import socket
from collections import deque

from structlog.typing import FilteringBoundLogger

from yuanjing.bootstrap.launch import ForkerProcess, take

_READ_BYTES = 65_536
EXIT_LOST = 255
"""What a process counts as having ended with when the forker has ended, who alone could have told."""


class Process:
    """A process out of the forker.

    Attributes:
        pid: its number.
        returncode: its exit code, or its signal as a negative number; None until it has ended.
    """

    def __init__(self, forks: "Forks", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._forks = forks
        self._has_ended = asyncio.Event()

    async def wait(self) -> int:
        """Wait for its end."""
        await self._has_ended.wait()
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        self._forks.signal(self, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._forks.signal(self, signal.SIGKILL)

    def ended(self, code: int) -> None:
        """It has."""
        self.returncode = code
        self._has_ended.set()


class Forks:
    """Has processes forked. When the forker dies, what came out of it counts as ended; the next fork starts another."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._forker: ForkerProcess | None = None
        self._text = b""
        self._asked: deque[asyncio.Future[Process]] = deque()
        self._living: dict[int, Process] = {}

    async def fork(self, kind: str, *descriptors: int) -> Process:
        """A new process of this kind, which gets copies of these descriptors.

        Raises:
            OSError: the system has no room for it, or the forker has died.
        """
        control = self._control()
        order = json.dumps({"fork": kind, "descriptors": len(descriptors)}).encode() + b"\n"
        socket.send_fds(control, [order], descriptors)
        answer: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        return await answer

    def signal(self, process: Process, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if process.returncode is None:
            order = json.dumps({"signal": number, "pid": process.pid}).encode() + b"\n"
            try:
                self._control().sendall(order)
            except ConnectionError:  # which we are about to hear
                self._lose()

    def close(self) -> None:
        """End the forker, when all that came out of it has ended."""
        if self._forker is not None:
            asyncio.get_running_loop().remove_reader(self._forker.control)
            self._forker.close()
            self._forker = None

    def _control(self) -> socket.socket:
        if self._forker is None:
            self._forker = take()
            self._forker.control.settimeout(0)
            asyncio.get_running_loop().add_reader(self._forker.control, self._hear)
        return self._forker.control

    def _hear(self) -> None:
        try:
            data = self._control().recv(_READ_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self._lose()
            return
        *lines, self._text = (self._text + data).split(b"\n")
        for line in lines:
            self._take_in(json.loads(line))

    def _take_in(self, told: dict[str, int | str | None]) -> None:
        match told:
            case {"forked": int(pid)}:
                process = self._living[pid] = Process(self, pid)
                self._answer(process)
            case {"forked": None, "reason": reason}:
                self._answer(OSError(errno.EAGAIN, reason))
            case {"ended": int(pid), "code": int(code)}:
                self._living.pop(pid).ended(code)
            case _:
                raise AssertionError(told)

    def _answer(self, answer: Process | OSError) -> None:
        future = self._asked.popleft()
        if future.done():
            return  # whoever asked was cancelled; the process ends by itself, as nobody will tell it anything
        if isinstance(answer, OSError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    def _lose(self) -> None:
        """The forker has died. What came out of it was asked to end, and does; it meets its successors fenced."""
        forker, self._forker, self._text = self._forker, None, b""
        assert forker is not None
        asyncio.get_running_loop().remove_reader(forker.control)
        forker.kill()
        self._log.error("forker ended", exit=forker.process.returncode)
        while self._asked:
            self._answer(OSError(errno.ECONNRESET, "the forker has ended"))
        for process in self._living.values():
            process.ended(EXIT_LOST)
        self._living.clear()
