"""Plain numbers that the task engine raises and the metrics collector reads."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from yuanjing.domain.videos import TaskStep


@dataclass(kw_only=True, slots=True)
class VideoCounters:
    """What this worker's engine has done since its start, and what it last saw.

    Attributes:
        submissions: submissions by channel that providers have taken.
        refusals: submissions that they have not, by (channel, kind).
        calls: other calls by (channel, method: `query`, `query_many`, `find`, `cancel`, `upload`).
        call_failures: those that failed, by (channel, kind).
        ended: tasks ended by state.
        unknown: submissions of unknown outcome; `adopted` were found again, `given_up` were not.
        copies: results copied; `copy_failures` counts attempts that failed.
        brought_forward: tasks whose next look was further ahead than any may be, and which were looked at at once.
        fenced: writes that came too late, since another worker had claimed the task.
        failures: jobs that failed by a fault of ours.
        words: answers with a state that we do not know.
        lag_seconds: sum over ended tasks of the time from the provider's end, by its own clock, until we knew it;
            `lags` counts them.
        late_seconds: how long the task that was looked at last had been due.
        in_hand: tasks that this worker has claimed, by what it does with them.
        steps: tasks under way on the whole platform, by step, at the last look.
    """

    submissions: Counter[str] = field(default_factory=Counter[str])
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    calls: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    call_failures: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    ended: Counter[str] = field(default_factory=Counter[str])
    unknown: int = 0
    adopted: int = 0
    given_up: int = 0
    copies: int = 0
    copy_failures: int = 0
    brought_forward: int = 0
    fenced: int = 0
    failures: int = 0
    words: int = 0
    lag_seconds: float = 0.0
    lags: int = 0
    late_seconds: float = 0.0
    in_hand: Counter[str] = field(default_factory=Counter[str])
    steps: Mapping[TaskStep, int] = field(default_factory=dict[TaskStep, int])
