"""What only a folder does: it is full one day, it is synced, and a file that is open can be removed."""

import asyncio
import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from yuanjing.adapters.artifacts import folder as module
from yuanjing.adapters.artifacts.folder import FolderBlobs
from yuanjing.adapters.artifacts.room import Room
from yuanjing.domain.artifacts import StorageFullError
from yuanjing.kit.clock import SystemClock
from yuanjing.ports.artifacts import StorageUnavailableError

DATA = bytes(range(256)) * 4096


def make(folder, free=10**9, reserve=1000, chunk=1000):
    room = Room(folder=folder, reserve_bytes=reserve, free_bytes=lambda _: free)
    return FolderBlobs(folder / "artifacts", room=room, chunk_bytes=chunk)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "f").write_bytes(DATA)
    return tmp_path / "f"


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


async def test_the_reserve_stays_free(tmp_path, place):
    await make(tmp_path, free=len(DATA) + 1000).put_file("1/2/v", place, "video/mp4")
    with pytest.raises(StorageFullError):
        await make(tmp_path, free=len(DATA) + 999).put_file("1/2/w", place, "video/mp4")
    await make(tmp_path, free=1000).check_room(0)
    with pytest.raises(StorageFullError):
        await make(tmp_path, free=999).check_room(0)
    assert everything(tmp_path / "artifacts") == [".new", "1", "1/2", "1/2/v"]


@pytest.mark.parametrize("call", ["link", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
async def test_a_disk_that_fails_leaves_nothing_behind(tmp_path, place, monkeypatch, call, number):
    def fail(*_, **__):
        raise OSError(number, "of no use")

    blobs = make(tmp_path)
    if call == "link":
        monkeypatch.setattr(module.os, "link", fail)
        monkeypatch.setattr(module.shutil, "copyfile", fail)
    elif call == "fsync":
        monkeypatch.setattr(module.os, "fsync", fail)
    else:
        monkeypatch.setattr(module.Path, "replace", fail)
    expected = StorageFullError if number == errno.ENOSPC else StorageUnavailableError
    with pytest.raises(expected):
        await blobs.put_file("1/2/v", place, "video/mp4")
    assert await blobs.size("1/2/v") is None
    assert not list((tmp_path / "artifacts" / ".new").iterdir())


async def test_files_and_their_folders_are_synced_before_the_answer(tmp_path, place, monkeypatch):
    synced, moved = [], []
    fsync, replace = os.fsync, module.Path.replace
    monkeypatch.setattr(
        module.os, "fsync", lambda fd: (synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())), fsync(fd))
    )
    monkeypatch.setattr(module.Path, "replace", lambda a, b: (moved.append(len(synced)), replace(a, b)))
    await make(tmp_path).put_file("1/2/v", place, "video/mp4")
    names = [name.removeprefix(str(tmp_path / "artifacts")) for name in synced]
    assert moved == [1]
    assert names[0].startswith("/.new/")
    assert names[1:] == ["/1/2", "/1", ""]


async def test_another_disk_gets_a_copy(tmp_path, place, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(module.os, "link", refuse)
    blobs = make(tmp_path)
    await blobs.put_file("1/2/v", place, "video/mp4")
    path = blobs.local_path("1/2/v")
    assert path.read_bytes() == DATA
    assert path.stat().st_ino != place.stat().st_ino
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_published_file_can_be_published_again_from_its_own_place(tmp_path, place):
    blobs = make(tmp_path)
    first = await blobs.put_file("1/2/v", place, "video/mp4")
    assert await blobs.put_file("1/2/v", blobs.local_path("1/2/v"), "video/mp4") == first
    assert blobs.local_path("1/2/v").read_bytes() == DATA
    assert not list((tmp_path / "artifacts" / ".new").iterdir())


async def test_an_open_file_is_read_to_its_end_although_it_is_removed(tmp_path, place):
    blobs = make(tmp_path)
    await blobs.put_file("1/2/v", place, "video/mp4")
    async with blobs.open("1/2/v") as blob:
        chunks = blob.read(0, blob.size_bytes)
        first = await anext(chunks)
        await blobs.remove("1/2/v")
        assert await blobs.size("1/2/v") is None
        assert first + b"".join([chunk async for chunk in chunks]) == DATA
    assert everything(tmp_path / "artifacts") == [".new"]


async def test_a_file_that_became_shorter_is_no_silent_end(tmp_path, place):
    blobs = make(tmp_path)
    await blobs.put_file("1/2/v", place, "video/mp4")
    async with blobs.open("1/2/v") as blob:
        os.truncate(blobs.local_path("1/2/v"), 10)
        with pytest.raises(StorageUnavailableError):
            assert [chunk async for chunk in blob.read(0, blob.size_bytes)]


async def test_drafts_of_the_dead_are_forgotten_after_a_day(tmp_path):
    blobs = make(tmp_path)
    old, new = (tmp_path / "artifacts" / ".new" / name for name in ("old", "new"))
    for draft in (old, new):
        draft.write_bytes(b"half")
    os.utime(old, (SystemClock().unix() - 90_000,) * 2)
    assert [entry async for entry in blobs.entries()] == []
    assert (old.exists(), new.exists()) == (False, True)


async def test_putting_and_removing_neighbours_at_the_same_time(tmp_path, place):
    blobs = make(tmp_path)

    async def again(name):
        for _ in range(20):
            await blobs.put_file(f"1/2/{name}", place, "video/mp4")
            await blobs.remove(f"1/2/{name}")

    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(again(name))
    assert everything(tmp_path / "artifacts") == [".new"]


async def test_a_folder_that_goes_while_it_is_made(tmp_path, place, monkeypatch):
    """`mkdir` finds it, and asks whether it is a folder when a neighbour has removed it."""
    blobs, make_folder, times = make(tmp_path), Path.mkdir, []

    def mkdir(path, *arguments, **options):
        times.append(path)
        if len(times) == 1:
            raise FileExistsError(17, "File exists")
        make_folder(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    await blobs.put_file("1/2/a", place, "video/mp4")
    assert times[0] == times[1] == tmp_path / "artifacts" / "1" / "2"
    assert await blobs.size("1/2/a") == place.stat().st_size


@pytest.mark.parametrize("key", ["", "/x", "../x", "a/../b", "a/./b", "a//b", "a/", ".new/x", "a\0b", "a b", "x" * 200])
async def test_keys_lead_nowhere_else(tmp_path, key):
    blobs = make(tmp_path)
    with pytest.raises(ValueError, match="no key"):
        await blobs.size(key)
    with pytest.raises(ValueError, match="no key"):
        blobs.local_path(key)


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path):
    (tmp_path / "artifacts").write_text("no folder")
    with pytest.raises(StorageUnavailableError):
        make(tmp_path)


async def test_a_download_that_is_given_up_closes_its_file_after_the_last_read(tmp_path, place, monkeypatch):
    """A read that is still under way must not find another file under the number of its descriptor."""
    blobs = make(tmp_path, chunk=len(DATA))
    await blobs.put_file("1/2/v", place, "video/mp4")
    loop, reads, is_cancelled = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    found: list[bytes] = []
    pread = os.pread

    def late(descriptor, length, start):
        loop.call_soon_threadsafe(reads.set)
        assert is_cancelled.wait(10)
        found.append(pread(descriptor, length, start))
        return found[0]

    async def download():
        async with blobs.open("1/2/v") as blob:
            async for _ in blob.read(0, blob.size_bytes):
                pass

    monkeypatch.setattr(module, "_ONLY_CACHED", 0)
    monkeypatch.setattr(module.os, "pread", late)
    job = asyncio.ensure_future(download())
    await reads.wait()
    job.cancel()
    await asyncio.sleep(0.05)
    is_cancelled.set()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert found == [DATA]


async def test_who_gives_up_while_a_file_is_opened_leaves_it_closed(tmp_path, place, monkeypatch):
    blobs = make(tmp_path)
    await blobs.put_file("1/2/v", place, "video/mp4")
    loop, opens, is_cancelled = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    opened: list[int] = []
    real = os.open

    def late(path, flags):
        loop.call_soon_threadsafe(opens.set)
        assert is_cancelled.wait(10)
        opened.append(real(path, flags))
        return opened[0]

    async def download():
        async with blobs.open("1/2/v"):
            pass

    monkeypatch.setattr(module.os, "open", late)
    job = asyncio.ensure_future(download())
    await opens.wait()
    job.cancel()
    await asyncio.sleep(0.05)
    is_cancelled.set()
    with pytest.raises(asyncio.CancelledError):
        await job
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])
