"""From the directory's content to what the hot path looks at: channels with their pools, offers with their routes."""

import json
import ssl
from collections.abc import Callable, Mapping

from yuanjing.domain.catalog import Offer
from yuanjing.domain.money import Book
from yuanjing.gateway.capacity import ChannelCapacity
from yuanjing.gateway.directory import (
    ChannelState,
    DirectoryContent,
    OfferEntry,
    Offers,
    OpenChannel,
    Route,
    offer_entry,
)
from yuanjing.gateway.health import ChannelHealth
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.request import token_limit_field
from yuanjing.gateway.upstream import ChannelPool

_USER_AGENT = b"yuanjing/0.1"


class Loader:
    """Makes snapshots; connections and counters of channels that have not changed live on in the next one."""

    def __init__(
        self,
        options: GatewayOptions,
        *,
        now: Callable[[], float],
        on_bad_channel: Callable[[str, ValueError], None],
    ) -> None:
        self._options = options
        self._now = now
        self._on_bad_channel = on_bad_channel
        self._tls: ssl.SSLContext | None = None

    def snapshot(
        self, content: DirectoryContent, known: Mapping[str, ChannelState]
    ) -> tuple[Offers, dict[str, ChannelState]]:
        """Offers and channels; a channel that cannot be made is reported and left out, the others are served."""
        channels: dict[str, ChannelState] = {}
        for channel in content.channels:
            if channel.provider_id not in content.providers:
                continue
            try:
                channels[channel.id] = self._channel(channel, content, known.get(channel.id))
            except ValueError as error:
                self._on_bad_channel(channel.id, error)
        prices = sorted(content.prices, key=lambda p: p.version)
        entries: list[OfferEntry] = []
        for offer in content.offers:
            if offer.chat is None:
                continue
            routes = {str(book.value): _routes(offer, book, content, channels) for book in Book}
            own = tuple(p for p in prices if p.offer_id == offer.id)
            entries.append(offer_entry(offer, offer.chat, own, routes))
        others = tuple(offer for offer in content.offers if offer.chat is None)
        return Offers(chat=tuple(entries), others=others), channels

    def _channel(self, channel: OpenChannel, content: DirectoryContent, known: ChannelState | None) -> ChannelState:
        """The channel's state; connections and counters of an unchanged one are kept."""
        provider = content.providers[channel.provider_id]
        fingerprint = (channel.base_url, channel.credential, channel.connections_max, provider)
        if known is not None and known.fingerprint == fingerprint:
            known.priority, known.weight, known.name = channel.priority, channel.weight, channel.name
            known.capacity.set_limits(channel.limits)
            return known
        options = self._options
        pool = ChannelPool(
            channel.base_url,
            connections_max=channel.connections_max,
            connect_seconds=options.connect_seconds,
            header_bytes_max=options.upstream_header_bytes_max,
            tls=self._tls_context,
            now=self._now,
        )
        credential = b"authorization: Bearer " + channel.credential.encode() + b"\r\n" if channel.credential else b""
        head = (
            b"POST " + pool.path.encode() + b"/chat/completions HTTP/1.1\r\nhost: " + pool.host_header + b"\r\n"
            + credential
            + b"content-type: application/json\r\naccept: application/json, text/event-stream\r\n"
            b"accept-encoding: identity\r\nuser-agent: " + _USER_AGENT + b"\r\ncontent-length: "
        )  # fmt: skip
        return ChannelState(
            id=channel.id,
            name=channel.name,
            book=channel.book,
            provider=provider,
            priority=channel.priority,
            weight=channel.weight,
            pool=pool,
            head=head,
            fingerprint=fingerprint,
            health=ChannelHealth(options, channel.book),
            capacity=ChannelCapacity(options, channel.limits, channel.connections_max),
        )

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._options.ca_file)
        return self._tls


def _routes(
    offer: Offer, book: Book, content: DirectoryContent, channels: Mapping[str, ChannelState]
) -> tuple[Route, ...]:
    """The channels of the book that serve the offer, with the model name that each expects."""
    routes: list[Route] = []
    for channel in content.channels:
        upstream_model = channel.upstream_models.get(offer.id) or offer.providers.get(channel.provider_id)
        if channel.book is not book or upstream_model is None or channel.id not in channels:
            continue
        if channel.offers and offer.id not in channel.offers:
            continue
        state = channels[channel.id]
        routes.append(
            Route(
                channel=state,
                upstream_model=upstream_model,
                upstream_model_json=json.dumps(upstream_model).encode(),
                renames_model=upstream_model != offer.model,
                renames_reasoning="reasoning_field" in state.provider.quirks,
                limit_field=token_limit_field(state.provider.quirks),
            )
        )
    return tuple(routes)
