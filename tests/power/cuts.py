"""Where the power goes, and what is wrong after each start."""

import asyncio
import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.power.audit import audit
from tests.power.disk import Disk
from tests.power.hook.disktrace import Event, Kind
from tests.power.recovery import recover
from tests.power.workload import Recording

Filter = Callable[[Event], bool]
"""Which events reach the disk."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One loss of power.

    Attributes:
        at: before which event of the record.
        seed: draws what is kept of what was not synced.
        told: what clients had been told by then.
        disk: what had been done by then; only until the next cut is asked for.
    """

    at: int
    seed: str
    told: list[Mapping[str, Any]]
    disk: Disk


def cuts(recording: Recording, count: int, seed: int, *, reaches: Filter = lambda _: True) -> Iterator[Cut]:
    """So many of them, from the first to the last; every second one comes right after somebody was told something."""
    chance = random.Random(f"cuts {seed}")  # noqa: S311  # repeatable, not secret
    events = recording.events
    after_told = [at + 1 for at, event in enumerate(events) if event.kind is Kind.ACKNOWLEDGED]
    places = [chance.choice(after_told) if n % 2 else chance.randrange(1, len(events) + 1) for n in range(count)]
    disk, told, fed = Disk(), list[Mapping[str, Any]](), 0
    for number, at in enumerate(sorted(places)):
        for event in events[fed:at]:
            if event.kind is Kind.ACKNOWLEDGED:
                told.append(json.loads(event.data))
            elif reaches(event):
                disk.feed(event)
        fed = at
        yield Cut(at=at, seed=f"{seed}/{number}", told=list(told), disk=disk)


def what_is_wrong(recording: Recording, cut: Cut, folder: Path) -> list[str]:
    """Lose the power, start, and look."""
    data = folder / "cut"
    shutil.rmtree(data, ignore_errors=True)
    cut.disk.lose_power(cut.seed, data)
    try:
        books = asyncio.run(recover(data, gateway_first=cut.at % 2 == 0))
    except Exception as error:  # noqa: BLE001  # whatever keeps it from starting is a finding
        return [f"it does not start: {error!r}"]
    return audit(books, cut.told, recording.last)
