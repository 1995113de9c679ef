"""The little of PyAV that the sandbox needs, with types: its own leave some members unknown."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import av
from av.error import FFmpegError
from PIL import Image

NotDecodableError = FFmpegError


class Frame(Protocol):
    """A picture or a piece of sound on its way to an encoder."""

    pts: int | None
    time_base: Fraction


class Plane(Protocol):
    """The samples of one channel, or the bytes of one plane of a picture."""

    @property
    def line_size(self) -> int:
        """Bytes of a line of a picture, those that fill it up included."""
        ...

    @property
    def buffer_size(self) -> int:
        """Bytes."""
        ...

    def update(self, data: bytes, /) -> None:
        """Replace them; exactly `buffer_size` bytes."""
        ...


class Sound(Frame, Protocol):
    """A piece of sound."""

    sample_rate: int

    @property
    def planes(self) -> tuple[Plane, ...]:
        """One for each channel."""
        ...


class Picture(Frame, Protocol):
    """A picture in YUV 4:2:0."""

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Luma and the two of chroma."""
        ...

    def to_image(self) -> Image.Image:
        """In RGB."""
        ...


class Encoder(Protocol):
    """A track that is written."""

    width: int
    height: int
    pix_fmt: str | None

    def encode(self, frame: Frame | None = None) -> list[object]:
        """Packets that are ready; None asks for the rest."""
        ...


class Writer(AbstractContextManager["Writer"], Protocol):
    """A file that is written."""

    def add_stream(self, _codec: str, /, rate: int, options: dict[str, str], **kw: str) -> Encoder:
        """A new track."""
        ...

    def mux(self, _packets: list[object], /) -> None:
        """Write packets."""
        ...


class _Track(Protocol):
    average_rate: Fraction | None


class _Tracks(Protocol):
    video: tuple[_Track, ...]
    audio: tuple[_Track, ...]


class _Format(Protocol):
    name: str


class Reader(AbstractContextManager["Reader"], Protocol):
    """A file that is read."""

    duration: int | None
    streams: _Tracks
    format: _Format

    def decode(self, track: _Track, /) -> Iterator[Picture]:
        """The frames of a track."""
        ...


def write(path: Path) -> Writer:
    """Begin an MP4 whose index comes first."""
    return cast("Writer", av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}))


def read(data: BinaryIO, formats: str) -> Reader:
    """Open a file of one of FFmpeg's `formats` (a list with commas).

    Raises:
        NotDecodableError: it is none.
    """
    return cast("Reader", av.open(data, options={"format_whitelist": formats}))


def picture(width: int, height: int) -> Picture:
    """An empty picture."""
    return cast("Picture", av.VideoFrame(width, height, "yuv420p"))


def sound(samples: int, rate: int) -> Sound:
    """An empty stereo frame of planar floats."""
    frame = cast("Sound", av.AudioFrame(format="fltp", layout="stereo", samples=samples))
    frame.sample_rate = rate
    return frame
