"""Claiming due tasks: fair between customers, and cheap however many tasks there are.

Two indexes over the tasks under way make it cheap. By step and time they give the oldest due ones. Mostly that is all
there are, or it shows enough customers; if a few customers fill it, the index by step, customer and time gives the
customers one by one, each by a single look-up, and then the oldest due tasks of each.
"""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from yuanjing.adapters.sql.tables import ID, IS_UNDER_WAY, TIME, tasks
from yuanjing.adapters.sql.work import Work
from yuanjing.domain.videos import TaskStep
from yuanjing.ports.tasks import Takeable

_CUSTOMERS_MAX = 1000
"""How many customers are gone through in a step; if there are more, the rest comes by the age of its tasks."""
_WINDOW_FACTOR = 4
_WINDOW_MIN = 64
_AT_ONCE = 16
"""How many customers' shares one statement asks for."""

_BETWEEN = " "
_STEP = sa.bindparam("in_step", type_=ID)
_MOMENT = sa.bindparam("moment", type_=TIME)
_IN_STEP = (IS_UNDER_WAY, tasks.c.step == _STEP)
_KEYS = (tasks.c.due_at, tasks.c.id, tasks.c.customer_id)


def _customers() -> sa.CTE:
    """The customers with tasks in a step: the first, and then always the next one after it."""
    number = sa.literal_column("1", sa.Integer()).label("number")
    first = sa.select(sa.func.min(tasks.c.customer_id).label("id"), number)
    found = first.where(*_IN_STEP).cte("found", recursive=True)
    after = sa.select(sa.func.min(tasks.c.customer_id)).where(*_IN_STEP, tasks.c.customer_id > found.c.id)
    following = sa.select(after.scalar_subquery(), found.c.number + sa.literal_column("1"))
    return found.union_all(following.where(found.c.id.is_not(None), found.c.number < sa.bindparam("customers_max")))


_FOUND = _customers()


def _takeable(rows: sa.FromClause) -> sa.ColumnElement[bool]:
    """What `Takeable` says, of these rows."""
    return sa.or_(
        (rows.c.book + _BETWEEN + rows.c.offer_id).in_(sa.bindparam("offers", expanding=True)),
        rows.c.is_cancel_requested,
        rows.c.created_at <= sa.bindparam("created_until", type_=TIME),
    )


class _Queries:
    """The statements that find due tasks of a step; all of them, or the takeable ones only."""

    def __init__(self, *, is_picky: bool) -> None:
        due = (*_IN_STEP, *([_takeable(tasks)] if is_picky else []), tasks.c.due_at <= _MOMENT)
        self._due = sa.select(*_KEYS).where(*due)
        self.oldest = self._due.order_by(tasks.c.due_at, tasks.c.id).limit(sa.bindparam("window"))
        its_oldest = sa.select(tasks.c.due_at).where(*due, tasks.c.customer_id == _FOUND.c.id).order_by(tasks.c.due_at)
        one = sa.literal_column("1", sa.Integer())
        self.customers = sa.select(_FOUND.c.id, its_oldest.limit(one).scalar_subquery().label("due_at"))
        self.shares = sa.union_all(*(self._share(number) for number in range(_AT_ONCE)))

    def _share(self, number: int) -> sa.Select[*tuple[Any, ...]]:
        """The oldest due tasks of one customer."""
        its = self._due.where(tasks.c.customer_id == sa.bindparam(f"customer_{number}", type_=ID))
        return sa.select(its.order_by(tasks.c.due_at).limit(sa.bindparam("share")).subquery())


_ANY, _PICKED = _Queries(is_picky=False), _Queries(is_picky=True)
_FREE = (
    sa.select(tasks.c.id)
    .where(
        tasks.c.id.in_(sa.bindparam("ids", expanding=True)),
        tasks.c.step.in_(sa.bindparam("steps", expanding=True)),
        tasks.c.due_at <= _MOMENT,
    )
    .order_by(tasks.c.id)
    .with_for_update(skip_locked=True)
    .cte("free")
)
_TAKE = (
    sa.update(tasks)
    .where(tasks.c.id.in_(sa.select(_FREE.c.id)))
    .values(
        claim_owner=sa.bindparam("claimant"),
        claim_token=tasks.c.claim_token + 1,
        claim_until=sa.bindparam("until"),
        due_at=sa.bindparam("until"),
        is_hastened=False,
    )
    .returning(*tasks.c)
)


class _Candidate(NamedTuple):
    due_at: float
    id: str
    customer_id: str


def claim_due(  # noqa: PLR0913  # a claim has its terms
    work: Work,
    owner: str,
    steps: Sequence[TaskStep],
    *,
    at: float,
    until: float,
    limit: int,
    only: Takeable | None = None,
) -> list[sa.Row[Any]]:
    """Claim due rows, see `TaskTable.claim`; in the order of their turns."""
    wanted = _in_turn({candidate for step in steps for candidate in _candidates(work, step, at, limit, only)})
    taken: dict[str, sa.Row[Any]] = {}
    names = [step.value for step in steps]
    while wanted and len(taken) < limit:
        count = limit - len(taken)
        ids, wanted = wanted[:count], wanted[count:]
        rows = work.rows(_TAKE, ids=ids, steps=names, moment=at, claimant=owner, until=until)
        by_id = {row.id: row for row in rows}
        taken |= {id_: by_id[id_] for id_ in ids if id_ in by_id}
    return list(taken.values())


def _candidates(work: Work, step: TaskStep, at: float, limit: int, only: Takeable | None) -> list[_Candidate]:
    """More than enough due tasks of a step, with the oldest of each customer among them."""
    window = max(_WINDOW_FACTOR * limit, _WINDOW_MIN)
    terms: dict[str, Any] = {"in_step": step.value, "moment": at}
    queries = _ANY
    if only is not None:
        queries = _PICKED
        terms["offers"] = sorted(f"{book.value}{_BETWEEN}{offer_id}" for book, offer_id in only.offers)
        terms["created_until"] = only.created_until
    oldest = [_Candidate._make(row) for row in work.rows(queries.oldest, window=window, **terms)]
    if len(oldest) < window or len({candidate.customer_id for candidate in oldest}) >= limit:
        return oldest
    found = work.rows(queries.customers, customers_max=_CUSTOMERS_MAX, **terms)
    customers = [id_ for _, id_ in sorted((row.due_at, row.id) for row in found if row.due_at is not None)][:limit]
    share = -(-limit // max(1, len(customers)))
    for start in range(0, len(customers), _AT_ONCE):
        names = _names(customers[start : start + _AT_ONCE])
        oldest += [_Candidate._make(row) for row in work.rows(queries.shares, share=share, **names, **terms)]
    return oldest


def _names(customers: Sequence[str]) -> dict[str, str | None]:
    return {f"customer_{n}": customers[n] if n < len(customers) else None for n in range(_AT_ONCE)}


def _in_turn(candidates: set[_Candidate]) -> list[str]:
    """Ids in the order in which they are served: the oldest of each customer, then the second of each, and so on."""
    turns: defaultdict[str, itertools.count[int]] = defaultdict(itertools.count)
    placed = [(next(turns[candidate.customer_id]), candidate) for candidate in sorted(candidates)]
    return [candidate.id for _, candidate in sorted(placed)]
