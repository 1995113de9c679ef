"""Time: supervised loops that post usage, end dead lives, expire holds, prune signals and work on video tasks."""

from yuanjing.worker.counters import WorkerCounters
from yuanjing.worker.options import WorkerOptions
from yuanjing.worker.worker import Chore, Worker

__all__ = ["Chore", "Worker", "WorkerCounters", "WorkerOptions"]
