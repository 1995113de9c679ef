"""Video tasks in SQL."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from yuanjing.adapters.sql.bulk import Among, Bulk, by_dialect
from yuanjing.adapters.sql.tables import (
    HAS_SUCCEEDED,
    HAS_UNKNOWN_OUTCOME,
    HAS_UPSTREAM_TASK,
    IS_FLAGGED,
    IS_REMEMBERED,
    IS_UNDER_WAY,
    TIME,
    task_events,
    tasks,
)
from yuanjing.adapters.sql.task_queue import claim_due
from yuanjing.adapters.sql.task_rows import SAVED, from_row, to_row, to_row_forgotten, to_row_saved
from yuanjing.adapters.sql.work import Work, lockable
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import TaskStep, VideoTask
from yuanjing.kit.text import is_storable
from yuanjing.ports.damage import Damaged, readable, sound
from yuanjing.ports.tasks import ChannelLoad, Takeable, TaskEvent, TaskFilter

_IDS_MAX = 10_000
"""How many ids one statement names: both databases limit the parameters of a statement."""
_FILTERS = ("customer_id", "key_id", "book", "offer_id", "model", "operation")
_IS_IT = tasks.c.id == sa.bindparam("task")
_IS_CLAIM = sa.and_(
    _IS_IT, tasks.c.claim_token == sa.bindparam("token"), tasks.c.claim_owner == sa.bindparam("claimant")
)
_IS_CLAIMED = tasks.c.claim_until.is_not(None)
_ADD = Bulk(tasks)
_ADD_EVENT = Bulk(task_events)
_ONE = lockable(sa.select(tasks).where(_IS_IT))
_NEXT_AT = sa.case((tasks.c.is_hastened, tasks.c.next_at), else_=sa.bindparam("next", type_=TIME))
"""What is to be `next_at`, unless a hint has come in."""
_SAVE = (
    sa.update(tasks)
    .where(_IS_IT, tasks.c.claim_token == sa.bindparam("token"), IS_UNDER_WAY)
    .values(
        {
            "next_at": _NEXT_AT,
            "due_at": sa.case((_IS_CLAIMED, tasks.c.claim_until), else_=_NEXT_AT),
            **{name: sa.bindparam(f"new_{name}", type_=tasks.c[name].type) for name in SAVED},
        }
    )
)
_HAS_TASK = (
    tasks.c.channel_id == sa.bindparam("channel"),
    tasks.c.upstream_task_id == sa.bindparam("upstream"),
    HAS_UPSTREAM_TASK,
)
_OWNER_OF = sa.select(tasks.c.id).where(*_HAS_TASK)
_OF_HOLD = sa.select(tasks).where(tasks.c.hold_id == sa.bindparam("hold"))
_RENEW = (
    sa.update(tasks)
    .where(_IS_CLAIM, IS_UNDER_WAY)
    .values(claim_until=sa.bindparam("until"), due_at=sa.bindparam("until"))
)
_CLAIMS = sa.select(tasks.c.id, tasks.c.claim_token).where(
    tasks.c.id.in_(sa.bindparam("ids", expanding=True)), tasks.c.claim_owner == sa.bindparam("claimant")
)
_FREE: dict[str, Any] = {"claim_owner": None, "claim_until": None}
_UNCLAIM = sa.update(tasks).where(_IS_CLAIM).values(due_at=tasks.c.next_at, **_FREE)
_POSTPONE = sa.update(tasks).where(_IS_CLAIM).values(next_at=_NEXT_AT, due_at=_NEXT_AT, **_FREE)
_MOMENT = sa.bindparam("moment", type_=TIME)
_NOW_AT_MOST = sa.case((tasks.c.next_at < _MOMENT, tasks.c.next_at), else_=_MOMENT)
_HASTENED: dict[str, Any] = {
    "next_at": _NOW_AT_MOST,
    "due_at": sa.case((_IS_CLAIMED, tasks.c.due_at), else_=_NOW_AT_MOST),
    "is_hastened": True,
}
_HASTEN = sa.update(tasks).where(*_HAS_TASK, tasks.c.step == TaskStep.POLLING.value).values(_HASTENED)
_BRING_FORWARD = (
    sa.update(tasks)
    .where(IS_UNDER_WAY, sa.not_(_IS_CLAIMED), tasks.c.due_at > sa.bindparam("after", type_=TIME))
    .values(next_at=_MOMENT, due_at=_MOMENT)
)
_CANCEL = sa.update(tasks).where(_IS_IT, IS_UNDER_WAY).values(is_cancel_requested=True, **_HASTENED)
_DELETE = (
    sa.update(tasks)
    .where(_IS_IT, tasks.c.step == TaskStep.DONE.value, tasks.c.deleted_at.is_(None))
    .values(deleted_at=_MOMENT)
)
_FLAG = sa.update(tasks).where(_IS_IT).values(flag=sa.bindparam("new_flag"))
_SENT = (TaskStep.SUBMITTING.value, TaskStep.LOST.value, TaskStep.POLLING.value)
_LOST = (
    sa.select(tasks.c.id)
    .where(
        HAS_UNKNOWN_OUTCOME,
        tasks.c.channel_id == sa.bindparam("channel"),
        tasks.c.upstream_model == sa.bindparam("model"),
        tasks.c.sent_at.between(sa.bindparam("sent_from"), sa.bindparam("sent_until")),
    )
    .order_by(tasks.c.id)
)
_LOADS = (
    sa.select(tasks.c.channel_id, sa.func.count().label("tasks"))
    .where(IS_UNDER_WAY, tasks.c.channel_id != "", tasks.c.step.in_(_SENT))
    .group_by(tasks.c.channel_id)
    .order_by(tasks.c.channel_id)
)
_ALL_STEPS = tuple(step.value for step in TaskStep if step is not TaskStep.DONE)


def _count_under_way(among: Among) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(tasks.c.customer_id, sa.func.count().label("tasks"))
        .where(IS_UNDER_WAY, tasks.c.step.in_(_ALL_STEPS), among(tasks.c.customer_id))
        .group_by(tasks.c.customer_id)
    )


_UNDER_WAY = by_dialect(_count_under_way, "customers")
_DURATIONS = (
    sa.select((tasks.c.ended_at - tasks.c.created_at).label("seconds"), tasks.c.book)
    .where(HAS_SUCCEEDED, tasks.c.offer_id == sa.bindparam("offer"))
    .order_by(tasks.c.ended_at.desc())
    .limit(sa.bindparam("limit"))
)
_COUNTS = sa.select(tasks.c.step, sa.func.count().label("tasks")).where(IS_UNDER_WAY).group_by(tasks.c.step)
_FORGETTABLE = (
    sa.select(tasks)
    .where(
        IS_REMEMBERED,
        tasks.c.step == TaskStep.DONE.value,
        sa.or_(tasks.c.ended_at < sa.bindparam("ended"), tasks.c.deleted_at < sa.bindparam("deleted")),
    )
    .limit(sa.bindparam("limit"))
)
_FORGET = (
    sa.update(tasks)
    .where(_IS_IT)
    .values(request=sa.bindparam("new_request"), outcome=sa.bindparam("new_outcome"), forgotten_at=_MOMENT)
)
_FORGET_EVENTS = sa.delete(task_events).where(task_events.c.task_id == sa.bindparam("task"))
_EVENTS = sa.select(task_events).where(task_events.c.task_id == sa.bindparam("task")).order_by(task_events.c.seq)
_ALL = sa.select(tasks).order_by(tasks.c.id)


class SqlTasks:
    """See `yuanjing.ports.tasks.TaskTable`.

    Lines of history are written together, when they are next read or the unit of work ends.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._unsaid: list[dict[str, Any]] = []

    def flush(self) -> None:
        """Write the lines of history that are not yet written."""
        if self._unsaid:
            rows, self._unsaid = self._unsaid, []
            _ADD_EVENT.add(self._work, rows)

    def add(self, task: VideoTask, text: str) -> None:
        """See the port."""
        if not self.add_new([(task, text)]):
            raise AlreadyExistsError(f"task {task.id}, or its hold or usage id, exists")

    def add_new(self, tasks: Sequence[tuple[VideoTask, str]]) -> set[str]:
        """See the port."""
        assert all(task.claim is None for task, _ in tasks), tasks
        added = _ADD.add_new(self._work, [to_row(task) for task, _ in tasks])
        for task, text in tasks:
            if task.id in added:
                self._tell(task, task.created_at, text)
        return added

    def get(self, task_id: str) -> VideoTask | None:
        """See the port."""
        row = self._work.find(_ONE.plain, task=task_id)
        return None if row is None else sound(_read(row))

    def lock(self, task_id: str) -> VideoTask | None:
        """See the port."""
        rows = self._work.locked(_ONE, task=task_id)
        return sound(_read(rows[0])) if rows else None

    def save(self, task: VideoTask, text: str = "") -> bool:
        """See the port.

        A provider's task that another row has is looked for first: a statement that breaks the unique key would end
        the transaction on PostgreSQL. The key itself is for two units of work at the same time.
        """
        assert task.claim is not None, task
        if task.upstream_task_id:
            owner = self.owner_of(task.channel_id, task.upstream_task_id)
            if owner not in (None, task.id):
                raise AlreadyExistsError(f"{task.upstream_task_id} of {task.channel_id} belongs to task {owner}")
        changed = self._work.do(_SAVE, task=task.id, token=task.claim.token, next=task.next_at, **to_row_saved(task))
        if changed and text:
            self._tell(task, self._work.clock.unix(), text)
        return changed == 1

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
        """See the port."""
        rows = claim_due(self._work, owner, steps, at=at, until=until, limit=limit, only=only)
        return [_read(row) for row in rows]

    def renew(self, owner: str, claims: Mapping[str, int], until: float) -> set[str]:
        """See the port."""
        ids = sorted(claims)
        self._work.do_many(
            _RENEW, [{"task": id_, "token": claims[id_], "claimant": owner, "until": until} for id_ in ids]
        )
        ours: set[str] = set()
        for start in range(0, len(ids), _IDS_MAX):
            rows = self._work.rows(_CLAIMS, ids=ids[start : start + _IDS_MAX], claimant=owner)
            ours |= {row.id for row in rows if row.claim_token == claims[row.id]}
        return ours

    def unclaim(self, owner: str, claims: Mapping[str, int]) -> None:
        """See the port."""
        rows = [{"task": id_, "token": claims[id_], "claimant": owner} for id_ in sorted(claims)]
        self._work.do_many(_UNCLAIM, rows)

    def postpone(self, owner: str, claims: Mapping[str, tuple[int, float]]) -> None:
        """See the port."""
        rows = [
            {"task": id_, "token": claims[id_][0], "claimant": owner, "next": claims[id_][1]} for id_ in sorted(claims)
        ]
        self._work.do_many(_POSTPONE, rows)

    def hasten(self, channel_id: str, upstream_task_id: str, at: float) -> bool:
        """See the port."""
        if not is_storable(upstream_task_id):
            return False
        return self._work.do(_HASTEN, channel=channel_id, upstream=upstream_task_id, moment=at) == 1

    def bring_forward(self, at: float, *, after: float) -> int:
        """See the port."""
        return self._work.do(_BRING_FORWARD, moment=at, after=after)

    def request_cancel(self, task_id: str, at: float) -> bool:
        """See the port."""
        return self._work.do(_CANCEL, task=task_id, moment=at) == 1

    def mark_deleted(self, task_id: str, at: float) -> bool:
        """See the port."""
        return self._work.do(_DELETE, task=task_id, moment=at) == 1

    def forgettable(self, *, ended_before: float, deleted_before: float, limit: int) -> Sequence[VideoTask | Damaged]:
        """See the port."""
        rows = self._work.rows(_FORGETTABLE, ended=ended_before, deleted=deleted_before, limit=limit)
        return [_read(row) for row in rows]

    def forget(self, tasks: Sequence[VideoTask], at: float) -> None:
        """See the port."""
        rows = [to_row_forgotten(task) | {"task": task.id, "moment": at} for task in tasks]
        self._work.do_many(_FORGET_EVENTS, [{"task": task.id} for task in tasks])
        self._work.do_many(_FORGET, rows)

    def note(self, task_id: str, text: str, *, flag: str = "") -> None:
        """See the port."""
        task = self.lock(task_id)
        assert task is not None, task_id
        self._tell(task, self._work.clock.unix(), text)
        if flag:
            self._work.do(_FLAG, task=task_id, new_flag=flag)

    def owner_of(self, channel_id: str, upstream_task_id: str) -> str | None:
        """See the port."""
        row = self._work.find(_OWNER_OF, channel=channel_id, upstream=upstream_task_id)
        return None if row is None else row.id

    def of_hold(self, hold_id: str) -> VideoTask | Damaged | None:
        """See the port."""
        row = self._work.first(_OF_HOLD, hold=hold_id)
        return None if row is None else _read(row)

    def lost(self, channel_id: str, upstream_model: str, sent_from: float, sent_until: float) -> list[str]:
        """See the port."""
        rows = self._work.rows(
            _LOST, channel=channel_id, model=upstream_model, sent_from=sent_from, sent_until=sent_until
        )
        return [row.id for row in rows]

    def loads(self) -> list[ChannelLoad]:
        """See the port."""
        return [ChannelLoad(channel_id=row.channel_id, tasks=row.tasks) for row in self._work.rows(_LOADS)]

    def under_way(self, customer_ids: Collection[str]) -> Mapping[str, int]:
        """See the port."""
        ids = sorted(customer_ids)
        rows = self._work.rows(_UNDER_WAY[self._work.dialect], customers=ids)
        return dict.fromkeys(ids, 0) | {row.customer_id: row.tasks for row in rows}

    def durations(self, offer_id: str, limit: int, book: Book | None = None) -> list[float]:
        """See the port."""
        rows = self._work.rows(_DURATIONS, offer=offer_id, limit=limit)
        return [row.seconds for row in rows if book is None or row.book == book.value]

    def events(self, task_id: str) -> list[TaskEvent]:
        """See the port."""
        self.flush()
        return [
            TaskEvent(at=row.at, state=TaskState(row.state), step=TaskStep(row.step), text=row.text)
            for row in self._work.rows(_EVENTS, task=task_id)
        ]

    def list(self, where: TaskFilter) -> list[VideoTask]:
        """See the port."""
        if not all(is_storable(getattr(where, name) or "") for name in _FILTERS):
            return []
        return [sound(_read(row)) for row in self._work.rows(_listing(where))]

    def counts(self) -> Mapping[TaskStep, int]:
        """See the port. A damaged row may be in a step that there is not."""
        return {TaskStep(row.step): row.tasks for row in self._work.rows(_COUNTS) if row.step in _ALL_STEPS}

    def scan(self) -> Iterator[VideoTask | Damaged]:
        """See the port."""
        for row in self._work.stream(_ALL):
            yield _read(row)

    def _tell(self, task: VideoTask, at: float, text: str) -> None:
        line = {"task_id": task.id, "at": at, "state": task.state.value, "step": task.step.value, "text": text}
        self._unsaid.append(line)


def _read(row: sa.Row[Any]) -> VideoTask | Damaged:
    return readable(row.id, partial(from_row, row))


def _listing(where: TaskFilter) -> sa.Select[*tuple[Any, ...]]:
    """The tasks that the filter wants, in its order."""
    statement = sa.select(tasks).limit(where.limit)
    for name in _FILTERS:
        value: str | None = getattr(where, name)
        if value is not None:
            statement = statement.where(tasks.c[name] == str(value))
    if where.states:
        statement = statement.where(tasks.c.state.in_([state.value for state in where.states]))
    if where.is_flagged is not None:
        statement = statement.where(IS_FLAGGED if where.is_flagged else sa.not_(IS_FLAGGED))
    if where.created_from is not None:
        statement = statement.where(tasks.c.created_at >= where.created_from)
    if where.created_until is not None:
        statement = statement.where(tasks.c.created_at < where.created_until)
    if not where.with_deleted:
        statement = statement.where(tasks.c.deleted_at.is_(None))
    place = sa.tuple_(tasks.c.created_at, tasks.c.id)
    if where.before is not None:
        statement = statement.where(place > where.before if where.is_ascending else place < where.before)
    columns = (tasks.c.created_at, tasks.c.id)
    return statement.order_by(*(column if where.is_ascending else column.desc() for column in columns))
