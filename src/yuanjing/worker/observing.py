"""The loop that ends the lives of dead nodes, and the spools that they leave."""

from collections.abc import Awaitable

from yuanjing.domain.errors import NotFoundError, SpoolError, StoreUnavailableError
from yuanjing.kit.clock import Clock
from yuanjing.ports.spool import SpoolFolder, SpoolReader
from yuanjing.ports.store import Node, Store
from yuanjing.usecases.nodes import NodeObserver, take_over
from yuanjing.usecases.posting import UsagePoster
from yuanjing.worker.counters import WorkerCounters
from yuanjing.worker.options import WorkerOptions
from yuanjing.worker.posting import tell_late
from yuanjing.worker.supervisor import Logger


class ObservingLoop:
    """Takes over what is dead and removes what is finished.

    On this machine a free lock tells at once that a process has ended; of other machines only silence tells. Trouble
    with one of them does not keep the others waiting.
    """

    def __init__(
        self,
        store: Store,
        spools: SpoolFolder,
        clock: Clock,
        options: WorkerOptions,
        logger: Logger,
        counters: WorkerCounters,
    ) -> None:
        self._store = store
        self._spools = spools
        self._clock = clock
        self._options = options
        self._logger = logger
        self._counters = counters
        self._troubled: set[tuple[str, int]] = set()
        self._observer = NodeObserver(clock, silent_seconds=options.silent_seconds)
        self._poster = UsagePoster(store, clock, batch_rows=options.post_batch_rows)

    async def run(self) -> bool:
        """One pass."""
        readers = {(reader.node_id, reader.incarnation): reader for reader in self._spools.readers()}
        nodes = await self._store.read(lambda tx: tx.nodes.all())
        silent = self._observer.observe(nodes)
        for node in nodes:
            reader = readers.get((node.id, node.incarnation))
            has_ended = node.is_alive and reader is not None and not reader.is_owned()
            if has_ended or node in silent:
                work = self._take_over(node, reader, cause="ended" if has_ended else "silent")
                await self._alone(node.id, node.incarnation, work)
        for reader in readers.values():
            await self._alone(reader.node_id, reader.incarnation, self._finish(reader))
        return False

    async def _alone(self, node_id: str, incarnation: int, work: Awaitable[None]) -> None:
        """Do it; if it fails, count that, say so once, and go on with the others."""
        try:
            await work
        except StoreUnavailableError:
            raise
        except Exception as error:  # one node's trouble, even a bug, is not that of the others
            self._counters.spool_failures += 1
            if (node_id, incarnation) not in self._troubled:
                self._troubled.add((node_id, incarnation))
                self._logger.warning(
                    "worker.node_trouble", node=node_id, incarnation=incarnation, error=repr(error), exc_info=error
                )
        else:
            self._troubled.discard((node_id, incarnation))

    async def _take_over(self, node: Node, reader: SpoolReader | None, *, cause: str) -> None:
        try:
            is_done = await take_over(
                self._store,
                self._clock,
                node_id=node.id,
                incarnation=node.incarnation,
                reader=reader,
                poster=self._poster,
            )
        finally:  # what was posted before it failed counts as well
            tell_late(self._poster, (node.id, node.incarnation), self._counters, self._logger)
        if is_done:
            self._counters.take_overs += 1
            self._logger.warning("worker.took_over", node=node.id, incarnation=node.incarnation, cause=cause)

    async def _finish(self, reader: SpoolReader) -> None:
        """Remove a spool that is done; one that cannot be read stays, and the posting loop tells of it."""
        try:
            is_finished = await self._poster.finish(reader)
        except (NotFoundError, SpoolError):
            return
        finally:
            tell_late(self._poster, (reader.node_id, reader.incarnation), self._counters, self._logger)
        if is_finished:
            reader.remove()
            self._counters.spools_removed += 1
