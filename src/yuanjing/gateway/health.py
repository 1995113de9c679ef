"""Whether a channel is worth a try: its circuit breaker, its rest after 401, 402 and 429, and the budget of retries.

Plain numbers that the hot path compares; what costs more is done when something has failed. Each process judges by
what it has seen itself.
"""

from dataclasses import dataclass

from yuanjing.domain.money import Book
from yuanjing.gateway.options import GatewayOptions

_OF_ONE_MODEL = frozenset({"provider_auth", "provider_balance", "model_missing"})
"""Said by words only, these may be about one model, or have been provoked by one request: others are not kept away."""
_ALONE_FACTOR = 4
"""A channel without another one beside it is shut after so many times as many failures in a row, and by no share."""
_WELL_SECONDS = 30.0
"""So long after its last failure a channel has its whole weight again."""
_WEIGHT_MIN = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedTry:
    """A try that has failed by the channel's own fault.

    Attributes:
        kind: see `routing.Failure`.
        is_sure: by its status the provider refuses our credential or our balance: only an operator can help.
        tried_at: when it was sent.
        ended: how many tries on this channel have ended since its start, this one included.
        has_other: another channel of the model comes after this one.
        wait_seconds: how long the provider asks us to stay away, if it says so.
    """

    kind: str
    tried_at: float
    ended: int
    is_sure: bool = False
    has_other: bool = False
    wait_seconds: float | None = None


class ChannelHealth:
    """One channel's circuit breaker: open to all, shut, or shut with one probe at a time.

    Attributes:
        shut_until: 0 if every request may try it; else when the next probe may.
        reason: why it is shut; the kind of the failure.
        failures, in_row: failures of its own since the start, and since it last began to answer.
        succeeded_at, failed_at: its last whole answer, its last failure; None if it never was.
    """

    __slots__ = (
        "_ended_before",
        "_failures",
        "_is_on",
        "_options",
        "_pause",
        "_shut_at",
        "_window_at",
        "failed_at",
        "failures",
        "in_row",
        "reason",
        "shut_until",
        "succeeded_at",
    )

    def __init__(self, options: GatewayOptions, book: Book) -> None:
        self._is_on = options.breaker == "all" or (options.breaker == "live" and book is Book.LIVE)
        self._options = options
        self._pause = 0.0
        self._window_at = float("-inf")
        self._ended_before = self._failures = 0
        self.shut_until = self._shut_at = 0.0
        self.reason = ""
        self.failures = self.in_row = 0
        self.succeeded_at: float | None = None
        self.failed_at: float | None = None

    def may_try(self, now: float) -> bool:
        """Whether a request may go there; where the channel is shut, it is the probe, and the next has to wait.

        A probe that hangs does so alone: there is another one after the same pause.
        """
        if not self.shut_until:
            return True
        if now < self.shut_until:
            return False
        self.shut_until = now + self._pause
        return True

    def answered(self, tried_at: float) -> None:
        """It has begun to answer a try of that time, if only that the request is wrong: it is open to all."""
        self.in_row = 0
        if self.shut_until and tried_at >= self._shut_at:
            self.open()

    def open(self) -> None:
        """Whoever knows says that it works: it is open to all, and its past counts no more."""
        self.in_row = self._failures = 0
        self.shut_until = self._pause = 0.0
        self.reason = ""
        self._window_at = float("-inf")

    def failed(self, failed: FailedTry, now: float) -> bool:
        """It has failed; whether that has shut it. What was under way when it was shut does not count."""
        self.failures += 1
        self.failed_at = now
        was_open = not self.shut_until
        if failed.kind in _OF_ONE_MODEL and not failed.is_sure:
            return False
        self.in_row += 1
        if not self._is_on or (not was_open and failed.tried_at < self._shut_at):
            return False
        options = self._options
        if failed.is_sure:
            self._shut(failed.kind, now, options.refused_pause_seconds, options.refused_pause_seconds_max)
        elif failed.wait_seconds is not None:
            self._pause = max(failed.wait_seconds, options.breaker_pause_seconds)
            self._shut_for(failed.kind, now)
        elif not was_open or self._is_too_much(failed, now):
            self._shut(failed.kind, now, options.breaker_pause_seconds, options.breaker_pause_seconds_max)
        return was_open and self.shut_until > 0.0

    def _is_too_much(self, failed: FailedTry, now: float) -> bool:
        """What begins a time that is counted is not of it: else each would begin with a failure."""
        options = self._options
        if now - self._window_at > options.breaker_window_seconds:
            self._window_at, self._ended_before, self._failures = now, failed.ended, 0
        else:
            self._failures += 1
        if not failed.has_other:  # nothing is better than this one, as long as it answers now and then
            return self.in_row >= options.breaker_failures * _ALONE_FACTOR
        tries = failed.ended - self._ended_before
        is_share = tries >= options.breaker_tries_min and self._failures >= options.breaker_failure_share * tries
        return is_share or self.in_row >= options.breaker_failures

    def _shut(self, kind: str, now: float, seconds: float, seconds_max: float) -> None:
        self._pause = min(max(2 * self._pause, seconds), seconds_max)
        self._shut_for(kind, now)

    def _shut_for(self, kind: str, now: float) -> None:
        self.reason = kind
        self._shut_at = now
        self.shut_until = now + self._pause

    def weight(self, now: float, ended: int) -> float:
        """The part of its weight that it is worth by its last failures, from 1 down to a little."""
        if self.failed_at is None or now - self.failed_at > _WELL_SECONDS:
            return 1.0
        tries = max(1, ended - self._ended_before)
        return max(_WEIGHT_MIN, 1.0 - self._failures / tries)


class RetryBudget:
    """How many requests may be tried again: a share of all, and a few each second where there are few.

    Without it each of many failures makes more requests, for providers that fail because they have too many.
    """

    __slots__ = ("_at", "_left", "_max", "_per_second", "_seen", "_share")

    def __init__(self, *, share: float, per_second: float, now: float) -> None:
        self._share = share
        self._per_second = per_second
        self._left = 10.0 * per_second
        self._max = self._left + 1000 * share
        self._seen = 0
        self._at = now

    def take(self, requests: int, now: float) -> bool:
        """Whether one more retry fits; `requests` is how many there have been since the process started."""
        more = self._share * (requests - self._seen) + self._per_second * (now - self._at)
        self._left = min(self._max, self._left + more)
        self._seen, self._at = requests, now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
