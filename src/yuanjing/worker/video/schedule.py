"""When to ask again, and when to try again."""

import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence

from yuanjing.domain.video_offers import VideoLimits
from yuanjing.domain.videos import VideoTask
from yuanjing.kit.clock import Clock

_SEEN_MAX = 64
_SEEN_MIN = 3
_EARLY = 0.9
_STEPS = 50
_AGE_SHARE = 0.1
_JITTER = 0.2
_CUSTOMERS_MAX = 10_000
_LATE_SECONDS = 0.5
_RISE, _FALL = 1.25, 0.97
_PRESSURE_MAX = 64.0
_LIKELY_PART = 16.0
"""Tasks that are likely to have ended wait longer only under so many times as much pressure as the others."""
_OVERDUE = 1.25
"""A task that has taken so much longer than nearly all of its kind will hardly end soon."""
_NOTE_SECONDS = 0.25

Kind = tuple[str, bool]
"""Tasks that take about as long: their offer, and whether they are off-peak."""


class Paces:
    """How long tasks took, by kind, and from that how often the others are asked for.

    A task is asked for seldom until the first ones of its kind had ended, often while most of them did, and ever less
    often afterwards. While too little is known, the pause is a tenth of the task's age.
    """

    def __init__(self, choose: random.Random) -> None:
        self._choose = choose
        self._seen: dict[Kind, deque[float]] = {}
        self._usual: dict[Kind, tuple[float, float]] = {}

    def knows(self, kind: Kind) -> bool:
        """Whether anything is known of the kind."""
        return kind in self._seen

    def learn(self, kind: Kind, seconds: Sequence[float]) -> None:
        """So long did tasks take from their acceptance to their end."""
        seen = self._seen.setdefault(kind, deque(maxlen=_SEEN_MAX))
        seen.extend(max(0.0, one) for one in seconds)
        if len(seen) >= _SEEN_MIN:
            ordered = sorted(seen)
            self._usual[kind] = ordered[len(seen) // 20] * _EARLY, ordered[-1 - len(seen) // 20]

    def pause(self, kind: Kind, age_seconds: float, limits: VideoLimits, pressure: float = 1.0) -> float:
        """Seconds until a task of this age is asked for next.

        Under pressure those that will hardly have ended wait longer, at first they alone; but none that is young skips
        the time in which it will.
        """
        usual, gentle = self._usual.get(kind), max(1.0, pressure / _LIKELY_PART)
        shortest, longest = limits.poll_min_seconds * pressure, limits.poll_max_seconds * pressure
        if usual is None:
            wanted = age_seconds * min(_AGE_SHARE * pressure, 1.0)  # at the latest when it is twice as old
            shortest = limits.poll_min_seconds * gentle
        else:
            first, last = usual
            wanted = max((last - first) / _STEPS, (age_seconds - last) * _AGE_SHARE)
            if age_seconds <= last * _OVERDUE:
                shortest, longest = limits.poll_min_seconds * gentle, limits.poll_max_seconds * gentle
            if age_seconds < first:  # not a moment longer than until then, whatever the pressure
                wanted, longest = first - age_seconds, limits.poll_max_seconds * pressure
        return self.spread(min(max(wanted, shortest), longest))

    def spread(self, seconds: float) -> float:
        """About as long, so that tasks do not march in step."""
        return seconds * self._choose.uniform(1 - _JITTER, 1 + _JITTER)


class Pressure:
    """How many times more there is to be asked than can be, by the worker or by what a provider allows; 1 is none.

    It rises while questions come late, and falls slowly when they do not.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._noted_at = 0.0
        self._late_seconds = 0.0
        self.value = 1.0

    def note(self, late_seconds: float) -> None:
        """A question is asked so long after it was due."""
        self._late_seconds = max(self._late_seconds, late_seconds)
        now = self._clock.monotonic()
        if now - self._noted_at >= _NOTE_SECONDS:
            step = _RISE if self._late_seconds > _LATE_SECONDS else _FALL
            self.value = min(max(1.0, self.value * step), _PRESSURE_MAX)
            self._noted_at, self._late_seconds = now, 0.0


class Turns:
    """Whose turn it is where there is not room for all: who has not been served for longest.

    Places become free one by one, so it has to be remembered who had the last ones.
    """

    def __init__(self) -> None:
        self._served: OrderedDict[str, int] = OrderedDict()
        self._count = 0

    def order(self, tasks: Iterable[VideoTask]) -> Iterator[VideoTask]:
        """The tasks, each customer's in their order, and the customers in turn as long as they are served."""
        queues: defaultdict[str, deque[VideoTask]] = defaultdict(deque)
        for task in tasks:
            queues[task.customer_id].append(task)
        while queues:
            customer_id = min(queues, key=lambda one: self._served.get(one, 0))
            yield queues[customer_id].popleft()
            if not queues[customer_id]:
                del queues[customer_id]

    def serve(self, customer_id: str) -> None:
        """The customer has had a turn."""
        self._count += 1
        self._served[customer_id] = self._count
        self._served.move_to_end(customer_id)
        if len(self._served) > _CUSTOMERS_MAX:
            self._served.popitem(last=False)


def backoff(choose: random.Random, failures: int, most: float, *, first: float = 1.0) -> float:
    """Seconds until the next attempt after so many failures in a row: doubling, somewhere in the upper half."""
    whole = min(first * 2 ** min(max(0, failures - 1), 16), most)
    return choose.uniform(whole / 2, whole)
