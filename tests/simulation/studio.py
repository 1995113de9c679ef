"""The video provider: the one in memory, behind a network that delays, refuses and loses answers."""

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tests.simulation.chance import EPOCH
from tests.simulation.loop import SimulationLoop
from tests.simulation.plan import Plan

from yuanjing.adapters.memory.video_upstream import TRAITS, MemoryPace, MemoryVideoUpstream
from yuanjing.domain.tasks import (
    TEXTS,
    AcceptedSubmission,
    Delivery,
    Failure,
    FailureKind,
    MediaRole,
    SearchResult,
    Submission,
    UpstreamError,
    UpstreamTask,
)
from yuanjing.ports.upstream import CallbackKind, ChannelAccess, TaskRef, Trail


class SteadyClock:
    """The provider's own clock; nobody turns it."""

    def __init__(self, loop: SimulationLoop) -> None:
        self.monotonic = loop.time

    def unix(self) -> float:
        return EPOCH + self.monotonic()


class Studio(MemoryVideoUpstream):
    """See `VideoUpstream`.

    Attributes:
        accepted: how many submissions of each of our tasks were taken.
    """

    def __init__(self, loop: SimulationLoop, plan: Plan) -> None:
        traits = replace(TRAITS, callbacks=CallbackKind.NONE, has_exact_search=plan.has_exact_search, unseen_seconds=2)
        pace = MemoryPace(queue_seconds=0.4, run_seconds=1.5)
        super().__init__(SteadyClock(loop), traits=traits, pace=pace)
        self.accepted: Counter[str] = Counter()
        self._plan = plan

    async def submit(self, access: ChannelAccess, submission: Submission) -> AcceptedSubmission:
        await self._travel(self._plan.provider_share / 3)
        if self._fails():
            raise _error(FailureKind.UNKNOWN_OUTCOME)  # it never arrived
        accepted = await super().submit(access, submission)
        self.accepted[submission.id.rpartition("-")[0]] += 1
        await asyncio.sleep(self._plan.delay())
        if self._fails():
            raise _error(FailureKind.UNKNOWN_OUTCOME)  # it did
        return accepted

    async def query(self, access: ChannelAccess, ref: TaskRef) -> UpstreamTask:
        await self._travel(self._plan.provider_share)
        return await super().query(access, ref)

    async def query_many(self, access: ChannelAccess, refs: Sequence[TaskRef]) -> Mapping[str, UpstreamTask]:
        await self._travel(self._plan.provider_share)
        return await super().query_many(access, refs)

    async def cancel(self, access: ChannelAccess, ref: TaskRef) -> bool:
        await self._travel(self._plan.provider_share)
        return await super().cancel(access, ref)

    async def find(self, access: ChannelAccess, trail: Trail) -> SearchResult:
        await self._travel(self._plan.provider_share)
        return await super().find(access, trail)

    def deliveries(self, form: str, role: MediaRole) -> Collection[Delivery]:
        return super().deliveries(form, role)

    async def _travel(self, refused_share: float) -> None:
        await asyncio.sleep(self._plan.delay())
        if self._plan.chance(refused_share):
            raise _error(FailureKind.UNAVAILABLE)

    def _fails(self) -> bool:
        return self._plan.chance(max(self._plan.lost_share, self._plan.provider_share / 4))


def words(choose: random.Random) -> str:
    """A prompt; some make videos that fail, or never end."""
    draw = choose.random()
    if draw < 0.15:
        return "sandbox:moderation a cat"
    return "sandbox:stuck a cat" if draw < 0.3 else "a cat"


def _error(kind: FailureKind) -> UpstreamError:
    return UpstreamError(Failure(kind=kind, text=TEXTS[kind], code=kind.value, status=503))
