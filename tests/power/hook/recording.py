"""Recording in a process what its SQLite and its file calls do to the disk.

SQLite is the copy inside pysqlite3, which the platform uses for database and spools alike. The default VFS of that copy
is patched in memory, so that every connection goes through it with the journal mode, syncs and checkpoints that the
product has chosen. `xOpen` gives each file a copy of its method table, in which writing, truncating and syncing tell.
SQLite syncs folders by itself, inside `xSync` and `xDelete`, and opens them by a call that one may replace.

What the product writes by itself are few small files; what matters of them is what they hold when they are synced.

Something that is done is told before it is done, so that whatever another process makes of it comes later in the
record. That a sync is over is told after it.
"""

import ctypes
import functools
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pysqlite3
from disktrace import Kind, Trace
from pysqlite3 import _sqlite3

_Pointer = ctypes.c_void_p
_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, _Pointer, ctypes.c_int, _Pointer)
_DELETE = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_char_p, ctypes.c_int)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_int)
_OPEN_FOLDER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int))
_SET_CALL = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_char_p, _Pointer)
_GET_CALL = ctypes.CFUNCTYPE(_Pointer, _Pointer, ctypes.c_char_p)


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs`; only what is used has a type."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("path_max", ctypes.c_int),
        ("next", _Pointer),
        ("name", ctypes.c_char_p),
        ("data", _Pointer),
        ("open", _Pointer),
        ("delete", _Pointer),
        *((f"unused_{number}", _Pointer) for number in range(11)),
        ("set_system_call", _Pointer),
        ("get_system_call", _Pointer),
    ]


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`, version 3."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("close", _Pointer),
        ("read", _Pointer),
        ("write", _Pointer),
        ("truncate", _Pointer),
        ("sync", _Pointer),
        *((f"unused_{number}", _Pointer) for number in range(13)),
    ]


def default_vfs() -> Any:
    """SQLite's default VFS, which may be changed."""
    find = ctypes.PyDLL(_sqlite3.__file__).sqlite3_vfs_find
    find.restype, find.argtypes = ctypes.POINTER(_Vfs), [ctypes.c_char_p]
    vfs = find(None).contents
    assert vfs.name == b"unix", vfs.name
    return vfs


def replace_system_call(vfs: Any, name: bytes, ours: int) -> int:
    """Put a function of ours in the place of one that SQLite calls; where that one is."""
    address = ctypes.addressof(vfs)
    original = _GET_CALL(vfs.get_system_call)(address, name)
    assert original, name
    assert _SET_CALL(vfs.set_system_call)(address, name, ours) == pysqlite3.SQLITE_OK
    return original


class _Recorder:
    """Holds what SQLite calls, for as long as the process lives."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._names: dict[int, str] = {}
        """Which file each of SQLite's file objects is, of those that matter."""
        self._tables: dict[int, _Methods] = {}
        self._kept: list[object] = []

    def patch(self) -> None:
        """Put ourselves into the default VFS."""
        vfs = default_vfs()
        self._open, self._delete = _OPEN(vfs.open), _DELETE(vfs.delete)
        vfs.open, vfs.delete = self._keep(_OPEN(self._on_open)), self._keep(_DELETE(self._on_delete))
        ours = self._keep(_OPEN_FOLDER(self._on_open_folder))
        self._open_folder = _OPEN_FOLDER(replace_system_call(vfs, b"openDirectory", ours))

    def _keep(self, function: Any) -> int:
        self._kept.append(function)
        return ctypes.cast(function, _Pointer).value or 0

    def _on_open(self, vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        """SQLite keeps the very pointer to the name, so that is what is handed on."""
        full = "" if name is None else os.fsdecode(ctypes.string_at(name))
        path = self._trace.name(full)
        is_new = path is not None and not Path(full).exists()
        code = self._open(vfs, name, file, flags, out)
        self._names.pop(file, None)
        if path is None or code != pysqlite3.SQLITE_OK:
            return code
        if is_new:
            self._trace.add(Kind.CREATE, path)
        self._names[file] = path
        methods = ctypes.cast(file, ctypes.POINTER(_Pointer))
        methods[0] = ctypes.addressof(self._table(methods[0]))
        return code

    def _table(self, original: int) -> _Methods:
        if original not in self._tables:
            table = _Methods.from_buffer_copy(ctypes.cast(original, ctypes.POINTER(_Methods)).contents)
            write, truncate, sync = _WRITE(table.write), _TRUNCATE(table.truncate), _SYNC(table.sync)
            table.write = self._keep(_WRITE(functools.partial(self._on_write, write)))
            table.truncate = self._keep(_TRUNCATE(functools.partial(self._on_truncate, truncate)))
            table.sync = self._keep(_SYNC(functools.partial(self._on_sync, sync)))
            self._tables[original] = table
        return self._tables[original]

    def _on_write(self, write: Callable[..., int], file: int, data: int, count: int, offset: int) -> int:
        path = self._names[file]
        self._trace.add(Kind.WRITE, path, offset=offset, data=ctypes.string_at(data, count))
        return write(file, data, count, offset)

    def _on_truncate(self, truncate: Callable[..., int], file: int, size: int) -> int:
        self._trace.add(Kind.TRUNCATE, self._names[file], offset=size)
        return truncate(file, size)

    def _on_sync(self, sync: Callable[..., int], file: int, flags: int) -> int:
        path, who = self._names[file], _who()
        self._trace.add(Kind.SYNC_BEGIN, path, who=who)
        code = sync(file, flags)
        if code == pysqlite3.SQLITE_OK:
            self._trace.add(Kind.SYNC_END, path, who=who)
        return code

    def _on_delete(self, vfs: int, name: bytes, syncs_folder: int) -> int:
        path = self._trace.name(os.fsdecode(name))
        if path is not None:
            self._trace.add(Kind.UNLINK, path)
        return self._delete(vfs, name, syncs_folder)

    def _on_open_folder(self, name: bytes, out: Any) -> int:
        """SQLite opens the folder of this file, and only to sync it."""
        folder = self._trace.name(str(Path(os.fsdecode(name)).parent))
        code = self._open_folder(name, out)
        if folder is not None and code == pysqlite3.SQLITE_OK:
            self._trace.add(Kind.SYNC_FOLDER, folder)
        return code


_recorders: list[_Recorder] = []
"""SQLite calls them until the process ends."""


def _who() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def record_disk(file: Path, root: Path) -> None:
    """Record what this process, and those that it forks, do below `root`."""
    trace = Trace(file, root)
    recorder = _Recorder(trace)
    recorder.patch()
    _recorders.append(recorder)
    _record_own_calls(trace)


def _record_own_calls(trace: Trace) -> None:
    """The calls by which the product keeps small files; it names them by whole paths."""

    def before(name: str, kind: Kind, *, has_two_names: bool = False) -> None:
        original = getattr(os, name)

        @functools.wraps(original)
        def told(path: Any, *others: Any, **named: Any) -> Any:
            below = None if isinstance(path, int) else trace.name(os.fsdecode(path))
            if below is not None:
                data = (trace.name(os.fsdecode(others[0])) or "").encode() if has_two_names else b""
                trace.add(kind, below, data=data)
            return original(path, *others, **named)

        setattr(os, name, told)

    for name in ("unlink", "remove"):
        before(name, Kind.UNLINK)
    for name in ("rename", "replace"):
        before(name, Kind.RENAME, has_two_names=True)
    before("link", Kind.LINK, has_two_names=True)
    before("mkdir", Kind.FOLDER)
    for name in ("fsync", "fdatasync"):
        setattr(os, name, functools.partial(_synced, trace, getattr(os, name)))


def _synced(trace: Trace, sync: Callable[[int], None], handle: int) -> None:
    sync(handle)
    path = str(Path(f"/proc/self/fd/{handle}").readlink())
    below = trace.name(path)
    if below is None:
        return
    if stat.S_ISDIR(os.fstat(handle).st_mode):
        trace.add(Kind.SYNC_FOLDER, below)
    else:
        trace.add(Kind.CONTENT, below, data=Path(path).read_bytes())
