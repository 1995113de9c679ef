"""Settings become what a process keeps, measures, fetches and gives out files with."""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from yuanjing.adapters.artifacts.folder import FolderBlobs
from yuanjing.adapters.artifacts.room import Room, disk_errors
from yuanjing.adapters.artifacts.scratch import Scratch
from yuanjing.adapters.media.pool import MediaPool, PoolOptions
from yuanjing.bootstrap.data_folder import node_prefix
from yuanjing.domain.artifacts import StorageFullError
from yuanjing.domain.errors import NotFoundError
from yuanjing.ports.artifacts import (
    BlobStore,
    Fetcher,
    FetchLimits,
    MediaInspector,
    ScratchFolder,
    StorageRefusedError,
    StorageUnavailableError,
)
from yuanjing.settings import Settings, SettingsError, variable
from yuanjing.usecases.artifacts.delivery import DeliveryParts, MediaDelivery
from yuanjing.usecases.artifacts.intake import IntakeParts, MediaIntake
from yuanjing.usecases.artifacts.links import ArtifactLinks
from yuanjing.usecases.artifacts.sources import FetchTimes, OwnFiles, Sources

if TYPE_CHECKING:
    from yuanjing.bootstrap.services import Services

MEDIA_NICE = 5
"""Of a gateway's, so that one customer's files do not slow down the chats of all."""
_FOLDER, _SCRATCH = "artifacts", "uploads"
_FOLDER_MODE = 0o700
_S3 = "s3"
_CHECK_BYTES, _CHECK_SECONDS = b"Yuanjing", 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class FileServices:
    """What a process that deals with files needs; open for as long as `open_files` is."""

    blobs: BlobStore
    scratch: ScratchFolder
    inspector: MediaInspector
    fetcher: Fetcher
    links: ArtifactLinks


@asynccontextmanager
async def open_files(services: "Services", *, media_nice: int = MEDIA_NICE) -> AsyncGenerator[FileServices]:
    """Open them, and close them again. `media_nice` is how far the processes that open files stand back.

    Raises:
        StorageUnavailableError: a folder cannot be made.
        StorageFullError: there is no room for it.
    """
    settings = services.settings
    async with AsyncExitStack() as stack:
        room = Room(folder=settings.data, reserve_bytes=settings.disk_reserve_bytes)
        pool = PoolOptions(
            workers=settings.media_workers,
            queue_max=settings.media_queue_max,
            seconds=settings.media_seconds,
            memory_bytes_max=settings.media_memory_bytes_max,
            pixels_max=settings.media_pixels_max,
            nice=media_nice,
        )
        scratch = stack.enter_context(Scratch(settings.data / _SCRATCH, room=room))
        yield FileServices(
            blobs=_open_blobs(settings),
            scratch=scratch,
            inspector=await stack.enter_async_context(MediaPool(pool)),
            fetcher=_LateFetcher(settings, scratch, stack),
            links=ArtifactLinks(
                services.pepper, services.clock, is_signed=settings.idfile_signed, seconds=settings.idfile_seconds
            ),
        )


def make_delivery(settings: Settings, files: FileServices, address: str) -> MediaDelivery:
    """What hands files to providers; `address` is where this machine reaches the platform, if that is known."""
    return MediaDelivery(
        DeliveryParts(
            blobs=files.blobs,
            links=files.links,
            public_base_url=settings.public_base_url,
            local_base_url=address,
            inline_bytes_max=settings.inline_bytes_max,
        )
    )


def make_intake(services: "Services", files: FileServices, own_addresses: Sequence[str]) -> MediaIntake:
    """What takes in customers' files; links that begin with one of `own_addresses` are ours."""
    settings = services.settings
    own = OwnFiles(services.store, files.blobs, services.clock, [settings.public_base_url, *own_addresses])
    times = FetchTimes(total_seconds=settings.fetch_seconds, idle_seconds=settings.fetch_idle_seconds)
    return MediaIntake(
        IntakeParts(
            clock=services.clock,
            blobs=files.blobs,
            scratch=files.scratch,
            inspector=files.inspector,
            sources=Sources(files.scratch, files.fetcher, own, times),
            file_bytes_max=settings.upload_file_bytes_max,
            measure_seconds=settings.media_wait_seconds,
        )
    )


async def check_files(settings: Settings, who: str) -> None:
    """Keep a small file where files are kept, read it and remove it; `who` asks, of this data folder.

    Paid work whose results cannot be kept must not be taken. A full disk is no reason not to start: submitting looks.

    Raises:
        SettingsError: it cannot be done, and trying again does not help.
        StorageUnavailableError: the place cannot be reached now.
    """
    what = f"{variable('artifacts_url')}: {settings.artifacts_url or settings.data / _FOLDER}"
    key = f"check/{hashlib.sha256(f'{node_prefix(settings)}{who}'.encode()).hexdigest()[:32]}"
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await _check_blobs(_open_blobs(settings), settings.data, key)
    except StorageFullError:
        return
    except TimeoutError as error:
        raise StorageUnavailableError(f"{what}: no answer within {_CHECK_SECONDS:.0f} seconds") from error
    except StorageUnavailableError as error:
        if isinstance(error, StorageRefusedError) or urlsplit(settings.artifacts_url).scheme != _S3:
            raise SettingsError([f"{what}: {error.message}"]) from error
        raise StorageUnavailableError(f"{what}: {error.message}") from error


async def _check_blobs(blobs: BlobStore, folder: Path, key: str) -> None:
    with disk_errors():
        place = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=folder)) / "check"
    try:
        with disk_errors():
            await asyncio.to_thread(place.write_bytes, _CHECK_BYTES)
        await blobs.put_file(key, place, "text/plain")
        async with blobs.open(key) as found:
            read = b"".join([chunk async for chunk in found.read(0, found.size_bytes)])
        await blobs.remove(key)
    except NotFoundError as error:
        raise StorageRefusedError("a file that was written there is not there") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, place.parent, ignore_errors=True)
    if read != _CHECK_BYTES:
        raise StorageRefusedError("a file that was written there is read otherwise")


def _open_blobs(settings: Settings) -> BlobStore:
    address = urlsplit(settings.artifacts_url)
    if address.scheme != _S3:
        folder = Path(settings.artifacts_url) if settings.artifacts_url else settings.data / _FOLDER
        with disk_errors():
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        room = Room(folder=folder, reserve_bytes=settings.disk_reserve_bytes)
        return FolderBlobs(folder, room=room, chunk_bytes=settings.idfile_chunk_bytes)
    from yuanjing.adapters.artifacts.bucket import BucketBlobs, BucketOptions  # noqa: PLC0415  # few have one

    secret = settings.s3_secret_access_key
    options = BucketOptions(
        bucket=address.netloc,
        prefix=address.path.strip("/"),
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=secret.get_secret_value() if secret is not None else "",
        is_path_style=settings.s3_path_style,
        check_seconds=settings.s3_check_seconds,
    )
    return BucketBlobs(options, chunk_bytes=settings.idfile_chunk_bytes)


class _LateFetcher:
    """The fetcher, made when it is first asked: an HTTP client takes a tenth of a second of every start."""

    def __init__(self, settings: Settings, scratch: ScratchFolder, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._scratch = scratch
        self._stack = stack
        self._fetcher: Fetcher | None = None

    async def fetch(self, url: str, target: Path, limits: FetchLimits) -> int:
        """See the port."""
        if self._fetcher is None:
            from yuanjing.adapters.fetch.fetcher import FetcherOptions, GuardedFetcher  # noqa: PLC0415  # see the class

            options = FetcherOptions(
                allowed_networks=self._settings.fetch_allowed_networks,
                redirects_max=self._settings.fetch_redirects_max,
                ca_file=self._settings.ca_file,
            )
            self._fetcher = self._stack.enter_context(GuardedFetcher(options, check_room=self._scratch.check_room))
        return await self._fetcher.fetch(url, target, limits)
