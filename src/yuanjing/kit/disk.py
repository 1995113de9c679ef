"""What disks say when they are full."""

import errno
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
