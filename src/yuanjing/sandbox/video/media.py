"""Media that requests name: fetched, decoded and measured as a provider would."""

import asyncio
import base64
import binascii
from collections import OrderedDict
from dataclasses import dataclass
from importlib import import_module

from yuanjing.kit.clock import Clock
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video.wish import FailedError, FailureKind, Kind, Media, Resolved, short

OSS_SCHEME = "oss://"
ASSET_SCHEME = "asset://"
KEPT_SCHEMES = (OSS_SCHEME, ASSET_SCHEME)


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that a client uploaded, or registered as an asset.

    Attributes:
        owner: the credential that may use it.
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
        return await asyncio.to_thread(_measure, media, await self._bytes(media, owner))

    async def fetch(self, media: Media, owner: str) -> bytes:
        """The media's bytes, once they are found to be what they should be.

        Raises:
            FailedError: as `resolve`.
        """
        data = await self._bytes(media, owner)
        await asyncio.to_thread(_measure, media, data)
        return data

    async def _bytes(self, media: Media, owner: str) -> bytes:
        options = self._options
        most = options.media_image_bytes_max if media.kind is Kind.IMAGE else options.media_clip_bytes_max
        source = media.source
        if source.startswith("data:"):
            data = _decoded(source)
        elif source.startswith(KEPT_SCHEMES):
            data = self._kept(source, owner)
        elif source.startswith(("http://", "https://")):
            data = await self._fetched(source, most)
        else:
            raise FailedError.of(FailureKind.MEDIA_UNREACHABLE, f"The URL is not supported: {short(source)}")
        if len(data) > most:
            raise FailedError.of(FailureKind.MEDIA_TOO_LARGE, f"The file has {len(data)} bytes, more than {most}.")
        return data

    def put(self, source: str, upload: Upload) -> None:
        """Keep an upload under its URL (`oss://…`, `asset://…`); the oldest go if there are too many bytes."""
        old = self._uploads.pop(source, None)
        self._uploads_bytes += len(upload.data) - (len(old.data) if old else 0)
        self._uploads[source] = upload
        while self._uploads_bytes > self._options.video_uploads_bytes_max and self._uploads:
            _, gone = self._uploads.popitem(last=False)
            self._uploads_bytes -= len(gone.data)

    def has(self, source: str, owner: str) -> bool:
        """Whether the owner has an upload under this URL."""
        upload = self._uploads.get(source)
        return upload is not None and upload.owner == owner and self._clock.unix() < upload.until

    def _kept(self, source: str, owner: str) -> bytes:
        if not self.has(source, owner):
            raise FailedError.of(FailureKind.MEDIA_UNREACHABLE, f"The file is not there: {short(source)}")
        return self._uploads[source].data

    async def _fetched(self, url: str, most: int) -> bytes:
        await asyncio.to_thread(import_module, "yuanjing.sandbox.video.web")
        from yuanjing.sandbox.video.web import fetch  # noqa: PLC0415  # its libraries take a while, so in a thread

        return await fetch(url, bytes_max=most, seconds=self._options.media_wait_seconds)


def _measure(media: Media, data: bytes) -> Resolved:
    from yuanjing.sandbox.video.measuring import measure  # noqa: PLC0415  # see there

    return measure(media, data)


def _decoded(source: str) -> bytes:
    head, comma, text = source.partition(",")
    if not comma or not head.endswith(";base64"):
        raise FailedError.of(FailureKind.MEDIA_INVALID, "The data URI is not of the form data:<type>;base64,<data>.")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise FailedError.of(FailureKind.MEDIA_INVALID, "The data URI holds no valid base64.") from error
