"""Nodes: their lives, their heartbeats, and what happens to their money when they end."""

from collections.abc import Sequence
from dataclasses import dataclass

from yuanjing.domain.errors import FencedError, NotFoundError, SpoolError
from yuanjing.kit.clock import Clock
from yuanjing.ports.spool import SpoolFolder, SpoolReader
from yuanjing.ports.store import Node, Store, Tx
from yuanjing.usecases.charges import Batch
from yuanjing.usecases.movements import Late, write_contended
from yuanjing.usecases.posting import SpoolEnd, UsagePoster, close_leases, post_end

GATEWAY_ROLE = "gateway"
BATCH_ROWS = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRef:
    """One life of a process slot, as its owner knows it."""

    id: str
    incarnation: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Beat:
    """What a node learns with its heartbeat.

    Attributes:
        posted_seq: up to where its spool is posted.
        gateways: how many gateway nodes live, this one included; limits are divided by it.
        recalled: ids of its leases whose unused part is wanted back.
    """

    posted_seq: int
    gateways: int
    recalled: list[str]


def fence(tx: Tx, node: NodeRef) -> None:
    """Lock the node's row and make sure that this life of it has not ended; everything done on its behalf begins so.

    Raises:
        FencedError: it was taken over.
    """
    current = tx.nodes.lock(node.id)
    if current is None or not current.is_alive or current.incarnation != node.incarnation:
        raise FencedError(node.id, node.incarnation)


async def register_node(  # noqa: PLR0913  # what a node is, and where it is written down
    store: Store,
    clock: Clock,
    *,
    node_id: str,
    machine: str,
    role: str,
    spools: SpoolFolder | None,
    poster: UsagePoster | None = None,
) -> NodeRef:
    """Start a new life of a process slot; a life that is still open is taken over first, see `take_over`."""
    while True:

        def work(tx: Tx) -> Node | int:
            current = tx.nodes.lock(node_id)
            if current is not None and current.is_alive:
                return current.incarnation
            return tx.nodes.register(node_id, machine, role, clock.unix())

        outcome = await store.write(work)
        if isinstance(outcome, Node):
            return NodeRef(id=outcome.id, incarnation=outcome.incarnation)
        reader = find_reader(spools, node_id, outcome)
        await take_over(store, clock, node_id=node_id, incarnation=outcome, reader=reader, poster=poster)


async def beat(store: Store, clock: Clock, node: NodeRef) -> Beat:
    """Show that the node lives; this also renews its leases, see `expire_holds`.

    Raises:
        FencedError: it was taken over and must stop admitting and acknowledging.
    """

    def work(tx: Tx) -> Beat:
        current = tx.nodes.beat(node.id, node.incarnation, clock.unix())
        if current is None:
            raise FencedError(node.id, node.incarnation)
        gateways = sum(other.is_alive and other.role == GATEWAY_ROLE for other in tx.nodes.all())
        recalled = [hold.id for hold in tx.holds.recalled_of_owner(node.id, node.incarnation)]
        return Beat(posted_seq=current.posted_seq, gateways=gateways, recalled=recalled)

    return await store.write(work)


def find_reader(spools: SpoolFolder | None, node_id: str, incarnation: int) -> SpoolReader | None:
    """The spool of that life, if it is on this machine."""
    readers: Sequence[SpoolReader] = spools.readers() if spools is not None else ()
    return next((r for r in readers if (r.node_id, r.incarnation) == (node_id, incarnation)), None)


async def take_over(  # the life, its spool, and the limit of one transaction
    store: Store,
    clock: Clock,
    *,
    node_id: str,
    incarnation: int,
    reader: SpoolReader | None,
    poster: UsagePoster | None = None,
) -> bool:
    """End a life from outside: raise its incarnation, post what its spool holds, return the rest of its leases.

    All of it is one transaction, so a process that was only paused finds itself shut out and none of its money in two
    places. Without `reader`, or while the writer still lives, the spool is posted later and settled late; also if the
    spool cannot be read. False if that life had ended before.

    What came late is told by the poster, which must belong to the same store, see `UsagePoster.take_late`.
    """
    poster = poster or UsagePoster(store, clock, batch_rows=BATCH_ROWS)
    while True:
        end = await _read_end(poster, reader) if reader is not None else None

        def work(tx: Tx, end: SpoolEnd | None = end) -> Late | bool | None:
            current = tx.nodes.lock(node_id)
            if current is None or not current.is_alive or current.incarnation != incarnation:
                return False
            if end is None:
                nothing = Batch(records=[], owner=(node_id, incarnation), cause="")
                late = close_leases(tx, nothing, clock.unix())
            else:
                late = post_end(tx, end, clock.unix(), is_release=True)
            if late is not None:
                tx.nodes.close(node_id, incarnation)
            return late

        done = await write_contended(store, work)
        if reader is not None:
            poster.forget(reader)
        if isinstance(done, Late):
            poster.note_late(done)
        if done is not None:
            return done is not False


async def _read_end(poster: UsagePoster, reader: SpoolReader) -> SpoolEnd | None:
    """What is left in the spool; None if more may come, or if it cannot be read or placed: then it is posted later."""
    is_complete = not reader.is_owned()
    try:
        if is_complete:
            return await poster.read_end(reader)
        await poster.drain(reader)
    except (NotFoundError, SpoolError):
        return None
    return None


@dataclass(kw_only=True, slots=True)
class _Sighting:
    """What an observer has seen of one life: its last new beat, and how often it was looked at since."""

    incarnation: int
    beat: int
    seen_at: float
    observations: int


class NodeObserver:
    """Decides which nodes are dead by this observer's own successful reads, never by the clock of another.

    A node is dead when its beat has not changed for `silent_seconds` of this observer's monotonic time and over as many
    observations. If the observer itself paused for longer than `gap_seconds` (its machine slept, or the store was not
    reachable), it has observed nothing in that time and starts again.
    """

    def __init__(self, clock: Clock, *, silent_seconds: float = 15.0, gap_seconds: float = 3.0) -> None:
        self._clock = clock
        self._silent_seconds = silent_seconds
        self._gap_seconds = gap_seconds
        self._sightings: dict[str, _Sighting] = {}
        self._observed_at: float | None = None

    def observe(self, nodes: Sequence[Node]) -> list[Node]:
        """Take note of what was just read; the living nodes that are to be taken over."""
        now = self._clock.monotonic()
        if self._observed_at is None or now - self._observed_at > self._gap_seconds:
            self._sightings.clear()
        self._observed_at = now
        alive = [node for node in nodes if node.is_alive]
        self._sightings = {node.id: self._look(node, now) for node in alive}
        return [node for node in alive if self._is_dead(self._sightings[node.id], now)]

    def _look(self, node: Node, now: float) -> _Sighting:
        seen = self._sightings.get(node.id)
        if seen is None or (seen.incarnation, seen.beat) != (node.incarnation, node.beat):
            return _Sighting(incarnation=node.incarnation, beat=node.beat, seen_at=now, observations=1)
        seen.observations += 1
        return seen

    def _is_dead(self, seen: _Sighting, now: float) -> bool:
        return now - seen.seen_at >= self._silent_seconds and seen.observations >= self._silent_seconds
