"""Media decoded and measured. Its libraries take a while to import, so it is imported when media first come."""

import hashlib
import io

import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError

from yuanjing.sandbox.video import film
from yuanjing.sandbox.video.wish import FailedError, FailureKind, Kind, Media, Resolved

pillow_heif.register_heif_opener()  # pyright: ignore[reportUnknownMemberType]  # it has no types

PIXELS_MAX = 60_000_000
_MICROSECONDS = 1_000_000
_CLIP_FORMATS = "mov,mp4,m4a,matroska,webm,mp3,wav,aac,ogg,flac,avi"
_POSTER_SIDE_MAX = 512
# The names of FFmpeg's demuxers that are not what people call the format.
_FORMAT_NAMES = {"mov": "mp4", "matroska": "webm"}
_IMAGE_NAMES = {"mpo": "jpeg"}


def measure(media: Media, data: bytes) -> Resolved:
    """What the bytes of a piece of media hold.

    Raises:
        FailedError: MEDIA_INVALID or MEDIA_TOO_LARGE.
    """
    return _image(media, data) if media.kind is Kind.IMAGE else _clip(media, data)


def _image(media: Media, data: bytes) -> Resolved:
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > PIXELS_MAX:
                raise FailedError.of(FailureKind.MEDIA_TOO_LARGE, f"The image has more than {PIXELS_MAX} pixels.")
            form = (image.format or "").lower()
            width, height = ImageOps.exif_transpose(image).size
            has_alpha = image.has_transparency_data
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise FailedError.of(FailureKind.MEDIA_TOO_LARGE, f"The image has more than {PIXELS_MAX} pixels.") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Warning) as error:
        raise FailedError.of(FailureKind.MEDIA_INVALID, "The image cannot be decoded.") from error
    return Resolved(
        role=media.role,
        kind=media.kind,
        format=_IMAGE_NAMES.get(form, form),
        data=data,
        digest=hashlib.sha256(data).hexdigest(),
        bytes_length=len(data),
        width=width,
        height=height,
        has_alpha=has_alpha,
    )


def _clip(media: Media, data: bytes) -> Resolved:
    what = media.kind.value
    poster, width, height, fps = b"", 0, 0, 0.0
    try:
        with film.read(io.BytesIO(data), _CLIP_FORMATS) as container:
            form = container.format.name.split(",")[0]
            seconds = (container.duration or 0) / _MICROSECONDS
            if media.kind is Kind.VIDEO:
                stream = container.streams.video[0]
                picture = next(container.decode(stream)).to_image()
                width, height, fps = picture.width, picture.height, float(stream.average_rate or 0)
                poster = _poster(picture)
            else:
                next(container.decode(container.streams.audio[0]))
    except (film.NotDecodableError, IndexError, StopIteration, ValueError, EOFError) as error:
        raise FailedError.of(FailureKind.MEDIA_INVALID, f"The {what} cannot be decoded.") from error
    return Resolved(
        role=media.role,
        kind=media.kind,
        format=_FORMAT_NAMES.get(form, form),
        data=poster,
        digest=hashlib.sha256(data).hexdigest(),
        bytes_length=len(data),
        width=width,
        height=height,
        seconds=seconds,
        fps=fps,
    )


def _poster(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    ImageOps.contain(picture, (_POSTER_SIDE_MAX, _POSTER_SIDE_MAX)).save(out, "JPEG")
    return out.getvalue()
