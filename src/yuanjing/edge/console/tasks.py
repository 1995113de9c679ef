"""`/api/tasks…`: a customer's video tasks, whichever of its keys has submitted them."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from fastapi import Query as FromQuery
from pydantic import BaseModel, Field

from yuanjing.domain.artifacts import Artifact
from yuanjing.domain.catalog import Operation
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.money import Book, format_amount
from yuanjing.domain.tasks import PROVIDER_CHOOSES, JsonScalar, TaskState
from yuanjing.domain.videos import TaskMedia, VideoRequest, VideoTask
from yuanjing.edge.console.auth import AuthenticatedSession
from yuanjing.edge.console.bodies import api_time
from yuanjing.edge.console.cursors import CURSOR_LENGTH_MAX, cursor_of, position_of
from yuanjing.edge.console.errors import READ_CODES, WRITE_CODES
from yuanjing.edge.console.queries import PAGE_DEFAULT, PAGE_MAX, TIME_LENGTH_MAX, ApiQuery, read_time
from yuanjing.edge.console.usage import ID_LENGTH_MAX, NAME_LENGTH_MAX
from yuanjing.edge.console.usage_views import (
    CURRENCY,
    ArithmeticView,
    PriceVersionView,
    to_arithmetic,
    to_price_version,
)
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.files import artifact_url
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.edge.receipts import RECEIPT_ANSWER, receipt_answer
from yuanjing.edge.videos_llmage import failure_reason, failure_text
from yuanjing.ports.tasks import TaskFilter
from yuanjing.usecases.signin import SignedIn
from yuanjing.usecases.usage_pages import own_key
from yuanjing.usecases.usages import explain_task
from yuanjing.usecases.videos import VideoView, Viewer

router = APIRouter(prefix="/api", tags=["tasks"])


class TasksQuery(ApiQuery):
    """Which tasks."""

    state: TaskState | None = Field(
        default=None,
        description="Only such: `queued`, `running`, `succeeded`, `failed`, `canceled` or `expired`.",
    )
    key: str | None = Field(default=None, max_length=ID_LENGTH_MAX, description="Only of this key.")
    model: str | None = Field(default=None, max_length=NAME_LENGTH_MAX, description="Only of this model.")
    operation: Operation | None = Field(default=None, description="Only of this operation, such as `text_to_video`.")
    book: Book | None = Field(default=None, description="Only of this book.")
    from_: str | None = Field(
        default=None,
        alias="from",
        max_length=TIME_LENGTH_MAX,
        description="Made at this time or later: RFC 3339, or a day of UTC+8.",
    )
    to: str | None = Field(
        default=None,
        max_length=TIME_LENGTH_MAX,
        description="Made before this time: RFC 3339, or a day of UTC+8, which is included.",
    )
    cursor: str | None = Field(default=None, max_length=CURSOR_LENGTH_MAX, description="`next` of the page before.")
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MAX, description="How many at most.")


class ArtifactView(BaseModel):
    """A file that a task has made."""

    kind: str = Field(description="`video` or `cover`.")
    url: str | None = Field(description="Where it is; null once it is not kept any more.")
    media_type: str
    size_bytes: int
    width: int | None
    height: int | None
    seconds: str | None
    sha256: str
    expires_at: str


class TaskErrorView(BaseModel):
    """Why a task has not succeeded."""

    code: str = Field(description="`failed`, `canceled` or `expired`.")
    reason: str = Field(
        description="`content_policy_violation`, `invalid_request` or `provider_unavailable`, of one that has failed; "
        "else the code."
    )
    message: str


class TaskView(BaseModel):
    """A video task."""

    object: Literal["task"]
    id: str
    book: Literal["live", "test"]
    key_id: str
    model: str
    operation: str
    state: Literal["queued", "running", "succeeded", "failed", "canceled", "expired"]
    progress: int = Field(description="Percent, estimated from how long this model's last videos took.")
    seconds_left: int | None = Field(description="Likewise; null if nothing is known, or nothing is left.")
    is_cancel_requested: bool
    ceiling: str = Field(description="The most that it can cost, which is held until it ends.")
    charge: str = Field(description="What it has cost; `0.00` unless it has succeeded.")
    currency: Literal["CNY"]
    usage: dict[str, JsonScalar] | None = Field(description="What was counted, as the other dialects tell it.")
    usage_id: str | None = Field(description="Its record under `/api/usage`; null unless it has succeeded.")
    request_id: str
    artifacts: list[ArtifactView]
    error: TaskErrorView | None
    created_at: str
    ended_at: str | None


class TaskPage(BaseModel):
    """Tasks, newest first."""

    object: Literal["list"]
    data: list[TaskView]
    next: str | None = Field(description="As `cursor` it brings the next page; null on the last one.")


class TaskFileView(BaseModel):
    """A file that was given with the request."""

    role: str = Field(description="What it is for, such as `first_frame`.")
    url: str | None = Field(description="Where it is, to be given again; null once it is not kept.")
    media_type: str | None = Field(description="Null of a file in the provider's library.")
    seconds: str | None = Field(description="Of a clip.")


class TaskParametersView(BaseModel):
    """What was asked for, with every default filled in; null leaves it to the model."""

    model: str = Field(description="The model's own name of what was chosen.")
    prompt: str = Field(description="Empty once it was forgotten, some time after the end.")
    negative_prompt: str
    resolution: str | None
    size: str | None = Field(description="Width x height.")
    ratio: str | None
    seconds: int | None
    off_peak: bool
    audio: bool | None
    seed: int | None
    watermark: bool
    files: list[TaskFileView]


class TaskDetails(TaskView):
    """A task with what was asked for, its price and when what happened."""

    parameters: TaskParametersView
    accepted_at: str | None = Field(description="When its provider had accepted it.")
    started_at: str | None = Field(description="When its provider began with it, if that was told.")
    price: PriceVersionView | None = Field(description="The version that it was quoted and is charged at.")
    arithmetic: ArithmeticView | None = Field(description="How its charge came about; null unless it has succeeded.")


class DeletedTask(BaseModel):
    """What became of a task that is not wanted."""

    object: Literal["task.deleted"]
    id: str
    deleted: bool = Field(description="False if it is under way: it was asked to end, and can be deleted then.")


@router.get(
    "/tasks",
    responses=error_responses(Dialect.CONSOLE, *READ_CODES, "invalid_parameter", "not_found"),
)
async def list_own_tasks(
    request: Request, parts: Parts, signed_in: AuthenticatedSession, query: Annotated[TasksQuery, FromQuery()]
) -> TaskPage:
    """The customer's video tasks, newest first."""
    where = TaskFilter(
        key_id=query.key,
        book=query.book,
        model=query.model,
        operation=query.operation,
        states=() if query.state is None else (query.state,),
        created_from=read_time(query.from_, "from"),
        created_until=read_time(query.to, "to", is_end=True),
        before=position_of(query.cursor),
        limit=query.limit + 1,
    )
    if where.key_id is not None:
        customer_id, key_id = signed_in.customer.id, where.key_id
        await parts.store.read(lambda tx: own_key(tx, customer_id, key_id))
    found = await parts.videos.list(_viewer(signed_in), where)
    shown = found[: query.limit]
    return TaskPage(
        object="list",
        data=[_view(request, parts, one) for one in shown],
        next=cursor_of(shown[-1].task.created_at, shown[-1].task.id) if len(found) > len(shown) else None,
    )


@router.get("/tasks/{task_id}", responses=error_responses(Dialect.CONSOLE, *READ_CODES, "not_found"))
async def get_task(request: Request, parts: Parts, signed_in: AuthenticatedSession, task_id: str) -> TaskDetails:
    """One task, with its files, its price and what it has cost."""
    found = await parts.videos.find(_viewer(signed_in), task_id)
    price, explanation = await explain_task(parts.store, found.task)
    return TaskDetails(
        **_view(request, parts, found).model_dump(),
        parameters=_parameters(request, parts, found.task.request, await _inputs(parts, found.task.request)),
        accepted_at=_optional_time(found.task.accepted_at),
        started_at=_optional_time(found.task.started_at),
        price=None if price is None else to_price_version(price),
        arithmetic=None if explanation is None else to_arithmetic(explanation),
    )


@router.delete("/tasks/{task_id}", responses=error_responses(Dialect.CONSOLE, *WRITE_CODES, *READ_CODES, "not_found"))
async def delete_task(parts: Parts, signed_in: AuthenticatedSession, task_id: str) -> DeletedTask:
    """Put a task that has ended out of sight, its files with it; ask for the end of one that is under way."""
    found = await parts.videos.delete(_viewer(signed_in), task_id)
    return DeletedTask(object="task.deleted", id=found.task.id, deleted=found.task.state.is_final)


@router.post(
    "/tasks/{task_id}/cancel",
    responses=error_responses(Dialect.CONSOLE, *WRITE_CODES, *READ_CODES, "not_found", "task_ended"),
)
async def cancel_task(request: Request, parts: Parts, signed_in: AuthenticatedSession, task_id: str) -> TaskView:
    """Ask for the end of a task that is under way; one that has ended is never touched."""
    return _view(request, parts, await parts.videos.cancel(_viewer(signed_in), task_id))


@router.get(
    "/tasks/{task_id}/receipt",
    response_class=Response,
    responses={
        200: RECEIPT_ANSWER,
        **error_responses(Dialect.CONSOLE, *READ_CODES, "not_found", "video_not_ready"),
    },
)
async def get_task_receipt(parts: Parts, signed_in: AuthenticatedSession, task_id: str) -> Response:
    """A signed receipt of a task that has ended, with the hashes of its files."""
    return receipt_answer(await parts.receipts.of_task(task_id, customer_id=signed_in.customer.id))


def _viewer(signed_in: SignedIn) -> Viewer:
    return Viewer(customer_id=signed_in.customer.id)


def _view(request: Request, parts: EdgeParts, view: VideoView) -> TaskView:
    task = view.task
    has_failed = task.state.is_final and task.state is not TaskState.SUCCEEDED
    files = [one for one in (view.video, view.cover) if one is not None]
    return TaskView(
        object="task",
        id=task.id,
        book=task.book.value,
        key_id=task.key_id,
        model=task.model,
        operation=task.operation.value,
        state=task.state.value,
        progress=view.progress,
        seconds_left=view.seconds_left,
        is_cancel_requested=task.is_cancel_requested,
        ceiling=format_amount(task.ceiling_nanos),
        charge=format_amount(task.charge_nanos),
        currency=CURRENCY,
        usage=None if task.usage is None else dict(task.usage),
        usage_id=task.usage_id if task.state is TaskState.SUCCEEDED else None,
        request_id=task.request_id,
        artifacts=[_artifact(request, parts, one) for one in files],
        error=_error(task) if has_failed else None,
        created_at=api_time(task.created_at),
        ended_at=_optional_time(task.ended_at),
    )


def _error(task: VideoTask) -> TaskErrorView:
    return TaskErrorView(code=task.state.value, reason=failure_reason(task), message=failure_text(task))


def _optional_time(at: float | None) -> str | None:
    return None if at is None else api_time(at)


async def _inputs(parts: EdgeParts, asked: VideoRequest) -> Mapping[str, Artifact]:
    """The files that were given, by id, as far as their rows are there."""
    ids = [one.artifact_id for one in asked.media if not one.is_asset]
    found = await parts.store.read(lambda tx: [tx.artifacts.get(id_) for id_ in ids]) if ids else []
    return {one.id: one for one in found if one is not None}


def _file(request: Request, parts: EdgeParts, media: TaskMedia, artifact: Artifact | None) -> TaskFileView:
    url = None if artifact is None else _kept_url(request, parts, artifact)
    return TaskFileView(
        role=media.role.value,
        url=media.source_url if media.is_asset else url,
        media_type=None if artifact is None else artifact.facts.media_type,
        seconds=None if media.seconds is None else str(media.seconds),
    )


def _parameters(
    request: Request, parts: EdgeParts, asked: VideoRequest, inputs: Mapping[str, Artifact]
) -> TaskParametersView:
    size, seconds = asked.size, asked.duration_seconds
    return TaskParametersView(
        model=asked.model,
        prompt=asked.prompt,
        negative_prompt=asked.negative_prompt,
        resolution=asked.resolution,
        size=None if size is None else f"{size.width}x{size.height}",
        ratio=asked.ratio,
        seconds=None if seconds == PROVIDER_CHOOSES else seconds,
        off_peak=asked.off_peak,
        audio=asked.audio,
        seed=asked.seed,
        watermark=asked.watermark,
        files=[_file(request, parts, one, inputs.get(one.artifact_id)) for one in asked.media],
    )


def _kept_url(request: Request, parts: EdgeParts, artifact: Artifact) -> str | None:
    is_kept = artifact.removed_at is None and artifact.expires_at > parts.clock.unix()
    return artifact_url(request, parts, artifact) if is_kept else None


def _artifact(request: Request, parts: EdgeParts, artifact: Artifact) -> ArtifactView:
    facts = artifact.facts
    return ArtifactView(
        kind=artifact.kind.value,
        url=_kept_url(request, parts, artifact),
        media_type=facts.media_type,
        size_bytes=facts.size_bytes,
        width=facts.width,
        height=facts.height,
        seconds=None if facts.seconds is None else str(facts.seconds),
        sha256=artifact.sha256,
        expires_at=api_time(artifact.expires_at),
    )
