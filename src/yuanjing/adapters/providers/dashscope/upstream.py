"""Submissions, queries, lists, cancellations and uploads.

Sources: https://help.aliyun.com/zh/model-studio/ (text-to-video-api-reference, manage-asynchronous-tasks) and the
vendor's SDK. What no page says is `[assumed]`, and an option.
"""

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import quote

from yuanjing.adapters.providers.dashscope.answers import DashscopeReader
from yuanjing.adapters.providers.dashscope.body import OSS, body_of, uses_uploads
from yuanjing.adapters.providers.dashscope.options import MEDIA_FORM, UNKNOWN, DashscopeOptions, MediaForm
from yuanjing.adapters.providers.dashscope.uploads import is_allowed, read_policy, upload_call
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
    no_answer,
    unsendable,
)
from yuanjing.kit import jsonvalues
from yuanjing.kit.jsonvalues import Fields
from yuanjing.kit.webcalls import NoAnswer, WebAnswer, WebCall, WebCaller, retry_after_seconds
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

TASKS = "/tasks"

_CANNOT_CANCEL = "UnsupportedOperation"
_SUCCESS = range(200, 300)


class DashscopeUpstream:
    """See `VideoUpstream`. The base URL is that of the native API and ends in `/api/v1`."""

    def __init__(self, web: WebCaller, options: DashscopeOptions | None = None) -> None:
        self._web = web
        self._options = options or DashscopeOptions()
        self._reader = DashscopeReader(self._options)

    @property
    def traits(self) -> UpstreamTraits:
        """See `VideoUpstream.traits`. No field of a submission comes back."""
        return UpstreamTraits(
            batch_max=self._options.batch_max,
            calls_per_batch_max=self._options.pages_max,
            has_exact_search=False,
            callbacks=CallbackKind.EVENTS,
            can_upload=True,
            record_seconds=self._options.record_seconds,
            result_seconds=self._options.result_seconds,
            unseen_seconds=self._options.unseen_seconds,
        )

    def deliveries(self, form: str, role: MediaRole) -> Collection[Delivery]:
        """See `VideoUpstream.deliveries`."""
        found = self._options.forms.get(form or MEDIA_FORM)
        return found.deliveries.get(role, ()) if found else ()

    async def submit(self, access: ChannelAccess, submission: Submission) -> AcceptedSubmission:
        """See `VideoUpstream.submit`. Most bad parameters are accepted, and the task fails."""
        form = self._form(submission)
        body = body_of(submission, form, self._options)
        headers = {"x-dashscope-async": "enable"}  # without it: 403, "does not support synchronous calls"
        if uses_uploads(submission):
            headers["x-dashscope-ossresourceresolve"] = "enable"
        fields = await self._ask(access, "POST", form.path, headers=headers, body=body)
        output = jsonvalues.as_fields(fields.get("output"))
        task_id, request_id = jsonvalues.word(output, "task_id"), jsonvalues.word(fields, "request_id")
        if not task_id:
            raise _unreadable(is_submission=True)
        return AcceptedSubmission(upstream_task_id=task_id, request_id=request_id)

    async def query(self, access: ChannelAccess, ref: TaskRef) -> UpstreamTask:
        """See `VideoUpstream.query`."""
        fields = await self._ask(access, "GET", f"{TASKS}/{quote(ref.upstream_task_id, safe='')}")
        task = self._reader.task(fields, access.credential)
        if task is None or task.upstream_task_id != ref.upstream_task_id:
            raise _unreadable()
        if task.word.upper() == UNKNOWN:
            kind = FailureKind.NOT_FOUND
            raise UpstreamError(Failure(kind=kind, text=TEXTS[kind], code=UNKNOWN), request_id=task.request_id)
        return task

    async def query_many(self, access: ChannelAccess, refs: Sequence[TaskRef]) -> Mapping[str, UpstreamTask]:
        """See `VideoUpstream.query_many`.

        The list cannot be asked for several ids: it is read for the time of the submissions until all are found. It
        tells states only.
        """
        assert len(refs) <= self._options.batch_max, len(refs)
        if not refs:
            return {}
        wanted = {ref.upstream_task_id for ref in refs}
        times = [ref.submitted_at for ref in refs]
        models = {ref.model for ref in refs}
        tasks, _ = await self._list(
            access, since=min(times), until=max(times), model=models.pop() if len(models) == 1 else "", wanted=wanted
        )
        return {task_id: task for task_id, task in tasks.items() if task_id in wanted}

    async def cancel(self, access: ChannelAccess, ref: TaskRef) -> bool:
        """See `VideoUpstream.cancel`. A task leaves PENDING within milliseconds, so a refusal is the usual answer."""
        try:
            await self._ask(access, "POST", f"{TASKS}/{quote(ref.upstream_task_id, safe='')}/cancel")
        except UpstreamError as error:
            if error.failure.code == _CANNOT_CANCEL:
                return False
            raise
        return True

    async def find(self, access: ChannelAccess, trail: Trail) -> SearchResult:
        """See `VideoUpstream.find`: by model and time, nothing better travels along."""
        tasks, is_complete = await self._list(
            access, since=trail.sent_from, until=trail.sent_until, model=trail.model, wanted=None
        )
        slack = self._options.slack_seconds
        earliest, latest = trail.sent_from - slack, trail.sent_until + slack
        fitting = tuple(
            task
            for task in tasks.values()
            if task.submitted_at is None or earliest <= task.submitted_at <= latest
            if task.model in {"", trail.model}
        )
        return SearchResult(tasks=fitting, is_exact=False, is_complete=is_complete)

    def read_callback(self, credential: str, callback: Callback) -> CallbackHint:
        """See `VideoUpstream.read_callback`: an event of EventBridge about a task of the account that has ended.

        Its signature is not checked: that needs a certificate from an address which the event itself names. It has no
        nonce, though its id comes again when it is repeated: it may be repeated because we could not take it.
        """
        del credential
        fields = jsonvalues.decode_fields(callback.body)
        if fields is None:
            raise CallbackRefusedError("the body is no event")
        if jsonvalues.word(fields, "type") != self._options.event_type:
            return CallbackHint(upstream_task_id="", state=None)  # of something else that the account has
        data = jsonvalues.as_fields(fields.get("data"))
        task_id = jsonvalues.word(data, "task_id")
        if not task_id:
            raise CallbackRefusedError("the event names no task")
        state = self._options.states.get(jsonvalues.word(data, "task_status").lower())
        return CallbackHint(upstream_task_id=task_id, state=state)

    async def upload(self, access: ChannelAccess, model: str, file: UploadFile) -> str:
        """See `VideoUpstream.upload`. The file is bound to the model and the account, and kept for 48 h."""
        params = [("action", "getPolicy"), ("model", model)]
        fields = await self._ask(access, "GET", "/uploads", params=params)
        policy = read_policy(fields, file)
        if policy is None or not is_allowed(policy.host, access.base_url, self._options.upload_hosts):
            raise _unreadable()
        if file.size_bytes > (policy.bytes_max or self._options.upload_bytes_max):
            raise unsendable("the file is larger than the provider takes")
        answer = await self._web.call(upload_call(policy, file))
        if isinstance(answer, NoAnswer):
            raise UpstreamError(no_answer(was_sent=answer.was_sent, is_submission=False, detail=answer.reason))
        if answer.status not in _SUCCESS:  # the storage's own errors are XML about signatures and policies
            kind = FailureKind.UNAVAILABLE
            raise UpstreamError(Failure(kind=kind, text=TEXTS[kind], code="upload", status=answer.status))
        return OSS + policy.key

    def _form(self, submission: Submission) -> MediaForm:
        form = self._options.forms.get(submission.form or MEDIA_FORM)
        if form is None:
            raise unsendable(f"no form {submission.form!r}")
        return form

    async def _list(
        self, access: ChannelAccess, *, since: float, until: float, model: str, wanted: set[str] | None
    ) -> tuple[dict[str, UpstreamTask], bool]:
        """The tasks of that time (until the wanted ones are found), and whether those were all."""
        options = self._options
        end = until + options.slack_seconds
        start = max(since - options.slack_seconds, end - options.list_window_seconds)
        window = [("start_time", self._reader.list_time(start)), ("end_time", self._reader.list_time(end))]
        if model:
            window.append(("model_name", model))
        tasks: dict[str, UpstreamTask] = {}
        for number in range(1, options.pages_max + 1):
            params = [*window, ("page_no", str(number)), ("page_size", str(options.page_size))]
            fields = await self._ask(access, "GET", TASKS, params=params)
            if not isinstance(fields.get("data"), list):
                raise _unreadable()
            items = jsonvalues.as_items(fields["data"])
            read = [self._reader.listed(jsonvalues.as_fields(item)) for item in items]
            tasks |= {task.upstream_task_id: task for task in read if task}
            total = jsonvalues.number(fields, "total_page")
            if number >= total if total is not None else len(items) < options.page_size:
                return tasks, True
            if wanted is not None and wanted <= tasks.keys():
                break
        return tasks, False

    async def _ask(
        self,
        access: ChannelAccess,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: Fields | None = None,
    ) -> Fields:
        """The fields of a successful answer; a body makes it a submission."""
        is_submission = body is not None
        sent = {"authorization": f"Bearer {access.credential}", **(headers or {})}
        content = b""
        if body is not None:
            sent["content-type"] = "application/json"
            content = jsonvalues.encode(body)
        call = WebCall(
            method=method, url=access.base_url.rstrip("/") + path, params=params, headers=sent, content=content
        )
        answer = await self._web.call(call)
        if isinstance(answer, NoAnswer):
            raise UpstreamError(no_answer(was_sent=answer.was_sent, is_submission=is_submission, detail=answer.reason))
        fields = jsonvalues.decode_fields(answer.body)
        if answer.status not in _SUCCESS:
            raise self._refusal(answer, fields or {}, access, is_submission=is_submission)
        if fields is None:
            raise _unreadable(is_submission=is_submission)
        return fields

    def _refusal(
        self, answer: WebAnswer, fields: Fields, access: ChannelAccess, *, is_submission: bool
    ) -> UpstreamError:
        failure = self._reader.refusal(answer.status, fields, access.credential, is_submission=is_submission)
        request_id = jsonvalues.word(fields, "request_id")
        return UpstreamError(failure, retry_after_seconds=retry_after_seconds(answer), request_id=request_id)


def _unreadable(*, is_submission: bool = False) -> UpstreamError:
    return UpstreamError(no_answer(was_sent=True, is_submission=is_submission, detail="unreadable answer"))
