"""How much a channel may be asked for: the limits that its operator has set, and what it shows that it can bear.

A provider that has more requests than it can serve becomes slow before it fails. So the number of requests under way
follows the time to the first byte: where that grows far above what is usual, fewer are let in, until it is usual again.
The rule is that of Netflix' concurrency limits ("Gradient2"), but that it begins without a limit: the first one is made
of what was under way when the channel became slow, and one that has grown beyond all connections is none again.
"""

import math

from yuanjing.domain.catalog import ChannelLimits
from yuanjing.gateway.limits import Minute, share_of
from yuanjing.gateway.options import GatewayOptions

_USUAL_SHARE = 0.05
"""How much of what is usual one window makes."""
_ANY_NUMBER = 1 << 30
_GRADIENT_MIN = 0.5
"""One window at most halves what is let in."""


class ChannelCapacity:
    """One channel's in this process.

    Attributes:
        most: so many requests may be under way at once, those that wait for a connection included.
        has_minute: whether requests or tokens a minute are limited.
        first_bytes, first_byte_seconds: streams that have begun in this window, and how long that took all of them.
    """

    __slots__ = (
        "_adaptive",
        "_busiest",
        "_connections_max",
        "_limits",
        "_minute",
        "_options",
        "_usual_seconds",
        "_window_at",
        "first_byte_seconds",
        "first_bytes",
        "has_minute",
        "most",
    )

    def __init__(self, options: GatewayOptions, limits: ChannelLimits, connections_max: int) -> None:
        self._options = options
        self._minute = Minute()
        self._usual_seconds = 0.0
        self._window_at = float("-inf")
        self._busiest = 0
        self.first_bytes = 0
        self.first_byte_seconds = 0.0
        self._connections_max = connections_max
        self._adaptive = math.inf
        self.set_limits(limits)

    def set_limits(self, limits: ChannelLimits) -> None:
        """Other limits, for all processes together; `fit` must follow."""
        self._limits = limits
        self.has_minute = limits.requests_per_minute is not None or limits.tokens_per_minute is not None
        self.fit(1)

    def fit(self, processes: int, held: int = 0) -> None:
        """What one of so many processes may have under way.

        Those that are held back for clients who do not read are no work of the provider's now: they count for what the
        operator has set, but take no place from others in what the provider can bear.
        """
        most = int(min(self._adaptive + held, _ANY_NUMBER))
        if self._limits.concurrency is not None:
            most = min(most, share_of(self._limits.concurrency, processes))
        self.most = most

    def take(self, now: float, processes: int, tokens: int) -> bool:
        """Whether one more request of about so many tokens fits into the minute; if so it is counted."""
        return self._minute.take(self._limits, now, processes, tokens)

    def correct(self, tokens: int, now: float) -> None:
        """A request that was counted has used so many tokens more, or less, than was thought."""
        self._minute.add(tokens, now)

    def wait_seconds(self, now: float, processes: int) -> int:
        """How long to wait for room, in whole seconds from 1 to 60."""
        return self._minute.wait_seconds(self._limits, now, processes)

    def look(self, in_flight: int, now: float) -> None:
        """Now and then: end the window that is over, and learn from it."""
        self._busiest = max(self._busiest, in_flight)
        options = self._options
        if now - self._window_at < options.adaptive_window_seconds or self.first_bytes < options.adaptive_answers_min:
            return
        seconds = self.first_byte_seconds / self.first_bytes
        if options.adaptive_concurrency:
            self._adapt(seconds)
        self._window_at = now
        self._busiest = in_flight
        self.first_bytes = 0
        self.first_byte_seconds = 0.0

    def _adapt(self, seconds: float) -> None:
        options = self._options
        usual = self._usual_seconds or seconds
        gradient = options.adaptive_tolerance * usual / seconds if seconds > 0.0 else 1.0
        if gradient < 1.0:
            busy = min(self._adaptive, float(self._busiest))
            fewer = busy * max(_GRADIENT_MIN, gradient) + math.sqrt(busy)
            self._adaptive = min(self._adaptive, max(fewer, float(options.adaptive_concurrency_min)))
        elif self._adaptive < math.inf and self._busiest >= self._adaptive / 2.0:
            more = self._adaptive + math.sqrt(self._adaptive)
            self._adaptive = more if more < self._connections_max else math.inf
        self._usual_seconds = min(usual + (seconds - usual) * _USUAL_SHARE, 2.0 * seconds)
