"""Prices of video: seconds, tokens or a provider's credits, at rates that depend on what was asked for.

As everywhere, the ceiling and the charge are made by the same code, on integers and exact fractions, and a sum is
rounded up once to a whole nano-yuan.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

from yuanjing.domain.catalog import Offer
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.pricing import RATE_NANOS_MAX, ChatPrice
from yuanjing.domain.tasks import PROVIDER_CHOOSES, MediaRole, Size, VideoMeter
from yuanjing.domain.usage import COUNT_MAX
from yuanjing.domain.video_offers import Pixels, VideoSpec
from yuanjing.domain.videos import RateConditions, VideoRequest

ADAPTIVE = "adaptive"
PER_MAX = 10**9
"""The most units that one rate may be for."""


class NoRateError(YuanjingError):
    """The catalogue has no rate for what was asked for; taking files in and setting prices prevent it."""

    code = "internal_error"


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoRate:
    """One line of a price: so much for `per` units of a meter, where the conditions hold; None holds always.

    Attributes:
        amount_nanos: nano-yuan for `per` units.
    """

    meter: VideoMeter
    amount_nanos: int
    per: int
    model: str | None = None
    resolution: str | None = None
    has_audio: bool | None = None
    is_off_peak: bool | None = None
    has_video_input: bool | None = None

    def __post_init__(self) -> None:
        assert 0 <= self.amount_nanos <= RATE_NANOS_MAX, self
        assert 1 <= self.per <= PER_MAX, self

    def holds(self, conditions: RateConditions) -> bool:
        """Whether all its conditions are met."""
        return (
            self.model in (None, conditions.model)
            and self.resolution in (None, conditions.resolution)
            and self.has_audio in (None, conditions.has_audio)
            and self.is_off_peak in (None, conditions.is_off_peak)
            and self.has_video_input in (None, conditions.has_video_input)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoPrice:
    """One version of a video offer's price; never edited, only followed by a newer version.

    Attributes:
        rates: of each meter the first whose conditions hold is taken.
        source: where the operator took it from, with its date.
    """

    id: str
    offer_id: str
    version: int
    effective_from: dt.datetime
    rates: tuple[VideoRate, ...]
    source: str = ""
    created_at: dt.datetime | None = None

    def __post_init__(self) -> None:
        assert self.rates, self


OfferPrice = ChatPrice | VideoPrice
"""What any offer can be sold at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoLine:
    """One line of the arithmetic: `quantity` units of a meter at `amount_nanos` for each `per` of them."""

    meter: VideoMeter
    quantity: int
    amount_nanos: int
    per: int

    @property
    def exact_nanos(self) -> Fraction:
        """The line's amount in nano-yuan, not rounded."""
        return Fraction(self.quantity * self.amount_nanos, self.per)


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoCharge:
    """An explained amount: its lines, and their sum rounded up once to a whole nano-yuan."""

    lines: tuple[VideoLine, ...]
    total_nanos: int


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoQuote:
    """The most that a request can cost, told before anything runs.

    Attributes:
        meters: the most that is expected to be counted.
        charge: what the price makes of them; its total is the ceiling.
    """

    conditions: RateConditions
    meters: Mapping[VideoMeter, int]
    charge: VideoCharge


def conditions_of(offer: Offer, request: VideoRequest) -> RateConditions:
    """What the rates of this request depend on; sound that is left to the provider counts as sound."""
    return RateConditions(
        model=request.model,
        resolution=tier_of(_spec(offer), request),
        has_audio=request.audio is not False,
        is_off_peak=request.off_peak,
        has_video_input=request.has_video_input,
    )


def tier_of(spec: VideoSpec, request: VideoRequest) -> str:
    """The tier asked for, by its name or as the one of a size; empty if there is neither."""
    if request.resolution is not None:
        return request.resolution
    return next((entry.resolution for entry in spec.pixels if entry.size == request.size), "")


def quote_video(offer: Offer, price: VideoPrice, request: VideoRequest) -> VideoQuote:
    """What the request can cost at most, with its media.

    Raises:
        NoRateError: the price does not fit the offer.
    """
    spec = _spec(offer)
    conditions = conditions_of(offer, request)
    counts = {
        VideoMeter.VIDEO_SECONDS: lambda: _seconds(spec, request),
        VideoMeter.VIDEO_TOKENS: lambda: _tokens(spec, request, conditions.resolution),
        VideoMeter.PROVIDER_CREDITS: lambda: _credits(spec, request, conditions),
    }
    meters = {rate.meter: min(counts[rate.meter](), COUNT_MAX) for rate in rates_for(price.rates, conditions)}
    return VideoQuote(conditions=conditions, meters=meters, charge=explain_video(price, conditions, meters))


def ceiling_of(total_nanos: int) -> int:
    """What is held for a quote of so much: something, even for what is free."""
    return max(1, total_nanos)


def explain_video(price: VideoPrice, conditions: RateConditions, meters: Mapping[VideoMeter, int]) -> VideoCharge:
    """The charge with its lines, as a customer sees it; what the price has no rates for costs nothing.

    Raises:
        NoRateError: the price has rates, but none for these conditions.
    """
    for count in meters.values():
        assert 0 <= count <= COUNT_MAX, meters
    lines = tuple(
        VideoLine(meter=rate.meter, quantity=meters[rate.meter], amount_nanos=rate.amount_nanos, per=rate.per)
        for rate in rates_for(price.rates, conditions)
        if meters.get(rate.meter)
    )
    total = sum((line.exact_nanos for line in lines), Fraction(0))
    return VideoCharge(lines=lines, total_nanos=-(-total.numerator // total.denominator))


def rates_for(rates: Iterable[VideoRate], conditions: RateConditions) -> list[VideoRate]:
    """The rate of each meter of the price, in their order.

    Raises:
        NoRateError: a meter has rates, but none for these conditions.
    """
    found: dict[VideoMeter, VideoRate | None] = {}
    for rate in rates:
        if found.setdefault(rate.meter) is None and rate.holds(conditions):
            found[rate.meter] = rate
    missing = [meter.value for meter, rate in found.items() if rate is None]
    if missing:
        raise NoRateError(f"there is no rate of {', '.join(missing)} for {conditions_to_text(conditions)}")
    return [rate for rate in found.values() if rate is not None]


def conditions_to_text(conditions: RateConditions) -> dict[str, str]:
    """For a usage record's `extra`."""
    return {
        "model": conditions.model,
        "resolution": conditions.resolution,
        "has_audio": _WORDS[conditions.has_audio],
        "is_off_peak": _WORDS[conditions.is_off_peak],
        "has_video_input": _WORDS[conditions.has_video_input],
    }


def conditions_from_text(texts: Mapping[str, str]) -> RateConditions:
    """The way back of `conditions_to_text`.

    Raises:
        ValueError: a condition is missing or unreadable.
    """
    flags = {_WORDS[flag]: flag for flag in (True, False)}
    try:
        return RateConditions(
            model=texts["model"],
            resolution=texts["resolution"],
            has_audio=flags[texts["has_audio"]],
            is_off_peak=flags[texts["is_off_peak"]],
            has_video_input=flags[texts["has_video_input"]],
        )
    except KeyError as error:
        raise ValueError(f"the conditions of the price lack {error}") from error


_WORDS = {True: "true", False: "false"}


def _spec(offer: Offer) -> VideoSpec:
    assert offer.video is not None, offer.id
    return offer.video


def _output_seconds(spec: VideoSpec, request: VideoRequest) -> int:
    """The length asked for, else the longest that the model makes when it chooses."""
    if request.duration_seconds in (None, PROVIDER_CHOOSES):
        return spec.seconds_when_chosen
    return request.duration_seconds


def _seconds(spec: VideoSpec, request: VideoRequest) -> int:
    """Of the video, and of the clips that go in, which providers count too; clips of unknown length as their most."""
    if not request.has_video_input:
        return _output_seconds(spec, request)
    clips = [item.seconds for item in request.media if item.role is MediaRole.REFERENCE_VIDEO]
    known = sum((seconds for seconds in clips if seconds is not None), Decimal(0))
    given = spec.input_seconds_max if None in clips else int(known.to_integral_value(ROUND_CEILING))
    return _output_seconds(spec, request) + given


def _tokens(spec: VideoSpec, request: VideoRequest, resolution: str) -> int:
    """By the provider's formula; where the ratio is the provider's choice, of the tier's largest picture."""
    formula = spec.token_formula
    areas = [size.width * size.height for size in sizes_of(spec.pixels, resolution, request.ratio)]
    if formula is None or not areas:
        raise NoRateError(f"video tokens cannot be counted for {resolution or 'no tier'} {request.ratio or ''}".strip())
    frames = formula.frame_rate * _seconds(spec, request) + formula.extra_frames
    return max(areas) * frames // formula.divisor


def sizes_of(pixels: Iterable[Pixels], resolution: str, ratio: str | None) -> list[Size]:
    """The sizes that a tier may have in this ratio; all of the tier's if the ratio is open."""
    is_open = ratio in (None, ADAPTIVE)
    return [entry.size for entry in pixels if entry.resolution == resolution and (is_open or entry.ratio == ratio)]


def _credits(spec: VideoSpec, request: VideoRequest, conditions: RateConditions) -> int:
    """The listed credits with the margin for lists that differ from what is charged."""
    fitting = (
        rate.credits_per_second
        for rate in spec.credit_rates
        if rate.resolution == conditions.resolution
        and rate.is_off_peak == conditions.is_off_peak
        and rate.model in {"", conditions.model}
    )
    per_second = next(fitting, None)
    if per_second is None:
        raise NoRateError(f"no credits per second are listed for {conditions_to_text(conditions)}")
    exact = per_second * _seconds(spec, request) * spec.credits_margin_percent / 100
    return int(exact.to_integral_value(ROUND_CEILING))
