"""Reading JSON that others wrote: whatever comes, a value of the wanted kind or nothing."""

import json
from decimal import Decimal
from typing import cast

import msgspec

SCALAR_CHARS_MAX = 200

Fields = dict[str, object]


def decode(data: bytes) -> object:
    """The value; None if the bytes are no JSON, which JSON's `null` also gives."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode_fields(data: bytes) -> Fields | None:
    """The fields of the JSON object that the bytes are; None if they are none."""
    value = decode(data)
    return cast("Fields", value) if isinstance(value, dict) else None


def encode(value: object) -> bytes:
    """Compact JSON in UTF-8, with escapes if a text holds half a character (a lone surrogate, which JSON can carry)."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def as_fields(value: object) -> Fields:
    """The object's fields; none if it is no object."""
    return cast("Fields", value) if isinstance(value, dict) else {}


def as_items(value: object) -> list[object]:
    """The array's items; none if it is no array."""
    return cast("list[object]", value) if isinstance(value, list) else []


def text(fields: Fields, name: str) -> str:
    """The field's text; empty if it is none."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def word(fields: Fields, name: str) -> str:
    """The field's text if it is short, as ids, codes and states are; empty if it is none or longer."""
    value = text(fields, name)
    return value if len(value) <= SCALAR_CHARS_MAX else ""


def number(fields: Fields, name: str) -> Decimal | None:
    """The field's number, as it was written up to 15 digits; None if it is none, or infinite."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    count = Decimal(str(value))
    return count if count.is_finite() else None


def scalars(fields: Fields, *names: str) -> dict[str, str | int | float | bool | None]:
    """Those of the fields that are there and hold a single value; a text is cut to 200 characters."""
    found: dict[str, str | int | float | bool | None] = {}
    for name in names:
        value = fields.get(name)
        if isinstance(value, str | int | float):
            found[name] = value[:SCALAR_CHARS_MAX] if isinstance(value, str) else value
    return found
