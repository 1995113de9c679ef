"""Requests and tokens a minute, and concurrency, per API key or channel and process.

A limit is for all gateway processes together; each enforces its share, at least one.
"""

import math
from typing import Protocol

from yuanjing.domain.identity import KeyLimits

_MINUTE = 60.0


class MinuteLimits(Protocol):
    """What a minute may hold in all gateway processes together; None: anything."""

    @property
    def requests_per_minute(self) -> int | None:
        """Requests."""
        ...

    @property
    def tokens_per_minute(self) -> int | None:
        """Tokens of input and output."""
        ...


class Minute:
    """Use in this process: a sliding minute made of two fixed ones."""

    __slots__ = ("minute", "requests", "requests_before", "tokens", "tokens_before")

    def __init__(self) -> None:
        self.minute = 0.0
        self.requests = 0
        self.requests_before = 0
        self.tokens = 0
        self.tokens_before = 0

    def take(self, limits: MinuteLimits, now: float, processes: int, tokens: int) -> bool:
        """Whether one more request fits now; if so it is counted.

        Its input is counted at once, by our estimate in `tokens`; a share that nobody has used takes a request of any
        size.
        """
        self._turn(now)
        weight = 1.0 - (now - self.minute) / _MINUTE
        rpm, tpm = limits.requests_per_minute, limits.tokens_per_minute
        if rpm is not None and self.requests + self.requests_before * weight >= share_of(rpm, processes):
            return False
        if tpm is not None:
            used, share = self.tokens + self.tokens_before * weight, share_of(tpm, processes)
            if used >= share or (used and used + tokens > share):
                return False
            self.tokens += tokens
        self.requests += 1
        return True

    def add(self, tokens: int, now: float) -> None:
        """So many more tokens were used than had been counted, or less."""
        self._turn(now)
        self.tokens = max(0, self.tokens + tokens)

    def wait_seconds(self, limits: MinuteLimits, now: float, processes: int) -> int:
        """How long a request that was not admitted should wait, in whole seconds from 1 to 60.

        Right if nothing else is asked meanwhile. SDKs do not obey a longer wait than a minute, so that one who has
        used the tokens of several minutes is told the rest when it comes again.
        """
        self._turn(now)
        waits = [1.0]
        if limits.requests_per_minute is not None:
            share = share_of(limits.requests_per_minute, processes)
            waits.append(self._room_in(self.requests, self.requests_before, share, now))
        if limits.tokens_per_minute is not None:
            share = share_of(limits.tokens_per_minute, processes)
            waits.append(self._room_in(self.tokens, self.tokens_before, share, now))
        return math.ceil(min(max(waits), _MINUTE))

    def _room_in(self, used: int, before: int, share: int, now: float) -> float:
        """Seconds until `used`, and the part of `before` that still counts, are less than the share."""
        if used + before * (1.0 - (now - self.minute) / _MINUTE) < share:
            return 0.0
        if used < share:  # enough of the minute before slides out within this one
            begin, sliding, room = self.minute, before, share - used
        else:  # this minute has to slide out within the next
            begin, sliding, room = self.minute + _MINUTE, used, share
        return begin + _MINUTE * (1.0 - room / sliding) - now

    def _turn(self, now: float) -> None:
        passed = now - self.minute
        if passed < _MINUTE:
            return
        is_next = passed < 2 * _MINUTE
        self.requests_before = self.requests if is_next else 0
        self.tokens_before = self.tokens if is_next else 0
        self.requests = self.tokens = 0
        self.minute = self.minute + _MINUTE if is_next else now


def share_of(limit: int, processes: int) -> int:
    """What each of so many processes may have of a limit for all of them: at least one."""
    return max(1, limit // max(1, processes))


class KeyMeter(Minute):
    """One key's use in this process: its minute, and what is in flight."""

    __slots__ = ("in_flight",)

    def __init__(self) -> None:
        super().__init__()
        self.in_flight = 0

    def admit(self, limits: KeyLimits, now: float, processes: int, tokens: int = 0) -> bool:
        """Whether one more request fits now; if so it is counted, and `finish` must follow."""
        if limits.concurrency is not None and self.in_flight >= share_of(limits.concurrency, processes):
            return False
        if not self.take(limits, now, processes, tokens):
            return False
        self.in_flight += 1
        return True

    def finish(self, tokens: int, now: float, estimate: int = 0) -> None:
        """The request has ended and counted so many tokens, of which `estimate` were counted when it was admitted."""
        self.in_flight -= 1
        self.add(tokens - estimate, now)
