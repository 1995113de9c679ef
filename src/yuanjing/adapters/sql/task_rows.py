"""Video tasks as rows."""

from typing import Any

import msgspec
import sqlalchemy as sa

from yuanjing.adapters.sql.work import dump
from yuanjing.domain.catalog import Operation
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import Failure, JsonScalar, TaskState
from yuanjing.domain.videos import Claim, Outcome, TaskQuote, TaskStep, VideoRequest, VideoTask

SAVED = (
    "state",
    "step",
    "submissions",
    "failures",
    "channel_id",
    "upstream_model",
    "upstream_task_id",
    "upstream_word",
    "sent_at",
    "accepted_at",
    "started_at",
    "ended_at",
    "deadline_at",
    "outcome",
    "video_artifact_id",
    "cover_artifact_id",
    "usage",
    "charge_nanos",
    "failure",
    "flag",
)
"""The columns that change as the work goes on; `next_at` and the claim apart."""

_REQUEST = msgspec.json.Decoder(VideoRequest)
_QUOTE = msgspec.json.Decoder(TaskQuote)
_OUTCOME = msgspec.json.Decoder(Outcome)
_USAGE = msgspec.json.Decoder(dict[str, JsonScalar])
_FAILURE = msgspec.json.Decoder(Failure)


def _dump(value: object) -> str | None:
    return None if value is None else dump(value)


def _moving(task: VideoTask) -> dict[str, Any]:
    return {
        "state": task.state.value,
        "step": task.step.value,
        "submissions": task.submissions,
        "failures": task.failures,
        "channel_id": task.channel_id,
        "upstream_model": task.upstream_model,
        "upstream_task_id": task.upstream_task_id,
        "upstream_word": task.upstream_word,
        "sent_at": task.sent_at,
        "accepted_at": task.accepted_at,
        "started_at": task.started_at,
        "ended_at": task.ended_at,
        "deadline_at": task.deadline_at,
        "outcome": _dump(task.outcome),
        "video_artifact_id": task.video_artifact_id,
        "cover_artifact_id": task.cover_artifact_id,
        "usage": _dump(task.usage),
        "charge_nanos": task.charge_nanos,
        "failure": _dump(task.failure),
        "flag": task.flag,
    }


def to_row_saved(task: VideoTask) -> dict[str, Any]:
    """The parameters of an UPDATE of the columns that are saved."""
    return {f"new_{name}": value for name, value in _moving(task).items()}


def to_row_forgotten(task: VideoTask) -> dict[str, Any]:
    """The parameters of an UPDATE of what is forgotten of a task."""
    return {"new_request": dump(task.request), "new_outcome": _dump(task.outcome)}


def to_row(task: VideoTask) -> dict[str, Any]:
    """A new task's row; nobody has claimed it."""
    return {
        "id": task.id,
        "book": task.book.value,
        "customer_id": task.customer_id,
        "key_id": task.key_id,
        "dialect": task.dialect.value,
        "request_id": task.request_id,
        "offer_id": task.offer_id,
        "requested_offer_id": task.requested_offer_id,
        "model": task.model,
        "operation": task.operation.value,
        "request": dump(task.request),
        "price_id": task.price_id,
        "quote": dump(task.quote),
        "ceiling_nanos": task.ceiling_nanos,
        "hold_id": task.hold_id,
        "usage_id": task.usage_id,
        "created_at": task.created_at,
        "next_at": task.next_at,
        "is_cancel_requested": task.is_cancel_requested,
        "deleted_at": task.deleted_at,
        "forgotten_at": None,
        "claim_owner": None,
        "claim_token": 0,
        "claim_until": None,
        "due_at": task.next_at,
        "is_hastened": False,
        **_moving(task),
    }


def from_row(row: sa.Row[Any]) -> VideoTask:
    """The task of a row."""
    return VideoTask(
        id=row.id,
        book=Book(row.book),
        customer_id=row.customer_id,
        key_id=row.key_id,
        dialect=Dialect(row.dialect),
        request_id=row.request_id,
        offer_id=row.offer_id,
        requested_offer_id=row.requested_offer_id,
        model=row.model,
        operation=Operation(row.operation),
        request=_REQUEST.decode(row.request),
        price_id=row.price_id,
        quote=_QUOTE.decode(row.quote),
        ceiling_nanos=row.ceiling_nanos,
        hold_id=row.hold_id,
        usage_id=row.usage_id,
        created_at=row.created_at,
        state=TaskState(row.state),
        step=TaskStep(row.step),
        next_at=row.next_at,
        submissions=row.submissions,
        failures=row.failures,
        channel_id=row.channel_id,
        upstream_model=row.upstream_model,
        upstream_task_id=row.upstream_task_id,
        upstream_word=row.upstream_word,
        sent_at=row.sent_at,
        accepted_at=row.accepted_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        deadline_at=row.deadline_at,
        outcome=None if row.outcome is None else _OUTCOME.decode(row.outcome),
        video_artifact_id=row.video_artifact_id,
        cover_artifact_id=row.cover_artifact_id,
        usage=None if row.usage is None else _USAGE.decode(row.usage),
        charge_nanos=row.charge_nanos,
        failure=None if row.failure is None else _FAILURE.decode(row.failure),
        flag=row.flag,
        is_cancel_requested=row.is_cancel_requested,
        deleted_at=row.deleted_at,
        claim=_claim(row),
    )


def _claim(row: sa.Row[Any]) -> Claim | None:
    if row.claim_owner is None:
        return None
    return Claim(owner=row.claim_owner, token=row.claim_token, until=row.claim_until)
