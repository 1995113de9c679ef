"""A disk that is full for as long as a file says so: in the process, what would make a file longer finds no room.

What fits into a file as it is can be written, as on a real disk. SQLite's own calls are replaced in the copy inside
pysqlite3; Python's files for writing cannot be opened below the root meanwhile, new folders cannot be made.
"""

import builtins
import ctypes
import errno
import io
import os
from pathlib import Path
from typing import Any

from recording import default_vfs, replace_system_call

_PWRITE = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, use_errno=True
)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, use_errno=True)
_kept: list[object] = []


def fill_disk(flag: Path, root: Path) -> None:
    """From now on the disk of `root` is full while `flag` exists."""

    def is_full() -> bool:
        return os.path.exists(flag)  # noqa: PTH110  # a third of the time of Path.exists, for each write

    def has_room(handle: int, end: int) -> bool:
        if is_full() and end > os.fstat(handle).st_size and _is_below(handle, root):
            ctypes.set_errno(errno.ENOSPC)
            return False
        return True

    def pwrite(handle: int, data: int, count: int, offset: int) -> int:
        return real_pwrite(handle, data, count, offset) if has_room(handle, offset + count) else -1

    def write(handle: int, data: int, count: int) -> int:
        return real_write(handle, data, count) if has_room(handle, os.lseek(handle, 0, os.SEEK_CUR) + count) else -1

    real_pwrite, real_write = _replace(b"pwrite", _PWRITE(pwrite)), _replace(b"write", _WRITE(write))
    real = io.open

    def opened(file: Any, mode: str = "r", *others: Any, **named: Any) -> Any:
        if set(mode) & set("wax+") and not isinstance(file, int) and is_full() and Path(file).is_relative_to(root):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        return real(file, mode, *others, **named)

    io.open = builtins.open = opened


def _replace(name: bytes, ours: Any) -> Any:
    """SQLite writes by one of two calls, as it was built; what was there before."""
    _kept.append(ours)
    original = replace_system_call(default_vfs(), name, ctypes.cast(ours, ctypes.c_void_p).value or 0)
    return type(ours)(original)


def _is_below(handle: int, root: Path) -> bool:
    return Path(f"/proc/self/fd/{handle}").readlink().is_relative_to(root)
