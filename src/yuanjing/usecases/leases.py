"""Leases: money that one gateway process holds, so that it can admit and charge requests in memory."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.holds import Hold, HoldPurpose, LeasePolicy, lease_amount, parts_of
from yuanjing.domain.identity import ApiKey
from yuanjing.domain.money import Book
from yuanjing.kit.clock import Clock
from yuanjing.kit.ids import sortable_id
from yuanjing.ports.store import Store, Topic, Tx
from yuanjing.usecases.budgets import LockedBudget, lock_budget
from yuanjing.usecases.movements import Movements, write_contended
from yuanjing.usecases.nodes import NodeRef, fence
from yuanjing.usecases.returns import LeaseReturn, Placement, Return, Returns

__all__ = ["LeaseAnswer", "LeaseKeeper", "LeaseRequest", "LeaseReturn", "recall_leases"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseRequest:
    """What a purse asks for.

    Attributes:
        key_id: the API key whose budget counts; None for keys without a budget.
        hold_id: the lease to extend, if the purse has one.
        needed_nanos: the ceiling that missed; more than zero.
        recent_nanos: what it is likely to need soon: two seconds of the customer's recent spending in this process, or
            eight if nobody waits, or what all who wait need together if that is more.
        may_recall: whether a refusal asks other leases back; not if nobody waits.
        asked: the leases that this purse has asked back before; see `LeaseAnswer.asked`.
    """

    book: Book
    customer_id: str
    key_id: str | None
    hold_id: str | None
    needed_nanos: int
    recent_nanos: int
    may_recall: bool = True
    asked: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseAnswer:
    """What the ledger gave.

    Attributes:
        hold_id: the lease that was placed or extended; None if refused.
        granted_nanos: 0 if refused, else at least what was needed.
        available_nanos: what the customer may still commit after this, promotion money with it.
        budget_left_nanos: what the key's budget still allows after this; None without a budget.
        budget_held_nanos: what of the budget was held, and not spent, before this.
        is_recalling: refused, but other leases hold money that is asked back, and their owners have not answered yet;
            trying again soon may help.
        asked: the leases that have been asked back, now or before, by what was ever placed into them. One that has got
            more since then is asked again.
    """

    hold_id: str | None
    granted_nanos: int
    available_nanos: int
    budget_left_nanos: int | None
    is_recalling: bool
    budget_held_nanos: int = 0
    asked: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Standing:
    """What a request meets in the ledger; `available_nanos` includes the promotion money."""

    available_nanos: int
    promotion_nanos: int
    budget: LockedBudget | None
    is_allowed: bool

    @property
    def spendable_nanos(self) -> int:
        if not self.is_allowed:
            return 0
        return min(self.available_nanos, self.budget.left_nanos) if self.budget else self.available_nanos


class LeaseKeeper:
    """Places, extends and returns the leases of this process; one keeper for each process.

    What it places and returns is numbered, so that an operation whose outcome is unknown (the store was lost while it
    committed, or the caller was cancelled) is found out and finished before the next one: a placement that nobody
    learned of goes back, a return is repeated. Whoever waits for nothing else calls `finish_pending` now and then.
    """

    def __init__(self, store: Store, clock: Clock, policy: LeasePolicy, ttl_seconds: int) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._ttl_seconds = ttl_seconds
        self._returns = Returns(store, clock, ttl_seconds)

    async def acquire(self, node: NodeRef, request: LeaseRequest) -> LeaseAnswer:
        """Lease money for a request that missed; refused if the customer or the key's budget has less than needed.

        When it is refused because other leases hold the money, these are asked back.

        Raises:
            FencedError: the node was taken over.
            StoreUnavailableError: nothing was leased; if it was after all, it goes back by itself.
        """
        await self._returns.finish(node)
        placement = Placement(
            part=self._returns.next_part(),
            extends=request.hold_id,
            new_hold_id=sortable_id("hold"),
            return_part=self._returns.next_part(),
        )

        def work(tx: Tx) -> tuple[LeaseAnswer, bool]:
            fence(tx, node)
            return self._lease(tx, node, request, placement)

        try:
            answer, is_to_mark = await write_contended(self._store, work)
        except (StoreUnavailableError, asyncio.CancelledError):
            self._returns.doubt(node, placement)
            raise
        if is_to_mark:
            book, customer_id, at = request.book, request.customer_id, self._clock.unix()
            await self._store.write(lambda tx: recall_leases(tx, book, customer_id, at, except_hold=request.hold_id))
        return answer

    async def give_back(self, node: NodeRef, returns: Sequence[LeaseReturn]) -> None:
        """Return unused parts of leases.

        The amounts are the keeper's from the moment of the call: if the store cannot be reached, it keeps them and
        repeats the return itself. The caller must have taken them out of its purse before, and never gives them twice.

        Raises:
            FencedError: the node was taken over, which returned them already.
            AssertionError: more was returned than the lease holds, or the lease is not this node's: a bug.
        """
        self._returns.owe(node, [Return(given=given, part=self._returns.next_part()) for given in returns])
        try:
            await self._returns.finish(node)
        except StoreUnavailableError:
            return

    async def finish_pending(self, node: NodeRef) -> bool:
        """Finish what an earlier call could not; False if the store still cannot be reached.

        Raises:
            FencedError: the node was taken over.
        """
        try:
            await self._returns.finish(node)
        except StoreUnavailableError:
            return False
        return True

    def _lease(self, tx: Tx, node: NodeRef, request: LeaseRequest, placement: Placement) -> tuple[LeaseAnswer, bool]:
        """The answer, and whether other leases are still to be asked back."""
        assert request.needed_nanos > 0, request
        at = self._clock.unix()
        key = tx.keys.get(request.key_id) if request.key_id is not None else None
        budget_key_id = key.id if key is not None and key.limits.budget_nanos is not None else None
        hold = _extendable(tx, node, request, budget_key_id)
        standing = _standing(tx, request, key, at)
        is_recalled = hold is not None and hold.recall_requested_at is not None
        recent = 0 if is_recalled else request.recent_nanos
        amount = lease_amount(standing.spendable_nanos, request.needed_nanos, recent, self._policy)
        if not amount:
            return _refusal(tx, request, standing)
        moves = Movements(tx, at)
        expires_at = at + self._ttl_seconds
        promotion = min(amount, standing.promotion_nanos)
        if hold is not None:
            moves.extend(hold, amount, promotion_nanos=promotion, part=placement.part, expires_at=expires_at)
        else:
            hold = Hold(
                id=placement.new_hold_id,
                book=request.book,
                customer_id=request.customer_id,
                purpose=HoldPurpose.LEASE,
                amount_nanos=amount,
                promotion_nanos=promotion,
                owner_node=node.id,
                owner_incarnation=node.incarnation,
                key_id=budget_key_id,
                parts=parts_of(amount, promotion),
                created_at=at,
                expires_at=expires_at,
            )
            moves.open_lease(hold, part=placement.part)
        moves.apply()
        answer = LeaseAnswer(
            hold_id=hold.id,
            granted_nanos=amount,
            available_nanos=standing.available_nanos - amount,
            budget_left_nanos=standing.budget.left_nanos - amount if standing.budget else None,
            is_recalling=False,
        )
        return answer, False


def _extendable(tx: Tx, node: NodeRef, request: LeaseRequest, budget_key_id: str | None) -> Hold | None:
    """The lease that the request names, if it may be extended for it."""
    if request.hold_id is None:
        return None
    hold = tx.holds.lock([request.hold_id]).get(request.hold_id)
    if hold is None or not hold.is_lease_of(node.id, node.incarnation) or hold.is_closing:
        return None
    is_same = (hold.book, hold.customer_id, hold.key_id) == (
        request.book,
        request.customer_id,
        budget_key_id,
    )
    return hold if is_same else None


def _standing(tx: Tx, request: LeaseRequest, key: ApiKey | None, at: float) -> _Standing:
    customer = tx.customers.get(request.customer_id)
    is_allowed = customer is not None and customer.disabled_at is None
    if request.key_id is not None:
        is_allowed = (
            is_allowed
            and key is not None
            and key.is_usable(at)
            and (key.customer_id, key.book) == (request.customer_id, request.book)
        )
    budget = lock_budget(tx, key, at) if key is not None else None
    balances = tx.ledger.balances(request.book, request.customer_id)
    return _Standing(
        available_nanos=balances.spendable_nanos,
        promotion_nanos=balances.promotion_nanos,
        budget=budget,
        is_allowed=is_allowed,
    )


def _refusal(tx: Tx, request: LeaseRequest, standing: _Standing) -> tuple[LeaseAnswer, bool]:
    """Nothing; other leases are worth asking back if they hold what this request lacks.

    Those that were asked before and have not answered are not asked again: their owners know. Those that have answered
    this purse neither, unless they were extended since: what they still hold is reserved, or spent and not posted, and
    their owners give back what becomes free of it.
    """
    budget = standing.budget
    is_budget_short = budget is not None and budget.left_nanos < request.needed_nanos
    others = [
        hold
        for hold in _others(tx, request)
        if hold.remaining_nanos and (not is_budget_short or hold.key_id == request.key_id)
    ]
    is_asking = standing.is_allowed and request.may_recall
    new = [hold for hold in others if is_asking and request.asked.get(hold.id) != hold.amount_nanos]
    is_open = any(hold.recall_requested_at is not None for hold in others)
    answer = LeaseAnswer(
        hold_id=None,
        granted_nanos=0,
        available_nanos=standing.available_nanos,
        budget_left_nanos=budget.left_nanos if budget else None,
        budget_held_nanos=budget.budget.held_nanos if budget else 0,
        is_recalling=is_asking and (is_open or bool(new) or _has_come(tx, request, standing)),
        asked={hold.id: hold.amount_nanos for hold in others} if is_asking else request.asked,
    )
    return answer, any(hold.recall_requested_at is None for hold in new)


def _has_come(tx: Tx, request: LeaseRequest, standing: _Standing) -> bool:
    """Whether money came back between the look at the balance and that at the leases, which are two moments."""
    return tx.ledger.balances(request.book, request.customer_id).spendable_nanos > standing.available_nanos


def _others(tx: Tx, request: LeaseRequest) -> list[Hold]:
    """The customer's other leases that may still give something back."""
    return [
        hold
        for hold in tx.holds.open_of_customer(request.book, request.customer_id)
        if hold.purpose is HoldPurpose.LEASE and not hold.is_closing and hold.id != request.hold_id
    ]


def recall_leases(tx: Tx, book: Book, customer_id: str, at: float, *, except_hold: str | None = None) -> None:
    """Ask the customer's other leases back, those of the same node's other purses too, and tell their owners.

    This is a unit of work of its own, because it locks holds after the refused one has locked a budget. If it never
    runs, the request that it was for has ended with its process.
    """
    marked = tx.holds.request_recall(book, customer_id, at, except_hold=except_hold)
    for owner in sorted({hold.owner_node for hold in marked if hold.owner_node is not None}):
        tx.signals.emit(Topic.RECALL, owner, at)
