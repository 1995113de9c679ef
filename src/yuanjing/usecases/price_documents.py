"""The `[price]` of a catalogue file: rates by input length for chat, rates with conditions for video."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from yuanjing.domain.catalog import Offer
from yuanjing.domain.errors import InvalidAmountError
from yuanjing.domain.money import parse_amount
from yuanjing.domain.pricing import RATE_NANOS_MAX, ChatTier
from yuanjing.domain.tasks import VideoMeter
from yuanjing.domain.usage import COUNT_MAX
from yuanjing.domain.video_combinations import price_gaps
from yuanjing.domain.video_pricing import PER_MAX, VideoPrice, VideoRate
from yuanjing.kit.tomlfile import Table

_AMOUNT_WORDS = 'an amount of CNY per million tokens in quotes, such as "2.5"'
_VIDEO_AMOUNT_WORDS = 'an amount of CNY in quotes, such as "0.9"'


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceDraft:
    """A price without a version: tiers for chat, rates for video."""

    effective_from: dt.datetime
    source: str
    tiers: tuple[ChatTier, ...] = ()
    rates: tuple[VideoRate, ...] = ()


def read_price(table: Table, offer: Offer) -> PriceDraft | None:
    """The price of the file's offer; None after a problem, which is reported."""
    effective = table.moment("effective_from", is_required=True)
    source = table.text("source", words="text: where the numbers are from, with its date")
    if source and not re.search(r"\b20\d\d-\d\d-\d\d\b", source):
        table.report("`source` must name its date, such as 2026-06-30", "source")
    tiers = () if offer.video else _read_tiers(table, offer)
    rates = _read_rates(table) if offer.video else ()
    table.finish()
    return PriceDraft(effective_from=effective, tiers=tiers, rates=rates, source=source) if effective else None


def check_rates(offer: Offer, rates: Sequence[VideoRate]) -> list[str]:
    """What is wrong with rates for this offer of video, in sentences."""
    if not rates:
        return ["there are no rates"]
    models = {model.name for model in offer.video.models} if offer.video else set[str]()
    unknown = [rate.model for rate in rates if rate.model is not None and rate.model not in models]
    if unknown:
        return [f"the offer has no model {unknown[0]!r}; it has {', '.join(sorted(models))}"]
    start = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    price = VideoPrice(id="", offer_id=offer.id, version=1, effective_from=start, rates=tuple(rates))
    return price_gaps(offer, price)


def _read_rates(table: Table) -> tuple[VideoRate, ...]:
    items = table.tables("rate")
    if not items:
        table.report("a price needs at least one [[price.rate]]")
    return tuple(_read_rate(item) for item in items)


def _read_rate(table: Table) -> VideoRate:
    rate = VideoRate(
        meter=VideoMeter(table.choice("meter", [meter.value for meter in VideoMeter])),
        amount_nanos=_read_amount(table, "amount", _VIDEO_AMOUNT_WORDS) or 0,
        per=table.integer("per", 1, low=1, high=PER_MAX),
        model=_optional_text(table, "model"),
        resolution=_optional_text(table, "resolution"),
        has_audio=_optional_flag(table, "audio"),
        is_off_peak=_optional_flag(table, "off_peak"),
        has_video_input=_optional_flag(table, "video_input"),
    )
    table.finish()
    return rate


def _optional_text(table: Table, key: str) -> str | None:
    return table.text(key, "") or None


def _optional_flag(table: Table, key: str) -> bool | None:
    is_there = key in table
    found = table.flag(key, default=False)
    return found if is_there else None


def _read_tiers(table: Table, offer: Offer) -> tuple[ChatTier, ...]:
    items = table.tables("tier")
    if not items:
        table.report("a price needs at least one [[price.tier]]")
    tiers = tuple(_read_tier(item) for item in items)
    bounds = [COUNT_MAX if tier.input_up_to is None else tier.input_up_to for tier in tiers]
    if bounds != sorted(set(bounds)):
        table.report("the tiers must come in rising order of `input_up_to`; only the last may be without it", "tier")
    if offer.chat and tiers and bounds[-1] < offer.chat.context_tokens:
        table.report(
            f"the last tier ends at {bounds[-1]} tokens, below the model's {offer.chat.context_tokens}; "
            "leave its `input_up_to` out",
            "tier",
        )
    return tiers


def _read_tier(table: Table) -> ChatTier:
    bound = table.integer("input_up_to", low=1, high=COUNT_MAX - 1) if "input_up_to" in table else None
    tier = ChatTier(
        input_up_to=bound,
        input_nanos=_read_amount(table, "input", _AMOUNT_WORDS) or 0,
        output_nanos=_read_amount(table, "output", _AMOUNT_WORDS) or 0,
        cache_read_nanos=_read_amount(table, "cache_read", _AMOUNT_WORDS, is_required=False),
        cache_write_nanos=_read_amount(table, "cache_write", _AMOUNT_WORDS, is_required=False),
    )
    table.finish()
    return tier


def _read_amount(table: Table, key: str, words: str, *, is_required: bool = True) -> int | None:
    if key not in table and not is_required:
        table.skip(key)
        return None
    text = table.text(key, words=words)
    if not text:
        return None
    try:
        rate = parse_amount(text)
    except InvalidAmountError as error:
        table.report(f"`{key}`: {error.message}", key)
        return None
    if rate > RATE_NANOS_MAX:
        table.report(f"`{key}` is above the dearest rate that may be set, one million CNY", key)
        return None
    return rate
