"""Video tasks in memory."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import Claim, TaskStep, VideoTask
from yuanjing.kit.clock import Clock
from yuanjing.ports.tasks import ChannelLoad, Takeable, TaskEvent, TaskFilter

_SAVED = (
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
_SENT = (TaskStep.SUBMITTING, TaskStep.LOST, TaskStep.POLLING)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """A task with what only its row knows: the number of its last claim, and whether a hint came in after it."""

    task: VideoTask
    token: int = 0
    is_hastened: bool = False
    is_forgotten: bool = False

    @property
    def due_at(self) -> float:
        return self.task.next_at if self.task.claim is None else self.task.claim.until

    def hastened(self, at: float, *, is_cancel_requested: bool) -> "_Row":
        task = self.task
        task = replace(task, next_at=min(task.next_at, at), is_cancel_requested=is_cancel_requested)
        return replace(self, task=task, is_hastened=True)

    def next_at(self, wanted: float) -> float:
        return self.task.next_at if self.is_hastened else wanted


class MemoryTasks:
    """See `yuanjing.ports.tasks.TaskTable`."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        self._events: dict[str, list[TaskEvent]] = {}

    def add(self, task: VideoTask, text: str) -> None:
        """See the port."""
        if not self.add_new([(task, text)]):
            raise AlreadyExistsError(f"task {task.id}, or its hold or usage id, exists")

    def add_new(self, tasks: Sequence[tuple[VideoTask, str]]) -> set[str]:
        """See the port."""
        added: set[str] = set()
        for task, text in tasks:
            assert task.claim is None, task
            known = ({row.task.hold_id, row.task.usage_id} for row in self._rows.values())
            if task.id in self._rows or any({task.hold_id, task.usage_id} & ids for ids in known):
                continue
            self._put(_Row(task=task))
            self._journal.put(self._events, task.id, [])
            self._tell(task, task.created_at, text)
            added.add(task.id)
        return added

    def get(self, task_id: str) -> VideoTask | None:
        """See the port."""
        row = self._rows.get(task_id)
        return None if row is None else row.task

    def lock(self, task_id: str) -> VideoTask | None:
        """See the port."""
        return self.get(task_id)

    def save(self, task: VideoTask, text: str = "") -> bool:
        """See the port."""
        assert task.claim is not None, task
        owner = self.owner_of(task.channel_id, task.upstream_task_id)
        if owner not in (None, task.id):
            raise AlreadyExistsError(f"{task.upstream_task_id} of {task.channel_id} belongs to task {owner}")
        row = self._rows.get(task.id)
        if row is None or row.token != task.claim.token or row.task.step is TaskStep.DONE:
            return False
        saved = replace(row.task, next_at=row.next_at(task.next_at), **{name: getattr(task, name) for name in _SAVED})
        self._put(replace(row, task=saved))
        if text:
            self._tell(saved, self._clock.unix(), text)
        return True

    def claim(
        self,
        owner: str,
        steps: Sequence[TaskStep],
        *,
        at: float,
        until: float,
        limit: int,
        only: Takeable | None = None,
    ) -> Sequence[VideoTask]:
        """See the port."""
        wanted = set(steps) - {TaskStep.DONE}
        due = [
            row
            for row in self._rows.values()
            if row.task.step in wanted and row.due_at <= at and (only is None or _is_takeable(row.task, only))
        ]
        turns: Counter[str] = Counter()
        placed: list[tuple[int, float, str]] = []
        for row in sorted(due, key=lambda row: (row.due_at, row.task.id)):
            placed.append((turns[row.task.customer_id], row.due_at, row.task.id))
            turns[row.task.customer_id] += 1
        return [self._take(task_id, owner, until) for _, _, task_id in sorted(placed)[:limit]]

    def renew(self, owner: str, claims: Mapping[str, int], until: float) -> set[str]:
        """See the port."""
        ours = self._ours(owner, claims)
        for row in ours:
            if row.task.claim is not None and row.task.step is not TaskStep.DONE:
                self._put(replace(row, task=replace(row.task, claim=replace(row.task.claim, until=until))))
        return {row.task.id for row in ours}

    def unclaim(self, owner: str, claims: Mapping[str, int]) -> None:
        """See the port."""
        for row in self._ours(owner, claims):
            self._put(replace(row, task=replace(row.task, claim=None)))

    def postpone(self, owner: str, claims: Mapping[str, tuple[int, float]]) -> None:
        """See the port."""
        for row in self._ours(owner, {task_id: token for task_id, (token, _) in claims.items()}):
            next_at = row.next_at(claims[row.task.id][1])
            self._put(replace(row, task=replace(row.task, next_at=next_at, claim=None)))

    def hasten(self, channel_id: str, upstream_task_id: str, at: float) -> bool:
        """See the port."""
        row = self._rows.get(self.owner_of(channel_id, upstream_task_id) or "")
        if row is None or row.task.step is not TaskStep.POLLING:
            return False
        self._put(row.hastened(at, is_cancel_requested=row.task.is_cancel_requested))
        return True

    def bring_forward(self, at: float, *, after: float) -> int:
        """See the port."""
        ahead = [
            row
            for row in self._rows.values()
            if row.task.step is not TaskStep.DONE and row.task.claim is None and row.task.next_at > after
        ]
        for row in ahead:
            self._put(replace(row, task=replace(row.task, next_at=at)))
        return len(ahead)

    def request_cancel(self, task_id: str, at: float) -> bool:
        """See the port."""
        row = self._rows.get(task_id)
        if row is None or row.task.step is TaskStep.DONE:
            return False
        self._put(row.hastened(at, is_cancel_requested=True))
        return True

    def mark_deleted(self, task_id: str, at: float) -> bool:
        """See the port."""
        row = self._rows.get(task_id)
        if row is None or row.task.step is not TaskStep.DONE or row.task.deleted_at is not None:
            return False
        self._put(replace(row, task=replace(row.task, deleted_at=at)))
        return True

    def forgettable(self, *, ended_before: float, deleted_before: float, limit: int) -> Sequence[VideoTask]:
        """See the port."""
        found = [
            row.task
            for row in self._rows.values()
            if row.task.step is TaskStep.DONE
            and not row.is_forgotten
            and (
                (row.task.ended_at is not None and row.task.ended_at < ended_before)
                or (row.task.deleted_at is not None and row.task.deleted_at < deleted_before)
            )
        ]
        return found[:limit]

    def forget(self, tasks: Sequence[VideoTask], at: float) -> None:
        """See the port."""
        del at
        for task in tasks:
            row = self._rows[task.id]
            self._journal.put(self._events, task.id, [])
            changed = replace(row.task, request=task.request, outcome=task.outcome)
            self._put(replace(row, task=changed, is_forgotten=True))

    def note(self, task_id: str, text: str, *, flag: str = "") -> None:
        """See the port."""
        row = self._rows.get(task_id)
        assert row is not None, task_id
        self._tell(row.task, self._clock.unix(), text)
        if flag:
            self._put(replace(row, task=replace(row.task, flag=flag)))

    def owner_of(self, channel_id: str, upstream_task_id: str) -> str | None:
        """See the port."""
        if not upstream_task_id:
            return None
        wanted = (channel_id, upstream_task_id)
        its = (task for task in self._tasks() if (task.channel_id, task.upstream_task_id) == wanted)
        return next((task.id for task in its), None)

    def of_hold(self, hold_id: str) -> VideoTask | None:
        """See the port."""
        return next((task for task in self._tasks() if task.hold_id == hold_id), None)

    def lost(self, channel_id: str, upstream_model: str, sent_from: float, sent_until: float) -> list[str]:
        """See the port."""
        return [
            task.id
            for task in self._tasks()
            if (task.channel_id, task.upstream_model, task.upstream_task_id) == (channel_id, upstream_model, "")
            and task.sent_at is not None
            and sent_from <= task.sent_at <= sent_until
        ]

    def loads(self) -> list[ChannelLoad]:
        """See the port."""
        sums = Counter(task.channel_id for task in self._tasks() if task.step in _SENT and task.channel_id)
        return [ChannelLoad(channel_id=channel_id, tasks=sums[channel_id]) for channel_id in sorted(sums)]

    def under_way(self, customer_ids: Collection[str]) -> Mapping[str, int]:
        """See the port."""
        counts = Counter(task.customer_id for task in self._tasks() if task.step is not TaskStep.DONE)
        return {customer_id: counts[customer_id] for customer_id in customer_ids}

    def durations(self, offer_id: str, limit: int, book: Book | None = None) -> list[float]:
        """See the port."""
        ended = [
            (task.ended_at, task.ended_at - task.created_at, task.book)
            for task in self._tasks()
            if task.offer_id == offer_id and task.state is TaskState.SUCCEEDED and task.ended_at is not None
        ]
        return [seconds for _, seconds, its in sorted(ended, reverse=True)[:limit] if book in (None, its)]

    def events(self, task_id: str) -> list[TaskEvent]:
        """See the port."""
        return self._events.get(task_id, []).copy()

    def list(self, where: TaskFilter) -> list[VideoTask]:
        """See the port."""
        found = [task for task in self._tasks() if _matches(task, where)]
        found.sort(key=lambda task: (task.created_at, task.id), reverse=not where.is_ascending)
        return found[: where.limit]

    def counts(self) -> Mapping[TaskStep, int]:
        """See the port."""
        return Counter(task.step for task in self._tasks() if task.step is not TaskStep.DONE)

    def scan(self) -> Iterator[VideoTask]:
        """See the port."""
        yield from self._tasks()

    def _put(self, row: _Row) -> None:
        """What CHECK constraints refuse in SQL is refused here too."""
        assert 0 <= row.task.charge_nanos <= row.task.ceiling_nanos, row
        self._journal.put(self._rows, row.task.id, row)

    def _take(self, task_id: str, owner: str, until: float) -> VideoTask:
        row = self._rows[task_id]
        token = row.token + 1
        task = replace(row.task, claim=Claim(owner=owner, token=token, until=until))
        self._put(_Row(task=task, token=token))
        return task

    def _ours(self, owner: str, claims: Mapping[str, int]) -> "list[_Row]":
        rows = [self._rows[task_id] for task_id in sorted(claims) if task_id in self._rows]
        return [
            row
            for row in rows
            if row.task.claim is not None and (row.task.claim.owner, row.token) == (owner, claims[row.task.id])
        ]

    def _tasks(self) -> "list[VideoTask]":
        return [self._rows[task_id].task for task_id in sorted(self._rows)]

    def _tell(self, task: VideoTask, at: float, text: str) -> None:
        event = TaskEvent(at=at, state=task.state, step=task.step, text=text)
        self._journal.append(self._events[task.id], event)


def _is_takeable(task: VideoTask, only: Takeable) -> bool:
    is_over = task.is_cancel_requested or task.created_at <= only.created_until
    return is_over or (task.book, task.offer_id) in only.offers


def _matches(task: VideoTask, where: TaskFilter) -> bool:
    place = (task.created_at, task.id)
    is_past = where.before is None or (place > where.before if where.is_ascending else place < where.before)
    return (
        is_past
        and where.customer_id in (None, task.customer_id)
        and where.key_id in (None, task.key_id)
        and where.book in (None, task.book)
        and where.offer_id in (None, task.offer_id)
        and where.model in (None, task.model)
        and where.operation in (None, task.operation)
        and (not where.states or task.state in where.states)
        and where.is_flagged in (None, bool(task.flag))
        and (where.created_from is None or task.created_at >= where.created_from)
        and (where.created_until is None or task.created_at < where.created_until)
        and (where.with_deleted or task.deleted_at is None)
    )
