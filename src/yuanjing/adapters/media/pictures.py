"""Pictures, by Pillow; runs in the processes of the pool only."""

import warnings
from pathlib import Path

import pillow_heif
from PIL import Image, ImageOps

from yuanjing.adapters.media.findings import BrokenFileError, Finding
from yuanjing.adapters.media.kinds import Kind
from yuanjing.adapters.media.pieces import SCANNED_PIXELS_MAX, check_chunks, count_scans

_JPEG_QUALITY = 92
_ORIENTATION = 0x0112
_UPRIGHT = (None, 0, 1)
_PLAIN_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "La", "RGBa", "I", "I;16"})
_STILL_OPENERS = frozenset({"JPEG", "HEIF"})
"""Several pictures in such a file are one, with what a camera adds to it."""


def prepare(pixels_max: int) -> None:
    """Set Pillow up: a picture that is too large is an error, not a warning."""
    pillow_heif.register_heif_opener()  # pyright: ignore[reportUnknownMemberType]  # it has no types
    Image.MAX_IMAGE_PIXELS = pixels_max
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def inspect(place: Path, kind: Kind, pixels_max: int) -> Finding:
    """What a picture is; it is decoded to its end.

    Raises:
        BrokenFileError: it cannot be, or it moves.
    """
    with _opened(place, kind, pixels_max) as picture:
        orientation = picture.getexif().get(_ORIENTATION) if kind.opener != "HEIF" else None
        picture.load()
        width, height = picture.size
        if orientation in (5, 6, 7, 8):
            width, height = height, width
        is_ready = kind.opener != "HEIF" and orientation in _UPRIGHT and picture.mode in _PLAIN_MODES
        return Finding(media_type=kind.media_type, width=width, height=height, is_ready=is_ready)


def normalise(place: Path, target: Path, kind: Kind, pixels_max: int) -> Finding:
    """Write it as an upright JPEG without metadata; its colour profile stays, or its colours would change.

    Raises:
        BrokenFileError: it cannot be decoded.
    """
    with _opened(place, kind, pixels_max) as picture:
        profile = picture.info.get("icc_profile")
        if picture.mode == "CMYK":
            profile = None  # it speaks of other colours than those that are written
        upright = ImageOps.exif_transpose(picture)
        write_jpeg(upright, target, profile)
        return Finding(media_type="image/jpeg", width=upright.width, height=upright.height)


def write_jpeg(picture: Image.Image, target: Path, profile: bytes | None = None) -> None:
    """Write a picture; what can be seen through it is white."""
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, mask=picture.getchannel("A"))
        picture = ground
    with target.open("wb") as file:
        picture.convert("RGB").save(file, "JPEG", quality=_JPEG_QUALITY, icc_profile=profile)


def _opened(place: Path, kind: Kind, pixels_max: int) -> Image.Image:
    """Only the size and the header are read yet."""
    scans = count_scans(place) if kind.opener == "JPEG" else 0
    if kind.opener == "PNG":
        check_chunks(place)
    try:
        picture = Image.open(place, formats=[kind.opener])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BrokenFileError(f"the picture has more than {pixels_max} pixels") from error
    if picture.width * picture.height * scans > SCANNED_PIXELS_MAX:
        picture.close()
        raise BrokenFileError(f"the picture is coded in {scans} scans, which is too much for its size")
    if kind.opener not in _STILL_OPENERS and getattr(picture, "is_animated", False):  # frames are not counted
        picture.close()
        raise BrokenFileError("the picture moves; only still ones are taken")
    return picture
