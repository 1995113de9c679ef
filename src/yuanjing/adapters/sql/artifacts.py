"""Artifacts in SQL."""

from typing import Any

import msgspec
import sqlalchemy as sa

from yuanjing.adapters.sql.bulk import Bulk
from yuanjing.adapters.sql.tables import IS_THERE, artifacts
from yuanjing.adapters.sql.work import Work, dump
from yuanjing.domain.artifacts import Artifact, ArtifactKind, MediaFacts
from yuanjing.domain.errors import AlreadyExistsError

_FACTS = msgspec.json.Decoder(MediaFacts)
_ADD = Bulk(artifacts)
_ONE = sa.select(artifacts).where(artifacts.c.id == sa.bindparam("artifact"))
_BY_PATH = sa.select(artifacts).where(artifacts.c.path == sa.bindparam("at_path"))
_OF_TASK = sa.select(artifacts).where(artifacts.c.task_id == sa.bindparam("task")).order_by(artifacts.c.id)
_EXPIRED = (
    sa.select(artifacts)
    .where(IS_THERE, artifacts.c.expires_at <= sa.bindparam("moment"))
    .order_by(artifacts.c.expires_at, artifacts.c.id)
    .limit(sa.bindparam("limit"))
)
_EXPIRE = (
    sa.update(artifacts)
    .where(artifacts.c.task_id == sa.bindparam("task"), artifacts.c.expires_at > sa.bindparam("moment"))
    .values(expires_at=sa.bindparam("moment"))
)
_REMOVE = (
    sa.update(artifacts)
    .where(artifacts.c.id == sa.bindparam("artifact"), IS_THERE)
    .values(removed_at=sa.bindparam("moment"))
)


class SqlArtifacts:
    """See `yuanjing.ports.artifacts.ArtifactTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def add(self, *artifacts: Artifact) -> None:
        """See the port."""
        added = _ADD.add_new(self._work, [_to_row(artifact) for artifact in artifacts])
        for artifact in artifacts:
            if artifact.id not in added:
                raise AlreadyExistsError(f"artifact {artifact.id}, or its path, exists")

    def get(self, artifact_id: str) -> Artifact | None:
        """See the port."""
        row = self._work.find(_ONE, artifact=artifact_id)
        return None if row is None else _from_row(row)

    def by_path(self, path: str) -> Artifact | None:
        """See the port."""
        row = self._work.find(_BY_PATH, at_path=path)
        return None if row is None else _from_row(row)

    def of_task(self, task_id: str) -> list[Artifact]:
        """See the port."""
        return [_from_row(row) for row in self._work.rows(_OF_TASK, task=task_id)]

    def expired(self, at: float, limit: int) -> list[Artifact]:
        """See the port."""
        return [_from_row(row) for row in self._work.rows(_EXPIRED, moment=at, limit=limit)]

    def expire(self, task_id: str, at: float) -> None:
        """See the port."""
        self._work.do(_EXPIRE, task=task_id, moment=at)

    def mark_removed(self, artifact_id: str, at: float) -> None:
        """See the port."""
        self._work.do(_REMOVE, artifact=artifact_id, moment=at)


def _to_row(artifact: Artifact) -> dict[str, Any]:
    return {
        "id": artifact.id,
        "path": artifact.path,
        "blob": artifact.blob,
        "kind": artifact.kind.value,
        "customer_id": artifact.customer_id,
        "task_id": artifact.task_id,
        "facts": dump(artifact.facts),
        "sha256": artifact.sha256,
        "created_at": artifact.created_at,
        "expires_at": artifact.expires_at,
        "removed_at": artifact.removed_at,
    }


def _from_row(row: sa.Row[Any]) -> Artifact:
    return Artifact(
        id=row.id,
        path=row.path,
        blob=row.blob,
        kind=ArtifactKind(row.kind),
        customer_id=row.customer_id,
        task_id=row.task_id,
        facts=_FACTS.decode(row.facts),
        sha256=row.sha256,
        created_at=row.created_at,
        expires_at=row.expires_at,
        removed_at=row.removed_at,
    )
