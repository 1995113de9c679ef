"""Where the files of a request come from: uploaded, written into a text, fetched, or given out by us before."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from yuanjing.domain.artifacts import Artifact, IncomingFile
from yuanjing.kit.clock import Clock
from yuanjing.kit.datauri import read_data_uri
from yuanjing.ports.artifacts import (
    BlobStore,
    Fetcher,
    FetchLimits,
    FetchRefusedError,
    NotMediaError,
    ScratchFolder,
)
from yuanjing.ports.store import Store

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_NO_SOURCE = "it must be a file, an http(s) address, a data: URI or Base64"


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchTimes:
    """The longest that a fetch may take, and that it may stand still."""

    total_seconds: float
    idle_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Obtained:
    """A file on our disk.

    Attributes:
        source_url: where the customer has it, if it is an address of somebody else.
    """

    place: Path
    source_url: str | None = None


class OwnFiles:
    """Files that we give out ourselves, by the links of answers: a customer may use its own ones again.

    They are not fetched, as no address of this machine is.
    """

    def __init__(self, store: Store, blobs: BlobStore, clock: Clock, addresses: Sequence[str]) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._origins = frozenset(_origin(address) for address in addresses if address)

    async def find(self, url: str, customer_id: str) -> Artifact | None:
        """The file behind a link of ours; None if it is none, or not this customer's."""
        parts = urlsplit(url)
        paths = parse_qs(parts.query).get("path", [""])
        if parts.path != "/idfile" or _origin(url) not in self._origins:
            return None
        artifact = await self._store.read(lambda tx: tx.artifacts.by_path(paths[0]))
        if artifact is None or artifact.customer_id != customer_id or artifact.removed_at is not None:
            return None
        return artifact if artifact.expires_at > self._clock.unix() else None

    async def copy(self, artifact: Artifact, place: Path, scratch: ScratchFolder) -> None:
        """Its bytes into a file."""
        async with self._blobs.open(artifact.blob) as blob:
            async for chunk in blob.read(0, blob.size_bytes):
                await scratch.append(place, chunk)


class Sources:
    """Brings files of every kind to our disk."""

    def __init__(self, scratch: ScratchFolder, fetcher: Fetcher, own: OwnFiles, times: FetchTimes) -> None:
        self._scratch = scratch
        self._fetcher = fetcher
        self._own = own
        self._times = times

    async def obtain(
        self, value: str | IncomingFile, target: Path, *, customer_id: str, size_bytes_max: int
    ) -> Obtained:
        """The file, at `target` if it is not on our disk yet.

        Raises:
            NotMediaError: the text holds no file.
            FetchRefusedError, FetchFailedError: the address could not be fetched.
            StorageFullError: there is no room.
        """
        if isinstance(value, IncomingFile):
            return Obtained(place=value.place)
        text = value.strip()
        if not _ADDRESS.match(text):
            await self._scratch.write(target, await asyncio.to_thread(_decoded, text))
            return Obtained(place=target)
        own = await self._own.find(_parseable(text), customer_id)
        if own is not None:
            await self._own.copy(own, target, self._scratch)
            return Obtained(place=target)
        limits = FetchLimits(
            size_bytes_max=size_bytes_max,
            total_seconds=self._times.total_seconds,
            idle_seconds=self._times.idle_seconds,
        )
        await self._fetcher.fetch(text, target, limits)
        return Obtained(place=target, source_url=text)


def _parseable(url: str) -> str:
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise FetchRefusedError(_NO_SOURCE) from error
    return url


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _decoded(text: str) -> bytes | bytearray:
    try:
        return read_data_uri(text)
    except ValueError as error:
        raise NotMediaError(_NO_SOURCE) from error
