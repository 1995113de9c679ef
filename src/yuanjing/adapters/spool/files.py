"""Names and locks of spool files."""

import contextlib
import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"(?P<node>[A-Za-z0-9][A-Za-z0-9._-]{0,99})\.(?P<incarnation>\d{1,18})\.spool\.db", re.ASCII)
_PROBE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class SpoolFile:
    """Where one life's spool is.

    The lock has a file of its own: SQLite's locks come and go with its transactions, and belong to the process, so
    that closing any other descriptor of the same file would drop them.
    """

    folder: Path
    node_id: str
    incarnation: int

    @property
    def database(self) -> Path:
        """The SQLite file; its `-wal` and `-shm` lie beside it."""
        return self.folder / f"{self.node_id}.{self.incarnation}.spool.db"

    @property
    def lock(self) -> Path:
        """The file that the living writer has locked."""
        return self.folder / f"{self.node_id}.{self.incarnation}.spool.lock"

    @property
    def is_named_well(self) -> bool:
        """Whether the node's id makes a file name, in this folder, that `find_files` understands."""
        return _NAME.fullmatch(f"{self.node_id}.{self.incarnation}.spool.db") is not None

    def size_bytes(self) -> int:
        """The size on disk, write-ahead log included; 0 for what does not exist."""
        return _size(self.database) + _size(Path(f"{self.database}-wal"))

    def is_disk_well(self) -> bool:
        """Whether as much as a new spool needs can be written into the folder."""
        probe = self.folder / f"{self.node_id}.{self.incarnation}.probe"
        try:
            with probe.open("wb", buffering=0) as file:
                written = file.write(bytes(_PROBE_BYTES))
                os.fsync(file.fileno())
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
        return written == _PROBE_BYTES

    def remove(self) -> None:
        """Delete everything that belongs to it; the lock last, so that a half-removed spool still has its lock."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.database}{suffix}").unlink(missing_ok=True)
        self.lock.unlink(missing_ok=True)


def find_files(folder: Path) -> list[SpoolFile]:
    """The spool files of a folder, by node and incarnation."""
    found = [
        SpoolFile(folder=folder, node_id=match["node"], incarnation=int(match["incarnation"]))
        for path in folder.iterdir()
        if (match := _NAME.fullmatch(path.name))
    ]
    return sorted(found, key=lambda file: (file.node_id, file.incarnation))


def take_lock(path: Path) -> int | None:
    """Create the file and lock it for this process; the descriptor, or None if it exists already or is locked.

    The kernel drops the lock when the process ends, however it ends; descriptors are not inherited by programs that
    it starts.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return None
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock; asked with a shared lock, so that two who ask do not see each other."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
