"""Real MP4 files that show a person what was asked for."""

import hashlib
import math
import shutil
import tempfile
import threading
from array import array
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from yuanjing.sandbox import jsons
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video import film
from yuanjing.sandbox.video.drawing import Scene
from yuanjing.sandbox.video.media import Resolved
from yuanjing.sandbox.video.wish import Wish

SAMPLES_PER_SECOND = 44_100
FRAME_SAMPLES = 1024
JPEG_QUALITY = 85
# The picture moves as a whole, which the simplest search finds: a third of the time of plain `veryfast`.
_X264 = {"preset": "veryfast", "crf": "28", "x264-params": "subme=0:me=dia:ref=1:bframes=0:weightp=0:rc-lookahead=4"}
_SUFFIXES = (".mp4", ".jpg", ".png")


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


class Renderer:
    """Renders in a thread of its own, one video at a time, and keeps what it rendered.

    Orders that are equal in everything that shows share one file. The least used files go when they take too much disk.
    """

    def __init__(self, options: SandboxOptions) -> None:
        self._bytes_max = options.video_cache_bytes_max
        self._folder = options.video_cache_folder
        self._is_own_folder = options.video_cache_folder is None
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="render")
        self._stop = threading.Event()
        self._orders: OrderedDict[str, Future[Rendered]] = OrderedDict()
        self._sizes: dict[str, int] = {}  # bytes of the finished ones

    def start(self, wish: Wish, media: tuple[Resolved, ...]) -> "Future[Rendered]":
        """Begin to render; the future of an equal order if there is one whose files are there."""
        key = _key(wish, media)
        known = self._orders.get(key)
        if known is not None and not (known.done() and not _is_there(known)):
            self._orders.move_to_end(key)
            return known
        self._evict()
        order = self._pool.submit(self._render, key, wish, media)
        self._orders[key] = order
        return order

    def close(self) -> None:
        """Stop the thread and remove the files, unless their folder is the caller's."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._folder is not None and self._is_own_folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _render(self, key: str, wish: Wish, media: tuple[Resolved, ...]) -> Rendered:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="yuanjing-sandbox-"))
        video, cover, last_frame = (self._folder / f"{key}{suffix}" for suffix in _SUFFIXES)
        rendered = Rendered(video=video, cover=cover, last_frame=last_frame)
        if not all(path.exists() for path in rendered.files):
            _encode(wish, media, rendered, self._stop)
        self._sizes[key] = sum(path.stat().st_size for path in rendered.files)
        return rendered

    def _evict(self) -> None:
        total = sum(self._sizes.values())
        for key in list(self._orders) if total > self._bytes_max else ():
            if key in self._sizes:
                total -= self._sizes.pop(key)
                order = self._orders.pop(key)
                if _is_there(order):
                    for path in order.result().files:
                        path.unlink(missing_ok=True)
            if total <= self._bytes_max:
                return


def _is_there(order: "Future[Rendered]") -> bool:
    """Whether a finished order has its files; not if it failed or they are gone."""
    if order.cancelled() or order.exception() is not None:
        return False
    return all(path.exists() for path in order.result().files)


def _key(wish: Wish, media: tuple[Resolved, ...]) -> str:
    inputs = [(piece.role.value, piece.digest) for piece in media]
    return hashlib.sha256(jsons.canonical([asdict(wish), inputs])).hexdigest()


def _encode(wish: Wish, media: tuple[Resolved, ...], to: Rendered, stop: threading.Event) -> None:
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
