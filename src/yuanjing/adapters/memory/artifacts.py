"""Artifacts in memory."""

from dataclasses import replace

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.artifacts import Artifact
from yuanjing.domain.errors import AlreadyExistsError


class MemoryArtifacts:
    """See `yuanjing.ports.artifacts.ArtifactTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._artifacts: dict[str, Artifact] = {}
        self._ids: dict[str, str] = {}

    def add(self, *artifacts: Artifact) -> None:
        """See the port."""
        for artifact in artifacts:
            if artifact.id in self._artifacts or artifact.path in self._ids:
                raise AlreadyExistsError(f"artifact {artifact.id}, or its path, exists")
            self._journal.put(self._artifacts, artifact.id, artifact)
            self._journal.put(self._ids, artifact.path, artifact.id)

    def get(self, artifact_id: str) -> Artifact | None:
        """See the port."""
        return self._artifacts.get(artifact_id)

    def by_path(self, path: str) -> Artifact | None:
        """See the port."""
        return self._artifacts.get(self._ids.get(path, ""))

    def of_task(self, task_id: str) -> list[Artifact]:
        """See the port."""
        return [self._artifacts[id_] for id_ in sorted(self._artifacts) if self._artifacts[id_].task_id == task_id]

    def expired(self, at: float, limit: int) -> list[Artifact]:
        """See the port."""
        due = [one for one in self._artifacts.values() if one.removed_at is None and one.expires_at <= at]
        return sorted(due, key=lambda one: (one.expires_at, one.id))[:limit]

    def expire(self, task_id: str, at: float) -> None:
        """See the port."""
        for artifact in self.of_task(task_id):
            if artifact.expires_at > at:
                self._journal.put(self._artifacts, artifact.id, replace(artifact, expires_at=at))

    def mark_removed(self, artifact_id: str, at: float) -> None:
        """See the port."""
        artifact = self._artifacts.get(artifact_id)
        if artifact is not None and artifact.removed_at is None:
            self._journal.put(self._artifacts, artifact_id, replace(artifact, removed_at=at))
