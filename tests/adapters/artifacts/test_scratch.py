"""Temporary files: gone in the end, whoever made them and however it died."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from yuanjing.adapters.artifacts.room import Room
from yuanjing.adapters.artifacts.scratch import Scratch
from yuanjing.domain.artifacts import StorageFullError

DIE = """
import os, sys
from pathlib import Path
from yuanjing.adapters.artifacts.room import Room
from yuanjing.adapters.artifacts.scratch import Scratch
folder = Path(sys.argv[1])
scratch = Scratch(folder / "uploads", room=Room(folder=folder, reserve_bytes=0)).__enter__()
with scratch.file() as place:
    place.write_bytes(b"left")
    print(place, flush=True)
    os._exit(9)
"""


def make(folder, **room):
    return Scratch(folder / "uploads", room=Room(folder=folder, **({"reserve_bytes": 0} | room)))


async def test_a_file_is_there_until_the_end(tmp_path):
    with make(tmp_path) as scratch:
        with scratch.file() as place:
            assert not place.exists()
            await scratch.append(place, b"one ")
            await scratch.append(place, b"two")
            assert place.read_bytes() == b"one two"
            assert place.stat().st_mode & 0o777 == 0o600
            await scratch.write(place, b"three")
            assert place.read_bytes() == b"three"
        assert not place.exists()
    assert list((tmp_path / "uploads").iterdir()) == []


def left_by_a_dead_process(folder):
    command = [sys.executable, "-c", DIE, str(folder)]
    dead = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603  # our own words
    return Path(dead.stdout.strip())


async def test_what_a_dead_process_left_goes_and_what_a_living_one_has_stays(tmp_path):
    left = left_by_a_dead_process(tmp_path)
    assert left.exists()
    with make(tmp_path) as one, one.file() as place:
        assert not left.exists()
        await one.write(place, b"mine")
        with make(tmp_path):
            assert place.read_bytes() == b"mine"
        assert place.read_bytes() == b"mine"


async def test_room_is_looked_for(tmp_path):
    with make(tmp_path, reserve_bytes=10, free_bytes=lambda _: 100) as scratch:
        await scratch.check_room(90)
        with pytest.raises(StorageFullError):
            await scratch.check_room(91)


async def test_the_reserve_stays_free_while_files_grow(tmp_path):
    free = 100
    with make(tmp_path, reserve_bytes=10, free_bytes=lambda _: free) as scratch, scratch.file() as place:
        await scratch.append(place, b"x" * 90)
        free = 10  # others have written
        for call in (scratch.append, scratch.write):
            with pytest.raises(StorageFullError):
                await call(place, b"y")
        assert place.read_bytes() == b"x" * 90


async def test_a_disk_that_is_full_while_writing_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    with make(tmp_path) as scratch, scratch.file() as place:
        monkeypatch.setattr("yuanjing.adapters.artifacts.scratch._put", full)
        for call in (scratch.write, scratch.append):
            with pytest.raises(StorageFullError):
                await call(place, b"x")
