"""The claims of this worker, and how it writes tasks under them."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from yuanjing.domain.errors import AlreadyExistsError, StoreUnavailableError
from yuanjing.domain.tasks import Failure, TaskState
from yuanjing.domain.videos import Claim, VideoTask
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.videos.finishing import finish_unsuccessful
from yuanjing.worker.supervisor import Logger
from yuanjing.worker.video.counters import VideoCounters
from yuanjing.worker.video.options import VideoOptions
from yuanjing.worker.video.schedule import backoff
from yuanjing.worker.video.writes import Writes

T = TypeVar("T")
Write = Callable[[Callable[[Tx], T]], Awaitable[T]]

_STORE_SECONDS_MAX = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a task ends without success; a flag asks operators to look at it."""

    state: TaskState
    failure: Failure
    flag: str = ""


class Desk:
    """What this worker has claimed. Nothing is written of a task that is not here, or that another has claimed since.

    What has been learned from a provider must be written: a store that cannot be reached is asked again until it can,
    or until the work is cancelled. The claim may run out meanwhile; then the write is refused, and whoever has the task
    now finds out by itself.

    Attributes:
        stuck: writes that wait for the store. Nothing should be claimed before they are through: it might be what they
            are about.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        options: VideoOptions,
        logger: Logger,
        counters: VideoCounters,
        *,
        start: Callable[[Coroutine[None, None, None]], object],
    ) -> None:
        self.store = store
        self.clock = clock
        self.options = options
        self.logger = logger
        self.counters = counters
        self.choose = random.Random()  # noqa: S311  # it spreads load, it keeps no secret
        self.stuck = 0
        self._writes = Writes(store, start)
        self._tokens: dict[str, int] = {}
        self._later: dict[str, float] = {}

    # claims

    def enter(self, tasks: Iterable[VideoTask]) -> list[VideoTask]:
        """Take note of what was claimed; those that are to be worked on.

        A task that is here already was claimed from ourselves, as the wall clock has jumped: its work goes on under the
        new claim.
        """
        fresh: list[VideoTask] = []
        for task in tasks:
            assert task.claim is not None, task
            if task.id not in self._tokens:
                fresh.append(task)
            self._tokens[task.id] = task.claim.token
        return fresh

    def leave(self, task_id: str) -> None:
        """Do not renew the claim any more."""
        self._tokens.pop(task_id, None)
        self._later.pop(task_id, None)

    @contextmanager
    def apart(self, lane: str, tasks: Sequence[VideoTask]) -> Generator[None]:
        """What fails by a fault, ours or the store's, lets go of its tasks: they are taken up when claims run out."""
        try:
            yield
        except StoreUnavailableError as error:  # of what was only read; writes wait for the store
            self.logger.warning("video.store_unavailable", error=error.message)
            for task in tasks:
                self.leave(task.id)
        except Exception as error:  # one job's bug must not end the others
            self.counters.failures += 1
            names = [task.id for task in tasks][:5]
            self.logger.warning("video.job_failed", lane=lane, tasks=names, error=repr(error), exc_info=error)
            for task in tasks:
                self.leave(task.id)

    def take_back(self, task: VideoTask) -> None:
        """Go on with a task whose end could not be written; nothing of it was."""
        assert task.claim is not None, task
        self._tokens.setdefault(task.id, task.claim.token)

    @property
    def claim_until(self) -> float:
        """When a claim made or renewed now ends."""
        return self.clock.unix() + self.options.claim_seconds

    async def renew(self) -> None:
        """Lengthen every claim; those that others have taken are forgotten."""
        held = dict(self._tokens)
        if held:
            owner, until = self.options.owner, self.claim_until
            ours = await self.store.write(lambda tx: tx.tasks.renew(owner, held, until))
            for task_id in held.keys() - ours:
                if self._tokens.get(task_id) == held[task_id]:
                    self.leave(task_id)

    async def give_back_all(self) -> None:
        """At the end: others need not wait for the claims to run out."""
        later, held = self.later(), dict(self._tokens)

        def work(tx: Tx) -> None:
            tx.tasks.postpone(self.options.owner, later)
            tx.tasks.unclaim(self.options.owner, held)

        self._tokens, self._later = {}, {}
        if held:
            await self.store.write(work)

    # writing

    async def give_back(self, task: VideoTask, next_at: float) -> None:
        """Let go of a task of which nothing has changed, until then."""
        await self.give_back_many([(task, next_at)])

    def give_back_soon(self, tasks: Iterable[tuple[VideoTask, float]]) -> None:
        """Let go of tasks of which nothing has changed, with whatever is written next for all of them."""
        self._later |= {task.id: at for task, at in tasks if task.id in self._tokens}

    def later(self) -> dict[str, tuple[int, float]]:
        """What `give_back_soon` was given and is not written yet: claim and time by task."""
        return {task_id: (self._tokens[task_id], at) for task_id, at in self._later.items()}

    def gave_back(self, written: Mapping[str, tuple[int, float]]) -> None:
        """So much of it is written now."""
        for task_id, (token, _) in written.items():
            if self._tokens.get(task_id) == token:
                self.leave(task_id)

    async def give_back_many(self, tasks: Sequence[tuple[VideoTask, float]]) -> None:
        """Let go of tasks of which nothing has changed, at once."""
        claims = {task.id: (self._tokens.pop(task.id), at) for task, at in tasks if task.id in self._tokens}
        if claims:
            await self.commit(lambda tx: tx.tasks.postpone(self.options.owner, claims))

    async def keep(self, task: VideoTask, text: str) -> bool:
        """Write a change and go on with the task; whether it is still ours."""
        token = self._tokens.get(task.id)
        if token is None or not await self.commit(
            lambda tx: tx.tasks.save(self._under(task, token), text), self._writes.write
        ):
            self._fenced(task)
            return False
        return True

    async def put(self, task: VideoTask, text: str) -> bool:
        """Write a change and let go of the task; whether it was still ours.

        Raises:
            AlreadyExistsError: another task has the same provider's task; nothing was written, and it is still ours.
        """
        return await self.put_many([(task, text)])

    async def put_many(self, changes: Sequence[tuple[VideoTask, str]]) -> bool:
        """Likewise of many, in one unit of work; whether all were still ours."""
        tokens = {task.id: self._tokens.pop(task.id) for task, _ in changes if task.id in self._tokens}
        mine = [(self._under(task, tokens[task.id]), text) for task, text in changes if task.id in tokens]

        def work(tx: Tx) -> set[str]:
            written = {task.id for task, text in mine if tx.tasks.save(task, text)}
            tx.tasks.unclaim(self.options.owner, tokens)
            return written

        try:
            written = await self.commit(work, self._writes.write) if mine else set[str]()
        except AlreadyExistsError:
            self._tokens.update(tokens)
            raise
        late = [task for task, _ in changes if task.id not in written]
        for task in late:
            self._fenced(task)
        return not late

    async def end(self, task: VideoTask, ending: Ending) -> bool:
        """End a task without success, and release its money; whether it was ours to end."""
        at = self.clock.unix()
        return await self.finish(
            task, lambda tx, mine: finish_unsuccessful(tx, mine, ending.state, ending.failure, at, ending.flag)
        )

    async def finish(self, task: VideoTask, work: Callable[[Tx, VideoTask], VideoTask | None]) -> bool:
        """Do what ends a task; whether it was ours to end."""
        token = self._tokens.pop(task.id, None)
        ended = None if token is None else await self.commit(lambda tx: work(tx, self._under(task, token)))
        if ended is None:
            self._fenced(task)
            return False
        self.counters.ended[ended.state.value] += 1
        if ended.flag:
            self.logger.warning("video.flagged", task=task.id, flag=ended.flag)
        return True

    async def commit(self, work: Callable[[Tx], T], write: Write[T] | None = None) -> T:
        """Do it, however long the store is away; by itself, or as `write` does it."""
        write = write or self.store.write
        try:
            return await write(work)
        except StoreUnavailableError as error:
            self.logger.warning("video.store_unavailable", error=error.message)
        self.stuck += 1
        try:
            return await self._insist(work, write)
        finally:
            self.stuck -= 1

    async def _insist(self, work: Callable[[Tx], T], write: Write[T]) -> T:
        failures = 1
        while True:
            await asyncio.sleep(backoff(self.choose, failures, _STORE_SECONDS_MAX, first=0.2))
            try:
                return await write(work)
            except StoreUnavailableError:
                failures += 1

    def _under(self, task: VideoTask, token: int) -> VideoTask:
        return replace(task, claim=Claim(owner=self.options.owner, token=token, until=self.claim_until))

    def _fenced(self, task: VideoTask) -> None:
        self.leave(task.id)
        self.counters.fenced += 1
        self.logger.warning("video.fenced", task=task.id, step=task.step.value, upstream_task=task.upstream_task_id)
