"""`/llmage/v1/video/generations` and `/llmage/v1/tasks`: video in the later form of the original platform.

One task is answered as the original's code does: its state under `data`, and a task that is not there as one that has
failed. Without a `taskid` the same path lists the customer's own tasks.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from yuanjing.domain.catalog import Operation
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.identity import Caller
from yuanjing.domain.money import format_amount
from yuanjing.domain.parameters import Fields
from yuanjing.domain.parameters.values import invalid
from yuanjing.domain.tasks import JsonScalar, TaskState
from yuanjing.edge.auth import AuthenticatedCaller
from yuanjing.edge.error_docs import KEY_CODES, error_responses
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.edge.pricing import CURRENCY
from yuanjing.edge.video_docs import QUOTE_CODES, SUBMIT_CODES
from yuanjing.edge.video_offers import from_category
from yuanjing.edge.video_submit import quote, submit, tell
from yuanjing.edge.videos_llmage import LlmageTask, SeedJson, Word, failure_text, to_llmage_task, word_of
from yuanjing.ports.tasks import TaskFilter
from yuanjing.usecases.videos import VideoView

router = APIRouter(prefix="/llmage/v1", tags=["llmage"])

_LIMIT_DEFAULT, _LIMIT_MAX = 20, 100
_TEXT_LENGTH_MAX = 200
_CURSOR = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)-([0-9]{1,18})", re.ASCII)
_STATES: Mapping[str, tuple[TaskState, ...]] = {
    "CREATED": (TaskState.QUEUED,),
    "PENDING": (TaskState.QUEUED,),
    "RUNNING": (TaskState.RUNNING,),
    "SUCCEEDED": (TaskState.SUCCEEDED,),
    "FAILED": (TaskState.FAILED, TaskState.CANCELED, TaskState.EXPIRED),
}


class VideoGeneration(BaseModel):
    """A task was made."""

    id: str = Field(description="The id of the usage record that there will be.")
    object: Literal["video.generation"]
    model: str
    status: Literal["submitted"]
    taskid: str
    created: int = Field(description="Unix seconds.")


class VideoQuote(BaseModel):
    """What a request would cost at most."""

    object: Literal["video.quote"]
    model: str = Field(description="The model that would run.")
    llmid: str = Field(description="The offer that would run, and be charged.")
    requested_llmid: str = Field(description="The offer that was asked for.")
    operation: str
    ceiling: str = Field(description="The most that it can cost, which would be held until it ends.")
    currency: str
    price_id: str = Field(description="The version of the price.")
    warnings: list[str] = Field(description="What would be done otherwise than asked.")


class TaskData(LlmageTask):
    """What `/llmage/tasks` says of a task, and its videos' addresses as a list."""

    output: list[str]


class TaskAnswer(BaseModel):
    """One task."""

    status: Literal["ok"]
    data: TaskData


class TaskItem(BaseModel):
    """One task of the list."""

    taskid: str
    status: Word
    progress: int = Field(description="Percent, estimated from how long this model's last videos took.")
    seconds_left: int | None = Field(description="Likewise; null if nothing is known, or nothing is left.")
    model: str
    llmid: str = Field(description="The offer that runs, and is charged.")
    requested_llmid: str = Field(description="The offer that was asked for.")
    operation: str
    created: int = Field(description="Unix seconds.")
    ended: int | None = Field(description="Unix seconds; null until it has ended.")
    quote: str = Field(description="The most that it can cost, which is held until it ends.")
    charge: str = Field(description="What it has cost; `0.00` unless it has succeeded.")
    currency: str
    usage: dict[str, JsonScalar] | None
    image: str | None
    video: str | None
    error: str | None = Field(description="Why it has failed; else null.")


class TaskList(BaseModel):
    """The customer's tasks in the book of the key, newest first."""

    object: Literal["list"]
    data: list[TaskItem]
    next: str | None = Field(description="Give it as `cursor` for the page that follows; null if there is none.")


def _given(value: object) -> object:
    """The dialect's rule: an empty text is not given."""
    return None if value == "" else value


_Text = Annotated[Annotated[str, Field(max_length=_TEXT_LENGTH_MAX)] | None, BeforeValidator(_given)]
_Time = Annotated[Annotated[float, Field(strict=False, ge=0, le=10**11)] | None, BeforeValidator(_given)]


class TasksQuery(BaseModel):
    """One task, or filters of the list; unknown ones are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    taskid: _Text = Field(default=None, description="The task to tell about; without it all are listed.")
    status: Annotated[Word | None, BeforeValidator(_given)] = Field(default=None, description="Only such tasks.")
    model: _Text = Field(default=None, description="Only tasks of this model, by its own name.")
    llmid: _Text = Field(default=None, description="Only tasks that run, or ran, as this offer.")
    operation: Annotated[Annotated[Operation, Field(strict=False)] | None, BeforeValidator(_given)] = Field(
        default=None, description="Only tasks of this operation."
    )
    created_from: _Time = Field(default=None, alias="from", description="Made at this Unix time or later.")
    created_until: _Time = Field(default=None, alias="until", description="Made before this Unix time.")
    limit: Annotated[int, Field(strict=False, ge=1, le=_LIMIT_MAX)] = Field(
        default=_LIMIT_DEFAULT, description="How many at most."
    )
    cursor: _Text = Field(default=None, description="`next` of the page before.")


@router.post(
    "/video/generations",
    response_class=SeedJson,
    responses=error_responses(Dialect.LLMAGE, *KEY_CODES, *SUBMIT_CODES),
)
async def create_video_generation(
    request: Request, response: Response, parts: Parts, caller: AuthenticatedCaller
) -> VideoGeneration:
    """Ask for a video by model and category."""

    async def translate(fields: Fields) -> Fields:
        return from_category(fields, await parts.videos.offers(caller))

    submitted = await submit(request, parts, caller, Dialect.LLMAGE, translate)
    tell(response, submitted)
    task = submitted.task
    return VideoGeneration(
        id=task.usage_id,
        object="video.generation",
        model=task.model,
        status="submitted",
        taskid=task.id,
        created=int(task.created_at),
    )


@router.post(
    "/video/quotes",
    response_class=SeedJson,
    responses=error_responses(Dialect.LLMAGE, *KEY_CODES, *QUOTE_CODES),
)
async def quote_video_generation(request: Request, parts: Parts, caller: AuthenticatedCaller) -> VideoQuote:
    """What the same request to `/llmage/v1/video/generations` would cost at most. Nothing is made, and nothing held.

    Files only count: any text stands for one. Clips are as long as they may be.
    """

    async def translate(fields: Fields) -> Fields:
        return from_category(fields, await parts.videos.offers(caller))

    quoted = await quote(request, parts, caller, translate)
    resolved = quoted.resolved
    return VideoQuote(
        object="video.quote",
        model=resolved.offer.model,
        llmid=resolved.offer.id,
        requested_llmid=resolved.requested.id,
        operation=resolved.offer.operation.value,
        ceiling=format_amount(quoted.ceiling_nanos),
        currency=CURRENCY,
        price_id=quoted.price_id,
        warnings=list(resolved.warnings),
    )


@router.get(
    "/tasks",
    response_class=SeedJson,
    response_model_exclude_unset=True,
    responses=error_responses(Dialect.LLMAGE, *KEY_CODES, "invalid_parameter"),
)
async def list_tasks(
    request: Request, parts: Parts, caller: AuthenticatedCaller, query: Annotated[TasksQuery, Query()]
) -> TaskAnswer | TaskList:
    """One task, if a `taskid` is given, else a list of the customer's own, newest first."""
    if query.taskid is not None:
        return TaskAnswer(status="ok", data=await _task_data(request, parts, caller, query.taskid))
    found = await _matching(parts, caller, query)
    shown = found[: query.limit]
    return TaskList(
        object="list",
        data=[_to_item(request, parts, view) for view in shown],
        next=_cursor(shown[-1]) if len(found) > len(shown) else None,
    )


async def _task_data(request: Request, parts: EdgeParts, caller: Caller, task_id: str) -> TaskData:
    try:
        view = await parts.videos.find(caller, task_id)
    except NotFoundError as error:
        return TaskData(
            usage=None, image=None, video=None, status="FAILED", taskid=task_id, error=error.message, output=[]
        )
    task = to_llmage_task(request, parts, view)
    return TaskData(**task.model_dump(exclude_unset=True), output=[task.video] if task.video else [])


async def _matching(parts: EdgeParts, caller: Caller, query: TasksQuery) -> list[VideoView]:
    """One page, and one task more if there is one.

    Our rows do not tell CREATED from PENDING, so that of these more may have to be read; of tasks that wait a customer
    cannot have many.
    """
    where = TaskFilter(
        customer_id=caller.customer.id,
        book=caller.key.book,
        offer_id=query.llmid,
        model=query.model,
        operation=query.operation,
        states=_STATES[query.status] if query.status is not None else (),
        created_from=query.created_from,
        created_until=query.created_until,
        before=_position(query.cursor) if query.cursor is not None else None,
        limit=query.limit + 1,
    )
    found: list[VideoView] = []
    while True:
        views = await parts.videos.list(caller, where)
        found += [view for view in views if query.status in (None, word_of(view.task))]
        if len(found) > query.limit or len(views) < where.limit:
            return found
        where = replace(where, before=(views[-1].task.created_at, views[-1].task.id))


def _cursor(view: VideoView) -> str:
    return f"{view.task.created_at!r}-{view.task.id}"


def _position(cursor: str) -> tuple[float, str]:
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise invalid("cursor", "give `next` of the page before")
    return float(match[1]), match[2]


def _to_item(request: Request, parts: EdgeParts, view: VideoView) -> TaskItem:
    task = view.task
    seen = to_llmage_task(request, parts, view)
    return TaskItem(
        taskid=task.id,
        status=seen.status,
        progress=view.progress,
        seconds_left=view.seconds_left,
        model=task.model,
        llmid=task.offer_id,
        requested_llmid=task.requested_offer_id,
        operation=task.operation.value,
        created=int(task.created_at),
        ended=int(task.ended_at) if task.ended_at is not None else None,
        quote=format_amount(task.ceiling_nanos),
        charge=format_amount(task.charge_nanos),
        currency=CURRENCY,
        usage=seen.usage,
        image=seen.image,
        video=seen.video,
        error=failure_text(task) if seen.status == "FAILED" else None,
    )
