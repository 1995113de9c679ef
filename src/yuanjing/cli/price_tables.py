"""Prices as text for people."""

from yuanjing.cli import tables
from yuanjing.domain.money import format_amount
from yuanjing.domain.pricing import ChatPrice
from yuanjing.domain.video_pricing import OfferPrice, VideoPrice, VideoRate

_MORE = " …"


def price_table(price: OfferPrice) -> None:
    """Print the rates: of chat in CNY per million tokens, of video in CNY for the units that each names."""
    if isinstance(price, ChatPrice):
        _tier_table(price)
    else:
        _rate_table(price)


def price_title(price: OfferPrice) -> str:
    """What the numbers of the table are."""
    unit = "CNY per million tokens" if isinstance(price, ChatPrice) else "CNY, the first rate of a meter that fits"
    return f"{unit} ({price.source})"


def short_rates(price: OfferPrice | None) -> tuple[str, str]:
    """Input and output in a list of offers, or the first rate of a video."""
    if price is None:
        return "no price", ""
    if isinstance(price, VideoPrice):
        first, *others = price.rates
        return "", f"{format_amount(first.amount_nanos)} / {_unit(first)}" + (_MORE if others else "")
    tier, *others = price.tiers
    more = _MORE if others else ""
    return format_amount(tier.input_nanos) + more, format_amount(tier.output_nanos) + more


def _tier_table(price: ChatPrice) -> None:
    rows = [
        (
            "more" if tier.input_up_to is None and number else _bound(tier.input_up_to),
            format_amount(tier.input_nanos),
            format_amount(tier.output_nanos),
            format_amount(tier.cache_read),
            format_amount(tier.cache_write),
        )
        for number, tier in enumerate(price.tiers)
    ]
    tables.table(("INPUT UP TO#", "INPUT#", "OUTPUT#", "CACHE READ#", "CACHE WRITE#"), rows, empty="")


def _rate_table(price: VideoPrice) -> None:
    rows = [
        (
            format_amount(rate.amount_nanos),
            _unit(rate),
            rate.model or "any",
            rate.resolution or "any",
            _flag(is_set=rate.has_audio),
            _flag(is_set=rate.is_off_peak),
            _flag(is_set=rate.has_video_input),
        )
        for rate in price.rates
    ]
    tables.table(("RATE#", "PER", "MODEL", "RESOLUTION", "SOUND", "OFF-PEAK", "CLIPS IN"), rows, empty="")


def _bound(tokens: int | None) -> str:
    return "any" if tokens is None else f"{tokens}"


def _unit(rate: VideoRate) -> str:
    return rate.meter.value if rate.per == 1 else f"{rate.per:,} {rate.meter.value}"


def _flag(*, is_set: bool | None) -> str:
    return "any" if is_set is None else "yes" if is_set else "no"
