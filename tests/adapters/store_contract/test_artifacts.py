import pytest
from tests.adapters.store_contract.builders import artifact, task

from yuanjing.domain.artifacts import Artifact
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.ports.store import Store, Tx


async def _add(store: Store, *artifacts: Artifact) -> None:
    def work(tx: Tx) -> None:
        for task_id in sorted({one.task_id for one in artifacts}):
            if tx.tasks.get(task_id) is None:
                tx.tasks.add(task(task_id), "new")
        for one in artifacts:
            tx.artifacts.add(one)

    await store.write(work)


async def test_an_artifact_is_kept_as_it_was(store: Store):
    one = artifact()
    await _add(store, one)
    assert await store.read(lambda tx: tx.artifacts.get("art_1")) == one
    assert await store.read(lambda tx: tx.artifacts.by_path(one.path)) == one
    assert await store.read(lambda tx: tx.artifacts.get("art_2")) is None
    assert await store.read(lambda tx: tx.artifacts.by_path("/elsewhere")) is None


@pytest.mark.parametrize("key", ["\0", "art_1\0", "\ud800"])
async def test_what_no_database_can_store_is_not_there(store: Store, key: str):
    await _add(store, artifact())
    assert await store.read(lambda tx: tx.artifacts.get(key)) is None
    assert await store.read(lambda tx: tx.artifacts.by_path(key)) is None


@pytest.mark.parametrize("other", [artifact(path="/p"), artifact("art_2", path=artifact().path)], ids=["id", "path"])
async def test_an_id_and_a_path_are_taken_once(store: Store, other: Artifact):
    await _add(store, artifact())

    def work(tx: Tx) -> None:
        with pytest.raises(AlreadyExistsError):
            tx.artifacts.add(other)

    await store.write(work)
    assert await store.read(lambda tx: tx.artifacts.of_task("1")) == [artifact()]


async def test_many_are_added_together_or_the_one_that_exists_is_told(store: Store):
    first = artifact("art_0")
    await _add(store, first)
    many = [artifact("art_1"), artifact("art_2")]
    await store.write(lambda tx: tx.artifacts.add(*many))
    await store.write(lambda tx: tx.artifacts.add())
    with pytest.raises(AlreadyExistsError, match="art_4"):
        await store.write(lambda tx: tx.artifacts.add(artifact("art_3"), artifact("art_4", path=first.path)))
    assert await store.read(lambda tx: tx.artifacts.of_task(first.task_id)) == [first, *many]


async def test_the_artifacts_of_a_task(store: Store):
    await _add(store, artifact("art_2"), artifact("art_1"), artifact("art_3", task_id="2"))
    assert await store.read(lambda tx: [one.id for one in tx.artifacts.of_task("1")]) == ["art_1", "art_2"]
    assert await store.read(lambda tx: tx.artifacts.of_task("3")) == []


async def test_what_has_expired_comes_oldest_first_until_it_is_removed(store: Store):
    await _add(
        store,
        artifact("art_1", expires_at=30.0),
        artifact("art_2", expires_at=10.0),
        artifact("art_3", expires_at=30.5),
        artifact("art_4", expires_at=1.0, removed_at=2.5),
    )
    assert await store.read(lambda tx: [one.id for one in tx.artifacts.expired(30.0, 10)]) == ["art_2", "art_1"]
    assert await store.read(lambda tx: [one.id for one in tx.artifacts.expired(30.0, 1)]) == ["art_2"]
    for at in (40.5, 50.5):  # the first time counts
        await store.write(lambda tx, at=at: tx.artifacts.mark_removed("art_2", at))
    assert await store.read(lambda tx: [one.id for one in tx.artifacts.expired(30.0, 10)]) == ["art_1"]
    assert await store.read(lambda tx: tx.artifacts.get("art_2")) == artifact("art_2", expires_at=10.0, removed_at=40.5)


async def test_the_time_of_a_tasks_files_can_be_ended(store: Store):
    await _add(
        store,
        artifact("art_1", expires_at=30.5),
        artifact("art_2", expires_at=10.0),
        artifact("art_3", task_id="2", expires_at=30.5),
        artifact("art_4", expires_at=40.0, removed_at=5.0),
    )
    for at in (20.5, 25.0):  # the first time counts
        await store.write(lambda tx, at=at: tx.artifacts.expire("1", at))
    expected = {"art_1": 20.5, "art_2": 10.0, "art_3": 30.5, "art_4": 20.5}
    for artifact_id, expires_at in expected.items():
        found = await store.read(lambda tx, artifact_id=artifact_id: tx.artifacts.get(artifact_id))
        assert found is not None
        assert found.expires_at == expires_at
    assert await store.read(lambda tx: [one.id for one in tx.artifacts.expired(20.5, 10)]) == ["art_2", "art_1"]
