"""The loops beside the hot path: a pass that fails is logged and followed by the next; no loop ends unseen."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from yuanjing.domain.errors import FencedError, YuanjingError

Pass = Callable[[], Awaitable[None]]


class Log(Protocol):
    """A structured logger."""

    def info(self, event: str, **fields: object) -> None:
        """Something worth knowing."""
        ...

    def warning(self, event: str, **fields: object) -> None:
        """Something an operator may have to look at."""
        ...

    def error(self, event: str, **fields: object) -> None:
        """Something an operator has to look at."""
        ...


class Loops:
    """A process's loops, each a task of its own.

    A loop that ends although nobody has stopped it would leave a process that looks alive and forgets its duties, so
    that `on_ended` must end the process.
    """

    def __init__(self, log: Log, *, on_fenced: Callable[[], None], on_ended: Callable[[], None]) -> None:
        self._log = log
        self._on_fenced = on_fenced
        self._on_ended = on_ended
        self._tasks: dict[asyncio.Task[None], str] = {}

    def start(self, name: str, seconds: float, one_pass: Pass) -> None:
        """Run passes with this pause before each."""
        task = asyncio.get_running_loop().create_task(self._repeat(name, seconds, one_pass), name=name)
        self._tasks[task] = name
        task.add_done_callback(self._ended)

    def stop(self) -> None:
        """End all."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks:
            task.cancel()

    async def _repeat(self, name: str, seconds: float, one_pass: Pass) -> None:
        failures = 0
        said: type[Exception] | None = None
        while True:
            await asyncio.sleep(seconds)
            try:
                await one_pass()
            except FencedError:
                self._on_fenced()
            except Exception as error:  # noqa: BLE001  # a loop outlives every failure; `_report` logs it
                failures += 1
                if type(error) is not said:  # an outage is told once, and when it is over
                    said = type(error)
                    self._report(name, error)
            else:
                if failures:
                    self._log.info("a loop works again", loop=name, failures=failures)
                failures, said = 0, None

    def _report(self, name: str, error: Exception) -> None:
        if isinstance(error, YuanjingError):
            self._log.warning("the store did not answer", loop=name, error=error.code)
        else:
            self._log.error("a pass of a loop failed", loop=name, exc_info=error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        name = self._tasks.pop(task, None)
        if name is None:
            return  # stopped
        error = None if task.cancelled() else task.exception()
        self._log.error("a loop has ended; the process ends too", loop=name, exc_info=error)
        self._on_ended()
