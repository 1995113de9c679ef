"""Requests and tokens a minute, and concurrency, per API key and process.

A limit is for all gateway processes together; each enforces its share, at least one.
"""

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

    def admit(self, limits: KeyLimits, now: float, processes: int) -> bool:
        """Whether one more request fits now; if so it is counted, and `finish` must follow."""
        self._turn(now)
        if limits.concurrency is not None and self.in_flight >= _share(limits.concurrency, processes):
            return False
        weight = 1.0 - (now - self.minute) / _MINUTE
        rpm, tpm = limits.requests_per_minute, limits.tokens_per_minute
        if rpm is not None and self.requests + self.requests_before * weight >= _share(rpm, processes):
            return False
        if tpm is not None and self.tokens + self.tokens_before * weight >= _share(tpm, processes):
            return False
        self.requests += 1
        self.in_flight += 1
        return True

    def finish(self, tokens: int, now: float) -> None:
        """The request has ended and counted so many tokens."""
        self.in_flight -= 1
        self._turn(now)
        self.tokens += tokens

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
