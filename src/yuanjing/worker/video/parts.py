"""What the engine is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from yuanjing.domain.artifacts import Artifact
from yuanjing.domain.tasks import MediaInput, Size
from yuanjing.domain.videos import TaskMedia, VideoTask
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store
from yuanjing.ports.upstream import ChannelAccess, VideoUpstream
from yuanjing.usecases.artifacts.results import CopiedResult
from yuanjing.worker.supervisor import Logger
from yuanjing.worker.video.directory import VideoSource


class Delivers(Protocol):
    """See `usecases.artifacts.delivery.MediaDelivery`."""

    async def deliver(  # noqa: PLR0913  # what is given, to whom, and how it may be
        self,
        upstream: VideoUpstream,
        access: ChannelAccess,
        *,
        form: str,
        model: str,
        media: Sequence[TaskMedia],
        artifacts: Mapping[str, Artifact],
        is_local: bool,
    ) -> tuple[MediaInput, ...]:
        """Make a task's files ready for the provider."""
        ...


class Copies(Protocol):
    """See `usecases.artifacts.results.ResultCopier`."""

    async def copy(self, task: VideoTask, *, allowed_origin: str = "", expected: Size | None = None) -> CopiedResult:
        """Copy a task's result into our store."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoParts:
    """Everything that the engine needs beside its options."""

    store: Store
    clock: Clock
    logger: Logger
    source: VideoSource
    delivery: Delivers
    copier: Copies
