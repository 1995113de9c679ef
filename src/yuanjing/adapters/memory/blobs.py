"""Files in memory."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from yuanjing.domain.artifacts import StorageFullError
from yuanjing.domain.errors import NotFoundError
from yuanjing.kit.clock import Clock
from yuanjing.ports.artifacts import BlobEntry, StoredBlob

_CHUNK_BYTES = 64 * 1024


class MemoryBlobs:
    """See `yuanjing.ports.artifacts.BlobStore`; it holds `bytes_max` bytes."""

    def __init__(self, clock: Clock, *, bytes_max: int = 64 * 1024 * 1024) -> None:
        self._clock = clock
        self._bytes_max = bytes_max
        self._files: dict[str, tuple[bytes, float]] = {}

    async def put_file(self, key: str, place: Path, media_type: str) -> StoredBlob:
        """See the port."""
        del media_type
        data = await asyncio.to_thread(place.read_bytes)
        await self.check_room(len(data))
        self._files[key] = (data, self._clock.unix())
        return StoredBlob(size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    @asynccontextmanager
    async def open(self, key: str) -> AsyncGenerator["_OpenBytes"]:
        """See the port."""
        if key not in self._files:
            raise NotFoundError("There is no such file")
        yield _OpenBytes(self._files[key][0])

    def local_path(self, key: str) -> Path | None:
        """See the port."""
        del key

    async def link(self, key: str, seconds: int) -> str | None:
        """See the port."""
        del key, seconds

    async def size(self, key: str) -> int | None:
        """See the port."""
        return len(self._files[key][0]) if key in self._files else None

    async def remove(self, key: str) -> None:
        """See the port."""
        self._files.pop(key, None)

    async def entries(self) -> AsyncIterator[BlobEntry]:
        """See the port."""
        for key, (_, at) in list(self._files.items()):
            yield BlobEntry(key=key, modified_at=at)

    async def check_room(self, size_bytes: int) -> None:
        """See the port."""
        if sum(len(data) for data, _ in self._files.values()) + size_bytes > self._bytes_max:
            raise StorageFullError("There is no room for files at the moment; try again later")


class _OpenBytes:
    """Bytes that stay when their file is removed."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size_bytes = len(data)

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes]:
        """See the port."""
        for at in range(start, end, _CHUNK_BYTES):
            yield self._data[at : min(at + _CHUNK_BYTES, end)]
