"""The rows of the catalogue."""

from typing import Protocol

from yuanjing.domain.catalog import Channel, Offer, Provider
from yuanjing.domain.video_pricing import OfferPrice


class CatalogTable(Protocol):
    """Providers, offers, prices and channels."""

    def save_provider(self, provider: Provider) -> None:
        """Insert or replace."""
        ...

    def providers(self) -> list[Provider]:
        """All, by id."""
        ...

    def save_offer(self, offer: Offer) -> None:
        """Insert or replace by id."""
        ...

    def offers(self) -> list[Offer]:
        """All, by model and id, disabled ones too."""
        ...

    def add_price(self, price: OfferPrice) -> None:
        """Insert a new version.

        Raises:
            AlreadyExistsError: the id, or that version of the offer, exists.
            NotFoundError: no such offer.
        """
        ...

    def prices(self, offer_id: str | None = None) -> list[OfferPrice]:
        """Every version, by offer and version; of one offer if given."""
        ...

    def price(self, price_id: str) -> OfferPrice | None:
        """One version."""
        ...

    def save_channel(self, channel: Channel) -> None:
        """Insert or replace by id.

        Raises:
            NotFoundError: no such provider.
        """
        ...

    def replace_credential(self, channel_id: str, old: bytes, new: bytes) -> bool:
        """Write a sealed credential, if the channel still has the old one; False if not."""
        ...

    def channels(self) -> list[Channel]:
        """All, by id."""
        ...
