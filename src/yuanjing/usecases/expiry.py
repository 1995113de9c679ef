"""What time does to holds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from yuanjing.domain.holds import Hold, HoldPurpose
from yuanjing.domain.videos import TaskStep
from yuanjing.kit.clock import Clock
from yuanjing.ports.damage import Damaged
from yuanjing.ports.store import Node, Store, Tx
from yuanjing.usecases.movements import Movements, write_contended


async def expire_holds(store: Store, clock: Clock, *, ttl_seconds: int, limit: int = 500) -> int:
    """Release holds whose time is over and whose owner, or task, does not live; how many were released.

    A lease whose owner lives is renewed instead, for another `ttl_seconds`: the owner's beats keep its life open, and
    the life keeps its leases. Not so a closing one: its owner wants nothing back from it, and usage that was spooled
    for it and is still not posted settles late. A task that is under way keeps its hold, however long it takes: who
    works on it resolves both together.
    """

    def due(tx: Tx) -> list[Hold]:
        return tx.holds.expired(clock.unix(), limit)

    by_owner: defaultdict[str | None, list[str]] = defaultdict(list)
    for hold in await store.read(due):
        by_owner[hold.owner_node].append(hold.id)
    released = 0
    for owner, hold_ids in by_owner.items():

        def work(tx: Tx, owner: str | None = owner, hold_ids: Sequence[str] = hold_ids) -> int:
            return _expire(tx, owner, hold_ids, clock.unix(), ttl_seconds)

        released += await write_contended(store, work)
    return released


def _expire(tx: Tx, owner: str | None, hold_ids: Sequence[str], at: float, ttl_seconds: int) -> int:
    node = tx.nodes.lock(owner) if owner is not None else None
    moves = Movements(tx, at)
    released = 0
    for hold in tx.holds.lock(hold_ids).values():
        if hold.closed_at is not None or hold.expires_at > at:
            continue
        if _is_renewed(hold, node) or _is_under_way(tx, hold):
            moves.save(replace(hold, expires_at=at + ttl_seconds))
        else:
            moves.resolve(hold)
            released += 1
    moves.apply()
    return released


def _is_renewed(hold: Hold, node: Node | None) -> bool:
    """Whether the hold is a lease that a living owner may still charge."""
    return node is not None and node.is_alive and node.incarnation == hold.owner_incarnation and not hold.is_closing


def _is_under_way(tx: Tx, hold: Hold) -> bool:
    """Whether the hold is a task's that has not ended; of one that cannot be read nobody knows."""
    task = tx.tasks.of_hold(hold.id) if hold.purpose is HoldPurpose.TASK else None
    return isinstance(task, Damaged) or (task is not None and task.step is not TaskStep.DONE)
