"""The catalogue in memory."""

from dataclasses import replace

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.catalog import Channel, Offer, Provider
from yuanjing.domain.errors import AlreadyExistsError, NotFoundError
from yuanjing.domain.video_pricing import OfferPrice


class MemoryCatalog:
    """See `yuanjing.ports.catalog.CatalogTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._providers: dict[str, Provider] = {}
        self._offers: dict[str, Offer] = {}
        self._prices: dict[str, OfferPrice] = {}
        self._channels: dict[str, Channel] = {}

    def save_provider(self, provider: Provider) -> None:
        """See the port."""
        self._journal.put(self._providers, provider.id, provider)

    def providers(self) -> list[Provider]:
        """See the port."""
        return [self._providers[id_] for id_ in sorted(self._providers)]

    def save_offer(self, offer: Offer) -> None:
        """See the port."""
        self._journal.put(self._offers, offer.id, offer)

    def offers(self) -> list[Offer]:
        """See the port."""
        return sorted(self._offers.values(), key=lambda offer: (offer.model, offer.id))

    def add_price(self, price: OfferPrice) -> None:
        """See the port."""
        if price.offer_id not in self._offers:
            raise NotFoundError(f"offer {price.offer_id} does not exist")
        if price.id in self._prices or any(
            (price.offer_id, price.version) == (other.offer_id, other.version) for other in self._prices.values()
        ):
            raise AlreadyExistsError(f"price {price.id}, or version {price.version} of the offer, exists")
        self._journal.put(self._prices, price.id, price)

    def prices(self, offer_id: str | None = None) -> list[OfferPrice]:
        """See the port."""
        found = [price for price in self._prices.values() if offer_id in (None, price.offer_id)]
        return sorted(found, key=lambda price: (price.offer_id, price.version))

    def price(self, price_id: str) -> OfferPrice | None:
        """See the port."""
        return self._prices.get(price_id)

    def save_channel(self, channel: Channel) -> None:
        """See the port."""
        if channel.provider_id not in self._providers:
            raise NotFoundError(f"provider {channel.provider_id} does not exist")
        self._journal.put(self._channels, channel.id, channel)

    def replace_credential(self, channel_id: str, old: bytes, new: bytes) -> bool:
        """See the port."""
        channel = self._channels.get(channel_id)
        if channel is None or channel.credential != old:
            return False
        self._journal.put(self._channels, channel_id, replace(channel, credential=new))
        return True

    def channels(self) -> list[Channel]:
        """See the port."""
        return [self._channels[id_] for id_ in sorted(self._channels)]
