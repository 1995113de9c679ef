"""A machine's folder of spool files."""

from pathlib import Path
from typing import Literal

from yuanjing.adapters.spool.files import SpoolFile, find_files
from yuanjing.adapters.spool.reader import SqliteSpoolReader
from yuanjing.adapters.spool.writer import SpoolLimits, SqliteSpoolWriter
from yuanjing.domain.errors import SpoolError
from yuanjing.kit.disk import make_folder


class SqliteSpoolFolder:
    """See `yuanjing.ports.spool.SpoolFolder`.

    Args:
        path: the folder; made if it does not exist, readable by its owner only.
        sync: `normal` survives the death of the process, `full` also the loss of power.
        rows_max: with this many rows not posted, a writer refuses.
        size_max_bytes: with a file of this size, a writer refuses.
    """

    def __init__(self, path: Path, *, sync: Literal["normal", "full"], rows_max: int, size_max_bytes: int) -> None:
        self._path = path
        self._limits = SpoolLimits(sync=sync, rows_max=rows_max, size_max_bytes=size_max_bytes)
        self._readers: dict[tuple[str, int], SqliteSpoolReader] = {}
        make_folder(path, 0o700)

    def create(self, node_id: str, incarnation: int) -> SqliteSpoolWriter:
        """See the port."""
        file = SpoolFile(folder=self._path, node_id=node_id, incarnation=incarnation)
        if not file.is_named_well:
            raise SpoolError(f"{node_id!r} is no name for a spool; use letters, digits, '.', '_' and '-'")
        if file.database.exists():
            raise SpoolError(f"the spool {file.database.name} exists already")
        return SqliteSpoolWriter(file, self._limits)

    def readers(self) -> list[SqliteSpoolReader]:
        """See the port."""
        found: dict[tuple[str, int], SqliteSpoolReader] = {}
        for file in find_files(self._path):
            key = (file.node_id, file.incarnation)
            found[key] = self._readers.get(key) or SqliteSpoolReader(file)
        for key, reader in self._readers.items():
            if key not in found:
                reader.close()
        self._readers = found
        return list(found.values())
