"""Vidu's video protocol, `ent/v2`.

Sources: https://platform.vidu.com/docs (text-to-video, image-to-video, start-end-to-video, reference-to-video,
get-generation, tasks-list, cancel-task, callback, error codes). What no page says is `[assumed]`, and an option.
"""

import base64
import datetime as dt
import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from yuanjing.domain.tasks import (
    MEDIA_TEXT,
    MODERATED_INPUT_TEXT,
    MODERATED_OUTPUT_TEXT,
    AcceptedSubmission,
    Delivery,
    FailureKind,
    FailureRule,
    FailureTable,
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

BASE = "/ent/v2"
TASKS = f"{BASE}/tasks"
PAGE_MAX = 100

_CANNOT_CANCEL = 400  # "task state is scheduled, can not cancel"
_SUCCESS = range(200, 300)
_SIGNED_HEADERS_MAX = 8

STATES: Mapping[str, TaskState] = {
    "created": TaskState.QUEUED,
    "queueing": TaskState.QUEUED,
    "processing": TaskState.RUNNING,
    "success": TaskState.SUCCEEDED,
    "failed": TaskState.FAILED,
}
ENDS: Mapping[str, TaskState] = {
    "usercancelled": TaskState.CANCELED,
    "canceled": TaskState.EXPIRED,
}
"""Codes of failed tasks that did not fail: there is no state for them. What gives up off-peak tasks is [assumed]."""

_INVALID = FailureRule(kind=FailureKind.INVALID_INPUT)
_MEDIA = FailureRule(kind=FailureKind.INVALID_INPUT, text=MEDIA_TEXT)
_RATE = FailureRule(kind=FailureKind.RATE_LIMITED)
_DOWN = FailureRule(kind=FailureKind.UNAVAILABLE)

FAILURES: Mapping[str, FailureRule] = {
    "BadRequest": _INVALID,
    "Field*": _INVALID,  # FieldLacking, FieldUnwanted, FieldInvalid, FieldItemCountOutOfRange
    "PageSizeOutOfRange": _INVALID,
    "ImageDownloadFailure": _MEDIA,
    "ImageFormatInvalid": _MEDIA,
    "ImageCheck*": _MEDIA,
    "TaskPromptPolicyViolation": FailureRule(kind=FailureKind.MODERATED, text=MODERATED_INPUT_TEXT),
    "AuditSubmitIllegal": FailureRule(kind=FailureKind.MODERATED, text=MODERATED_INPUT_TEXT),
    "CreationPolicyViolation": FailureRule(kind=FailureKind.MODERATED, text=MODERATED_OUTPUT_TEXT),
    "CreditInsufficient": FailureRule(kind=FailureKind.PROVIDER_BALANCE),
    "Unauthorized": FailureRule(kind=FailureKind.PROVIDER_AUTH),
    "Forbidden": FailureRule(kind=FailureKind.PROVIDER_AUTH),
    "TaskNotFound": FailureRule(kind=FailureKind.NOT_FOUND),
    "CreationNotFound": FailureRule(kind=FailureKind.NOT_FOUND),
    "NotFound": FailureRule(kind=FailureKind.NOT_FOUND),
    "OperationInProcess": _RATE,  # HTTP 400, to be tried again
    "QuotaExceeded": _RATE,  # of tasks at the same time
    "TooManyRequests": _RATE,
    "SystemThrottling": _RATE,
    "ModelUnavailable": _DOWN,
    "Conflict": _DOWN,
    "Canceled": _DOWN,
    "InternalServiceFailure": _DOWN,
}
"""The documented reasons; those of failed tasks are the same words."""

_IMAGE = (Delivery.INLINE, Delivery.URL)
_ENDPOINTS: Mapping[frozenset[MediaRole], str] = {
    frozenset(): "text2video",
    frozenset({MediaRole.FIRST_FRAME}): "img2video",
    frozenset({MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME}): "start-end2video",
    frozenset({MediaRole.REFERENCE_IMAGE}): "reference2video",
}
_WITH_RATIO = frozenset({"text2video", "reference2video"})
"""The others follow their image; an unwanted field is an error of its own (FieldUnwanted)."""
_ORDER = (MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME, MediaRole.REFERENCE_IMAGE)


@dataclass(frozen=True, kw_only=True, slots=True)
class ViduOptions:
    """What an operator may change.

    Attributes:
        failures: what the provider's reasons mean.
        states: what its words mean, in lower case.
        ends: which reasons of a failed task say that it was stopped, in lower case.
        tags_submissions: whether our id travels in `payload`, which comes back unchanged.
        page_size_name: the page about lists writes `paper.pagesz` and `pager.page_token`.
        pages_max: pages that one `query_many` or `find` reads.
        search_queries_max: tasks that one `find` asks for their payload, where the list does not tell it.
        search_slack_seconds: how far the provider's clock may be from ours.
        callback_age_seconds: how old or how far ahead a callback's date may be.
        record_seconds: lists go back seven days.
    """

    failures: Mapping[str, FailureRule] = field(default_factory=lambda: FAILURES)
    states: Mapping[str, TaskState] = field(default_factory=lambda: STATES)
    ends: Mapping[str, TaskState] = field(default_factory=lambda: ENDS)
    tags_submissions: bool = True
    page_size_name: str = "pager.pagesz"
    batch_max: int = PAGE_MAX
    pages_max: int = 10
    search_queries_max: int = 20
    search_slack_seconds: float = 120.0
    callback_age_seconds: float = 300.0
    record_seconds: int = 7 * 86_400
    result_seconds: int = 86_400
    unseen_seconds: int = 60

    def __post_init__(self) -> None:
        assert 1 <= self.batch_max <= PAGE_MAX, self


class ViduUpstream:
    """See `VideoUpstream`. The base URL is the host alone."""

    def __init__(self, web: WebCaller, options: ViduOptions | None = None) -> None:
        self._web = web
        self._options = options or ViduOptions()
        self._failures = FailureTable(self._options.failures)

    @property
    def traits(self) -> UpstreamTraits:
        """See `VideoUpstream.traits`."""
        return UpstreamTraits(
            batch_max=self._options.batch_max,
            calls_per_batch_max=self._options.pages_max,
            has_exact_search=self._options.tags_submissions,
            callbacks=CallbackKind.SIGNED,
            can_upload=False,
            record_seconds=self._options.record_seconds,
            result_seconds=self._options.result_seconds,
            unseen_seconds=self._options.unseen_seconds,
        )

    def deliveries(self, form: str, role: MediaRole) -> Collection[Delivery]:
        """See `VideoUpstream.deliveries`: images only; there is one form."""
        return _IMAGE if not form and role in _ORDER else ()

    async def submit(self, access: ChannelAccess, submission: Submission) -> AcceptedSubmission:
        """See `VideoUpstream.submit`. The answer tells what the task will cost."""
        endpoint = _endpoint(submission)
        body = _body(submission, endpoint, self._options)
        fields, request_id = await self._ask(access, "POST", f"{BASE}/{endpoint}", body=body, is_submission=True)
        task_id = jsonvalues.word(fields, "task_id")
        if not task_id:
            raise _unreadable(request_id, is_submission=True)
        usage = _usage(fields)
        if usage:
            usage = UpstreamUsage(meters=usage.meters, details={**usage.details, "type": endpoint})
        state = self._options.states.get(jsonvalues.word(fields, "state").lower(), TaskState.QUEUED)
        return AcceptedSubmission(
            upstream_task_id=task_id,
            state=TaskState.QUEUED if state.is_final else state,  # its end is told by a query
            usage=usage,
            request_id=request_id,
        )

    async def query(self, access: ChannelAccess, ref: TaskRef) -> UpstreamTask:
        """See `VideoUpstream.query`."""
        return _typed(await self._query(access, ref.upstream_task_id), ref)

    async def query_many(self, access: ChannelAccess, refs: Sequence[TaskRef]) -> Mapping[str, UpstreamTask]:
        """See `VideoUpstream.query_many`. That the ids are repeated fields is [assumed]."""
        assert len(refs) <= self._options.batch_max, len(refs)
        wanted = {ref.upstream_task_id: ref for ref in refs}
        if not wanted:
            return {}
        items, _ = await self._list(access, [("task_ids", task_id) for task_id in sorted(wanted)])
        tasks = [task for item in items if (task := self._task(item, access, "")) and task.upstream_task_id in wanted]
        return {task.upstream_task_id: _typed(task, wanted[task.upstream_task_id]) for task in tasks}

    async def cancel(self, access: ChannelAccess, ref: TaskRef) -> bool:
        """See `VideoUpstream.cancel`. A running task is refused."""
        path = f"{TASKS}/{quote(ref.upstream_task_id, safe='')}/cancel"
        try:
            await self._ask(access, "POST", path, body={"id": ref.upstream_task_id})
        except UpstreamError as error:
            if error.failure.status == _CANNOT_CANCEL:
                return False
            raise
        return True

    async def find(self, access: ChannelAccess, trail: Trail) -> SearchResult:
        """See `VideoUpstream.find`.

        The documented fields of the list do not include the payload: a task whose line has none is asked for it.
        """
        slack = self._options.search_slack_seconds
        window = [
            ("created_at.from", _rfc3339(trail.sent_from - slack)),
            ("created_at.to", _rfc3339(trail.sent_until + slack)),
        ]
        items, is_complete = await self._list(access, window)
        same_model = [item for item in items if item.get("model", trail.model) == trail.model]
        if not self._options.tags_submissions:
            tasks = [self._task(item, access, "") for item in same_model]
            return SearchResult(tasks=tuple(t for t in tasks if t), is_exact=False, is_complete=is_complete)
        silent = [item for item in same_model if "payload" not in item]
        told = [self._task(item, access, "") for item in items if "payload" in item]
        asked = [
            await self._query(access, jsonvalues.word(item, "id"))
            for item in silent[: self._options.search_queries_max]
            if jsonvalues.word(item, "id")
        ]
        found = tuple(task for task in (*told, *asked) if task and task.submission_id == trail.submission_id)
        is_complete = is_complete and len(silent) <= self._options.search_queries_max
        return SearchResult(tasks=found, is_exact=True, is_complete=is_complete)

    def read_callback(self, credential: str, callback: Callback) -> CallbackHint:
        """See `VideoUpstream.read_callback`.

        The scheme is that of https://apisix.apache.org/docs/apisix/plugins/hmac-auth (version 2). The body is not
        signed, and its state is called `status` in the text of the page and `state` in its table.
        """
        nonce = _verify(credential, callback, self._options.callback_age_seconds)
        fields = jsonvalues.decode_fields(callback.body) or {}
        task_id = jsonvalues.word(fields, "id") or jsonvalues.word(fields, "task_id")
        if not task_id:
            raise CallbackRefusedError("the body names no task")
        word = jsonvalues.word(fields, "state") or jsonvalues.word(fields, "status")
        state = self._options.states.get(word.lower())
        return CallbackHint(upstream_task_id=task_id, state=state, nonce=nonce, is_signed=True)

    async def upload(self, access: ChannelAccess, model: str, file: UploadFile) -> str:
        """See `VideoUpstream.upload`; there is none."""
        del access, model, file
        raise unsendable("the protocol has no upload")

    async def _query(self, access: ChannelAccess, task_id: str) -> UpstreamTask:
        path = f"{TASKS}/{quote(task_id, safe='')}/creations"
        fields, request_id = await self._ask(access, "GET", path)
        task = self._task({"id": task_id, **fields}, access, request_id)
        if task is None or task.upstream_task_id != task_id:
            raise _unreadable(request_id)
        return task

    async def _list(self, access: ChannelAccess, filters: Sequence[tuple[str, str]]) -> tuple[list[Fields], bool]:
        """The items of all pages up to the limit, and whether those were all."""
        items: list[Fields] = []
        token = ""
        for _ in range(self._options.pages_max):
            params = [*filters, (self._options.page_size_name, str(PAGE_MAX))]
            if token:
                params.append(("pager.page_token", token))
            fields, request_id = await self._ask(access, "GET", TASKS, params=params)
            if not isinstance(fields.get("tasks"), list):
                raise _unreadable(request_id)
            items += [jsonvalues.as_fields(item) for item in jsonvalues.as_items(fields["tasks"])]
            token = jsonvalues.text(fields, "next_page_token")
            if not token:
                return items, True
        return items, False

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
        headers = {"authorization": f"Token {access.credential}"}  # not Bearer
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
        fields = jsonvalues.decode_fields(answer.body)
        if answer.status not in _SUCCESS:
            raise self._refusal(answer, fields or {}, access, is_submission=is_submission)
        request_id = answer.headers.get("x-request-id", "")
        if fields is None:
            raise _unreadable(request_id, is_submission=is_submission)
        return fields, request_id

    def _refusal(
        self, answer: WebAnswer, fields: Fields, access: ChannelAccess, *, is_submission: bool
    ) -> UpstreamError:
        failure = self._failures.refusal(
            answer.status,
            jsonvalues.word(fields, "reason"),
            quoted(jsonvalues.text(fields, "message"), access.credential),
            is_submission=is_submission,
        )
        trace_id = jsonvalues.word(jsonvalues.as_fields(fields.get("metadata")), "trace_id")
        return UpstreamError(failure, retry_after_seconds=retry_after_seconds(answer), request_id=trace_id)

    def _task(self, fields: Fields, access: ChannelAccess, request_id: str) -> UpstreamTask | None:
        """The task of a query or a list; None if it has no id or no state."""
        task_id, word = jsonvalues.word(fields, "id"), jsonvalues.word(fields, "state")
        if not task_id or not word:
            return None
        known = self._options.states.get(word.lower())
        state = known or TaskState.RUNNING
        code = jsonvalues.word(fields, "err_code")
        if state is TaskState.FAILED:
            state = self._options.ends.get(code.lower(), state)
        creation = jsonvalues.as_fields(next(iter(jsonvalues.as_items(fields.get("creations"))), None))
        return UpstreamTask(
            upstream_task_id=task_id,
            state=state,
            word=word,
            is_word_known=known is not None,
            has_results="creations" in fields and "credits" in fields,
            model=jsonvalues.word(fields, "model"),
            video_url=jsonvalues.text(creation, "url") or None,
            cover_url=jsonvalues.text(creation, "cover_url") or None,
            delivered_seconds=_seconds(creation),
            failure=self._failures.failure(quoted(code, access.credential)) if state is TaskState.FAILED else None,
            usage=_usage(fields),
            submission_id=jsonvalues.word(fields, "payload") or None,
            submitted_at=_unix(jsonvalues.text(fields, "created_at")),
            request_id=request_id,
        )


def _unreadable(request_id: str, *, is_submission: bool = False) -> UpstreamError:
    failure = no_answer(was_sent=True, is_submission=is_submission, detail="unreadable answer")
    return UpstreamError(failure, request_id=request_id)


def _endpoint(submission: Submission) -> str:
    roles = [one.role for one in submission.media]
    endpoint = _ENDPOINTS.get(frozenset(roles))
    repeats = len(roles) != len(set(roles)) and endpoint != "reference2video"
    if endpoint is None or repeats or submission.form:
        raise unsendable("no call takes these media together")
    return endpoint


def _typed(task: UpstreamTask, ref: TaskRef) -> UpstreamTask:
    """The task, its usage with the call that made it: answers do not tell, and the seed's sample has it."""
    endpoint = _ENDPOINTS.get(frozenset(ref.roles))
    if task.usage is None or endpoint is None:
        return task
    return replace(task, usage=replace(task.usage, details={**task.usage.details, "type": endpoint}))


def _body(submission: Submission, endpoint: str, options: ViduOptions) -> Fields:
    images = [one.url for role in _ORDER for one in submission.media if one.role is role]
    given = {
        "model": submission.model,
        "prompt": submission.prompt or None,
        "images": images or None,
        "duration": submission.duration_seconds,
        "aspect_ratio": submission.ratio if endpoint in _WITH_RATIO else None,
        "resolution": submission.resolution.lower() if submission.resolution else None,
        "seed": submission.seed,
        "audio": submission.audio,
        "off_peak": submission.off_peak,
        "watermark": submission.watermark or None,
        "callback_url": submission.callback_url,
        "payload": submission.id if options.tags_submissions else None,
    }
    return {**submission.extras, **{name: value for name, value in given.items() if value is not None}}


def _usage(fields: Fields) -> UpstreamUsage | None:
    """Credits: never computed from a table, the published ones contradict each other."""
    credits_told = believable(jsonvalues.number(fields, "credits"))
    if credits_told is None:
        return None
    details = jsonvalues.scalars(fields, "credits", "off_peak")
    return UpstreamUsage(meters={VideoMeter.PROVIDER_CREDITS: credits_told}, details=details)


def _seconds(creation: Fields) -> Decimal | None:
    return believable(jsonvalues.number(jsonvalues.as_fields(creation.get("video")), "duration"))


def _rfc3339(unix: float) -> str:
    return f"{dt.datetime.fromtimestamp(unix, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _unix(text: str) -> float | None:
    try:
        at = dt.datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _verify(credential: str, callback: Callback, age_seconds: float) -> str:
    """The nonce of a callback whose signature and date are right.

    Raises:
        CallbackRefusedError: they are not.
    """
    headers = callback.headers
    if headers.get("x-hmac-algorithm", "").lower() != "hmac-sha256" or headers.get("x-hmac-access-key") != "vidu":
        raise CallbackRefusedError("the signature is missing or of another kind")
    date, nonce = headers.get("date", ""), headers.get("x-request-nonce", "")
    try:
        at = parsedate_to_datetime(date)
        age = abs(callback.received_at - at.timestamp())
    except (ValueError, TypeError, OverflowError):
        raise CallbackRefusedError("the date cannot be read") from None
    if at.tzinfo is None or age > age_seconds:
        raise CallbackRefusedError("the date is too far away")
    names = [name.strip() for name in headers.get("x-hmac-signed-headers", "").split(";")]
    if not {"date", "x-request-nonce"} <= {name.lower() for name in names} or len(names) > _SIGNED_HEADERS_MAX:
        raise CallbackRefusedError("date and nonce are not among the signed headers")
    given = _bytes(headers.get("x-hmac-signature", ""))
    is_right = False
    for query in {callback.query, "&".join(sorted(callback.query.split("&")))}:  # as written, or as APISIX sorts it
        lines = ["POST", callback.path, query, "vidu", date]
        lines += [f"{name}:{headers.get(name.lower(), '')}" for name in names]
        text = "".join(f"{line}\n" for line in lines)
        right = base64.b64encode(hmac.new(_bytes(credential), _bytes(text), hashlib.sha256).digest())
        is_right |= hmac.compare_digest(right, given)
    if not is_right:
        raise CallbackRefusedError("the signature is wrong")
    return nonce


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
