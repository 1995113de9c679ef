"""Tasks: their states, and what is exchanged with a provider about one, in nobody's words but ours."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.usage import COUNT_MAX

PROVIDER_CHOOSES = -1
"""The duration that leaves the length to the model, where the model can choose."""
_SUBMISSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

JsonScalar = str | int | float | bool | None


class TaskState(StrEnum):
    """Where a task stands, the vocabulary's six words."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether it stays so."""
        return self not in {TaskState.QUEUED, TaskState.RUNNING}


class MediaRole(StrEnum):
    """What a file given with a request is for."""

    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    REFERENCE_IMAGE = "reference_image"
    REFERENCE_VIDEO = "reference_video"
    REFERENCE_AUDIO = "reference_audio"


class Delivery(StrEnum):
    """How a file comes to a provider: in the request, from an address that it fetches, or uploaded to it before.

    Or it is there already, in a library of the provider's, and named.
    """

    INLINE = "inline"
    URL = "url"
    UPLOAD = "upload"
    ASSET = "asset"


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaInput:
    """A file of a submission.

    Attributes:
        url: an http(s) URL, a `data:` URI, what the provider's own upload gave, or the name of an asset.
    """

    role: MediaRole
    url: str

    def __repr__(self) -> str:
        return f"MediaInput({self.role.value}, {self.url[:5]!r})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """Pixels, as a customer asks for them."""

    width: int
    height: int

    def __post_init__(self) -> None:
        assert self.width > 0, self
        assert self.height > 0, self


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """What is asked of a provider, already validated; the adapter makes the provider's body of it.

    None means that the provider's default is wanted. What a protocol has no field for is left out.

    Attributes:
        id: ours, of at most 64 letters, digits, `_` and `-`; where the protocol has a field that comes back it travels
            along, so that a submission whose outcome is unknown can be found again.
        model: the upstream model.
        form: the protocol's name of the form in which the model takes its media, data of the offer's row; empty for
            the protocol's usual one.
        resolution: in lower case, e.g. `720p`.
        ratio: e.g. `16:9`, or `adaptive`.
        duration_seconds: or `PROVIDER_CHOOSES`.
        audio: whether the video has sound.
        off_peak: cheaper and later.
        expires_after_seconds: when the provider is to give up, where it can be told.
        callback_url: where the provider may tell about changes; without a query.
        extras: further parameters of the model by the provider's names, data of the offer's row.
    """

    id: str
    model: str
    prompt: str = field(default="", repr=False)
    negative_prompt: str = field(default="", repr=False)
    media: tuple[MediaInput, ...] = ()
    form: str = ""
    resolution: str | None = None
    size: Size | None = None
    ratio: str | None = None
    duration_seconds: int | None = None
    seed: int | None = None
    watermark: bool = False
    audio: bool | None = None
    off_peak: bool = False
    expires_after_seconds: int | None = None
    callback_url: str | None = field(default=None, repr=False)
    extras: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)

    def __post_init__(self) -> None:
        assert _SUBMISSION_ID.match(self.id), self.id
        assert self.model, self.id


class VideoMeter(StrEnum):
    """What is counted of a video."""

    VIDEO_SECONDS = "video_seconds"
    VIDEO_TOKENS = "video_tokens"
    PROVIDER_CREDITS = "provider_credits"


class FailureKind(StrEnum):
    """Why a provider refused or failed, a closed set.

    Of a submission every kind but `UNKNOWN_OUTCOME` means: surely not accepted, nothing was created and nothing will be
    billed. `NOT_FOUND` is the task, or, of a submission, the model.
    """

    INVALID_INPUT = "invalid_input"
    MODERATED = "moderated"
    RATE_LIMITED = "rate_limited"
    PROVIDER_BALANCE = "provider_balance"
    PROVIDER_AUTH = "provider_auth"
    UNAVAILABLE = "unavailable"
    NOT_FOUND = "not_found"
    UNKNOWN_OUTCOME = "unknown_outcome"


UNAVAILABLE_TEXT = "Provider temporarily unavailable"
MEDIA_TEXT = "An input file could not be fetched or read by the provider"
MODERATED_INPUT_TEXT = "The input was refused by the provider's content moderation"
MODERATED_OUTPUT_TEXT = "The result was withheld by the provider's content moderation"

TEXTS: Mapping[FailureKind, str] = {
    FailureKind.INVALID_INPUT: "The provider refused the request's parameters",
    FailureKind.MODERATED: "The request was refused by the provider's content moderation",
    FailureKind.RATE_LIMITED: UNAVAILABLE_TEXT,
    FailureKind.PROVIDER_BALANCE: UNAVAILABLE_TEXT,
    FailureKind.PROVIDER_AUTH: UNAVAILABLE_TEXT,
    FailureKind.UNAVAILABLE: UNAVAILABLE_TEXT,
    FailureKind.NOT_FOUND: UNAVAILABLE_TEXT,
    FailureKind.UNKNOWN_OUTCOME: UNAVAILABLE_TEXT,
}
"""What a customer is told; our own account at the provider is none of its business."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A refusal, or the reason of a failed task.

    Attributes:
        text: for the customer, neutral.
        code: the provider's own, for operators; empty if it gave none.
        detail: the provider's own words, for operators; shortened, and without the credential.
        status: of HTTP; None if there was no answer, or if the task failed rather than a call.
        is_of_model: whether a refusal of our account concerns the model that was asked for, and no other.
    """

    kind: FailureKind
    text: str
    code: str = ""
    detail: str = ""
    status: int | None = None
    is_of_model: bool = False

    @property
    def is_worth_retrying(self) -> bool:
        """Whether the same call to the same account may succeed later without anybody's help."""
        return self.kind in {FailureKind.RATE_LIMITED, FailureKind.UNAVAILABLE}


class UpstreamError(YuanjingError):
    """A provider did not do what it was asked; the message is for the customer, `failure` for operators.

    Attributes:
        retry_after_seconds: what the provider asked for, if it did.
        request_id: the provider's, for support cases; empty if there is none.
    """

    code = "upstream_failed"

    def __init__(self, failure: Failure, *, retry_after_seconds: float | None = None, request_id: str = "") -> None:
        super().__init__(failure.text)
        self.failure = failure
        self.retry_after_seconds = retry_after_seconds
        self.request_id = request_id

    @property
    def kind(self) -> FailureKind:
        """The failure's."""
        return self.failure.kind


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureRule:
    """What a provider's code means; an empty text is the kind's own, `is_of_model` as in `Failure`."""

    kind: FailureKind
    text: str = ""
    is_of_model: bool = False


class FailureTable:
    """A provider's error codes as data.

    A key is a code in any case. It stands also for the codes below it (`Throttling` for `Throttling.RateQuota`) unless
    they are listed themselves; one that ends in `*` stands for all codes that begin so.
    """

    def __init__(self, rules: Mapping[str, FailureRule]) -> None:
        self._exact = {code.lower(): rule for code, rule in rules.items() if not code.endswith("*")}
        stems = ((code.lower()[:-1], rule) for code, rule in rules.items() if code.endswith("*"))
        self._stems = sorted(stems, key=lambda stem: -len(stem[0]))

    def find(self, code: str) -> FailureRule | None:
        """The rule of the code; None if there is none."""
        rest = code.lower()
        while rest:
            if rest in self._exact:
                return self._exact[rest]
            rest = rest.rpartition(".")[0]
        return next((rule for stem, rule in self._stems if code.lower().startswith(stem)), None)

    def failure(self, code: str, detail: str = "") -> Failure:
        """The reason of a failed task; a code without a rule says no more than that it failed."""
        rule = self.find(code) or FailureRule(kind=FailureKind.UNAVAILABLE)
        return Failure(kind=rule.kind, text=rule.text or TEXTS[rule.kind], code=code, detail=detail)

    def refusal(self, status: int, code: str, detail: str = "", *, is_submission: bool = False) -> Failure:
        """What an answer of this HTTP status means that is not a success; of a submission see `is_undecided`.

        A question that gets a 404 with any code is about a task that is not there. Without one nobody knows who
        answered: a wrong address must not make tasks disappear.
        """
        if is_submission and is_undecided(status):
            kind = FailureKind.UNKNOWN_OUTCOME
            return Failure(kind=kind, text=TEXTS[kind], code=code, detail=detail, status=status)
        if status == _NOT_FOUND and not is_submission:
            kind = FailureKind.NOT_FOUND if code else FailureKind.UNAVAILABLE
            return Failure(kind=kind, text=TEXTS[kind], code=code, detail=detail, status=status)
        rule = self.find(code) or FailureRule(kind=_KIND_BY_STATUS.get(status, _kind_of_class(status)))
        return Failure(
            kind=rule.kind,
            text=rule.text or TEXTS[rule.kind],
            code=code,
            detail=detail,
            status=status,
            is_of_model=rule.is_of_model,
        )


_NOT_FOUND = 404
_KIND_BY_STATUS = {
    401: FailureKind.PROVIDER_AUTH,
    402: FailureKind.PROVIDER_BALANCE,
    403: FailureKind.PROVIDER_AUTH,
    _NOT_FOUND: FailureKind.NOT_FOUND,
    405: FailureKind.UNAVAILABLE,
    408: FailureKind.UNAVAILABLE,
    409: FailureKind.UNAVAILABLE,
    425: FailureKind.UNAVAILABLE,
    429: FailureKind.RATE_LIMITED,
    499: FailureKind.UNAVAILABLE,
}
_CLIENT_ERRORS = range(400, 500)
_NOT_DONE = frozenset({301, 307, 308, *_CLIENT_ERRORS}) - {408, 499}
"""Statuses that say for sure that nothing was done: refusals, and the redirects that leave a POST to be sent anew."""


def _kind_of_class(status: int) -> FailureKind:
    return FailureKind.INVALID_INPUT if status in _CLIENT_ERRORS else FailureKind.UNAVAILABLE


def is_undecided(status: int) -> bool:
    """Whether a submission answered with this status, which is no success, may have been accepted all the same."""
    return status not in _NOT_DONE


def no_answer(*, was_sent: bool, is_submission: bool, detail: str) -> Failure:
    """What a call without a usable answer means: a submission of which anything was sent has an unknown outcome."""
    is_unknown = was_sent and is_submission
    kind = FailureKind.UNKNOWN_OUTCOME if is_unknown else FailureKind.UNAVAILABLE
    return Failure(kind=kind, text=TEXTS[kind], detail=detail)


def unsendable(detail: str) -> UpstreamError:
    """The error about what the protocol cannot express: it is not sent at all."""
    kind = FailureKind.INVALID_INPUT
    return UpstreamError(Failure(kind=kind, text=TEXTS[kind], detail=detail))


@dataclass(frozen=True, kw_only=True, slots=True)
class UpstreamUsage:
    """What a provider counted of a finished task.

    Attributes:
        meters: what may be charged, exactly as told; each from 0 to `COUNT_MAX`.
        details: the provider's own part of the usage that customers see.
    """

    meters: Mapping[VideoMeter, Decimal]
    details: Mapping[str, JsonScalar] = field(default_factory=dict[str, JsonScalar])

    def __post_init__(self) -> None:
        for count in self.meters.values():
            assert 0 <= count <= COUNT_MAX, self


def believable(count: Decimal | None) -> Decimal | None:
    """A provider's count cut to `COUNT_MAX`; None of what is no count."""
    if count is None or not count.is_finite() or count < 0:
        return None
    return min(count, Decimal(COUNT_MAX))


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptedSubmission:
    """The provider has taken the submission.

    Attributes:
        upstream_task_id: the provider's id, always text.
        usage: what the provider says it will cost, if it does.
    """

    upstream_task_id: str
    state: TaskState = TaskState.QUEUED
    usage: UpstreamUsage | None = None
    request_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class UpstreamTask:
    """A task as its provider tells it.

    Attributes:
        state: a word that is not known counts as running; `word` is the provider's own.
        is_word_known: worth a line in the log if not.
        has_results: False if the answer came from a list that tells states only: ask for the task itself.
        video_url: byte for byte as told, a signature does not survive re-encoding; None also if a task has succeeded
            without a file. It expires.
        delivered_seconds: the length of the video; None if not told.
        failure: the reason; set if and only if it has failed.
        usage: None if none was told.
        submission_id: ours, if it came back.
        submitted_at: Unix time by the provider's clock, None if not told; so are the next two.
        request_id: the provider's id of this answer.
    """

    upstream_task_id: str
    state: TaskState
    word: str
    is_word_known: bool = True
    has_results: bool = True
    model: str = ""
    video_url: str | None = field(default=None, repr=False)
    cover_url: str | None = field(default=None, repr=False)
    last_frame_url: str | None = field(default=None, repr=False)
    delivered_seconds: Decimal | None = None
    failure: Failure | None = None
    usage: UpstreamUsage | None = None
    submission_id: str | None = None
    submitted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    request_id: str = ""

    def __post_init__(self) -> None:
        assert (self.failure is not None) == (self.state is TaskState.FAILED), self


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResult:
    """What was found of a submission whose outcome is unknown.

    Attributes:
        tasks: those that fit, in no order.
        is_exact: they fit by our own id; else only by model and time.
        is_complete: the whole time in question was looked through, so that what is not here is not there.
    """

    tasks: tuple[UpstreamTask, ...]
    is_exact: bool
    is_complete: bool

    def adoptable(self, *, is_claimed: Callable[[str], bool], rivals: int) -> UpstreamTask | None:
        """The one task that is surely the submission's; None if there is none, or a doubt.

        Args:
            is_claimed: whether the task with this provider's id belongs to another submission of ours.
            rivals: how many other submissions of unknown outcome could have made it; they matter only where our id
                does not travel along.
        """
        free = [task for task in self.tasks if not is_claimed(task.upstream_task_id)]
        is_sure = self.is_exact or (self.is_complete and not rivals)
        return free[0] if is_sure and len(free) == 1 else None
