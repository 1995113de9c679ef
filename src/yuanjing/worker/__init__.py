"""Time: supervised loops that post usage, end dead lives, expire holds and prune signals."""

from yuanjing.worker.counters import WorkerCounters
from yuanjing.worker.options import WorkerOptions
from yuanjing.worker.worker import Worker

__all__ = ["Worker", "WorkerCounters", "WorkerOptions"]
