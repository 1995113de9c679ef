"""Copying what a provider has made into our store, before anybody is told that it is there.

The keys are made of the task's id, so a copy that is made again after a crash replaces the same files, or finds the
checked one that was published before the crash.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from yuanjing.domain.artifacts import SUFFIXES, Artifact, ArtifactKind, MediaFacts, StorageFullError
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.tasks import Size
from yuanjing.domain.videos import VideoTask
from yuanjing.kit.clock import Clock
from yuanjing.kit.ids import sortable_id
from yuanjing.ports.artifacts import (
    BlobStore,
    Fetcher,
    FetchFailedError,
    FetchLimits,
    FetchRefusedError,
    Inspection,
    MediaBusyError,
    MediaInspector,
    NotMediaError,
    ScratchFolder,
    StorageUnavailableError,
)
from yuanjing.usecases.artifacts.keys import blob_key
from yuanjing.usecases.artifacts.links import new_path
from yuanjing.usecases.artifacts.sources import FetchTimes

Picture = tuple[Path, MediaFacts]
_SHORT_SECONDS = 0.5
_COVER_BYTES_MAX = 20 * 1024 * 1024
_DAY_SECONDS = 86_400


class ResultBrokenError(YuanjingError):
    """There is no file, or none that can be played, and there will be none; the message is for operators."""

    code = "provider_bad_answer"


class ResultUnavailableError(YuanjingError):
    """It cannot be copied now; trying again may help. The message is for operators."""

    code = "provider_unavailable"


@dataclass(frozen=True, kw_only=True, slots=True)
class CopierParts:
    """What copying needs.

    Attributes:
        bytes_max: of one video.
        keep_days: how long results are kept.
    """

    clock: Clock
    blobs: BlobStore
    scratch: ScratchFolder
    inspector: MediaInspector
    fetcher: Fetcher
    times: FetchTimes
    bytes_max: int
    keep_days: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CopiedResult:
    """Files that are kept; their rows are still to be written, with the task's end.

    Attributes:
        measured: of the video, by us.
        notes: in what it is otherwise than asked; it is delivered all the same.
    """

    video: Artifact
    cover: Artifact | None
    measured: MediaFacts
    notes: tuple[str, ...] = ()


class ResultCopier:
    """See the module."""

    def __init__(self, parts: CopierParts) -> None:
        self._parts = parts

    async def copy(self, task: VideoTask, *, allowed_origin: str = "", expected: Size | None = None) -> CopiedResult:
        """Copy the video and its cover: the provider's, else the first frame.

        Args:
            task: in step `copying`, with its outcome.
            allowed_origin: a private origin that may be asked, for tasks of the test book: the sandbox's.
            expected: the size that the request's tier and ratio make; None to compare with the request's own, if any.

        Raises:
            ResultBrokenError: there is nothing to deliver.
            ResultUnavailableError: not now.
        """
        try:
            with ExitStack() as stack:
                return await self._copy(task, allowed_origin, expected or task.request.size, stack)
        except (FetchRefusedError, NotMediaError) as error:
            raise ResultBrokenError(error.message) from error
        except (FetchFailedError, StorageUnavailableError, StorageFullError, MediaBusyError) as error:
            raise ResultUnavailableError(error.message) from error

    async def _copy(
        self, task: VideoTask, allowed_origin: str, expected: Size | None, stack: ExitStack
    ) -> CopiedResult:
        key = blob_key(task.id, "video")
        place = await self._brought(task, key, allowed_origin, stack)
        frame = stack.enter_context(self._parts.scratch.file())
        inspected = await self._parts.inspector.examine(place, frame)
        if not inspected.facts.media_type.startswith("video/"):
            raise ResultBrokenError(f"the file is {inspected.facts.media_type}, and no video")
        if inspected.is_black:
            raise ResultBrokenError("the video is black from its first to its last frame")
        video = await self._kept(task, ArtifactKind.VIDEO, key, place, inspected.facts)
        first = None if inspected.first_frame is None else (frame, inspected.first_frame)
        cover = await self._cover(task, first, allowed_origin, stack)
        notes = _notes(task, expected, inspected.facts)
        return CopiedResult(video=video, cover=cover, measured=inspected.facts, notes=notes)

    async def _brought(self, task: VideoTask, key: str, allowed_origin: str, stack: ExitStack) -> Path:
        """The video on our disk; one that was published before a crash is taken from the store."""
        kept = await self._published(key, stack)
        if kept is not None:
            return kept
        place = stack.enter_context(self._parts.scratch.file())
        url = task.outcome.video_url if task.outcome is not None else None
        if url is None:
            raise ResultBrokenError("the provider names no file")
        await self._fetched(url, place, self._parts.bytes_max, allowed_origin)
        return place

    async def _published(self, key: str, stack: ExitStack) -> Path | None:
        """A file of the store, on our disk; None if it is not there."""
        blobs = self._parts.blobs
        if await blobs.size(key) is None:
            return None
        local = blobs.local_path(key)
        if local is not None:
            return local
        place = stack.enter_context(self._parts.scratch.file())
        async with blobs.open(key) as blob:
            async for chunk in blob.read(0, blob.size_bytes):
                await self._parts.scratch.append(place, chunk)
        return place

    async def _fetched(self, url: str, place: Path, bytes_max: int, allowed_origin: str) -> None:
        await self._parts.scratch.check_room(0)
        limits = FetchLimits(
            size_bytes_max=bytes_max,
            total_seconds=self._parts.times.total_seconds,
            idle_seconds=self._parts.times.idle_seconds,
            allowed_origin=allowed_origin,
        )
        if not await self._parts.fetcher.fetch(url, place, limits):
            raise ResultBrokenError("the file is empty")

    async def _cover(
        self, task: VideoTask, first_frame: Picture | None, allowed_origin: str, stack: ExitStack
    ) -> Artifact | None:
        """The cover that is kept already, be it by a worker that was faster than this one; else one that comes now.

        One that is kept is never replaced: its row may have its hash. A video without a cover is better than none: what
        is wrong with covers alone stops nothing.
        """
        key = blob_key(task.id, "cover")
        is_kept = await self._parts.blobs.size(key) is not None
        made = None if is_kept else await self._provided_cover(task, allowed_origin, stack) or first_frame
        kept = await self._published(key, stack)
        if kept is not None:
            made = kept, (await self._parts.inspector.inspect(kept)).facts
        return await self._kept(task, ArtifactKind.COVER, key, *made) if made is not None else None

    async def _provided_cover(self, task: VideoTask, allowed_origin: str, stack: ExitStack) -> Picture | None:
        url = task.outcome.cover_url if task.outcome is not None else None
        if url is None:
            return None
        place = stack.enter_context(self._parts.scratch.file())
        try:
            await self._fetched(url, place, _COVER_BYTES_MAX, allowed_origin)
            found: Inspection = await self._parts.inspector.inspect(place)
        except (FetchRefusedError, FetchFailedError, NotMediaError, ResultBrokenError):
            return None
        return (place, found.facts) if found.facts.media_type.startswith("image/") and found.is_ready else None

    async def _kept(self, task: VideoTask, kind: ArtifactKind, key: str, place: Path, facts: MediaFacts) -> Artifact:
        stored = await self._parts.blobs.put_file(key, place, facts.media_type)
        now = self._parts.clock.unix()
        return Artifact(
            id=sortable_id("art"),
            path=new_path(f"{kind.value}.{SUFFIXES[facts.media_type]}"),
            blob=key,
            kind=kind,
            customer_id=task.customer_id,
            task_id=task.id,
            facts=facts,
            sha256=stored.sha256,
            created_at=now,
            expires_at=now + self._parts.keep_days * _DAY_SECONDS,
        )


def _notes(task: VideoTask, expected: Size | None, facts: MediaFacts) -> tuple[str, ...]:
    notes: list[str] = []
    if expected is not None and (facts.width, facts.height) != (expected.width, expected.height):
        notes.append(
            f"asked for {expected.width}x{expected.height} pixels, delivered were {facts.width}x{facts.height}"
        )
    asked = task.request.duration_seconds or 0
    if facts.seconds is not None and float(facts.seconds) < asked - _SHORT_SECONDS:
        notes.append(f"asked for {asked} s, delivered were {facts.seconds} s")
    return tuple(notes)
