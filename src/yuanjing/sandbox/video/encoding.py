"""Scenes encoded as MP4, with a sound track. Its libraries take a while, so it is imported for the first video."""

import math
import threading
from array import array
from fractions import Fraction
from functools import lru_cache

from yuanjing.sandbox.video import film
from yuanjing.sandbox.video.drawing import Scene
from yuanjing.sandbox.video.rendered import Rendered, StoppedError
from yuanjing.sandbox.video.wish import Resolved, Wish

SAMPLES_PER_SECOND = 44_100
FRAME_SAMPLES = 1024
JPEG_QUALITY = 85
# The picture moves as a whole, which the simplest search finds: a third of the time of plain `veryfast`.
_X264 = {"preset": "veryfast", "crf": "28", "x264-params": "subme=0:me=dia:ref=1:bframes=0:weightp=0:rc-lookahead=4"}


def encode(wish: Wish, media: tuple[Resolved, ...], to: Rendered, stop: threading.Event) -> None:
    """Write the files of a result.

    Raises:
        StoppedError: `stop` was set.
    """
    scene = Scene(wish, media)
    unfinished = to.video.with_suffix(".part")
    with film.write(unfinished) as container:
        video = container.add_stream("libx264", rate=wish.fps, options=_X264)
        video.width, video.height = scene.size
        video.pix_fmt = "yuv420p"
        sound = _Sound(container, wish.seconds) if wish.has_audio else None
        for index in range(scene.frames):
            if stop.is_set():
                raise StoppedError
            frame = scene.frame(index)
            if index == 0:
                frame.to_image().save(to.cover, quality=JPEG_QUALITY)
            if index == scene.frames - 1:
                frame.to_image().save(to.last_frame, compress_level=1)
            frame.pts = index
            frame.time_base = Fraction(1, wish.fps)
            container.mux(video.encode(frame))
            if sound is not None:
                sound.play_until((index + 1) / wish.fps)
        container.mux(video.encode(None))
        if sound is not None:
            sound.end()
    unfinished.rename(to.video)


class _Sound:
    """A sound track of a soft chord with a beep at each second."""

    def __init__(self, container: film.Writer, seconds: float) -> None:
        self._container = container
        self._stream = container.add_stream(
            "aac", rate=SAMPLES_PER_SECOND, options={"aac_coder": "fast"}, layout="stereo"
        )
        self._samples = int(seconds * SAMPLES_PER_SECOND)
        self._at = 0
        self._second = _one_second()

    def play_until(self, seconds: float) -> None:
        """Encode whole frames up to a time, so that both tracks lie side by side in the file."""
        while self._at + FRAME_SAMPLES <= min(self._samples, int(seconds * SAMPLES_PER_SECOND)):
            self._frame(FRAME_SAMPLES)

    def end(self) -> None:
        """Encode the rest."""
        if self._samples > self._at:
            self._frame(self._samples - self._at)
        self._container.mux(self._stream.encode(None))

    def _frame(self, samples: int) -> None:
        frame = film.sound(samples, SAMPLES_PER_SECOND)
        frame.pts = self._at
        frame.time_base = Fraction(1, SAMPLES_PER_SECOND)
        begin = self._at % SAMPLES_PER_SECOND
        data = self._second[begin : begin + samples].tobytes()
        for plane in frame.planes:
            plane.update(data.ljust(plane.buffer_size, b"\0"))
        self._at += samples
        self._container.mux(self._stream.encode(frame))


@lru_cache(maxsize=1)
def _one_second() -> "array[float]":
    """One second of samples, and a frame more so that every cut of a frame's length lies within."""
    step = 2 * math.pi / SAMPLES_PER_SECOND
    beep = SAMPLES_PER_SECOND // 20
    samples = array("f")
    for index in range(SAMPLES_PER_SECOND):
        chord = 0.04 * (math.sin(220 * step * index) + math.sin(330 * step * index))
        samples.append(chord + (0.15 * math.sin(880 * step * index) if index < beep else 0.0))
    return samples + samples[:FRAME_SAMPLES]
