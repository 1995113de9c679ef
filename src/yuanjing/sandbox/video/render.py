"""Real MP4 files that show a person what was asked for."""

import hashlib
import shutil
import tempfile
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from yuanjing.sandbox import jsons
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video.rendered import Rendered
from yuanjing.sandbox.video.wish import Resolved, Wish

_SUFFIXES = (".mp4", ".jpg", ".png")


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
            from yuanjing.sandbox.video.encoding import encode  # noqa: PLC0415  # its libraries take a while to import

            encode(wish, media, rendered, self._stop)
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
