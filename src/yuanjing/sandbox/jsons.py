"""Narrowing of decoded JSON, so that the rest of the sandbox is typed."""

from typing import cast

import msgspec


def encode(value: object) -> bytes:
    """`value` as compact JSON in UTF-8."""
    return msgspec.json.encode(value)


def canonical(value: object) -> bytes:
    """`value` as compact JSON with sorted keys: equal values give equal bytes."""
    return msgspec.json.encode(value, order="sorted")


def as_object(value: object) -> dict[str, object] | None:
    """`value` if it is a JSON object, else None."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[object] | None:
    """`value` if it is a JSON array, else None."""
    return cast("list[object]", value) if isinstance(value, list) else None
