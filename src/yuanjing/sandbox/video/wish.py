"""What a video task asks for and how it stands, in no provider's words."""

from dataclasses import dataclass
from enum import StrEnum

_SHORT_CHARS = 200


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

    @classmethod
    def of(cls, kind: FailureKind, text: str) -> "FailedError":
        """With the kind's usual code."""
        return cls(Failure(kind=kind, text=text))


@dataclass(frozen=True, kw_only=True)
class Media:
    """A piece of media as a request names it.

    Attributes:
        role: what it is for.
        kind: what it should be.
        source: an http(s) URL, a data URI or the URL of an upload or an asset (`oss://…`, `asset://…`).
    """

    role: Role
    kind: Kind
    source: str


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A piece of media that is really there.

    Attributes:
        role: what it is for.
        kind: what it is.
        format: the image format or container in lower case (`jpeg`, `png`, `mp4`, `wav`, …).
        data: an image's bytes; of a video its first frame as JPEG; nothing of audio.
        digest: SHA-256 of the whole media, in hex.
        bytes_length: how many bytes the whole media has.
        width: of the picture in pixels, EXIF orientation applied; 0 for audio.
        height: likewise.
        seconds: duration; 0 for images.
        fps: of a video; 0 otherwise.
        has_alpha: whether a picture can be seen through.
    """

    role: Role
    kind: Kind
    format: str
    data: bytes
    digest: str
    bytes_length: int = 0
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    fps: float = 0.0
    has_alpha: bool = False

    @property
    def ratio(self) -> float:
        """Width by height; 0 for audio."""
        return self.width / self.height if self.height else 0.0


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


def short(text: str) -> str:
    """A part of a long text, enough to know it again."""
    return text if len(text) <= _SHORT_CHARS else f"{text[:_SHORT_CHARS]}…"
