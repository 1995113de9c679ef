"""A process that its supervisor keeps alive."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from yuanjing.bootstrap.handover import Handover

_READY_SECONDS = 30.0
_RESTART_SECONDS = 0.1
_RESTART_SECONDS_MAX = 30.0
_STABLE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to start: its kind, what to tell it, and its listening socket."""

    kind: str
    handover: Handover
    listener: socket.socket | None


class Child:
    """One process after another, from `start` to `end`: when one dies the next is started, ever more slowly."""

    def __init__(self, plan: Plan, log: FilteringBoundLogger) -> None:
        self.name = plan.handover.name
        self.first_is_ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._plan = plan
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._go_fd: int | None = None
        self._ready_fd: int | None = None
        self._ready_fd_of_child = -1
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
        self._close_pipes()
        if self._keeper is not None:
            await self._keeper

    def kill(self) -> None:
        """End it at once; what it leaves open is finished at the next start."""
        self._is_unwanted.set()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _spawn(self) -> None:
        go_reading, self._go_fd = os.pipe()
        self._ready_fd, ready_writing = os.pipe()
        inherited = [ready_writing]
        if self._plan.listener is not None:
            inherited.append(self._plan.listener.fileno())
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "yuanjing.bootstrap.child",
                self._plan.kind,
                pass_fds=inherited,
                stdin=go_reading,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops the others in order
            )
        finally:
            os.close(go_reading)
            os.close(ready_writing)
        self._ready_fd_of_child = ready_writing

    def _give_word(self) -> None:
        assert self._go_fd is not None
        handover = replace(self._plan.handover, ready_fd=self._ready_fd_of_child, parent=os.getpid())
        with suppress(BrokenPipeError):  # it has died; the keeper sees it
            os.write(self._go_fd, handover.to_line())
        os.close(self._go_fd)
        self._go_fd = None

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
        self._give_word()
        is_ready = await self._wait_until_ready()
        if not self.first_is_ready.done():
            self.first_is_ready.set_result(is_ready)
        if not is_ready and process.returncode is None and not self._is_unwanted.is_set():
            self._log.error("process did not become ready", child=self.name)
            process.kill()
        return _exit(await process.wait())

    async def _wait_until_ready(self) -> bool:
        """Wait until it says so; a pipe that closes in silence means that it has died."""
        assert self._ready_fd is not None
        reading, self._ready_fd = self._ready_fd, None
        reader = asyncio.StreamReader()
        make: Callable[[], asyncio.StreamReaderProtocol] = lambda: asyncio.StreamReaderProtocol(reader)  # noqa: E731  # a def could not be typed so
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(make, pipe)
            try:
                async with asyncio.timeout(_READY_SECONDS):
                    return bool(await reader.readline())
            except TimeoutError:
                return False
            finally:
                transport.close()

    def _close_pipes(self) -> None:
        for descriptor in (self._go_fd, self._ready_fd):
            if descriptor is not None:
                os.close(descriptor)
        self._go_fd = self._ready_fd = None


def _exit(code: int) -> str:
    """An exit code in words: a signal by its name."""
    return str(code) if code >= 0 else signal.Signals(-code).name
