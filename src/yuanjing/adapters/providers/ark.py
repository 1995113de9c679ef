"""The video protocol of Volcengine Ark and its kin: BytePlus ModelArk speaks the same, as do resellers.

Sources: https://www.volcengine.com/docs/82379/1520757 (create), /1521309 (get), /1521675 (list), /1521720 (cancel or
delete), /1299023 (error codes), and the vendor's SDKs. What no page says is `[assumed]`, and an option.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import quote

from yuanjing.domain.tasks import (
    MEDIA_TEXT,
    MODERATED_INPUT_TEXT,
    MODERATED_OUTPUT_TEXT,
    AcceptedSubmission,
    Delivery,
    Failure,
    FailureKind,
    FailureRule,
    FailureTable,
    MediaInput,
    MediaRole,
    SearchResult,
    Submission,
    TaskState,
    UpstreamError,
    UpstreamTask,
    UpstreamUsage,
    VideoMeter,
    believable,
    no_answer,
    unsendable,
)
from yuanjing.kit import jsonvalues
from yuanjing.kit.jsonvalues import Fields
from yuanjing.kit.webcalls import NoAnswer, WebAnswer, WebCall, WebCaller, quoted, retry_after_seconds
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

TASKS = "/contents/generations/tasks"
WRAPPED = "wrapped_in_data"
"""The quirk of resellers that put Ark's object into `data` of their own."""
PAGE_MAX = 500

_CANNOT_CANCEL = 409  # TaskRunningCannotCancel
_SUCCESS = range(200, 300)

STATES: Mapping[str, TaskState] = {
    "queued": TaskState.QUEUED,
    "running": TaskState.RUNNING,
    "succeeded": TaskState.SUCCEEDED,
    "failed": TaskState.FAILED,
    "cancelled": TaskState.CANCELED,
    "canceled": TaskState.CANCELED,
    "expired": TaskState.EXPIRED,
}

_INVALID = FailureRule(kind=FailureKind.INVALID_INPUT)
_AUTH = FailureRule(kind=FailureKind.PROVIDER_AUTH)
_BALANCE = FailureRule(kind=FailureKind.PROVIDER_BALANCE)
_MODEL_BALANCE = FailureRule(kind=FailureKind.PROVIDER_BALANCE, is_of_model=True)
_RATE = FailureRule(kind=FailureKind.RATE_LIMITED)
_BAD_INPUT = FailureRule(kind=FailureKind.MODERATED, text=MODERATED_INPUT_TEXT)
_BAD_OUTPUT = FailureRule(kind=FailureKind.MODERATED, text=MODERATED_OUTPUT_TEXT)
_MODEL = FailureRule(kind=FailureKind.NOT_FOUND)

FAILURES: Mapping[str, FailureRule] = {
    "MissingParameter": _INVALID,
    "InvalidParameter": _INVALID,
    "InvalidImageURL": FailureRule(kind=FailureKind.INVALID_INPUT, text=MEDIA_TEXT),
    "SensitiveContentDetected": FailureRule(kind=FailureKind.MODERATED),
    "InputTextSensitiveContentDetected": _BAD_INPUT,
    "InputImageSensitiveContentDetected": _BAD_INPUT,
    "InputVideoSensitiveContentDetected": _BAD_INPUT,
    "InputAudioSensitiveContentDetected": _BAD_INPUT,
    "OutputTextSensitiveContentDetected": _BAD_OUTPUT,
    "OutputImageSensitiveContentDetected": _BAD_OUTPUT,
    "OutputVideoSensitiveContentDetected": _BAD_OUTPUT,
    "OutputAudioSensitiveContentDetected": _BAD_OUTPUT,
    "AuthenticationError": _AUTH,
    "AccessDenied": _AUTH,
    "ServiceNotOpen": _AUTH,
    "ModelNotOpen": FailureRule(kind=FailureKind.PROVIDER_AUTH, is_of_model=True),
    "AccountOverdueError": _BALANCE,
    "ServiceOverdue": _BALANCE,
    # HTTP 429, but limits of the account for one model (1299023) that a person has to raise.
    "QuotaExceeded": _MODEL_BALANCE,
    "SetLimitExceeded": _MODEL_BALANCE,
    "InvalidEndpointOrModel": _MODEL,
    "UnsupportedModel": _MODEL,
    "RateLimitExceeded": _RATE,
    "ModelAccountRpmRateLimitExceeded": _RATE,
    "ModelAccountTpmRateLimitExceeded": _RATE,
    "ServerOverloaded": _RATE,
    "RequestBurstTooFast": _RATE,
    "ModelLoadingError": _RATE,
    "InternalServiceError": FailureRule(kind=FailureKind.UNAVAILABLE),
}
"""The documented codes; `Output…` comes in failed tasks, the others with an HTTP error."""

_ANY = (Delivery.INLINE, Delivery.URL, Delivery.ASSET)


@dataclass(frozen=True, kw_only=True, slots=True)
class ArkOptions:
    """What an operator may change.

    Attributes:
        failures: what the provider's codes mean.
        states: what its words mean, in lower case.
        tags_submissions: whether our id travels in `safety_identifier`, which comes back in queries and lists.
        audio_default: what is sent where a submission says nothing. The provider's default is true, which costs twice
            as much with models that charge for sound: so it is always sent.
        batch_max: tasks of one `query_many`. The protocol takes 500; their ids would make an address longer than the
            8 KiB that many servers take [assumed].
        search_pages_max: pages of 500 that one `find` reads; the list may be asked once a second.
        search_slack_seconds: how far the provider's clock may be from ours.
        deliveries: how files can be given; videos are never taken inline. Assets are those of the account that the
            channel leads to, registered in the provider's console.
    """

    failures: Mapping[str, FailureRule] = field(default_factory=lambda: FAILURES)
    states: Mapping[str, TaskState] = field(default_factory=lambda: STATES)
    tags_submissions: bool = True
    audio_default: bool = True
    batch_max: int = 150
    search_pages_max: int = 10
    search_slack_seconds: float = 120.0
    deliveries: Mapping[MediaRole, Collection[Delivery]] = field(
        default_factory=lambda: {
            MediaRole.FIRST_FRAME: _ANY,
            MediaRole.LAST_FRAME: _ANY,
            MediaRole.REFERENCE_IMAGE: _ANY,
            MediaRole.REFERENCE_VIDEO: (Delivery.URL, Delivery.ASSET),
            MediaRole.REFERENCE_AUDIO: _ANY,
        }
    )
    record_seconds: int = 7 * 86_400
    result_seconds: int = 86_400
    unseen_seconds: int = 60

    def __post_init__(self) -> None:
        assert 1 <= self.batch_max <= PAGE_MAX, self


class ArkUpstream:
    """See `VideoUpstream`. The base URL ends in `/api/v3`."""

    def __init__(self, web: WebCaller, options: ArkOptions | None = None) -> None:
        self._web = web
        self._options = options or ArkOptions()
        self._failures = FailureTable(self._options.failures)

    @property
    def traits(self) -> UpstreamTraits:
        """See `VideoUpstream.traits`. Records of cancelled tasks go after 24 h already."""
        return UpstreamTraits(
            batch_max=self._options.batch_max,
            calls_per_batch_max=1,
            has_exact_search=self._options.tags_submissions,
            callbacks=CallbackKind.UNSIGNED,
            can_upload=False,
            record_seconds=self._options.record_seconds,
            result_seconds=self._options.result_seconds,
            unseen_seconds=self._options.unseen_seconds,
        )

    def deliveries(self, form: str, role: MediaRole) -> Collection[Delivery]:
        """See `VideoUpstream.deliveries`; there is one form."""
        return () if form else self._options.deliveries.get(role, ())

    async def submit(self, access: ChannelAccess, submission: Submission) -> AcceptedSubmission:
        """See `VideoUpstream.submit`. The answer is an id and nothing else."""
        if submission.form:
            raise unsendable(f"no form {submission.form!r}")
        body = _body(submission, self._options)
        fields, request_id = await self._ask(access, "POST", TASKS, body=body, is_submission=True)
        task_id = jsonvalues.word(fields, "id")
        if not task_id:
            raise _unreadable(request_id, is_submission=True)
        return AcceptedSubmission(upstream_task_id=task_id, request_id=request_id)

    async def query(self, access: ChannelAccess, ref: TaskRef) -> UpstreamTask:
        """See `VideoUpstream.query`."""
        fields, request_id = await self._ask(access, "GET", _path(ref))
        task = self._task(fields, access, request_id)
        if task is None or task.upstream_task_id != ref.upstream_task_id:
            raise _unreadable(request_id)
        return task

    async def query_many(self, access: ChannelAccess, refs: Sequence[TaskRef]) -> Mapping[str, UpstreamTask]:
        """See `VideoUpstream.query_many`."""
        assert len(refs) <= self._options.batch_max, len(refs)
        wanted = {ref.upstream_task_id for ref in refs}
        params = [("page_num", "1"), ("page_size", str(max(1, len(wanted))))]
        params += [("filter.task_ids", task_id) for task_id in sorted(wanted)]
        tasks = (await self._list(access, params)).tasks if wanted else []
        return {task.upstream_task_id: task for task in tasks if task.upstream_task_id in wanted}

    async def cancel(self, access: ChannelAccess, ref: TaskRef) -> bool:
        """See `VideoUpstream.cancel`.

        DELETE cancels a queued task and removes the record of a finished one, so it is sent only if the task is queued.
        """
        state = (await self.query(access, ref)).state
        if state is not TaskState.QUEUED:
            return state is TaskState.CANCELED
        try:
            await self._ask(access, "DELETE", _path(ref))
        except UpstreamError as error:
            if error.failure.status == _CANNOT_CANCEL:
                return False
            raise
        return True

    async def find(self, access: ChannelAccess, trail: Trail) -> SearchResult:
        """See `VideoUpstream.find`. The list is read from its newest task until it is older than the submission."""
        earliest = trail.sent_from - self._options.search_slack_seconds
        found: dict[str, UpstreamTask] = {}
        is_complete = False
        for number in range(1, self._options.search_pages_max + 1):
            page = await self._list(access, [("page_num", str(number)), ("page_size", str(PAGE_MAX))])
            found |= {task.upstream_task_id: task for task in page.tasks if self._fits(task, trail)}
            is_complete = page.size < PAGE_MAX or _is_past(page.tasks, earliest)
            if is_complete or (found and self._options.tags_submissions):
                break
        return SearchResult(
            tasks=tuple(found.values()), is_exact=self._options.tags_submissions, is_complete=is_complete
        )

    def read_callback(self, credential: str, callback: Callback) -> CallbackHint:
        """See `VideoUpstream.read_callback`. The body is that of a query; nothing is signed."""
        del credential
        fields = jsonvalues.decode_fields(callback.body) or {}
        task_id = jsonvalues.word(fields, "id")
        if not task_id:
            raise CallbackRefusedError("the body names no task")
        state = self._options.states.get(jsonvalues.word(fields, "status").lower())
        return CallbackHint(upstream_task_id=task_id, state=state)

    async def upload(self, access: ChannelAccess, model: str, file: UploadFile) -> str:
        """See `VideoUpstream.upload`; there is none."""
        del access, model, file
        raise unsendable("the protocol has no upload")

    def _fits(self, task: UpstreamTask, trail: Trail) -> bool:
        if self._options.tags_submissions:
            return task.submission_id == trail.submission_id
        slack = self._options.search_slack_seconds
        at = task.submitted_at
        is_then = at is not None and trail.sent_from - slack <= at <= trail.sent_until + slack
        return is_then and task.model == trail.model

    async def _list(self, access: ChannelAccess, params: Sequence[tuple[str, str]]) -> "_Page":
        fields, request_id = await self._ask(access, "GET", TASKS, params=params)
        if not isinstance(fields.get("items"), list):
            raise _unreadable(request_id)
        items = jsonvalues.as_items(fields["items"])
        tasks = [self._task(jsonvalues.as_fields(item), access, request_id) for item in items]
        return _Page(tasks=[task for task in tasks if task], size=len(items))

    async def _ask(
        self,
        access: ChannelAccess,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        body: Fields | None = None,
        is_submission: bool = False,
    ) -> tuple[Fields, str]:
        """The fields of a successful answer, and the provider's id of the request."""
        headers = {"authorization": f"Bearer {access.credential}"}
        content = b""
        if body is not None:
            headers["content-type"] = "application/json"
            content = jsonvalues.encode(body)
        call = WebCall(
            method=method, url=access.base_url.rstrip("/") + path, params=params, headers=headers, content=content
        )
        answer = await self._web.call(call)
        if isinstance(answer, NoAnswer):
            raise UpstreamError(no_answer(was_sent=answer.was_sent, is_submission=is_submission, detail=answer.reason))
        request_id = answer.headers.get("x-request-id", "")
        fields = jsonvalues.decode_fields(answer.body)
        if answer.status not in _SUCCESS:
            raise self._refusal(answer, fields or {}, access, is_submission=is_submission)
        if fields is None:
            raise _unreadable(request_id, is_submission=is_submission)
        return _unwrapped(fields, access), request_id

    def _refusal(
        self, answer: WebAnswer, fields: Fields, access: ChannelAccess, *, is_submission: bool
    ) -> UpstreamError:
        error = jsonvalues.as_fields(fields.get("error"))
        failure = self._failures.refusal(
            answer.status,
            jsonvalues.word(error, "code"),
            quoted(jsonvalues.text(error, "message"), access.credential),
            is_submission=is_submission,
        )
        return UpstreamError(
            failure,
            retry_after_seconds=retry_after_seconds(answer),
            request_id=answer.headers.get("x-request-id", ""),
        )

    def _task(self, fields: Fields, access: ChannelAccess, request_id: str) -> UpstreamTask | None:
        """The task of a query, a list or a callback; None if it has no id or no state."""
        task_id, word = jsonvalues.word(fields, "id"), jsonvalues.word(fields, "status")
        if not task_id or not word:
            return None
        known = self._options.states.get(word.lower())
        state = known or TaskState.RUNNING
        content = jsonvalues.as_fields(fields.get("content"))
        return UpstreamTask(
            upstream_task_id=task_id,
            state=state,
            word=word,
            is_word_known=known is not None,
            model=jsonvalues.word(fields, "model"),
            video_url=jsonvalues.text(content, "video_url") or None,
            last_frame_url=jsonvalues.text(content, "last_frame_url") or None,
            delivered_seconds=_seconds(fields),
            failure=self._reason(fields, access) if state is TaskState.FAILED else None,
            usage=_usage(fields),
            submission_id=jsonvalues.word(fields, "safety_identifier") or None,
            submitted_at=_unix(fields, "created_at"),
            ended_at=_unix(fields, "updated_at") if state.is_final else None,
            request_id=request_id,
        )

    def _reason(self, fields: Fields, access: ChannelAccess) -> Failure:
        error = jsonvalues.as_fields(fields.get("error"))
        detail = quoted(jsonvalues.text(error, "message"), access.credential)
        return self._failures.failure(jsonvalues.word(error, "code"), detail)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Page:
    """A page of the list; `size` counts also what could not be read."""

    tasks: list[UpstreamTask]
    size: int


def _path(ref: TaskRef) -> str:
    return f"{TASKS}/{quote(ref.upstream_task_id, safe='')}"


def _unreadable(request_id: str, *, is_submission: bool = False) -> UpstreamError:
    failure = no_answer(was_sent=True, is_submission=is_submission, detail="unreadable answer")
    return UpstreamError(failure, request_id=request_id)


def _unwrapped(fields: Fields, access: ChannelAccess) -> Fields:
    return jsonvalues.as_fields(fields.get("data")) if WRAPPED in access.quirks and "data" in fields else fields


def _is_past(tasks: Sequence[UpstreamTask], earliest: float) -> bool:
    """Whether what follows is surely older: the page is sorted by time, newest first, and ends before `earliest`.

    That lists are sorted so is [assumed], therefore it is looked at.
    """
    times = [task.submitted_at for task in tasks if task.submitted_at is not None]
    return bool(times) and times == sorted(times, reverse=True) and times[-1] < earliest


def _body(submission: Submission, options: ArkOptions) -> Fields:
    content: list[Fields] = []
    if submission.prompt:
        content.append({"type": "text", "text": submission.prompt})
    content += [_item(one) for one in submission.media]
    body: Fields = {"model": submission.model, "content": content}
    given = {
        "resolution": submission.resolution.lower() if submission.resolution else None,
        "ratio": submission.ratio,
        "duration": submission.duration_seconds,
        "seed": submission.seed,
        "service_tier": "flex" if submission.off_peak else None,
        "execution_expires_after": submission.expires_after_seconds,
        "callback_url": submission.callback_url,
        "safety_identifier": submission.id if options.tags_submissions else None,
    }
    body |= {name: value for name, value in given.items() if value is not None}
    body["generate_audio"] = options.audio_default if submission.audio is None else submission.audio
    body["watermark"] = submission.watermark
    return {**submission.extras, **body}


def _item(one: MediaInput) -> Fields:
    """An item of `content`. The role is always told: without it two images are an error."""
    kind = {MediaRole.REFERENCE_VIDEO: "video_url", MediaRole.REFERENCE_AUDIO: "audio_url"}.get(one.role, "image_url")
    url = one.url
    if url[:5].lower() == "data:":  # the media type has to be in lower case
        head, comma, rest = url.partition(",")
        url = head.lower() + comma + rest
    return {"type": kind, kind: {"url": url}, "role": one.role.value}


def _usage(fields: Fields) -> UpstreamUsage | None:
    told = jsonvalues.as_fields(fields.get("usage"))
    tokens = believable(jsonvalues.number(told, "completion_tokens"))
    if tokens is None:
        return None
    details = jsonvalues.scalars(told, "completion_tokens", "total_tokens")
    details |= jsonvalues.scalars(fields, "ratio", "framespersecond", "generate_audio", "seed")
    return UpstreamUsage(meters={VideoMeter.VIDEO_TOKENS: tokens}, details=details)


def _seconds(fields: Fields) -> Decimal | None:
    """The length: told as `duration`, which is rounded down, or as `frames`."""
    frames, rate = jsonvalues.number(fields, "frames"), jsonvalues.number(fields, "framespersecond")
    if frames is not None and rate:
        return believable(frames / rate)
    return believable(jsonvalues.number(fields, "duration"))


def _unix(fields: Fields, name: str) -> float | None:
    value = jsonvalues.number(fields, name)
    return float(value) if value else None
