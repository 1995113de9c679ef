"""What time does to holds."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from yuanjing.domain.holds import Hold, HoldPurpose
from yuanjing.domain.videos import TaskStep
from yuanjing.kit.clock import Clock
from yuanjing.ports.damage import Damaged
from yuanjing.ports.store import Node, Store, Tx
from yuanjing.usecases.movements import Movements, write_contended

_LIMIT = 500
"""So many holds are looked at together."""


class PatientExpiry:
    """Expires holds that have been seen expired for a while, by this observer's boot clock.

    Which time holds expire at is told by wall clocks, and one that jumps ahead makes them all expire at once. What was
    spooled for a closing lease is posted within moments; released before that, its money could be spent a second time.
    If the observer itself paused for longer than that while, it has observed nothing and starts again.
    """

    def __init__(self, store: Store, clock: Clock, *, ttl_seconds: int, patience_seconds: float) -> None:
        self._store = store
        self._clock = clock
        self._ttl_seconds = ttl_seconds
        self._patience_seconds = patience_seconds
        self._seen: dict[str, float] = {}
        self._looked_at = 0.0

    async def look(self) -> int:
        """One look; how many holds were released."""
        now = self._clock.monotonic()
        if now - self._looked_at > self._patience_seconds:
            self._seen.clear()
        due = await self._store.read(lambda tx: tx.holds.expired(self._clock.unix(), _LIMIT))
        self._looked_at = now
        self._seen = {hold.id: self._seen.get(hold.id, now) for hold in due}
        ripe = {hold_id for hold_id, since in self._seen.items() if now - since >= self._patience_seconds}
        return await _expire_all(self._store, self._clock, due, ripe, self._ttl_seconds)


async def expire_holds(store: Store, clock: Clock, *, ttl_seconds: int, limit: int = _LIMIT) -> int:
    """Release holds whose time is over and whose owner, or task, does not live; how many were released.

    A lease whose owner lives is renewed instead, for another `ttl_seconds`: the owner's beats keep its life open, and
    the life keeps its leases. Not so a closing one: its owner wants nothing back from it, and usage that was spooled
    for it and is still not posted settles late. A task that is under way keeps its hold, however long it takes: who
    works on it resolves both together.
    """
    due = await store.read(lambda tx: tx.holds.expired(clock.unix(), limit))
    return await _expire_all(store, clock, due, {hold.id for hold in due}, ttl_seconds)


async def _expire_all(store: Store, clock: Clock, due: Sequence[Hold], ripe: Collection[str], ttl_seconds: int) -> int:
    """Renew or release those that are due; released are only ripe ones."""
    by_owner: defaultdict[str | None, list[str]] = defaultdict(list)
    for hold in due:
        by_owner[hold.owner_node].append(hold.id)
    released = 0
    for owner, hold_ids in by_owner.items():

        def work(tx: Tx, owner: str | None = owner, hold_ids: Sequence[str] = hold_ids) -> int:
            return _expire(tx, owner, hold_ids, ripe, (clock.unix(), ttl_seconds))

        released += await write_contended(store, work)
    return released


def _expire(tx: Tx, owner: str | None, hold_ids: Sequence[str], ripe: Collection[str], times: tuple[float, int]) -> int:
    at, ttl_seconds = times
    node = tx.nodes.lock(owner) if owner is not None else None
    moves = Movements(tx, at)
    released = 0
    for hold in tx.holds.lock(hold_ids).values():
        if hold.closed_at is not None or hold.expires_at > at:
            continue
        if _is_renewed(hold, node) or _is_under_way(tx, hold):
            moves.save(replace(hold, expires_at=at + ttl_seconds))
        elif hold.id in ripe:
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
