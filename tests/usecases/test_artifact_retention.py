"""Removing what is over and what nobody knows, and nothing else."""

import os

import pytest
from tests.adapters.store_contract.builders import task as any_task
from tests.support.files import Bench

from yuanjing.domain.artifacts import Artifact, ArtifactKind, MediaFacts
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import TaskStep
from yuanjing.ports.artifacts import StorageUnavailableError
from yuanjing.usecases.artifacts.retention import sweep_artifacts, sweep_orphans

DAY = 86_400


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()


async def keep(bench, key, *, age=0.0):
    place = bench.folder / "file"
    place.write_bytes(b"film")
    await bench.blobs.put_file(key, place, "video/mp4")
    at = bench.clock.unix() - age
    os.utime(bench.blobs.local_path(key), (at, at))
    place.unlink()


async def add(bench, number, *, left, task_id="1", removed_at=None):
    """A row, and its file if it has one, with so many seconds left."""
    key = f"1/{task_id}/file{number}"
    artifact = Artifact(
        id=f"art_{number}",
        path=f"/tmp/{number}",  # noqa: S108  # no path of a disk
        blob=key,
        kind=ArtifactKind.VIDEO,
        customer_id="cus_1",
        task_id=task_id,
        facts=MediaFacts(media_type="video/mp4", size_bytes=4),
        sha256="",
        created_at=0,
        expires_at=bench.clock.unix() + left,
        removed_at=removed_at,
    )
    await bench.store.write(lambda tx: tx.artifacts.add(artifact))
    if removed_at is None:
        await keep(bench, key)
    return key


async def removed_at(bench, number):
    return (await bench.store.read(lambda tx: tx.artifacts.get(f"art_{number}"))).removed_at


async def test_what_is_over_goes_and_its_row_says_so(bench):
    for number, left in enumerate((-5.0, 0.0, 0.1, 1000.0)):
        await add(bench, number, left=left)
    assert await sweep_artifacts(bench.store, bench.blobs, bench.clock) == 2
    now = bench.clock.unix()
    assert [await removed_at(bench, number) for number in range(4)] == [now, now, None, None]
    assert bench.kept() == ["1/1/file2", "1/1/file3"]
    assert await sweep_artifacts(bench.store, bench.blobs, bench.clock) == 0


async def test_the_oldest_go_first_and_no_more_than_allowed(bench):
    for number in range(5):
        await add(bench, number, left=-number - 1.0)
    assert await sweep_artifacts(bench.store, bench.blobs, bench.clock, limit=2) == 2
    assert bench.kept() == ["1/1/file0", "1/1/file1", "1/1/file2"]


async def test_a_sweep_that_is_cut_short_is_made_good(bench, monkeypatch):
    for number in range(3):
        await add(bench, number, left=number - 10.0)
    remove, calls = bench.blobs.remove, []

    async def second_fails(key):
        calls.append(key)
        if len(calls) == 2:
            raise StorageUnavailableError("files cannot be reached")
        await remove(key)

    with monkeypatch.context() as patch:
        patch.setattr(bench.blobs, "remove", second_fails)
        with pytest.raises(StorageUnavailableError):
            await sweep_artifacts(bench.store, bench.blobs, bench.clock)
    assert [await removed_at(bench, number) is None for number in range(3)] == [False, True, True]
    await remove("1/1/file1")  # bytes are gone, the row was not written
    assert await sweep_artifacts(bench.store, bench.blobs, bench.clock) == 2
    assert bench.kept() == []


async def test_an_open_download_is_read_to_its_end(bench):
    key = await add(bench, 1, left=-1.0)
    async with bench.blobs.open(key) as blob:
        assert await sweep_artifacts(bench.store, bench.blobs, bench.clock) == 1
        assert b"".join([chunk async for chunk in blob.read(0, blob.size_bytes)]) == b"film"


async def test_orphans_go_and_nothing_that_somebody_knows(bench):
    for task_id, step, state in (("1", TaskStep.DONE, TaskState.FAILED), ("2", TaskStep.COPYING, TaskState.RUNNING)):
        task = any_task(task_id, step=step, state=state, hold_id=f"hold_{task_id}", usage_id=f"u_{task_id}")
        await bench.store.write(lambda tx, task=task: tx.tasks.add(task, "made"))
    await add(bench, 1, left=1000.0)
    os.utime(bench.blobs.local_path("1/1/file1"), (0, 0))
    await add(bench, 2, left=-1.0, removed_at=5.0)
    for key, age in (
        ("1/1/file2", 9 * DAY),
        ("1/1/other", 9 * DAY),
        ("1/1/young", DAY),
        ("2/2/video", 9 * DAY),
        ("3/3/input1.jpeg", 2 * DAY + 1),
        ("3/3/input2.jpeg", 2 * DAY - 1),
        ("somebody-elses", 9 * DAY),
    ):
        await keep(bench, key, age=age)
    assert await sweep_orphans(bench.store, bench.blobs, bench.clock, 2) == 3
    assert bench.kept() == ["1/1/file1", "1/1/young", "2/2/video", "3/3/input2.jpeg", "somebody-elses"]
    assert await sweep_orphans(bench.store, bench.blobs, bench.clock, 2) == 0


async def test_orphans_are_looked_for_by_the_page(bench, monkeypatch):
    monkeypatch.setattr("yuanjing.usecases.artifacts.retention._PAGE", 2)
    for number in range(5):
        await keep(bench, f"1/{number}/video", age=9 * DAY)
    assert await sweep_orphans(bench.store, bench.blobs, bench.clock, 2) == 5
    assert bench.kept() == []
