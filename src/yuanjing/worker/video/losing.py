"""Looking for submissions of unknown outcome: found, or given up, but never sent again."""

from dataclasses import replace

from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.tasks import TEXTS, Failure, FailureKind, SearchResult, TaskState, UpstreamError, UpstreamTask
from yuanjing.domain.video_offers import VideoLimits
from yuanjing.domain.videos import VideoTask
from yuanjing.ports.store import Tx
from yuanjing.ports.upstream import Trail
from yuanjing.worker.video.calls import Calls
from yuanjing.worker.video.desk import Desk, Ending
from yuanjing.worker.video.directory import VideoChannel
from yuanjing.worker.video.schedule import backoff
from yuanjing.worker.video.submitting import polled

_RETRY_SECONDS_FIRST = 5.0
_RETRY_SECONDS_MAX = 60.0
_RIVAL_SECONDS = 300.0
"""Submissions so near in time could be each other's; more than the slack of any adapter and a call together."""


class Finder:
    """Looks for one lost task after the other."""

    def __init__(self, desk: Desk, calls: Calls) -> None:
        self._desk = desk
        self._calls = calls

    async def look(
        self, channel: VideoChannel | None, siblings: list[str], task: VideoTask, limits: VideoLimits
    ) -> None:
        """Look once; adopt what was found, try again later, or give up.

        It is given up by a search that was answered after the time for it, or, as long as the provider cannot be asked,
        when its result must be gone. The channel is None if it is not there; its siblings are the channels into the
        same account.
        """
        assert task.sent_at is not None, task
        asked_at = self._desk.clock.unix()
        found = await self._search(channel, task, task.sent_at) if channel is not None else None
        if channel is not None and found is not None and await self._adopt(channel, siblings, task, found):
            return
        until = task.sent_at + self._desk.options.call_seconds + limits.lost_seconds
        if asked_at >= until + (limits.result_seconds if found is None else 0):
            await self._give_up(task, found)
            return
        now = self._desk.clock.unix()
        pause = backoff(self._desk.choose, task.failures + 1, _RETRY_SECONDS_MAX, first=_RETRY_SECONDS_FIRST)
        later = replace(
            task, failures=task.failures + 1, next_at=min(now + pause, until) if now < until else now + pause
        )
        await self._desk.put(later, "" if task.failures else f"looked for it: {_words(found)}")

    async def _search(self, channel: VideoChannel, task: VideoTask, sent_at: float) -> SearchResult | None:
        trail = Trail(
            submission_id=task.submission_id,
            model=task.upstream_model,
            sent_from=sent_at,
            sent_until=sent_at + self._desk.options.call_seconds,
        )
        try:
            return await self._calls.find(channel, trail)
        except UpstreamError:
            return None  # counted

    async def _adopt(self, channel: VideoChannel, siblings: list[str], task: VideoTask, found: SearchResult) -> bool:
        """Make what was found the task's, if it surely is; whether the task is out of our hands."""
        if not found.tasks:
            return False

        def choose(tx: Tx) -> UpstreamTask | None:
            rivals = {
                other for one in siblings for other in tx.tasks.lost(one, task.upstream_model, *_rival_time(task))
            }
            return found.adoptable(
                is_claimed=lambda upstream_id: any(tx.tasks.owner_of(one, upstream_id) for one in siblings),
                rivals=len(rivals - {task.id}),
            )

        adopted = await self._desk.store.read(choose)
        if adopted is None:
            return False
        now = self._desk.clock.unix()
        new = polled(task, channel, adopted.upstream_task_id, accepted_at=task.sent_at or now, next_at=now)
        try:
            is_ours = await self._desk.put(new, f"found again as {adopted.upstream_task_id}")
        except AlreadyExistsError:
            return False
        self._desk.counters.adopted += is_ours
        return True

    async def _give_up(self, task: VideoTask, found: SearchResult | None) -> None:
        self._desk.counters.given_up += 1
        kind = FailureKind.UNKNOWN_OUTCOME
        failure = Failure(kind=kind, text=TEXTS[kind], detail=_words(found))
        flag = f"whether {task.submission_id} was accepted is not known ({_words(found)}); the provider may charge it"
        await self._desk.end(task, Ending(state=TaskState.FAILED, failure=failure, flag=flag))


def _rival_time(task: VideoTask) -> tuple[float, float]:
    sent_at = task.sent_at or 0.0
    return sent_at - _RIVAL_SECONDS, sent_at + _RIVAL_SECONDS


def _words(found: SearchResult | None) -> str:
    if found is None:
        return "the provider could not be asked"
    if not found.tasks:
        return "not there" if found.is_complete else "not among those listed"
    return f"{len(found.tasks)} could be it"
