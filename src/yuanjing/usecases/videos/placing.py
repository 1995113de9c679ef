"""Placing tasks: each with its hold, its row and its files' rows, in one transaction; many that come at once share one.

A commit to disk takes some milliseconds, whatever is in it. So what comes while one is under way waits and goes
together with the next. They share the transaction, not their fate: whoever cannot be placed is refused alone.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from yuanjing.domain.artifacts import Artifact
from yuanjing.domain.errors import AlreadyExistsError, InsufficientFundsError, StoreUnavailableError, YuanjingError
from yuanjing.domain.holds import Hold, HoldPurpose, parts_of
from yuanjing.domain.idempotency import IdempotencyRunningError, IdempotentRequest
from yuanjing.domain.identity import ApiKey
from yuanjing.domain.ledger import Balances, available
from yuanjing.domain.money import Book
from yuanjing.domain.videos import VideoTask
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.budgets import LockedBudget, lock_budget
from yuanjing.usecases.leases import recall_leases
from yuanjing.usecases.movements import Movements
from yuanjing.usecases.videos.parts import BudgetExceededError, TooManyTasksError, VideoPolicy, budget_error

_FIRST_PART = 1
_PAUSES_FIRST, _PAUSES_LONGEST = 64, 8
"""Parts of `lease_wait_seconds`: the pauses between two tries while leases are asked back, which double."""
_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """What is to be placed.

    Attributes:
        key: of the caller; its budget counts.
        expires_at: when the hold may be looked at by expiry, long after the task must have ended.
        text: the first line of the task's history.
        named: the row of the request's idempotency key, if it brought one.
    """

    task: VideoTask
    key: ApiKey
    artifacts: Sequence[Artifact]
    expires_at: float
    text: str
    named: IdempotentRequest | None = None


class _Entry:
    """A placement that waits; `done` ends with it, by an error if it was not placed."""

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.done = asyncio.get_running_loop().create_future()

    def finish(self, error: Exception | None = None) -> None:
        if self.done.done():  # whoever waited has gone away
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class _RefusedError(Exception):
    """Undoes a unit of work, since these of its placements, by task id, cannot be."""

    def __init__(self, errors: Mapping[str, YuanjingError]) -> None:
        super().__init__()
        self.errors = errors


class Placer:
    """Places tasks against their customers' money."""

    def __init__(self, store: Store, clock: Clock, policy: VideoPolicy) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._waiting: list[_Entry] = []
        self._work: asyncio.Task[None] | None = None

    async def place(self, placement: Placement) -> None:
        """Place the task; if leases hold the money, or the budget, that is lacking, ask them back and wait for it once.

        Raises:
            InsufficientFundsError, BudgetExceededError, TooManyTasksError: nothing was placed.
            AlreadyExistsError: the id is taken; nothing was placed.
            IdempotencyRunningError: another request with the same idempotency key came first, and may have been placed.
            StoreUnavailableError: the store does not say whether it was.
        """
        try:
            await self._try(placement)
        except (InsufficientFundsError, BudgetExceededError) as error:
            if not await self._recall(placement):
                raise
            await self._try_again(placement, error)

    async def _try_again(self, placement: Placement, error: YuanjingError) -> None:
        """Until it is placed, or all who were asked have answered, or it has taken too long."""
        waited, pause = 0.0, self._policy.lease_wait_seconds / _PAUSES_FIRST
        while True:
            is_last = waited >= self._policy.lease_wait_seconds or not await self._is_asked(placement)
            try:
                await self._try(placement)
            except (InsufficientFundsError, BudgetExceededError) as again:
                error = again
            else:
                return
            if is_last:
                raise error
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(2 * pause, self._policy.lease_wait_seconds / _PAUSES_LONGEST)

    async def _is_asked(self, placement: Placement) -> bool:
        """Whether a lease of the customer was asked back and its owner has not answered."""
        task = placement.task
        holds = await self._store.read(lambda tx: tx.holds.open_of_customer(task.book, task.customer_id))
        return any(hold.recall_requested_at is not None for hold in holds)

    async def _try(self, placement: Placement) -> None:
        """Wait until it is placed; one that goes away before its turn is not placed any more."""
        entry = _Entry(placement)
        self._waiting.append(entry)
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._place_all())
        try:
            await entry.done
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)

    async def _place_all(self) -> None:
        """Place what waits. A task of its own: whoever goes away meanwhile must not leave the others' fate open."""
        while self._waiting:
            entries, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            try:
                await self._place_together(entries)
            finally:
                for entry in entries:
                    entry.done.cancel()  # none is left, unless this is cancelled

    async def _place_together(self, entries: Sequence[_Entry]) -> None:
        """Place them in one unit of work, or, if one is in the way of the others, without it.

        If the store fails, each of them is looked for: it may have been placed. After an error that nobody expects,
        which may be about one of them only, each is placed alone.
        """
        left = {entry.placement.task.id: entry for entry in entries}
        try:
            while left:
                errors = await self._write([entry.placement for entry in left.values()])
                for task_id, error in errors.items():
                    left.pop(task_id).finish(error)
                if not errors:
                    break
            for entry in left.values():
                entry.finish()
        except StoreUnavailableError as error:
            await self._look_for(left, error)
        except Exception as error:  # noqa: BLE001  # whatever it is, the others are placed, and it is told
            for entry in left.values():
                if len(left) > 1:
                    await self._place_together([entry])
                else:
                    entry.finish(error)

    async def _write(self, placements: Sequence[Placement]) -> Mapping[str, YuanjingError]:
        """Place all of them, or none; the errors of those that cannot be."""
        try:
            await self._store.write(lambda tx: _place(tx, placements, self._policy.tasks_per_customer_max))
        except _RefusedError as refused:
            return refused.errors
        return {}

    async def _look_for(self, left: Mapping[str, _Entry], error: StoreUnavailableError) -> None:
        """The commit may have happened: those that are there are placed."""
        try:
            there = await self._store.read(lambda tx: {id_ for id_ in left if _is_placed(tx, left[id_].placement)})
        except StoreUnavailableError:
            there = set[str]()
        for task_id, entry in left.items():
            entry.finish(None if task_id in there else error)

    async def _recall(self, placement: Placement) -> bool:
        """Ask the customer's leases back if they hold what is lacking; whether they do."""
        task, key, at = placement.task, placement.key, self._clock.unix()

        def is_there(tx: Tx) -> bool:
            holds = tx.holds.open_of_customer(task.book, task.customer_id)
            leases = [hold for hold in holds if hold.purpose is HoldPurpose.LEASE and not hold.is_closing]
            leased = sum(hold.remaining_nanos for hold in leases)
            balances = tx.ledger.balances(task.book, task.customer_id)
            if balances.spendable_nanos + leased < task.ceiling_nanos:
                return False
            budget = lock_budget(tx, key, at)
            if budget is None:
                return bool(leased)
            own = sum(hold.remaining_nanos for hold in leases if hold.key_id == key.id)
            return bool(leased) and budget.left_nanos + own >= task.ceiling_nanos

        if not await self._store.read(is_there):
            return False
        await self._store.write(lambda tx: recall_leases(tx, task.book, task.customer_id, at))
        return True


def _is_placed(tx: Tx, placement: Placement) -> bool:
    task = tx.tasks.get(placement.task.id)
    return task is not None and task.hold_id == placement.task.hold_id


def _place(tx: Tx, placements: Sequence[Placement], tasks_max: int) -> None:
    """Place all of them.

    Raises:
        _RefusedError: some cannot be.
    """
    _claim_names(tx, placements)
    promotions = _check_money(tx, placements)
    _check_numbers(tx, placements, tasks_max)
    moves = Movements(tx, placements[0].task.created_at)
    for placement in placements:
        moves.open_lease(_hold(placement, promotions[placement.task.id]), part=_FIRST_PART)
    moves.apply()
    added = tx.tasks.add_new([(one.task, one.text) for one in placements])
    taken = [one.task.id for one in placements if one.task.id not in added]
    if taken:
        raise _RefusedError({id_: AlreadyExistsError(f"task {id_} exists") for id_ in taken})
    tx.artifacts.add(*(artifact for one in placements for artifact in one.artifacts))


def _claim_names(tx: Tx, placements: Sequence[Placement]) -> None:
    """Refuse those whose idempotency key another request has; before anything is locked, in the order of the keys."""
    named = [(one.named, one.task.id) for one in placements if one.named is not None]
    named.sort(key=lambda one: (one[0].key_id, one[0].digest))
    added = tx.idempotency.add_new([row for row, _ in named])
    taken = [task_id for row, task_id in named if row.usage_id not in added]
    if taken:
        raise _RefusedError({task_id: IdempotencyRunningError() for task_id in taken})


def _hold(placement: Placement, promotion_nanos: int) -> Hold:
    task, key = placement.task, placement.key
    return Hold(
        id=task.hold_id,
        book=task.book,
        customer_id=task.customer_id,
        purpose=HoldPurpose.TASK,
        amount_nanos=task.ceiling_nanos,
        promotion_nanos=promotion_nanos,
        key_id=key.id if key.limits.budget_nanos is not None else None,
        parts=parts_of(task.ceiling_nanos, promotion_nanos),
        created_at=task.created_at,
        expires_at=placement.expires_at,
    )


def _check_money(tx: Tx, placements: Sequence[Placement]) -> dict[str, int]:
    """Refuse those that their key's budget, or their customer's money, does not allow after those before them.

    Returns how much of each task's ceiling is promotion money.

    Budgets are locked, in the order of their keys; then the customers' accounts.
    """
    keys = {one.key.id: one.key for one in placements}
    at = placements[0].task.created_at
    budgets: dict[str, LockedBudget | None] = {id_: lock_budget(tx, keys[id_], at) for id_ in sorted(keys)}
    left: dict[tuple[Book, str], Balances] = {}
    for book in sorted({one.task.book for one in placements}):
        customers = {one.task.customer_id for one in placements if one.task.book is book}
        left |= {(book, id_): its for id_, its in tx.ledger.lock_balances(book, customers).items()}
    errors = dict(_short(placements, budgets, {owner: its.spendable_nanos for owner, its in left.items()}))
    if errors:
        raise _RefusedError(errors)
    return _promotions(placements, {owner: its.promotion_nanos for owner, its in left.items()})


def _promotions(placements: Sequence[Placement], left: dict[tuple[Book, str], int]) -> dict[str, int]:
    """How much of each task's ceiling is promotion money, by the id of the task: all there is, those before first."""
    parts: dict[str, int] = {}
    for placement in placements:
        task = placement.task
        owner = (task.book, task.customer_id)
        parts[task.id] = min(task.ceiling_nanos, left[owner])
        left[owner] -= parts[task.id]
    return parts


def _short(
    placements: Sequence[Placement], budgets: Mapping[str, LockedBudget | None], left: dict[tuple[Book, str], int]
) -> Iterator[tuple[str, YuanjingError]]:
    allowed = {id_: budget.left_nanos for id_, budget in budgets.items() if budget is not None}
    for placement in placements:
        task, key_id, budget = placement.task, placement.key.id, budgets[placement.key.id]
        owner = (task.book, task.customer_id)
        if budget is not None and allowed[key_id] < task.ceiling_nanos:
            yield task.id, budget_error(budget, task.ceiling_nanos)
        elif left[owner] < task.ceiling_nanos:
            yield task.id, InsufficientFundsError(available(task.customer_id), task.ceiling_nanos)
        else:
            left[owner] -= task.ceiling_nanos
            if key_id in allowed:
                allowed[key_id] -= task.ceiling_nanos


def _check_numbers(tx: Tx, placements: Sequence[Placement], tasks_max: int) -> None:
    """Refuse what is too much for a customer; exact, since the customers' accounts are locked by now."""
    errors: dict[str, YuanjingError] = {}
    under_way = tx.tasks.under_way({one.task.customer_id for one in placements})
    for customer_id in under_way:
        its = [one.task.id for one in placements if one.task.customer_id == customer_id]
        room = max(0, tasks_max - under_way[customer_id])
        errors |= {task_id: TooManyTasksError(tasks_max) for task_id in its[room:]}
    if errors:
        raise _RefusedError(errors)
