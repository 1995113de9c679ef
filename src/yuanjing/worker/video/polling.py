"""Asking providers where tasks stand, and what follows from what they say."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from yuanjing.domain.tasks import Failure, FailureKind, TaskState, UpstreamError, UpstreamTask, UpstreamUsage
from yuanjing.domain.video_offers import VideoLimits
from yuanjing.domain.videos import Outcome, TaskStep, VideoTask
from yuanjing.worker.video.calls import Calls
from yuanjing.worker.video.desk import Desk, Ending
from yuanjing.worker.video.directory import VideoChannel
from yuanjing.worker.video.recent import Recent
from yuanjing.worker.video.schedule import Paces, backoff
from yuanjing.worker.video.submitting import canceled, unavailable

_LANE = "poll"
EXPIRED_TEXT = "The task took too long and has expired"
_LATE_FLAG = "it has expired with us; the provider may go on, and charge"
_RETRY_SECONDS_MAX = 60.0
_LIST_FROM = 3
"""So many tasks are worth a list; fewer are asked for one by one."""
_LIST_AGAIN_SECONDS = 60.0
_SINGLES = 16
"""So many tasks go together where each is asked for: their answers are written when all have come."""
_CHANNELS_MAX = 10_000
_UNSEEN_WORD = FailureKind.NOT_FOUND.value
"""Stands for the provider's word while it does not know the task; `failures` counts how often in a row."""
_STOP_SECONDS_FIRST = 10.0
_STOP_SECONDS_MAX = 600.0
_STOPS_MAX = 20_000
_WORDS_MAX = 1000

Answer = UpstreamTask | UpstreamError


@dataclass(frozen=True, kw_only=True, slots=True)
class _Later:
    """Nothing has changed but when to ask next."""

    next_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Changed:
    """The task's row has to be written."""

    task: VideoTask
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stop:
    """The provider is to stop the task first, if it can."""

    answer: UpstreamTask


@dataclass(frozen=True, kw_only=True, slots=True)
class _Refused:
    """The provider could not stop a task in this state; until when it is not asked again.

    Attributes:
        again_at: by the monotonic clock.
    """

    word: str
    pause_seconds: float
    again_at: float


_Verdict = _Later | _Changed | Ending


class Poller:
    """Asks for tasks of one channel together; says when one has become ready to be copied."""

    def __init__(self, desk: Desk, calls: Calls, paces: Paces, *, on_copying: Callable[[], None]) -> None:
        self._desk = desk
        self._calls = calls
        self._paces = paces
        self._on_copying = on_copying
        self._words = Recent[tuple[str, str], None](_WORDS_MAX)
        self._scattered = Recent[str, float](_CHANNELS_MAX)
        self._refused = Recent[str, _Refused](_STOPS_MAX)

    def together(self, channel: VideoChannel) -> int:
        """How many tasks of the channel are best asked for together."""
        most = channel.upstream.traits.batch_max
        return most if most and self._may_list(channel, most) else _SINGLES

    async def poll(self, channel: VideoChannel, tasks: Sequence[VideoTask]) -> None:
        """Ask for the tasks, at most `traits.batch_max`, and write what has changed.

        What is clear is written before any of them is stopped, and what goes wrong with one is its own affair.
        """
        answers = await self._ask(channel, tasks)
        clear: list[tuple[VideoTask, _Verdict]] = []
        stops: list[tuple[VideoTask, UpstreamTask]] = []
        for task in tasks:
            with self._desk.apart(_LANE, [task]):
                verdict = self._judge(channel, task, answers[task.id])
                if isinstance(verdict, _Stop):
                    stops.append((task, verdict.answer))
                else:
                    clear.append((task, verdict))
        await self._write(clear)
        if stops:
            await self._write(await self._stop_all(channel, stops))

    async def _write(self, verdicts: Sequence[tuple[VideoTask, _Verdict]]) -> None:
        later = [(task, verdict.next_at) for task, verdict in verdicts if isinstance(verdict, _Later)]
        changed = [(verdict.task, verdict.text) for _, verdict in verdicts if isinstance(verdict, _Changed)]
        self._desk.give_back_soon(later)
        if changed:
            await self._desk.put_many(changed)
            if any(task.step is TaskStep.COPYING for task, _ in changed):
                self._on_copying()
        for task, verdict in verdicts:
            if isinstance(verdict, Ending):
                with self._desk.apart(_LANE, [task]):
                    await self._desk.end(task, verdict)

    async def orphaned(self, task: VideoTask, limits: VideoLimits) -> None:
        """A task whose channel is not there, or cannot be used: it waits until its result must be gone."""
        now = self._desk.clock.unix()
        if _is_overdue(task, now - limits.result_seconds):
            await self._desk.end(task, _expired(unavailable("its channel is gone")))
            return
        await self._desk.give_back(task, now + self._paces.spread(_RETRY_SECONDS_MAX))

    # asking

    async def _ask(self, channel: VideoChannel, tasks: Sequence[VideoTask]) -> dict[str, Answer]:
        """An answer for each task, by our id."""
        listed: dict[str, UpstreamTask] = {}
        if self._may_list(channel, len(tasks)):
            try:
                listed = await self._calls.query_many(channel, list(tasks))
            except UpstreamError as error:
                if error.kind is not FailureKind.NOT_FOUND:  # a list that is not there says nothing of tasks
                    return {task.id: error for task in tasks}
            else:
                self._note_list(channel, len(listed))
        answers: dict[str, Answer] = {}
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                told = listed.get(task.upstream_task_id)
                if told is None or (told.state.is_final and not told.has_results):
                    group.create_task(self._ask_one(channel, task, answers))
                else:
                    answers[task.id] = told
        return answers

    def _may_list(self, channel: VideoChannel, count: int) -> bool:
        """Whether so many tasks are looked for in the provider's list.

        One that has to be searched, page by page, is far more work for both sides than as many questions, and is read
        where the provider does not allow those; so is one that would have to be waited for. It is of no use where the
        tasks stand between too many others.
        """
        traits = channel.upstream.traits
        if not traits.batch_max or count < max(traits.calls_per_batch_max + 1, _LIST_FROM):
            return False
        is_dear = traits.calls_per_batch_max > 1 or not self._calls.is_list_ready(channel)
        if is_dear and self._calls.ready(channel) >= count:
            return False
        return self._desk.clock.monotonic() >= (self._scattered.get(channel.id) or 0.0)

    def _note_list(self, channel: VideoChannel, found: int) -> None:
        calls = channel.upstream.traits.calls_per_batch_max
        if calls > 1 and found <= calls:
            self._scattered.set(channel.id, self._desk.clock.monotonic() + _LIST_AGAIN_SECONDS)

    async def _ask_one(self, channel: VideoChannel, task: VideoTask, answers: dict[str, Answer]) -> None:
        try:
            answers[task.id] = await self._calls.query(channel, task)
        except UpstreamError as error:
            answers[task.id] = error

    # judging

    def _judge(self, channel: VideoChannel, task: VideoTask, answer: Answer) -> _Verdict | _Stop:
        now = self._desk.clock.unix()
        if isinstance(answer, UpstreamError):
            return self._unanswered(channel, task, answer, now)
        if answer.state.is_final:
            self._refused.forget(task.id)
            return self._ended(task, answer, now)
        if _is_overdue(task, now) or (task.is_cancel_requested and self._may_stop(task, answer)):
            return _Stop(answer=answer)
        return self._goes_on(channel, task, answer, now)

    def _unanswered(self, channel: VideoChannel, task: VideoTask, error: UpstreamError, now: float) -> _Verdict:
        """Ask again, also after the deadline: the provider may have ended the task, and charges for what it made.

        A task that its provider does not know has failed, if that is to be believed. One that could not be asked for
        until its result must be gone has expired.
        """
        is_unseen = error.kind is FailureKind.NOT_FOUND
        was_unseen = task.upstream_word == _UNSEEN_WORD
        failures = task.failures + 1 if is_unseen == was_unseen else 1
        age = now - (task.accepted_at or task.created_at)
        is_believed = failures >= self._desk.options.unseen_answers and age >= channel.upstream.traits.unseen_seconds
        if is_unseen and is_believed:
            flag = f"{channel.name} does not know {task.upstream_task_id}, which it had accepted"
            return Ending(state=TaskState.FAILED, failure=error.failure, flag=flag)
        if _is_overdue(task, now - channel.limits.result_seconds):
            return _expired(error.failure)
        pause = max(backoff(self._desk.choose, failures, _RETRY_SECONDS_MAX), error.retry_after_seconds or 0.0)
        word = _UNSEEN_WORD if is_unseen else "" if was_unseen else task.upstream_word
        failed = replace(task, failures=failures, upstream_word=word, next_at=now + pause)
        text = f"could not be asked for: {error.kind.value} {error.failure.code}".strip()
        return _Changed(task=failed, text="" if task.failures else text)

    def _ended(self, task: VideoTask, answer: UpstreamTask, now: float) -> _Verdict:
        if answer.ended_at is not None:
            self._desk.counters.lag_seconds += max(0.0, now - answer.ended_at)
            self._desk.counters.lags += 1
        if task.accepted_at is not None:
            self._paces.learn((task.offer_id, task.request.off_peak), [_took(task.accepted_at, answer, now)])
        if answer.state is TaskState.FAILED:
            assert answer.failure is not None, answer
            return Ending(state=TaskState.FAILED, failure=answer.failure)
        if answer.state is TaskState.CANCELED:
            flag = "" if task.is_cancel_requested else "it was canceled at the provider, not by its customer"
            return Ending(state=TaskState.CANCELED, failure=canceled(), flag=flag)
        if answer.state is TaskState.EXPIRED:
            return replace(_expired(unavailable("the provider gave up")), flag="")
        if answer.video_url is None:
            flag = "the provider says that it has succeeded, but gives no file"
            return Ending(state=TaskState.FAILED, failure=unavailable("no file"), flag=flag)
        told, usage = task.outcome or Outcome(), answer.usage or UpstreamUsage(meters={})
        outcome = Outcome(
            video_url=answer.video_url,
            cover_url=answer.cover_url,
            meters={**told.meters, **usage.meters},  # some say at the submission only what it costs
            details={**told.details, **usage.details},
            promised=told.meters,
            delivered_seconds=answer.delivered_seconds,
            ended_at=now,
        )
        copying = replace(
            self._seen(task, answer, now),
            state=TaskState.RUNNING,
            step=TaskStep.COPYING,
            outcome=outcome,
            failures=0,
            next_at=now,
        )
        return _Changed(task=copying, text="the provider has finished; copying its files")

    def _goes_on(self, channel: VideoChannel, task: VideoTask, answer: UpstreamTask, now: float) -> _Verdict:
        self._note_word(task, answer)
        age = now - (task.accepted_at or task.created_at)
        kind, pressure = (task.offer_id, task.request.off_peak), self._calls.pressure(channel)
        pause = self._paces.pause(kind, age, channel.limits, pressure)
        is_known = answer.word == task.upstream_word and not task.failures
        if is_known and (task.state is TaskState.RUNNING or answer.state is TaskState.QUEUED):  # nearly all answers
            return _Later(next_at=now + pause)
        seen = replace(self._seen(task, answer, now), failures=0, next_at=now + pause)
        text = f"{seen.state.value}: {answer.word}" if seen.state is not task.state else ""
        return _Changed(task=seen, text=text)

    def _seen(self, task: VideoTask, answer: UpstreamTask, now: float) -> VideoTask:
        """The task after an answer; what runs never goes back into the queue."""
        runs = answer.state is TaskState.RUNNING or task.state is TaskState.RUNNING
        state = TaskState.RUNNING if runs else task.state
        started_at = task.started_at
        if started_at is None and answer.state is not TaskState.QUEUED:
            started_at = now
        return replace(task, state=state, started_at=started_at, upstream_word=answer.word)

    def _note_word(self, task: VideoTask, answer: UpstreamTask) -> None:
        if answer.is_word_known:
            return
        self._desk.counters.words += 1
        is_new = (task.channel_id, answer.word) not in self._words
        self._words.set((task.channel_id, answer.word), None)
        if is_new:
            self._desk.logger.warning("video.unknown_word", channel=task.channel_id, word=answer.word)

    # stopping

    def _may_stop(self, task: VideoTask, answer: UpstreamTask) -> bool:
        """Whether it is of use to ask: not again and again while the provider's word is the same."""
        refused = self._refused.get(task.id)
        return refused is None or refused.word != answer.word or self._desk.clock.monotonic() >= refused.again_at

    async def _stop_all(
        self, channel: VideoChannel, stops: Sequence[tuple[VideoTask, UpstreamTask]]
    ) -> list[tuple[VideoTask, _Verdict]]:
        """At once, as far as `Calls` lets them."""
        verdicts: list[tuple[VideoTask, _Verdict]] = []

        async def stop(task: VideoTask, answer: UpstreamTask) -> None:
            with self._desk.apart(_LANE, [task]):
                verdicts.append((task, await self._stop(channel, task, answer)))

        async with asyncio.TaskGroup() as group:
            for task, answer in stops:
                group.create_task(stop(task, answer))
        return verdicts

    async def _stop(self, channel: VideoChannel, task: VideoTask, answer: UpstreamTask) -> _Verdict:
        """Stop it if that can be. If not it goes on; one that has taken too long has expired, unless it has ended."""
        is_stopped = await self._calls.cancel(channel, task)
        now = self._desk.clock.unix()
        if not _is_overdue(task, now):
            if is_stopped:
                self._refused.forget(task.id)
                return Ending(state=TaskState.CANCELED, failure=canceled())
            self._refuse(task, answer.word)
            return self._goes_on(channel, task, answer, now)
        if is_stopped:
            return replace(_expired(unavailable("stopped at its deadline")), flag="")
        try:
            last = await self._calls.query(channel, task)
        except UpstreamError as error:
            return self._unanswered(channel, task, error, now)
        return self._ended(task, last, now) if last.state.is_final else _expired(unavailable(f"still {last.word}"))

    def _refuse(self, task: VideoTask, word: str) -> None:
        last = self._refused.get(task.id)
        is_same = last is not None and last.word == word
        pause = min(last.pause_seconds * 2, _STOP_SECONDS_MAX) if last and is_same else _STOP_SECONDS_FIRST
        again_at = self._desk.clock.monotonic() + pause
        self._refused.set(task.id, _Refused(word=word, pause_seconds=pause, again_at=again_at))


def _is_overdue(task: VideoTask, now: float) -> bool:
    return task.deadline_at is not None and now >= task.deadline_at


def _took(accepted_at: float, answer: UpstreamTask, now: float) -> float:
    """How long a task took, by the provider's clock if it tells both ends; not longer than we have waited for it."""
    waited = now - accepted_at
    if answer.ended_at is None or answer.submitted_at is None:
        return waited
    return min(answer.ended_at - answer.submitted_at, waited)


def _expired(failure: Failure) -> Ending:
    return Ending(state=TaskState.EXPIRED, failure=replace(failure, text=EXPIRED_TEXT), flag=_LATE_FLAG)
