"""A process that its supervisor keeps alive."""

import asyncio
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from yuanjing.bootstrap.forks import Forks, Process
from yuanjing.bootstrap.handover import Handover

_READY_SECONDS = 30.0
_RESTART_SECONDS = 0.1
_RESTART_SECONDS_MAX = 30.0
_STABLE_SECONDS = 60.0
_READY_BYTES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to start: its kind, what to tell it, and its listening socket."""

    kind: str
    handover: Handover
    listener: socket.socket | None


class Child:
    """One process after another, from `start` to `end`: when one dies the next is started, ever more slowly."""

    def __init__(self, plan: Plan, forks: Forks, log: FilteringBoundLogger) -> None:
        self.name = plan.handover.name
        self.first_is_ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._plan = plan
        self._forks = forks
        self._log = log
        self._process: Process | None = None
        self._line: socket.socket | None = None
        self._is_unwanted = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the first process; it imports, and waits for `go`."""
        await self._spawn()

    def go(self) -> None:
        """Let it work, and keep it alive from now on."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep(), name=f"keep {self.name}")

    async def end(self, seconds: float) -> None:
        """Ask it to end, and kill it if it does not in this time; no other is started."""
        self._is_unwanted.set()
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(seconds):
                    await process.wait()
            except TimeoutError:
                self._log.error("process did not end in time", child=self.name)
                self.kill()
                await process.wait()
        self._close_line()
        if self._keeper is not None:
            await self._keeper

    def kill(self) -> None:
        """End it at once; what it leaves open is finished at the next start."""
        self._is_unwanted.set()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _spawn(self) -> None:
        self._line, theirs = socket.socketpair()
        self._line.settimeout(0)
        with theirs:
            descriptors = [theirs.fileno()]
            if self._plan.listener is not None:
                descriptors.append(self._plan.listener.fileno())
            self._process = await self._forks.fork(self._plan.kind, *descriptors)

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._is_unwanted.is_set():
            began = loop.time()
            reason = await self._run_once(is_first=not failures)
            if self._is_unwanted.is_set():
                return
            failures = 1 if loop.time() - began > _STABLE_SECONDS else failures + 1
            pause = min(_RESTART_SECONDS * 2 ** min(failures - 1, 16), _RESTART_SECONDS_MAX)
            self._log.error("process ended; starting another", child=self.name, exit=reason, pause=pause)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._is_unwanted.wait()

    async def _run_once(self, *, is_first: bool) -> str:
        """One process, from the word to go to its end; how it ended."""
        if not is_first:
            try:
                await self._spawn()
            except OSError as error:
                return f"not started: {error.strerror}"
        process = self._process
        assert process is not None
        is_ready = await self._give_word()
        if not self.first_is_ready.done():
            self.first_is_ready.set_result(is_ready)
        if not is_ready and process.returncode is None and not self._is_unwanted.is_set():
            self._log.error("process did not become ready", child=self.name)
            process.kill()
        return _exit(await process.wait())

    async def _give_word(self) -> bool:
        """Tell it what to do, and wait until it says that it is ready; a line that closes means that it has died."""
        line, self._line = self._line, None
        assert line is not None
        loop = asyncio.get_running_loop()
        with line:
            try:
                async with asyncio.timeout(_READY_SECONDS):
                    await loop.sock_sendall(line, self._plan.handover.to_line())
                    return bool(await loop.sock_recv(line, _READY_BYTES))
            except (TimeoutError, ConnectionError):
                return False

    def _close_line(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


def _exit(code: int) -> str:
    """An exit code in words: a signal by its name."""
    return str(code) if code >= 0 else signal.Signals(-code).name
