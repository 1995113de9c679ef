"""What rendering makes."""

from dataclasses import dataclass
from pathlib import Path


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

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """All of them."""
        return self.video, self.cover, self.last_frame


class StoppedError(Exception):
    """The sandbox stops; the file was not finished."""
