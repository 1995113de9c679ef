"""The rows of video tasks. They are the queue: who wants to work claims rows, and only the newest claim may write.

A row is due when its `next_at` has come, or, while somebody has claimed it, when that claim has run out.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from yuanjing.domain.catalog import Operation
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import TaskStep, VideoTask
from yuanjing.ports.damage import Damaged


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskFilter:
    """Which tasks to list; None means any.

    Attributes:
        before: the (created_at, id) of the last task seen; older ones follow. With `is_ascending` newer ones do.
        with_deleted: those too that their customer has deleted.
    """

    customer_id: str | None = None
    key_id: str | None = None
    book: Book | None = None
    offer_id: str | None = None
    model: str | None = None
    operation: Operation | None = None
    states: tuple[TaskState, ...] = ()
    is_flagged: bool | None = None
    created_from: float | None = None
    created_until: float | None = None
    before: tuple[float, str] | None = None
    is_ascending: bool = False
    with_deleted: bool = False
    limit: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskEvent:
    """One line of a task's history: what it became, and why."""

    at: float
    state: TaskState
    step: TaskStep
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelLoad:
    """How many tasks a channel works on: submitted, not yet ended at the provider."""

    channel_id: str
    tasks: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Takeable:
    """Which waiting tasks are of use to who wants to work.

    Those of these offers, by book, as there is room for them somewhere; and those that are over: their customer has
    canceled them, or they were created so long ago.
    """

    offers: Collection[tuple[Book, str]]
    created_until: float


class TaskTable(Protocol):
    """Tasks and their history. `get`, `lock` and `list` raise `DamagedError` for a row that cannot be read."""

    def add(self, task: VideoTask, text: str) -> None:
        """Insert a new task, which nobody has claimed, and the first line of its history.

        Raises:
            AlreadyExistsError: the id, hold or usage id exists.
        """
        ...

    def add_new(self, tasks: Sequence[tuple[VideoTask, str]]) -> set[str]:
        """Insert those of these tasks, with distinct ids, of which nothing exists, each like `add`; their ids.

        Of two that share a hold or usage id the first is inserted.
        """
        ...

    def get(self, task_id: str) -> VideoTask | None:
        """One task by id."""
        ...

    def lock(self, task_id: str) -> VideoTask | None:
        """Likewise, its row locked until the end of the unit of work; before its hold, in the order of locks."""
        ...

    def save(self, task: VideoTask, text: str = "") -> bool:
        """Write how the work stands, if the row's token is still `task.claim.token` and it has not ended; whether so.

        What was asked for and paid for stays as it was added, the claim as it is; the marks of `request_cancel` and
        `mark_deleted` are theirs alone. A hint or a cancellation that came in since the claim keeps the task due:
        `next_at` is not put off. A text adds a line of history. False, with nothing done, means that another worker has
        claimed it since, or ended it.

        Raises:
            AlreadyExistsError: another task has the same provider's task.
        """
        ...

    def claim(
        self,
        owner: str,
        steps: Sequence[TaskStep],
        *,
        at: float,
        until: float,
        limit: int,
        only: Takeable | None = None,
    ) -> Sequence[VideoTask | Damaged]:
        """Claim tasks in these steps that are due and not claimed by a living claim, at most `limit`, each once.

        Fair between customers: of each, its oldest due ones first, one after the other in turn. Rows that another
        transaction holds are passed over; with `only`, all that it does not name. Rows that cannot be read are claimed
        like the others, so that they come again no sooner than the claim ends.
        """
        ...

    def renew(self, owner: str, claims: Mapping[str, int], until: float) -> set[str]:
        """Lengthen claims, given by task id and token; the ids of those that are still ours."""
        ...

    def unclaim(self, owner: str, claims: Mapping[str, int]) -> None:
        """Give claims back that are still ours, so that others need not wait."""
        ...

    def postpone(self, owner: str, claims: Mapping[str, tuple[int, float]]) -> None:
        """Give claims back, by task id: token and when to look again. Cheaper than `save`; nothing else changes.

        As with `save`, a hint that came in since the claim is not put off.
        """
        ...

    def hasten(self, channel_id: str, upstream_task_id: str, at: float) -> bool:
        """A hint has come in: let the task be polled from `at` on; whether there is such a task in `polling`."""
        ...

    def bring_forward(self, at: float, *, after: float) -> int:
        """Let unclaimed tasks under way that are to be looked at after `after` be due at `at`; how many.

        No task is put off so long: such a time was written by a clock that was ahead.
        """
        ...

    def request_cancel(self, task_id: str, at: float) -> bool:
        """Mark that its customer wants it ended, and let it be looked at now; False if it has ended or is not there."""
        ...

    def mark_deleted(self, task_id: str, at: float) -> bool:
        """Hide an ended task from its customer; False if it has not ended, is hidden already, or is not there."""
        ...

    def forgettable(self, *, ended_before: float, deleted_before: float, limit: int) -> Sequence[VideoTask | Damaged]:
        """Tasks that ended, or that their customers have deleted, before these times, and are not forgotten yet."""
        ...

    def forget(self, tasks: Sequence[VideoTask], at: float) -> None:
        """Write the request and the outcome of tasks as they are now, drop their history, and note that it was done."""
        ...

    def note(self, task_id: str, text: str, *, flag: str = "") -> None:
        """Add a line to the history of a task, ended or not; a flag asks operators to look at it."""
        ...

    def owner_of(self, channel_id: str, upstream_task_id: str) -> str | None:
        """The task that a provider's task of this channel belongs to."""
        ...

    def of_hold(self, hold_id: str) -> VideoTask | Damaged | None:
        """The task whose ceiling this hold is."""
        ...

    def lost(self, channel_id: str, upstream_model: str, sent_from: float, sent_until: float) -> list[str]:
        """Ids of the tasks whose submission to this channel and model in this time has no known outcome.

        Those in `submitting` are among them: what they have created may be there before they know. So are those that
        have been given up: what they may have created is nobody else's.
        """
        ...

    def loads(self) -> list[ChannelLoad]:
        """How much each channel works on, as far as it does; `submitting` and `lost` ones count."""
        ...

    def under_way(self, customer_ids: Collection[str]) -> Mapping[str, int]:
        """How many of each of these customers' tasks, in both books, have not ended."""
        ...

    def durations(self, offer_id: str, limit: int, book: Book | None = None) -> list[float]:
        """Seconds from creation to success of the offer's last tasks, the newest first; of these, those of the book."""
        ...

    def events(self, task_id: str) -> list[TaskEvent]:
        """A task's history, oldest first."""
        ...

    def list(self, where: TaskFilter) -> list[VideoTask]:
        """Tasks by creation, the newest first unless the filter says otherwise."""
        ...

    def counts(self) -> Mapping[TaskStep, int]:
        """How many tasks are under way in each step, for the metrics."""
        ...

    def scan(self) -> Iterator[VideoTask | Damaged]:
        """Every task by id, streamed; for `verify`."""
        ...
