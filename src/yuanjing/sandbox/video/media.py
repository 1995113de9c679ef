"""Media that requests name: fetched, decoded and measured as a provider would."""

from dataclasses import dataclass

from yuanjing.kit.clock import Clock
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video.wish import Kind, Media, Role


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A piece of media that is really there.

    Attributes:
        role: what it is for.
        kind: what it is.
        format: the container or image format in lower case (`jpeg`, `png`, `mp4`, `wav`, …).
        data: its bytes.
        digest: SHA-256 of them, in hex.
        width: of the picture in pixels, EXIF orientation applied; 0 for audio.
        height: likewise.
        seconds: duration; 0 for images.
        fps: of a video; 0 otherwise.
    """

    role: Role
    kind: Kind
    format: str
    data: bytes
    digest: str
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    fps: float = 0.0

    @property
    def ratio(self) -> float:
        """Width by height; 0 for audio."""
        return self.width / self.height if self.height else 0.0


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that a client uploaded.

    Attributes:
        owner: the credential that asked for the upload's policy.
        data: its bytes.
        until: when it is gone, Unix seconds.
    """

    owner: str
    data: bytes
    until: float


class MediaLoader:
    """Fetches, decodes and measures media."""

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock

    async def resolve(self, media: Media, owner: str = "") -> Resolved:
        """The media's bytes and measures.

        Raises:
            FailedError: MEDIA_UNREACHABLE, MEDIA_INVALID or MEDIA_TOO_LARGE.
        """
        raise NotImplementedError

    def put(self, key: str, upload: Upload) -> None:
        """Keep an upload under `oss://<key>`; the oldest go if there are too many bytes."""
        raise NotImplementedError
