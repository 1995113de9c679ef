"""Vidu's protocol (ent/v2): create, query, list, cancel, credits and signed callbacks.

Source: vidu.md of the provider facts. There is no SDK; tests speak raw HTTP.
"""

import base64
import dataclasses
import datetime as dt
import hashlib
import hmac
import math
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from urllib.parse import urlsplit

from yuanjing.sandbox.video import magic
from yuanjing.sandbox.video import vidu_answers as answers
from yuanjing.sandbox.video import vidu_models as models
from yuanjing.sandbox.video import vidu_request as requests
from yuanjing.sandbox.video.callbacks import Subscription
from yuanjing.sandbox.video.magic import Asked, Word
from yuanjing.sandbox.video.studio import Call, Studio
from yuanjing.sandbox.video.tasks import DAY_SECONDS, Lifetimes, Submission, Task, View
from yuanjing.sandbox.video.vidu_answers import Json
from yuanjing.sandbox.video.vidu_request import RefusedError, Wanted
from yuanjing.sandbox.video.wish import FailedError, Kind, Media, Phase, Resolved, Role, Wish

NAME = "vidu"
BASE = "/ent/v2/"
WATERMARK = "Vidu"  # [assumed]
IMAGE_FORMATS = ("png", "jpeg", "webp")
RATIO_MAX = 4.0
PAIR_RATIO_MAX = 1.25
PAGE_MAX = 100
PAGE_SIZE = 20  # [assumed]
CREDITS_AT_START = 1_000_000
CONCURRENCY = 5
# Unfinished off-peak tasks are cancelled after 48 h; that others are too, and the week of a record, is assumed.
LIFETIMES = Lifetimes(execution=2 * DAY_SECONDS, record=7 * DAY_SECONDS, canceled=7 * DAY_SECONDS)

TOLD = {Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED, Phase.EXPIRED}
_TASK = re.compile(r"tasks/([^/]+)/(creations|cancel)\Z")


class Vidu:
    """Answers `/ent/v2/…`."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def claims(self, path: str) -> bool:
        """Whether the path is one of Vidu's."""
        return path.startswith(BASE)

    async def answer(self, call: Call) -> None:
        """Answer a request."""
        call.entry.flavour = NAME
        call.entry.request_id = secrets.token_hex(16)
        try:
            await self._answer(call)
        except RefusedError as refused:
            await self._refuse(call, refused)

    async def _refuse(self, call: Call, refused: RefusedError) -> None:
        body = {
            "code": refused.status,
            "reason": refused.reason,
            "message": refused.message,
            "metadata": {"trace_id": call.entry.request_id},
        }
        await call.reply.json(refused.status, body)

    async def _answer(self, call: Call) -> None:
        owner, asked = self._admit(call)
        request = call.request
        rest = request.path.removeprefix(BASE)
        found = _TASK.match(rest)
        if request.method == "POST" and rest in models.ENDPOINTS:
            await self._create(call, rest, owner, asked)
            return
        if not self._studio.queries.takes(owner):
            raise RefusedError("TooManyRequests", "too many requests")
        if found and (request.method, found[2]) == ("GET", "creations"):
            task = self._find(call, owner, found[1])
            await call.reply.json(200, answers.told(task, self._studio.tasks.view(task)))
        elif found and (request.method, found[2]) == ("POST", "cancel"):
            await self._cancel(call, owner, found[1])
        elif request.method == "GET" and rest == "tasks":
            await call.reply.json(200, self._list(call, owner))
        elif request.method == "GET" and rest == "credits":
            await call.reply.json(200, self._credits(call, owner))
        else:
            raise RefusedError("NotFound", f"{request.method} {request.path} does not exist")

    def _admit(self, call: Call) -> tuple[str, Asked]:
        """The credential and what it asks for. The scheme is the word Token, not Bearer."""
        scheme, _, credential = call.request.headers.get("authorization", "").partition(" ")
        credential = credential.strip()
        call.entry.credential = credential[-4:]
        asked = self._studio.admit(credential) if scheme == "Token" else None
        if asked is None or Word.UNAUTHORIZED in asked:
            raise RefusedError("Unauthorized", "the token is missing or invalid")
        return credential, asked

    async def _create(self, call: Call, endpoint: str, owner: str, asked: Asked) -> None:
        if call.request.is_too_large:
            raise RefusedError("BadRequest", "the request is too large")
        self._studio.keep_body(call)
        wanted = requests.read(endpoint, call.request.body)
        call.entry.model = wanted.model
        asked = magic.merge(asked, magic.parse(wanted.prompt))
        call.entry.fault = str(asked) or None
        self._refuse_as_asked(owner, asked)
        images = await self._images(wanted, owner)
        task = self._studio.tasks.submit(
            Submission(
                id=_new_id(),
                owner=owner,
                wish=_wish(wanted, images),
                base_url=self._studio.base_url(call.request),
                asked=asked,
                media=images,
                facts={
                    "wanted": _small(wanted),
                    "seed": wanted.seed or secrets.randbelow(10**6),
                    "creation": _new_id(),
                },
                is_off_peak=wanted.off_peak,
                lifetimes=LIFETIMES,
            )
        )
        call.entry.task_id = task.id
        if wanted.callback_url:
            self._follow(task, wanted.callback_url)
        if Word.LOST_REPLY in asked:
            await call.reply.cut()
        if Word.SERVER_ERROR_AFTER_ACCEPT in asked:
            raise RefusedError("InternalServiceFailure", "internal service failure")
        await call.reply.json(200, answers.created(task))

    def _refuse_as_asked(self, owner: str, asked: Asked) -> None:
        if Word.UNAUTHORIZED in asked:
            raise RefusedError("Unauthorized", "the token is missing or invalid")
        if Word.NO_MONEY in asked:
            raise RefusedError("CreditInsufficient", "credits are insufficient")
        if Word.RATE_LIMIT in asked:
            raise RefusedError("QuotaExceeded", "the number of concurrent tasks is exceeded")
        if not self._studio.submits.takes(owner):
            raise RefusedError("TooManyRequests", "too many requests")

    async def _images(self, wanted: Wanted, owner: str) -> tuple[Resolved, ...]:
        roles = {
            "img2video": (Role.FIRST_FRAME,),
            "start-end2video": (Role.FIRST_FRAME, Role.LAST_FRAME),
        }.get(wanted.endpoint, (Role.REFERENCE_IMAGE,) * len(wanted.images))
        images: list[Resolved] = []
        for role, source in zip(roles, wanted.images, strict=True):
            try:
                image = await self._studio.media.resolve(Media(role=role, kind=Kind.IMAGE, source=source), owner)
            except FailedError as error:
                raise RefusedError(answers.REASONS[error.failure.kind], error.failure.text) from error
            if image.format not in IMAGE_FORMATS:
                raise RefusedError("ImageFormatInvalid", f"the image is {image.format}, not png, jpeg or webp")
            if not 1 / RATIO_MAX <= image.ratio <= RATIO_MAX:
                raise RefusedError("FieldInvalid", "the image's aspect ratio is not between 1:4 and 4:1")  # [assumed]
            images.append(image)
        if wanted.endpoint == "start-end2video":
            pair = images[0].ratio / images[1].ratio
            if not 1 / PAIR_RATIO_MAX <= pair <= PAIR_RATIO_MAX:
                raise RefusedError(
                    "FieldInvalid", "the two images' ratios differ by more than 0.8 to 1.25"
                )  # [assumed]
        return tuple(images)

    def _find(self, call: Call, owner: str, task_id: str) -> Task:
        call.entry.task_id = task_id
        task = self._studio.tasks.find(NAME, owner, task_id)
        if task is None:
            raise RefusedError("TaskNotFound", f"task {task_id} does not exist")
        call.entry.model = task.wish.model
        return task

    async def _cancel(self, call: Call, owner: str, task_id: str) -> None:
        task = self._find(call, owner, task_id)
        named = requests.read_object(call.request.body).get("id", task_id) if call.request.body else task_id
        if named != task_id:
            raise RefusedError("FieldInvalid", "id is not that of the path")  # [assumed]
        phase = self._studio.tasks.phase(task)
        if phase not in {Phase.CREATED, Phase.QUEUED}:
            # The word for a running task is documented, the others are assumed.
            word = "scheduled" if phase is Phase.RUNNING else answers.STATES[phase]
            raise RefusedError("BadRequest", f"task state is {word}, can not cancel")
        self._studio.tasks.cancel(task)
        self._studio.callbacks.wake(task)
        await call.reply.json(200, {})

    def _list(self, call: Call, owner: str) -> Json:
        """A page, newest first. The filters are documented, the answer's shape is assumed."""
        query = call.request.query
        page, size = _whole(query, "pager.page", 1), _whole(query, "pager.pagesz", PAGE_SIZE)
        if page < 1 or not 1 <= size <= PAGE_MAX:
            raise RefusedError("PageSizeOutOfRange", f"pager.pagesz is not from 1 to {PAGE_MAX}")
        token = query.get("pager.page_token", [""])[-1]
        wanted = _Filter.of(query)
        found = [task for task in self._candidates(owner, query) if self._matches(wanted, task)]
        first = int(token) if token.isdecimal() else (page - 1) * size
        rest = str(first + size) if first + size < len(found) else ""
        items = [self._row(task) for task in found[first : first + size]]
        return {"tasks": items, "total": len(found), "next_page_token": rest}

    def _candidates(self, owner: str, query: dict[str, list[str]]) -> list[Task]:
        """The owner's tasks, all or those named, newest first."""
        tasks = self._studio.tasks
        ids = _values(query, "task_ids")
        if not ids:
            return tasks.of_owner(NAME, owner)[::-1]
        named = [tasks.find(NAME, owner, one) for one in dict.fromkeys(ids)]
        return sorted((task for task in named if task), key=lambda task: task.created_at, reverse=True)

    def _matches(self, wanted: "_Filter", task: Task) -> bool:
        asked = answers.wanted_of(task)
        return (
            wanted.after <= task.created_at <= wanted.before
            and (not wanted.resolutions or asked.resolution in wanted.resolutions)
            and (not wanted.models or asked.model in wanted.models)
            and (not wanted.states or answers.STATES[self._studio.tasks.phase(task)] in wanted.states)
        )

    def _row(self, task: Task) -> Json:
        return {**answers.described(task), **answers.told(task, self._studio.tasks.view(task))}

    def _credits(self, call: Call, owner: str) -> Json:
        views = [(task, self._studio.tasks.view(task)) for task in self._studio.tasks.of_owner(NAME, owner)]
        used = sum(answers.cost(task, view) for task, view in views)
        remains: Json = {
            "type": "metered",
            "credit_remain": max(0, CREDITS_AT_START - used),
            "concurrency_limit": self._studio.options.video_concurrency or CONCURRENCY,
            "current_concurrency": sum(view.phase is Phase.RUNNING for _, view in views),
            "queue_count": sum(view.phase in {Phase.CREATED, Phase.QUEUED} for _, view in views),
        }
        answer: Json = {"remains": [remains]}
        if call.request.query.get("show_detail", ["false"])[-1] == "true":
            answer["packages"] = [_package(max(0, CREDITS_AT_START - used))]
        return answer

    def _follow(self, task: Task, url: str) -> None:
        target = urlsplit(url)

        def sign(body: bytes) -> Mapping[str, str]:
            del body  # it is not signed
            date = format_datetime(self._studio.clock.now(), usegmt=True)
            return signed(task.owner, target.path or "/", target.query, date, str(uuid.uuid4()))

        def body(view: View) -> Json | None:
            return answers.told(task, view) if view.phase in TOLD else None

        self._studio.callbacks.follow(task, Subscription(url=url, body=body, sign=sign, repeats_only_ends=True))


def signed(secret: str, path: str, query: str, date: str, nonce: str) -> dict[str, str]:
    """The headers of a callback: APISIX's hmac-auth (version 2) over path, query, date and nonce, not over the body.

    Args:
        secret: the API token that created the task.
        path: of the callback URL.
        query: of the callback URL as written. APISIX would sort it; what Vidu does is not documented.
        date: in the form of the HTTP header.
        nonce: a random text.
    """
    text = f"POST\n{path}\n{query}\nvidu\n{date}\nDate:{date}\nx-request-nonce:{nonce}\n"
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return {
        "X-HMAC-SIGNATURE": base64.b64encode(digest).decode(),
        "X-HMAC-ALGORITHM": "hmac-sha256",
        "X-HMAC-ACCESS-KEY": "vidu",
        "X-HMAC-SIGNED-HEADERS": "Date;x-request-nonce",
        "Date": date,
        "x-request-nonce": nonce,
    }


@dataclass(frozen=True, kw_only=True)
class _Filter:
    """Which tasks a list has; an empty set does not choose."""

    resolutions: frozenset[str]
    models: frozenset[str]
    states: frozenset[str]
    after: float
    before: float

    @classmethod
    def of(cls, query: dict[str, list[str]]) -> "_Filter":
        """That of a query; times are RFC 3339 [assumed]."""
        return cls(
            resolutions=frozenset(_values(query, "resolutions")),
            models=frozenset(_values(query, "model_versions")),
            states=frozenset(_values(query, "states")),
            after=_time(query, "created_at.from", 0.0),
            before=_time(query, "created_at.to", math.inf),
        )


def _wish(wanted: Wanted, images: tuple[Resolved, ...]) -> Wish:
    ratio = images[0].ratio if wanted.aspect_ratio is None else models.ASPECT_RATIOS[wanted.aspect_ratio]
    width, height = models.size(wanted.resolution, ratio)
    shown = [("", wanted.endpoint), ("", wanted.resolution), ("", wanted.aspect_ratio or "ratio of the image")]
    if wanted.off_peak:
        shown.append(("", "off-peak"))
    return Wish(
        protocol=NAME,
        model=wanted.model,
        prompt=wanted.prompt,
        width=width,
        height=height,
        seconds=wanted.duration,
        fps=models.FPS,
        has_audio=models.has_audio_by_default(wanted.model) if wanted.audio is None else wanted.audio,
        watermark=WATERMARK if wanted.watermark else None,
        seed=wanted.seed or None,
        lines=tuple(shown),
    )


def _small(wanted: Wanted) -> Wanted:
    """`wanted` without the data of its images; how Vidu tells inline images is assumed."""
    images = tuple(f"{one.partition(',')[0]}," if one.startswith("data:") else one for one in wanted.images)
    return dataclasses.replace(wanted, images=images)


def _new_id() -> str:
    """18 digits, as the documented samples have."""
    return str(10**17 + secrets.randbelow(9 * 10**17))


def _whole(query: dict[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [""])[-1]
    if not text:
        return default
    if not text.isdecimal():
        raise RefusedError("FieldInvalid", f"{name} is not a whole number")
    return int(text)


def _values(query: dict[str, list[str]], name: str) -> list[str]:
    """A filter's values: it may be repeated, or hold several between commas [assumed]."""
    return [one for text in query.get(name, []) for one in text.split(",")]


def _time(query: dict[str, list[str]], name: str, default: float) -> float:
    text = query.get(name, [""])[-1]
    if not text:
        return default
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusedError("FieldInvalid", f"{text} is no time") from error
    return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp()


def _package(remain: int) -> Json:
    return {
        "id": "1",
        "name": "sandbox",
        "type": "metered",
        "concurrency": CONCURRENCY,
        "credit_amount": CREDITS_AT_START,
        "credit_remain": remain,
        "created_at": "2026-01-01T00:00:00Z",
        "purchase_at": "2026-01-01T00:00:00Z",
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_to": "2036-01-01T00:00:00Z",
    }
