"""Text helpers."""

import re

JSON_ITEMS_MAX = 100_000
"""No JSON from others needs more lists, objects and items than this, and each of them takes memory and time."""
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def utf8_length(text: str) -> int:
    """How many bytes the text has in UTF-8; lone surrogates, which JSON can carry, count three."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def is_storable(text: str) -> bool:
    """Whether the text is real Unicode without NUL; databases and providers take nothing else."""
    return not _UNSTORABLE.search(text)


def has_many_items(json: str | bytes) -> bool:
    """Whether JSON, yet to be decoded, may have more than `JSON_ITEMS_MAX` lists, objects and items.

    Signs within its texts are counted too, which is cheap and errs on the safe side.
    """
    data = json.encode("utf-8", "surrogatepass") if isinstance(json, str) else json
    return sum(data.count(sign) for sign in (b"[", b"{", b",")) > JSON_ITEMS_MAX
