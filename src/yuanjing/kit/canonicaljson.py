"""JSON in the one form that can be signed: RFC 8785, for values of texts and whole numbers.

Fractions are refused: their canonical form is that of a binary fraction, which money never is. Whole numbers beyond
±(2⁵³ - 1) are refused too, since other programs would read another number; write them as texts.
"""

import json
from typing import cast

INTEGER_MAX = 2**53 - 1
"""RFC 7493, 2.2: beyond it a number is not the same for everybody."""
_DEPTH_MAX = 20
Canonical = str | int | list["Canonical"] | dict[str, "Canonical"]


def canonical_json(value: object) -> bytes:
    """The bytes of a value: no blanks, names in the order of their UTF-16 code units, UTF-8.

    Raises:
        ValueError: it has a value that is no text, whole number, list or object; or it is nested too deeply.
    """
    return json.dumps(_ordered(value, 0), ensure_ascii=False, separators=(",", ":")).encode()


def read_canonical(data: bytes) -> Canonical:
    """The value of bytes that are in canonical form.

    Raises:
        ValueError: they are not; the message says why, without quoting them.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON in UTF-8") from None
    if canonical_json(value) != data:
        raise ValueError("it is not in the canonical form (RFC 8785)")
    return cast("Canonical", value)


def _ordered(value: object, depth: int) -> Canonical:
    if depth > _DEPTH_MAX:
        raise ValueError("it is nested too deeply")
    if isinstance(value, str):
        if any("\ud800" <= sign <= "\udfff" for sign in value):
            raise ValueError("a text in it is no Unicode")
        return value
    if type(value) is int and -INTEGER_MAX <= value <= INTEGER_MAX:
        return value
    if isinstance(value, list):
        return [_ordered(item, depth + 1) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        names = cast("dict[object, object]", value)
        texts = [name for name in names if isinstance(name, str)]
        if len(texts) == len(names):
            _ordered(cast("list[object]", texts), depth + 1)
            texts.sort(key=lambda name: name.encode("utf-16-be"))
            return {name: _ordered(names[name], depth + 1) for name in texts}
    raise ValueError("only texts, whole numbers up to 2**53 - 1, lists and objects can be in it")
