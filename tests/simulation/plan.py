"""What a seed decides beforehand: which faults there are, how often, and what customers do.

Each seed draws a part of the faults only. With all of them at once every run would look the same, and most would end in
the first outage: rare combinations are found by runs that leave much out ("swarm testing").
"""

import random
from dataclasses import dataclass

_FAULTS = ("slow", "lost", "outage", "crash", "pause", "clock", "machine", "disk", "provider")
_DELAYS = ((0.80, 0.001, 0.004), (0.97, 0.004, 0.06), (1.0, 0.06, 0.4))
_SLOW = ((0.60, 0.002, 0.02), (0.93, 0.02, 0.3), (1.0, 0.3, 3.0))
"""How long a message takes: up to which share, between how many seconds."""


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What becomes of one call of the store: how long it travels, and whether it or its answer is lost."""

    delay: float
    answer_delay: float
    is_lost_before: bool = False
    is_lost_after: bool = False


class Plan:
    """The faults of one seed. Once `heal` was called there are none any more.

    Attributes:
        active_seconds: how long customers and faults go on.
        operations: how many things customers do in that time.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.choose = random.Random(f"{seed}:plan")  # noqa: S311  # a repeatable choice, no secret
        choose = self.choose
        self.faults = frozenset(one for one in _FAULTS if choose.random() < 0.45)
        self.active_seconds = choose.uniform(4.5, 8.5)
        self.operations = choose.randint(10, 26)
        self.machines = choose.choice((1, 1, 2))
        self.gateways = choose.choice((1, 2, 2))
        self.lost_share = choose.choice((0.02, 0.08, 0.2)) if "lost" in self.faults else 0.0
        self.disk_share = 0.06 if "disk" in self.faults else 0.0
        self.provider_share = choose.choice((0.1, 0.3, 0.6)) if "provider" in self.faults else 0.0
        self.has_exact_search = choose.random() < 0.7
        self.video_share = choose.choice((0.0, 0.15, 0.5))
        self.poor_nanos = choose.choice((1, 9, 40, 500)) * 10_000_000 + 7
        self._delays = _SLOW if "slow" in self.faults else _DELAYS
        self.is_healed = False

    def heal(self) -> None:
        """From now on everything works."""
        self.is_healed = True
        self._delays = _DELAYS

    def chance(self, share: float) -> bool:
        """True in such a share of the cases; never after `heal`."""
        return not self.is_healed and self.choose.random() < share

    def delay(self) -> float:
        """How long a message is under way."""
        draw = self.choose.random()
        for share, least, most in self._delays:
            if draw < share:
                return self.choose.uniform(least, most)
        return self._delays[-1][2]

    def fate(self) -> Fate:
        """Of one call of the store."""
        is_lost = self.chance(self.lost_share)
        is_before = is_lost and self.choose.random() < 0.5
        return Fate(
            delay=self.delay(),
            answer_delay=self.delay(),
            is_lost_before=is_before,
            is_lost_after=is_lost and not is_before,
        )
