"""Alibaba Cloud Model Studio's native video API (DashScope): submit, query, cancel, list, and the upload of files."""

import datetime as dt
import uuid
from http import HTTPStatus
from typing import Final

from yuanjing.sandbox.video import (
    dashscope_answers,
    dashscope_events,
    dashscope_media,
    dashscope_models,
    dashscope_request,
    magic,
)
from yuanjing.sandbox.video.dashscope_answers import CHINA, STATUS, STATUSES, DashFacts
from yuanjing.sandbox.video.dashscope_problems import DashRefusedError
from yuanjing.sandbox.video.dashscope_request import OSS, DashAsk
from yuanjing.sandbox.video.dashscope_uploads import UPLOAD_PATH, DashUploads, OssRefusedError
from yuanjing.sandbox.video.magic import Asked, Word
from yuanjing.sandbox.video.studio import Call, Studio
from yuanjing.sandbox.video.tasks import DAY_SECONDS, Lifetimes, Submission
from yuanjing.sandbox.video.wish import FailedError, Failure, Kind, Phase, Resolved, Role, Wish

PROTOCOL = "dashscope"
BASE = "/api/v1"
TASKS = "/tasks"
UPLOADS = "/uploads"
SUBMITS = frozenset({dashscope_models.VIDEO_PATH, dashscope_models.IMAGE2VIDEO_PATH})
EXECUTION_SECONDS = 3 * 3600.0
PAGE_SIZE = 10
PAGE_SIZE_MAX = 100
TIME_FORM = "%Y%m%d%H%M%S"
ENABLE: Final = "enable"
SIZE_UNUSED = 2
"""Width and height of what is never rendered."""

Answer = dict[str, object]


class Dashscope:
    """Answers the protocol."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._uploads = DashUploads(studio.clock, studio.media)

    def claims(self, path: str) -> bool:
        """Whether the path is one of its own."""
        return path.startswith(f"{BASE}/") or path == UPLOAD_PATH

    async def answer(self, call: Call) -> None:
        """Answer a request whose path it claims."""
        call.entry.flavour = "dashscope-video"
        if call.request.path == UPLOAD_PATH:
            await self._take_upload(call)
            return
        call.entry.request_id = str(uuid.uuid4())
        try:
            value = await self._route(call)
        except DashRefusedError as refused:
            await call.reply.json(refused.status, refused.envelope(call.entry.request_id))
        else:
            await call.reply.json(HTTPStatus.OK, value)

    async def _take_upload(self, call: Call) -> None:
        """The storage's own answers: no credential but the signature, no JSON."""
        try:
            status = self._uploads.take(call.request)
        except OssRefusedError as refused:
            await call.reply.whole(refused.status, "application/xml", refused.xml())
        else:
            await call.reply.whole(status, "application/octet-stream", b"")

    async def _route(self, call: Call) -> Answer:
        owner, asked = self._admit(call)
        request = call.request
        rest = request.path.removeprefix(BASE)
        if rest in SUBMITS and request.method == "POST":
            _limit(is_within=self._studio.submits.takes(owner))
            return await self._submit(call, owner, asked)
        _limit(is_within=self._studio.queries.takes(owner))
        if rest == UPLOADS and request.method == "GET":
            return self._policy(call, owner)
        if rest in {TASKS, f"{TASKS}/"} and request.method == "GET":
            return self._list(call, owner)
        task_id = rest.removeprefix(f"{TASKS}/")
        if rest != task_id and request.method == "GET":
            return self._query(call, owner, task_id)
        if rest != task_id and task_id.endswith("/cancel") and request.method == "POST":
            return self._cancel(call, owner, task_id.removesuffix("/cancel"))
        if rest in SUBMITS or rest.startswith((TASKS, UPLOADS)):
            raise DashRefusedError("MethodNotAllowed", f"The method {request.method} is not allowed.")
        raise DashRefusedError("NotFound", f"The path {request.path} does not exist.")

    def _admit(self, call: Call) -> tuple[str, Asked]:
        credential = call.request.credential
        call.entry.credential = (credential or "")[-4:]
        if not credential:
            raise DashRefusedError("InvalidApiKey", "No API-key provided.")
        asked = self._studio.admit(credential)
        if asked is None or Word.UNAUTHORIZED in asked:
            raise _unauthorized()
        if call.request.is_too_large:
            raise DashRefusedError("RequestEntityTooLarge", "The request body is too large.")
        return credential, asked

    async def _submit(self, call: Call, owner: str, admitted: Asked) -> Answer:
        studio, request, entry = self._studio, call.request, call.entry
        studio.keep_body(call)
        if request.headers.get("x-dashscope-async") != ENABLE:
            raise DashRefusedError("AccessDenied", "current user api does not support synchronous calls")
        fields = dashscope_request.decode(request.body)
        entry.model = str(fields["model"]) if "model" in fields else None
        name, row = dashscope_request.model_of(fields, request.path.removeprefix(BASE))
        prompt = dashscope_request.prompt_of(fields)
        asked = magic.merge(admitted, magic.parse(prompt))
        entry.fault = str(asked) or None
        _refuse_by(asked)
        facts = DashFacts(request_id=entry.request_id, original=prompt, row=row)
        wish = Wish(protocol=PROTOCOL, model=name, prompt="", width=SIZE_UNUSED, height=SIZE_UNUSED, seconds=1)
        media: tuple[Resolved, ...] = ()
        failure: Failure | None = None
        try:
            resolves = request.headers.get("x-dashscope-ossresourceresolve") == ENABLE
            ask = dashscope_request.read(fields, name, row, resolves_oss=resolves)
            self._check_uploads(ask)
            media = await dashscope_media.resolve(ask, owner, studio.media)
            facts, wish = _plan(ask, media, entry.request_id)
        except FailedError as error:
            failure = error.failure
        task = studio.tasks.submit(
            Submission(
                id=str(uuid.uuid4()),
                owner=owner,
                wish=wish,
                base_url=studio.base_url(request),
                asked=asked,
                media=media,
                facts=facts.kept(),
                failure=failure,
                lifetimes=Lifetimes(execution=EXECUTION_SECONDS, record=DAY_SECONDS),
            )
        )
        entry.task_id = task.id
        if owner in studio.event_targets:
            target = studio.event_targets[owner]
            studio.callbacks.follow(task, dashscope_events.subscription(task, target, studio.clock))
        if Word.LOST_REPLY in asked:
            await call.reply.cut()
        if Word.SERVER_ERROR_AFTER_ACCEPT in asked:
            raise DashRefusedError("InternalError", "An internal error has occurred, please try again later.")
        return {"output": {"task_status": "PENDING", "task_id": task.id}, "request_id": entry.request_id}

    def _check_uploads(self, ask: DashAsk) -> None:
        """An upload is bound to the model that its policy was for."""
        for one in ask.media:
            if one.source.startswith(OSS) and not self._uploads.is_for(one.source.removeprefix(OSS), ask.model):
                raise dashscope_request.invalid("The url is not valid, the file was uploaded for another model")

    def _query(self, call: Call, owner: str, task_id: str) -> Answer:
        call.entry.task_id = task_id
        task = self._studio.tasks.find(PROTOCOL, owner, task_id)
        if task is None:
            return dashscope_answers.unknown(task_id, call.entry.request_id)
        call.entry.model = task.wish.model
        return dashscope_answers.body(task, self._studio.tasks.view(task), call.entry.request_id)

    def _cancel(self, call: Call, owner: str, task_id: str) -> Answer:
        call.entry.task_id = task_id
        task = self._studio.tasks.find(PROTOCOL, owner, task_id)
        # That an unknown task gets the same answer is [assumed].
        if task is None or STATUS[self._studio.tasks.view(task).phase] != STATUS[Phase.QUEUED]:
            text = "Failed to cancel the task, please confirm if the task is in PENDING status."
            raise DashRefusedError("UnsupportedOperation", text)
        self._studio.tasks.cancel(task)
        self._studio.callbacks.wake(task)
        return {"request_id": call.entry.request_id}

    def _list(self, call: Call, owner: str) -> Answer:
        query = {name: values[-1] for name, values in call.request.query.items()}
        number, size = _whole(query, "page_no", 1, 10_000), _whole(query, "page_size", PAGE_SIZE, PAGE_SIZE_MAX)
        since, until = _window(query, self._studio.clock.unix())
        status = query.get("status", "")
        if status and status not in STATUSES:
            raise DashRefusedError("InvalidParameter", f"The status is not valid {status}")
        tasks = self._studio.tasks
        found = [
            task
            for task in reversed(tasks.of_owner(PROTOCOL, owner))  # newest first [assumed]
            if since <= task.created_at <= until
            and query.get("task_id") in (None, task.id)
            and query.get("model_name") in (None, task.wish.model)
            and status in ("", STATUS[tasks.view(task).phase])
        ]
        page = found[(number - 1) * size : number * size]
        return {
            "total": len(found),
            "data": [dashscope_answers.listed(task, tasks.view(task)) for task in page],
            "total_page": -(-len(found) // size),
            "page_no": number,
            "page_size": size,
            "request_id": call.entry.request_id,
        }

    def _policy(self, call: Call, owner: str) -> Answer:
        query = {name: values[-1] for name, values in call.request.query.items()}
        if query.get("action") != "getPolicy":
            raise DashRefusedError("InvalidParameter", f"The action is not valid {query.get('action')}")
        model = query.get("model", "")
        if model not in dashscope_models.MODELS:
            raise DashRefusedError("InvalidParameter", "Model not exist.")
        call.entry.model = model
        data = self._uploads.policy(owner, model, self._studio.base_url(call.request))
        return {"request_id": call.entry.request_id, "data": data}


def _plan(ask: DashAsk, media: tuple[Resolved, ...], request_id: str) -> tuple[DashFacts, Wish]:
    """What is told afterwards and what is to be rendered."""
    width, height = _size(ask, media)
    facts = DashFacts(
        request_id=request_id,
        original=ask.original,
        row=ask.row,
        tier=ask.tier,
        size=ask.size,
        ratio=ask.ratio,
        input_seconds=sum(piece.seconds for piece in media if piece.kind is Kind.VIDEO),
    )
    shown = (("resolution", ask.tier), ("size", ask.size), ("ratio", ask.ratio), ("duration", f"{ask.seconds} s"))
    wish = Wish(
        protocol=PROTOCOL,
        model=ask.model,
        prompt=ask.prompt,
        width=width,
        height=height,
        seconds=ask.seconds,
        fps=dashscope_models.FPS,
        has_audio=ask.has_audio,
        watermark=ask.row.watermark if ask.has_watermark else None,
        seed=ask.seed,
        lines=tuple((name, value) for name, value in (*shown, *ask.lines) if value),
    )
    return facts, wish


def _size(ask: DashAsk, media: tuple[Resolved, ...]) -> tuple[int, int]:
    """The pixels: as `size` says, else the tier in the asked ratio, else the tier in the first frame's ratio."""
    if ask.size:
        width, _, height = ask.size.partition("*")
        return int(width), int(height)
    if ask.ratio:
        across, _, down = ask.ratio.partition(":")
        return dashscope_models.size_of(ask.tier, int(across), int(down))
    first = next((piece for piece in media if piece.role is Role.FIRST_FRAME), None)
    return dashscope_models.size_of(ask.tier, *((first.width, first.height) if first else (16, 9)))


def _window(query: dict[str, str], now: float) -> tuple[float, float]:
    """The window of the list in Unix seconds: the last 24 h, or as asked, at most 24 h."""
    try:
        until = _moment(query["end_time"]) if "end_time" in query else None
        since = _moment(query["start_time"]) if "start_time" in query else None
    except ValueError as error:
        raise DashRefusedError("InvalidParameter", "The time is not valid, it must be YYYYMMDDhhmmss") from error
    if until is None:
        until = now if since is None else max(since, min(now, since + DAY_SECONDS))
    since = until - DAY_SECONDS if since is None else since
    if not 0 <= until - since <= DAY_SECONDS:
        raise DashRefusedError("InvalidParameter", "The time range is not valid, it must be within 24 hours")
    return since, until


def _moment(text: str) -> float:
    """A time of the query in Unix seconds; its zone is [assumed] to be that of the answers."""
    return dt.datetime.strptime(text, TIME_FORM).replace(tzinfo=CHINA).timestamp()


def _whole(query: dict[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise DashRefusedError("InvalidParameter", f"The {name} is not valid {text}")
    return int(text)


def _refuse_by(asked: Asked) -> None:
    if Word.UNAUTHORIZED in asked:
        raise _unauthorized()
    if Word.NO_MONEY in asked:
        text = "Access denied, please make sure your account is in good standing."
        raise DashRefusedError("Arrearage", text)
    _limit(is_within=Word.RATE_LIMIT not in asked)


def _unauthorized() -> DashRefusedError:
    return DashRefusedError("InvalidApiKey", "Invalid API-key provided.")


def _limit(*, is_within: bool) -> None:
    if not is_within:
        raise DashRefusedError("Throttling.RateQuota", "Requests rate limit exceeded, please try again later.")
