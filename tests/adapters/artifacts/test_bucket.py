"""What only S3 does: links of its own, signatures, and words that hold no secret."""

import datetime as dt
from dataclasses import replace

import httpx2
import pytest

from yuanjing.adapters.artifacts.bucket import BucketBlobs
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.artifacts import StorageRefusedError, StorageUnavailableError


async def test_a_link_gives_the_file_with_its_type_and_no_other(bucket_options, tmp_path):
    blobs = BucketBlobs(bucket_options, chunk_bytes=1)
    (tmp_path / "f").write_bytes(b"film")
    await blobs.put_file("1/123/video", tmp_path / "f", "video/mp4")
    link = await blobs.link("1/123/video", 60)
    async with httpx2.AsyncClient() as client:
        answer = await client.get(link, headers={"range": "bytes=1-2"})
        assert (answer.status_code, answer.content) == (206, b"il")
        assert answer.headers["content-type"] == "video/mp4"
        assert (await client.get(link.replace("video", "cover"))).status_code == 403
        assert (await client.get(link.partition("?")[0])).status_code == 403
    assert bucket_options.secret_access_key not in link


async def test_a_wrong_key_is_unavailable_and_not_told(bucket_options, tmp_path):
    blobs = BucketBlobs(replace(bucket_options, secret_access_key="wrong-secret"), chunk_bytes=1)
    (tmp_path / "f").write_bytes(b"film")
    for call in (
        blobs.put_file("1/123/video", tmp_path / "f", "video/mp4"),
        blobs.size("1/123/video"),
        blobs.remove("1/123/video"),
    ):
        with pytest.raises(StorageUnavailableError) as error:
            await call
        assert "secret" not in error.value.message
        assert "http" not in error.value.message
    assert "wrong-secret" not in repr(replace(bucket_options, secret_access_key="wrong-secret"))


async def test_a_service_that_is_not_there_is_unavailable(bucket_options, monkeypatch):
    monkeypatch.setattr("yuanjing.adapters.artifacts.bucket._RETRY_SECONDS", dt.timedelta(seconds=0.1))
    blobs = BucketBlobs(replace(bucket_options, endpoint="http://127.0.0.1:9"), chunk_bytes=1)
    with pytest.raises(StorageUnavailableError):
        await blobs.size("1/123/video")


async def test_keys_lead_nowhere_else(bucket_options):
    blobs = BucketBlobs(bucket_options, chunk_bytes=1)
    for key in ("", "/x", "../x", "a/../b", "a//b", "a/.b", "a b", "a\\b"):
        with pytest.raises(ValueError, match="no key"):
            await blobs.size(key)


async def test_there_is_room_while_something_can_be_written(bucket_options, s3, tmp_path):
    """Asked again after a while only, soon after a failure, and at once after a file that could not be kept."""
    clock, folder = ManualClock(), tmp_path / "f"
    folder.write_bytes(b"film")
    options = replace(bucket_options, bucket="moves", check_seconds=30.0)
    (s3.folder / "moves").mkdir()
    blobs = BucketBlobs(options, chunk_bytes=1, clock=clock)
    await blobs.check_room(0)
    (s3.folder / "moves").rename(s3.folder / "moved")
    clock.advance(29)
    await blobs.check_room(0)
    clock.advance(2)
    with pytest.raises(StorageRefusedError, match="no such bucket"):
        await blobs.check_room(0)
    (s3.folder / "moved").rename(s3.folder / "moves")
    with pytest.raises(StorageRefusedError):
        await blobs.check_room(0)
    clock.advance(2)
    await blobs.check_room(0)
    (s3.folder / "moves").rename(s3.folder / "moved")
    with pytest.raises(StorageUnavailableError):
        await blobs.put_file("1/123/video", folder, "video/mp4")
    with pytest.raises(StorageUnavailableError):
        await blobs.check_room(0)


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"secret_access_key": "wrong-secret"}, StorageRefusedError, "refuses access"),
        ({"bucket": "nobodys"}, StorageRefusedError, "no such bucket"),
        ({"endpoint": "http://127.0.0.1:9"}, StorageUnavailableError, "cannot be reached"),
    ],
)
async def test_what_is_wrong_with_a_bucket_is_told(bucket_options, wrong, error, text):
    with pytest.raises(error, match=text):
        await BucketBlobs(replace(bucket_options, **wrong), chunk_bytes=1).check_room(0)
