"""Video tasks as operators see them: of all customers, with their history and their money."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from yuanjing.domain.audit import SYSTEM, Action, Actor
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.holds import Hold
from yuanjing.domain.videos import VideoTask
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.tasks import TaskEvent, TaskFilter
from yuanjing.usecases.audit import record


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskReport:
    """A task with all that belongs to it.

    Attributes:
        hold: of its ceiling; None only if the store is damaged.
        events: its history, oldest first.
    """

    task: VideoTask
    hold: Hold | None
    events: Sequence[TaskEvent]


async def list_tasks(
    store: Store, where: TaskFilter, *, customer_id: str | None = None, before: str | None = None
) -> list[VideoTask]:
    """Tasks, newest first; of a customer, and older than the task with the id `before`, if given.

    Raises:
        NotFoundError: there is no such task.
    """

    def work(tx: Tx) -> list[VideoTask]:
        last = _found(tx, before) if before is not None else None
        place = (last.created_at, last.id) if last is not None else None
        return tx.tasks.list(replace(where, customer_id=customer_id, before=place))

    return await store.read(work)


async def show_task(store: Store, task_id: str) -> TaskReport:
    """One task.

    Raises:
        NotFoundError: there is no such task.
    """

    def work(tx: Tx) -> TaskReport:
        task = _found(tx, task_id)
        hold = tx.holds.lock([task.hold_id]).get(task.hold_id)
        return TaskReport(task=task, hold=hold, events=tx.tasks.events(task_id))

    return await store.read(work)


async def cancel_task(store: Store, clock: Clock, task_id: str, *, by: Actor = SYSTEM) -> VideoTask:
    """Ask for the end of a task; the worker ends it, at its provider too if that can be.

    `by` is who is recorded as having asked.

    Raises:
        NotFoundError: there is no such task.
        InvalidInputError: it has ended.
    """

    def work(tx: Tx) -> VideoTask:
        task = _found(tx, task_id)
        if not tx.tasks.request_cancel(task_id, clock.unix()):
            raise InvalidInputError(f"task {task_id} has ended: it is {task.state}", param="task")
        if not task.is_cancel_requested:
            tx.tasks.note(task_id, "an operator wants it canceled")
            record(tx, clock.unix(), by, Action.TASK_CANCEL_ASKED, task_id, customer_id=task.customer_id)
        return _found(tx, task_id)

    return await store.write(work)


def _found(tx: Tx, task_id: str) -> VideoTask:
    task = tx.tasks.get(task_id)
    if task is None:
        raise NotFoundError(f"there is no task {task_id[:40]!r}", param="task")
    return task
