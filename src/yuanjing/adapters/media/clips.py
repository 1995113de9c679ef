"""Clips and sound, by FFmpeg (PyAV); runs in the processes of the pool only.

FFmpeg gets an open file and the name of one demuxer, never an address or a path: what a file refers to is not opened.
"""

import os
import struct
from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from yuanjing.adapters.media.findings import BrokenFileError, Finding
from yuanjing.adapters.media.kinds import Kind
from yuanjing.adapters.media.pictures import write_jpeg

_STREAMS_MAX = 16
_BOXES_MAX = 10_000
"""Of an MP4, side by side; one whose every second is a fragment of its own has two for each."""
_PACKETS_MAX = 100_000
"""Of the track that is measured: half an hour at 50 frames a second."""
_BOX_HEAD = struct.Struct(">I4sQ")
"""Of a box: its size, its type, and its size again if that is large."""
_SHORT_HEAD_BYTES = 8
_TO_THE_END, _IS_LONG = 0, 1
_MISSING_SECONDS = Fraction(1, 2)
_DARK = 24
"""Of 255: no brighter point is seen on a screen."""
_LOOK_WIDTH = 160
_SOUND_TYPES = {"video/mp4": "audio/mp4", "video/quicktime": "audio/mp4", "video/webm": "audio/ogg"}
_TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


def inspect(place: Path, kind: Kind, pixels_max: int, *, first_frame: Path | None = None) -> Finding:
    """What a clip or sound is: read to its end, and its first frame decoded.

    Where `first_frame` names a place for it, that frame is written there as JPEG, turned as it is shown, and it is
    looked whether the clip is black from beginning to end.

    Raises:
        BrokenFileError: it is broken, or ends before its time.
    """
    with place.open("rb") as file, _opened(file, kind) as container:
        video = _picture_stream(container)
        if video is None and not container.streams.audio:
            raise BrokenFileError("the file has neither pictures nor sound")
        seconds = _measure(container, video)
        if video is None:
            media_type = _SOUND_TYPES.get(kind.media_type, kind.media_type)
            return Finding(media_type=media_type, seconds=_decimal(seconds), has_audio=True)
        _check_size(video, pixels_max)
        first = _first_frame(container, video)
        width, height = first.width, first.height
        if first.rotation % 180:
            width, height = height, width
        is_examined = first_frame is not None
        return Finding(
            media_type=kind.media_type,
            width=width,
            height=height,
            seconds=_decimal(seconds),
            frame_rate=_decimal(video.average_rate) if video.average_rate else None,
            has_audio=bool(container.streams.audio),
            has_frame=first_frame is not None and _is_written(first, first_frame),
            is_black=is_examined and _is_dark(first) and all(map(_is_dark, _frames(container, video))),
        )


@contextmanager
def _opened(file: BinaryIO, kind: Kind) -> Generator[InputContainer]:
    if kind.opener == "mov":
        _check_boxes(file)
    with av.open(file, "r", format=kind.opener, options={"protocol_whitelist": "none"}) as container:
        if len(container.streams) > _STREAMS_MAX:
            raise BrokenFileError(f"the file has more than {_STREAMS_MAX} tracks")
        for stream in (*container.streams.video, *container.streams.audio):
            stream.codec_context.thread_count = 1
        yield container


def _check_boxes(file: BinaryIO) -> None:
    """An MP4 is a row of boxes (ISO 14496-12, 4.2): the last one must end where the file does, or before.

    FFmpeg plays what there is of a file that was cut off, and says nothing if little is missing.
    """
    end = file.seek(0, os.SEEK_END)
    at, boxes = 0, 0
    while at + _SHORT_HEAD_BYTES <= end:
        boxes += 1
        if boxes > _BOXES_MAX:
            raise BrokenFileError(f"the file has more than {_BOXES_MAX} boxes")
        file.seek(at)
        size, _, long_size = _BOX_HEAD.unpack(file.read(_BOX_HEAD.size).ljust(_BOX_HEAD.size, b"\0"))
        if size == _TO_THE_END:
            break
        size = long_size if size == _IS_LONG else size
        at += size
        if size < _SHORT_HEAD_BYTES or at > end:
            raise BrokenFileError("the file is broken: it ends before its time")
    file.seek(0)


def _picture_stream(container: InputContainer) -> VideoStream | None:
    """The first track of moving pictures; a cover of a song is a still one."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def _measure(container: InputContainer, video: VideoStream | None) -> Fraction:
    """How long it is by what is really there."""
    main = video or container.streams.audio[0]
    start: Fraction | None = None
    end = Fraction(0)
    for number, packet in enumerate(container.demux(main)):
        if number >= _PACKETS_MAX:
            raise BrokenFileError(f"the file has more than {_PACKETS_MAX} frames")
        if not packet.size or packet.pts is None:
            continue
        if packet.is_corrupt:
            raise BrokenFileError("the file is broken: it ends before its time")
        at = packet.pts * packet.time_base
        start = at if start is None else min(start, at)
        end = max(end, at + (packet.duration or 0) * packet.time_base)
    if start is None or end <= start:
        raise BrokenFileError("the file is broken: nothing is in it")
    if _promised(container, main) - (end - min(start, Fraction(0))) > _MISSING_SECONDS:
        raise BrokenFileError("the file is broken: it ends before its time")
    return end - start


def _promised(container: InputContainer, main: VideoStream | AudioStream) -> Fraction:
    """How long the file's head says it is; 0 if it does not, or of formats whose heads have estimates only."""
    if main.duration is None or main.time_base is None or "mov" not in container.format.name:
        return Fraction(0)
    return main.duration * main.time_base


def _check_size(video: VideoStream, pixels_max: int) -> None:
    width, height = video.codec_context.width, video.codec_context.height
    if not width or not height or width * height > pixels_max:
        raise BrokenFileError(f"the video's pictures are {width} × {height} pixels")  # noqa: RUF001  # the sign of multiplication is meant


def _first_frame(container: InputContainer, video: VideoStream) -> VideoFrame:
    for frame in _frames(container, video):
        return frame
    raise BrokenFileError("the file is broken: no picture can be decoded")


def _frames(container: InputContainer, video: VideoStream) -> Generator[VideoFrame]:
    container.seek(0, stream=video)
    video.codec_context.flush_buffers()
    yield from container.decode(video)


def _is_dark(frame: VideoFrame) -> bool:
    """Most videos show with their first frame that they are not black; only one that begins dark is decoded on."""
    small = frame.reformat(width=_LOOK_WIDTH, height=max(1, frame.height * _LOOK_WIDTH // frame.width))
    _, brightest = _image(small).convert("L").getextrema()
    return cast("int", brightest) <= _DARK


def _is_written(frame: VideoFrame, target: Path) -> bool:
    """Write a frame as it is shown. There may be no room for it, which says nothing of the clip."""
    picture, turn = _image(frame), _TURNS.get(frame.rotation % 360)
    try:
        write_jpeg(picture if turn is None else picture.transpose(turn), target)
    except OSError:
        return False
    return True


def _image(frame: VideoFrame) -> Image.Image:
    return cast("Image.Image", frame.to_image())  # pyright: ignore[reportUnknownMemberType]  # it has no types


def _decimal(value: Fraction) -> str:
    return f"{float(value):.3f}"
