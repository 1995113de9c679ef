"""`/llmage/video` and `/llmage/tasks`: video in the seed's dialect, in its printed form."""

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.identity import Caller
from yuanjing.domain.parameters.values import missing
from yuanjing.domain.tasks import FailureKind, JsonScalar, TaskState
from yuanjing.domain.videos import VideoTask
from yuanjing.edge.auth import AuthenticatedCaller
from yuanjing.edge.error_docs import KEY_CODES, error_responses
from yuanjing.edge.files import artifact_url
from yuanjing.edge.forms import read_fields
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.edge.video_docs import FORM_CODES, SUBMIT_CODES
from yuanjing.edge.video_offers import text_of
from yuanjing.edge.video_submit import submit, tell
from yuanjing.usecases.videos import VideoView

router = APIRouter(prefix="/llmage", tags=["llmage"])

_OURS = "provider_unavailable"
_REASONS = {
    FailureKind.INVALID_INPUT: "invalid_request",
    FailureKind.MODERATED: "content_policy_violation",
}
FAILURE_REASONS = frozenset({_OURS, *_REASONS.values()})
"""Why a provider has not made a video; its trouble with us is none of the customer's business."""

Word = Literal["CREATED", "PENDING", "RUNNING", "SUCCEEDED", "FAILED"]


class SeedJson(JSONResponse):
    """JSON with the blanks of the seed's samples."""

    def render(self, content: object) -> bytes:
        """The body."""
        return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()


class CreatedTask(BaseModel):
    """A task was made."""

    taskid: str
    status: Literal["created", "CREATED"] = Field(description="Lower case unless the platform is set otherwise.")


class LlmageTask(BaseModel):
    """Where a task stands, and what came of it; keys in the seed's order."""

    usage: dict[str, JsonScalar] | None = Field(description="What was counted; null until it has succeeded.")
    image: str | None = Field(description="The cover's address; null until it has succeeded.")
    video: str | None = Field(description="The video's address; null until it has succeeded.")
    status: Word
    taskid: str
    error: str = Field(default="", description="Why it has failed; only then is it there.")


@router.post("/video", response_class=SeedJson, responses=error_responses(Dialect.LLMAGE, *KEY_CODES, *SUBMIT_CODES))
async def create_llmage_video(
    request: Request, response: Response, parts: Parts, caller: AuthenticatedCaller
) -> CreatedTask:
    """Ask for a video. The most that it can cost is held until the task ends; a task that fails costs nothing."""
    submitted = await submit(request, parts, caller, Dialect.LLMAGE)
    tell(response, submitted)
    return CreatedTask(taskid=submitted.task.id, status=parts.create_status_word)


_QUERY_RESPONSES = error_responses(Dialect.LLMAGE, *KEY_CODES, *FORM_CODES, "not_found")
_TaskId = Annotated[str, Query(description="The task; it may be in the body instead.")]


@router.get("/tasks", response_class=SeedJson, response_model_exclude_unset=True, responses=_QUERY_RESPONSES)
async def get_llmage_task(
    request: Request, parts: Parts, caller: AuthenticatedCaller, taskid: _TaskId = ""
) -> LlmageTask:
    """Where a task of this key's customer stands, and its video once there is one."""
    return await _query(request, parts, caller, taskid)


@router.post("/tasks", response_class=SeedJson, response_model_exclude_unset=True, responses=_QUERY_RESPONSES)
async def query_llmage_task(
    request: Request, parts: Parts, caller: AuthenticatedCaller, taskid: _TaskId = ""
) -> LlmageTask:
    """The same; the task's id may be in a JSON body or a form, and there need not be a body."""
    return await _query(request, parts, caller, taskid)


async def _query(request: Request, parts: EdgeParts, caller: Caller, taskid: str) -> LlmageTask:
    if not taskid:
        async with read_fields(request, parts.forms) as fields:
            taskid = text_of(fields, "taskid")
    if not taskid:
        raise missing("taskid")
    return to_llmage_task(request, parts, await parts.videos.find(caller, taskid))


def word_of(task: VideoTask) -> Word:
    """The seed's word for where a task stands: it is CREATED until the provider has accepted it."""
    if task.state is TaskState.QUEUED:
        return "CREATED" if task.accepted_at is None else "PENDING"
    if task.state is TaskState.RUNNING:
        return "RUNNING"
    return "SUCCEEDED" if task.state is TaskState.SUCCEEDED else "FAILED"


def to_llmage_task(request: Request, parts: EdgeParts, view: VideoView) -> LlmageTask:
    """The answer about a task."""
    task = view.task
    made = LlmageTask(
        usage=dict(task.usage) if task.usage is not None else None,
        image=artifact_url(request, parts, view.cover) if view.cover is not None else None,
        video=artifact_url(request, parts, view.video) if view.video is not None else None,
        status=word_of(task),
        taskid=task.id,
    )
    if made.status == "FAILED":
        made.error = failure_text(task)
    return made


def failure_reason(task: VideoTask) -> str:
    """The same as a code: one of `FAILURE_REASONS`, or how the task has ended."""
    if task.state is not TaskState.FAILED or task.failure is None:
        return task.state.value
    return _REASONS.get(task.failure.kind, _OURS)


def failure_text(task: VideoTask) -> str:
    """Why a task that ended without a video did so, in words for its customer."""
    if task.failure is not None:
        return task.failure.text
    return "The task was canceled" if task.state is TaskState.CANCELED else "The task took too long"
