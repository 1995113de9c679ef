"""Reading TOML files that people write: every problem is named with file, line and what to change."""

import datetime as dt
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*\[(\[)?\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_QUOTES = ('"""', "'''")


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing to change in one file."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class Document:
    """A parsed file; `problems` gathers what its readers find wrong."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._lines = dict(_index(text))
        data: dict[str, object] = {}
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"\(at line (\d+)", str(error))
            line = int(place.group(1)) if place else max(1, len(text.splitlines()))
            message = str(error).partition(" (at ")[0]
            self.problems.append(Problem(file=file, line=line, message=f"not TOML: {message}"))
        self.root = Table(self, (), data)

    def report(self, path: Path, message: str) -> None:
        """Note a problem at the line of this key, or of the nearest table around it."""
        self.problems.append(Problem(file=self.file, line=self.line_of(path), message=message))

    def line_of(self, path: Path) -> int:
        """The line of this key, or of the nearest table around it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def _index(text: str) -> Iterator[tuple[Path, int]]:
    """Where each table and key begins; keys inside inline tables are found through their parent."""
    table: Path = ()
    counts: dict[Path, int] = {}
    closing: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if closing:
            closing = None if closing in line else closing
            continue
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = _resolve(_parts(header.group(2)), counts, is_new=bool(header.group(1)))
            yield table, number
            if table[-1] == 0:
                yield table[:-1], number
        elif key:
            path = table
            for part in _parts(key.group(1)):
                path = (*path, part)
                yield path, number
            closing = next((q for q in _QUOTES if line.count(q) == 1), None)


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", dotted)]


def _resolve(parts: Sequence[str], counts: dict[Path, int], *, is_new: bool) -> Path:
    """The path of a header: within an array of tables it means the last one so far."""
    path: Path = ()
    for position, part in enumerate(parts):
        path = (*path, part)
        if is_new and position == len(parts) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


class Table:
    """A typed view of one table: readers return a value that fits, and report what does not.

    After a problem the value returned is a harmless default; whoever reads the document must look at its
    `problems` before using anything.
    """

    def __init__(self, document: Document, path: Path, data: Mapping[str, object]) -> None:
        self._document = document
        self._path = path
        self._data = data
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._data

    @property
    def raw(self) -> Mapping[str, object]:
        """The table as TOML has it."""
        return self._data

    def report(self, message: str, key: str | None = None) -> None:
        """Note a problem at this key, or at the table's beginning."""
        self._document.report(self._path if key is None else (*self._path, key), message)

    def _get(self, key: str, kind: type | tuple[type, ...], words: str, *, is_required: bool) -> object | None:
        self._read.add(key)
        value = self._data.get(key)
        if value is None:
            if is_required:
                self.report(f"`{key}` is missing; add it as {words}")
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.report(f"`{key}` must be {words}", key)
            return None
        return value

    def text(self, key: str, default: str | None = None, *, pattern: str = "", words: str = "text") -> str:
        """A string; required unless there is a default."""
        value = self._get(key, str, words, is_required=default is None)
        if value is None:
            return default or ""
        text = cast("str", value)
        if pattern and not re.fullmatch(pattern, text):
            self.report(f"`{key}` must be {words}, not {text[:40]!r}", key)
        return text

    def choice(self, key: str, options: Sequence[str], default: str | None = None) -> str:
        """One of some words."""
        value = self.text(key, default, words=" or ".join(f'"{option}"' for option in options))
        if value in options:
            return value
        if value:
            self.report(f"`{key}` must be one of {', '.join(options)}, not {value[:40]!r}", key)
        return options[0]

    def integer(self, key: str, default: int | None = None, *, low: int = 0, high: int = 10**12) -> int:
        """A whole number within bounds."""
        words = f"a whole number from {low} to {high}"
        value = self._get(key, int, words, is_required=default is None)
        if value is None:
            return default if default is not None else low
        number = cast("int", value)
        if not low <= number <= high:
            self.report(f"`{key}` must be {words}, not {number}", key)
            return low
        return number

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._get(key, bool, "true or false", is_required=False)
        return default if value is None else bool(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty if absent."""
        value = self._get(key, list, "a list of texts", is_required=False)
        items = cast("list[object]", value or [])
        if any(not isinstance(item, str) for item in items):
            self.report(f"`{key}` must be a list of texts", key)
            return ()
        return tuple(cast("list[str]", items))

    def mapping(self, key: str) -> dict[str, str]:
        """A table of strings; empty if absent."""
        value = self._get(key, dict, "a table of texts", is_required=False)
        items = cast("dict[str, object]", value or {})
        if any(not isinstance(item, str) for item in items.values()):
            self.report(f"every value of `{key}` must be text", key)
            return {}
        return cast("dict[str, str]", items)

    def moment(self, key: str, *, is_required: bool = False) -> dt.datetime | None:
        """A time with its zone, such as `2026-06-01T00:00:00Z`."""
        words = "a time with its zone, such as 2026-06-01T00:00:00Z"
        value = self._get(key, dt.datetime, words, is_required=is_required)
        if value is None:
            return None
        moment = cast("dt.datetime", value)
        if moment.tzinfo is None:
            self.report(f"`{key}` must be {words}", key)
            return None
        return moment

    def table(self, key: str, *, is_required: bool = False) -> "Table | None":
        """A table within this one."""
        value = self._get(key, dict, f"a table: [{'.'.join(map(str, (*self._path, key)))}]", is_required=is_required)
        return None if value is None else Table(self._document, (*self._path, key), cast("dict[str, object]", value))

    def tables(self, key: str) -> "list[Table]":
        """A list of tables (`[[key]]`); empty if absent."""
        words = f"a list of tables, each begun by [[{'.'.join(str(p) for p in (*self._path, key))}]]"
        value = self._get(key, list, words, is_required=False)
        items = cast("list[object]", value or [])
        if any(not isinstance(item, dict) for item in items):
            self.report(f"`{key}` must be {words}", key)
            return []
        return [
            Table(self._document, (*self._path, key, number), cast("dict[str, object]", item))
            for number, item in enumerate(items)
        ]

    def skip(self, *keys: str) -> None:
        """These keys are read by other means."""
        self._read.update(keys)

    def finish(self) -> None:
        """Report every key that nobody has asked for: most are typing errors."""
        for key in self._data:
            if key not in self._read:
                known = ", ".join(sorted(self._read))
                self.report(f"`{key}` is not known here; known are: {known}", key)
