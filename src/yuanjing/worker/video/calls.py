"""Calls to providers about tasks that they have: counted, limited, and slowed down when they are too many."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from yuanjing.domain.tasks import TEXTS, Failure, FailureKind, SearchResult, UpstreamError, UpstreamTask
from yuanjing.domain.videos import VideoTask
from yuanjing.ports.upstream import TaskRef, Trail
from yuanjing.worker.supervisor import Logger
from yuanjing.worker.video.counters import VideoCounters
from yuanjing.worker.video.directory import VideoChannel
from yuanjing.worker.video.limits import ChannelGuards


class Calls:
    """Every call but submissions and uploads.

    An adapter that fails in a way that it should not counts as a provider that is not available: one answer that cannot
    be understood must not hold up the tasks beside it.
    """

    def __init__(self, guards: ChannelGuards, counters: VideoCounters, logger: Logger, *, calls_max: int) -> None:
        self._guards = guards
        self._counters = counters
        self._logger = logger
        self._places = asyncio.Semaphore(calls_max)

    async def query(self, channel: VideoChannel, task: VideoTask) -> UpstreamTask:
        """Where the task stands.

        Raises:
            UpstreamError: see `VideoUpstream.query`.
        """
        async with self._call(channel, "query"):
            return await channel.upstream.query(channel.access, ref_of(task))

    async def query_many(self, channel: VideoChannel, tasks: list[VideoTask]) -> dict[str, UpstreamTask]:
        """Where some of the tasks stand, by the provider's id.

        Raises:
            UpstreamError: see `VideoUpstream.query_many`.
        """
        async with self._call(channel, "query_many", channel.upstream.traits.calls_per_batch_max, is_list=True):
            return dict(await channel.upstream.query_many(channel.access, [ref_of(task) for task in tasks]))

    async def cancel(self, channel: VideoChannel, task: VideoTask) -> bool:
        """Stop the task if that can be; False also if the provider cannot say."""
        try:
            async with self._call(channel, "cancel"):
                return await channel.upstream.cancel(channel.access, ref_of(task))
        except UpstreamError:
            return False  # counted; what became of it is asked next

    async def find(self, channel: VideoChannel, trail: Trail) -> SearchResult:
        """Look for a submission.

        Raises:
            UpstreamError: see `VideoUpstream.find`.
        """
        async with self._call(channel, "find", channel.upstream.traits.calls_per_batch_max, is_list=True):
            return await channel.upstream.find(channel.access, trail)

    def pressure(self, channel: VideoChannel) -> float:
        """How many times more there is to be asked of the channel than can be."""
        return max(self._guards.pressure.value, self._guards.of(channel.id, channel.limits).pressure.value)

    def ready(self, channel: VideoChannel) -> int:
        """How many questions the channel's provider allows now."""
        return self._guards.of(channel.id, channel.limits).queries.ready()

    def is_list_ready(self, channel: VideoChannel) -> bool:
        """Whether the channel's list can be read now without waiting, where that is counted apart."""
        lists = self._guards.of(channel.id, channel.limits).lists
        return lists is None or lists.ready() > 0

    @asynccontextmanager
    async def _call(
        self, channel: VideoChannel, method: str, calls: int = 1, *, is_list: bool = False
    ) -> AsyncGenerator[None]:
        guard = self._guards.of(channel.id, channel.limits)
        rate = (guard.lists if is_list else None) or guard.queries
        wait = rate.take(calls)
        guard.pressure.note(wait)
        if wait:
            await asyncio.sleep(wait)
        async with self._places:
            self._counters.calls[channel.id, method] += 1
            try:
                yield
            except UpstreamError as error:
                self._counters.call_failures[channel.id, error.kind.value] += 1
                if error.kind is FailureKind.RATE_LIMITED:
                    rate.slow_down(error.retry_after_seconds)
                raise
            except Exception as error:
                self._counters.failures += 1
                self._logger.warning("video.call_failed", channel=channel.id, method=method, exc_info=error)
                raise unexpected(FailureKind.UNAVAILABLE) from error
            rate.speed_up()


def unexpected(kind: FailureKind) -> UpstreamError:
    """An adapter has failed by a fault of ours."""
    return UpstreamError(Failure(kind=kind, text=TEXTS[kind], detail="a fault of ours"))


def ref_of(task: VideoTask) -> TaskRef:
    """The task as its provider knows it."""
    return TaskRef(
        upstream_task_id=task.upstream_task_id,
        model=task.upstream_model,
        submitted_at=task.sent_at if task.sent_at is not None else task.created_at,
        roles=tuple(item.role for item in task.request.media),
    )
