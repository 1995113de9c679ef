"""What the use cases ask of a provider beside the hot path."""

from collections.abc import AsyncIterable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from yuanjing.domain.tasks import (
    AcceptedSubmission,
    Delivery,
    MediaRole,
    SearchResult,
    Submission,
    TaskState,
    UpstreamTask,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeTarget:
    """Where to look and with what.

    Attributes:
        base_url: the channel's address.
        credential: in plain text, or empty.
        model: the provider's name of a model to send one tiny chat to; None asks for its list of models, for free.
        protocol: the provider's wire protocol; those of video are asked for a task that does not exist, for free.
        quirks: names of deviations from it, of the provider's row.
    """

    base_url: str
    credential: str
    model: str | None = None
    protocol: str = "openai_compatible"
    quirks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ProbeTarget({self.base_url!r})"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeReport:
    """What a provider answered.

    Attributes:
        status: the HTTP status, None if there was no answer.
        message: one sentence for the operator: what is wrong and what to change. Never the credential.
        duration_ms: until the answer was complete, or until we gave up.
        models: the models that the provider lists, as far as it does.
    """

    is_ok: bool
    status: int | None
    message: str
    duration_ms: int
    models: tuple[str, ...] = ()


class ChannelProbe(Protocol):
    """Tries a channel. It never raises for what the other side does: every failure is a report."""

    async def probe(self, target: ProbeTarget) -> ProbeReport:
        """Send one small request and judge the answer."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelAccess:
    """A way into a provider.

    Attributes:
        base_url: the channel's address, without a trailing slash.
        credential: in plain text.
        quirks: names of deviations from the protocol, of the provider's row.
    """

    base_url: str
    credential: str
    quirks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ChannelAccess(quirks={self.quirks!r})"


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRef:
    """A task to ask for.

    Attributes:
        submitted_at: Unix time of the submission by our clock; some lists are asked for by time only.
        roles: of the files that were submitted; not every answer tells what was asked for.
    """

    upstream_task_id: str
    model: str
    submitted_at: float
    roles: tuple[MediaRole, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Trail:
    """What is left of a submission whose outcome is unknown.

    Attributes:
        submission_id: ours.
        model: the upstream model.
        sent_from: Unix time by our clock before it was sent.
        sent_until: likewise, when the attempt was given up.
    """

    submission_id: str
    model: str
    sent_from: float
    sent_until: float


class CallbackKind(StrEnum):
    """What a provider's callbacks can prove."""

    NONE = "none"
    """It sends none."""
    UNSIGNED = "unsigned"
    """Nothing: only the unguessable address speaks for it."""
    EVENTS = "events"
    """Nothing either, and submissions cannot ask for them: an operator registers our address for a whole account."""
    SIGNED = "signed"
    """That it comes from the holder of the credential, but not what it says: bodies are not signed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Callback:
    """A callback as it came in.

    Attributes:
        path: of the address that the provider was given, as it was given; likewise `query`, undecoded.
        headers: names in lower case.
        received_at: Unix time.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    received_at: float
    query: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CallbackHint:
    """What a callback says. It is a reason to query the task now, and nothing else.

    Attributes:
        upstream_task_id: empty if it names none.
        state: what it claims; None if it claims nothing that is known.
        nonce: the same one again is a repetition; empty if the protocol has none.
        is_signed: whether a valid signature proves who sent it.
    """

    upstream_task_id: str
    state: TaskState | None
    nonce: str = ""
    is_signed: bool = False


class CallbackRefusedError(Exception):
    """The callback is not from the provider, or too old; the message says why, for the log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadFile:
    """A file to be put where the provider finds it.

    Attributes:
        name: a hint for people; only letters, digits, `.`, `_` and `-` of it are used.
        chunks: its bytes, together `size_bytes`.
    """

    name: str
    media_type: str
    size_bytes: int
    chunks: AsyncIterable[bytes] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class UpstreamTraits:
    """What a protocol can do, so that its users need not know which it is.

    Attributes:
        batch_max: how many tasks one `query_many` takes; 0 if there is no list.
        calls_per_batch_max: how many calls one `query_many` may make.
        has_exact_search: our submission id travels along and comes back.
        callbacks: what they can prove.
        can_upload: whether there is `upload`.
        record_seconds: how long after its submission a task can be queried, at least.
        result_seconds: how long after its end a task's files can be fetched.
        unseen_seconds: a task that is younger may not be found yet although it exists.
    """

    batch_max: int
    calls_per_batch_max: int
    has_exact_search: bool
    callbacks: CallbackKind
    can_upload: bool
    record_seconds: int
    result_seconds: int
    unseen_seconds: int


class VideoUpstream(Protocol):
    """One video wire protocol: request out, answer in, both normalised. It keeps nothing between two calls.

    Every method raises `UpstreamError` for what the provider or the network does, with one of the closed set of kinds.
    No error's text, and nothing that can be printed, holds the credential, the address or the provider's words about
    our account; operators find the provider's code in `failure`. No method repeats a call on its own.
    """

    @property
    def traits(self) -> UpstreamTraits:
        """What the protocol can do."""
        ...

    def deliveries(self, form: str, role: MediaRole) -> Collection[Delivery]:
        """How a file in this role can be given, in the form of the model that `Submission.form` names."""
        ...

    async def submit(self, access: ChannelAccess, submission: Submission) -> AcceptedSubmission:
        """Ask for a video. Each accepted submission costs money.

        Raises:
            UpstreamError: of kind `unknown_outcome` if it may have been accepted although no usable answer came (the
                connection broke after sending, no answer in time, HTTP 5xx, an unreadable success). It must never be
                sent again; look for it with `find`. Of every other kind: it surely was not accepted. A call that is
                cancelled has an unknown outcome too.
        """
        ...

    async def query(self, access: ChannelAccess, ref: TaskRef) -> UpstreamTask:
        """Where the task stands.

        Raises:
            UpstreamError: of kind `not_found` if the provider does not know the task, which may also mean that it is
                too old, or younger than `traits.unseen_seconds`. Never `unknown_outcome`.
        """
        ...

    async def query_many(self, access: ChannelAccess, refs: Sequence[TaskRef]) -> Mapping[str, UpstreamTask]:
        """Where at most `traits.batch_max` tasks stand, by the provider's id, with as few calls as possible.

        A task that is not in the answer was not in the list; that proves nothing, `query` decides. Tasks without
        `has_results` need a `query` once they have ended.

        Raises:
            UpstreamError: as `query`, or if there is no list.
        """
        ...

    async def cancel(self, access: ChannelAccess, ref: TaskRef) -> bool:
        """Stop the task if the provider still lets us; whether it did. It never removes a finished task's record.

        Raises:
            UpstreamError: it is not known whether it was stopped; query it.
        """
        ...

    async def find(self, access: ChannelAccess, trail: Trail) -> SearchResult:
        """Look for a submission whose outcome is unknown; `SearchResult.adoptable` decides.

        Raises:
            UpstreamError: the search failed; it may be repeated.
        """
        ...

    def read_callback(self, credential: str, callback: Callback) -> CallbackHint:
        """Check a callback as far as the protocol allows.

        Raises:
            CallbackRefusedError: it must be ignored.
        """
        ...

    async def upload(self, access: ChannelAccess, model: str, file: UploadFile) -> str:
        """Put a file where the provider finds it, for this upstream model; what to give as `MediaInput.url`.

        Raises:
            UpstreamError: it was not taken; it may be repeated, with the file opened anew. Of kind `invalid_input` if
                it is too large, or if the protocol has no upload.
        """
        ...
