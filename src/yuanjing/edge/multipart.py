"""Forms with files (RFC 7578), read piece by piece: texts are kept in memory, files go to disk."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Self

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from yuanjing.domain.artifacts import IncomingFile
from yuanjing.domain.errors import YuanjingError
from yuanjing.ports.artifacts import ScratchFolder

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it warns about every broken form

_WRITE_BYTES = 512 * 1024
"""So much of a file is gathered before it is written: a request on its way holds it in memory."""
_HEADERS_MAX = 16
_HEADER_BYTES_MAX = 4096
_NAME_CHARS_MAX = 200
_DELIMITERS_MAX = 10_000
"""So often may the boundary come, in data too, where it must not; the parser takes each in hand, which is slow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FormOptions:
    """How large requests may be, see the settings `upload_…`, and where their files are meanwhile."""

    scratch: ScratchFolder
    request_bytes_max: int
    file_bytes_max: int
    text_bytes_max: int
    parts_max: int


class FormError(YuanjingError):
    """A request's body is broken."""

    code = "invalid_request"


class TooLargeError(YuanjingError):
    """A request, or a part of it, is larger than the settings allow."""

    code = "request_too_large"

    def __init__(self, subject: str, limit: str, param: str | None = None) -> None:
        super().__init__(f"{subject} has more than {limit}; send less, or files by URL", param=param)


def media_type_and_boundary(content_type: str) -> tuple[str, bytes]:
    """What a `Content-Type` header says, in lower case; the boundary is empty if there is none."""
    media_type, options = parse_options_header(content_type)
    return media_type.decode("latin-1"), options.get(b"boundary", b"")


class _Word(Enum):
    """What the parser says beside the bytes of a part."""

    BEGIN = auto()
    END = auto()
    ALL = auto()


@dataclass
class _Part:
    """A part that is being read: a text, or, if it has a file's name, a file and its place."""

    name: str
    file_name: str | None
    place: Path | None
    size: int = 0
    pieces: list[bytes] = field(default_factory=list[bytes])
    gathered: int = 0


class MultipartReader:
    """Takes a body in pieces, and has its fields in the end. A context manager: its files are gone afterwards."""

    def __init__(self, options: FormOptions, boundary: bytes) -> None:
        self._options = options
        self._files = ExitStack()
        self._values: dict[str, list[object]] = {}
        self._size = self._text_size = self._parts = 0
        self._part: _Part | None = None
        self._is_complete = False
        self._heard: list[bytes | _Word] = []
        self._field = self._value = self._disposition = b""
        self._dispositions: list[bytes] = []
        self._delimiter = b"\r\n--" + boundary
        self._delimiters = 0
        self._parser = self._open(boundary)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    async def feed(self, chunk: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            FormError: it is no form, or a field has no name or is not in UTF-8.
            TooLargeError: it, or one of its files, is larger than allowed.
            StorageFullError: there is no room for its files.
        """
        self._size += len(chunk)
        if self._size > self._options.request_bytes_max:
            raise TooLargeError("The request", f"{self._options.request_bytes_max} bytes")
        self._delimiters += chunk.count(self._delimiter)
        if self._delimiters > _DELIMITERS_MAX:
            raise FormError("The form is broken: its boundary stands in its data")
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise FormError("The form is broken: it is not written as multipart/form-data") from error
        heard, self._heard = self._heard, []
        for one in heard:
            await self._understand(one)

    def finish(self) -> dict[str, list[object]]:
        """The fields, now that the body has ended.

        Raises:
            FormError: it has not come to its end.
        """
        if not self._is_complete:
            raise FormError("The form is broken: its last boundary is missing")
        return self._values

    # the parser's words, heard within `write`, where nothing can be awaited

    def _open(self, boundary: bytes) -> MultipartParser:
        if not boundary:
            raise FormError("The form is broken: its content type names no boundary")
        try:
            return MultipartParser(
                boundary,
                {
                    "on_header_field": self._hear_field,
                    "on_header_value": self._hear_value,
                    "on_header_end": self._hear_header_end,
                    "on_headers_finished": self._hear_begin,
                    "on_part_data": self._hear_data,
                    "on_part_end": lambda: self._heard.append(_Word.END),
                    "on_end": lambda: self._heard.append(_Word.ALL),
                },
                max_header_count=_HEADERS_MAX,
                max_header_size=_HEADER_BYTES_MAX,
            )
        except FormParserError as error:
            raise FormError("The form is broken: its boundary is too long") from error

    def _hear_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _hear_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _hear_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def _hear_begin(self) -> None:
        self._dispositions.append(self._disposition)
        self._disposition = b""
        self._heard.append(_Word.BEGIN)

    def _hear_data(self, data: bytes, start: int, end: int) -> None:
        self._heard.append(data[start:end])

    # what they mean

    async def _understand(self, one: "bytes | _Word") -> None:
        if one is _Word.BEGIN:
            self._part = self._begin(self._dispositions.pop(0))
        elif one is _Word.ALL:
            self._is_complete = True
        else:
            assert self._part is not None, one
            if isinstance(one, bytes):
                await self._take(self._part, one)
            else:
                await self._end(self._part)
                self._part = None

    def _begin(self, disposition: bytes) -> _Part:
        self._parts += 1
        if self._parts > self._options.parts_max:
            raise TooLargeError("The form", f"{self._options.parts_max} fields")
        _, options = parse_options_header(disposition.decode("latin-1"))
        if not options.get(b"name"):
            raise FormError("The form is broken: a field has no name")
        name = _text(options[b"name"]).removesuffix("[]")
        file_name = options.get(b"filename")
        if file_name is None:
            return _Part(name=name, file_name=None, place=None)
        place = self._files.enter_context(self._options.scratch.file())
        shown = file_name.decode(errors="replace")[:_NAME_CHARS_MAX]  # for people only; some clients send Latin-1
        return _Part(name=name, file_name=shown, place=place)

    async def _take(self, part: _Part, data: bytes) -> None:
        part.size += len(data)
        part.gathered += len(data)
        part.pieces.append(data)
        if part.place is None:
            self._text_size += len(data)
            if self._text_size > self._options.text_bytes_max:
                raise TooLargeError("The text of the form", f"{self._options.text_bytes_max} bytes", part.name)
        elif part.size > self._options.file_bytes_max:
            raise TooLargeError(f"The file in {part.name}", f"{self._options.file_bytes_max} bytes", part.name)
        elif part.gathered >= _WRITE_BYTES:
            await self._write(part, part.place)

    async def _write(self, part: _Part, place: Path) -> None:
        await self._options.scratch.append(place, b"".join(part.pieces))
        part.pieces.clear()
        part.gathered = 0

    async def _end(self, part: _Part) -> None:
        """A file's field that was left empty in a browser has neither a name nor bytes: it was not given."""
        values = self._values.setdefault(part.name, [])
        if part.place is None:
            values.append(_text(b"".join(part.pieces)))
        elif part.size or part.file_name:
            await self._write(part, part.place)
            values.append(IncomingFile(name=part.file_name or "", size_bytes=part.size, place=part.place))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FormError("The form is not written in UTF-8") from error
