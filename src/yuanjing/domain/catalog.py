"""The catalogue: providers, offers and channels, all of it data."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from yuanjing.domain.money import Book
from yuanjing.domain.video_offers import VideoLimits, VideoSpec


class Operation(StrEnum):
    """What is asked of a model."""

    CHAT = "chat"
    TEXT_TO_VIDEO = "text_to_video"
    IMAGE_TO_VIDEO = "image_to_video"
    REFERENCE_TO_VIDEO = "reference_to_video"


CHANNEL_CONNECTIONS_MAX = 4096
"""Open connections of one gateway process to a channel that says nothing else; as many as it has requests in work."""


class OnDisconnect(StrEnum):
    """What happens upstream when a client leaves: stop there, or read on for the exact usage."""

    CANCEL = "cancel"
    DRAIN = "drain"


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """A company's service with a wire protocol of its own.

    Attributes:
        id: lower-case name, e.g. `dashscope`.
        label: what customers see, in English; `label_zh` in Chinese.
        protocol: the wire protocol, e.g. `openai_compatible`.
        base_url: the documented address, without a trailing slash; a channel may have another.
        sandbox_path: where the sandbox serves this provider's flavour, e.g. `/compatible-mode/v1`.
        quirks: names of deviations from the protocol, see docs/reference/catalog.md.
        video: how it wants to be asked for videos; None if it makes none.
    """

    id: str
    label: str
    label_zh: str
    protocol: str
    base_url: str
    sandbox_path: str
    on_disconnect: OnDisconnect = OnDisconnect.CANCEL
    quirks: tuple[str, ...] = ()
    video: VideoLimits | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatLimits:
    """What bounds a chat request's cost; every number is catalogue data.

    Attributes:
        context_tokens: the most that input and output may be together.
        output_tokens_max: what the model answers at most when the request does not say; also the most
            it accepts.
        reasoning_tokens_max: reasoning that does not count against `max_tokens`; 0 for models without it.
        template_tokens_per_request: input that the provider adds to every request.
        template_tokens_per_message: input that the provider adds to every message.
        image_tokens_max: the most that one image can count.
        bytes_per_token: our own count divides UTF-8 bytes by it when a provider sends no usage.
        choices_max: the largest `n`.
        refused_fields: fields of a request that may change what the provider charges, which no price here covers.
        refused_tools: likewise types of tools, which the provider runs itself.
    """

    context_tokens: int
    output_tokens_max: int
    reasoning_tokens_max: int = 0
    template_tokens_per_request: int = 64
    template_tokens_per_message: int = 16
    image_tokens_max: int = 16_384
    bytes_per_token: int = 3
    choices_max: int = 8
    refused_fields: tuple[str, ...] = ()
    refused_tools: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What a customer can buy: one model for one operation.

    Attributes:
        id: the public id of 21 characters, the seed's `llmid`.
        model: the name customers ask for.
        aliases: other names for the same model.
        providers: ids of the providers that serve it, with the model name each expects.
        chat: what bounds a request, of a chat offer; `video`: what a video offer takes.
        parameters: JSON Schema 2020-12 of the request, with our `x-` hints.
        enabled_from: before it the offer does not exist for customers; likewise from `enabled_until` on.
    """

    id: str
    model: str
    operation: Operation
    label: str
    provider_label: str
    providers: Mapping[str, str]
    chat: ChatLimits | None = None
    video: VideoSpec | None = None
    aliases: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])
    description: str = ""
    description_zh: str = ""
    enabled_from: dt.datetime | None = None
    enabled_until: dt.datetime | None = None

    def is_enabled(self, now: dt.datetime) -> bool:
        """Whether customers may use it at this time."""
        if self.enabled_from is not None and now < self.enabled_from:
            return False
        return self.enabled_until is None or now < self.enabled_until

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that it can be asked for by: its id first, then its models and aliases."""
        models = (model.name for model in self.video.models) if self.video else ()
        return tuple(dict.fromkeys((self.id, self.model, *models, *self.aliases)))


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelLimits:
    """What a channel may be asked for chats, by all gateway processes together; None means no limit.

    Each process enforces its share.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """One configured way into a provider.

    Attributes:
        book: `live` channels cost real money; `test` keys are served by `test` channels only.
        credential: sealed by `kit.secretbox`; plain text never leaves the egress code.
        priority: the lowest number is tried first.
        weight: shares the requests among channels of one priority.
        connections_max: open connections per gateway process.
        offers: offer ids it serves; empty means all offers of its provider.
        upstream_models: this account's own model names (e.g. endpoint ids) by offer id, see `upstream_model`.
    """

    id: str
    provider_id: str
    book: Book
    name: str
    base_url: str
    credential: bytes
    priority: int = 0
    weight: int = 100
    connections_max: int = CHANNEL_CONNECTIONS_MAX
    limits: ChannelLimits = field(default_factory=ChannelLimits)
    is_enabled: bool = True
    offers: tuple[str, ...] = ()
    upstream_models: Mapping[str, str] = field(default_factory=dict[str, str])
    created_at: float = 0.0

    @property
    def credential_context(self) -> bytes:
        """What the credential is sealed with: it opens for this channel, book and address only.

        A row changed behind our back, to another address for example, does not give its credential away.
        """
        parts = ("channel", self.id, self.provider_id, self.book.value, self.base_url)
        return "\n".join(parts).encode()

    def serves(self, offer_id: str) -> bool:
        """Whether it may serve this offer of its provider."""
        return not self.offers or offer_id in self.offers


def upstream_model(offer: Offer, model: str, provider_id: str, own_names: Mapping[str, str]) -> str | None:
    """The name under which a provider knows a model of the offer; None if it does not serve the offer.

    A channel's `own_names` (its `upstream_models`) go before: by offer id for the offer's first model, by
    `<offer id>/<model>` for a further one.
    """
    usual = offer.providers.get(provider_id)
    if usual is None:
        return None
    if offer.video is None or model == offer.video.models[0].name:
        return own_names.get(offer.id) or usual
    return own_names.get(f"{offer.id}/{model}") or model
