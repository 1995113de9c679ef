"""The record of what processes do to a disk: one file, to which all of them append."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

_HEAD = struct.Struct("<BIQqII")


class Kind(IntEnum):
    """What was done, or is about to be."""

    CREATE = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC_BEGIN = 4
    SYNC_END = 5
    CONTENT = 6
    LINK = 7
    UNLINK = 8
    RENAME = 9
    FOLDER = 10
    SYNC_FOLDER = 11
    ACKNOWLEDGED = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One of them.

    Attributes:
        who: process and thread; a sync ends where the same one began it.
        path: below the root of the trace.
        offset: of a write; the length of a truncation.
        data: the bytes of a write; all of a file that was synced as a whole; the other name of a link or renaming; what
            was acknowledged.
    """

    kind: Kind
    who: tuple[int, int]
    path: str
    offset: int
    data: bytes


class Trace:
    """Appends to the record. An event is one write, so that all processes' events have one order.

    The file is opened for each of them, as processes of the platform close what they have not opened themselves.
    """

    def __init__(self, file: Path, root: Path) -> None:
        self._file = file
        self._root = f"{root}/"

    def name(self, path: str) -> str | None:
        """The path below the root; None if it is elsewhere, and "" for the root itself."""
        if path + "/" == self._root:
            return ""
        return path[len(self._root) :] if path.startswith(self._root) else None

    def add(self, kind: Kind, path: str, *, who: tuple[int, int] = (0, 0), offset: int = 0, data: bytes = b"") -> None:
        """Append an event."""
        name = path.encode()
        record = _HEAD.pack(kind, *who, offset, len(name), len(data)) + name + data
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            written = os.write(handle, record)
        finally:
            os.close(handle)
        assert written == len(record)


def read_trace(file: Path) -> Iterator[Event]:
    """All events in their order."""
    text = memoryview(file.read_bytes())
    at = 0
    while at < len(text):
        kind, pid, tid, offset, name_length, data_length = _HEAD.unpack_from(text, at)
        at += _HEAD.size
        name = bytes(text[at : at + name_length]).decode()
        at += name_length
        yield Event(kind=Kind(kind), who=(pid, tid), path=name, offset=offset, data=bytes(text[at : at + data_length]))
        at += data_length
