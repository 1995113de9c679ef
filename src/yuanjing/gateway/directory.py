"""What the hot path may serve: offers, prices and channels as a snapshot, keys as a bounded cache.

Both stay fresh by signals from the store; a key is also forgotten after `key_cache_seconds`, so that a lost signal
delays a revocation by no more than that.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from yuanjing.domain.catalog import ChannelLimits, ChatLimits, Offer, OnDisconnect, Provider
from yuanjing.domain.identity import ApiKey, Customer
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ChatPrice
from yuanjing.gateway.capacity import ChannelCapacity
from yuanjing.gateway.health import ChannelHealth
from yuanjing.gateway.limits import KeyMeter
from yuanjing.gateway.purse import Purse
from yuanjing.gateway.upstream import ChannelPool

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(kw_only=True, slots=True, eq=False)
class ChannelState:
    """One channel in this process: its connections and how it has been doing.

    `head` is everything of a request's head up to the value of `content-length`; `held` counts those of the requests in
    flight whose provider we hold back, since their clients do not read.
    """

    id: str
    name: str
    book: Book
    provider: Provider
    priority: int
    weight: int
    pool: ChannelPool
    head: bytes
    fingerprint: object
    health: ChannelHealth
    capacity: ChannelCapacity
    attempts: int = 0
    in_flight: int = 0
    held: int = 0

    @property
    def ended(self) -> int:
        """Tries on it that have ended, since the start."""
        return self.attempts - self.in_flight


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One offer over one channel, and what the hot path would else find out about the two for each request.

    Attributes:
        upstream_model_json: the model name that the provider expects, in JSON.
        renames_model: customers know the model by another name.
        renames_reasoning: the provider says `reasoning` for `reasoning_content`.
        limit_field: the field for the longest answer that the provider knows; None if it knows both.
    """

    channel: ChannelState
    upstream_model: str
    upstream_model_json: bytes
    renames_model: bool
    renames_reasoning: bool
    limit_field: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferEntry:
    """A chat offer ready to be served: its prices in rising order of version, its routes by book."""

    offer: Offer
    limits: ChatLimits
    prices: tuple[ChatPrice, ...]
    routes: Mapping[str, tuple[Route, ...]]

    starts: tuple[float, ...]
    """Unix times at which the prices start; the hot path compares numbers, not dates."""
    enabled_from: float
    enabled_until: float
    refused_fields: frozenset[str]
    refused_tools: frozenset[str]

    def price_at(self, unix: float) -> ChatPrice | None:
        """The highest version that has started, as `domain.pricing.current_price` says; None if not enabled then."""
        if not self.enabled_from <= unix < self.enabled_until:
            return None
        for i in range(len(self.starts) - 1, -1, -1):
            if self.starts[i] <= unix:
                return self.prices[i]
        return None


def offer_entry(
    offer: Offer, limits: ChatLimits, prices: tuple[ChatPrice, ...], routes: Mapping[str, tuple[Route, ...]]
) -> OfferEntry:
    """An entry of the offer; `prices` in rising order of version, `routes` by the name of the book."""
    return OfferEntry(
        offer=offer,
        limits=limits,
        prices=prices,
        routes=routes,
        starts=tuple(p.effective_from.timestamp() for p in prices),
        enabled_from=offer.enabled_from.timestamp() if offer.enabled_from is not None else 0.0,
        enabled_until=offer.enabled_until.timestamp() if offer.enabled_until is not None else float("inf"),
        refused_fields=frozenset(limits.refused_fields),
        refused_tools=frozenset(limits.refused_tools),
    )


class KeyEntry:
    """A key as the hot path sees it."""

    __slots__ = (
        "book",
        "book_name",
        "customer_id",
        "digest",
        "expires_at",
        "has_limits",
        "id",
        "limits",
        "loaded_at",
        "meter",
        "models",
        "networks",
        "public_id",
        "purse",
        "purse_key",
    )

    def __init__(self, key: ApiKey, loaded_at: float, meter: KeyMeter) -> None:
        limits = key.limits
        self.id = key.id
        self.public_id = key.public_id
        self.digest = key.digest
        self.customer_id = key.customer_id
        self.book = key.book
        self.book_name = str(key.book.value)
        self.expires_at = key.expires_at if key.expires_at is not None else float("inf")
        self.limits = limits
        self.models = frozenset(limits.models) or None
        self.networks: tuple[Network, ...] = tuple(ipaddress.ip_network(n, strict=False) for n in limits.networks)
        self.has_limits = not (limits.requests_per_minute is limits.tokens_per_minute is limits.concurrency is None)
        self.meter = meter
        self.loaded_at = loaded_at
        budget_key = key.id if limits.budget_nanos is not None else None
        self.purse_key = (key.book, key.customer_id, budget_key)
        self.purse: Purse | None = None


class KeyCache:
    """Keys by digest: bounded, oldest out first; unknown digests are remembered for a moment too."""

    def __init__(self, *, size: int, seconds: float) -> None:
        self._size = size
        self._seconds = seconds
        self._entries: dict[bytes, KeyEntry] = {}
        self._unknown: dict[bytes, float] = {}
        self._meters: dict[str, KeyMeter] = {}
        self.changes = 0
        """How often something was forgotten: who reads a key meanwhile has to read it again."""

    def get(self, digest: bytes, now: float) -> KeyEntry | None:
        """The entry if it is known and fresh."""
        entry = self._entries.get(digest)
        if entry is None or now - entry.loaded_at > self._seconds:
            return None
        return entry

    def holds(self, entry: KeyEntry, now: float) -> bool:
        """Whether an entry that somebody has kept is still the one in memory, and fresh."""
        return now - entry.loaded_at <= self._seconds and self._entries.get(entry.digest) is entry

    def is_unknown(self, digest: bytes, now: float) -> bool:
        """Whether the store was asked a moment ago and has no such key."""
        until = self._unknown.get(digest)
        return until is not None and now < until

    def add(self, key: ApiKey, now: float) -> KeyEntry:
        """Remember a key that counts; its counters survive being read again."""
        self._trim(self._entries)
        entry = KeyEntry(key, now, self.meter(key.id))
        self._entries.pop(key.digest, None)
        self._entries[key.digest] = entry
        return entry

    def meter(self, key_id: str) -> KeyMeter:
        """What counts the key's requests, hot and cold ones together."""
        if len(self._meters) > 2 * self._size:
            alive = {e.id for e in self._entries.values()}
            self._meters = {i: m for i, m in self._meters.items() if i in alive or m.in_flight}
        return self._meters.setdefault(key_id, KeyMeter())

    def add_unknown(self, digest: bytes, now: float, seconds: float) -> None:
        """Remember that there is no such key; the store is spared a flood of the same wrong one."""
        self._trim(self._unknown)
        self._unknown[digest] = now + seconds

    def forget(self, public_id: str) -> list[KeyEntry]:
        """Something about the key with these eight characters has changed; what was known of it."""
        self.changes += 1
        forgotten = [entry for entry in self._entries.values() if entry.public_id == public_id]
        for entry in forgotten:
            del self._entries[entry.digest]
        return forgotten

    def forget_all(self) -> None:
        """Nothing is known any more; counters stay."""
        self.changes += 1
        self._entries.clear()
        self._unknown.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def _trim(self, entries: dict[bytes, KeyEntry] | dict[bytes, float]) -> None:
        while len(entries) >= self._size:
            del entries[next(iter(entries))]


@dataclass(frozen=True, kw_only=True, slots=True)
class Offers:
    """The offers of a snapshot: those of chat, and others, of which only the names are of use here."""

    chat: tuple[OfferEntry, ...]
    others: tuple[Offer, ...] = ()


class Directory:
    """The snapshot and the key cache of this process."""

    def __init__(self, keys: KeyCache) -> None:
        self.keys = keys
        self.offers: dict[str, OfferEntry] = {}
        self.others: dict[str, Offer] = {}
        """Offers that are no chat, by their names: who asks them to chat is told so."""
        self.channels: dict[str, ChannelState] = {}

    def offer(self, name: str) -> OfferEntry | None:
        """The chat offer of that model name, alias or llmid."""
        return self.offers.get(name)

    def install(self, found: Offers, channels: dict[str, ChannelState]) -> None:
        """Put a new snapshot in place, at once; requests under way keep what they have."""
        chat = found.chat
        offers = {alias: entry for entry in chat for alias in entry.offer.aliases}
        offers |= {entry.offer.model: entry for entry in chat}
        offers |= {entry.offer.id: entry for entry in chat}
        for known in self.channels.values():
            if channels.get(known.id) is not known:
                known.pool.close()
        self.offers = offers
        self.others = {name: offer for offer in found.others for name in offer.names}
        self.channels = channels


class DirectorySource(Protocol):
    """Where the directory comes from: use cases over the store."""

    async def load(self) -> "DirectoryContent":
        """Everything but keys."""
        ...

    async def find_key(self, public_id: str) -> tuple[ApiKey, Customer] | None:
        """One key with its customer, revoked and expired ones too."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenChannel:
    """A channel with its credential opened, only ever held in memory."""

    id: str
    name: str
    provider_id: str
    book: Book
    base_url: str
    credential: str
    priority: int
    weight: int
    connections_max: int
    limits: ChannelLimits
    offers: tuple[str, ...]
    upstream_models: Mapping[str, str]

    def __repr__(self) -> str:
        return f"OpenChannel({self.id})"


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectoryContent:
    """What `DirectorySource.load` brings: enabled channels only, offers and prices of every time."""

    providers: Mapping[str, Provider]
    offers: tuple[Offer, ...]
    prices: tuple[ChatPrice, ...]
    channels: tuple[OpenChannel, ...]


def drains(route: Route) -> bool:
    """Whether this provider bills a request to its end although nobody listens."""
    return route.channel.provider.on_disconnect is OnDisconnect.DRAIN
