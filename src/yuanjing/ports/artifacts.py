"""Where files are kept, measured and fetched from."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from yuanjing.domain.artifacts import Artifact, MediaFacts
from yuanjing.domain.errors import YuanjingError


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredBlob:
    """A file that was put into the store.

    Attributes:
        sha256: of its bytes, in hex.
    """

    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BlobEntry:
    """A file as a listing tells it; `modified_at` is Unix time."""

    key: str
    modified_at: float


class OpenBlob(Protocol):
    """A file that is being read: removing it meanwhile does no harm where the store is a folder."""

    @property
    def size_bytes(self) -> int:
        """How many bytes."""
        ...

    def read(self, start: int, end: int) -> AsyncGenerator[bytes]:
        """The bytes from `start` up to, without, `end`, in chunks; the next is read when it is asked for.

        Raises:
            StorageUnavailableError: the place cannot be reached any more, or the file has gone meanwhile.
        """
        ...


class BlobStore(Protocol):
    """Files by opaque keys, in a folder or in S3. Nothing half-written is ever visible.

    A key is made of names of letters, digits, `.`, `_` and `-`, with `/` between. Every method raises
    `StorageUnavailableError` if the place cannot be reached.
    """

    async def put_file(self, key: str, place: Path, media_type: str) -> StoredBlob:
        """Publish a file of our disk atomically; when it returns, the file outlives a loss of power.

        What is at `place` is left there, and must not be changed afterwards. A file that exists is replaced.

        Raises:
            StorageFullError: there is not enough room; nothing is left behind.
        """
        ...

    def open(self, key: str) -> AbstractAsyncContextManager[OpenBlob]:
        """A file for reading.

        Raises:
            NotFoundError: there is no such file.
        """
        ...

    def local_path(self, key: str) -> Path | None:
        """Where the file is, or would be, on our own disk; None if files are elsewhere."""
        ...

    async def link(self, key: str, seconds: int) -> str | None:
        """An address of the store itself that gives the file for so long; None if the store has no such addresses."""
        ...

    async def size(self, key: str) -> int | None:
        """How many bytes; None if there is no such file."""
        ...

    async def remove(self, key: str) -> None:
        """Remove a file; none there is fine."""
        ...

    def entries(self) -> AsyncIterator[BlobEntry]:
        """All files, in any order."""
        ...

    async def check_room(self, size_bytes: int) -> None:
        """Whether so much more can be taken, with the reserve that the settings demand.

        Raises:
            StorageFullError: not.
            StorageUnavailableError: nothing can be written there now.
        """
        ...


class ScratchFolder(Protocol):
    """Temporary files of this process on its own disk; what a dead process has left is removed by the next one."""

    def file(self) -> AbstractContextManager[Path]:
        """A place for one file, which is removed at the end."""
        ...

    async def write(self, place: Path, data: bytes | bytearray) -> None:
        """Write a whole file.

        Raises:
            StorageFullError: there is not enough room.
        """
        ...

    async def append(self, place: Path, data: bytes | bytearray) -> None:
        """Write on at a file's end, or begin it.

        Raises:
            StorageFullError: there is not enough room.
        """
        ...

    async def check_room(self, size_bytes: int) -> None:
        """Whether so much more can be taken.

        Raises:
            StorageFullError: not.
        """
        ...


class StorageUnavailableError(YuanjingError):
    """Files cannot be reached; the caller may try again."""

    code = "store_unavailable"


class StorageRefusedError(StorageUnavailableError):
    """The place answers, but refuses us; it will until somebody changes its settings or ours."""


class NotMediaError(YuanjingError):
    """The bytes are no picture, clip or sound that can be decoded; the message says what is wrong with "the file"."""

    code = "invalid_parameter"


class MediaBusyError(YuanjingError):
    """More files wait to be measured than the settings allow."""

    code = "overloaded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What looking into a file has shown.

    Attributes:
        is_ready: a picture can be handed on as it is; False if it must be written anew (`normalise`): it is HEIC, its
            EXIF orientation says to turn it, or its colours are those of a press.
        is_black: of a clip that was examined: no frame shows anything.
        first_frame: of a clip that was examined: what was written of it; None if it could not be.
    """

    facts: MediaFacts
    is_ready: bool = True
    is_black: bool = False
    first_frame: MediaFacts | None = None


class MediaInspector(Protocol):
    """Measures files of others; hostile ones cost a bounded time and memory, in a process of their own.

    Every method raises `MediaBusyError` if too many files wait already.
    """

    async def inspect(self, place: Path) -> Inspection:
        """What a file really is, by its content. A picture is decoded, a clip or sound read to its end.

        Raises:
            NotMediaError: it is of none of the types of `SUFFIXES`, is broken, or is a moving picture.
        """
        ...

    async def examine(self, place: Path, first_frame: Path) -> Inspection:
        """The same; of a clip also whether it shows anything, and its first frame, written as JPEG.

        Raises:
            NotMediaError: as `inspect`.
        """
        ...

    async def normalise(self, place: Path, target: Path) -> MediaFacts:
        """Write a picture as JPEG, upright, without its metadata; what it is then. For HEIC and for turned pictures.

        Raises:
            NotMediaError: it cannot be decoded.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchLimits:
    """What one fetch may cost.

    Attributes:
        allowed_origin: an origin (`http://127.0.0.1:8090`) that may be asked although it is private: the sandbox, for
            tasks of the test book. Empty if there is none.
    """

    size_bytes_max: int
    total_seconds: float
    idle_seconds: float
    allowed_origin: str = ""


class FetchRefusedError(YuanjingError):
    """The address may not be asked, or what is there cannot be taken; the same again is of no use."""

    code = "invalid_parameter"


class FetchFailedError(YuanjingError):
    """It did not work this time.

    Attributes:
        status: of HTTP; None if there was no answer.
    """

    code = "invalid_parameter"

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Fetcher(Protocol):
    """Fetches addresses that others gave us, guarded: public addresses only, checked again at each redirect."""

    async def fetch(self, url: str, target: Path, limits: FetchLimits) -> int:
        """Stream what is there into a file; its size. The URL is sent byte for byte.

        Raises:
            FetchRefusedError: a private, local or odd address, a wrong scheme, too large, too many redirects, or 404,
                403, 410.
            FetchFailedError: no or a broken answer, another status, or too slow.
            StorageFullError: there is not enough room.
        """
        ...


class ArtifactTable(Protocol):
    """The rows of artifacts."""

    def add(self, *artifacts: Artifact) -> None:
        """Insert.

        Raises:
            AlreadyExistsError: the id or the path of one exists; others may be inserted already.
        """
        ...

    def get(self, artifact_id: str) -> Artifact | None:
        """One by id, removed ones too."""
        ...

    def by_path(self, path: str) -> Artifact | None:
        """One by its path, removed ones too."""
        ...

    def of_task(self, task_id: str) -> list[Artifact]:
        """Those of a task, by id."""
        ...

    def expired(self, at: float, limit: int) -> list[Artifact]:
        """Those that are there and whose time is over, oldest first."""
        ...

    def expire(self, task_id: str, at: float) -> None:
        """Let the time of a task's files be over at this moment, where it is not before."""
        ...

    def mark_removed(self, artifact_id: str, at: float) -> None:
        """Note that its bytes are gone."""
        ...
