"""What a usual video of an offer costs, so that prices in different units can be compared."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from yuanjing.domain.catalog import Offer
from yuanjing.domain.parameters.spec import properties_of
from yuanjing.domain.parameters.values import Keywords, listed
from yuanjing.domain.tasks import Size
from yuanjing.domain.video_combinations import choices
from yuanjing.domain.video_offers import VideoSpec
from yuanjing.domain.video_pricing import NoRateError, VideoPrice, quote_video, tier_of
from yuanjing.domain.videos import VideoRequest

USUAL_SECONDS = 5
USUAL_RATIO = "16:9"


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceExample:
    """A video and about what it costs: what its provider should count, without the margin of a ceiling.

    Attributes:
        resolution: the tier; empty if the offer has none.
        seconds: `USUAL_SECONDS`, or the nearest length that there is.
    """

    model: str
    resolution: str
    seconds: int
    amount_nanos: int


def price_examples(offer: Offer, price: VideoPrice) -> list[PriceExample]:
    """One for each tier of the offer's first model, the cheapest first; wide, with sound where that is the default.

    A tier that the price has no rate for cannot be bought, and is left out.
    """
    assert offer.video is not None, offer.id
    exact = replace(offer, video=replace(offer.video, credits_margin_percent=100))
    found: dict[str, PriceExample] = {}
    for request in _usual_requests(offer):
        tier = tier_of(offer.video, request)
        try:
            amount = quote_video(exact, price, request).charge.total_nanos
        except NoRateError:
            continue
        assert request.duration_seconds is not None, request
        example = PriceExample(
            model=request.model, resolution=tier, seconds=request.duration_seconds, amount_nanos=amount
        )
        found.setdefault(tier, example)
    return sorted(found.values(), key=lambda one: one.amount_nanos)


def _usual_requests(offer: Offer) -> Iterator[VideoRequest]:
    assert offer.video is not None, offer.id
    spec, model = offer.video, offer.video.models[0]
    needed = {rule.role for rule in spec.media if rule.is_required} | {*model.required}
    properties = properties_of(offer, model, needed)
    seconds = _nearest(properties.get("duration", {}))
    audio = properties.get("generate_audio", {}).get("default")
    for resolution, size in _pictures(spec, properties):
        yield VideoRequest(
            model=model.name,
            resolution=resolution,
            size=size,
            ratio=USUAL_RATIO if USUAL_RATIO in listed(properties.get("ratio", {}).get("enum")) else None,
            duration_seconds=seconds,
            audio=audio if isinstance(audio, bool) else None,
        )


def _pictures(spec: VideoSpec, properties: Mapping[str, Keywords]) -> Iterator[tuple[str | None, Size | None]]:
    """The tiers, or the wide sizes, that can be asked for; nothing once, if neither can."""
    if "size" not in properties:
        for tier in choices(properties, "resolution"):
            yield None if tier is None else str(tier), None
        return
    asked = {str(one).replace("*", "x") for one in choices(properties, "size")}
    for entry in spec.pixels:
        if entry.ratio == USUAL_RATIO and f"{entry.size.width}x{entry.size.height}" in asked:
            yield None, entry.size


def _nearest(duration: Keywords) -> int:
    """The length nearest to the usual one that can be asked for."""
    values = [value for value in listed(duration.get("enum")) if isinstance(value, int) and value > 0]
    if values:
        return min(values, key=lambda value: abs(value - USUAL_SECONDS))
    low, high = duration.get("minimum"), duration.get("maximum")
    seconds = max(USUAL_SECONDS, low) if isinstance(low, int) else USUAL_SECONDS
    return min(seconds, high) if isinstance(high, int) else seconds
