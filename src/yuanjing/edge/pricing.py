"""Prices as customers see them: numbers as decimal strings, and a sentence in English and in Chinese."""
# ruff: noqa: RUF001  # Chinese has its own punctuation

from collections.abc import Iterable

from pydantic import BaseModel, Field

from yuanjing.domain.money import format_amount
from yuanjing.domain.pricing import ChatPrice, ChatTier
from yuanjing.domain.usage import Meter
from yuanjing.domain.video_pricing import OfferPrice
from yuanjing.edge.video_prices import (
    CURRENCY,
    VideoPriceView,
    VideoPricing,
    to_api_video_price,
    to_api_video_pricing,
    video_price_text,
    video_price_text_zh,
)

UNIT = "million_tokens"
PRICING_TYPE = "token"

Rate = str


class Tier(BaseModel):
    """The rates of requests whose input has more than `input_above` and at most `input_up_to` tokens."""

    input_above: int
    input_up_to: int | None = Field(description="Null: no bound.")
    input: Rate = Field(description="CNY per million tokens, as a decimal string; so are the others.")
    cache_read: Rate
    cache_write: Rate
    output: Rate


class Item(BaseModel):
    """One rate: a meter within one tier."""

    meter: str
    input_above: int
    input_up_to: int | None
    rate: Rate


class Price(BaseModel):
    """The version of a price that is in force."""

    version: int
    effective_from: int = Field(description="Unix seconds.")
    currency: str
    unit: str
    tiers: list[Tier]
    source: str


class Pricing(BaseModel):
    """What a model costs, in the form of the original platform, with additions after `items`."""

    ppid: str
    name: str
    pricing_type: str
    display_text: str
    items: list[Item]
    display_text_zh: str
    llmid: str
    currency: str
    unit: str
    tiers: list[Tier]
    version: int
    effective_from: int = Field(description="Unix seconds.")
    source: str


def to_api_price(price: OfferPrice) -> Price | VideoPriceView:
    """The price in force."""
    if not isinstance(price, ChatPrice):
        return to_api_video_price(price)
    return Price(
        version=price.version,
        effective_from=int(price.effective_from.timestamp()),
        currency=CURRENCY,
        unit=UNIT,
        tiers=to_api_tiers(price),
        source=price.source,
    )


def to_api_tiers(price: ChatPrice) -> list[Tier]:
    """Its tiers, with the rates that are applied."""
    return [
        Tier(
            input_above=above,
            input_up_to=tier.input_up_to,
            input=format_amount(tier.input_nanos),
            cache_read=format_amount(tier.cache_read),
            cache_write=format_amount(tier.cache_write),
            output=format_amount(tier.output_nanos),
        )
        for above, tier in _bounded(price)
    ]


def to_api_pricing(model: str, price: OfferPrice) -> Pricing | VideoPricing:
    """The answer of the pricing call."""
    if not isinstance(price, ChatPrice):
        return to_api_video_pricing(model, price)
    return Pricing(
        ppid=price.id,
        name=model,
        pricing_type=PRICING_TYPE,
        display_text=price_text(price),
        items=list(_items(price)),
        display_text_zh=price_text_zh(price),
        llmid=price.offer_id,
        currency=CURRENCY,
        unit=UNIT,
        tiers=to_api_tiers(price),
        version=price.version,
        effective_from=int(price.effective_from.timestamp()),
        source=price.source,
    )


def price_text(price: OfferPrice) -> str:
    """The price as an English sentence."""
    if not isinstance(price, ChatPrice):
        return video_price_text(price)
    parts: list[str] = []
    for above, tier in _bounded(price):
        rates = ", ".join(f"{name} {format_amount(rate)}" for name, _, rate in _rates(tier))
        if tier.input_up_to is not None:
            parts.append(f"up to {tier.input_up_to:,} input tokens: {rates}")
        elif above:
            parts.append(f"above {above:,} input tokens: {rates}")
        else:
            parts.append(rates)
    return f"CNY per million tokens: {'; '.join(parts)}"


def price_text_zh(price: OfferPrice) -> str:
    """The price as a Chinese sentence."""
    if not isinstance(price, ChatPrice):
        return video_price_text_zh(price)
    parts: list[str] = []
    for above, tier in _bounded(price):
        rates = "，".join(f"{name} {format_amount(rate)}" for _, name, rate in _rates(tier))
        if tier.input_up_to is not None:
            parts.append(f"输入不超过 {tier.input_up_to:,} tokens：{rates}")
        elif above:
            parts.append(f"输入超过 {above:,} tokens：{rates}")
        else:
            parts.append(rates)
    return f"元/百万 tokens：{'；'.join(parts)}"


def _bounded(price: ChatPrice) -> Iterable[tuple[int, ChatTier]]:
    """The tiers, each with the bound of the one before."""
    above = 0
    for tier in price.tiers:
        yield above, tier
        above = tier.input_up_to or above


def _rates(tier: ChatTier) -> Iterable[tuple[str, str, int]]:
    """The rates that a reader has to know; a cache rate only where it differs from the input's."""
    yield "input", "输入", tier.input_nanos
    if tier.cache_read != tier.input_nanos:
        yield "cached input", "缓存命中", tier.cache_read
    if tier.cache_write != tier.input_nanos:
        yield "cache write", "缓存写入", tier.cache_write
    yield "output", "输出", tier.output_nanos


def _items(price: ChatPrice) -> Iterable[Item]:
    for above, tier in _bounded(price):
        for meter, rate in (
            (Meter.INPUT_TOKENS, tier.input_nanos),
            (Meter.CACHE_READ_TOKENS, tier.cache_read),
            (Meter.CACHE_WRITE_TOKENS, tier.cache_write),
            (Meter.OUTPUT_TOKENS, tier.output_nanos),
        ):
            yield Item(meter=meter.value, input_above=above, input_up_to=tier.input_up_to, rate=format_amount(rate))
