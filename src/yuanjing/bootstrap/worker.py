"""The process of the worker."""

import asyncio
import functools
import signal
from collections.abc import Callable

import structlog
import uvloop

from yuanjing.bootstrap.handover import Handover
from yuanjing.bootstrap.process import published, say_ready
from yuanjing.bootstrap.services import open_services
from yuanjing.kit.metrics import MetricsBoard
from yuanjing.settings import Settings
from yuanjing.worker import metrics
from yuanjing.worker.options import WorkerOptions
from yuanjing.worker.worker import Worker


def run_worker(handover: Handover, on_ready: Callable[[], None] | None = None) -> int:
    """Run the worker of this machine until it is told to stop; the exit code. `on_ready` is called when it works."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(handover, on_ready))
    return 0


async def _run(handover: Handover, on_ready: Callable[[], None] | None) -> None:
    log = structlog.get_logger("worker")
    settings = handover.settings()
    stop = asyncio.Event()

    def ask_to_stop() -> None:
        if not stop.is_set():
            log.info("worker stopping")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop)
    async with open_services(settings) as services:
        worker = Worker(
            _options(settings), store=services.store, spools=services.spools, clock=services.clock, logger=log
        )
        board = MetricsBoard(settings.data / "metrics", "worker", services.clock)
        collect = functools.partial(metrics.collect, worker.counters, services.store.counters)
        async with published(board, collect, log):
            say_ready(handover.ready_fd)
            if on_ready is not None:
                on_ready()
            log.info("worker started")
            await worker.run(stop)
    log.info("worker stopped")


def _options(settings: Settings) -> WorkerOptions:
    return WorkerOptions(
        machine=settings.machine,
        post_seconds=settings.post_interval_seconds,
        post_batch_rows=settings.post_batch_rows,
        silent_seconds=settings.node_silent_seconds,
        lease_ttl_seconds=settings.lease_ttl_seconds,
    )
