"""What customers are told about a model that makes videos, beside its parameters."""

from decimal import Decimal

from pydantic import BaseModel, Field

from yuanjing.domain.money import format_amount
from yuanjing.domain.pricing import ChatPrice
from yuanjing.domain.video_examples import price_examples
from yuanjing.domain.video_offers import MediaRule
from yuanjing.edge.offers import SoldOffer


class MediaLimits(BaseModel):
    """What files a parameter takes; null is no limit."""

    field: str
    role: str
    is_required: bool
    count_max: int
    media_types: list[str] = Field(description="HEIC pictures are taken as well, and converted.")
    size_bytes_max: int
    side_min: int | None = Field(description="Pixels of the shorter side.")
    side_max: int | None = Field(description="Pixels of the longer side.")
    aspect_min: str | None = Field(description="Width divided by height, as a decimal string; so is the next.")
    aspect_max: str | None
    seconds_min: str | None = Field(description="Of one clip, as a decimal string; so are the next two.")
    seconds_max: str | None
    seconds_total_max: str | None = Field(description="Of all clips together.")
    takes_assets: bool = Field(description="Whether `asset://` and an id may name a file in the provider's library.")


class VideoExample(BaseModel):
    """A usual video, and about what it costs."""

    model: str
    resolution: str = Field(description="Empty if the model has none to choose from.")
    seconds: int
    amount: str = Field(description="An estimate; what a request can cost at most, `/llmage/v1/video/quotes` tells.")


class VideoDetails(BaseModel):
    """The models to choose from, their files and sizes."""

    family: str = Field(description="Models of one family stand in for each other when files come or do not come.")
    models: list[str] = Field(description="What `model` may be; the first is the default.")
    media: list[MediaLimits]
    needs_any_of: list[str] = Field(description="Parameters of files of which at least one is needed.")
    sizes: dict[str, dict[str, str]] = Field(description="Width and height by resolution and ratio.")
    examples: list[VideoExample] = Field(description="Of each resolution of the first model, the cheapest first.")
    expected_seconds: int | None = Field(description="How long a video usually takes; null if nobody has said.")
    under_way_max: int = Field(description="So many videos of a customer, of all models, may be under way at once.")


def to_api_video_details(sold: SoldOffer, under_way_max: int) -> VideoDetails | None:
    """The details of an offer; None if it makes no videos. `under_way_max` is the platform's own limit."""
    spec = sold.offer.video
    if spec is None:
        return None
    sizes: dict[str, dict[str, str]] = {}
    for entry in spec.pixels:
        sizes.setdefault(entry.resolution, {})[entry.ratio] = f"{entry.size.width}x{entry.size.height}"
    return VideoDetails(
        family=spec.family,
        models=[model.name for model in spec.models],
        media=[_to_api_limits(rule) for rule in spec.media],
        needs_any_of=[rule.field for rule in spec.media if rule.role in spec.needs_any_of],
        sizes=sizes,
        examples=_to_api_examples(sold),
        expected_seconds=spec.expected_seconds,
        under_way_max=under_way_max,
    )


def _to_api_examples(sold: SoldOffer) -> list[VideoExample]:
    if isinstance(sold.price, ChatPrice):
        return []
    return [
        VideoExample(
            model=one.model, resolution=one.resolution, seconds=one.seconds, amount=format_amount(one.amount_nanos)
        )
        for one in price_examples(sold.offer, sold.price)
    ]


def _to_api_limits(rule: MediaRule) -> MediaLimits:
    return MediaLimits(
        field=rule.field,
        role=rule.role.value,
        is_required=rule.is_required,
        count_max=rule.count_max,
        media_types=list(rule.media_types),
        size_bytes_max=rule.size_bytes_max,
        side_min=rule.side_min,
        side_max=rule.side_max,
        aspect_min=_text(rule.aspect_min),
        aspect_max=_text(rule.aspect_max),
        seconds_min=_text(rule.seconds_min),
        seconds_max=_text(rule.seconds_max),
        seconds_total_max=_text(rule.seconds_total_max),
        takes_assets=rule.takes_assets,
    )


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)
