"""The loop that posts this machine's spools."""

from yuanjing.domain.errors import StoreUnavailableError, YuanjingError
from yuanjing.kit.clock import Clock
from yuanjing.ports.spool import SpoolFolder, SpoolReader
from yuanjing.usecases.posting import UsagePoster
from yuanjing.worker.counters import WorkerCounters
from yuanjing.worker.supervisor import Logger


def tell_late(poster: UsagePoster, life: tuple[str, int], counters: WorkerCounters, logger: Logger) -> None:
    """Count what was settled late of a life, and say it: a machine that was lost is back, or somebody was too slow."""
    late = poster.take_late()
    if not late.rows:
        return
    counters.rows_late += late.rows
    counters.late_shortfall_nanos += late.shortfall_nanos
    logger.warning(
        "worker.settled_late",
        node=life[0],
        incarnation=life[1],
        rows=late.rows,
        charge_nanos=late.charge_nanos,
        shortfall_nanos=late.shortfall_nanos,
    )


class PostingLoop:
    """Posts one batch of each spool in a pass.

    A spool that cannot be posted, for whatever reason, keeps no other waiting; only a store that is away does.
    Only a full batch is followed by the next at once: a short pause makes batches larger and the work cheaper.
    """

    def __init__(
        self, poster: UsagePoster, spools: SpoolFolder, clock: Clock, logger: Logger, counters: WorkerCounters
    ) -> None:
        self._poster = poster
        self._spools = spools
        self._clock = clock
        self._logger = logger
        self._counters = counters
        self._troubled: set[tuple[str, int]] = set()

    async def run(self) -> bool:
        """One pass; True if a batch was full."""
        depth = 0
        is_full = False
        oldest = self._clock.unix()
        for reader in self._spools.readers():
            try:
                posted = await self._poster.post(reader)
                self._counters.rows_posted += posted
                tell_late(self._poster, (reader.node_id, reader.incarnation), self._counters, self._logger)
                waiting, ended_at = self._waiting(reader)
            except StoreUnavailableError:
                raise
            except Exception as error:  # noqa: BLE001  # one spool's trouble, even a bug, is not that of the others
                self._report(reader, error)
                continue
            self._troubled.discard((reader.node_id, reader.incarnation))
            is_full = is_full or posted >= self._poster.batch_rows
            depth += waiting
            oldest = min(oldest, ended_at)
        self._counters.spool_depth = depth
        self._counters.spool_age_seconds = max(0.0, self._clock.unix() - oldest) if depth else 0.0
        return is_full

    def _waiting(self, reader: SpoolReader) -> tuple[int, float]:
        """How many rows are left, and when the request of the first of them ended.

        Numbers of rows have no gaps, so that nobody has to count them, which would cost the more the more they are.
        """
        seq = self._poster.posted_seq(reader)
        first = reader.after(seq, 1)
        if not first:
            return 0, self._clock.unix()
        record = first[0].record
        return reader.last_seq() - seq, record.started_at + record.duration_ms / 1000

    def _report(self, reader: SpoolReader, error: Exception) -> None:
        """Count it; say it once, until it is over, and with its traceback if nobody expected it."""
        self._counters.spool_failures += 1
        key = (reader.node_id, reader.incarnation)
        if key not in self._troubled:
            self._troubled.add(key)
            self._logger.warning(
                "worker.spool_trouble",
                node=reader.node_id,
                incarnation=reader.incarnation,
                error=error.message if isinstance(error, YuanjingError) else repr(error),
                exc_info=None if isinstance(error, YuanjingError) else error,
            )
