"""What the processes have in common: saying that they are ready, and publishing their metrics."""

import asyncio
import ctypes
import os
import resource
import sys
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

if TYPE_CHECKING:  # the sandbox publishes nothing, and does without their imports
    from prometheus_client.core import Metric

    from yuanjing.kit.metrics import MetricsBoard

_METRICS_SECONDS = 1.0
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE_BLOCK_BYTES = 1 << 20
_FREE_BYTES_KEPT = 4 << 20


def say_ready(ready_fd: int | None) -> None:
    """Tell the supervisor, if there is one, that this process has taken up its work."""
    if ready_fd is not None:
        with suppress(BrokenPipeError):  # it has ended meanwhile, and we shall be told
            os.write(ready_fd, b"ready\n")
        os.close(ready_fd)


def raise_file_limit() -> None:
    """Streams are sockets, two each: allow as many open files as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def return_large_blocks() -> None:
    """Give what a large request took back to the system as soon as it is free; glibc only, others do as they do.

    After a block of 28 MiB, a picture as text, glibc would by itself take all such from its heap, keep twice as much
    free at its end, and lose what lies below a block that lives (mallopt(3), `M_MMAP_THRESHOLD`).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _FREE_BYTES_KEPT)


def open_files_max() -> int:
    """How many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


@asynccontextmanager
async def published(
    board: "MetricsBoard", collect: "Callable[[], Iterable[Metric]]", log: FilteringBoundLogger
) -> AsyncGenerator[None]:
    """Publish this process's samples once a second, and withdraw them at the end."""
    publisher = asyncio.get_running_loop().create_task(_publish(board, collect, log))
    try:
        yield
    finally:
        publisher.cancel()
        with suppress(asyncio.CancelledError):
            await publisher
        with suppress(OSError):
            board.withdraw()


async def _publish(board: "MetricsBoard", collect: "Callable[[], Iterable[Metric]]", log: FilteringBoundLogger) -> None:
    is_failing = False
    while True:
        try:
            board.publish(collect())
        except OSError as error:
            if not is_failing:
                log.warning("metrics cannot be published", reason=error.strerror)
            is_failing = True
        else:
            is_failing = False
        await asyncio.sleep(_METRICS_SECONDS)
