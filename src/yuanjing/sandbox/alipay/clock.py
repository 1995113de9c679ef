"""A clock that can be put forward, and what is to happen at a time."""

import asyncio
import contextlib
import datetime as dt
import heapq
import itertools
from collections.abc import Awaitable, Callable

from yuanjing.kit.clock import Clock

BEIJING = dt.timezone(dt.timedelta(hours=8))
_LOOK_SECONDS_MAX = 30.0

Deed = Callable[[], Awaitable[None]]


class SimulatedClock:
    """The system's time, and what it was put forward by."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = 0.0

    def unix(self) -> float:
        """Simulated Unix time."""
        return self._clock.unix() + self._ahead

    def advance(self, seconds: float) -> None:
        """Put it forward."""
        self._ahead += seconds

    def beijing(self) -> dt.datetime:
        """Simulated time in Beijing."""
        return dt.datetime.fromtimestamp(self.unix(), BEIJING)


def written(unix: float) -> str:
    """A time as Alipay writes it."""
    return dt.datetime.fromtimestamp(unix, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def read(text: str) -> float | None:
    """The Unix time of what Alipay or a merchant writes; None if it is not one."""
    try:
        return dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).timestamp()
    except ValueError:
        return None


class Agenda:
    """Does things when their time has come; each in a task of its own."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Deed]] = []
        self._numbers = itertools.count()
        self._wake = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[None]] = set()

    def start(self, group: asyncio.TaskGroup) -> None:
        """Begin, in tasks of `group`."""
        self._group = group
        self._keep(group.create_task(self._run()))

    def stop(self) -> None:
        """End at once; what was not done is lost."""
        self._group = None
        for one in self._running:
            one.cancel()

    def at(self, unix: float, deed: Deed) -> None:
        """Do something then; soon, if that has passed."""
        heapq.heappush(self._due, (unix, next(self._numbers), deed))
        self._wake.set()

    def look(self) -> None:
        """The clock was put forward."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now = self._clock.unix()
            while self._due and self._due[0][0] <= now and self._group is not None:
                _, _, deed = heapq.heappop(self._due)
                self._keep(self._group.create_task(_do(deed)))
            pause = min(self._due[0][0] - now, _LOOK_SECONDS_MAX) if self._due else _LOOK_SECONDS_MAX
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(pause, 0.001))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._running.add(task)
        task.add_done_callback(self._running.discard)


async def _do(deed: Deed) -> None:
    await deed()
