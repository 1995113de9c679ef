"""Turns the wall clock of every Python process that has this folder in `PYTHONPATH`; see tests/e2e/test_clock.py.

Python imports `sitecustomize` by itself before anything else. The offset is read out of a file that all processes map,
so that it turns for all of them at once, as the clock of a machine does. Monotonic clocks are left alone.
"""

import datetime as dt
import mmap
import os
import struct
import time
from pathlib import Path

_REAL = time.time  # noqa: TID251  # it is what is turned here
_FILE = Path(os.environ["TURNED_CLOCK"])  # noqa: TID251  # it is no setting, the platform knows nothing of it
with _FILE.open("rb") as _file:
    _SHARED = mmap.mmap(_file.fileno(), 8, prot=mmap.PROT_READ)


def _turned() -> float:
    return _REAL() + struct.unpack("d", _SHARED[:8])[0]


time.time = _turned  # noqa: TID251  # the same

from yuanjing.kit.clock import SystemClock  # noqa: E402  # it keeps no reference to `time.time`, but to `datetime`

SystemClock.now = lambda _self: dt.datetime.fromtimestamp(_turned(), dt.UTC)  # type: ignore[method-assign]
