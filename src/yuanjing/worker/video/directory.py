"""Which channels there are, and how to speak to them: a snapshot that is refreshed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from yuanjing.domain.catalog import Offer, upstream_model
from yuanjing.domain.money import Book
from yuanjing.domain.video_offers import VideoLimits
from yuanjing.ports.upstream import ChannelAccess, VideoUpstream


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoChannel:
    """A way into a provider of videos.

    Attributes:
        upstream: speaks its provider's protocol.
        offers: offer ids that it serves; empty means all of its provider.
        upstream_models: this account's own model names, see `domain.catalog.upstream_model`.
        is_enabled: whether it takes new tasks; those that it has are followed in any case.
        origin: scheme and host from which results may come although they are private: the sandbox's, of a channel of
            the test book; else empty.
        is_local: whether it leads to this machine, where files can be fetched from our own local address.
        callback_url: where the provider may tell about changes; None if it cannot reach us or does not call.
    """

    id: str
    name: str
    provider_id: str
    book: Book
    access: ChannelAccess
    upstream: VideoUpstream
    limits: VideoLimits
    priority: int = 0
    weight: int = 100
    offers: tuple[str, ...] = ()
    upstream_models: Mapping[str, str] = field(default_factory=dict[str, str])
    is_enabled: bool = True
    origin: str = ""
    is_local: bool = False
    callback_url: str | None = field(default=None, repr=False)

    def serves(self, offer: Offer) -> bool:
        """Whether it may be given tasks of this offer."""
        return self.provider_id in offer.providers and (not self.offers or offer.id in self.offers)

    def model_of(self, offer: Offer, model: str) -> str:
        """What the provider calls a model of an offer that the channel serves."""
        name = upstream_model(offer, model, self.provider_id, self.upstream_models)
        assert name is not None, (self.id, offer.id)
        return name


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoDirectory:
    """All offers and channels of video, by id; and what the rows of their providers say, by the provider's id."""

    offers: Mapping[str, Offer]
    channels: Mapping[str, VideoChannel]
    limits: Mapping[str, VideoLimits] = field(default_factory=dict[str, VideoLimits])

    def candidates(self, offer_id: str, book: Book) -> list[VideoChannel]:
        """The channels that may be given tasks of the offer."""
        offer = self.offers.get(offer_id)
        if offer is None:
            return []
        return [one for one in self.channels.values() if one.is_enabled and one.book is book and one.serves(offer)]

    def limits_of(self, offer_id: str) -> VideoLimits:
        """What holds for a task whose channel is not there: of its offer's providers, where results live longest."""
        offer = self.offers.get(offer_id)
        rows = [self.limits[one] for one in offer.providers if one in self.limits] if offer else []
        return max(rows, key=lambda row: row.result_seconds, default=VideoLimits())

    def siblings(self, channel: VideoChannel) -> list[str]:
        """Ids of the channels that may lead into the same account, this one included."""
        same = (channel.provider_id, channel.access.base_url)
        return [one.id for one in self.channels.values() if (one.provider_id, one.access.base_url) == same]


class VideoSource(Protocol):
    """Where the directory comes from."""

    async def load(self) -> VideoDirectory:
        """Everything as it is now; a channel whose credential cannot be opened is left out and reported."""
        ...
