"""Real MP4 files that show a person what was asked for."""

from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video.media import Resolved
from yuanjing.sandbox.video.wish import Wish


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """The files of one result.

    Attributes:
        video: the MP4.
        cover: its first frame as JPEG.
        last_frame: its last frame as PNG.
    """

    video: Path
    cover: Path
    last_frame: Path


class Renderer:
    """Renders in a thread, and keeps what it rendered."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options

    def start(self, wish: Wish, media: tuple[Resolved, ...]) -> "Future[Rendered]":
        """Begin to render; equal orders share one file."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop the thread and remove the files."""
