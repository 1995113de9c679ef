"""Removing files whose time is over, and those that nobody knows."""

from collections.abc import AsyncIterator, Sequence

from yuanjing.domain.artifacts import Artifact
from yuanjing.domain.videos import TaskStep
from yuanjing.kit.clock import Clock
from yuanjing.ports.artifacts import BlobStore
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.artifacts.keys import task_of

_DAY_SECONDS = 86_400
_PAGE = 200


async def sweep_artifacts(store: Store, blobs: BlobStore, clock: Clock, limit: int = 200) -> int:
    """Remove the bytes of expired files, then note it; how many.

    If it stops between the two, the next sweep removes nothing and notes it then. A download under way reads on.

    Raises:
        StorageUnavailableError: bytes could not be removed; what was, is noted.
    """

    def due(tx: Tx) -> list[Artifact]:
        return tx.artifacts.expired(clock.unix(), limit)

    removed: list[str] = []

    def note(tx: Tx) -> None:
        for artifact_id in removed:
            tx.artifacts.mark_removed(artifact_id, clock.unix())

    try:
        for artifact in await store.read(due):
            await blobs.remove(artifact.blob)
            removed.append(artifact.id)
    finally:
        if removed:
            await store.write(note)
    return len(removed)


async def sweep_orphans(store: Store, blobs: BlobStore, clock: Clock, days: int) -> int:
    """Remove files that are older than so many days and that no row knows; how many.

    They are left by a crash between keeping a file and writing its row. Those of a task under way stay.
    """
    removed = 0
    async for page in _old_pages(blobs, clock.unix() - days * _DAY_SECONDS):

        def unknown(tx: Tx, page: Sequence[tuple[str, str]] = page) -> list[str]:
            return [key for key, task_id in page if not _is_known(tx, key, task_id)]

        for key in await store.read(unknown):
            await blobs.remove(key)
            removed += 1
    return removed


async def _old_pages(blobs: BlobStore, before: float) -> AsyncIterator[list[tuple[str, str]]]:
    """Keys with their tasks; what is no key of ours is left alone."""
    page: list[tuple[str, str]] = []
    async for entry in blobs.entries():
        task_id = task_of(entry.key)
        if task_id is None or entry.modified_at >= before:
            continue
        page.append((entry.key, task_id))
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def _is_known(tx: Tx, key: str, task_id: str) -> bool:
    if any(artifact.blob == key and artifact.removed_at is None for artifact in tx.artifacts.of_task(task_id)):
        return True
    task = tx.tasks.get(task_id)
    return task is not None and task.step is not TaskStep.DONE
