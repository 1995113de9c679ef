"""A provider of videos in memory: the twin of the wire protocols, with a provider behind it.

Time is the clock's alone. Prompts may hold the magic words that docs/sandbox.md lists, as far as they concern calls and
tasks; those about files and callbacks are left to others.
"""

import hmac
import json
import re
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from yuanjing.domain.tasks import (
    MODERATED_OUTPUT_TEXT,
    TEXTS,
    AcceptedSubmission,
    Delivery,
    Failure,
    FailureKind,
    MediaRole,
    SearchResult,
    Submission,
    TaskState,
    UpstreamError,
    UpstreamTask,
    UpstreamUsage,
    VideoMeter,
    unsendable,
)
from yuanjing.kit.clock import Clock
from yuanjing.ports.upstream import (
    Callback,
    CallbackHint,
    CallbackKind,
    CallbackRefusedError,
    ChannelAccess,
    TaskRef,
    Trail,
    UploadFile,
    UpstreamTraits,
)

TRAITS = UpstreamTraits(
    batch_max=100,
    calls_per_batch_max=1,
    has_exact_search=True,
    callbacks=CallbackKind.SIGNED,
    can_upload=True,
    record_seconds=7 * 86_400,
    result_seconds=86_400,
    unseen_seconds=60,
)
_WORD = re.compile(r"sandbox:([a-z0-9-]+)(?:=(\d+(?:\.\d+)?))?")
_REFUSALS: Mapping[str, tuple[FailureKind, int]] = {
    "401": (FailureKind.PROVIDER_AUTH, 401),
    "no-money": (FailureKind.PROVIDER_BALANCE, 402),
    "429": (FailureKind.RATE_LIMITED, 429),
}
_SILENT = frozenset({"lost-reply", "500-after-accept"})
_SLACK_SECONDS = 5.0
_NEVER = float("inf")


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryPace:
    """How fast the provider works, in seconds after the submission.

    Attributes:
        queue_seconds: until a task runs; until then it can be cancelled.
        run_seconds: from there until it has ended.
        expire_seconds: after which a task that has not ended has expired.
    """

    queue_seconds: float = 1.0
    run_seconds: float = 3.0
    expire_seconds: float = 172_800.0


@dataclass(kw_only=True, slots=True)
class _Record:
    """A task as the provider has it."""

    id: str
    owner: str
    submission: Submission
    words: Mapping[str, str]
    base_url: str
    submitted_at: float
    starts_at: float
    ends_at: float
    expires_at: float
    canceled_at: float = _NEVER


class MemoryVideoUpstream:
    """See `VideoUpstream`. Tasks belong to the credential that submitted them.

    Attributes:
        submissions: what was accepted, in order.
        calls: how often each method was called.
        gives_files: whether what succeeds has a file.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        traits: UpstreamTraits = TRAITS,
        pace: MemoryPace | None = None,
        credentials: Collection[str] = ("memory-key",),
        lists_results: bool = True,
    ) -> None:
        self.submissions: list[Submission] = []
        self.calls: Counter[str] = Counter()
        self.gives_files = True
        self._clock = clock
        self._traits = traits
        self._pace = pace or MemoryPace()
        self._credentials = frozenset(credentials)
        self._lists_results = lists_results
        self._records: dict[str, _Record] = {}
        self._forgotten: dict[str, _Record] = {}
        self._refusals: deque[Exception] = deque()

    @property
    def traits(self) -> UpstreamTraits:
        """See `VideoUpstream.traits`."""
        return self._traits

    def refuse_next(self, *failures: Failure, retry_after_seconds: float | None = None) -> None:
        """Answer the next calls, whichever they are, with these; nothing is done for them."""
        self._refusals.extend(UpstreamError(one, retry_after_seconds=retry_after_seconds) for one in failures)

    def break_next(self, calls: int) -> None:
        """Fail so many calls as no adapter should."""
        self._refusals.extend(ZeroDivisionError("a bug") for _ in range(calls))

    def forget(self) -> None:
        """Lose every task; `recall` brings them back."""
        self._forgotten, self._records = self._records, {}

    def recall(self) -> None:
        """Know again what was forgotten."""
        self._records = {**self._forgotten, **self._records}

    def deliveries(self, form: str, role: MediaRole) -> Collection[Delivery]:
        """See `VideoUpstream.deliveries`: everything, in the usual form."""
        del role
        return () if form else tuple(Delivery)

    async def submit(self, access: ChannelAccess, submission: Submission) -> AcceptedSubmission:
        """See `VideoUpstream.submit`."""
        self._enter("submit", access)
        words: dict[str, str] = dict(_WORD.findall(submission.prompt))
        for word, (kind, status) in _REFUSALS.items():
            if word in words:
                raise _error(kind, status=status)
        if submission.form:
            raise unsendable(f"no form {submission.form!r}")
        if submission.model.startswith("no-such-"):
            raise _error(FailureKind.NOT_FOUND, status=404)
        record = self._take(access, submission, words)
        if not _SILENT.isdisjoint(words):
            raise _error(FailureKind.UNKNOWN_OUTCOME)
        return AcceptedSubmission(upstream_task_id=record.id)

    async def query(self, access: ChannelAccess, ref: TaskRef) -> UpstreamTask:
        """See `VideoUpstream.query`."""
        self._enter("query", access)
        return self._view(self._find(access, ref))

    async def query_many(self, access: ChannelAccess, refs: Sequence[TaskRef]) -> Mapping[str, UpstreamTask]:
        """See `VideoUpstream.query_many`."""
        assert len(refs) <= self._traits.batch_max, len(refs)
        self._enter("query_many", access)
        found = [self._records.get(ref.upstream_task_id) for ref in refs]
        tasks = [self._view(record) for record in found if record is not None and record.owner == access.credential]
        return {task.upstream_task_id: task if self._lists_results else _state_only(task) for task in tasks}

    async def cancel(self, access: ChannelAccess, ref: TaskRef) -> bool:
        """See `VideoUpstream.cancel`: queued tasks only."""
        self._enter("cancel", access)
        record = self._find(access, ref)
        now = self._clock.unix()
        if now >= record.starts_at or record.canceled_at <= now:
            return False
        record.canceled_at = now
        return True

    async def find(self, access: ChannelAccess, trail: Trail) -> SearchResult:
        """See `VideoUpstream.find`."""
        self._enter("find", access)
        own = [record for record in self._records.values() if record.owner == access.credential]
        if self._traits.has_exact_search:
            fitting = [record for record in own if record.submission.id == trail.submission_id]
        else:
            earliest, latest = trail.sent_from - _SLACK_SECONDS, trail.sent_until + _SLACK_SECONDS
            fitting = [
                record
                for record in own
                if record.submission.model == trail.model and earliest <= record.submitted_at <= latest
            ]
        tasks = tuple(self._view(record) for record in fitting)
        return SearchResult(tasks=tasks, is_exact=self._traits.has_exact_search, is_complete=True)

    def callback(self, upstream_task_id: str, *, path: str = "/") -> Callback:
        """What the provider would post about the task now, signed if it signs."""
        record = self._records[upstream_task_id]
        body = json.dumps({"id": record.id, "state": self._view(record).state.value}).encode()
        headers = {"x-signature": _signature(record.owner, path)}
        return Callback(path=path, headers=headers, body=body, received_at=self._clock.unix())

    def read_callback(self, credential: str, callback: Callback) -> CallbackHint:
        """See `VideoUpstream.read_callback`."""
        if self._traits.callbacks is CallbackKind.NONE:
            raise CallbackRefusedError("the protocol has no callbacks")
        is_signed = hmac.compare_digest(callback.headers.get("x-signature", ""), _signature(credential, callback.path))
        if self._traits.callbacks is CallbackKind.SIGNED and not is_signed:
            raise CallbackRefusedError("the signature is wrong")
        try:
            fields = json.loads(callback.body)
            task_id, state = str(fields["id"]), TaskState(fields["state"])
        except (ValueError, TypeError, KeyError):
            raise CallbackRefusedError("the body names no task") from None
        return CallbackHint(upstream_task_id=task_id, state=state, is_signed=is_signed)

    async def upload(self, access: ChannelAccess, model: str, file: UploadFile) -> str:
        """See `VideoUpstream.upload`. The bytes are read and forgotten."""
        self._enter("upload", access)
        if not self._traits.can_upload:
            raise unsendable("the protocol has no upload")
        size = sum([len(chunk) async for chunk in file.chunks])
        assert size == file.size_bytes, (size, file.size_bytes)
        return f"memory://{model}/{file.name}"

    def _enter(self, method: str, access: ChannelAccess) -> None:
        self.calls[method] += 1
        if self._refusals:
            raise self._refusals.popleft()
        if access.credential not in self._credentials:
            raise _error(FailureKind.PROVIDER_AUTH, status=401)

    def _take(self, access: ChannelAccess, submission: Submission, words: Mapping[str, str]) -> _Record:
        now = self._clock.unix()
        queue_seconds = float(words.get("long-queue") or 60) if "long-queue" in words else self._pace.queue_seconds
        is_stuck = "stuck" in words
        starts_at = now + queue_seconds
        record = _Record(
            id=f"memory-{len(self.submissions) + 1}",
            owner=access.credential,
            submission=submission,
            words=words,
            base_url=access.base_url,
            submitted_at=now,
            starts_at=starts_at,
            ends_at=_NEVER if is_stuck else starts_at + self._pace.run_seconds,
            expires_at=now + (float(words.get("stuck") or 0) or self._pace.expire_seconds),
        )
        self._records[record.id] = record
        self.submissions.append(submission)
        return record

    def _find(self, access: ChannelAccess, ref: TaskRef) -> _Record:
        record = self._records.get(ref.upstream_task_id)
        if record is None or record.owner != access.credential:
            raise _error(FailureKind.NOT_FOUND, status=404)
        return record

    def _view(self, record: _Record) -> UpstreamTask:
        now = self._clock.unix()
        state = self._state(record, now)
        task = UpstreamTask(
            upstream_task_id=record.id,
            state=state,
            word=state.value,
            model=record.submission.model,
            failure=_reason(record) if state is TaskState.FAILED else None,
            submission_id=record.submission.id if self._traits.has_exact_search else None,
            submitted_at=record.submitted_at,
            started_at=record.starts_at if now >= record.starts_at else None,
            ended_at=min(record.ends_at, record.canceled_at, record.expires_at) if state.is_final else None,
        )
        if state is not TaskState.SUCCEEDED:
            return task
        seconds = Decimal(max(1, record.submission.duration_seconds or 5))
        return replace(
            task,
            video_url=f"{record.base_url}/results/{record.id}.mp4" if self.gives_files else None,
            delivered_seconds=seconds,
            usage=UpstreamUsage(meters={VideoMeter.VIDEO_SECONDS: seconds}, details={"seconds": int(seconds)}),
        )

    def _state(self, record: _Record, now: float) -> TaskState:
        if record.canceled_at <= now:
            return TaskState.CANCELED
        if record.ends_at <= min(now, record.expires_at):
            return TaskState.FAILED if _is_doomed(record) else TaskState.SUCCEEDED
        if record.expires_at <= now:
            return TaskState.EXPIRED
        return TaskState.RUNNING if record.starts_at <= now else TaskState.QUEUED


def _is_doomed(record: _Record) -> bool:
    return "moderation" in record.words or "invalid-input" in record.words


def _reason(record: _Record) -> Failure:
    if "moderation" in record.words:
        return Failure(kind=FailureKind.MODERATED, text=MODERATED_OUTPUT_TEXT, code="moderated")
    return Failure(kind=FailureKind.INVALID_INPUT, text=TEXTS[FailureKind.INVALID_INPUT], code="invalid")


def _state_only(task: UpstreamTask) -> UpstreamTask:
    return replace(task, has_results=False, video_url=None, delivered_seconds=None, usage=None)


def _signature(credential: str, path: str) -> str:
    return hmac.new(credential.encode(), path.encode(), "sha256").hexdigest()


def _error(kind: FailureKind, *, status: int | None = None) -> UpstreamError:
    return UpstreamError(Failure(kind=kind, text=TEXTS[kind], code=kind.value, status=status))
