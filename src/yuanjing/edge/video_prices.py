"""Prices of videos as customers see them: rates with their conditions, and a sentence in English and in Chinese."""
# ruff: noqa: RUF001  # Chinese has its own punctuation

import itertools
from collections.abc import Callable

from pydantic import BaseModel, Field

from yuanjing.domain.money import format_amount
from yuanjing.domain.tasks import VideoMeter
from yuanjing.domain.video_pricing import VideoPrice, VideoRate

CURRENCY = "CNY"
TYPES = {
    VideoMeter.VIDEO_SECONDS: "second",
    VideoMeter.VIDEO_TOKENS: "token",
    VideoMeter.PROVIDER_CREDITS: "credit",
}
_MILLION = 1_000_000


class VideoRateView(BaseModel):
    """One rate; of each meter the first whose conditions hold is charged. A condition of null always holds."""

    meter: str
    rate: str = Field(description="CNY for `per` units of the meter, as a decimal string.")
    per: int
    model: str | None
    resolution: str | None
    audio: bool | None
    off_peak: bool | None
    video_input: bool | None = Field(description="Whether a clip is among the references.")


class VideoPriceView(BaseModel):
    """The version of a price that is in force."""

    version: int
    effective_from: int = Field(description="Unix seconds.")
    currency: str
    rates: list[VideoRateView]
    source: str


class VideoPricing(BaseModel):
    """What a model costs, in the form of the original platform, with additions after `items`."""

    ppid: str
    name: str
    pricing_type: str
    display_text: str
    items: list[VideoRateView]
    display_text_zh: str
    llmid: str
    currency: str
    version: int
    effective_from: int = Field(description="Unix seconds.")
    source: str


def to_api_video_price(price: VideoPrice) -> VideoPriceView:
    """The price in force."""
    return VideoPriceView(
        version=price.version,
        effective_from=int(price.effective_from.timestamp()),
        currency=CURRENCY,
        rates=to_api_rates(price),
        source=price.source,
    )


def to_api_video_pricing(model: str, price: VideoPrice) -> VideoPricing:
    """The answer of the pricing call."""
    return VideoPricing(
        ppid=price.id,
        name=model,
        pricing_type=TYPES[price.rates[0].meter],
        display_text=video_price_text(price),
        items=to_api_rates(price),
        display_text_zh=video_price_text_zh(price),
        llmid=price.offer_id,
        currency=CURRENCY,
        version=price.version,
        effective_from=int(price.effective_from.timestamp()),
        source=price.source,
    )


def to_api_rates(price: VideoPrice) -> list[VideoRateView]:
    """Its rates, in the order in which they are looked at."""
    return [_to_api_rate(rate) for rate in price.rates]


def video_price_text(price: VideoPrice) -> str:
    """The price as an English sentence."""
    return "; ".join(f"CNY per {unit}: {', '.join(rates)}" for unit, rates in _groups(price, _unit, _conditions))


def video_price_text_zh(price: VideoPrice) -> str:
    """The price as a Chinese sentence."""
    return "；".join(f"元/{unit}：{'，'.join(rates)}" for unit, rates in _groups(price, _unit_zh, _conditions_zh))


def _to_api_rate(rate: VideoRate) -> VideoRateView:
    return VideoRateView(
        meter=rate.meter.value,
        rate=format_amount(rate.amount_nanos),
        per=rate.per,
        model=rate.model,
        resolution=rate.resolution,
        audio=rate.has_audio,
        off_peak=rate.is_off_peak,
        video_input=rate.has_video_input,
    )


def _groups(
    price: VideoPrice, unit: Callable[[VideoRate], str], words: Callable[[VideoRate], str]
) -> list[tuple[str, list[str]]]:
    """The rates of each unit, each with its conditions in words."""
    grouped = itertools.groupby(price.rates, key=unit)
    return [(name, [f"{format_amount(rate.amount_nanos)}{words(rate)}" for rate in rates]) for name, rates in grouped]


def _unit(rate: VideoRate) -> str:
    one, many = _UNITS[rate.meter]
    if rate.per == 1:
        return one
    return f"million {many}" if rate.per == _MILLION else f"{rate.per:,} {many}"


def _unit_zh(rate: VideoRate) -> str:
    name = _UNITS_ZH[rate.meter]
    if rate.per == 1:
        return name
    return f"百万{name}" if rate.per == _MILLION else f"{rate.per:,} {name}"


def _conditions(rate: VideoRate) -> str:
    words = [
        "" if rate.model is None else f"with {rate.model}",
        "" if rate.resolution is None else f"at {rate.resolution}",
        {None: "", True: "with sound", False: "without sound"}[rate.has_audio],
        {None: "", True: "off-peak", False: "in normal hours"}[rate.is_off_peak],
        {None: "", True: "with clips as input", False: "without clips as input"}[rate.has_video_input],
    ]
    return "".join(f" {word}" for word in words if word)


def _conditions_zh(rate: VideoRate) -> str:
    words = [
        rate.model or "",
        rate.resolution or "",
        {None: "", True: "有声", False: "无声"}[rate.has_audio],
        {None: "", True: "错峰", False: "非错峰"}[rate.is_off_peak],
        {None: "", True: "含视频输入", False: "不含视频输入"}[rate.has_video_input],
    ]
    shown = "、".join(word for word in words if word)
    return f"（{shown}）" if shown else ""


_UNITS = {
    VideoMeter.VIDEO_SECONDS: ("second", "seconds"),
    VideoMeter.VIDEO_TOKENS: ("video token", "video tokens"),
    VideoMeter.PROVIDER_CREDITS: ("credit of the provider", "credits of the provider"),
}
_UNITS_ZH = {
    VideoMeter.VIDEO_SECONDS: "秒",
    VideoMeter.VIDEO_TOKENS: "视频 tokens",
    VideoMeter.PROVIDER_CREDITS: "供应商积分",
}
