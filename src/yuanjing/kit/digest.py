"""Keyed digests, for secrets that are compared but never read again."""

import hmac

DIGEST_BYTES = 32


def keyed_digest(pepper: bytes, text: str | bytes) -> bytes:
    """HMAC-SHA-256 of the text (UTF-8) under the pepper: 32 bytes.

    The texts are long and random, so a slow hash would add nothing; the pepper makes a stolen table
    useless by itself.
    """
    if not pepper:
        raise ValueError("an empty pepper would make the digest public")
    return hmac.digest(pepper, text.encode() if isinstance(text, str) else text, "sha256")


def is_same_digest(left: bytes, right: bytes) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return hmac.compare_digest(left, right)
