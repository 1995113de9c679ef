"""Everything that is not the program's own: time and chance, both made by the seed.

The code under test takes its clock as a part, with two exceptions (ids and the hot path's wall clock), and its random
numbers from `secrets` and `random`. All of them are replaced for as long as one simulation runs, and nothing else is.
"""

import datetime as dt
import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from tests.simulation.loop import SimulationLoop

from yuanjing.gateway import admission, runtime
from yuanjing.kit import ids
from yuanjing.worker.video import desk

EPOCH = dt.datetime(2026, 11, 1, 4, tzinfo=dt.UTC).timestamp()
"""Noon in UTC+8: an hour more or less changes neither the day nor the month."""


class SimulatedClock:
    """The clock of whoever asks: the boot clock never jumps, the wall clock is that of the machine, and may."""

    def __init__(self, loop: SimulationLoop) -> None:
        self._loop = loop
        self.monotonic = loop.time

    def unix(self) -> float:
        """See `kit.clock.Clock`."""
        return EPOCH + self._loop.time() + self._loop.current.machine.wall_offset_seconds

    def now(self) -> dt.datetime:
        """See `kit.clock.Clock`."""
        return dt.datetime.fromtimestamp(self.unix(), dt.UTC)


@contextmanager
def made_by(seed: int, clock: SimulatedClock) -> Iterator[None]:
    """No other chance than that of the seed, no other time than that of the clock."""
    source = random.Random(f"{seed}:chance")  # noqa: S311  # a repeatable choice, no secret
    time = SimpleNamespace(time=clock.unix, time_ns=lambda: int(clock.unix() * 1e9))
    seeded = SimpleNamespace(Random=lambda: random.Random(source.getrandbits(64)))  # noqa: S311  # as above
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            (secrets, "randbits", source.getrandbits),
            (secrets, "randbelow", source.randrange),
            (secrets, "token_bytes", source.randbytes),
            (secrets, "choice", source.choice),
            (ids, "time", time),
            (ids._Pool, "ids", iter(())),
            (admission, "time", time),
            (runtime, "random", seeded),
            (desk, "random", seeded),
        ):
            patch.setattr(module, name, value)
        yield
