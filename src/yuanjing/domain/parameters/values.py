"""Single values: from what a form or JSON has to what the JSON Schema speaks of."""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from yuanjing.domain.artifacts import IncomingFile
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.tasks import MediaRole, Size
from yuanjing.kit.text import is_storable

Fields = Mapping[str, Sequence[object]]
"""Values by field name, in the order in which they came: text, a JSON value, or a file."""
Keywords = Mapping[str, object]
"""A JSON Schema, or one of its properties."""

TEXT_LENGTH_MAX = 100_000
"""No single text is looked at beyond this many characters; files written into a text have limits of their own."""
INTEGER_MAX = 2**53
"""Larger whole numbers are not the same in every client."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,16}(?:\.0{1,6})?")
_NUMBER = re.compile(r"[+-]?[0-9]{1,16}(?:\.[0-9]{1,16})?")
_SECONDS = re.compile(r"\s*(?:s|sec|secs|seconds|秒)\Z", re.IGNORECASE)
_SIZE = re.compile(r"([1-9][0-9]{0,4})\*([1-9][0-9]{0,4})")
_TIMES = re.compile(r"\s*[x×*]\s*", re.IGNORECASE)  # noqa: RUF001  # the sign of multiplication is meant
_YES = frozenset({"y", "yes", "true", "1", "on"})
_NO = frozenset({"n", "no", "false", "0", "off"})


class ParameterError(YuanjingError):
    """A parameter is missing or wrong; the message says what to change."""

    def __init__(self, code: str, message: str, *, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaValue:
    """A file as a request gives it.

    Attributes:
        field: what errors call it.
        value: an http(s) URL, a `data:` URI, bare base64, or a file.
    """

    role: MediaRole
    field: str
    value: str | IncomingFile = dataclasses.field(repr=False)


def missing(name: str) -> ParameterError:
    """The error about a parameter that was not given; the seed's words, exactly."""
    return ParameterError("missing_required_parameter", f"Missing required parameter: {name}", param=name)


def invalid(name: str, advice: str = "") -> ParameterError:
    """The error about a value: the seed's words, and what to change."""
    words = f"Invalid parameter: {name}"
    return ParameterError("invalid_parameter", f"{words}; {advice}" if advice else words, param=name)


def unsupported(name: str) -> ParameterError:
    """The error about something that the model cannot take."""
    return ParameterError("unsupported_parameter", f"Unsupported parameter: {name}", param=name)


def given(fields: Fields, names: Sequence[str]) -> Iterator[tuple[str, object]]:
    """The values under these names that are not empty, with the name; the names' order comes first."""
    for name in names:
        for value in fields.get(name, ()):
            if not is_empty(value):
                yield name, value


def is_empty(value: object) -> bool:
    """Whether the value stands for one that was not given."""
    if isinstance(value, IncomingFile):
        return not value.name and not value.size_bytes  # a form's file input that was left open
    return value is None or (isinstance(value, str) and (not value or value.isspace()))


def read_value(name: str, keywords: Keywords, value: object) -> object:
    """The value in the type that the property has; whether it is one of those allowed is for the schema to say.

    Raises:
        ParameterError: it cannot be read as that type.
    """
    reader = _READERS.get(_kind(keywords))
    found = reader(keywords, value) if reader else None
    if found is None:
        raise invalid(name, advice(keywords))
    return found


def read_size(value: object) -> Size | None:
    """A size such as `1920*1080`, with any sign of multiplication; None of anything else."""
    found = (
        _SIZE.fullmatch(_TIMES.sub("*", value.strip()))
        if isinstance(value, str) and len(value) <= _DIGITS_MAX
        else None
    )
    return Size(width=int(found[1]), height=int(found[2])) if found else None


def texts(value: object) -> list[str]:
    """The texts in a list; none if it is no list."""
    return [item for item in listed(value) if isinstance(item, str)]


def listed(value: object) -> list[object]:
    """The items of a list; none if it is no list."""
    return list(cast("Sequence[object]", value)) if isinstance(value, list | tuple) else []


def advice(keywords: Keywords) -> str:
    """What a property takes, in words for an error; empty if nothing helpful can be said."""
    hint = keywords.get("x-hint")
    if isinstance(hint, str):
        return hint
    values = listed(keywords.get("enum"))
    if values:
        return f"one of {', '.join(map(str, values))}"
    low, high, longest = keywords.get("minimum"), keywords.get("maximum"), keywords.get("maxLength")
    kind = _KINDS.get(_kind(keywords), "a text")
    if low is not None and high is not None:
        return f"{kind} from {low} to {high}"
    return f"{kind} of at most {longest} characters" if longest is not None else kind


def _kind(keywords: Keywords) -> str:
    """The type of a property, or the first that it may have."""
    kinds = keywords.get("type")
    return kinds if isinstance(kinds, str) else next((kind for kind in texts(kinds) if kind != "null"), "string")


def _read_integer(keywords: Keywords, value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value[:_DIGITS_MAX].strip()
        text = _SECONDS.sub("", text) if keywords.get("x-unit") == "seconds" else text
        value = int(text.partition(".")[0]) if len(value) < _DIGITS_MAX and _INTEGER.fullmatch(text) else None
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) <= INTEGER_MAX else None
    return value if isinstance(value, int) and abs(value) <= INTEGER_MAX else None


def _read_number(_: Keywords, value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value[:_DIGITS_MAX].strip()
        value = float(text) if len(value) < _DIGITS_MAX and _NUMBER.fullmatch(text) else None
    return float(value) if isinstance(value, int | float) and abs(value) <= INTEGER_MAX else None


def _read_boolean(_: Keywords, value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str | int):
        return None
    word = value[:_DIGITS_MAX].strip().lower() if isinstance(value, str) else _WORD_OF_BIT.get(value, "")
    return True if word in _YES else False if word in _NO else None


def _read_string(keywords: Keywords, value: object) -> str | None:
    choices = texts(keywords.get("enum"))
    if isinstance(value, int) and not isinstance(value, bool) and choices and abs(value) <= INTEGER_MAX:
        value = str(value)
    if not isinstance(value, str) or len(value) > TEXT_LENGTH_MAX or not is_storable(value):
        return None
    if not choices:
        return value
    text = value.strip().replace(_WIDE_COLON, ":")
    text = _TIMES.sub("*", text) if keywords.get("x-form") == "size" else text
    wanted = {text.casefold(), f"{text.casefold()}p"} if text.isdecimal() else {text.casefold()}
    return next((choice for choice in choices if choice.casefold() in wanted), None)


_WIDE_COLON = "\uff1a"
"""What Chinese keyboards write in a ratio."""
_DIGITS_MAX = 40
_KINDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
_WORD_OF_BIT = {1: "1", 0: "0"}
_READERS = {"integer": _read_integer, "number": _read_number, "boolean": _read_boolean, "string": _read_string}
