"""One store of each kind."""

import pytest
from tests.support.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server

from yuanjing.adapters.artifacts.bucket import BucketBlobs, BucketOptions
from yuanjing.adapters.artifacts.folder import FolderBlobs
from yuanjing.adapters.artifacts.room import Room
from yuanjing.adapters.memory.blobs import MemoryBlobs
from yuanjing.kit.clock import SystemClock


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket_options(request, s3):
    return BucketOptions(
        bucket=BUCKET,
        prefix=f"files/{abs(hash(request.node.nodeid))}",
        endpoint=s3.endpoint,
        region="us-east-1",
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        is_path_style=True,
    )


@pytest.fixture(params=["memory", "folder", "bucket"])
def blobs(request, tmp_path):
    if request.param == "memory":
        return MemoryBlobs(SystemClock())
    if request.param == "folder":
        room = Room(folder=tmp_path, reserve_bytes=0)
        return FolderBlobs(tmp_path / "artifacts", room=room, chunk_bytes=64 * 1024)
    return BucketBlobs(request.getfixturevalue("bucket_options"), chunk_bytes=64 * 1024)
