"""How often a channel may be called, and which channels are better left alone."""

from dataclasses import dataclass, field

from yuanjing.domain.video_offers import VideoLimits
from yuanjing.kit.clock import Clock
from yuanjing.worker.video.schedule import Pressure

_FACTOR_MIN = 1 / 16
_RECOVERY = 0.05
_PAUSE_SECONDS = 1.0
_MINUTE = 60.0
_ROUNDING = 1e-6


class CallRate:
    """A rate that is kept by waiting, halves when the provider says it is too fast, and recovers with each success.

    Calls may come in bursts of a second's worth.
    """

    def __init__(self, clock: Clock, per_second: float) -> None:
        self._clock = clock
        self._per_second = per_second
        self._factor = 1.0
        self._ahead_until = 0.0
        self._closed_until = 0.0

    def change(self, per_second: float) -> None:
        """Another nominal rate; what has slowed it down stays."""
        self._per_second = per_second

    @property
    def per_second(self) -> float:
        """The present rate."""
        return self._per_second * self._factor

    @property
    def _burst_seconds(self) -> float:
        return max(1.0, 1 / self.per_second)

    def ready(self) -> int:
        """How many calls could be made now without waiting."""
        now = self._clock.monotonic()
        if now < self._closed_until:
            return 0
        room = now + self._burst_seconds - max(self._ahead_until, now)
        return max(0, int(room * self.per_second + _ROUNDING))

    def take(self, calls: int = 1) -> float:
        """Take leave for so many calls; the seconds to wait before making them."""
        now = self._clock.monotonic()
        begin = max(self._ahead_until, now)
        self._ahead_until = begin + calls / self.per_second
        wait = self._ahead_until - now - self._burst_seconds
        return max(0.0, wait if wait > _ROUNDING else 0.0, self._closed_until - now)

    def slow_down(self, retry_after_seconds: float | None) -> None:
        """The provider has refused a call as one too many."""
        self._factor = max(_FACTOR_MIN, self._factor / 2)
        pause = _PAUSE_SECONDS if retry_after_seconds is None else retry_after_seconds
        self._closed_until = max(self._closed_until, self._clock.monotonic() + pause)

    def speed_up(self) -> None:
        """A call was taken."""
        self._factor = min(1.0, self._factor + _RECOVERY)


@dataclass(kw_only=True, slots=True)
class Trouble:
    """Refusals that concern our account at a provider, or one of its models.

    After a pause that doubles, one task is let through to see; only when it is taken there is room again.

    Attributes:
        until: when the pause ends, by the monotonic clock.
        times: pauses since something was taken; 0 is no trouble.
        probe: the task that is let through now; empty if none is.
    """

    until: float = 0.0
    times: int = 0
    probe: str = ""

    def is_closed(self, now: float) -> bool:
        """Whether no task may be sent now."""
        return self.times > 0 and (now < self.until or bool(self.probe))


@dataclass(kw_only=True, slots=True)
class ChannelGuard:
    """What this worker knows of a channel.

    Attributes:
        submits, queries: how often it may be called.
        lists: how often its list may be read; None if that counts as a query.
        reserved: tasks that are to be submitted to it and do not count as its load yet.
        pressure: how much more there is to ask than it allows.
        polling: tasks of it that are being asked for.
        trouble: with the whole channel; `models` has that with one of its models, by the provider's name.
    """

    submits: CallRate
    queries: CallRate
    lists: CallRate | None
    pressure: Pressure
    reserved: int = 0
    polling: int = 0
    trouble: Trouble = field(default_factory=Trouble)
    models: dict[str, Trouble] = field(default_factory=dict[str, Trouble])

    def troubles(self, model: str) -> list[Trouble]:
        """What there is in the way of the model's tasks."""
        return [one for one in (self.trouble, self.models.get(model)) if one is not None and one.times]


class ChannelGuards:
    """The guards of all channels. Limits are the provider's, divided among the workers."""

    def __init__(self, clock: Clock, *, avoid_seconds: float, avoid_seconds_max: float) -> None:
        self._clock = clock
        self._avoid_seconds = avoid_seconds
        self._avoid_seconds_max = avoid_seconds_max
        self._guards: dict[str, ChannelGuard] = {}
        self.workers = 1
        self.pressure = Pressure(clock)
        """Of this worker itself."""

    def of(self, channel_id: str, limits: VideoLimits) -> ChannelGuard:
        """The channel's guard, with its present limits."""
        submits = limits.submits_per_minute / _MINUTE / self.workers
        queries = limits.queries_per_second / self.workers
        lists = limits.lists_per_second / self.workers
        guard = self._guards.get(channel_id)
        if guard is None:
            guard = self._guards[channel_id] = ChannelGuard(
                submits=CallRate(self._clock, submits),
                queries=CallRate(self._clock, queries),
                lists=None,
                pressure=Pressure(self._clock),
            )
        guard.submits.change(submits)
        guard.queries.change(queries)
        if not lists:
            guard.lists = None
        elif guard.lists is None:
            guard.lists = CallRate(self._clock, lists)
        else:
            guard.lists.change(lists)
        return guard

    def room(self, guard: ChannelGuard, limits: VideoLimits, load: int) -> int:
        """How many tasks this worker may submit to the channel now, if so many are there already."""
        if guard.trouble.is_closed(self._clock.monotonic()):
            return 0
        free = limits.tasks_max - load - guard.reserved
        share = max(1, free // self.workers) if free > 0 else 0
        return min(share, guard.submits.ready(), 1 if guard.trouble.times else share)

    def is_closed(self, guard: ChannelGuard, model: str) -> bool:
        """Whether no task of the model may be sent now, for what was refused before."""
        now = self._clock.monotonic()
        return any(one.is_closed(now) for one in guard.troubles(model))

    def is_on_trial(self, guard: ChannelGuard, model: str) -> bool:
        """Whether the next task of the model shows if they are taken again."""
        return bool(guard.troubles(model)) and not self.is_closed(guard, model)

    def closed_seconds(self, guard: ChannelGuard, model: str) -> float | None:
        """How long no task of the model is sent yet; None if there is no trouble."""
        now = self._clock.monotonic()
        return max((max(0.0, one.until - now) for one in guard.troubles(model)), default=None)

    def take(self, guard: ChannelGuard, model: str, task_id: str) -> None:
        """A place for the task, which is to be submitted now."""
        guard.reserved += 1
        guard.submits.take()
        for one in guard.troubles(model):
            one.probe = task_id

    def leave(self, guard: ChannelGuard, model: str, task_id: str) -> None:
        """The task has been submitted, or has not been, and what that says is noted."""
        for one in guard.troubles(model):
            if one.probe == task_id:
                one.probe = ""

    def avoid(self, guard: ChannelGuard, model: str = "") -> float:
        """Leave the channel alone, or one of its models, longer each time; for how many seconds."""
        now = self._clock.monotonic()
        trouble = guard.models.setdefault(model, Trouble()) if model else guard.trouble
        if now >= trouble.until:  # what was under way when the trouble began does not count again
            trouble.times += 1
        seconds = min(self._avoid_seconds * 2 ** min(trouble.times - 1, 16), self._avoid_seconds_max)
        trouble.until = max(trouble.until, now + seconds)
        return seconds

    def trust(self, guard: ChannelGuard, model: str = "") -> None:
        """The channel has taken a submission of the model."""
        guard.trouble = Trouble()
        guard.models.pop(model, None)
        guard.submits.speed_up()
