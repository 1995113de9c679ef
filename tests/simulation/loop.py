"""An event loop for several simulated processes: virtual time, one thread, one seeded draw of who goes next.

Each process has its own queue, first in first out, as a real event loop has: shuffling within a process would try
orders that cannot happen. Between the processes the next callback is drawn. Time moves only when nobody has anything
to do. What happens inside a process (`call_soon`, timers, tasks) belongs to it, and ends with it; what crosses from one
process to another is posted to the receiver, as a network would deliver it.
"""

import asyncio
import heapq
import random
import warnings
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

_CLOSE_TRIES_MAX = 20
START_SECONDS = 1000.0
"""What the boot clock shows when a simulation begins."""


class Handle:
    """One callback, now or at a time; stands in for `asyncio.TimerHandle`."""

    __slots__ = ("_when", "args", "call", "context", "process")

    def __init__(
        self, process: "Process", call: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> None:
        self.process = process
        self.call: Callable[..., object] | None = call
        self.args = args
        self.context = context
        self._when = 0.0

    def cancel(self) -> None:
        """See `asyncio.Handle`."""
        self.call = None
        self.args = ()

    def cancelled(self) -> bool:
        """See `asyncio.Handle`."""
        return self.call is None

    def when(self) -> float:
        """See `asyncio.TimerHandle`."""
        return self._when


class Process:
    """One simulated operating-system process, or the world around them all."""

    def __init__(self, name: str, machine: "Machine") -> None:
        self.name = name
        self.machine = machine
        self.ready: deque[Handle] = deque()
        self.is_alive = True
        self.is_paused = False


class Machine:
    """What its processes share: a wall clock that may jump, and a disk."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.wall_offset_seconds = 0.0


class KilledError(BaseException):
    """Ends what a process is doing in the middle: raised where it was killed, caught by nobody but the loop."""


class Task(asyncio.Task):
    """A task whose place in a set does not depend on its address, which differs from run to run."""

    def __init__(self, coro: Any, number: int, **kw: Any) -> None:
        self.number = number
        super().__init__(coro, **kw)

    def __hash__(self) -> int:
        return self.number


class SimulationLoop(asyncio.AbstractEventLoop):
    """See the module."""

    def __init__(self, choose: random.Random) -> None:
        self.world = Process("world", Machine("world"))
        self.current = self.world
        self.errors: list[str] = []
        self.steps = 0
        self.connect: Callable[..., Coroutine[Any, Any, Any]] | None = None
        self._choose = choose.random
        self._processes = [self.world]
        self._tasks: list[Task] = []
        self._now = START_SECONDS
        self._timers: list[tuple[float, int, Handle]] = []
        self._numbers = 0

    # the life of processes

    def start(self, process: Process) -> None:
        """From now on it takes part."""
        self._processes.append(process)

    def end(self, process: Process) -> None:
        """Nothing of it happens any more: neither what is due nor what was waited for."""
        process.is_alive = False
        process.ready.clear()
        self._processes.remove(process)

    def post(self, process: Process, call: Callable[..., object], *args: object, delay: float = 0.0) -> None:
        """Let the other process do this after a while; lost if it has ended by then."""
        handle = Handle(process, call, args, None)
        if delay <= 0.0:
            process.ready.append(handle)
        else:
            self._add_timer(self._now + delay, handle)

    # running

    def run(self, until: float, is_done: Callable[[], bool] = lambda: False) -> None:
        """Go on until that time, or until `is_done`, which is asked whenever time moves."""
        asyncio._set_running_loop(self)
        try:
            while not is_done():
                self._run_ready()
                if not self._timers or self._timers[0][0] > until:
                    self._now = until
                    return
                self._move_time()
        finally:
            self.current = self.world
            asyncio._set_running_loop(None)

    def _run_ready(self) -> None:
        choose = self._choose
        while True:
            able = [one for one in self._processes if one.ready and not one.is_paused]
            if not able:
                return
            if len(able) == 1:
                self._run_one(able[0])
            else:
                self._run_one(able[int(choose() * len(able))])

    def _run_one(self, process: Process) -> None:
        handle = process.ready.popleft()
        call = handle.call
        if call is None or not process.is_alive:
            return
        self.steps += 1
        self.current = process
        try:
            if handle.context is None:
                call(*handle.args)
            else:
                handle.context.run(call, *handle.args)
        except KilledError:
            pass
        except Exception as error:  # noqa: BLE001  # what a real loop gives to its exception handler is always a bug
            self.errors.append(f"{process.name}: {error!r}")
        finally:
            self.current = self.world

    def _move_time(self) -> None:
        timers = self._timers
        self._now = timers[0][0]
        while timers and timers[0][0] <= self._now:
            _, _, handle = heapq.heappop(timers)
            if handle.call is not None and handle.process.is_alive:
                handle.process.ready.append(handle)

    # asyncio.AbstractEventLoop

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        handle = Handle(self.current, callback, args, context)
        if handle.process.is_alive:
            handle.process.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        handle = Handle(self.current, callback, args, context)
        self._add_timer(when, handle)
        return handle

    def _add_timer(self, when: float, handle: Handle) -> None:
        handle._when = when
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, handle))

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> Any:
        self._numbers += 1
        task = Task(coro, self._numbers, loop=self, name=name, context=context)
        self._tasks.append(task)
        return task

    def run_in_executor(self, executor: object, func: Callable[..., Any], *args: Any) -> Any:
        """A thread's work is done at once, and told later."""
        del executor
        done, result = self.create_future(), func(*args)
        self.call_later(0.001, lambda: done.cancelled() or done.set_result(result))
        return done

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        assert self.connect is not None
        return await self.connect(protocol_factory, host, port)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(f"{self.current.name}: {context.get('message')}: {context.get('exception')!r}")

    def close(self) -> None:
        """Let go of what was under way in processes that have ended; nothing of it can do anything any more."""
        for process in self._processes:
            process.is_alive = False
        self._timers.clear()
        asyncio._set_running_loop(self)
        try:
            with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of what has not begun
                for task in self._tasks:  # closing one may begin others
                    if not task.done():
                        task._log_destroy_pending = False
                        _close(task.get_coro())
        finally:
            asyncio._set_running_loop(None)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False


def _close(coroutine: Any) -> None:
    """Some wait for their children even then; each further try takes them one step on."""
    for _ in range(_CLOSE_TRIES_MAX):
        try:
            coroutine.close()
        except RuntimeError:
            continue
        return
