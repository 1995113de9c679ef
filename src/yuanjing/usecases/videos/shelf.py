"""What of video can be bought now: a snapshot of the catalogue that is read again after a while."""

import asyncio
import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from yuanjing.domain.catalog import Channel, Offer, Provider
from yuanjing.domain.identity import Caller
from yuanjing.domain.money import Book
from yuanjing.domain.video_pricing import OfferPrice, VideoPrice
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store, Tx


@dataclass(frozen=True, kw_only=True, slots=True)
class Shelf:
    """Offers of video, their prices, and who serves them; providers by id, those of video."""

    offers: tuple[Offer, ...] = ()
    prices: Mapping[str, tuple[VideoPrice, ...]] = field(default_factory=dict[str, tuple[VideoPrice, ...]])
    providers: Mapping[str, Provider] = field(default_factory=dict[str, Provider])
    channels: tuple[Channel, ...] = ()

    def enabled(self, now: dt.datetime) -> list[Offer]:
        """The offers that are there now."""
        return [offer for offer in self.offers if offer.is_enabled(now)]

    def allowed(self, caller: Caller, now: dt.datetime) -> list[Offer]:
        """Those of them that the caller's key may use."""
        may = caller.key.limits.allows_offer
        return [offer for offer in self.enabled(now) if may(offer.id, offer.model)]

    def price(self, offer_id: str, now: dt.datetime) -> VideoPrice | None:
        """The newest version in effect; None if there is none."""
        return next((price for price in self.prices.get(offer_id, ()) if price.effective_from <= now), None)

    def serving(self, offer: Offer, book: Book) -> list[Channel]:
        """The channels that can be given tasks of the offer in this book; empty if none can."""
        return [
            channel
            for channel in self.channels
            if channel.book is book
            and channel.is_enabled
            and channel.provider_id in self.providers
            and channel.provider_id in offer.providers
            and channel.serves(offer.id)
        ]


class Shelves:
    """Keeps the snapshot; many that ask at once read the store once."""

    def __init__(self, store: Store, clock: Clock, refresh_seconds: float) -> None:
        self._store = store
        self._clock = clock
        self._refresh_seconds = refresh_seconds
        self._shelf = Shelf()
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def shelf(self) -> Shelf:
        """The snapshot, read again if it is too old."""
        if self._is_old():
            async with self._reading:
                if self._is_old():
                    started = self._clock.monotonic()
                    self._shelf = await self._store.read(_read)
                    self._read_at = started
        return self._shelf

    def _is_old(self) -> bool:
        return self._read_at is None or self._clock.monotonic() - self._read_at >= self._refresh_seconds


def _read(tx: Tx) -> Shelf:
    offers = tuple(offer for offer in tx.catalog.offers() if offer.video is not None)
    return Shelf(
        offers=offers,
        prices=_newest_first(tx.catalog.prices()),
        providers={provider.id: provider for provider in tx.catalog.providers() if provider.video is not None},
        channels=tuple(tx.catalog.channels()),
    )


def _newest_first(prices: Iterable[OfferPrice]) -> dict[str, tuple[VideoPrice, ...]]:
    by_offer: dict[str, tuple[VideoPrice, ...]] = {}
    for price in sorted((one for one in prices if isinstance(one, VideoPrice)), key=lambda one: -one.version):
        by_offer[price.offer_id] = (*by_offer.get(price.offer_id, ()), price)
    return by_offer
