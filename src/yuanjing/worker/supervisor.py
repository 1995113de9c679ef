"""Loops that never die."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.kit.clock import Clock
from yuanjing.ports.artifacts import StorageUnavailableError
from yuanjing.worker.counters import WorkerCounters

_BACKOFF_FIRST_SECONDS = 0.2
_TURN_SECONDS = 0.005
"""The pause where more is waiting: on SQLite, where one process writes at a time, others get their turn."""

Pass = Callable[[], Awaitable[bool]]
"""One pass of a loop; True if more work is waiting, so that the next pass follows after a very short pause."""


class Logger(Protocol):
    """The part of a structlog logger that the worker uses."""

    def info(self, event: str, **kw: object) -> object:
        """Something worth knowing."""
        ...

    def warning(self, event: str, **kw: object) -> object:
        """Something that people should look at if it goes on."""
        ...


class Bell:
    """Tells a loop that something is there to be done; it is heard once the shortest pause is over."""

    def __init__(self, *, pause_seconds_min: float) -> None:
        self._pause_seconds_min = pause_seconds_min
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """End the pause, or the next one if the loop is at work."""
        self._rung.set()

    async def wait(self, stop: asyncio.Event, seconds: float) -> None:
        """Pause, at most so long; `stop` ends it at once."""
        await _wait(stop, min(self._pause_seconds_min, seconds))
        if not self._rung.is_set() and not stop.is_set() and seconds > self._pause_seconds_min:
            waits = [asyncio.ensure_future(self._rung.wait()), asyncio.ensure_future(stop.wait())]
            try:
                await asyncio.wait(
                    waits, timeout=seconds - self._pause_seconds_min, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                for one in waits:
                    one.cancel()
        self._rung.clear()


class Supervisor:
    """Runs passes again and again, each loop in a task of its own.

    A pass that fails is logged and counted, and the loop goes on after a pause that doubles with each failure. A store
    that cannot be reached is logged once, at its first failure: it is the operator's outage and not the loop's fault.
    So is a place of files, which is told again only if it fails in another way.
    """

    def __init__(self, clock: Clock, logger: Logger, counters: WorkerCounters, *, backoff_max_seconds: float) -> None:
        self._clock = clock
        self._logger = logger
        self._counters = counters
        self._backoff_max_seconds = backoff_max_seconds
        self._told: dict[str, str] = {}

    async def loop(
        self, name: str, one_pass: Pass, *, pause_seconds: float, stop: asyncio.Event, bell: "Bell | None" = None
    ) -> None:
        """Run passes until `stop` is set; never raises but for cancellation. A bell shortens the pause."""
        failures = 0
        while not stop.is_set():
            is_more, failures = await self._attempt(name, one_pass, failures)
            if failures:
                await _wait(stop, min(_BACKOFF_FIRST_SECONDS * 2 ** min(failures - 1, 16), self._backoff_max_seconds))
            elif is_more:
                await asyncio.sleep(_TURN_SECONDS)
            else:
                await (_wait(stop, pause_seconds) if bell is None else bell.wait(stop, pause_seconds))

    async def _attempt(self, name: str, one_pass: Pass, failures: int) -> tuple[bool, int]:
        """One pass: whether more is waiting, and how many passes in a row have failed now."""
        began = self._clock.monotonic()
        try:
            is_more = await one_pass()
        except StoreUnavailableError as error:
            self._counters.failures[name] += 1
            if not failures:
                self._logger.warning("worker.store_unavailable", loop=name, error=error.message)
            return False, failures + 1
        except StorageUnavailableError as error:
            self._counters.failures[name] += 1
            if self._told.get(name) != error.message:
                self._told[name] = error.message
                self._logger.warning("worker.storage_unavailable", loop=name, error=error.message)
            return False, failures + 1
        except Exception as error:  # a loop outlives every failure; it is logged with its traceback
            self._counters.failures[name] += 1
            self._logger.warning("worker.loop_failed", loop=name, error=repr(error), exc_info=error)
            return False, failures + 1
        self._told.pop(name, None)
        if failures:
            self._logger.info("worker.loop_recovered", loop=name, failures=failures)
        self._counters.passes[name] += 1
        self._counters.pass_seconds[name] = self._clock.monotonic() - began
        return is_more, 0


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake up for `stop`."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
