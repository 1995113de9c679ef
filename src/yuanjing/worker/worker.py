"""The worker: everything that happens by itself, as time passes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from yuanjing.domain.errors import YuanjingError
from yuanjing.kit.clock import Clock
from yuanjing.ports.spool import SpoolFolder
from yuanjing.ports.store import Store
from yuanjing.usecases.expiry import PatientExpiry
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.promotions import expire_promotions
from yuanjing.worker.counters import WorkerCounters
from yuanjing.worker.observing import ObservingLoop
from yuanjing.worker.options import WorkerOptions
from yuanjing.worker.posting import PostingLoop
from yuanjing.worker.supervisor import Logger, Pass, Supervisor
from yuanjing.worker.video.engine import VideoEngine


@dataclass(frozen=True, kw_only=True, slots=True)
class Chore:
    """A loop that the worker runs for others: one pass of it, and the pause until the next."""

    name: str
    run: Pass
    pause_seconds: float


class Worker:
    """The loops of one worker process. Any number of workers may run; each posts its own machine's spools.

    The task engine and the chores are set before it runs.
    """

    def __init__(
        self, options: WorkerOptions, *, store: Store, spools: SpoolFolder, clock: Clock, logger: Logger
    ) -> None:
        self.counters = WorkerCounters()
        self.video: VideoEngine | None = None
        self.chores: Sequence[Chore] = ()
        self._options = options
        self._store = store
        self._clock = clock
        self._logger = logger
        poster = UsagePoster(store, clock, batch_rows=options.post_batch_rows)
        self._posting = PostingLoop(poster, spools, clock, logger, self.counters)
        self._observing = ObservingLoop(store, spools, clock, options, logger, self.counters)
        self._expiry = PatientExpiry(
            store,
            clock,
            ttl_seconds=options.lease_ttl_seconds,
            patience_seconds=options.expire_patience_seconds,
        )
        self._supervisor = Supervisor(clock, logger, self.counters, backoff_max_seconds=options.backoff_max_seconds)

    async def run(self, stop: asyncio.Event) -> None:
        """Run all loops until `stop` is set, then post what is still in the spools, and remove those that are done."""
        options = self._options
        loops = (
            ("post", self._posting.run, options.post_seconds),
            ("observe", self._observing.run, options.observe_seconds),
            ("expire", self._expire, options.expire_seconds),
            ("expire_promotions", self._expire_promotions, options.expire_seconds),
            ("prune", self._prune, options.prune_seconds),
            *((chore.name, chore.run, chore.pause_seconds) for chore in self.chores),
        )
        async with asyncio.TaskGroup() as group:
            for name, one_pass, pause_seconds in loops:
                group.create_task(
                    self._supervisor.loop(name, one_pass, pause_seconds=pause_seconds, stop=stop),
                    name=f"worker-{name}",
                )
            if self.video is not None:
                group.create_task(self.video.run(self._supervisor, stop), name="worker-video")
        await self._post_rest()

    async def _post_rest(self) -> None:
        """What cannot be posted now waits in the spool for the next worker."""
        try:
            async with asyncio.timeout(self._options.stop_seconds):
                while await self._posting.run():
                    pass
                await self._observing.run()
        except (TimeoutError, YuanjingError) as error:
            self._logger.warning("worker.rest_not_posted", error=repr(error))

    async def _expire(self) -> bool:
        self.counters.holds_expired += await self._expiry.look()
        self.counters.holds = await self._store.read(lambda tx: tx.holds.open_sums())
        return False

    async def _expire_promotions(self) -> bool:
        self.counters.promotions_expired += await expire_promotions(self._store, self._clock)
        return False

    async def _prune(self) -> bool:
        before = self._clock.unix() - self._options.signal_keep_seconds
        self.counters.signals_pruned += await self._store.write(lambda tx: tx.signals.prune(before))
        return False
