"""Plain integers that the hot path raises and the metrics collector reads."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

BUCKETS_SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
)
OWN_BUCKETS_SECONDS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)


class Histogram:
    """Counts of durations in fixed buckets; observing costs one bisection."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


@dataclass(kw_only=True, slots=True)
class Counters:
    """What one gateway process has done since its start."""

    answered_openai: int = 0
    answered_llmage: int = 0
    requests: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    """Answers other than 200 by dialect and status; the 200s are counted apart, as hashing costs."""
    refusals: Counter[str] = field(default_factory=Counter[str])
    input_tokens: int = 0
    output_tokens: int = 0
    charged_nanos: dict[str, int] = field(default_factory=lambda: {"live": 0, "test": 0})
    overrun_nanos: int = 0
    estimated: int = 0
    replayed: int = 0
    connections_refused: int = 0
    client_gone: int = 0
    drained: int = 0
    upstream_broke: int = 0
    retries: int = 0
    retries_refused: int = 0
    attempts_failed: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    lease_calls: int = 0
    lease_refusals: int = 0
    spool_flushes: int = 0
    spool_failures: int = 0
    loop_lag_seconds_max: float = 0.0
    large_body_bytes: int = 0
    """Bytes of large bodies that are arriving or wait for their turn, now."""
    first_byte: Histogram = field(default_factory=lambda: Histogram(BUCKETS_SECONDS))
    own_time: Histogram = field(default_factory=lambda: Histogram(OWN_BUCKETS_SECONDS))

    @property
    def finished(self) -> int:
        """Chat requests answered in whatever way; it costs a sum, so it is not for every request."""
        return self.answered_openai + self.answered_llmage + sum(self.requests.values())
