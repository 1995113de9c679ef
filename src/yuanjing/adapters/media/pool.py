"""Processes that look into files, as many as the settings say, started when they are needed."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Self

import yuanjing
from yuanjing.adapters.media.findings import Finding, Job
from yuanjing.domain.artifacts import MediaFacts
from yuanjing.ports.artifacts import Inspection, MediaBusyError, NotMediaError

_START_SECONDS = 30.0
_JOBS_MAX = 1000
"""After so many files a process is replaced: what libraries leak goes with it."""
_FRAME_TYPE = "image/jpeg"
_TOO_SLOW = "the file takes too long to be decoded"
_DIED = "the file is broken: decoding it fails"


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolOptions:
    """See the settings `media_…`.

    Attributes:
        idle_seconds: a process that has had nothing to do for so long ends.
        nice: how far its processes stand back behind others, from 0 to 19.
    """

    workers: int = 2
    queue_max: int = 256
    seconds: float = 30.0
    memory_bytes_max: int = 1536 * 1024 * 1024
    pixels_max: int = 50_000_000
    idle_seconds: float = 120.0
    nice: int = 5


class MediaPool:
    """See `yuanjing.ports.artifacts.MediaInspector`. A context manager; its processes end with it."""

    def __init__(self, options: PoolOptions) -> None:
        self._options = options
        self._slots = asyncio.Semaphore(options.workers)
        self._idle: list[_Child] = []
        self._waiting = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            await self._idle.pop().end()

    async def inspect(self, place: Path) -> Inspection:
        """See the port."""
        found = await self._ask(Job(what="inspect", place=str(place)))
        return Inspection(facts=await asyncio.to_thread(_facts, found, place), is_ready=found.is_ready)

    async def examine(self, place: Path, first_frame: Path) -> Inspection:
        """See the port."""
        found = await self._ask(Job(what="examine", place=str(place), target=str(first_frame)))
        return await asyncio.to_thread(_inspection, found, place, first_frame)

    async def normalise(self, place: Path, target: Path) -> MediaFacts:
        """See the port."""
        found = await self._ask(Job(what="normalise", place=str(place), target=str(target)))
        return await asyncio.to_thread(_facts, found, target)

    async def _ask(self, job: Job) -> Finding:
        if self._waiting >= self._options.queue_max:
            raise MediaBusyError("Too many files wait to be looked at; try again")
        self._waiting += 1
        try:
            async with self._slots:
                found = await self._ask_one(job)
        finally:
            self._waiting -= 1
        if found.problem:
            raise NotMediaError(found.problem)
        return found

    async def _ask_one(self, job: Job) -> Finding:
        """Ask a process that has nothing to do. One that died while it waited for work says nothing about the file."""
        found = await self._ask_child(self._idle.pop(), job) if self._idle else None
        if found is None:
            found = await self._ask_child(await _Child.start(self._options), job)
        return found or Finding(problem=_DIED)

    async def _ask_child(self, child: "_Child", job: Job) -> Finding | None:
        """What it finds; None if it has died. One that does not answer, or is not waited for, is of no more use."""
        try:
            async with asyncio.timeout(self._options.seconds):
                found = await child.ask(job)
        except TimeoutError:
            found = Finding(problem=_TOO_SLOW)
        except (OSError, EOFError, ValueError):
            found = None
        else:
            if child.jobs < _JOBS_MAX:
                self._rest(child)
                return found
        finally:
            if child not in self._idle:
                await child.end()
        return found

    def _rest(self, child: "_Child") -> None:
        self._idle.append(child)
        jobs = child.jobs
        asyncio.get_running_loop().call_later(self._options.idle_seconds, self._retire, child, jobs)

    def _retire(self, child: "_Child", jobs: int) -> None:
        if child in self._idle and child.jobs == jobs:
            self._idle.remove(child)
            child.kill()


class _Child:
    """One process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.jobs = 0

    @classmethod
    async def start(cls, options: PoolOptions) -> "_Child":
        """Start one, and wait until it has its libraries.

        Raises:
            RuntimeError: it does not start, which is a fault of the installation.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "yuanjing.adapters.media.worker",
            str(options.memory_bytes_max),
            str(options.pixels_max),
            str(options.nice),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={"PYTHONPATH": str(Path(yuanjing.__file__).parents[1]), "LANG": "C.UTF-8"},
        )
        child = cls(process)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await child.hear()
        except (TimeoutError, OSError, EOFError, ValueError) as error:
            await child.end()
            raise RuntimeError("the process that looks into files does not start") from error
        except asyncio.CancelledError:
            child.kill()
            raise
        return child

    async def ask(self, job: Job) -> Finding:
        """What it finds.

        Raises:
            OSError, EOFError, ValueError: it has died.
        """
        self.jobs += 1
        stdin = self._process.stdin
        assert stdin is not None
        if stdin.is_closing():
            raise EOFError
        stdin.write(job.to_line())
        await stdin.drain()
        return await self.hear()

    async def hear(self) -> Finding:
        """Its next line; errors as those of `ask`."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise EOFError
        return Finding.from_line(line)

    def kill(self) -> None:
        """Let it go at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """Let it go, and wait until it has."""
        self.kill()
        await self._process.wait()


def _inspection(found: Finding, place: Path, first_frame: Path) -> Inspection:
    frame = None
    if found.has_frame:
        size = first_frame.stat().st_size
        frame = MediaFacts(media_type=_FRAME_TYPE, size_bytes=size, width=found.width, height=found.height)
    return Inspection(facts=_facts(found, place), is_ready=found.is_ready, is_black=found.is_black, first_frame=frame)


def _facts(found: Finding, place: Path) -> MediaFacts:
    return MediaFacts(
        media_type=found.media_type,
        size_bytes=place.stat().st_size,
        width=found.width,
        height=found.height,
        seconds=Decimal(found.seconds) if found.seconds is not None else None,
        frame_rate=Decimal(found.frame_rate) if found.frame_rate is not None else None,
        has_audio=found.has_audio,
    )
