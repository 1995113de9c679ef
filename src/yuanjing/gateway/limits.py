"""Requests and tokens a minute, and concurrency, per API key and process.

A limit is for all gateway processes together; each enforces its share, at least one.
"""

import math

from yuanjing.domain.identity import KeyLimits

_MINUTE = 60.0


class KeyMeter:
    """One key's use in this process: a sliding minute made of two fixed ones, and what is in flight."""

    __slots__ = ("in_flight", "minute", "requests", "requests_before", "tokens", "tokens_before")

    def __init__(self) -> None:
        self.in_flight = 0
        self.minute = 0.0
        self.requests = 0
        self.requests_before = 0
        self.tokens = 0
        self.tokens_before = 0

    def admit(self, limits: KeyLimits, now: float, processes: int, tokens: int = 0) -> bool:
        """Whether one more request fits now; if so it is counted, and `finish` must follow.

        Its input is counted at once, by our estimate in `tokens`; a share that nobody has used takes a request of any
        size.
        """
        self._turn(now)
        if limits.concurrency is not None and self.in_flight >= _share(limits.concurrency, processes):
            return False
        weight = 1.0 - (now - self.minute) / _MINUTE
        rpm, tpm = limits.requests_per_minute, limits.tokens_per_minute
        if rpm is not None and self.requests + self.requests_before * weight >= _share(rpm, processes):
            return False
        if tpm is not None:
            used, share = self.tokens + self.tokens_before * weight, _share(tpm, processes)
            if used >= share or (used and used + tokens > share):
                return False
            self.tokens += tokens
        self.requests += 1
        self.in_flight += 1
        return True

    def wait_seconds(self, limits: KeyLimits, now: float, processes: int) -> int:
        """How long a request that was not admitted should wait, in whole seconds from 1 to 60.

        Right if nothing else is asked meanwhile. SDKs do not obey a longer wait than a minute, so that one who has
        used the tokens of several minutes is told the rest when it comes again.
        """
        self._turn(now)
        waits = [1.0]
        if limits.requests_per_minute is not None:
            share = _share(limits.requests_per_minute, processes)
            waits.append(self._room_in(self.requests, self.requests_before, share, now))
        if limits.tokens_per_minute is not None:
            share = _share(limits.tokens_per_minute, processes)
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

    def finish(self, tokens: int, now: float, estimate: int = 0) -> None:
        """The request has ended and counted so many tokens, of which `estimate` were counted when it was admitted."""
        self.in_flight -= 1
        self._turn(now)
        self.tokens = max(0, self.tokens + tokens - estimate)

    def _turn(self, now: float) -> None:
        passed = now - self.minute
        if passed < _MINUTE:
            return
        is_next = passed < 2 * _MINUTE
        self.requests_before = self.requests if is_next else 0
        self.tokens_before = self.tokens if is_next else 0
        self.requests = self.tokens = 0
        self.minute = self.minute + _MINUTE if is_next else now


def _share(limit: int, processes: int) -> int:
    return max(1, limit // max(1, processes))
