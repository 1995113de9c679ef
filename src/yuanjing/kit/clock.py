"""Time, passed in wherever it is needed so that tests can turn it."""

import datetime as dt
import functools
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for labels, monotonic time for durations."""

    def now(self) -> dt.datetime:
        """The wall time, aware, in UTC."""
        ...

    def unix(self) -> float:
        """The wall time as Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds since boot, suspended time included where the system counts it; never goes back."""
        ...


class SystemClock:
    """The machine's clock.

    `monotonic` is the boot-time clock where there is one, so that a suspended machine does not look fresh. It is bound
    as a plain C call, since the hot path asks it several times per request.
    """

    monotonic = staticmethod(
        functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)
        if hasattr(time, "CLOCK_BOOTTIME")
        else time.monotonic
    )

    def now(self) -> dt.datetime:
        """See `Clock.now`."""
        return dt.datetime.now(dt.UTC)  # noqa: TID251  # this is the one place that reads the wall clock

    def unix(self) -> float:
        """See `Clock.unix`."""
        return time.time()  # noqa: TID251  # this is the one place that reads the wall clock


class ManualClock:
    """A clock for tests that moves only when told to."""

    def __init__(self, start: dt.datetime = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)) -> None:
        self._wall = start
        self._mono = 1000.0

    def now(self) -> dt.datetime:
        """See `Clock.now`."""
        return self._wall

    def unix(self) -> float:
        """See `Clock.unix`."""
        return self._wall.timestamp()

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self._mono

    def advance(self, seconds: float) -> None:
        """Move both times on."""
        self._wall += dt.timedelta(seconds=seconds)
        self._mono += seconds

    def jump(self, seconds: float) -> None:
        """Move the wall time alone, as an administrator or NTP does."""
        self._wall += dt.timedelta(seconds=seconds)
