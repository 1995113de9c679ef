"""How Vidu tells a task (vidu.md §3 and §4)."""

import datetime as dt

from yuanjing.sandbox.video import vidu_models as models
from yuanjing.sandbox.video.tasks import Task, View
from yuanjing.sandbox.video.vidu_request import Wanted
from yuanjing.sandbox.video.wish import FailureKind, Phase

STATES = {
    Phase.CREATED: "created",
    Phase.QUEUED: "queueing",
    Phase.RUNNING: "processing",
    Phase.SUCCEEDED: "success",
    Phase.FAILED: "failed",
    Phase.CANCELED: "failed",
    Phase.EXPIRED: "failed",
}
REASONS = {
    FailureKind.INVALID: "FieldInvalid",
    FailureKind.MODERATED: "CreationPolicyViolation",
    FailureKind.MEDIA_UNREACHABLE: "ImageDownloadFailure",
    FailureKind.MEDIA_INVALID: "ImageFormatInvalid",
    FailureKind.MEDIA_TOO_LARGE: "ImageFormatInvalid",  # [assumed]
    FailureKind.INTERNAL: "InternalServiceFailure",
}

Json = dict[str, object]


def created(task: Task) -> Json:
    """The answer to a create request."""
    return {"task_id": task.id, "state": "created", **described(task)}


def told(task: Task, view: View) -> Json:
    """The answer to a query, and the body of a callback."""
    wanted = wanted_of(task)
    creations: list[Json] = []
    if view.phase is Phase.SUCCEEDED:
        creations = [
            {
                "id": task.facts["creation"],
                "url": view.video_url,
                "cover_url": view.cover_url,
                "watermarked_url": view.video_url,
            }
        ]
    return {
        "id": task.id,
        "state": STATES[view.phase],
        "err_code": _err_code(view),
        "credits": cost(task, view),
        "payload": wanted.payload,
        "bgm": wanted.bgm,
        "off_peak": wanted.off_peak,
        "creations": creations,
    }


def _err_code(view: View) -> str:
    if view.phase is Phase.CANCELED:
        return "UserCancelled"
    if view.phase is Phase.EXPIRED:
        return "Canceled"  # [assumed]
    return (view.failure.code or REASONS[view.failure.kind]) if view.failure else ""


def cost(task: Task, view: View) -> int:
    """Credits: of a failed task none, of one that succeeded those of what was delivered, else what it will cost."""
    if view.phase in {Phase.FAILED, Phase.CANCELED, Phase.EXPIRED}:
        return 0
    return _price(task, view.seconds if view.phase is Phase.SUCCEEDED else task.wish.seconds)


def _price(task: Task, seconds: float) -> int:
    wanted = wanted_of(task)
    price = models.credits_of(wanted.endpoint, wanted.model, wanted.resolution, seconds, off_peak=wanted.off_peak)
    return price + (models.RECOMMENDATION_CREDITS if wanted.is_rec else 0)


def wanted_of(task: Task) -> Wanted:
    """The create request, as it was understood."""
    wanted = task.facts["wanted"]
    assert isinstance(wanted, Wanted)
    return wanted


def described(task: Task) -> Json:
    """The request as it was understood, in the order of the documented reply."""
    wanted = wanted_of(task)
    at = dt.datetime.fromtimestamp(task.created_at, dt.UTC)
    return {
        "model": wanted.model,
        "style": wanted.style,
        "prompt": wanted.prompt,
        "images": list(wanted.images),
        "duration": wanted.duration,
        "seed": task.facts["seed"],
        "aspect_ratio": wanted.aspect_ratio or "",
        "resolution": wanted.resolution,
        "movement_amplitude": wanted.movement_amplitude,
        "bgm": wanted.bgm,
        "audio": task.wish.has_audio,
        "payload": wanted.payload,
        "off_peak": wanted.off_peak,
        "watermark": wanted.watermark,
        "credits": _price(task, task.wish.seconds),
        "created_at": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z",
    }
