"""What the worker process tells about itself; docs/reference/metrics.md describes every family."""

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from yuanjing.domain.money import Book
from yuanjing.kit.metrics import collect_process
from yuanjing.ports.store import HoldSum
from yuanjing.worker.counters import WorkerCounters
from yuanjing.worker.video.counters import VideoCounters
from yuanjing.worker.video.metrics import collect_video


def collect(counters: WorkerCounters, video: VideoCounters) -> list[Metric]:
    """Everything that this process has to tell."""
    return [
        *_work(counters),
        *_holds(counters.holds),
        *_loops(counters),
        *collect_video(video),
        *collect_process(),
    ]


def _work(counters: WorkerCounters) -> Iterable[Metric]:
    yield _counter("yuanjing_worker_rows_posted", "Usage rows posted to the ledger.", counters.rows_posted)
    yield _counter("yuanjing_worker_rows_late", "Those of them that came late.", counters.rows_late)
    shortfall = counters.late_shortfall_nanos
    yield _counter("yuanjing_worker_late_shortfall_nanos", "What of those could not be collected.", shortfall)
    yield _counter("yuanjing_worker_take_overs", "Lives of nodes ended.", counters.take_overs)
    yield _counter("yuanjing_worker_spool_failures", "Attempts on one spool that failed.", counters.spool_failures)
    yield _counter("yuanjing_worker_spools_removed", "Spool files finished and removed.", counters.spools_removed)
    yield _counter("yuanjing_worker_holds_expired", "Holds released by time.", counters.holds_expired)
    expired = counters.promotions_expired
    yield _counter("yuanjing_worker_promotions_expired", "Lots of promotion money collected from.", expired)
    yield _counter("yuanjing_worker_signals_pruned", "Old signals removed.", counters.signals_pruned)
    yield GaugeMetricFamily(
        "yuanjing_worker_spool_rows", "Rows in this machine's spools to be posted.", value=counters.spool_depth
    )
    yield GaugeMetricFamily(
        "yuanjing_worker_spool_age_seconds", "Age of the oldest of them.", value=counters.spool_age_seconds
    )


def _holds(sums: Mapping[Book, HoldSum]) -> Iterable[Metric]:
    """Each worker tells those of all machines: what is asked is the ledger."""
    counts = GaugeMetricFamily("yuanjing_holds", "Open holds.", labels=("book",))
    amounts = GaugeMetricFamily("yuanjing_held_nanos", "Money in open holds, in nano-yuan.", labels=("book",))
    for book in Book:
        held = sums.get(book, HoldSum())
        counts.add_metric((book.value,), held.count)
        amounts.add_metric((book.value,), held.remaining_nanos)
    return counts, amounts


def _loops(counters: WorkerCounters) -> Iterable[Metric]:
    seconds = GaugeMetricFamily("yuanjing_worker_pass_seconds", "How long the last pass took.", labels=("loop",))
    for loop, value in counters.pass_seconds.items():
        seconds.add_metric((loop,), value)
    yield _by_loop("yuanjing_worker_passes", "Passes of a loop.", counters.passes)
    yield _by_loop("yuanjing_worker_loop_failures", "Passes of a loop that failed.", counters.failures)
    yield seconds


def _by_loop(name: str, text: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=("loop",))
    for loop, count in counts.items():
        family.add_metric((loop,), count)
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)
