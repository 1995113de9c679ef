"""Identifiers: sortable prefixed ids, nanoid-like usage ids and random secrets."""

import os
import secrets
import time
from collections.abc import Iterator

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_NANOID = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NANOID_TABLE = bytes.maketrans(bytes(range(64)), _NANOID.encode())
_SIX_BITS = bytes(i & 63 for i in range(256))
USAGE_ID_LENGTH = 21
_POOLED = 512


class _Last:
    """The number of the last sortable id of this process."""

    value = 0


def sortable_id(prefix: str) -> str:
    """An id such as `cus_01jd…`: prefix, 48 bits of Unix milliseconds, 80 random bits; sorts by time.

    Those that one thread makes within a millisecond sort by their order too, as a monotonic ULID does, yet hard to
    guess from one another.
    """
    now = time.time_ns() // 1_000_000
    value = now << 80 | secrets.randbits(80)
    if (_Last.value >> 80) - now in (0, 1):  # 1: the last one was carried into the next millisecond
        value = _Last.value + 1 + secrets.randbits(64)
    _Last.value = value
    digits = [""] * 26
    for i in range(25, -1, -1):
        digits[i] = _CROCKFORD[value & 31]
        value >>= 5
    return f"{prefix}_{''.join(digits)}"


class _Pool:
    """Random ids made many at a time: one call of the system's generator serves some hundred requests."""

    ids: Iterator[str] = iter(())


def usage_id() -> str:
    """A random id of 21 characters of the nanoid alphabet (126 bits), the look of the seed's `llmusageid`.

    It does not begin with `-`: on a command line it would be taken for an option.
    """
    for one in _Pool.ids:
        return one
    raw = secrets.token_bytes(USAGE_ID_LENGTH * _POOLED).translate(_SIX_BITS).translate(_NANOID_TABLE).decode("ascii")
    made = (raw[i : i + USAGE_ID_LENGTH] for i in range(0, len(raw), USAGE_ID_LENGTH))
    _Pool.ids = iter([f"A{one[1:]}" if one[0] == "-" else one for one in made])
    return next(_Pool.ids)


os.register_at_fork(after_in_child=lambda: setattr(_Pool, "ids", iter(())))


def random_base62(length: int) -> str:
    """`length` random characters of 0-9A-Za-z."""
    return "".join(secrets.choice(BASE62) for _ in range(length))
