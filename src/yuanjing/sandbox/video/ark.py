"""Volcengine Ark's content generation, and BytePlus ModelArk's, which is the same under another base."""

import dataclasses
import secrets
from dataclasses import dataclass
from http import HTTPStatus

from yuanjing.sandbox.asgi import Header, Request
from yuanjing.sandbox.video import ark_answers, ark_content, ark_media, ark_request, ark_tokens, magic
from yuanjing.sandbox.video.ark_answers import ArkFacts
from yuanjing.sandbox.video.ark_models import (
    ADAPTIVE,
    CHOSEN_RATIO,
    CHOSEN_SECONDS,
    FPS,
    SEED_MAX_BYTEPLUS,
    SERVICES,
    ArkService,
)
from yuanjing.sandbox.video.ark_problems import ArkRefusedError, headers_of, invalid, new_request_id
from yuanjing.sandbox.video.ark_request import DURATION_CHOSEN, ArkAsk
from yuanjing.sandbox.video.callbacks import Subscription
from yuanjing.sandbox.video.magic import Asked, Word
from yuanjing.sandbox.video.studio import Call, Studio
from yuanjing.sandbox.video.tasks import DAY_SECONDS, Lifetimes, Submission, Task, View
from yuanjing.sandbox.video.wish import Kind, Phase, Resolved, Wish

PROTOCOL = "ark"
TASKS = "/contents/generations/tasks"
RECORD_DAYS = 7
PAGE_MAX = 500
PAGE_SIZE = 20
BODY_BYTES_MAX = 64 * 1024 * 1024

Answer = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class _Visit:
    """A request that has passed the door."""

    call: Call
    service: ArkService
    owner: str
    asked: Asked
    request_id: str

    @property
    def request(self) -> Request:
        return self.call.request


class Ark:
    """Answers both services."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def claims(self, path: str) -> bool:
        """Whether the path is one of its own."""
        return any(path.startswith(f"{service.base}/contents/") for service in SERVICES)

    async def answer(self, call: Call) -> None:
        """Answer a request whose path it claims."""
        service = next(one for one in SERVICES if call.request.path.startswith(f"{one.base}/contents/"))
        request_id = new_request_id()
        call.entry.flavour = service.name
        call.entry.request_id = request_id
        headers: list[Header] = headers_of(request_id)
        try:
            visit = self._admit(call, service, request_id)
            value = await self._route(visit)
        except ArkRefusedError as refused:
            await call.reply.json(refused.status, refused.envelope(request_id), headers)
        else:
            await call.reply.json(HTTPStatus.OK, value, headers)

    def _admit(self, call: Call, service: ArkService, request_id: str) -> _Visit:
        credential = call.request.credential
        call.entry.credential = (credential or "")[-4:]
        asked = self._studio.admit(credential)
        if not credential:
            raise ArkRefusedError("AuthenticationError", "The API key in the request is missing or invalid.")
        if asked is None or Word.UNAUTHORIZED in asked:
            raise _unauthorized()
        if call.request.is_too_large or len(call.request.body) > BODY_BYTES_MAX:
            raise ArkRefusedError("RequestEntityTooLarge", "The request body is too large.")
        return _Visit(call=call, service=service, owner=credential, asked=asked, request_id=request_id)

    async def _route(self, visit: _Visit) -> Answer:
        method, rest = visit.request.method, visit.request.path.removeprefix(visit.service.base)
        if rest == TASKS and method == "POST":
            _limit(is_within=self._studio.submits.takes(visit.owner))
            return await self._create(visit)
        _limit(is_within=self._studio.queries.takes(visit.owner))
        if rest == TASKS and method == "GET":
            _limit(is_within=self._studio.lists.takes(visit.owner))
            return self._list(visit)
        task_id = rest.removeprefix(f"{TASKS}/")
        if not rest.startswith(f"{TASKS}/") or not task_id:
            raise ArkRefusedError("NotFound", f"The path {visit.request.path} does not exist.")
        if method == "GET":
            task = self._find(visit, task_id)
            return ark_answers.body(task, self._studio.tasks.view(task))
        if method == "DELETE":
            return self._delete(visit, task_id)
        raise ArkRefusedError("MethodNotAllowed", f"The method {method} is not allowed.")

    def _find(self, visit: _Visit, task_id: str) -> Task:
        visit.call.entry.task_id = task_id
        task = self._studio.tasks.find(PROTOCOL, visit.owner, task_id)
        if task is None or ark_answers.facts_of(task).service != visit.service.name:
            raise ArkRefusedError("NotFound", f"The task {task_id} does not exist.", "id")
        visit.call.entry.model = task.wish.model
        return task

    async def _create(self, visit: _Visit) -> Answer:
        studio, call = self._studio, visit.call
        studio.keep_body(call)
        fields = ark_request.decode(call.request.body)
        model = fields.get("model")
        call.entry.model = model if isinstance(model, str) else None
        ask = ark_request.read(fields, visit.service)
        draft = self._draft(visit, ask)
        asked = magic.merge(visit.asked, magic.parse(draft.wish.prompt if draft else ask.content.text))
        call.entry.fault = str(asked) or None
        _refuse_by(asked)
        media = await ark_media.resolve(ask.content.media, visit.owner, studio.media)
        if Word.REAL_FACE in asked:
            ark_media.refuse_faces(ask.content.media)
        facts, wish = _plan(ask, media, visit.service, draft)
        task = studio.tasks.submit(
            Submission(
                id=ark_answers.new_id(studio.clock.now()),
                owner=visit.owner,
                wish=wish,
                base_url=studio.base_url(call.request),
                asked=asked,
                media=media,
                facts=facts.kept(),
                is_off_peak=ask.service_tier == "flex",
                lifetimes=Lifetimes(execution=float(ask.execution_expires_after), record=RECORD_DAYS * DAY_SECONDS),
            )
        )
        call.entry.task_id = task.id
        if ask.callback_url:
            studio.callbacks.follow(task, Subscription(url=ask.callback_url, body=lambda view: _told(task, view)))
        if Word.LOST_REPLY in asked:
            await call.reply.cut()
        if Word.SERVER_ERROR_AFTER_ACCEPT in asked:
            raise ArkRefusedError("InternalServiceError", "The service encountered an unexpected internal error.")
        return {"id": task.id}

    def _draft(self, visit: _Visit, ask: ArkAsk) -> Task | None:
        """The draft that is to be made whole."""
        if not ask.content.draft_task_id:
            return None
        name = "content[0].draft_task.id"
        task = self._studio.tasks.find(PROTOCOL, visit.owner, ask.content.draft_task_id)
        if task is None or not ark_answers.facts_of(task).draft:
            raise invalid(name, "there is no such draft task")
        if self._studio.tasks.view(task).phase is not Phase.SUCCEEDED:
            raise invalid(name, "the draft task has not succeeded")
        return task

    def _list(self, visit: _Visit) -> Answer:
        tasks, query = self._studio.tasks, visit.request.query
        number = _whole(query, "page_num", 1)
        size = _whole(query, "page_size", PAGE_SIZE)
        status = query.get("filter.status", [""])[-1]
        if status and status not in ark_answers.STATUS.values():
            raise invalid("filter.status", f"the value {status!r} is not a status")
        model = query.get("filter.model", [""])[-1]
        tier = query.get("filter.service_tier", [""])[-1]
        found = [
            task
            for task in self._candidates(visit, query.get("filter.task_ids", []))
            if ark_answers.facts_of(task).service == visit.service.name
            and model in ("", task.wish.model)
            and tier in ("", ark_answers.facts_of(task).service_tier)
            and status in ("", ark_answers.STATUS[tasks.view(task).phase])
        ]
        page = found[(number - 1) * size : number * size]
        return {"total": len(found), "items": [ark_answers.body(task, tasks.view(task)) for task in page]}

    def _candidates(self, visit: _Visit, ids: list[str]) -> list[Task]:
        """The caller's tasks, all or those named, newest first [assumed]."""
        tasks = self._studio.tasks
        if not ids:
            return tasks.of_owner(PROTOCOL, visit.owner)[::-1]
        named = [tasks.find(PROTOCOL, visit.owner, task_id) for task_id in dict.fromkeys(ids)]
        return sorted((task for task in named if task), key=lambda task: task.created_at, reverse=True)

    def _delete(self, visit: _Visit, task_id: str) -> Answer:
        """Cancels or removes, by the state."""
        tasks = self._studio.tasks
        task = self._find(visit, task_id)
        phase = tasks.view(task).phase
        if phase in {Phase.CREATED, Phase.QUEUED}:
            tasks.cancel(task)
        elif phase is Phase.RUNNING:
            raise ArkRefusedError("TaskRunningCannotCancel", f"The task {task_id} is running and cannot be cancelled.")
        elif phase is Phase.CANCELED:
            raise invalid("id", "a cancelled task cannot be deleted")  # status and code are [assumed]
        else:
            tasks.delete(task)
        return {}


def _told(task: Task, view: View) -> Answer | None:
    """A callback's body: as "get", at every change to a status that the page lists; `cancelled` is not among them."""
    return None if view.phase in {Phase.CREATED, Phase.CANCELED} else ark_answers.body(task, view)


def _plan(ask: ArkAsk, media: tuple[Resolved, ...], service: ArkService, draft: Task | None) -> tuple[ArkFacts, Wish]:
    """What is promised and what is to be rendered; a draft's prompt, ratio, length and sound are kept [assumed]."""
    before = ark_answers.facts_of(draft) if draft else None
    ratio = before.ratio if before else _ratio(ask, media)
    width, height = ark_tokens.size(ask.resolution, ratio)
    has_audio = before.generate_audio if before else ask.generate_audio
    facts = ArkFacts(
        service=service.name,
        resolution=ask.resolution,
        ratio=ratio,
        seed=ask.seed if ask.seed is not None else secrets.randbelow(SEED_MAX_BYTEPLUS),
        generate_audio=has_audio,
        draft=ask.draft,
        draft_task_id=ask.content.draft_task_id,
        priority=ask.priority,
        service_tier=ask.service_tier,
        execution_expires_after=ask.execution_expires_after,
        safety_identifier=ask.safety_identifier,
        tools=ask.tools,
        return_last_frame=ask.return_last_frame,
        input_seconds=sum(piece.seconds for piece in media if piece.kind is Kind.VIDEO),
    )
    seconds = CHOSEN_SECONDS if ask.duration == DURATION_CHOSEN else ask.duration
    wish = Wish(
        protocol=PROTOCOL,
        model=ask.model,
        prompt=ask.content.text,
        width=width,
        height=height,
        seconds=seconds,
        fps=FPS,
        has_audio=has_audio,
        watermark=service.watermark if ask.watermark else None,
        seed=ask.seed,
        lines=_lines(ask, ratio, seconds),
    )
    if draft:
        wish = dataclasses.replace(wish, prompt=draft.wish.prompt, seconds=draft.wish.seconds)
    return facts, wish


def _lines(ask: ArkAsk, ratio: str, seconds: int) -> tuple[tuple[str, str], ...]:
    shown = f"{ask.ratio} → {ratio}" if ask.ratio == ADAPTIVE else ratio
    lines = [("resolution", ask.resolution), ("ratio", shown), ("duration", f"{seconds} s")]
    lines += [(role, str(len(ask.content.of(role)))) for role in ark_content.ROLES if ask.content.of(role)]
    return tuple(lines)


def _ratio(ask: ArkAsk, media: tuple[Resolved, ...]) -> str:
    """The ratio that is used: `adaptive` follows the first picture, or the first video [assumed]."""
    if ask.ratio != ADAPTIVE:
        return ask.ratio
    for kind in (Kind.IMAGE, Kind.VIDEO):
        for piece in media:
            if piece.kind is kind:
                return ark_tokens.nearest_ratio(piece.width, piece.height)
    return CHOSEN_RATIO


def _refuse_by(asked: Asked) -> None:
    if Word.UNAUTHORIZED in asked:
        raise _unauthorized()
    if Word.NO_MONEY in asked:
        text = "The request failed because your account has an overdue balance."
        raise ArkRefusedError("AccountOverdueError", text)
    _limit(is_within=Word.RATE_LIMIT not in asked)


def _unauthorized() -> ArkRefusedError:
    return ArkRefusedError("AuthenticationError", "The API key doesn't exist.")


def _limit(*, is_within: bool) -> None:
    if not is_within:
        text = "The requests per minute (RPM) limit of the associated endpoint has been exceeded."
        raise ArkRefusedError("RateLimitExceeded.EndpointRPMExceeded", text)


def _whole(query: dict[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[-1]
    if not text.isdecimal() or not 1 <= int(text) <= PAGE_MAX:
        raise invalid(name, f"it must be an integer from 1 to {PAGE_MAX}")
    return int(text)
