"""Everything that an offer of video admits, as far as its price can depend on it."""

import itertools
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from yuanjing.domain.catalog import Offer
from yuanjing.domain.parameters.spec import outcome, properties_of
from yuanjing.domain.parameters.values import Keywords, listed, read_size
from yuanjing.domain.tasks import PROVIDER_CHOOSES, MediaRole
from yuanjing.domain.video_offers import VideoModel
from yuanjing.domain.video_pricing import NoRateError, VideoPrice, quote_video
from yuanjing.domain.videos import TaskMedia, VideoRequest

_GAPS_SHOWN_MAX = 5


def admissible_requests(offer: Offer) -> Iterator[VideoRequest]:
    """One request for each combination of model, tier or size, ratio, sound, off-peak and clips that the spec admits.

    Each is of the longest duration that it can have.
    """
    assert offer.video is not None, offer.id
    for model in offer.video.models:
        for roles in dict.fromkeys([(), *(case.roles for case in model.cases)]):
            yield from _requests(offer, model, roles)


def price_gaps(offer: Offer, price: VideoPrice) -> list[str]:
    """What the price, or the offer's tables, cannot price, in sentences; at most a few."""
    gaps: dict[str, None] = {}
    for request in admissible_requests(offer):
        try:
            quote_video(offer, price, request)
        except NoRateError as error:
            gaps[error.message] = None
        if len(gaps) == _GAPS_SHOWN_MAX:
            break
    return list(gaps)


def choices(properties: Mapping[str, Keywords], name: str) -> list[object]:
    """What the provider may be asked for a parameter, None for nothing."""
    keywords = properties.get(name)
    if keywords is None:
        return [None]
    values = [True, False] if keywords.get("type") == "boolean" else listed(keywords.get("enum"))
    optional = [] if "default" in keywords else [None]
    return list(dict.fromkeys([*(outcome(keywords, value) for value in values), *optional]))


def _requests(offer: Offer, model: VideoModel, roles: Collection[MediaRole]) -> Iterator[VideoRequest]:
    assert offer.video is not None, offer.id
    spec, properties = offer.video, properties_of(offer, model, roles)
    clip = TaskMedia(role=MediaRole.REFERENCE_VIDEO, artifact_id="", seconds=Decimal(spec.input_seconds_max))
    inputs: list[tuple[TaskMedia, ...]] = [(), (clip,)] if spec.rule(MediaRole.REFERENCE_VIDEO) else [()]
    names = ("resolution", "size", "ratio", "generate_audio", "off_peak")
    combinations = itertools.product(*(choices(properties, name) for name in names))
    for (resolution, size, ratio, audio, off_peak), media in itertools.product(combinations, inputs):
        yield VideoRequest(
            model=model.name,
            resolution=None if resolution is None else str(resolution),
            size=read_size(size),
            ratio=None if ratio is None else str(ratio),
            audio=None if audio is None else bool(audio),
            off_peak=bool(off_peak),
            duration_seconds=_longest(properties.get("duration", {})),
            media=media,
        )


def _longest(keywords: Keywords) -> int:
    """The longest duration that can be asked for."""
    values = [value for value in listed(keywords.get("enum")) if isinstance(value, int)]
    high = keywords.get("maximum")
    longest = max(values, default=high if isinstance(high, int) else PROVIDER_CHOOSES)
    return PROVIDER_CHOOSES if longest <= 0 else longest
