"""What a file is by its first bytes. Names and types that others give are hints, and are not asked."""

from dataclasses import dataclass
from enum import Enum, auto

HEAD_BYTES = 4096


class Family(Enum):
    """Who can open it."""

    PICTURE = auto()
    CLIP = auto()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Attributes:
        media_type: of a picture or of sound; a clip's, until it is known whether it has pictures at all.
        opener: the one format that Pillow, or demuxer that FFmpeg, is allowed to try.
    """

    family: Family
    media_type: str
    opener: str


_BEGINNINGS = (
    (b"\xff\xd8\xff", Kind(Family.PICTURE, "image/jpeg", "JPEG")),
    (b"\x89PNG\r\n\x1a\n", Kind(Family.PICTURE, "image/png", "PNG")),
    (b"GIF87a", Kind(Family.PICTURE, "image/gif", "GIF")),
    (b"GIF89a", Kind(Family.PICTURE, "image/gif", "GIF")),
    (b"BM", Kind(Family.PICTURE, "image/bmp", "BMP")),
    (b"II*\0", Kind(Family.PICTURE, "image/tiff", "TIFF")),
    (b"MM\0*", Kind(Family.PICTURE, "image/tiff", "TIFF")),
    (b"fLaC", Kind(Family.CLIP, "audio/flac", "flac")),
    (b"OggS", Kind(Family.CLIP, "audio/ogg", "ogg")),
    (b"ID3", Kind(Family.CLIP, "audio/mpeg", "mp3")),
)
_RIFF = {
    b"WEBP": Kind(Family.PICTURE, "image/webp", "WEBP"),
    b"WAVE": Kind(Family.CLIP, "audio/wav", "wav"),
    b"AVI ": Kind(Family.CLIP, "video/x-msvideo", "avi"),
}
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"})
_MP4 = Kind(Family.CLIP, "video/mp4", "mov")
_QUICKTIME = Kind(Family.CLIP, "video/quicktime", "mov")
_MATROSKA = Kind(Family.CLIP, "video/x-matroska", "matroska")
_WEBM = Kind(Family.CLIP, "video/webm", "matroska")
_EBML = b"\x1a\x45\xdf\xa3"
_QUICKTIME_ATOMS = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip"})
_SYNC = 0xE0
_LAYER, _LAYER_III = 0x06, 0x02


def find_kind(head: bytes) -> Kind | None:
    """The kind of a file that begins so; None if it is none that we know."""
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _by_brand(head[8:12])
    if head[4:8] in _QUICKTIME_ATOMS:
        return _QUICKTIME
    if head.startswith(_EBML):
        return _WEBM if b"webm" in head[:64] else _MATROSKA
    return _by_sync(head)


def _by_brand(brand: bytes) -> Kind | None:
    """Of ISO's base media files; AVIF is one too, but nobody here reads it."""
    if brand in _HEIF_BRANDS:
        return Kind(Family.PICTURE, "image/heic", "HEIF")
    if brand in {b"avif", b"avis"}:
        return None
    return _QUICKTIME if brand == b"qt  " else _MP4


def _by_sync(head: bytes) -> Kind | None:
    """Sound without any header: frames of MPEG audio, layer III, or of AAC (ADTS)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & _SYNC != _SYNC:  # noqa: PLR2004  # eleven bits of a frame's head
        return None
    if head[1] & 0xF6 == 0xF0:  # noqa: PLR2004  # the layer is 0
        return Kind(Family.CLIP, "audio/aac", "aac")
    return Kind(Family.CLIP, "audio/mpeg", "mp3") if head[1] & _LAYER == _LAYER_III else None
