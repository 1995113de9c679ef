"""Video tasks of customers: what was asked for, and where the work stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from yuanjing.domain.catalog import Operation
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import Failure, JsonScalar, MediaRole, Size, TaskState, VideoMeter
from yuanjing.domain.video_offers import TokenFormula


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskMedia:
    """A file that a task uses; it is an artifact of ours, or an asset in its provider's library.

    Attributes:
        artifact_id: empty for an asset.
        source_url: where the customer had it, if it came as an address; a provider that must fetch, and cannot reach
            us, is given it. Of an asset its name, `asset://…`.
        seconds: of a clip, for the price; None if it is not known.
    """

    role: MediaRole
    artifact_id: str
    source_url: str | None = field(default=None, repr=False)
    seconds: Decimal | None = None

    @property
    def is_asset(self) -> bool:
        """Whether its provider has it, and we do not."""
        return not self.artifact_id


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoRequest:
    """What a customer asks for, with every default filled in; None leaves a parameter to the provider.

    Attributes:
        model: the `VideoModel.name` chosen.
        duration_seconds: or `PROVIDER_CHOOSES`.
        media: in the order in which they are numbered in prompts.
        extras: further parameters that the row passes on, by the provider's names.
    """

    model: str
    prompt: str = field(default="", repr=False)
    negative_prompt: str = field(default="", repr=False)
    resolution: str | None = None
    size: Size | None = None
    ratio: str | None = None
    duration_seconds: int | None = None
    off_peak: bool = False
    audio: bool | None = None
    seed: int | None = None
    watermark: bool = False
    media: tuple[TaskMedia, ...] = ()
    extras: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)

    @property
    def has_video_input(self) -> bool:
        """Whether a clip is among the references, which some prices ask."""
        return any(item.role is MediaRole.REFERENCE_VIDEO for item in self.media)


@dataclass(frozen=True, kw_only=True, slots=True)
class RateConditions:
    """What rates may depend on, of one request.

    Attributes:
        model: the `VideoModel.name`.
        resolution: the tier in lower case, also where the request named a size; empty if there is none.
        has_audio: whether the video is asked for with sound.
        has_video_input: whether a clip is among the references.
    """

    model: str
    resolution: str
    has_audio: bool
    is_off_peak: bool
    has_video_input: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class TierQuote:
    """A tier that a request's video may turn out to be of.

    Attributes:
        resolution: its name.
        sizes: of the ratio asked for; all of the tier's if the ratio is the provider's choice.
        credits_per_second: as its provider lists them; None if it does not.
    """

    resolution: str
    sizes: tuple[Size, ...]
    credits_per_second: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskQuote:
    """What a task was priced as when it was submitted; its charge is made of this, whatever becomes of its offer.

    Attributes:
        conditions: which rates of its price version hold.
        meters: the most that may be counted; the price makes the ceiling of them.
        expected: what should be counted, without the margin for lists that differ from what is charged.
        input_seconds: of the clips among the references, which providers count too; where one's is unknown, the most.
        tiers: the tier asked for, then those that the price sells for no more; empty if its sizes are not known.
        formula: how tokens are counted, if the price asks for them.
    """

    conditions: RateConditions
    meters: Mapping[VideoMeter, int]
    expected: Mapping[VideoMeter, int]
    input_seconds: Decimal
    tiers: tuple[TierQuote, ...] = ()
    formula: TokenFormula | None = None


class TaskStep(StrEnum):
    """Where exactly a task stands inside; `TaskState` is what customers see.

    The way: waiting → submitting → polling → copying → done. `submitting` is committed before the provider is called;
    a worker that finds a task there, and did not call itself, knows that the outcome is unknown: → lost, from where it
    goes to polling (found) or done (given up). A refusal that is worth another try leads back to waiting.
    """

    WAITING = "waiting"
    SUBMITTING = "submitting"
    LOST = "lost"
    POLLING = "polling"
    COPYING = "copying"
    DONE = "done"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What the provider has said of a task that succeeded, kept while its files are copied.

    Before that it has no file, and what the provider has said, when it accepted the task, that it will count.

    Attributes:
        meters: as the provider counted, exactly.
        details: the provider's part of the usage that customers see.
        promised: what it said at the submission that it would count, for all that was asked for.
        delivered_seconds: the provider's claim.
        ended_at: Unix time by our clock when we saw it.
    """

    video_url: str | None = field(default=None, repr=False)
    cover_url: str | None = field(default=None, repr=False)
    meters: Mapping[VideoMeter, Decimal] = field(default_factory=dict[VideoMeter, Decimal])
    details: Mapping[str, JsonScalar] = field(default_factory=dict[str, JsonScalar])
    promised: Mapping[VideoMeter, Decimal] = field(default_factory=dict[VideoMeter, Decimal])
    delivered_seconds: Decimal | None = None
    ended_at: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Who works on a task until when; a task's claims are numbered, and only the newest may write.

    Attributes:
        owner: of the worker, for people.
        token: rises with each claim; the fence.
        until: Unix time after which others may claim it.
    """

    owner: str
    token: int
    until: float


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoTask:
    """One asynchronous piece of work of a customer, as its row has it. Times are Unix seconds.

    Attributes:
        id: 18 decimal digits.
        dialect: the one it was submitted in.
        offer_id: the offer that runs and is charged; `requested_offer_id` the one that was asked for.
        model: the offer's public name.
        hold_id: the hold of its ceiling; resolved in the transaction that ends the task.
        usage_id: of its usage record, which exists once it has succeeded.
        next_at: when there is something to do; nothing is while it is in the future.
        submissions: how often it was sent; each has the id `<task id>-<number>`.
        failures: how many attempts of the present step have failed in a row.
        channel_id: the channel that it was last sent to; empty before.
        upstream_word: the provider's own word for its state; `not_found` while it does not know the task.
        sent_at: when the present submission began to be sent; None if none is under way or accepted.
        accepted_at: when the provider had accepted it.
        deadline_at: when it expires.
        outcome: set from `copying` on; before, if the provider says at once what it will count.
        usage: what customers see of its usage; set once it has succeeded.
        failure: why it failed, was canceled or expired.
        flag: why operators should look at it; empty if they need not.
        deleted_at: its customer does not want to see it any more.
    """

    id: str
    book: Book
    customer_id: str
    key_id: str
    dialect: Dialect
    request_id: str
    offer_id: str
    requested_offer_id: str
    model: str
    operation: Operation
    request: VideoRequest
    price_id: str
    quote: TaskQuote
    ceiling_nanos: int
    hold_id: str
    usage_id: str
    created_at: float
    state: TaskState = TaskState.QUEUED
    step: TaskStep = TaskStep.WAITING
    next_at: float = 0.0
    submissions: int = 0
    failures: int = 0
    channel_id: str = ""
    upstream_model: str = ""
    upstream_task_id: str = ""
    upstream_word: str = ""
    sent_at: float | None = None
    accepted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    deadline_at: float | None = None
    outcome: Outcome | None = None
    video_artifact_id: str | None = None
    cover_artifact_id: str | None = None
    usage: Mapping[str, JsonScalar] | None = None
    charge_nanos: int = 0
    failure: Failure | None = None
    flag: str = ""
    is_cancel_requested: bool = False
    deleted_at: float | None = None
    claim: Claim | None = None

    @property
    def submission_id(self) -> str:
        """The id that travels with the present submission."""
        return f"{self.id}-{self.submissions}"


def forgotten(task: VideoTask) -> VideoTask:
    """The task without what its customer wrote and where its files were; what was charged, and why, stays."""
    assert task.step is TaskStep.DONE, task
    request = replace(
        task.request,
        prompt="",
        negative_prompt="",
        extras={},
        media=tuple(replace(item, source_url=None) for item in task.request.media),
    )
    outcome = None if task.outcome is None else replace(task.outcome, video_url=None, cover_url=None)
    return replace(task, request=request, outcome=outcome)
