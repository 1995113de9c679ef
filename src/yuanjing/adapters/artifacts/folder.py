"""Files in a folder of this machine, or of one that all machines share."""

import asyncio
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path

from yuanjing.adapters.artifacts.keys import checked
from yuanjing.adapters.artifacts.room import Room, disk_errors
from yuanjing.domain.errors import NotFoundError
from yuanjing.kit.disk import sync_folder
from yuanjing.kit.threads import to_its_end
from yuanjing.ports.artifacts import BlobEntry, StorageUnavailableError, StoredBlob

_NEW = ".new"
"""Where files are made before they are published."""
_ABANDONED_SECONDS = 86_400
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
_PAGE = 500
_TRIES = 5
_ONLY_CACHED: int = getattr(os, "RWF_NOWAIT", 0)


class FolderBlobs:
    """See `yuanjing.ports.artifacts.BlobStore`: synced, then renamed into place, then the rename is synced.

    Files are read by position in large pieces, so that a download costs one piece of memory and no pass through Python
    per kilobyte.
    """

    def __init__(self, folder: Path, *, room: Room, chunk_bytes: int) -> None:
        self._folder = folder
        self._room = room
        self._chunk_bytes = chunk_bytes
        with disk_errors():
            (folder / _NEW).mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    async def put_file(self, key: str, place: Path, media_type: str) -> StoredBlob:
        """See the port; the type is the row's business."""
        del media_type
        with disk_errors():
            size = await asyncio.to_thread(os.path.getsize, place)
            await self.check_room(size)
            return await asyncio.to_thread(self._publish, self._folder / checked(key), place)

    @asynccontextmanager
    async def open(self, key: str) -> AsyncGenerator["_OpenFile"]:
        """See the port."""
        path, opened = self._folder / checked(key), list[int]()
        try:
            with disk_errors():
                try:
                    await to_its_end(lambda: opened.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC)))
                except FileNotFoundError:
                    raise NotFoundError("There is no such file") from None
            yield _OpenFile(opened[0], self._chunk_bytes)
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def local_path(self, key: str) -> Path | None:
        """See the port."""
        return self._folder / checked(key)

    async def link(self, key: str, seconds: int) -> str | None:
        """See the port: a folder has no addresses."""
        del key, seconds

    async def size(self, key: str) -> int | None:
        """See the port."""
        with disk_errors():
            try:
                return await asyncio.to_thread(os.path.getsize, self._folder / checked(key))
            except FileNotFoundError:
                return None

    async def remove(self, key: str) -> None:
        """See the port."""
        with disk_errors():
            await asyncio.to_thread(self._remove, self._folder / checked(key))

    async def entries(self) -> AsyncIterator[BlobEntry]:
        """See the port."""
        with disk_errors():
            await asyncio.to_thread(self._forget_abandoned)
            found = self._walk()
            while page := await asyncio.to_thread(lambda: list(islice(found, _PAGE))):
                for entry in page:
                    yield entry

    async def check_room(self, size_bytes: int) -> None:
        """See the port."""
        await self._room.check(size_bytes)

    def _publish(self, path: Path, place: Path) -> StoredBlob:
        draft = self._folder / _NEW / secrets.token_hex(16)
        try:
            try:
                os.link(place, draft)
            except OSError:  # another disk, or one without links
                shutil.copyfile(place, draft)
            with draft.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
                os.fsync(file.fileno())
            draft.chmod(_FILE_MODE)
            self._move(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        return StoredBlob(size_bytes=size, sha256=digest)

    def _move(self, draft: Path, path: Path) -> None:
        """Its folder may be removed by another process between any two steps, once it is empty.

        Even within `mkdir`, which then says that the folder exists: it was there, and is none any more.
        """
        for left in reversed(range(_TRIES)):
            try:
                path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
                draft.replace(path)
                for folder in self._parents(path):
                    sync_folder(folder)
            except (FileNotFoundError, FileExistsError):
                if not left:
                    raise
            else:
                return

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # other files are in it
            for folder in self._parents(path):
                if folder != self._folder:
                    folder.rmdir()

    def _parents(self, path: Path) -> Iterator[Path]:
        """The folders of a file, from its own up to the store's."""
        for folder in path.parents:
            yield folder
            if folder == self._folder:
                return

    def _walk(self) -> Iterator[BlobEntry]:
        for name, folders, files in os.walk(self._folder):
            folder = Path(name)
            if _NEW in folders and folder == self._folder:
                folders.remove(_NEW)
            for file in files:
                with suppress(FileNotFoundError):
                    path = folder / file
                    modified_at = path.stat().st_mtime
                    yield BlobEntry(key=path.relative_to(self._folder).as_posix(), modified_at=modified_at)

    def _forget_abandoned(self) -> None:
        """Drafts of processes that died while they made them."""
        for draft in (self._folder / _NEW).iterdir():
            with suppress(FileNotFoundError):
                if draft.stat().st_mtime < time.time() - _ABANDONED_SECONDS:  # noqa: TID251  # the disk's own time
                    draft.unlink()


class _OpenFile:
    """A file of which we hold the descriptor: it can be removed meanwhile."""

    def __init__(self, descriptor: int, chunk_bytes: int) -> None:
        self._descriptor = descriptor
        self._chunk_bytes = chunk_bytes
        self.size_bytes = os.fstat(descriptor).st_size

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes]:
        """See the port."""
        while start < end:
            length = min(self._chunk_bytes, end - start)
            chunk = _cached(self._descriptor, length, start)
            if chunk is None:
                with disk_errors():
                    chunk = await to_its_end(os.pread, self._descriptor, length, start)
            if not chunk:
                raise StorageUnavailableError("a file has become shorter")
            yield chunk
            start += len(chunk)
            await asyncio.sleep(0)  # a fast reader of a file in memory would else keep everybody waiting


def _cached(descriptor: int, length: int, start: int) -> bytes | None:
    """What the system has in memory of it, without a wait; None if it must ask the disk, or cannot say.

    A hop to a thread and back costs as much as sending a chunk.
    """
    if not _ONLY_CACHED:
        return None
    buffer = bytearray(length)
    try:
        count = os.preadv(descriptor, [buffer], start, _ONLY_CACHED)
    except OSError:
        return None
    return bytes(memoryview(buffer)[:count])
