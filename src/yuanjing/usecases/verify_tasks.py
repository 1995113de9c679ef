"""Checks of video tasks: what became of their money, and of their files, is what became of them."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from yuanjing.domain.artifacts import ArtifactKind
from yuanjing.domain.holds import Hold, HoldPurpose
from yuanjing.domain.ledger import settle_hold
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.usage import PostedUsage
from yuanjing.domain.video_pricing import NoRateError, OfferPrice, VideoPrice, ceiling_of, explain_video
from yuanjing.domain.videos import TaskStep, VideoTask
from yuanjing.ports.damage import Damaged, readable
from yuanjing.ports.store import Tx
from yuanjing.usecases.breaches import Findings
from yuanjing.usecases.videos.counting import Counted, count_video

T = TypeVar("T")

_AT_ONCE = 500
_STATES: Mapping[TaskStep, frozenset[TaskState]] = {
    TaskStep.WAITING: frozenset({TaskState.QUEUED}),
    TaskStep.SUBMITTING: frozenset({TaskState.QUEUED}),
    TaskStep.LOST: frozenset({TaskState.QUEUED}),
    TaskStep.POLLING: frozenset({TaskState.QUEUED, TaskState.RUNNING}),
    TaskStep.COPYING: frozenset({TaskState.RUNNING}),
    TaskStep.DONE: frozenset(state for state in TaskState if state.is_final),
}


def check_tasks(tx: Tx, findings: Findings, open_holds: Mapping[str, Hold]) -> None:
    """A task that has succeeded is charged once and has its files; any other is not charged.

    Each has the ceiling that its price makes of its quote. One that is under way holds it, one that has ended holds
    nothing; no hold of a task is without one.
    """
    ownerless = {hold.id for hold in open_holds.values() if hold.purpose is HoldPurpose.TASK}
    prices: dict[str, OfferPrice | Damaged | None] = {}
    for tasks in _chunks(findings.sound("tasks", tx.tasks.scan())):
        holds = readable("holds", lambda tasks=tasks: tx.holds.lock([task.hold_id for task in tasks]))
        used = tx.usages.existing([task.usage_id for task in tasks])
        for task in tasks:
            findings.count("tasks")
            ownerless.discard(task.hold_id)
            if task.price_id not in prices:
                prices[task.price_id] = readable(task.price_id, lambda id_=task.price_id: tx.catalog.price(id_))
            problem = (
                _state_problem(task)
                or (_hold_problem(task, holds.get(task.hold_id)) if not isinstance(holds, Damaged) else "")
                or _usage_problem(tx, task, is_there=task.usage_id in used)
                or _files_problem(tx, task)
                or _ceiling_problem(task, prices[task.price_id])
            )
            if problem:
                findings.add("tasks", task.id, problem)
    for hold_id in sorted(ownerless):
        findings.add("tasks", hold_id, "the hold is open, but there is no task that it is for")


def _chunks(items: Iterable[T]) -> Iterator[Sequence[T]]:
    rest = iter(items)
    while chunk := list(itertools.islice(rest, _AT_ONCE)):
        yield chunk


def _state_problem(task: VideoTask) -> str:
    is_done = task.step is TaskStep.DONE
    if task.state not in _STATES[task.step]:
        return f"it is {task.state}, but stands at {task.step}"
    if is_done != (task.ended_at is not None):
        return f"it stands at {task.step}, and its end is {task.ended_at}"
    if task.state is not TaskState.SUCCEEDED and task.charge_nanos:
        return f"it is {task.state}, but its charge is {task.charge_nanos}"
    return ""


def _ceiling_problem(task: VideoTask, price: OfferPrice | Damaged | None) -> str:
    if not isinstance(price, VideoPrice):
        return f"its price version {task.price_id} is not there, cannot be read, or is none of video"
    quote = task.quote
    try:
        charge = readable(task.id, lambda: explain_video(price, quote.conditions, quote.meters))
    except NoRateError as error:
        return f"its price {price.id} does not fit its quote: {error.message}"
    if isinstance(charge, Damaged):
        return f"its quote is impossible: {dict(quote.meters)}"
    ceiling = ceiling_of(charge.total_nanos)
    return "" if task.ceiling_nanos == ceiling else f"its ceiling is {task.ceiling_nanos}, its quote makes {ceiling}"


def _hold_problem(task: VideoTask, hold: Hold | None) -> str:
    if hold is None:
        return f"its hold {task.hold_id} does not exist"
    its = (HoldPurpose.TASK, task.book, task.customer_id, task.ceiling_nanos)
    found = (hold.purpose, hold.book, hold.customer_id, hold.amount_nanos)
    if found != its:
        return f"its hold {hold.id} is {found}, not {its}"
    is_done = task.step is TaskStep.DONE
    if is_done != (hold.closed_at is not None):
        return f"it stands at {task.step}, but its hold {hold.id} is {'open' if is_done else 'closed'}"
    rest = task.ceiling_nanos - task.charge_nanos if is_done else 0
    if (hold.settled_nanos, hold.released_nanos) != (task.charge_nanos, rest):
        is_ = f"{hold.settled_nanos} settled and {hold.released_nanos} released"
        return f"its hold {hold.id} has {is_}, not {task.charge_nanos} and {rest}"
    return ""


def _usage_problem(tx: Tx, task: VideoTask, *, is_there: bool) -> str:
    if task.state is not TaskState.SUCCEEDED:
        return f"it is {task.state}, but there is usage {task.usage_id}" if is_there else ""
    usage = readable(task.usage_id, lambda: tx.usages.get(task.usage_id))
    if usage is None:
        return f"it has succeeded, but there is no usage {task.usage_id}"
    if isinstance(usage, Damaged):
        return ""  # the check of usage tells it
    if _facts_of_usage(usage) != _facts_of_task(task):
        return f"its usage {task.usage_id} says {_facts_of_usage(usage)}, it says {_facts_of_task(task)}"
    return _count_problem(tx, task, usage)


def _count_problem(tx: Tx, task: VideoTask, usage: PostedUsage) -> str:
    """What was counted is what its quote makes of the provider's figures and of the file that is there.

    A task that was submitted before sizes were kept was counted by other rules, see decision 0010.
    """
    quote, outcome = task.quote, task.outcome
    if outcome is None or task.video_artifact_id is None or not (quote.tiers or quote.formula):
        return ""
    video_id = task.video_artifact_id
    video = readable(video_id, lambda: tx.artifacts.get(video_id))
    if video is None or isinstance(video, Damaged):
        return ""  # the check of its files tells it
    counted = readable(task.id, lambda: count_video(quote, task.request, outcome, video.facts))
    if isinstance(counted, Damaged):
        return f"it cannot be counted again: {counted.message}"
    expected, record = _stated(counted), usage.record
    stated = {name: record.extra.get(name, "") for name in expected}
    meters = {meter.value: count for meter, count in counted.meters.items()}
    if (dict(record.meters), stated) != (meters, expected):
        return f"its usage counts {dict(record.meters)} {stated}, what was delivered makes {meters} {expected}"
    return ""


def _stated(counted: Counted) -> dict[str, str]:
    """What the usage record says of how it was counted; nothing is cut that is not cut again."""
    wholes = {f"whole_{meter.value}": "" for meter in counted.meters}
    shares = {f"share_{meter.value}": "" for meter in counted.meters}
    for meter, cut in counted.cuts.items():
        wholes[f"whole_{meter.value}"], shares[f"share_{meter.value}"] = str(cut.whole), str(cut.share)
    return {"resolution": counted.conditions.resolution, **wholes, **shares}


def _facts_of_usage(usage: PostedUsage) -> tuple[object, ...]:
    record = usage.record
    whose = (record.book.value, record.customer_id, record.key_id, record.offer_id, record.price_id, record.hold_id)
    return (*whose, record.ceiling_nanos, record.charge_nanos, usage.late_shortfall_nanos, usage.settle_transfer_id)


def _facts_of_task(task: VideoTask) -> tuple[object, ...]:
    whose = (task.book.value, task.customer_id, task.key_id, task.offer_id, task.price_id, task.hold_id)
    return (*whose, task.ceiling_nanos, task.charge_nanos, 0, _settle_id(task))


def _settle_id(task: VideoTask) -> str | None:
    if not task.charge_nanos:
        return None
    cause = f"task:{task.id}"
    return settle_hold(task.book, task.customer_id, task.charge_nanos, hold_id=task.hold_id, cause=cause).id


def _files_problem(tx: Tx, task: VideoTask) -> str:
    if task.state is not TaskState.SUCCEEDED:
        return ""
    wanted = {ArtifactKind.VIDEO: task.video_artifact_id, ArtifactKind.COVER: task.cover_artifact_id}
    if wanted[ArtifactKind.VIDEO] is None:
        return "it has succeeded, but has no video"
    for kind, artifact_id in wanted.items():
        if artifact_id is None:
            continue
        artifact = readable(artifact_id, lambda id_=artifact_id: tx.artifacts.get(id_))
        if artifact is None or isinstance(artifact, Damaged):
            return f"its {kind} {artifact_id} does not exist or cannot be read"
        if (artifact.kind, artifact.task_id, artifact.customer_id) != (kind, task.id, task.customer_id):
            return f"its {kind} {artifact_id} is another's, or something else"
    return ""
