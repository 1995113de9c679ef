"""What the task engine tells about itself; docs/reference/metrics.md describes every family."""

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from yuanjing.domain.videos import TaskStep
from yuanjing.worker.video.counters import VideoCounters


def collect_video(counters: VideoCounters) -> Iterable[Metric]:
    """Everything that the engine has to tell."""
    yield from _calls(counters)
    yield _labelled("yuanjing_video_ended", "Video tasks ended.", "state", counters.ended)
    for name, text, value in (
        ("unknown", "Submissions of unknown outcome.", counters.unknown),
        ("adopted", "Those that were found again.", counters.adopted),
        ("given_up", "Those that were given up.", counters.given_up),
        ("copies", "Results copied.", counters.copies),
        ("copy_failures", "Attempts to copy a result that failed.", counters.copy_failures),
        ("brought_forward", "Tasks put off further than any may be, by a wrong clock.", counters.brought_forward),
        ("fenced", "Writes that came too late, as another worker had the task.", counters.fenced),
        ("job_failures", "Pieces of work that failed by a fault of ours.", counters.failures),
        ("unknown_words", "Answers with a state that is not known.", counters.words),
        (
            "lag_seconds",
            "Time from a task's end, by its provider's clock, until we knew it, added up.",
            counters.lag_seconds,
        ),
        ("lags", "Ends that were added up so.", counters.lags),
    ):
        yield CounterMetricFamily(f"yuanjing_video_{name}", text, value=value)
    yield GaugeMetricFamily(
        "yuanjing_video_late_seconds",
        "How long the oldest task of the last look had been due.",
        value=counters.late_seconds,
    )
    in_hand = GaugeMetricFamily("yuanjing_video_in_hand", "Tasks that this worker works on.", labels=("lane",))
    for lane, count in counters.in_hand.items():
        in_hand.add_metric((str(lane),), count)
    yield in_hand
    steps = GaugeMetricFamily("yuanjing_video_tasks", "Video tasks under way, of the whole platform.", labels=("step",))
    for step in TaskStep:
        if step is not TaskStep.DONE:
            steps.add_metric((step.value,), counters.steps.get(step, 0))
    yield steps


def _calls(counters: VideoCounters) -> Iterable[Metric]:
    yield _labelled("yuanjing_video_submissions", "Submissions taken.", "channel", counters.submissions)
    for name, text, label, values in (
        ("refusals", "Submissions refused.", "kind", counters.refusals),
        ("calls", "Other calls to providers.", "method", counters.calls),
        ("call_failures", "Those that failed.", "kind", counters.call_failures),
    ):
        family = CounterMetricFamily(f"yuanjing_video_{name}", text, labels=("channel", label))
        for labels, count in values.items():
            family.add_metric(labels, count)
        yield family


def _labelled(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family
