"""Taking in the files of a request: brought here, measured, held against the offer's limits, then kept.

They are kept before the task's row exists. What a failure or a crash leaves between the two is removed by `drop`, or
later by `sweep_orphans`.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakValueDictionary

from yuanjing.domain.artifacts import SUFFIXES, Artifact, ArtifactKind, MediaFacts
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.parameters import MediaValue
from yuanjing.domain.parameters.values import invalid
from yuanjing.domain.video_offers import MediaRule, VideoSpec
from yuanjing.domain.videos import TaskMedia
from yuanjing.kit.clock import Clock
from yuanjing.kit.ids import sortable_id
from yuanjing.ports.artifacts import (
    BlobStore,
    FetchFailedError,
    FetchRefusedError,
    MediaBusyError,
    MediaInspector,
    NotMediaError,
    ScratchFolder,
    StorageUnavailableError,
)
from yuanjing.usecases.artifacts.keys import blob_key
from yuanjing.usecases.artifacts.limits import check_facts, check_size, check_together, check_type
from yuanjing.usecases.artifacts.links import new_path
from yuanjing.usecases.artifacts.sources import Obtained, Sources

_AT_ONCE = 4
"""So many files of one request are fetched and measured at the same time."""

_ROOM_SECONDS = 1.0
ASSET_SCHEME = "asset://"
_ASSET = re.compile(rf"{ASSET_SCHEME}[A-Za-z0-9_.-]{{1,128}}")


@dataclass(frozen=True, kw_only=True, slots=True)
class IntakeParts:
    """What the intake needs.

    Attributes:
        file_bytes_max: of one file, whatever its offer says.
        measure_seconds: the longest that one file may wait until it is measured, and be measured.
    """

    clock: Clock
    blobs: BlobStore
    scratch: ScratchFolder
    inspector: MediaInspector
    sources: Sources
    file_bytes_max: int
    measure_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenMedia:
    """Files that are kept; their rows are still to be written, with the task's."""

    media: tuple[TaskMedia, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """One file to be taken, and whose it will be."""

    rule: MediaRule
    item: MediaValue
    number: int
    customer_id: str
    task_id: str
    expires_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ready:
    """A file as the provider will get it, still in a temporary place."""

    wanted: _Wanted
    place: Path
    facts: MediaFacts
    source_url: str | None


class MediaIntake:
    """See the module."""

    def __init__(self, parts: IntakeParts) -> None:
        self._parts = parts
        self._room_seen_at: float | None = None
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(
        self, spec: VideoSpec, media: Sequence[MediaValue], *, customer_id: str, task_id: str, expires_at: float
    ) -> TakenMedia:
        """Take all of them, or none. Also without files it is looked whether there is room for what will be made.

        Raises:
            ParameterError: one is no such file as the offer takes; names its field and the limit.
            StorageFullError: there is no room.
            StorageUnavailableError, MediaBusyError: not now.
        """
        await self._check_room()
        if not media:
            return TakenMedia()
        check_together(spec, ((item.role, None) for item in media))
        wanted: list[_Wanted] = []
        for number, item in enumerate(media, 1):
            rule = spec.rule(item.role)
            assert rule is not None, item.role
            wanted.append(
                _Wanted(
                    rule=rule,
                    item=item,
                    number=number,
                    customer_id=customer_id,
                    task_id=task_id,
                    expires_at=expires_at,
                )
            )
        assets = {one.number: asset for one in wanted if (asset := _asset(one))}
        with ExitStack() as stack:
            ready = await self._all_ready([one for one in wanted if one.number not in assets], stack)
            check_together(spec, ((one.wanted.item.role, one.facts.seconds) for one in ready))
            kept = await self._keep(ready)
        files = iter(kept.media)
        return replace(kept, media=tuple(assets.get(one.number) or next(files) for one in wanted))

    async def _check_room(self) -> None:
        """Whether there is any room; that there was some stays true for a moment, and asking costs two threads."""
        now = self._parts.clock.monotonic()
        if self._room_seen_at is not None and now - self._room_seen_at < _ROOM_SECONDS:
            return
        await self._parts.blobs.check_room(0)
        await self._parts.scratch.check_room(0)  # another disk if files are in S3; results pass through it
        self._room_seen_at = now

    async def drop(self, taken: TakenMedia) -> None:
        """Remove what was taken: its task does not come to be."""
        await self._remove([artifact.blob for artifact in taken.artifacts])

    async def _all_ready(self, wanted: Sequence[_Wanted], stack: ExitStack) -> list[_Ready]:
        """Some at a time; of several errors the first file's is told."""
        slots = asyncio.Semaphore(_AT_ONCE)
        found: dict[int, _Ready | YuanjingError] = {}

        async def ready(one: _Wanted) -> None:
            async with slots:
                try:
                    found[one.number] = await self._ready(one, stack)
                except YuanjingError as error:
                    found[one.number] = error

        async with asyncio.TaskGroup() as group:
            for one in wanted:
                group.create_task(ready(one))
        outcomes = [found[one.number] for one in wanted]
        for outcome in outcomes:
            if isinstance(outcome, YuanjingError):
                raise outcome
        return [outcome for outcome in outcomes if isinstance(outcome, _Ready)]

    async def _ready(self, wanted: _Wanted, stack: ExitStack) -> _Ready:
        field, rule, scratch = wanted.item.field, wanted.rule, self._parts.scratch
        bytes_max = min(rule.size_bytes_max, self._parts.file_bytes_max)
        try:
            obtained = await self._parts.sources.obtain(
                wanted.item.value,
                stack.enter_context(scratch.file()),
                customer_id=wanted.customer_id,
                size_bytes_max=bytes_max,
            )
            check_size(replace(rule, size_bytes_max=bytes_max), field, obtained.place.stat().st_size)
            async with self._turn(wanted.customer_id):
                return await self._measured(wanted, obtained, stack)
        except (NotMediaError, FetchRefusedError, FetchFailedError) as error:
            raise invalid(field, error.message) from error

    @asynccontextmanager
    async def _turn(self, customer_id: str) -> AsyncGenerator[None]:
        """One file of a customer at a time, and not for ever: who sends slow ones keeps itself waiting, nobody else."""
        turn = self._turns.setdefault(customer_id, asyncio.Lock())
        try:
            async with asyncio.timeout(self._parts.measure_seconds), turn:
                yield
        except TimeoutError as error:
            raise MediaBusyError("Files wait too long to be looked at; try again") from error

    async def _measured(self, wanted: _Wanted, obtained: Obtained, stack: ExitStack) -> _Ready:
        """A picture that the provider could not read, or would see lying, is written anew."""
        inspected = await self._parts.inspector.inspect(obtained.place)
        place, facts, source_url = obtained.place, inspected.facts, obtained.source_url
        check_type(wanted.rule, wanted.item.field, facts.media_type)
        if not inspected.is_ready:
            place, source_url = stack.enter_context(self._parts.scratch.file()), None
            facts = await self._parts.inspector.normalise(obtained.place, place)
        check_facts(wanted.rule, wanted.item.field, facts)
        return _Ready(wanted=wanted, place=place, facts=facts, source_url=source_url)

    async def _keep(self, ready: Sequence[_Ready]) -> TakenMedia:
        media: list[TaskMedia] = []
        artifacts: list[Artifact] = []
        keys = [
            blob_key(one.wanted.task_id, f"input{one.wanted.number}.{SUFFIXES[one.facts.media_type]}") for one in ready
        ]
        try:
            for one, key in zip(ready, keys, strict=True):
                stored = await self._parts.blobs.put_file(key, one.place, one.facts.media_type)
                artifact = Artifact(
                    id=sortable_id("art"),
                    path=new_path(key.rpartition("/")[2]),
                    blob=key,
                    kind=ArtifactKind.INPUT,
                    customer_id=one.wanted.customer_id,
                    task_id=one.wanted.task_id,
                    facts=one.facts,
                    sha256=stored.sha256,
                    created_at=self._parts.clock.unix(),
                    expires_at=one.wanted.expires_at,
                )
                artifacts.append(artifact)
                media.append(
                    TaskMedia(
                        role=one.wanted.item.role,
                        artifact_id=artifact.id,
                        source_url=one.source_url,
                        seconds=one.facts.seconds,
                    )
                )
        except BaseException:
            await self._remove(keys)
            raise
        return TakenMedia(media=tuple(media), artifacts=tuple(artifacts))

    async def _remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            with suppress(StorageUnavailableError):  # `sweep_orphans` will
                await self._parts.blobs.remove(key)


def _asset(wanted: _Wanted) -> TaskMedia | None:
    """The file, if it is named as one in its provider's library, and its offer takes such names; it stays there.

    Raises:
        ParameterError: it is no such name.
    """
    value = wanted.item.value
    if not isinstance(value, str) or not wanted.rule.takes_assets or not value.startswith(ASSET_SCHEME):
        return None
    if not _ASSET.fullmatch(value):
        raise invalid(wanted.item.field, f"write {ASSET_SCHEME} and the id of the asset")
    return TaskMedia(role=wanted.item.role, artifact_id="", source_url=value)
