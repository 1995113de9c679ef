"""`/v1/videos`: video in OpenAI's shape, so that its SDKs work with another base URL."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.identity import Caller
from yuanjing.domain.money import format_amount
from yuanjing.domain.parameters import Fields
from yuanjing.domain.parameters.values import invalid
from yuanjing.domain.tasks import PROVIDER_CHOOSES, JsonScalar, TaskState
from yuanjing.domain.video_offers import VideoSpec
from yuanjing.domain.videos import VideoTask
from yuanjing.edge.auth import AuthenticatedCaller
from yuanjing.edge.error_docs import KEY_CODES, error_responses
from yuanjing.edge.files import artifact_url, send_artifact
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.edge.pricing import CURRENCY
from yuanjing.edge.video_docs import FILE_CODES, SUBMIT_CODES
from yuanjing.edge.video_offers import from_openai, name_reference
from yuanjing.edge.video_submit import submit, tell
from yuanjing.edge.videos_llmage import failure_reason, failure_text
from yuanjing.ports.tasks import TaskFilter
from yuanjing.usecases.videos import VideoView

router = APIRouter(prefix="/v1/videos", tags=["videos"])

POLL_HEADER = "openai-poll-after-ms"
_POLL_MS_MIN, _POLL_MS_MAX, _POLL_MS_UNKNOWN = 1_000, 10_000, 3_000
_POLLS_OF_TIME_LEFT = 4
_LIMIT_DEFAULT, _LIMIT_MAX = 20, 100
_ID_LENGTH_MAX = 200
_UNKNOWN = "auto"
"""What `seconds` and `size` say while the model chooses them itself."""

_STATUS: dict[TaskState, Literal["queued", "in_progress", "completed", "failed"]] = {
    TaskState.QUEUED: "queued",
    TaskState.RUNNING: "in_progress",
    TaskState.SUCCEEDED: "completed",
    TaskState.FAILED: "failed",
    TaskState.CANCELED: "failed",
    TaskState.EXPIRED: "failed",
}


class VideoNotReadyError(YuanjingError):
    """The video is not made yet."""

    code = "video_not_ready"

    def __init__(self, status: str) -> None:
        super().__init__(f"The video is not made yet, its status is {status}; ask again once it is completed")


class NoVideoError(YuanjingError):
    """There is no such file, and there will be none."""

    code = "not_found"


class VideoProblem(BaseModel):
    """Why there is no video."""

    code: str
    message: str


class VideoDetails(BaseModel):
    """What the platform adds to OpenAI's keys."""

    llmid: str = Field(description="The offer that runs, and is charged.")
    requested_llmid: str = Field(description="The offer that was asked for.")
    operation: str
    currency: str
    ceiling: str = Field(description="The most that it can cost, which is held until it ends.")
    charge: str = Field(description="What it has cost; `0.00` unless it is completed.")
    warnings: list[str] = Field(description="What is done otherwise than asked; told at creation only.")
    seconds_left: int | None = Field(description="Estimated; null if nothing is known, or nothing is left.")
    usage: dict[str, JsonScalar] | None = Field(description="What was counted; null until it is completed.")
    video_url: str | None = Field(description="The file's address, which needs no key.")
    thumbnail_url: str | None = Field(description="The cover's address, which needs no key.")


class Video(BaseModel):
    """A video, under way or made: OpenAI's keys first."""

    id: str
    object: Literal["video"]
    created_at: int = Field(description="Unix seconds.")
    completed_at: int | None = Field(description="Unix seconds; null until it is completed.")
    expires_at: int | None = Field(description="Unix seconds at which its files go; null until it is completed.")
    status: Literal["queued", "in_progress", "completed", "failed"]
    model: str
    progress: int = Field(description="Percent, estimated from how long this model's last videos took.")
    prompt: str
    seconds: str = Field(description="The length; `auto` until it is made if the model chooses it.")
    size: str = Field(description="Width x height; before it is made the tier, or `auto`, if the rest is open.")
    error: VideoProblem | None
    remixed_from_video_id: None
    yuanjing: VideoDetails


class VideoList(BaseModel):
    """A page of the customer's videos in the book of the key."""

    object: Literal["list"]
    data: list[Video]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeleted(BaseModel):
    """The video is gone from the customer's sight; one under way is canceled."""

    id: str
    object: Literal["video.deleted"]
    deleted: Literal[True]


def _given(value: object) -> object:
    return None if value == "" else value


_Id = Annotated[str, Path(max_length=_ID_LENGTH_MAX, description="The video.")]


class VideosQuery(BaseModel):
    """Which page; unknown parameters are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    after: Annotated[Annotated[str, Field(max_length=_ID_LENGTH_MAX)] | None, BeforeValidator(_given)] = Field(
        default=None, description="The last video of the page before."
    )
    limit: Annotated[int, Field(strict=False, ge=1, le=_LIMIT_MAX)] = Field(
        default=_LIMIT_DEFAULT, description="How many at most."
    )
    order: Literal["asc", "desc"] = Field(default="desc", description="By creation; the newest come first.")


@router.post("", responses=error_responses(Dialect.OPENAI, *KEY_CODES, *SUBMIT_CODES))
async def create_video(request: Request, response: Response, parts: Parts, caller: AuthenticatedCaller) -> Video:
    """Ask for a video. The most that it can cost is held until it ends; one that fails costs nothing."""
    asked: Fields = {}

    async def translate(fields: Fields) -> Fields:
        nonlocal asked
        asked = fields
        return from_openai(fields, await parts.videos.offers(caller))

    try:
        submitted = await submit(request, parts, caller, Dialect.OPENAI, translate)
    except YuanjingError as error:
        name_reference(error, asked)
        raise
    tell(response, submitted)
    view = await parts.videos.find(caller, submitted.task.id)
    video = to_video(request, parts, view, await _specs(parts, caller))
    video.yuanjing.warnings.extend(submitted.warnings)
    return _paced(response, video)


@router.get("", responses=error_responses(Dialect.OPENAI, *KEY_CODES, "invalid_parameter", "not_found"))
async def list_videos(
    request: Request, parts: Parts, caller: AuthenticatedCaller, query: Annotated[VideosQuery, Query()]
) -> VideoList:
    """The customer's videos, those under way and failed ones too."""
    after = (await parts.videos.find(caller, query.after)).task if query.after is not None else None
    where = TaskFilter(
        customer_id=caller.customer.id,
        book=caller.key.book,
        before=(after.created_at, after.id) if after is not None else None,
        is_ascending=query.order == "asc",
        limit=query.limit + 1,
    )
    views = await parts.videos.list(caller, where)
    specs = await _specs(parts, caller)
    videos = [to_video(request, parts, view, specs) for view in views[: query.limit]]
    return VideoList(
        object="list",
        data=videos,
        first_id=videos[0].id if videos else None,
        last_id=videos[-1].id if videos else None,
        has_more=len(views) > len(videos),
    )


@router.get("/{video_id}", responses=error_responses(Dialect.OPENAI, *KEY_CODES, "invalid_parameter", "not_found"))
async def get_video(
    request: Request, response: Response, parts: Parts, caller: AuthenticatedCaller, video_id: _Id
) -> Video:
    """Where a video stands."""
    view = await parts.videos.find(caller, video_id)
    return _paced(response, to_video(request, parts, view, await _specs(parts, caller)))


@router.delete("/{video_id}", responses=error_responses(Dialect.OPENAI, *KEY_CODES, "invalid_parameter", "not_found"))
async def delete_video(parts: Parts, caller: AuthenticatedCaller, video_id: _Id) -> VideoDeleted:
    """Put a video out of sight; one that is under way is canceled where its provider can do that."""
    view = await parts.videos.delete(caller, video_id)
    return VideoDeleted(id=view.task.id, object="video.deleted", deleted=True)


@router.get(
    "/{video_id}/content",
    response_class=Response,
    responses={
        200: {
            "content": {
                "video/mp4": {"schema": {"type": "string", "format": "binary"}},
                "image/jpeg": {"schema": {"type": "string", "format": "binary"}},
            },
            "description": "The file.",
        },
        206: {"description": "The part of it that was asked for."},
        304: {"description": "The file that the client has is still right."},
        307: {"description": "The file is at the address in `Location`, for some minutes."},
        **error_responses(Dialect.OPENAI, *KEY_CODES, *FILE_CODES),
    },
)
async def get_video_content(
    request: Request,
    parts: Parts,
    caller: AuthenticatedCaller,
    video_id: _Id,
    variant: Annotated[str, Query(max_length=_ID_LENGTH_MAX, description="`video` or `thumbnail`.")] = "video",
) -> Response:
    """The video's file, or its cover; parts of it by `Range`."""
    if variant not in ("", "video", "thumbnail"):
        raise invalid("variant", "video or thumbnail; there are no sprite sheets")
    view = await parts.videos.find(caller, video_id)
    status = _STATUS[view.task.state]
    if status == "failed":
        raise NoVideoError(f"There is no video: {failure_text(view.task)}", param="video_id")
    if status != "completed":
        raise VideoNotReadyError(status)
    artifact = view.cover if variant == "thumbnail" else view.video
    if artifact is None:
        raise NoVideoError(f"This video has no {variant or 'video'}", param="variant")
    return await send_artifact(request, parts, artifact)


async def _specs(parts: EdgeParts, caller: Caller) -> Mapping[str, VideoSpec]:
    """What the offers that are there now make, by id."""
    return {offer.id: offer.video for offer in await parts.videos.offers(caller) if offer.video is not None}


def _paced(response: Response, video: Video) -> Video:
    """The same video; a header tells SDKs when to ask again."""
    if video.status in ("queued", "in_progress"):
        left = video.yuanjing.seconds_left
        wait = _POLL_MS_UNKNOWN if left is None else left * 1000 // _POLLS_OF_TIME_LEFT
        response.headers[POLL_HEADER] = str(min(max(wait, _POLL_MS_MIN), _POLL_MS_MAX))
    return video


def to_video(request: Request, parts: EdgeParts, view: VideoView, specs: Mapping[str, VideoSpec]) -> Video:
    """The video object."""
    task = view.task
    status = _STATUS[task.state]
    is_done = status == "completed"
    return Video(
        id=task.id,
        object="video",
        created_at=int(task.created_at),
        completed_at=int(task.ended_at) if is_done and task.ended_at is not None else None,
        expires_at=int(view.video.expires_at) if view.video is not None else None,
        status=status,
        model=task.request.model,
        progress=view.progress,
        prompt=task.request.prompt,
        seconds=_seconds(view),
        size=_size(view, specs.get(view.task.offer_id)),
        error=_problem(task) if status == "failed" else None,
        remixed_from_video_id=None,
        yuanjing=VideoDetails(
            llmid=task.offer_id,
            requested_llmid=task.requested_offer_id,
            operation=task.operation.value,
            currency=CURRENCY,
            ceiling=format_amount(task.ceiling_nanos),
            charge=format_amount(task.charge_nanos),
            warnings=[],
            seconds_left=view.seconds_left,
            usage=dict(task.usage) if task.usage is not None else None,
            video_url=artifact_url(request, parts, view.video) if view.video is not None else None,
            thumbnail_url=artifact_url(request, parts, view.cover) if view.cover is not None else None,
        ),
    )


def _seconds(view: VideoView) -> str:
    asked = view.task.request.duration_seconds
    if view.video is not None and view.video.facts.seconds is not None:
        return str(round(view.video.facts.seconds))
    return _UNKNOWN if asked is None or asked == PROVIDER_CHOOSES else str(asked)


def _size(view: VideoView, spec: VideoSpec | None) -> str:
    asked = view.task.request
    if view.video is not None and view.video.facts.width is not None:
        return f"{view.video.facts.width}x{view.video.facts.height}"
    pixels = spec.pixels if spec is not None else ()
    made = (p.size for p in pixels if (p.resolution, p.ratio) == (asked.resolution, asked.ratio))
    size = asked.size or next(made, None)
    return f"{size.width}x{size.height}" if size is not None else asked.resolution or _UNKNOWN


def _problem(task: VideoTask) -> VideoProblem:
    return VideoProblem(code=failure_reason(task), message=failure_text(task))
