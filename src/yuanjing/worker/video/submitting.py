"""Giving tasks to providers: each is sent at most once at a time, and never again while its fate is not known."""

from dataclasses import dataclass, replace

from yuanjing.domain.artifacts import Artifact
from yuanjing.domain.catalog import Offer
from yuanjing.domain.errors import AlreadyExistsError, NotFoundError
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import (
    TEXTS,
    AcceptedSubmission,
    Failure,
    FailureKind,
    MediaInput,
    Submission,
    TaskState,
    UpstreamError,
)
from yuanjing.domain.videos import Outcome, TaskStep, VideoTask
from yuanjing.ports.artifacts import StorageUnavailableError
from yuanjing.ports.store import Tx
from yuanjing.usecases.artifacts.delivery import UndeliverableError
from yuanjing.worker.video.calls import unexpected
from yuanjing.worker.video.desk import Desk, Ending
from yuanjing.worker.video.directory import VideoChannel
from yuanjing.worker.video.limits import ChannelGuard, ChannelGuards
from yuanjing.worker.video.parts import Delivers
from yuanjing.worker.video.recent import Recent
from yuanjing.worker.video.schedule import Paces, backoff

CANCELED_TEXT = "The task was canceled"
_LOOK_AGAIN_SECONDS = 3.0
_OUR_ACCOUNT = frozenset({FailureKind.PROVIDER_AUTH, FailureKind.PROVIDER_BALANCE})
_LACKING_MAX = 10_000
_BEHIND_SECONDS = 2.0, 5.0
"""So long after a channel is tried again one that was refused there comes; those that wait look every second then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """A task, and the channel that it is to be sent to; a place for it is reserved there.

    Attributes:
        others: the channels that may be given it too.
    """

    task: VideoTask
    offer: Offer
    channel: VideoChannel
    guard: ChannelGuard
    others: frozenset[str] = frozenset()

    @property
    def model(self) -> str:
        """What the provider calls the task's model."""
        return self.channel.model_of(self.offer, self.task.request.model)


class Submitter:
    """Takes waiting tasks as far as the provider's answer."""

    def __init__(self, desk: Desk, guards: ChannelGuards, paces: Paces, delivery: Delivers) -> None:
        self._desk = desk
        self._guards = guards
        self._paces = paces
        self._delivery = delivery
        self._lacking = Recent[str, frozenset[str]](_LACKING_MAX)

    def is_over(self, task: VideoTask) -> bool:
        """Whether a waiting task is not to be sent: its customer has canceled it, or it has waited too long."""
        return task.is_cancel_requested or self._is_late(task)

    async def end_over(self, task: VideoTask) -> None:
        """End such a task."""
        if task.is_cancel_requested:
            await self._desk.end(task, Ending(state=TaskState.CANCELED, failure=canceled()))
        else:
            text = "no channel took it in time"
            await self._desk.end(task, Ending(state=TaskState.FAILED, failure=unavailable(text), flag=text))

    def _is_late(self, task: VideoTask) -> bool:
        return self._desk.clock.unix() >= task.created_at + self._desk.options.wait_seconds

    def lacking(self, task_id: str) -> frozenset[str]:
        """The channels that have shown that they cannot take the task, whenever it is."""
        return self._lacking.get(task_id) or frozenset()

    async def submit(self, given: Assignment) -> None:
        """Deliver the task's files, commit that it is being sent, send it, and write what came of it."""
        try:
            await self._submit(given)
        finally:
            self._guards.leave(given.guard, given.model, given.task.id)

    async def _submit(self, given: Assignment) -> None:
        try:
            media = await self._deliver(given)
            task = await self._begin(given) if media is not None else None
        finally:
            given.guard.reserved -= 1
        if task is None or media is None:
            return
        try:
            accepted = await given.channel.upstream.submit(given.channel.access, _submission(given, task, media))
        except UpstreamError as error:
            await self._not_accepted(replace(given, task=task), error)
        except Exception as error:  # whatever it was, it may have happened after the provider had taken it
            self._desk.counters.failures += 1
            self._desk.logger.warning("video.submission_failed", task=task.id, exc_info=error)
            await self._not_accepted(replace(given, task=task), unexpected(FailureKind.UNKNOWN_OUTCOME))
        else:
            await self._accepted(given, task, accepted)

    async def orphaned(self, task: VideoTask) -> None:
        """A task that a worker was sending when it died: nobody knows whether it arrived."""
        self._desk.counters.unknown += 1
        await self._desk.put(self._lost(task), "the worker that sent it died; whether it was accepted is not known")

    async def _deliver(self, given: Assignment) -> tuple[MediaInput, ...] | None:
        """The task's files as the provider takes them; None if they could not be delivered, and that is written."""
        task = given.task
        if not task.request.media:
            return ()

        def work(tx: Tx) -> dict[str, Artifact]:
            return {artifact.id: artifact for artifact in tx.artifacts.of_task(task.id)}

        artifacts = await self._desk.store.read(work)
        try:
            return await self._delivery.deliver(
                given.channel.upstream,
                given.channel.access,
                form=given.offer.video.form if given.offer.video else "",
                model=given.model,
                media=task.request.media,
                artifacts=artifacts,
                is_local=given.channel.is_local,
            )
        except (UndeliverableError, NotFoundError) as error:
            text = f"its files cannot be given to {given.channel.name}: {error.message}"
            if isinstance(error, UndeliverableError) and self._lacks(given):
                await self._again(given, text, 0.0)
            else:
                failure = unavailable(error.message)
                await self._desk.end(task, Ending(state=TaskState.FAILED, failure=failure, flag=text))
        except StorageUnavailableError as error:
            pause = backoff(self._desk.choose, task.failures + 1, self._desk.options.retry_seconds_max)
            await self._refused(given, unavailable(error.message), pause)
        except UpstreamError as error:
            await self._not_accepted(given, error)
        return None

    async def _begin(self, given: Assignment) -> VideoTask | None:
        """Commit that the task is being sent; None if it is not ours any more, or not to be sent now.

        A commit that took longer than a claim is too old: what was sent now would not be looked for at its time.
        """
        now, begun_at = self._desk.clock.unix(), self._desk.clock.monotonic()
        task = replace(
            given.task,
            step=TaskStep.SUBMITTING,
            submissions=given.task.submissions + 1,
            channel_id=given.channel.id,
            upstream_model=given.model,
            sent_at=now,
            next_at=now,
        )
        if not await self._desk.keep(task, f"sending to {given.channel.name}"):
            return None
        if self._desk.clock.monotonic() - begun_at < self._desk.options.claim_seconds:
            return task
        back = replace(task, step=TaskStep.WAITING, sent_at=None)
        await self._desk.put(back, "not sent: it took too long to write that it would be")
        return None

    async def _accepted(self, given: Assignment, task: VideoTask, accepted: AcceptedSubmission) -> None:
        self._guards.trust(given.guard, given.model)
        self._desk.counters.submissions[given.channel.id] += 1
        now = self._desk.clock.unix()
        found = polled(
            task, given.channel, accepted.upstream_task_id, accepted_at=now, next_at=now + self._first_pause(given)
        )
        if not accepted.state.is_final:
            found = replace(found, state=accepted.state)
        if accepted.usage is not None:
            told = Outcome(meters=accepted.usage.meters, details=accepted.usage.details)
            found = replace(found, outcome=told)
        try:
            await self._desk.put(found, f"accepted as {accepted.upstream_task_id}")
        except AlreadyExistsError:
            flag = f"the provider answered with the task {accepted.upstream_task_id} of another submission"
            await self._desk.put(replace(self._lost(task), flag=flag), flag)

    def _first_pause(self, given: Assignment) -> float:
        kind = (given.offer.id, given.task.request.off_peak)
        return self._paces.pause(kind, 0.0, given.channel.limits)

    async def _not_accepted(self, given: Assignment, error: UpstreamError) -> None:
        """A submission that failed, or an upload before it."""
        desk, guard, failure = self._desk, given.guard, error.failure
        if failure.kind is FailureKind.UNKNOWN_OUTCOME:
            desk.counters.unknown += 1
            await desk.put(self._lost(given.task), f"whether it was accepted is not known: {_words(failure)}")
            return
        desk.counters.refusals[given.channel.id, failure.kind.value] += 1
        pause = backoff(desk.choose, given.task.failures + 1, desk.options.retry_seconds_max)
        is_shared = given.channel.book is Book.LIVE  # in the test book a word in a prompt makes refusals
        if failure.kind in _OUR_ACCOUNT:
            if is_shared:
                self._avoid(given, failure)
            pause = max(pause, self._account_pause(given))
        elif failure.kind is FailureKind.RATE_LIMITED and is_shared:
            guard.submits.slow_down(error.retry_after_seconds)
        await self._refused(given, failure, max(pause, error.retry_after_seconds or 0.0))

    def _account_pause(self, given: Assignment) -> float:
        """A task that was refused everywhere waits ever longer, and until others have shown if it is taken again."""
        failures = given.task.failures + 1 - len(given.others)
        if failures <= 0:
            return 0.0
        options, choose = self._desk.options, self._desk.choose
        pause = backoff(choose, failures, options.avoid_seconds_max, first=options.avoid_seconds)
        closed_seconds = self._guards.closed_seconds(given.guard, given.model) or 0.0
        return max(pause, closed_seconds + choose.uniform(*_BEHIND_SECONDS))

    def _avoid(self, given: Assignment, failure: Failure) -> None:
        model = given.model if failure.is_of_model else ""
        seconds = self._guards.avoid(given.guard, model)
        self._desk.logger.warning(
            "video.channel_avoided",
            channel=given.channel.id,
            model=model,
            kind=failure.kind.value,
            seconds=seconds,
        )

    async def _refused(self, given: Assignment, failure: Failure, pause: float) -> None:
        """Surely not accepted: try again as long as it may wait, or end."""
        if not self._may_be_taken(given, failure):
            is_ours = failure.kind is FailureKind.NOT_FOUND
            flag = f"{given.channel.name}: {_words(failure)}" if is_ours else ""
            await self._desk.end(given.task, Ending(state=TaskState.FAILED, failure=failure, flag=flag))
            return
        await self._again(given, f"refused by {given.channel.name}: {_words(failure)}; again in {pause:.0f} s", pause)

    async def _again(self, given: Assignment, text: str, pause: float) -> None:
        """It waits for a channel anew."""
        task = given.task
        next_at = min(self._desk.clock.unix() + pause, task.created_at + self._desk.options.wait_seconds)
        waiting = replace(
            task,
            step=TaskStep.WAITING,
            sent_at=None,
            failures=task.failures + 1,
            channel_id=given.channel.id,
            next_at=next_at,
        )
        await self._desk.put(waiting, text)

    def _may_be_taken(self, given: Assignment, failure: Failure) -> bool:
        """Whether a channel may take it later, or another that may know the model."""
        if failure.kind is FailureKind.NOT_FOUND:
            return self._lacks(given)
        return failure.is_worth_retrying or failure.kind in _OUR_ACCOUNT

    def _lacks(self, given: Assignment) -> bool:
        """The channel can never take the task; whether another may."""
        lacking = self.lacking(given.task.id) | {given.channel.id}
        self._lacking.set(given.task.id, lacking)
        return not given.others <= lacking

    def _lost(self, task: VideoTask) -> VideoTask:
        next_at = self._desk.clock.unix() + _LOOK_AGAIN_SECONDS
        return replace(task, step=TaskStep.LOST, failures=0, next_at=next_at)


def polled(
    task: VideoTask, channel: VideoChannel, upstream_task_id: str, *, accepted_at: float, next_at: float
) -> VideoTask:
    """The task once the provider has it."""
    limits = channel.limits
    seconds = limits.off_peak_deadline_seconds if task.request.off_peak else limits.deadline_seconds
    return replace(
        task,
        step=TaskStep.POLLING,
        upstream_task_id=upstream_task_id,
        accepted_at=accepted_at,
        deadline_at=accepted_at + seconds,
        failures=0,
        next_at=next_at,
    )


def canceled() -> Failure:
    """The customer wanted it so."""
    return Failure(kind=FailureKind.INVALID_INPUT, text=CANCELED_TEXT)


def unavailable(detail: str) -> Failure:
    """Nothing that the customer could change."""
    kind = FailureKind.UNAVAILABLE
    return Failure(kind=kind, text=TEXTS[kind], detail=detail)


def _submission(given: Assignment, task: VideoTask, media: tuple[MediaInput, ...]) -> Submission:
    request, spec = task.request, given.offer.video
    assert spec is not None, given.offer.id
    return Submission(
        id=task.submission_id,
        model=task.upstream_model,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        media=media,
        form=spec.form,
        resolution=request.resolution,
        size=request.size,
        ratio=request.ratio,
        duration_seconds=request.duration_seconds,
        seed=request.seed,
        watermark=request.watermark,
        audio=request.audio,
        off_peak=request.off_peak,
        expires_after_seconds=spec.expires_after_seconds,
        callback_url=given.channel.callback_url,
        extras={**spec.extras, **request.extras},
    )


def _words(failure: Failure) -> str:
    """A failure for operators, on one line."""
    return " ".join(filter(None, (failure.kind.value, failure.code, failure.detail)))
