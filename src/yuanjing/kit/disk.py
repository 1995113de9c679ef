"""What disks say when they are full, and what they keep when the power goes."""

import errno
import os
import shutil
from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_full(error: OSError) -> bool:
    """Whether a disk, or what we may use of it, has no room left."""
    return error.errno in _FULL


def free_bytes(folder: Path) -> int:
    """What is free on the disk of a folder, for us.

    Raises:
        OSError: the folder cannot be reached.
    """
    return shutil.disk_usage(folder).free


def sync_folder(folder: Path) -> None:
    """Have the names in this folder on the disk: a file that was synced is else gone with its name.

    Raises:
        OSError: it cannot be opened or synced.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int) -> None:
    """Make a folder and those above it, unless they are there; a loss of power does not take them away again.

    Raises:
        OSError: one of them cannot be made or synced.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.parent)
