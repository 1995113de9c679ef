"""The process of the worker."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import structlog
import uvloop
from prometheus_client.core import Metric

from yuanjing.bootstrap.alerts import open_alerts
from yuanjing.bootstrap.audit import audit_chores
from yuanjing.bootstrap.demo import read_addresses
from yuanjing.bootstrap.files import FileServices, check_files, open_files
from yuanjing.bootstrap.handover import Handover
from yuanjing.bootstrap.payments import open_payments
from yuanjing.bootstrap.process import published, return_large_blocks, say_ready
from yuanjing.bootstrap.services import Services, open_services
from yuanjing.bootstrap.store_metrics import collect_store
from yuanjing.bootstrap.video import open_engine
from yuanjing.kit.metrics import MetricsBoard
from yuanjing.settings import Settings
from yuanjing.usecases.artifacts.retention import sweep_artifacts, sweep_orphans
from yuanjing.usecases.idempotency import prune_keys
from yuanjing.usecases.signin.pruning import prune_sign_in
from yuanjing.usecases.topups import TopUpParts
from yuanjing.usecases.videos.forgetting import forget_tasks
from yuanjing.worker import metrics
from yuanjing.worker.options import WorkerOptions
from yuanjing.worker.topups import TopUpLoops
from yuanjing.worker.worker import Chore, Worker

_SWEEP_MAX = 200
_SWEEP_SECONDS = 60.0
_ORPHANS_SECONDS = 6 * 3600.0
_FORGET_SECONDS = 600.0
_IDEMPOTENCY_SECONDS = 60.0
_SIGN_IN_SECONDS = 3600.0
_TOPUPS_SECONDS = 1.0
_REFUNDS_SECONDS = 2.0


def run_worker(handover: Handover, on_ready: Callable[[], None] | None = None) -> int:
    """Run the worker of this machine until it is told to stop; the exit code.

    `on_ready` is called when it works. Whoever gives it has had nothing prepared, so the place of files is tried first.

    Raises:
        SettingsError, StorageUnavailableError: see `check_files`; of a worker that runs by itself.
    """
    return_large_blocks()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(handover, on_ready))
    return 0


async def _run(handover: Handover, on_ready: Callable[[], None] | None) -> None:
    log = structlog.get_logger("worker")
    settings = handover.settings()
    if on_ready is not None:
        await check_files(settings, "worker")
    stop = asyncio.Event()

    def ask_to_stop() -> None:
        if not stop.is_set():
            log.info("worker stopping")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop)
    async with (
        open_services(settings) as services,
        open_files(services, media_nice=0) as files,  # what they look at, customers wait for
        open_engine(services, files, log, address=handover.address) as engine,
        open_alerts(services, log, stop) as alerts,
        _open_payments(services, handover) as payments,
    ):
        worker = Worker(
            _options(settings), store=services.store, spools=services.spools, clock=services.clock, logger=log
        )
        worker.video = engine
        topups = () if payments is None else _topup_chores(TopUpLoops(payments, log, stop), settings)
        worker.chores = (*_chores(services, files), *audit_chores(services, log), *alerts, *topups)
        board = MetricsBoard(settings.data / "metrics", "worker", services.clock)

        def collect() -> list[Metric]:
            return [*metrics.collect(worker.counters, engine.counters), *collect_store(services.store.counters)]

        async with published(board, collect, log):
            say_ready(handover.ready_fd)
            if on_ready is not None:
                on_ready()
            log.info("worker started")
            await worker.run(stop)
    log.info("worker stopped")


def _chores(services: Services, files: FileServices) -> tuple[Chore, ...]:
    """Files whose time is over, those that nobody knows; tasks, idempotency keys, codes and sessions to forget."""
    store, clock, blobs = services.store, services.clock, files.blobs

    async def sweep() -> bool:
        return await sweep_artifacts(store, blobs, clock, _SWEEP_MAX) == _SWEEP_MAX

    async def sweep_unknown() -> bool:
        await sweep_orphans(store, blobs, clock, services.settings.orphan_days)
        return False

    async def forget() -> bool:
        done = await forget_tasks(
            store,
            clock,
            days=services.settings.task_days,
            deleted_days=services.settings.deleted_task_days,
            limit=_SWEEP_MAX,
        )
        return done == _SWEEP_MAX

    async def prune_idempotency() -> bool:
        return await prune_keys(store, clock, hours=services.settings.idempotency_keep_hours)

    async def prune_codes() -> bool:
        await prune_sign_in(store, clock)
        return False

    return (
        Chore(name="forget", run=forget, pause_seconds=_FORGET_SECONDS),
        Chore(name="sweep", run=sweep, pause_seconds=_SWEEP_SECONDS),
        Chore(name="sweep_orphans", run=sweep_unknown, pause_seconds=_ORPHANS_SECONDS),
        Chore(name="prune_idempotency", run=prune_idempotency, pause_seconds=_IDEMPOTENCY_SECONDS),
        Chore(name="prune_sign_in", run=prune_codes, pause_seconds=_SIGN_IN_SECONDS),
    )


def _open_payments(services: Services, handover: Handover) -> AbstractAsyncContextManager[TopUpParts | None]:
    """A worker that runs by itself finds the platform and its sandbox where they were started last."""
    if handover.address:
        return open_payments(services, address=handover.address, sandbox_address=handover.sandbox_address)
    found = read_addresses(services)
    return open_payments(services, address=found.platform, sandbox_address=found.sandbox)


def _topup_chores(loops: TopUpLoops, settings: Settings) -> tuple[Chore, ...]:
    """Orders and refunds that are open, bills, forged notifications."""
    return (
        Chore(name="topups", run=loops.sweep, pause_seconds=_TOPUPS_SECONDS),
        Chore(name="refunds", run=loops.sweep_refunds, pause_seconds=_REFUNDS_SECONDS),
        Chore(name="bills", run=loops.match_bills, pause_seconds=settings.topup_bill_seconds),
        Chore(name="prune_notifications", run=loops.prune, pause_seconds=_SIGN_IN_SECONDS),
    )


def _options(settings: Settings) -> WorkerOptions:
    return WorkerOptions(
        machine=settings.machine,
        post_seconds=settings.post_interval_seconds,
        post_batch_rows=settings.post_batch_rows,
        silent_seconds=settings.node_silent_seconds,
        lease_ttl_seconds=settings.lease_ttl_seconds,
    )
