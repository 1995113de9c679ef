"""How much may still be written to a disk."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from yuanjing.domain.artifacts import StorageFullError
from yuanjing.kit import disk
from yuanjing.ports.artifacts import StorageUnavailableError

FULL_MESSAGE = "There is no room for files at the moment; try again later"


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """A disk, and what must stay free on it.

    Attributes:
        folder: on the disk in question; it exists.
        free_bytes: how much is free there; another one in tests.
    """

    folder: Path
    reserve_bytes: int
    free_bytes: Callable[[Path], int] = disk.free_bytes

    async def check(self, size_bytes: int) -> None:
        """Whether so much more fits.

        Raises:
            StorageFullError: not.
            StorageUnavailableError: the disk cannot be asked.
        """
        await asyncio.to_thread(self.check_here, size_bytes)

    def check_here(self, size_bytes: int) -> None:
        """The same, in a thread that may wait for the disk."""
        with disk_errors():
            free = self.free_bytes(self.folder)
        if free - size_bytes < self.reserve_bytes:
            raise StorageFullError(FULL_MESSAGE)


@contextmanager
def disk_errors() -> Generator[None]:
    """What the disk refuses, in the words of the ports.

    Raises:
        StorageFullError: it is full.
        StorageUnavailableError: anything else is wrong with it.
    """
    try:
        yield
    except OSError as error:
        if disk.is_full(error):
            raise StorageFullError(FULL_MESSAGE) from error
        raise StorageUnavailableError(f"files cannot be reached: {error.strerror}") from error
