"""Artifacts: files that tasks use and produce, and what is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from yuanjing.domain.errors import YuanjingError


class ArtifactKind(StrEnum):
    """What a file is for."""

    INPUT = "input"
    VIDEO = "video"
    COVER = "cover"


SUFFIXES: Mapping[str, str] = {
    "image/jpeg": "jpeg",
    "image/png": "png",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/tiff": "tiff",
    "image/heic": "heic",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
}
"""Every type of file that we know, as `MediaRule.media_types` names them, and how its name ends."""
HEIC = "image/heic"
"""Pictures as iPhones take them (HEIF of any kind), which hardly a provider reads: we make JPEG of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaFacts:
    """What measuring a file has shown; pixels after EXIF orientation.

    Attributes:
        media_type: by its content, never by its name.
        seconds: of a clip or sound; None of an image.
        frame_rate: of a video.
    """

    media_type: str
    size_bytes: int
    width: int | None = None
    height: int | None = None
    seconds: Decimal | None = None
    frame_rate: Decimal | None = None
    has_audio: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A file in our store.

    Attributes:
        id: `art_…`.
        path: the opaque, unguessable key in the seed's look that `/idfile?path=` takes; looked up, never a place on
            disk.
        blob: its key in the blob store.
        task_id: whose it is; every artifact has one.
        sha256: of its bytes, in hex.
        expires_at: Unix time after which it is gone.
        removed_at: Unix time at which its bytes were removed; None while it is there.
    """

    id: str
    path: str = field(repr=False)
    blob: str = field(repr=False)
    kind: ArtifactKind
    customer_id: str
    task_id: str
    facts: MediaFacts
    sha256: str
    created_at: float
    expires_at: float
    removed_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class IncomingFile:
    """A file of a request, streamed to a temporary place on our disk.

    Attributes:
        name: what the client called it; a hint for people, never used as a path or a type.
        place: where its bytes are until the request has ended.
    """

    name: str
    size_bytes: int
    place: Path = field(repr=False)


class StorageFullError(YuanjingError):
    """There is not enough room for files; nothing was taken or charged."""

    code = "storage_full"
