"""Ark's bodies: a task as "get", "list" and callbacks tell it."""

import datetime as dt
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from yuanjing.sandbox.video import ark_tokens
from yuanjing.sandbox.video.ark_models import FPS
from yuanjing.sandbox.video.tasks import Task, View
from yuanjing.sandbox.video.wish import Failure, FailureKind, Phase

CHINA = dt.timezone(dt.timedelta(hours=8))
STATUS: Final = {
    Phase.CREATED: "queued",
    Phase.QUEUED: "queued",
    Phase.RUNNING: "running",
    Phase.SUCCEEDED: "succeeded",
    Phase.FAILED: "failed",
    Phase.CANCELED: "cancelled",
    Phase.EXPIRED: "expired",
}
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_FACTS = "ark"
_MODERATED = "The request failed because the output video may contain sensitive information."
_CODES = {
    FailureKind.MODERATED: "OutputVideoSensitiveContentDetected",
    FailureKind.INTERNAL: "InternalServiceError",
}


@dataclass(frozen=True, kw_only=True)
class ArkFacts:
    """What the answers tell of a task beside its state, and what a later request may ask about it.

    Attributes:
        service: the name of the service that took it.
        input_seconds: seconds of the input's videos.
        priority: None for a model without it.
    """

    service: str
    resolution: str
    ratio: str
    seed: int
    generate_audio: bool
    draft: bool
    draft_task_id: str
    priority: int | None
    service_tier: str
    execution_expires_after: int
    safety_identifier: str
    tools: tuple[str, ...]
    return_last_frame: bool
    input_seconds: float

    def kept(self) -> dict[str, object]:
        """As a task's facts."""
        return {_FACTS: self}


def facts_of(task: Task) -> ArkFacts:
    """The facts of a task of this protocol."""
    return cast("ArkFacts", task.facts[_FACTS])


def new_id(now: dt.datetime) -> str:
    """An id of a task: `cgt-`, the time in China [assumed], five letters or digits."""
    tail = "".join(secrets.choice(_ID_LETTERS) for _ in range(5))
    return f"cgt-{now.astimezone(CHINA):%Y%m%d%H%M%S}-{tail}"


def body(task: Task, view: View) -> dict[str, object]:
    """The task as "get" tells it; which fields an unfinished task has is [assumed]."""
    facts = facts_of(task)
    told: dict[str, object] = {"id": task.id, "model": task.wish.model, "status": STATUS[view.phase]}
    if view.phase is Phase.SUCCEEDED:
        told |= _success(task, view, facts)
    elif view.phase is Phase.FAILED and view.failure:
        told["error"] = _error(view.failure)
    elif view.phase.is_final:
        told["error"] = None
    told |= {
        "service_tier": facts.service_tier,
        "created_at": int(view.created_at),
        "updated_at": int(view.updated_at),
        "execution_expires_after": facts.execution_expires_after,
    }
    if facts.safety_identifier:
        told["safety_identifier"] = facts.safety_identifier
    return told


def _success(task: Task, view: View, facts: ArkFacts) -> dict[str, object]:
    wish = task.wish
    tokens = ark_tokens.count(wish.width, wish.height, view.seconds, facts.input_seconds)
    if facts.draft:
        tokens = ark_tokens.count_draft(tokens, has_audio=facts.generate_audio)
    content: dict[str, object] = {"video_url": view.video_url}
    if facts.return_last_frame:
        content["last_frame_url"] = view.last_frame_url
    usage: dict[str, object] = {"completion_tokens": tokens, "total_tokens": tokens}
    if facts.tools:
        usage["tool_usage"] = {"web_search": 1}
    told: dict[str, object] = {
        "content": content,
        "seed": facts.seed,
        "usage": usage,
        "resolution": facts.resolution,
        "ratio": facts.ratio,
        "duration": int(FPS * view.seconds) // FPS,
        "framespersecond": FPS,
        "generate_audio": facts.generate_audio,
        "draft": facts.draft,
    }
    if facts.draft_task_id:
        told["draft_task_id"] = facts.draft_task_id
    if facts.priority is not None:
        told["priority"] = facts.priority
    if facts.tools:
        told["tools"] = [{"type": tool} for tool in facts.tools]
    return told


def _error(failure: Failure) -> Mapping[str, str]:
    code = failure.code or _CODES.get(failure.kind, "InvalidParameter")
    return {"code": code, "message": _MODERATED if failure.kind is FailureKind.MODERATED else failure.text}
