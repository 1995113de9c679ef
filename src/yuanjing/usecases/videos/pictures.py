"""What a finished video's picture is worth: the tier that it is of, which may be a lower one than was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from yuanjing.domain.artifacts import MediaFacts
from yuanjing.domain.catalog import Offer
from yuanjing.domain.tasks import Size
from yuanjing.domain.video_offers import VideoSpec
from yuanjing.domain.video_pricing import NoRateError, VideoPrice, rates_for, sizes_of
from yuanjing.domain.videos import RateConditions, TaskQuote, TierQuote, VideoRequest

SMALL_PERCENT = 5
"""A picture that falls short of its pixels by no more is as large as it was asked for: encoders want even sizes, and
some providers do not document theirs."""
_ASPECT_PERCENT = 3
"""A picture whose width by height differs by no more from that of a size is meant to be of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """How much of the picture asked for is there.

    Attributes:
        resolution: the largest tier that it fills; the lowest one if it fills none.
        share: of that tier's pixels, 1 if it fills them.
        credits: of the credits that the tier asked for lists for a second, those of what is there.
        pixels: of the pixels asked for.
        whole: the pixels asked for, of the most that they were expected to be.
        asked: the size asked for, or the nearest to what is there.
    """

    resolution: str
    share: Fraction = Fraction(1)
    credits: Fraction = Fraction(1)
    pixels: Fraction = Fraction(1)
    whole: Fraction = Fraction(1)
    asked: Size | None = None

    @property
    def is_small(self) -> bool:
        """Whether it has fewer pixels than asked for."""
        return self.pixels < 1


def tier_quotes(
    offer: Offer, price: VideoPrice, request: VideoRequest, conditions: RateConditions
) -> tuple[TierQuote, ...]:
    """The tier asked for, then the others that the price sells for no more; none if its sizes are not known."""
    assert offer.video is not None, offer.id
    spec = offer.video
    names = dict.fromkeys([conditions.resolution, *(entry.resolution for entry in spec.pixels)])
    found = [_tier(spec, request, replace(conditions, resolution=name)) for name in names]
    if not found[0].sizes:
        return ()
    asked, most = found[0], _unit_rates(price, conditions)
    return (asked, *(tier for tier in found[1:] if _is_no_dearer(tier, asked, price, conditions, most)))


def picture_of(quote: TaskQuote, measured: MediaFacts) -> Picture:
    """What there is of the picture; whole where the file or the catalogue does not tell its pixels."""
    if not quote.tiers or measured.width is None or measured.height is None:
        return Picture(resolution=quote.conditions.resolution)
    there = Size(width=measured.width, height=measured.height)
    asked_tier = quote.tiers[0]
    asked = _meant(asked_tier.sizes, there)
    whole = Fraction(_area(asked), max(map(_area, asked_tier.sizes)))
    if _fills(there, asked):
        return Picture(resolution=asked_tier.resolution, whole=whole, asked=asked)
    lower = [(tier, _meant(tier.sizes, there)) for tier in quote.tiers]
    lower.sort(key=lambda pair: _area(pair[1]), reverse=True)
    lower = [pair for pair in lower if _area(pair[1]) <= _area(asked)]
    tier, size = next((pair for pair in lower if _fills(there, pair[1])), lower[-1])
    share = Fraction(1) if _fills(there, size) else Fraction(_area(there), _area(size))
    credited = Fraction(1)
    if tier.credits_per_second is not None and asked_tier.credits_per_second:
        credited = Fraction(tier.credits_per_second) / Fraction(asked_tier.credits_per_second)
    return Picture(
        resolution=tier.resolution,
        share=share,
        credits=credited * share,
        pixels=Fraction(_area(there), _area(asked)),
        whole=whole,
        asked=asked,
    )


def _tier(spec: VideoSpec, request: VideoRequest, conditions: RateConditions) -> TierQuote:
    name = conditions.resolution
    ratio = next((entry.ratio for entry in spec.pixels if entry.size == request.size), request.ratio)
    listed = (
        rate.credits_per_second
        for rate in spec.credit_rates
        if (rate.resolution, rate.is_off_peak) == (name, conditions.is_off_peak)
        and rate.model in {"", conditions.model}
    )
    return TierQuote(
        resolution=name,
        sizes=tuple(sizes_of(spec.pixels, name, ratio)),
        credits_per_second=next(listed, None),
    )


def _unit_rates(price: VideoPrice, conditions: RateConditions) -> dict[str, Fraction]:
    return {rate.meter: Fraction(rate.amount_nanos, rate.per) for rate in rates_for(price.rates, conditions)}


def _is_no_dearer(
    tier: TierQuote, asked: TierQuote, price: VideoPrice, conditions: RateConditions, most: dict[str, Fraction]
) -> bool:
    try:
        rates = _unit_rates(price, replace(conditions, resolution=tier.resolution))
    except NoRateError:
        return False
    listed, listed_asked = tier.credits_per_second, asked.credits_per_second
    is_listed = listed_asked is None or (listed is not None and listed <= listed_asked)
    return bool(tier.sizes) and is_listed and all(rate <= most[meter] for meter, rate in rates.items())


def _meant(sizes: Sequence[Size], there: Size) -> Size:
    """Of a tier's sizes the one of what is there; between two of them the one of fewer pixels."""
    nearest = sorted(sizes, key=lambda size: _distance(size, there))[:2]
    if len(nearest) == 1 or 100 * _distance(nearest[0], there) <= 100 + _ASPECT_PERCENT:
        return nearest[0]
    return min(nearest, key=_area)


def _distance(one: Size, other: Size) -> Fraction:
    """Of two ratios of width to height: 1 if they are the same."""
    ratio = Fraction(one.width * other.height, one.height * other.width)
    return max(ratio, 1 / ratio)


def _fills(there: Size, size: Size) -> bool:
    return 100 * _area(there) >= (100 - SMALL_PERCENT) * _area(size)


def _area(size: Size) -> int:
    return size.width * size.height
