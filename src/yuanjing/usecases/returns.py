"""What a lease keeper owes to the ledger: returns to make, and placements whose outcome it does not know."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.ledger import SECOND
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.movements import Movements
from yuanjing.usecases.nodes import NodeRef, fence


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseReturn:
    """An unused part of a lease.

    Attributes:
        amount_nanos: what goes back; may be 0, to close a lease or to answer a recall with nothing.
        is_final: the owner will charge no more than what it has already spooled.
        is_wanted: others have asked for it, so they are told that it came, also after the first answer.
        is_answer: it answers a recall, whose mark it takes off. A return that was under way before the owner knew of
            the recall must not: who asked would never hear of what is left, and does not ask a second time.
    """

    hold_id: str
    amount_nanos: int
    is_final: bool
    is_wanted: bool = False
    is_answer: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Return:
    """A return with its number, so that it can be repeated."""

    given: LeaseReturn
    part: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """An attempt to place or extend a lease, with the number under which it would be undone."""

    part: int
    extends: str | None
    new_hold_id: str
    return_part: int


@dataclass(kw_only=True, slots=True)
class _Pending:
    returns: list[Return] = field(default_factory=list[Return])
    doubts: list[Placement] = field(default_factory=list[Placement])


class Returns:
    """Finishes what is pending, in one unit of work, as often as it takes."""

    def __init__(self, store: Store, clock: Clock, ttl_seconds: int) -> None:
        self._store = store
        self._clock = clock
        self._ttl_seconds = ttl_seconds
        self._parts = itertools.count(1)
        self._pending: defaultdict[NodeRef, _Pending] = defaultdict(_Pending)

    def next_part(self) -> int:
        """A number that no placement or return of this process has had."""
        return next(self._parts)

    def owe(self, node: NodeRef, returns: Sequence[Return]) -> None:
        """Returns to make."""
        self._pending[node].returns.extend(returns)

    def doubt(self, node: NodeRef, placement: Placement) -> None:
        """A placement that may have happened and that nobody knows of."""
        self._pending[node].doubts.append(placement)

    async def finish(self, node: NodeRef) -> None:
        """Do all that is pending; on `StoreUnavailableError` or cancellation it stays pending."""
        pending = self._pending[node]
        returns, doubts = pending.returns[:], pending.doubts[:]
        if not returns and not doubts:
            return

        def work(tx: Tx) -> None:
            fence(tx, node)
            self._finish(tx, node, returns, doubts)

        try:
            await self._store.write(work)
        except StoreUnavailableError:
            raise
        except Exception:
            self._drop(pending, returns, doubts)
            raise
        self._drop(pending, returns, doubts)

    def _drop(self, pending: _Pending, returns: Sequence[Return], doubts: Sequence[Placement]) -> None:
        """Strike out what is done, or what can never be; another call may have done so already."""
        pending.returns = [item for item in pending.returns if item not in returns]
        pending.doubts = [item for item in pending.doubts if item not in doubts]

    def _finish(self, tx: Tx, node: NodeRef, returns: Sequence[Return], doubts: Sequence[Placement]) -> None:
        at = self._clock.unix()
        undone = [item for placement in doubts for item in _undo(tx, placement)]
        items = [*undone, *returns]
        holds = tx.holds.lock(sorted({item.given.hold_id for item in items}))
        moves = Movements(tx, at)
        for item in items:
            given = item.given
            hold = holds.get(given.hold_id)
            assert hold is not None, given
            assert (hold.owner_node, hold.owner_incarnation) == (node.id, node.incarnation), given
            if hold.closed_at is not None:
                assert not given.amount_nanos or _is_released(tx, item), given
                continue
            is_asked = hold.recall_requested_at is not None
            is_answer = given.is_answer or given.is_final
            is_told = is_asked and is_answer  # who waits for it is told of nothing too, and waits no longer
            if given.amount_nanos and not _is_released(tx, item):
                is_told = is_asked or hold.is_closing or given.is_wanted
                hold = moves.release(hold, given.amount_nanos, part=item.part)
            if is_told:
                moves.tell_of_funds(hold.book, hold.customer_id)
            hold = replace(
                hold,
                is_closing=hold.is_closing or given.is_final,
                recall_requested_at=None if is_answer else hold.recall_requested_at,
                expires_at=at + self._ttl_seconds if given.is_final else hold.expires_at,
            ).closed_if_done(at)
            moves.save(hold)
            holds[hold.id] = hold
        moves.apply()


def _undo(tx: Tx, placement: Placement) -> list[Return]:
    """The return of a placement, if it happened."""
    for hold_id, is_new in ((placement.new_hold_id, True), (placement.extends, False)):
        placed = _placed(tx, f"hold:{hold_id}:{placement.part}") if hold_id is not None else 0
        if hold_id is not None and placed:
            given = LeaseReturn(hold_id=hold_id, amount_nanos=placed, is_final=is_new)
            return [Return(given=given, part=placement.return_part)]
    return []


def _placed(tx: Tx, transfer_id: str) -> int:
    """What a placement moved, by one transfer or two; 0 if it never happened."""
    first = tx.ledger.transfer(transfer_id)
    second = tx.ledger.transfer(f"{transfer_id}{SECOND}") if first is not None else None
    return sum(transfer.amount_nanos for transfer in (first, second) if transfer is not None)


def _is_released(tx: Tx, item: Return) -> bool:
    """Whether this very return was made by an earlier attempt."""
    return tx.ledger.transfer(f"release:{item.given.hold_id}:{item.part}") is not None
