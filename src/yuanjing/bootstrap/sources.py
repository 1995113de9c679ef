"""The gateway's four doors into the house, made of use cases."""

from collections.abc import Mapping, Sequence

from yuanjing.bootstrap.services import Services
from yuanjing.domain.catalog import Channel
from yuanjing.domain.idempotency import Claim, Found
from yuanjing.domain.identity import ApiKey, Customer
from yuanjing.domain.pricing import ChatPrice
from yuanjing.gateway.directory import DirectoryContent, OpenChannel
from yuanjing.gateway.lease_source import Asked, GivenBack, PurseKey, Refill
from yuanjing.gateway.runtime import Log, Pulse
from yuanjing.kit.secretbox import SecretBox, SecretBoxError
from yuanjing.ports.store import Signal, Topic, Tx
from yuanjing.usecases.catalog import load_directory
from yuanjing.usecases.idempotency import claim_chats, look_up, release_claims
from yuanjing.usecases.key_finder import KeyFinder
from yuanjing.usecases.leases import LeaseKeeper, LeaseRequest, LeaseReturn
from yuanjing.usecases.nodes import BATCH_ROWS, NodeRef, beat, find_reader, take_over
from yuanjing.usecases.posting import UsagePoster

SIGNALS_MARGIN = 200
"""Signals are looked at again over this many numbers: a lower one may appear late, as transactions overlap."""
SIGNALS_MAX = 1000


class Directory:
    """See `gateway.directory.DirectorySource`."""

    def __init__(self, services: Services, log: Log) -> None:
        self._services = services
        self._keys = KeyFinder(services.store)
        self._log = log

    async def load(self) -> DirectoryContent:
        """Everything of chat but keys, and the other offers; channels that cannot be opened are left out, reported."""
        data = await load_directory(self._services.store)
        providers = {p.id: p for p in data.providers if p.video is None}
        opened = [self._open(c) for c in data.channels if c.is_enabled and c.provider_id in providers]
        return DirectoryContent(
            providers=providers,
            offers=data.offers,
            prices=tuple(p for p in data.prices if isinstance(p, ChatPrice)),
            channels=tuple(c for c in opened if c is not None),
        )

    def _open(self, channel: Channel) -> OpenChannel | None:
        try:
            credential = _credential(self._services.box, channel)
        except SecretBoxError as error:
            self._log.error("a channel's credential cannot be opened", channel=channel.id, reason=str(error))
            return None
        upstream_models: Mapping[str, str] = channel.upstream_models
        return OpenChannel(
            id=channel.id,
            name=channel.name,
            provider_id=channel.provider_id,
            book=channel.book,
            base_url=channel.base_url,
            credential=credential,
            priority=channel.priority,
            weight=channel.weight,
            connections_max=min(channel.connections_max, self._services.settings.upstream_connections_max),
            limits=channel.limits,
            offers=channel.offers,
            upstream_models=upstream_models,
        )

    async def find_key(self, public_id: str) -> tuple[ApiKey, Customer] | None:
        """One key with its customer."""
        return await self._keys.find(public_id)


def _credential(box: SecretBox, channel: Channel) -> str:
    return box.open(channel.credential, channel.credential_context).decode() if channel.credential else ""


class Leases:
    """See `gateway.purse.LeaseSource`."""

    def __init__(self, keeper: LeaseKeeper, node: NodeRef) -> None:
        self._keeper = keeper
        self._node = node

    async def acquire(
        self, key: PurseKey, *, hold_id: str | None, needed_nanos: int, recent_nanos: int, asked: Asked | None
    ) -> Refill:
        """Lease money, or learn how much there is."""
        book, customer_id, key_id = key
        answer = await self._keeper.acquire(
            self._node,
            LeaseRequest(
                book=book,
                customer_id=customer_id,
                key_id=key_id,
                hold_id=hold_id,
                needed_nanos=needed_nanos,
                recent_nanos=recent_nanos,
                may_recall=asked is not None,
                asked=asked or {},
            ),
        )
        left = answer.budget_left_nanos
        is_budget = left is not None and left < answer.available_nanos
        return Refill(
            hold_id=answer.hold_id,
            granted_nanos=answer.granted_nanos,
            available_nanos=left if is_budget and left is not None else answer.available_nanos,
            is_recalling=answer.is_recalling,
            is_budget=is_budget,
            budget_held_nanos=answer.budget_held_nanos,
            asked=answer.asked,
        )

    async def give_back(self, returns: Sequence[GivenBack]) -> None:
        """Return what purses do not need."""
        await self._keeper.give_back(
            self._node,
            [
                LeaseReturn(
                    hold_id=given.hold_id,
                    amount_nanos=given.amount_nanos,
                    is_final=given.is_final,
                    is_wanted=given.is_wanted,
                    is_answer=given.is_answer,
                )
                for given in returns
            ],
        )


class ChatClaims:
    """See `gateway.claims.ClaimSource`."""

    def __init__(self, services: Services, node: NodeRef) -> None:
        self._store = services.store
        self._clock = services.clock
        self._owner = (node.id, node.incarnation)

    async def claim(self, claims: Sequence[Claim]) -> Sequence[Found]:
        """Claim keys for chats that are about to run here."""
        at = self._clock.unix()
        return await self._store.write(lambda tx: claim_chats(tx, claims, self._owner, at))

    async def look(self, claims: Sequence[Claim]) -> Sequence[Found | None]:
        """What the keys stand for now."""
        return await self._store.read(lambda tx: [look_up(tx, claim) for claim in claims])

    async def release(self, claims: Sequence[Claim]) -> None:
        """Free the keys of chats that were not charged."""
        await self._store.write(lambda tx: release_claims(tx, claims))


class NodeLife:
    """See `gateway.runtime.NodeSource`."""

    def __init__(self, services: Services, keeper: LeaseKeeper, node: NodeRef, log: Log) -> None:
        self._services = services
        self._keeper = keeper
        self._node = node
        self._log = log
        self._last_seq: int | None = None
        self._seen: set[int] = set()

    async def beat(self) -> Pulse:
        """Say that we live, and finish what an unknown outcome has left open."""
        result = await beat(self._services.store, self._services.clock, self._node)
        await self._keeper.finish_pending(self._node)
        return Pulse(posted_seq=result.posted_seq, gateways=result.gateways, recalled=frozenset(result.recalled))

    async def signals(self) -> Sequence[tuple[Topic, str]]:
        """What has changed since the last call; the first call only finds out where the feed stands."""
        found, recalled = await self._services.store.read(self._news)
        self._seen.update(s.seq for s in found)
        if found:
            self._last_seq = max(self._last_seq or 0, *(s.seq for s in found))
            floor = self._last_seq - SIGNALS_MARGIN
            self._seen = {seq for seq in self._seen if seq > floor}
        return [(s.topic, s.subject) for s in found if s.topic is not Topic.RECALL] + [
            (Topic.RECALL, hold_id) for hold_id in recalled
        ]

    def _news(self, tx: Tx) -> tuple[list[Signal], list[str]]:
        """The new signals, and our leases that are wanted back, if one of the signals says that there are any."""
        found = self._new_signals(tx)
        if (Topic.RECALL, self._node.id) not in [(s.topic, s.subject) for s in found]:
            return found, []
        holds = tx.holds.recalled_of_owner(self._node.id, self._node.incarnation)
        return found, [hold.id for hold in holds]

    def _new_signals(self, tx: Tx) -> list[Signal]:
        if self._last_seq is None:
            self._last_seq = tx.signals.last_seq()
            first = max(0, self._last_seq - SIGNALS_MARGIN)
            self._seen = {s.seq for s in tx.signals.since(first, SIGNALS_MAX)}
            return []
        recent = tx.signals.since(max(0, self._last_seq - SIGNALS_MARGIN), SIGNALS_MAX)
        return [s for s in recent if s.seq not in self._seen]

    async def leave(self) -> None:
        """End this life: our own spool is posted, our leases go back; nothing is left to take over."""
        services = self._services
        reader = find_reader(services.spools, self._node.id, self._node.incarnation)
        poster = UsagePoster(services.store, services.clock, batch_rows=BATCH_ROWS)
        try:
            await take_over(
                services.store,
                services.clock,
                node_id=self._node.id,
                incarnation=self._node.incarnation,
                reader=reader,
                poster=poster,
            )
        finally:
            tell_late(poster, self._node.id, self._log)


def tell_late(poster: UsagePoster, node_id: str, log: Log) -> None:
    """Say what a gateway has settled late of a life of its own that it has ended; a worker tells of others."""
    late = poster.take_late()
    if late.rows:
        amounts = {"charge_nanos": late.charge_nanos, "shortfall_nanos": late.shortfall_nanos}
        log.warning("settled late", node=node_id, rows=late.rows, **amounts)
