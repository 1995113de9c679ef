"""RSA2: what is signed, how, and where an answer's signed part begins and ends.

Source: https://opendocs.alipay.com/common/02kf5q and 02mse7 (SHA256withRSA, PKCS#1 v1.5, base64).
"""

import base64
import binascii
import json
from collections.abc import Mapping
from json.decoder import JSONDecodeError

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

SIGN_TYPE = "RSA2"

_SPACE = " \t\r\n"
_DECODER = json.JSONDecoder()


def request_text(params: Mapping[str, str]) -> str:
    """What is signed of a request: all but `sign` and what is empty, sorted by name, not escaped."""
    return "&".join(f"{name}={value}" for name, value in sorted(params.items()) if name != "sign" and value)


def notification_text(fields: Mapping[str, str]) -> str:
    """What is signed of a notification: all but `sign` and `sign_type`. Unlike in requests, empty values stay."""
    kept = sorted(item for item in fields.items() if item[0] not in {"sign", "sign_type"})
    return "&".join(f"{name}={value}" for name, value in kept)


def sign(key: RSAPrivateKey, text: str) -> str:
    """The signature in base64."""
    return base64.b64encode(key.sign(text.encode(), PKCS1v15(), SHA256())).decode()


def is_signed(key: RSAPublicKey, text: str, signature: str) -> bool:
    """Whether the signature in base64 is that key's of that text."""
    try:
        key.verify(base64.b64decode(signature, validate=True), text.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def parts_of(text: str) -> dict[str, str]:
    """The members of a JSON object as they are written, by name: a signature covers the bytes, not what they mean.

    Raises:
        ValueError: it is no JSON object, or a name comes twice.
    """
    parts: dict[str, str] = {}
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("no object")
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        if parts:
            at = _skip(text, _after(text, at, ","))
        name, at = _decode(text, at)
        begin = _skip(text, _after(text, _skip(text, at), ":"))
        _, end = _decode(text, begin)
        if not isinstance(name, str) or name in parts:
            raise ValueError("a name that is no text, or comes twice")
        parts[name] = text[begin:end]
        at = _skip(text, end)
    if _skip(text, at + 1) != len(text):
        raise ValueError("something follows the object")
    return parts


def _decode(text: str, at: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except (JSONDecodeError, RecursionError):
        raise ValueError("not JSON") from None


def _after(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise ValueError("not JSON")
    return at + 1


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _SPACE:
        at += 1
    return at
