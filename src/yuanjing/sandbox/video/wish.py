"""What a video task asks for and how it stands, in no provider's words."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a piece of media is for."""

    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    REFERENCE_IMAGE = "reference_image"
    REFERENCE_VIDEO = "reference_video"
    REFERENCE_AUDIO = "reference_audio"


class Kind(StrEnum):
    """What a piece of media is."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class FailureKind(StrEnum):
    """Why a task or a submission fails; each protocol has its own code for it."""

    INVALID = "invalid"
    MODERATED = "moderated"
    MEDIA_UNREACHABLE = "media-unreachable"
    MEDIA_INVALID = "media-invalid"
    MEDIA_TOO_LARGE = "media-too-large"
    INTERNAL = "internal"


class Phase(StrEnum):
    """Where a task stands. CREATED is the moment before the queue, which only some protocols tell apart."""

    CREATED = "created"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether nothing comes after it."""
        return self not in {Phase.CREATED, Phase.QUEUED, Phase.RUNNING}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why it failed.

    Attributes:
        kind: the class of the reason.
        text: a sentence in the protocol's words.
        code: the protocol's own code, where the kind does not say it all; "" to let the kind decide.
    """

    kind: FailureKind
    text: str
    code: str = ""


class FailedError(Exception):
    """Something failed in a way that the protocol has to tell; `failure` says how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


@dataclass(frozen=True, kw_only=True)
class Media:
    """A piece of media as a request names it.

    Attributes:
        role: what it is for.
        kind: what it should be.
        source: an http(s) URL, a data URI or the key of an upload (`oss://…`).
    """

    role: Role
    kind: Kind
    source: str


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The video that is asked for.

    Attributes:
        protocol: the name of the protocol that took it (`dashscope`, `ark`, `vidu`).
        model: the model's name as requested.
        prompt: the text, shown in the picture.
        width: of the picture, in pixels; rendered rounded down to an even number.
        height: likewise.
        seconds: how long it is to be.
        fps: frames per second.
        has_audio: whether it has a sound track.
        watermark: the text of the watermark, None without one.
        seed: the seed, None if the provider is to choose.
        lines: further (name, value) pairs that are shown in the picture.
    """

    protocol: str
    model: str
    prompt: str
    width: int
    height: int
    seconds: float
    fps: int = 24
    has_audio: bool = False
    watermark: str | None = None
    seed: int | None = None
    lines: tuple[tuple[str, str], ...] = ()


def even(pixels: int) -> int:
    """The nearest even number that H.264 in 4:2:0 takes: rounded down, at least 2."""
    return max(2, pixels & ~1)
