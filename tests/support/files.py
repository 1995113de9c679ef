"""What the use cases of files work with, without processes and without a network."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from yuanjing.adapters.artifacts.folder import FolderBlobs
from yuanjing.adapters.artifacts.room import Room
from yuanjing.adapters.artifacts.scratch import Scratch
from yuanjing.adapters.media import pictures, pool
from yuanjing.adapters.media.findings import Job
from yuanjing.adapters.media.worker import work
from yuanjing.adapters.memory.store import MemoryStore
from yuanjing.domain.artifacts import MediaFacts
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.artifacts import FetchFailedError, FetchLimits, FetchRefusedError, Inspection, NotMediaError
from yuanjing.usecases.artifacts.links import ArtifactLinks

PIXELS_MAX = 50_000_000
PEPPER = b"a pepper for files"


class DirectInspector:
    """Measures as the processes of the pool do, in this one."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        pictures.prepare(PIXELS_MAX)

    async def inspect(self, place: Path) -> Inspection:
        found = await self._work(Job(what="inspect", place=str(place)))
        return Inspection(facts=facts_of(found, place), is_ready=found.is_ready)

    async def examine(self, place: Path, first_frame: Path) -> Inspection:
        found = await self._work(Job(what="examine", place=str(place), target=str(first_frame)))
        return pool._inspection(found, place, first_frame)

    async def normalise(self, place: Path, target: Path) -> MediaFacts:
        return facts_of(await self._work(Job(what="normalise", place=str(place), target=str(target))), target)

    async def _work(self, job):
        self.seen.append(job.what)
        found = await asyncio.to_thread(work, job, PIXELS_MAX)
        if found.problem:
            raise NotMediaError(found.problem)
        return found


def facts_of(found, place) -> MediaFacts:
    return MediaFacts(
        media_type=found.media_type,
        size_bytes=place.stat().st_size,
        width=found.width,
        height=found.height,
        seconds=Decimal(found.seconds) if found.seconds else None,
        frame_rate=Decimal(found.frame_rate) if found.frame_rate else None,
        has_audio=found.has_audio,
    )


@dataclass
class CannedFetcher:
    """Answers addresses with bytes, or with an error; others are refused."""

    answers: dict = field(default_factory=dict)
    asked: list[tuple[str, FetchLimits]] = field(default_factory=list)

    async def fetch(self, url: str, target: Path, limits: FetchLimits) -> int:
        self.asked.append((url, limits))
        await asyncio.sleep(0)
        answer = self.answers.get(url)
        if answer is None:
            raise FetchRefusedError("the address may not be fetched")
        if isinstance(answer, FetchFailedError | FetchRefusedError):
            raise answer
        if len(answer) > limits.size_bytes_max:
            raise FetchRefusedError(f"the file has more than {limits.size_bytes_max} bytes")
        await asyncio.to_thread(target.write_bytes, answer)
        return len(answer)


class Bench:
    """A store, a folder for files, and the rest; `free` is what is free on its disk."""

    def __init__(self, folder: Path) -> None:
        self.free = 10**9
        self.clock = ManualClock()
        self.store = MemoryStore(clock=self.clock)
        self.room = Room(folder=folder, reserve_bytes=1000, free_bytes=lambda _: self.free)
        self.blobs = FolderBlobs(folder / "artifacts", room=self.room, chunk_bytes=64 * 1024)
        self.inspector = DirectInspector()
        self.fetcher = CannedFetcher()
        self.links = ArtifactLinks(PEPPER, self.clock, is_signed=False, seconds=3600)
        self._stack = ExitStack()
        self.scratch = self._stack.enter_context(Scratch(folder / "uploads", room=self.room))
        self.folder = folder

    def close(self) -> None:
        self._stack.close()

    def kept(self) -> list[str]:
        """The keys of all files."""
        root = self.folder / "artifacts"
        return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())

    def temporary(self) -> list[str]:
        """What lies in the temporary folder."""
        return [p.name for p in self.scratch._own.iterdir() if p.name != "lock"]
