"""Signatures with Ed25519 (RFC 8032), and how keys and signatures are written."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SEED_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES = 32, 32, 64
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_ID_CHARS = 16


class SigningKey:
    """A private key, made of 32 secret bytes."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._key.public_key().public_bytes_raw()
        self.id = key_id(self.public_key)

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"

    def sign(self, data: bytes) -> bytes:
        """The signature, 64 bytes; the same data always has the same one."""
        return self._key.sign(data)


def key_id(public_key: bytes) -> str:
    """A name for a public key: the beginning of its SHA-256."""
    return f"rk_{sha256(public_key).hexdigest()[:_ID_CHARS]}"


def is_signed_by(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the key's owner has signed exactly this.

    Raises:
        ValueError: the key is none.
    """
    key = Ed25519PublicKey.from_public_bytes(public_key)
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def to_base64url(data: bytes) -> str:
    """Bytes as text without padding (RFC 4648, 5; RFC 7515, 2)."""
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")


def from_base64url(text: str, length: int) -> bytes:
    """The way back, of `length` bytes; each has one way to be written.

    Raises:
        ValueError: it is no such text.
    """
    if not _BASE64URL.fullmatch(text):
        raise ValueError("it is not written in base64url")
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(data) != length or to_base64url(data) != text:
        raise ValueError(f"it is not {length} bytes in base64url")
    return data
