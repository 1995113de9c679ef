"""Wrong passwords by address, within one process.

The lock of a customer is in the store; this stops one address from trying many numbers. Each process counts for
itself, so that the whole platform allows as many times the limit as it has processes.
"""

from collections import OrderedDict
from dataclasses import dataclass

from yuanjing.kit.clock import Clock
from yuanjing.usecases.signin.errors import TooManyAttemptsError

_ADDRESSES_MAX = 100_000


@dataclass(slots=True)
class _Window:
    began_at: float
    count: int = 0


class AddressFailures:
    """Counts of one process; at most so many addresses are remembered, the oldest windows are forgotten first."""

    def __init__(self, clock: Clock, *, failures_max: int, window_seconds: float) -> None:
        self._clock = clock
        self._failures_max = failures_max
        self._window_seconds = window_seconds
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def check(self, address: str) -> None:
        """Whether the address may try.

        Raises:
            TooManyAttemptsError: it has failed too often.
        """
        window = self._windows.get(address)
        if window is None:
            return
        wait = window.began_at + self._window_seconds - self._clock.monotonic()
        if wait <= 0:
            del self._windows[address]
        elif window.count >= self._failures_max:
            raise TooManyAttemptsError(wait)

    def add(self, address: str) -> None:
        """Note a failure."""
        window = self._windows.setdefault(address, _Window(began_at=self._clock.monotonic()))
        window.count += 1
        while len(self._windows) > _ADDRESSES_MAX:
            self._windows.popitem(last=False)
