"""What an offer of video takes, and what its provider's row says about how to ask for it; all of it catalogue data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from yuanjing.domain.tasks import MediaRole, Size


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaRule:
    """What files a role of an offer takes; a bound of None is none.

    Attributes:
        field: the parameter's name in the seed, which errors use, e.g. `image1_file`.
        is_required: whether a request without such a file is refused.
        count_max: how many; more than one only for references.
        media_types: what the provider reads, e.g. `image/jpeg`; others are refused, HEIC apart, which we convert.
        size_bytes_max: of one file.
        side_min, side_max: pixels of the shorter and of the longer side.
        aspect_min, aspect_max: width divided by height.
        seconds_min, seconds_max: of one clip.
        seconds_total_max: of all clips of the role together.
        takes_assets: whether `asset://` and an id may stand for a file that is in the provider's own library; nothing
            else is known of such a file.
    """

    role: MediaRole
    field: str
    is_required: bool = False
    count_max: int = 1
    media_types: tuple[str, ...]
    size_bytes_max: int
    side_min: int | None = None
    side_max: int | None = None
    aspect_min: Decimal | None = None
    aspect_max: Decimal | None = None
    seconds_min: Decimal | None = None
    seconds_max: Decimal | None = None
    seconds_total_max: Decimal | None = None
    takes_assets: bool = False


Changes = Mapping[str, Mapping[str, object]]
"""How JSON Schema properties differ: keywords (`enum`, `maximum`, `default` …) by the property's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoCase:
    """What else holds for a model when certain files are given.

    Attributes:
        roles: all of these must be there.
    """

    roles: tuple[MediaRole, ...]
    properties: Changes


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoModel:
    """A model that an offer's `model` parameter can choose.

    Attributes:
        name: what customers and, unless the channel or the offer renames it, the provider call it.
        aliases: other names for it in requests that name the offer by its id.
        properties: how the offer's JSON Schema properties differ for it.
        cases: how they differ further with some files.
        required: roles of files that this model cannot do without.
    """

    name: str
    aliases: tuple[str, ...] = ()
    properties: Changes = field(default_factory=dict[str, Mapping[str, object]])
    cases: tuple[VideoCase, ...] = ()
    required: tuple[MediaRole, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Pixels:
    """The size that a tier and a ratio make."""

    resolution: str
    ratio: str
    size: Size


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenFormula:
    """How a provider counts video tokens: floor(width · height · (frame_rate · seconds + extra_frames) / divisor)."""

    frame_rate: int = 24
    extra_frames: int = 1
    divisor: int = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditRate:
    """Credits per second that a provider lists, for the ceiling only: the charge is made from what it reports."""

    resolution: str
    is_off_peak: bool
    credits_per_second: Decimal
    model: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoSpec:
    """The part of an offer that only video has.

    Attributes:
        family: offers of one provider label and family stand in for each other: a text-to-video offer that gets
            images is served, and priced, as the sibling that takes them.
        models: the choices of `model`, the default first.
        form: `Submission.form`; empty for the protocol's usual one.
        media: what files it takes; a role that is not here is refused.
        needs_any_of: roles of files of which at least one is required; empty if none is.
        sends_tier: the provider is told the tier of a size, not the size.
        pixels: sizes by tier and ratio, for the ceiling and for customers.
        token_formula: how `video_tokens` are counted; None if the price has no such meter.
        credit_rates, credits_margin_percent: how `provider_credits` are estimated for the ceiling.
        seconds_when_chosen: the longest video that the model makes when it chooses the length itself.
        input_seconds_max: seconds of input video that the ceiling counts when they are not known.
        expected_seconds: how long a video usually takes, told while there is no history of it; None if nobody knows.
        expires_after_seconds: told to the provider where the protocol can; None leaves it to the provider.
        extras: sent with each submission, by the provider's names.
    """

    family: str
    models: tuple[VideoModel, ...]
    form: str = ""
    media: tuple[MediaRule, ...] = ()
    needs_any_of: tuple[MediaRole, ...] = ()
    sends_tier: bool = False
    pixels: tuple[Pixels, ...] = ()
    token_formula: TokenFormula | None = None
    credit_rates: tuple[CreditRate, ...] = ()
    credits_margin_percent: int = 150
    seconds_when_chosen: int = 15
    input_seconds_max: int = 15
    expected_seconds: int | None = None
    expires_after_seconds: int | None = None
    extras: Mapping[str, object] = field(default_factory=dict[str, object])

    def __post_init__(self) -> None:
        assert self.models, self

    def rule(self, role: MediaRole) -> MediaRule | None:
        """What the role takes; None if the offer has no use for it."""
        return next((rule for rule in self.media if rule.role is role), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoLimits:
    """How a provider of video wants to be asked, data of its row.

    Attributes:
        deadline_seconds: how long after its submission a task may take; then it has expired.
        off_peak_deadline_seconds: likewise for off-peak tasks.
        lost_seconds: how long a submission of unknown outcome is looked for before it counts as failed.
        poll_min_seconds, poll_max_seconds: bounds of the pause between two questions about one task.
        queries_per_second: of a channel, all workers together.
        lists_per_second: reads of its list likewise, if they are counted apart; 0: they count as queries.
        submits_per_minute: likewise.
        tasks_max: tasks of a channel that the provider works on at once; more wait with us.
        result_seconds: how long a result's address lives after the task's end.
    """

    deadline_seconds: int = 4 * 3600
    off_peak_deadline_seconds: int = 49 * 3600
    lost_seconds: int = 900
    poll_min_seconds: int = 1
    poll_max_seconds: int = 15
    queries_per_second: int = 20
    lists_per_second: int = 0
    submits_per_minute: int = 300
    tasks_max: int = 100
    result_seconds: int = 24 * 3600
