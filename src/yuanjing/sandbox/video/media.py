"""Media that requests name: fetched, decoded and measured as a provider would."""

import asyncio
import base64
import binascii
import hashlib
import io
import ssl
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

import httpx2
from PIL import Image, ImageOps, UnidentifiedImageError

from yuanjing.kit.clock import Clock
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video import film
from yuanjing.sandbox.video.wish import FailedError, Failure, FailureKind, Kind, Media, Role

OSS_SCHEME = "oss://"
PIXELS_MAX = 60_000_000
REDIRECTS_MAX = 3
_MICROSECONDS = 1_000_000
_CLIP_FORMATS = "mov,mp4,m4a,matroska,webm,mp3,wav,aac,ogg,flac,avi"
_POSTER_SIDE_MAX = 512
# The names of FFmpeg's demuxers that are not what people call the format.
_FORMAT_NAMES = {"mov": "mp4", "matroska": "webm"}
_IMAGE_NAMES = {"mpo": "jpeg"}


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
    """Fetches, decodes and measures media. Loopback addresses are fetched too: it is a sandbox."""

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._uploads: OrderedDict[str, Upload] = OrderedDict()
        self._uploads_bytes = 0

    async def resolve(self, media: Media, owner: str = "") -> Resolved:
        """The media's bytes and measures.

        Raises:
            FailedError: MEDIA_UNREACHABLE, MEDIA_INVALID or MEDIA_TOO_LARGE.
        """
        options = self._options
        most = options.media_image_bytes_max if media.kind is Kind.IMAGE else options.media_clip_bytes_max
        source = media.source
        if source.startswith("data:"):
            data = _decoded(source)
        elif source.startswith(OSS_SCHEME):
            data = self._uploaded(source.removeprefix(OSS_SCHEME), owner)
        elif source.startswith(("http://", "https://")):
            data = await self._fetched(source, most)
        else:
            raise _failed(FailureKind.MEDIA_UNREACHABLE, f"The URL is not supported: {_short(source)}")
        if len(data) > most:
            raise _failed(FailureKind.MEDIA_TOO_LARGE, f"The file has {len(data)} bytes, more than {most}.")
        return await asyncio.to_thread(_measure, media, data)

    def put(self, key: str, upload: Upload) -> None:
        """Keep an upload under `oss://<key>`; the oldest go if there are too many bytes."""
        old = self._uploads.pop(key, None)
        self._uploads_bytes += len(upload.data) - (len(old.data) if old else 0)
        self._uploads[key] = upload
        while self._uploads_bytes > self._options.video_uploads_bytes_max and self._uploads:
            _, gone = self._uploads.popitem(last=False)
            self._uploads_bytes -= len(gone.data)

    def _uploaded(self, key: str, owner: str) -> bytes:
        upload = self._uploads.get(key)
        if upload is None or upload.owner != owner or self._clock.unix() >= upload.until:
            raise _failed(FailureKind.MEDIA_UNREACHABLE, f"The file is not there: {OSS_SCHEME}{_short(key)}")
        return upload.data

    async def _fetched(self, url: str, most: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        limit = self._options.media_wait_seconds
        try:
            async with (
                asyncio.timeout(limit),
                httpx2.AsyncClient(
                    verify=_tls(), timeout=limit, trust_env=False, follow_redirects=True, max_redirects=REDIRECTS_MAX
                ) as client,
                client.stream("GET", url) as answer,
            ):
                if not answer.is_success:
                    text = f"Failed to download the file: HTTP {answer.status_code} from {_short(url)}"
                    raise _failed(FailureKind.MEDIA_UNREACHABLE, text)
                async for part in answer.aiter_bytes():
                    size += len(part)
                    parts.append(part)
                    if size > most:
                        raise _failed(FailureKind.MEDIA_TOO_LARGE, f"The file has more than {most} bytes.")
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as error:
            text = f"Failed to download the file: {type(error).__name__} at {_short(url)}"
            raise _failed(FailureKind.MEDIA_UNREACHABLE, text) from error
        return b"".join(parts)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _decoded(source: str) -> bytes:
    head, comma, text = source.partition(",")
    if not comma or not head.endswith(";base64"):
        raise _failed(FailureKind.MEDIA_INVALID, "The data URI is not of the form data:<type>;base64,<data>.")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _failed(FailureKind.MEDIA_INVALID, "The data URI holds no valid base64.") from error


def _measure(media: Media, data: bytes) -> Resolved:
    return _image(media, data) if media.kind is Kind.IMAGE else _clip(media, data)


def _image(media: Media, data: bytes) -> Resolved:
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > PIXELS_MAX:
                raise _failed(FailureKind.MEDIA_TOO_LARGE, f"The image has more than {PIXELS_MAX} pixels.")
            form = (image.format or "").lower()
            width, height = ImageOps.exif_transpose(image).size
    except Image.DecompressionBombError as error:
        raise _failed(FailureKind.MEDIA_TOO_LARGE, f"The image has more than {PIXELS_MAX} pixels.") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Warning) as error:
        raise _failed(FailureKind.MEDIA_INVALID, "The image cannot be decoded.") from error
    return Resolved(
        role=media.role,
        kind=media.kind,
        format=_IMAGE_NAMES.get(form, form),
        data=data,
        digest=hashlib.sha256(data).hexdigest(),
        bytes_length=len(data),
        width=width,
        height=height,
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
        raise _failed(FailureKind.MEDIA_INVALID, f"The {what} cannot be decoded.") from error
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


def _failed(kind: FailureKind, text: str) -> FailedError:
    return FailedError(Failure(kind=kind, text=text))


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"  # noqa: PLR2004  # enough to know it again
