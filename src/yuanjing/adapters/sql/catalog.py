"""Providers, offers, prices and channels in SQL."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from yuanjing.adapters.sql.tables import channels, offers, prices, providers
from yuanjing.adapters.sql.work import Work, dump, insert
from yuanjing.domain.catalog import Channel, ChannelLimits, ChatLimits, Offer, OnDisconnect, Operation, Provider
from yuanjing.domain.errors import AlreadyExistsError, NotFoundError
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ChatPrice, ChatTier
from yuanjing.domain.video_offers import VideoLimits, VideoSpec
from yuanjing.domain.video_pricing import OfferPrice, VideoPrice, VideoRate


def _upsert(table: sa.Table) -> sa.Executable:
    statement = insert(table)
    changed = {column.name: statement.excluded[column.name] for column in table.c if column.name != "id"}
    return statement.on_conflict_do_update(index_elements=[table.c.id], set_=changed)


_SAVE_PROVIDER, _SAVE_OFFER, _SAVE_CHANNEL = _upsert(providers), _upsert(offers), _upsert(channels)
_PROVIDERS = sa.select(providers).order_by(providers.c.id)
_PROVIDER = sa.select(providers.c.id).where(providers.c.id == sa.bindparam("id"))
_OFFERS = sa.select(offers).order_by(offers.c.model, offers.c.id)
_OFFER = sa.select(offers.c.id).where(offers.c.id == sa.bindparam("id"))
_REPLACE_CREDENTIAL = (
    sa.update(channels)
    .where(channels.c.id == sa.bindparam("channel"), channels.c.credential == sa.bindparam("old"))
    .values(credential=sa.bindparam("new"))
)
_CHANNELS = sa.select(channels).order_by(channels.c.id)
_ADD_PRICE = insert(prices).on_conflict_do_nothing().returning(prices.c.id)
_PRICES = sa.select(prices).order_by(prices.c.offer_id, prices.c.version)
_PRICES_OF_OFFER = _PRICES.where(prices.c.offer_id == sa.bindparam("offer"))
_PRICE = sa.select(prices).where(prices.c.id == sa.bindparam("id"))


class _OfferDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an offer that no query asks for."""

    providers: dict[str, str]
    chat: ChatLimits | None
    aliases: tuple[str, ...]
    capabilities: tuple[str, ...]
    parameters: dict[str, object]
    description: str
    description_zh: str
    video: VideoSpec | None = None


_DOCUMENT = msgspec.json.Decoder(_OfferDocument)
_NAMES = msgspec.json.Decoder(tuple[str, ...])
_NAME_MAP = msgspec.json.Decoder(dict[str, str])
_LIMITS = msgspec.json.Decoder(VideoLimits)
_RATES = msgspec.json.Decoder(tuple[VideoRate, ...])
_TIERS = msgspec.json.Decoder(tuple[ChatTier, ...])


class SqlCatalog:
    """See `yuanjing.ports.catalog.CatalogTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def save_provider(self, provider: Provider) -> None:
        """See the port."""
        self._work.do(
            _SAVE_PROVIDER,
            id=provider.id,
            label=provider.label,
            label_zh=provider.label_zh,
            protocol=provider.protocol,
            base_url=provider.base_url,
            sandbox_path=provider.sandbox_path,
            on_disconnect=provider.on_disconnect.value,
            quirks=dump(provider.quirks),
            video=None if provider.video is None else dump(provider.video),
        )

    def providers(self) -> list[Provider]:
        """See the port."""
        return [_from_row_provider(row) for row in self._work.rows(_PROVIDERS)]

    def save_offer(self, offer: Offer) -> None:
        """See the port."""
        self._work.do(_SAVE_OFFER, **_to_row_offer(offer))

    def offers(self) -> list[Offer]:
        """See the port."""
        return [_from_row_offer(row) for row in self._work.rows(_OFFERS)]

    def add_price(self, price: OfferPrice) -> None:
        """See the port."""
        if self._work.first(_OFFER, id=price.offer_id) is None:
            raise NotFoundError(f"offer {price.offer_id} does not exist")
        row = self._work.first(
            _ADD_PRICE,
            id=price.id,
            offer_id=price.offer_id,
            version=price.version,
            effective_from=_to_text(price.effective_from),
            tiers=dump(price.tiers if isinstance(price, ChatPrice) else ()),
            rates=dump(price.rates) if isinstance(price, VideoPrice) else None,
            source=price.source,
            created_at=_to_text(price.created_at),
        )
        if row is None:
            raise AlreadyExistsError(f"price {price.id}, or version {price.version} of the offer, exists")

    def prices(self, offer_id: str | None = None) -> list[OfferPrice]:
        """See the port."""
        if offer_id is None:
            return [_from_row_price(row) for row in self._work.rows(_PRICES)]
        return [_from_row_price(row) for row in self._work.rows(_PRICES_OF_OFFER, offer=offer_id)]

    def price(self, price_id: str) -> OfferPrice | None:
        """See the port."""
        row = self._work.first(_PRICE, id=price_id)
        return None if row is None else _from_row_price(row)

    def save_channel(self, channel: Channel) -> None:
        """See the port."""
        if self._work.first(_PROVIDER, id=channel.provider_id) is None:
            raise NotFoundError(f"provider {channel.provider_id} does not exist")
        self._work.do(_SAVE_CHANNEL, **_to_row_channel(channel))

    def replace_credential(self, channel_id: str, old: bytes, new: bytes) -> bool:
        """See the port."""
        return self._work.do(_REPLACE_CREDENTIAL, channel=channel_id, old=old, new=new) == 1

    def channels(self) -> list[Channel]:
        """See the port."""
        return [_from_row_channel(row) for row in self._work.rows(_CHANNELS)]


def _to_text(at: dt.datetime | None) -> str | None:
    return None if at is None else at.astimezone(dt.UTC).isoformat()


def _from_text(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)


def _from_row_provider(row: sa.Row[Any]) -> Provider:
    return Provider(
        id=row.id,
        label=row.label,
        label_zh=row.label_zh,
        protocol=row.protocol,
        base_url=row.base_url,
        sandbox_path=row.sandbox_path,
        on_disconnect=OnDisconnect(row.on_disconnect),
        quirks=_NAMES.decode(row.quirks),
        video=None if row.video is None else _LIMITS.decode(row.video),
    )


def _to_row_offer(offer: Offer) -> Mapping[str, Any]:
    document = _OfferDocument(
        providers=dict(offer.providers),
        chat=offer.chat,
        video=offer.video,
        aliases=offer.aliases,
        capabilities=offer.capabilities,
        parameters=dict(offer.parameters),
        description=offer.description,
        description_zh=offer.description_zh,
    )
    return {
        "id": offer.id,
        "model": offer.model,
        "operation": offer.operation.value,
        "label": offer.label,
        "provider_label": offer.provider_label,
        "enabled_from": _to_text(offer.enabled_from),
        "enabled_until": _to_text(offer.enabled_until),
        "document": dump(document),
    }


def _from_row_offer(row: sa.Row[Any]) -> Offer:
    document = _DOCUMENT.decode(row.document)
    return Offer(
        id=row.id,
        model=row.model,
        operation=Operation(row.operation),
        label=row.label,
        provider_label=row.provider_label,
        providers=document.providers,
        chat=document.chat,
        video=document.video,
        aliases=document.aliases,
        capabilities=document.capabilities,
        parameters=document.parameters,
        description=document.description,
        description_zh=document.description_zh,
        enabled_from=_from_text(row.enabled_from),
        enabled_until=_from_text(row.enabled_until),
    )


def _from_row_price(row: sa.Row[Any]) -> OfferPrice:
    effective_from, created_at = dt.datetime.fromisoformat(row.effective_from), _from_text(row.created_at)
    if row.rates is not None:
        return VideoPrice(
            id=row.id,
            offer_id=row.offer_id,
            version=row.version,
            effective_from=effective_from,
            rates=_RATES.decode(row.rates),
            source=row.source,
            created_at=created_at,
        )
    return ChatPrice(
        id=row.id,
        offer_id=row.offer_id,
        version=row.version,
        effective_from=effective_from,
        tiers=_TIERS.decode(row.tiers),
        source=row.source,
        created_at=created_at,
    )


def _to_row_channel(channel: Channel) -> Mapping[str, Any]:
    return {
        "id": channel.id,
        "provider_id": channel.provider_id,
        "book": channel.book.value,
        "name": channel.name,
        "base_url": channel.base_url,
        "credential": channel.credential,
        "priority": channel.priority,
        "weight": channel.weight,
        "connections_max": channel.connections_max,
        "requests_per_minute": channel.limits.requests_per_minute,
        "tokens_per_minute": channel.limits.tokens_per_minute,
        "concurrency": channel.limits.concurrency,
        "is_enabled": channel.is_enabled,
        "offers": dump(channel.offers),
        "upstream_models": dump(channel.upstream_models),
        "created_at": channel.created_at,
    }


def _from_row_channel(row: sa.Row[Any]) -> Channel:
    return Channel(
        id=row.id,
        provider_id=row.provider_id,
        book=Book(row.book),
        name=row.name,
        base_url=row.base_url,
        credential=row.credential,
        priority=row.priority,
        weight=row.weight,
        connections_max=row.connections_max,
        limits=ChannelLimits(
            requests_per_minute=row.requests_per_minute,
            tokens_per_minute=row.tokens_per_minute,
            concurrency=row.concurrency,
        ),
        is_enabled=row.is_enabled,
        offers=_NAMES.decode(row.offers),
        upstream_models=_NAME_MAP.decode(row.upstream_models),
        created_at=row.created_at,
    )
