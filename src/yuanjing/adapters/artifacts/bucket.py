"""Files in a bucket of S3, or of one of the many services that speak like it."""

import asyncio
import datetime as dt
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from yuanjing.adapters.artifacts.keys import checked
from yuanjing.domain.errors import NotFoundError
from yuanjing.kit.clock import Clock, SystemClock
from yuanjing.ports.artifacts import BlobEntry, StorageRefusedError, StorageUnavailableError, StoredBlob

if TYPE_CHECKING:
    from obstore.store import S3Config

_PART_BYTES = 5 * 1024 * 1024
_PARTS_AT_ONCE = 1
"""A file on its way into the bucket holds some of these parts in memory; more at once are not faster."""
_RETRY_SECONDS = dt.timedelta(seconds=30)
_PROBE_KEY, _PROBE_SECONDS = "check/write", 5
_FAILED_SECONDS = 2.0
"""So long nobody asks again whether S3 takes files, after it did not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketOptions:
    """Which bucket, and how to get in.

    Attributes:
        prefix: the folder in the bucket, or empty.
        endpoint: of the service; empty for Amazon's.
        access_key_id: empty to ask for the machine's own role.
        is_path_style: the bucket's name is part of the path instead of the host's name.
        request_seconds: the longest that one request may take; none moves more than `_PART_BYTES`.
        check_seconds: how long a file that was taken proves that more are.
    """

    bucket: str
    prefix: str
    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    is_path_style: bool
    request_seconds: int = 60
    connect_seconds: int = 5
    check_seconds: float = 30.0


class BucketBlobs:
    """See `yuanjing.ports.artifacts.BlobStore`. A file appears when its last part is there.

    Ranges are computed from the size that is known, as not every service shortens those that reach past the end; a
    file is read in requests of one chunk each, so that a slow client holds a chunk, and no connection.
    """

    def __init__(self, options: BucketOptions, *, chunk_bytes: int, clock: Clock | None = None) -> None:
        self._store = _open(options)
        self._prober = _open(replace(options, request_seconds=_PROBE_SECONDS), retries=0)
        self._chunk_bytes = max(chunk_bytes, 1024 * 1024)
        self._clock = clock or SystemClock()
        self._check_seconds = options.check_seconds
        self._known_until = 0.0
        self._failure: StorageUnavailableError | None = None
        self._probing = asyncio.Lock()

    async def put_file(self, key: str, place: Path, media_type: str) -> StoredBlob:
        """See the port."""
        stored = await asyncio.to_thread(_measure, place)
        try:
            with _errors():
                await obstore.put_async(
                    self._store,
                    checked(key),
                    place,
                    attributes={"Content-Type": media_type},
                    chunk_size=_PART_BYTES,
                    max_concurrency=_PARTS_AT_ONCE,
                )
        except StorageUnavailableError:
            self._known_until = 0.0
            raise
        self._note(None)
        return stored

    @asynccontextmanager
    async def open(self, key: str) -> AsyncGenerator["_Object"]:
        """See the port."""
        size = await self.size(key)
        if size is None:
            raise NotFoundError("There is no such file")
        yield _Object(self._store, key, size, self._chunk_bytes)

    def local_path(self, key: str) -> Path | None:
        """See the port."""
        del key

    async def link(self, key: str, seconds: int) -> str | None:
        """See the port."""
        with _errors():
            return await obstore.sign_async(self._store, "GET", checked(key), dt.timedelta(seconds=seconds))

    async def size(self, key: str) -> int | None:
        """See the port."""
        with _errors():
            try:
                return (await obstore.head_async(self._store, checked(key)))["size"]
            except FileNotFoundError:
                return None

    async def remove(self, key: str) -> None:
        """See the port."""
        with _errors():
            try:
                await obstore.delete_async(self._store, checked(key))
            except FileNotFoundError:
                return

    async def entries(self) -> AsyncIterator[BlobEntry]:
        """See the port."""
        with _errors():
            listing = obstore.list(self._store)  # pyright: ignore[reportUnknownMemberType]  # of its Arrow form
            async for page in listing:
                for found in page:
                    yield BlobEntry(key=found["path"], modified_at=found["last_modified"].timestamp())

    async def check_room(self, size_bytes: int) -> None:
        """See the port: a bucket has no end, but may take nothing; if that is not known, one byte is written."""
        del size_bytes
        if not self._is_known():
            async with self._probing:
                if not self._is_known():
                    await self._probe()
        if self._failure is not None:
            raise type(self._failure)(self._failure.message)

    def _is_known(self) -> bool:
        return self._clock.monotonic() < self._known_until

    async def _probe(self) -> None:
        try:
            with _errors():
                await obstore.put_async(self._prober, _PROBE_KEY, b"1")
        except StorageUnavailableError as error:
            self._note(error)
        else:
            self._note(None)

    def _note(self, failure: StorageUnavailableError | None) -> None:
        """How writing has ended, which holds for a while."""
        self._failure = failure
        self._known_until = self._clock.monotonic() + (self._check_seconds if failure is None else _FAILED_SECONDS)


class _Object:
    """An object whose size is known."""

    def __init__(self, store: S3Store, key: str, size_bytes: int, chunk_bytes: int) -> None:
        self._store = store
        self._key = key
        self._chunk_bytes = chunk_bytes
        self.size_bytes = size_bytes

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes]:
        """See the port."""
        while start < end:
            length = min(self._chunk_bytes, end - start)
            with _errors():
                try:
                    chunk = await obstore.get_range_async(self._store, self._key, start=start, length=length)
                except FileNotFoundError as error:
                    raise StorageUnavailableError("a file has gone while it was read") from error
            if len(chunk) != length:
                raise StorageUnavailableError("a file has become shorter")
            yield bytes(chunk)
            start += length


def _open(options: BucketOptions, *, retries: int = 3) -> S3Store:
    config: S3Config = {
        "bucket": options.bucket,
        "region": options.region,
        "virtual_hosted_style_request": not options.is_path_style,
    }
    if options.endpoint:
        config["endpoint"] = options.endpoint
    if options.access_key_id:
        config["access_key_id"] = options.access_key_id
        config["secret_access_key"] = options.secret_access_key
    return S3Store(
        prefix=options.prefix or None,
        config=config,
        client_options={
            "allow_http": options.endpoint.startswith("http://"),
            "timeout": f"{options.request_seconds}s",
            "connect_timeout": f"{options.connect_seconds}s",
        },
        retry_config={
            "max_retries": retries,
            "retry_timeout": _RETRY_SECONDS,
            "backoff": {"base": 2, "init_backoff": dt.timedelta(seconds=0.1), "max_backoff": dt.timedelta(seconds=5)},
        },
    )


def _measure(place: Path) -> StoredBlob:
    with place.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return StoredBlob(size_bytes=file.tell(), sha256=digest)


@contextmanager
def _errors() -> Generator[None]:
    """What the service refuses; the library's words may hold addresses and keys, so they stay in the cause."""
    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise StorageRefusedError("S3 refuses access: look at the account, its key and its rights") from error
    except FileNotFoundError as error:
        raise StorageRefusedError("S3 knows no such bucket") from error
    except (BaseError, OSError) as error:
        raise StorageUnavailableError(f"files in S3 cannot be reached: {type(error).__name__}") from error
