"""What a finished video counted: the provider's figures, whole, and never more than was delivered.

What it should count is kept from its submission, so that a change of its offer meanwhile changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from math import ceil

from yuanjing.domain.artifacts import MediaFacts
from yuanjing.domain.catalog import Offer
from yuanjing.domain.tasks import MediaRole, VideoMeter
from yuanjing.domain.usage import COUNT_MAX
from yuanjing.domain.video_pricing import VideoPrice, VideoQuote, quote_video
from yuanjing.domain.videos import Outcome, RateConditions, TaskQuote, VideoRequest
from yuanjing.usecases.videos.pictures import Picture, picture_of, tier_quotes

SHORT_SECONDS = Decimal("0.5")
"""A video that falls short of its length by no more is as long as it was asked for: it is made of whole frames."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """How a count was cut down to what was delivered: `share` of `whole`, rounded up.

    Attributes:
        whole: what all of it counts, as the provider told or as the catalogue has it.
    """

    whole: Fraction
    share: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What is charged.

    Attributes:
        meters: whole units, by meter.
        conditions: which rates hold: those of the tier delivered, where it is a lower one than was asked for.
        picture: what there is of it.
        asked_seconds: the length asked for, else the one that the model has chosen; None if neither is known.
        is_short: fewer seconds are there than were asked for.
        is_estimated: the provider did not count something that the price asks for; it is our estimate.
        cuts: of each count that is less than the provider's, how it came about.
    """

    meters: Mapping[VideoMeter, int]
    conditions: RateConditions
    picture: Picture
    asked_seconds: Decimal | None
    is_short: bool
    is_estimated: bool
    cuts: Mapping[VideoMeter, Cut] = field(default_factory=dict[VideoMeter, Cut])

    @property
    def is_less(self) -> bool:
        """Whether less was delivered than was asked for, or than the provider has counted."""
        return self.is_short or self.picture.is_small or bool(self.cuts)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lengths:
    """Seconds of the video, without those of clips that go in; None is unknown.

    Attributes:
        claimed: those that the provider has counted, as far as it says so.
    """

    asked: Decimal | None
    claimed: Decimal | None
    measured: Decimal | None

    def is_short_of(self, promised: Decimal | None) -> bool:
        """Whether less is there than was promised."""
        return promised is not None and self.measured is not None and self.measured + SHORT_SECONDS < promised


def task_quote(offer: Offer, price: VideoPrice, request: VideoRequest, quote: VideoQuote) -> TaskQuote:
    """What is kept of the quote of a submission, for its count and its charge."""
    assert offer.video is not None, offer.id
    exact_spec = replace(offer.video, credits_margin_percent=100)
    return TaskQuote(
        conditions=quote.conditions,
        meters=quote.meters,
        expected=quote_video(replace(offer, video=exact_spec), price, request).meters,
        input_seconds=_input_seconds(request, offer.video.input_seconds_max),
        tiers=tier_quotes(offer, price, request, quote.conditions),
        formula=offer.video.token_formula if VideoMeter.VIDEO_TOKENS in quote.meters else None,
    )


def count_video(quote: TaskQuote, request: VideoRequest, outcome: Outcome, measured: MediaFacts) -> Counted:
    """The meters that the price asks for, rounded up to whole units.

    A provider that says that it has counted more seconds than it delivered, its clips of input included, is cut down
    in proportion. And never is more counted than the part of the whole request's count that belongs to the seconds
    and the picture that are there; a provider that has taken off itself what is missing is so not cut down again.
    """
    picture = picture_of(quote, measured)
    asked = _asked_seconds(request, outcome)
    lengths = _Lengths(asked=asked, claimed=_claimed_seconds(outcome, quote.input_seconds), measured=measured.seconds)
    meters: dict[VideoMeter, int] = {}
    cuts: dict[VideoMeter, Cut] = {}
    for meter, expected in quote.expected.items():
        meters[meter] = min(ceil(outcome.meters.get(meter, expected)), COUNT_MAX)
        for cut in (_claim_cut(meter, quote, outcome, lengths, picture), _cap(meter, quote, outcome, lengths, picture)):
            count = ceil(cut.whole * cut.share)
            if cut.share < 1 and count < meters[meter]:
                meters[meter], cuts[meter] = count, cut
    return Counted(
        meters=meters,
        conditions=replace(quote.conditions, resolution=picture.resolution),
        picture=picture,
        asked_seconds=asked,
        is_short=lengths.is_short_of(asked),
        is_estimated=not quote.expected.keys() <= outcome.meters.keys(),
        cuts=cuts,
    )


def _claim_cut(meter: VideoMeter, quote: TaskQuote, outcome: Outcome, lengths: _Lengths, picture: Picture) -> Cut:
    """The part of what was told that belongs to the seconds that are there; seconds also of their picture's size.

    Tokens and credits may have been told for the picture as it is, seconds are the same for each.
    """
    told = Fraction(outcome.meters.get(meter, quote.expected[meter]))
    share = _length_share(meter, quote, lengths, lengths.claimed)
    return Cut(whole=told, share=share * picture.share if meter is VideoMeter.VIDEO_SECONDS else share)


def _cap(meter: VideoMeter, quote: TaskQuote, outcome: Outcome, lengths: _Lengths, picture: Picture) -> Cut:
    """The part of what the whole request should count."""
    whole = Fraction(outcome.promised.get(meter, quote.expected[meter]))
    part = {VideoMeter.VIDEO_SECONDS: picture.share, VideoMeter.PROVIDER_CREDITS: picture.credits}
    if meter is VideoMeter.VIDEO_TOKENS and meter not in outcome.promised:
        whole *= picture.whole
    told = Fraction(outcome.meters.get(meter, whole))
    if whole <= ceil(told):  # told for all of it, but for the rounding of ours
        whole = min(whole, told)
    share = _length_share(meter, quote, lengths, lengths.asked)
    return Cut(whole=whole, share=share * part.get(meter, picture.pixels))


def _length_share(meter: VideoMeter, quote: TaskQuote, lengths: _Lengths, promised: Decimal | None) -> Fraction:
    """The part of a count for the promised length that belongs to what is there; 1 if nothing is missing."""
    measured = lengths.measured
    if promised is None or measured is None or not lengths.is_short_of(promised):
        return Fraction(1)
    there, whole = Fraction(measured + quote.input_seconds), Fraction(promised + quote.input_seconds)
    if meter is not VideoMeter.VIDEO_TOKENS or quote.formula is None:
        return there / whole
    rate, extra = quote.formula.frame_rate, quote.formula.extra_frames
    if lengths.claimed is not None and 0 < (lengths.claimed - measured) * rate <= 1:
        there = Fraction(lengths.claimed + quote.input_seconds)  # a file tells its length but for its last frame
    return (rate * there + extra) / (rate * whole + extra)


def _asked_seconds(request: VideoRequest, outcome: Outcome) -> Decimal | None:
    """The length asked for, else what the provider says that its model has chosen."""
    if request.duration_seconds is not None and request.duration_seconds > 0:
        return Decimal(request.duration_seconds)
    return outcome.delivered_seconds


def _claimed_seconds(outcome: Outcome, given: Decimal) -> Decimal | None:
    """The length that the provider has counted, as far as it says so."""
    if VideoMeter.VIDEO_SECONDS in outcome.meters:
        return outcome.meters[VideoMeter.VIDEO_SECONDS] - given
    return outcome.delivered_seconds


def _input_seconds(request: VideoRequest, unknown_seconds: int) -> Decimal:
    """Of the clips among the references; providers count them as well."""
    clips = [item.seconds for item in request.media if item.role is MediaRole.REFERENCE_VIDEO]
    if None in clips:
        return Decimal(unknown_seconds)
    return sum((seconds for seconds in clips if seconds is not None), Decimal(0))
