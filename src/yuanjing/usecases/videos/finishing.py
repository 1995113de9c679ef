"""The end of a task, in one transaction with what becomes of its money: exactly one of the two ends, once.

The caller works under its claim. A task that has ended, or that another worker has claimed since, is left as it is.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP

from yuanjing.domain.artifacts import Artifact, MediaFacts
from yuanjing.domain.catalog import Operation
from yuanjing.domain.holds import Hold
from yuanjing.domain.ledger import book_overrun
from yuanjing.domain.tasks import Failure, JsonScalar, TaskState, VideoMeter
from yuanjing.domain.usage import PostedUsage, UsageRecord, split_charge
from yuanjing.domain.video_pricing import VideoPrice, conditions_to_text, explain_video
from yuanjing.domain.videos import TaskStep, VideoTask
from yuanjing.ports.store import Tx
from yuanjing.usecases.movements import Movements
from yuanjing.usecases.videos.counting import Counted, count_video

_SHOWN_COUNTS = {
    VideoMeter.VIDEO_SECONDS: ("duration",),
    VideoMeter.VIDEO_TOKENS: ("completion_tokens", "total_tokens"),
    VideoMeter.PROVIDER_CREDITS: ("credits",),
}
"""By what names providers tell customers what they have counted."""
_ACTIONS = {Operation.TEXT_TO_VIDEO: "t2v", Operation.IMAGE_TO_VIDEO: "i2v", Operation.REFERENCE_TO_VIDEO: "r2v"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Bill:
    """What a task costs, and why."""

    counted: Counted
    conditions: dict[str, str]
    charge_nanos: int
    overrun_nanos: int


def finish_succeeded(  # noqa: PLR0913  # what was made, at what price, and when
    tx: Tx,
    task: VideoTask,
    *,
    video: Artifact,
    cover: Artifact | None,
    measured: MediaFacts,
    price: VideoPrice,
    at: float,
) -> VideoTask | None:
    """Charge the task, release the rest of its hold, keep its files, and let it have succeeded.

    `task` is as the worker has it, with its outcome and under the worker's claim; `price` is the version that it was
    quoted at, `measured` what the video really is. Returns the ended task; None, with nothing done, if it is not the
    worker's any more.
    """
    assert task.outcome is not None, task.id
    assert price.id == task.price_id, (task.id, price.id)
    hold = _lock(tx, task)
    if hold is None:
        return None
    bill = _bill(task, measured, price)
    moves = Movements(tx, at)
    cause = f"task:{task.id}"
    settle_id = moves.settle(hold, bill.charge_nanos, cause=cause) if bill.charge_nanos else None
    moves.resolve(moves.latest(hold))
    if bill.overrun_nanos:
        moves.transfer(book_overrun(task.book, bill.overrun_nanos, cause=cause))
    moves.apply()
    record = _record(task, bill, measured, at)
    posted = PostedUsage(record=record, settle_transfer_id=settle_id, late_shortfall_nanos=0, posted_at=at)
    assert tx.usages.add_new([posted]), task.usage_id
    for artifact in (video, cover):
        if artifact is not None:
            tx.artifacts.add(artifact)
    done = replace(
        task,
        state=TaskState.SUCCEEDED,
        step=TaskStep.DONE,
        ended_at=at,
        video_artifact_id=video.id,
        cover_artifact_id=cover.id if cover is not None else None,
        usage=_shown_usage(task, measured, bill),
        charge_nanos=bill.charge_nanos,
        failure=None,
    )
    return _saved(tx, done, _ending_text(task, bill))


def finish_unsuccessful(  # the task, how it ends, and when
    tx: Tx, task: VideoTask, state: TaskState, failure: Failure, at: float, flag: str = ""
) -> VideoTask | None:
    """Release the task's hold, all of it, and let it have failed, been canceled or expired.

    An empty flag leaves the task's own. Returns the ended task; None, with nothing done, if it is not the worker's any
    more.
    """
    assert state.is_final, state
    assert state is not TaskState.SUCCEEDED, task.id
    hold = _lock(tx, task)
    if hold is None:
        return None
    moves = Movements(tx, at)
    moves.resolve(hold)
    moves.apply()
    done = replace(task, state=state, step=TaskStep.DONE, ended_at=at, failure=failure, flag=flag or task.flag)
    return _saved(tx, done, f"{state.value}: {failure.kind.value} {failure.code}".rstrip())


def _lock(tx: Tx, task: VideoTask) -> Hold | None:
    """The task's open hold, if the task is under way and still the caller's; both are locked."""
    row = tx.tasks.lock(task.id)
    if row is None or row.step is TaskStep.DONE or row.claim is None or task.claim is None:
        return None
    if row.claim.token != task.claim.token:
        return None
    hold = tx.holds.lock([row.hold_id]).get(row.hold_id)
    assert hold is not None, f"the hold of task {task.id} is not there"
    assert hold.closed_at is None, f"the hold of task {task.id}, which is under way, is closed"
    return hold


def _saved(tx: Tx, done: VideoTask, text: str) -> VideoTask:
    is_saved = tx.tasks.save(done, text)
    assert is_saved, f"task {done.id} changed while it was locked"
    return done


def _bill(task: VideoTask, measured: MediaFacts, price: VideoPrice) -> _Bill:
    assert task.outcome is not None, task.id
    counted = count_video(task.quote, task.request, task.outcome, measured)
    priced = explain_video(price, counted.conditions, counted.meters).total_nanos
    charge, overrun = split_charge(priced, task.ceiling_nanos)
    texts = conditions_to_text(counted.conditions)
    return _Bill(counted=counted, conditions=texts, charge_nanos=charge, overrun_nanos=overrun)


def _record(task: VideoTask, bill: _Bill, measured: MediaFacts, at: float) -> UsageRecord:
    extra = {"task_id": task.id, **bill.conditions}
    if measured.seconds is not None:
        extra["measured_seconds"] = str(measured.seconds)
    if bill.counted.is_less:
        extra |= _less_text(task, bill.counted, measured)
    return UsageRecord(
        id=task.usage_id,
        book=task.book,
        customer_id=task.customer_id,
        key_id=task.key_id,
        offer_id=task.offer_id,
        model=task.model,
        operation=task.operation.value,
        channel_id=task.channel_id,
        hold_id=task.hold_id,
        price_id=task.price_id,
        meters={meter.value: count for meter, count in bill.counted.meters.items()},
        ceiling_nanos=task.ceiling_nanos,
        charge_nanos=bill.charge_nanos,
        overrun_nanos=bill.overrun_nanos,
        is_estimated=bill.counted.is_estimated,
        request_id=task.request_id,
        upstream_request_id=task.upstream_task_id,
        upstream_model=task.upstream_model,
        attempts=task.submissions,
        started_at=task.created_at,
        duration_ms=max(0, round((at - task.created_at) * 1000)),
        extra=extra,
    )


def _less_text(task: VideoTask, counted: Counted, measured: MediaFacts) -> dict[str, str]:
    """For a record's `extra`: what was asked for and told, and of what count which part is charged."""
    assert task.outcome is not None, task.id
    texts = {f"told_{meter.value}": str(count) for meter, count in task.outcome.meters.items()}
    if counted.asked_seconds is not None:
        texts["asked_seconds"] = str(counted.asked_seconds)
    asked = counted.picture.asked
    if counted.picture.is_small and asked is not None:
        texts["asked_resolution"] = task.quote.conditions.resolution
        texts["asked_pixels"] = f"{asked.width}x{asked.height}"
        texts["measured_pixels"] = f"{measured.width}x{measured.height}"
    for meter, cut in counted.cuts.items():
        texts |= {f"whole_{meter.value}": str(cut.whole), f"share_{meter.value}": str(cut.share)}
    return texts


def _ending_text(task: VideoTask, bill: _Bill) -> str:
    """For operators: that it has succeeded, and what was not charged since it was not delivered."""
    counted = bill.counted
    if not counted.is_less:
        return "it has succeeded"
    counts = ", ".join(f"{count} {meter.value}" for meter, count in counted.meters.items())
    tier = counted.conditions.resolution
    rate = f" at the rate of {tier}" if tier != task.quote.conditions.resolution else ""
    return f"it has succeeded; less was delivered than asked for, {counts} are charged{rate}"


def _shown_usage(task: VideoTask, measured: MediaFacts, bill: _Bill) -> dict[str, JsonScalar]:
    """What customers see: a part that all providers have, and their provider's own; of cut counts what is charged."""
    assert task.outcome is not None, task.id
    shown: dict[str, JsonScalar] = {"action": _ACTIONS[task.operation], "model": task.request.model}
    if bill.conditions["resolution"]:
        shown["resolution"] = bill.conditions["resolution"]
    if measured.seconds is not None:
        shown["duration"] = int(measured.seconds.to_integral_value(ROUND_HALF_UP))
    charged = {name: bill.counted.meters[meter] for meter in bill.counted.cuts for name in _SHOWN_COUNTS[meter]}
    told = task.outcome.details
    return {**shown, **told, **{name: count for name, count in charged.items() if name in told}}
