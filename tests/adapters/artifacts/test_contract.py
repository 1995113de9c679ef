"""What every store of files promises: in memory, in a folder, in S3."""

import hashlib

import pytest

from yuanjing.domain.errors import NotFoundError
from yuanjing.kit.clock import SystemClock

SMALL = b"a film"
LARGE = bytes(range(256)) * 4096 * 9
"""More than S3 takes in one part, and many chunks."""


async def put(blobs, tmp_path, key, data):
    place = tmp_path / "upload"
    place.write_bytes(data)
    stored = await blobs.put_file(key, place, "video/mp4")
    assert place.read_bytes() == data
    place.unlink()
    return stored


async def read(blobs, key, start=0, end=None):
    async with blobs.open(key) as blob:
        return b"".join([chunk async for chunk in blob.read(start, blob.size_bytes if end is None else end)])


@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
async def test_what_is_put_is_read(blobs, tmp_path, data):
    stored = await put(blobs, tmp_path, "1/123/video", data)
    assert (stored.size_bytes, stored.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert await blobs.size("1/123/video") == len(data)
    assert await read(blobs, "1/123/video") == data


@pytest.mark.parametrize(("start", "end"), [(0, 1), (5, 5), (65_535, 65_537), (9_000_000, len(LARGE)), (0, 200_000)])
async def test_parts_are_read(blobs, tmp_path, start, end):
    await put(blobs, tmp_path, "1/123/video", LARGE)
    assert await read(blobs, "1/123/video", start, end) == LARGE[start:end]


async def test_a_file_that_is_put_again_is_replaced(blobs, tmp_path):
    await put(blobs, tmp_path, "1/123/video", LARGE)
    await put(blobs, tmp_path, "1/123/video", SMALL)
    assert await read(blobs, "1/123/video") == SMALL
    assert [entry.key async for entry in blobs.entries()] == ["1/123/video"]


async def test_what_is_not_there_is_told(blobs):
    assert await blobs.size("1/123/video") is None
    with pytest.raises(NotFoundError):
        async with blobs.open("1/123/video"):
            raise AssertionError
    await blobs.remove("1/123/video")


async def test_what_is_removed_is_gone_and_its_neighbours_stay(blobs, tmp_path):
    for name in ("video", "cover"):
        await put(blobs, tmp_path, f"1/123/{name}", SMALL)
    await put(blobs, tmp_path, "1/124/video", SMALL)
    await blobs.remove("1/123/video")
    assert await blobs.size("1/123/video") is None
    assert sorted([entry.key async for entry in blobs.entries()]) == ["1/123/cover", "1/124/video"]
    await blobs.remove("1/123/cover")
    await put(blobs, tmp_path, "1/123/video", SMALL)
    assert await read(blobs, "1/123/video") == SMALL


async def test_entries_tell_when_a_file_came(blobs, tmp_path):
    before = SystemClock().unix()
    await put(blobs, tmp_path, "1/123/video", SMALL)
    (entry,) = [entry async for entry in blobs.entries()]
    assert before - 2 <= entry.modified_at <= SystemClock().unix() + 2


async def test_a_reader_may_stop_before_the_end(blobs, tmp_path):
    await put(blobs, tmp_path, "1/123/video", LARGE)
    async with blobs.open("1/123/video") as blob:
        chunks = blob.read(0, blob.size_bytes)
        first = await anext(chunks)
        await chunks.aclose()
    assert LARGE.startswith(first)
    assert first
