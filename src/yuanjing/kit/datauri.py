"""Files written as text: `data:` URIs (RFC 2397) and bare Base64."""

import base64
import binascii
from urllib.parse import unquote_to_bytes

_END = "= \t\n\r\v\f"
"""Padding, and white space, which may stand anywhere."""
_PIECE_CHARACTERS = 1 << 20
_URLSAFE = bytes.maketrans(b"-_", b"+/")


def read_data_uri(text: str, *, piece_characters: int = _PIECE_CHARACTERS) -> bytes | bytearray:
    """The file in a `data:` URI, or in bare Base64 of either alphabet, with or without its padding.

    Base64 is read in pieces: a large picture is not to be in memory several times.

    Raises:
        ValueError: the text holds no file.
    """
    if text[:5].lower() != "data:":
        return _from_base64(text, 0, piece_characters)
    comma = text.find(",")
    if comma < 0:
        raise ValueError("a data: URI without a comma")
    if text[:comma].lower().endswith(";base64"):
        return _from_base64(text, comma + 1, piece_characters)
    return unquote_to_bytes(text[comma + 1 :])


def _from_base64(text: str, start: int, piece_characters: int) -> bytearray:
    end = len(text)
    while end > start and text[end - 1] in _END:
        end -= 1
    made, rest = bytearray(), b""
    for place in range(start, end, piece_characters):
        piece = text[place : min(place + piece_characters, end)].encode("ascii")
        data = rest + b"".join(piece.split()).translate(_URLSAFE)
        if b"=" in data:
            raise binascii.Error("padding before the end")
        whole = len(data) - len(data) % 4
        made += base64.b64decode(data[:whole], validate=True)
        rest = data[whole:]
    made += base64.b64decode(rest + b"=" * (-len(rest) % 4), validate=True)
    return made
