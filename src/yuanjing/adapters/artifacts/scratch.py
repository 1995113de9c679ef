"""Temporary files of one process, in a folder of its own that is locked while it lives."""

import asyncio
import fcntl
import os
import secrets
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from yuanjing.adapters.artifacts.room import Room, disk_errors

_LOCK = "lock"
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600


class Scratch:
    """See `yuanjing.ports.artifacts.ScratchFolder`. A context manager; what dead processes have left is removed first.

    The kernel drops a dead process's lock, however it died.
    """

    def __init__(self, folder: Path, *, room: Room) -> None:
        self._folder = folder
        self._own = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._room = room
        self._lock = -1

    def __enter__(self) -> Self:
        """Make the process's folder.

        Raises:
            StorageFullError, StorageUnavailableError: it cannot be made.
        """
        with disk_errors():
            self._folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            self._sweep()
            draft = self._own.with_name(f".{self._own.name}")  # nobody sees it before it is locked
            draft.mkdir(mode=_FOLDER_MODE)
            self._lock = os.open(draft / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            draft.rename(self._own)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._own, ignore_errors=True)
        os.close(self._lock)

    @contextmanager
    def file(self) -> Generator[Path]:
        """See the port."""
        place = self._own / secrets.token_hex(16)
        try:
            yield place
        finally:
            with suppress(OSError):  # the next process removes what cannot be removed now
                place.unlink(missing_ok=True)

    async def write(self, place: Path, data: bytes | bytearray) -> None:
        """See the port."""
        await self._put(place, data, os.O_TRUNC)

    async def append(self, place: Path, data: bytes | bytearray) -> None:
        """See the port."""
        await self._put(place, data, os.O_APPEND)

    async def check_room(self, size_bytes: int) -> None:
        """See the port."""
        await self._room.check(size_bytes)

    async def _put(self, place: Path, data: bytes | bytearray, flag: int) -> None:
        """Room is looked for at each piece: others write meanwhile, and not every request says how large it is."""

        def work() -> None:
            self._room.check_here(len(data))
            _put(place, data, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flag)

        with disk_errors():
            await asyncio.to_thread(work)

    def _sweep(self) -> None:
        for folder in self._folder.iterdir():
            if not folder.name.startswith(".") and not _is_in_use(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_in_use(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _put(place: Path, data: bytes | bytearray, flags: int) -> None:
    descriptor = os.open(place, flags, _FILE_MODE)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)
