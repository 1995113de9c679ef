"""A disk that has lost its power: all that was synced, and of the rest whatever chance has kept.

What was written and not synced is kept by sectors of 512 bytes, each up to some moment of its own. So writes are torn,
and later ones may be there without earlier ones. The same holds for the length of a file, and for the names in a
folder: a file whose folder was never synced may be gone although it was synced itself.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.power.hook.disktrace import Event, Kind

SECTOR_BYTES = 512
_KEEPING = (0.0, 1.0, 0.5, 0.9, 0.99)
"""How probably a change is kept that was not synced, and those before it on the same sector were; one for each cut."""


@dataclass(kw_only=True, slots=True, eq=False)
class _File:
    """What is safe, and what came after. `done` counts the changes that are safe by now, so that marks stay right."""

    safe: bytearray = field(default_factory=bytearray)
    changes: list[tuple[int, bytes | None]] = field(default_factory=list)
    done: int = 0
    marks: dict[tuple[int, int], int] = field(default_factory=dict)

    def sync(self, count: int) -> None:
        """So many changes, counted from the file's beginning, are safe."""
        while self.done < count:
            _apply(self.safe, *self.changes.pop(0))
            self.done += 1

    def now(self) -> bytes:
        """What a process reads."""
        content = bytearray(self.safe)
        for change in self.changes:
            _apply(content, *change)
        return bytes(content)

    def after_loss(self, chance: random.Random, keeping: float) -> bytes:
        """What may be found."""
        content, size, is_size_kept = bytearray(self.safe), len(self.safe), True
        lost: set[int] = set()
        for offset, data in self.changes:
            is_size_kept = is_size_kept and chance.random() < keeping
            if data is None:
                if is_size_kept:
                    del content[offset:]
                    size = offset
                continue
            if is_size_kept:
                size = max(size, offset + len(data))
            for sector, start, piece in _sectors(offset, data):
                if sector not in lost and chance.random() < keeping:
                    _apply(content, start, piece)
                else:
                    lost.add(sector)
        return bytes(content[:size].ljust(size, b"\0"))


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    """Write, or cut off if there is no data."""
    if data is None:
        del content[offset:]
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _sectors(offset: int, data: bytes) -> Iterable[tuple[int, int, bytes]]:
    """The pieces of a write: sector, offset, bytes."""
    at = 0
    while at < len(data):
        sector = (offset + at) // SECTOR_BYTES
        length = min((sector + 1) * SECTOR_BYTES - offset - at, len(data) - at)
        yield sector, offset + at, data[at : at + length]
        at += length


@dataclass(kw_only=True, slots=True, eq=False)
class _Folder:
    """The names in it: which are safe, and what has changed since; None is a name that is gone."""

    safe: dict[str, "_File | _Folder"] = field(default_factory=dict)
    live: dict[str, "_File | _Folder"] = field(default_factory=dict)
    changes: list[tuple[str, "_File | _Folder | None"]] = field(default_factory=list)

    def set(self, name: str, what: "_File | _Folder | None") -> None:
        self.changes.append((name, what))
        _set(self.live, name, what)

    def sync(self) -> None:
        for change in self.changes:
            _set(self.safe, *change)
        self.changes.clear()

    def after_loss(self, chance: random.Random, keeping: float) -> "dict[str, _File | _Folder]":
        names = dict(self.safe)
        lost: set[str] = set()
        for name, what in self.changes:
            if name not in lost and chance.random() < keeping:
                _set(names, name, what)
            else:
                lost.add(name)
        return names


def _set(names: "dict[str, _File | _Folder]", name: str, what: "_File | _Folder | None") -> None:
    if what is None:
        names.pop(name, None)
    else:
        names[name] = what


class Disk:
    """Follows a record."""

    def __init__(self) -> None:
        self._root = _Folder()

    def feed(self, event: Event) -> None:  # noqa: C901, PLR0912  # one case for each kind
        """The next event."""
        folder, name = self._place(event.path)
        match event.kind:
            case Kind.CREATE:
                self._file(event.path)
            case Kind.WRITE:
                self._file(event.path).changes.append((event.offset, event.data))
            case Kind.TRUNCATE:
                self._file(event.path).changes.append((event.offset, None))
            case Kind.SYNC_BEGIN:
                file = self._file(event.path)
                file.marks[event.who] = file.done + len(file.changes)
            case Kind.SYNC_END:
                file = self._file(event.path)
                file.sync(file.marks.pop(event.who, 0))
            case Kind.CONTENT:
                file = self._file(event.path)
                file.safe, file.changes = bytearray(event.data), []
            case Kind.LINK | Kind.RENAME:
                there, new = self._place(event.data.decode())
                if name in folder.live:
                    there.set(new, folder.live[name])
                    if event.kind is Kind.RENAME:
                        folder.set(name, None)
            case Kind.UNLINK:
                if name in folder.live:
                    folder.set(name, None)
            case Kind.FOLDER:
                if name and name not in folder.live:
                    folder.set(name, _Folder())
            case Kind.SYNC_FOLDER:
                (self._folder(event.path) if event.path else self._root).sync()
            case Kind.ACKNOWLEDGED:
                pass

    def _place(self, path: str) -> tuple[_Folder, str]:
        above, _, name = path.rpartition("/")
        return (self._folder(above) if above else self._root), name

    def _folder(self, path: str) -> _Folder:
        folder = self._root
        for name in path.split("/"):
            if name not in folder.live:
                folder.set(name, _Folder())
            found = folder.live[name]
            assert isinstance(found, _Folder), path
            folder = found
        return folder

    def _file(self, path: str) -> _File:
        folder, name = self._place(path)
        if name not in folder.live:
            folder.set(name, _File())
        found = folder.live[name]
        assert isinstance(found, _File), path
        return found

    def read(self, path: str) -> bytes | None:
        """What a process reads in this file; None if there is none."""
        folder, name = self._place(path)
        found = folder.live.get(name)
        return found.now() if isinstance(found, _File) else None

    def paths(self) -> list[str]:
        """All files that a process sees."""
        return sorted(_walk(self._root, ""))

    def lose_power(self, seed: str, target: Path) -> None:
        """Write into the folder `target` what may be found, as drawn by the seed."""
        chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
        _write(self._root, target, chance, chance.choice(_KEEPING))


def _walk(folder: _Folder, prefix: str) -> Iterable[str]:
    for name, what in folder.live.items():
        if isinstance(what, _Folder):
            yield from _walk(what, f"{prefix}{name}/")
        else:
            yield prefix + name


def _write(folder: _Folder, target: Path, chance: random.Random, keeping: float) -> None:
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, what in folder.after_loss(chance, keeping).items():
        if isinstance(what, _Folder):
            _write(what, target / name, chance, keeping)
        else:
            path = target / name
            path.write_bytes(what.after_loss(chance, keeping))
            path.chmod(0o600)
