"""DashScope's bodies: a task as the query and the list tell it."""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Final, cast

from yuanjing.sandbox.video.dashscope_models import DashModel, tier_of
from yuanjing.sandbox.video.tasks import Task, View
from yuanjing.sandbox.video.wish import Failure, FailureKind, Phase

CHINA = dt.timezone(dt.timedelta(hours=8))
STATUS: Final = {
    Phase.CREATED: "PENDING",
    Phase.QUEUED: "PENDING",
    Phase.RUNNING: "RUNNING",
    Phase.SUCCEEDED: "SUCCEEDED",
    Phase.FAILED: "FAILED",
    Phase.CANCELED: "CANCELED",
    Phase.EXPIRED: "FAILED",
}
STATUSES = frozenset({*STATUS.values(), "UNKNOWN"})
REGION = "cn-beijing"

_FACTS = "dashscope"
_MODERATED = "Output data may contain inappropriate content."
_TIMEOUT = Failure(kind=FailureKind.INTERNAL, code="InternalError.Timeout", text="The task timed out.")
_CODES = {
    FailureKind.INVALID: "InvalidParameter",
    FailureKind.MODERATED: "DataInspectionFailed",
    FailureKind.MEDIA_UNREACHABLE: "InvalidURL.ConnectionRefused",
    FailureKind.MEDIA_INVALID: "InvalidParameter.DataInspection",
    FailureKind.MEDIA_TOO_LARGE: "InvalidParameter",
    FailureKind.INTERNAL: "InternalError.Algo",
}
"""The spelling of the codes about media is [assumed]."""


@dataclass(frozen=True, kw_only=True)
class DashFacts:
    """What the answers tell of a task beside its state.

    Attributes:
        request_id: of the submission.
        original: the prompt as given.
        row: what the model takes; it decides what usage tells.
        tier: `resolution` as used; "" for a model with `size`.
        size: `size` as used; "" for a model with `resolution`.
        ratio: "" for a model without it.
        input_seconds: seconds of the input's videos.
    """

    request_id: str
    original: str
    row: DashModel
    tier: str = ""
    size: str = ""
    ratio: str = ""
    input_seconds: float = 0.0

    def kept(self) -> dict[str, object]:
        """As a task's facts."""
        return {_FACTS: self}


def facts_of(task: Task) -> DashFacts:
    """The facts of a task of this protocol."""
    return cast("DashFacts", task.facts[_FACTS])


def time_of(unix: float) -> str:
    """A time as the answers tell it: UTC+8, without a zone mark."""
    return dt.datetime.fromtimestamp(unix, CHINA).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def body(task: Task, view: View, request_id: str) -> dict[str, object]:
    """The task as the query tells it; of a failed one too the HTTP status is 200."""
    output: dict[str, object] = {
        "task_id": task.id,
        "task_status": STATUS[view.phase],
        "submit_time": time_of(view.created_at),
    }
    if view.started_at is not None:
        output["scheduled_time"] = time_of(view.started_at)
    if view.ended_at is not None:
        output["end_time"] = time_of(view.ended_at)
    told: dict[str, object] = {"request_id": request_id, "output": output}
    if view.phase is Phase.SUCCEEDED:
        output["orig_prompt"] = facts_of(task).original
        output["video_url"] = view.video_url
        told["usage"] = usage(task, view)
    failure = _TIMEOUT if view.phase is Phase.EXPIRED else view.failure
    if failure:
        output["code"] = failure.code or _CODES[failure.kind]
        output["message"] = _MODERATED if failure.kind is FailureKind.MODERATED else failure.text
    return told


def unknown(task_id: str, request_id: str) -> dict[str, object]:
    """The answer about a task that does not exist or is too old."""
    return {"request_id": request_id, "output": {"task_id": task_id, "task_status": "UNKNOWN"}}


def usage(task: Task, view: View) -> dict[str, object]:
    """What is billed: input seconds and output seconds, in the tier `SR`."""
    facts = facts_of(task)
    tier = int(facts.tier.removesuffix("P")) if facts.tier else tier_of(task.wish.width, task.wish.height)
    told: dict[str, object] = {"duration": _short(facts.input_seconds + view.seconds)}
    if facts.row.tells_size:
        told["size"] = facts.size
    told |= {
        "input_video_duration": _short(facts.input_seconds),
        "output_video_duration": _short(view.seconds),
        "video_count": 1,
        "SR": tier,
    }
    if facts.ratio:
        told["ratio"] = facts.ratio
    return told


def listed(task: Task, view: View) -> dict[str, object]:
    """The task as the list tells it; the ids of key and account are made up from the credential."""
    key = int(hashlib.sha256(task.owner.encode()).hexdigest()[:8], 16)
    return {
        "api_key_id": str(key),
        "caller_parent_id": "1000000000000001",
        "caller_uid": "1000000000000001",
        "gmt_create": _millis(view.created_at),
        "start_time": _millis(view.started_at),
        "end_time": _millis(view.ended_at),
        "model_name": task.wish.model,
        "region": REGION,
        "request_id": facts_of(task).request_id,
        "status": STATUS[view.phase],
        "task_id": task.id,
        "user_api_unique_key": f"apikey:v1:aigc:video-generation:video-synthesis:{task.wish.model}",
    }


def _millis(unix: float | None) -> int | None:
    return None if unix is None else int(unix * 1000)


def _short(seconds: float) -> float:
    """Whole seconds as an integer."""
    return int(seconds) if seconds == int(seconds) else round(seconds, 2)
