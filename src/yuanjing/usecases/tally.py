"""Comparing two streams that are too long to remember: sums by key, in bounded memory."""

import hashlib
import secrets
from collections.abc import Iterable

_BUCKETS = 1024
_MODULUS = 2**127 - 1


class Tally:
    """Whether two streams of (key, amount) give every key the same sum and the same number of items.

    Each side adds a random multiple for each key (secret to this object, so that no data can be made to fool it) into
    one of a fixed number of buckets. A bucket that is zero at the end holds only keys that agree; for the others,
    `is_suspect` says which keys to look at again, one by one, in a second pass.
    """

    def __init__(self, *, counts: bool) -> None:
        self._counts = counts
        self._secret = secrets.token_bytes(32)
        self._buckets = [0] * _BUCKETS

    def add(self, key: str, amount: int, *, sign: int = 1) -> None:
        """Count an item of the one side (`sign` 1) or of the other (-1)."""
        bucket, weight = self._hash(key)
        value = (amount << 8) + 1 if self._counts else amount
        self._buckets[bucket] = (self._buckets[bucket] + sign * weight * value) % _MODULUS

    @property
    def is_even(self) -> bool:
        """Whether both sides agree on every key."""
        return not any(self._buckets)

    def is_suspect(self, key: str) -> bool:
        """Whether the key lies in a bucket that does not agree."""
        return self._buckets[self._hash(key)[0]] != 0

    def _hash(self, key: str) -> tuple[int, int]:
        digest = hashlib.blake2b(key.encode(), key=self._secret, digest_size=18).digest()
        return int.from_bytes(digest[:2]) % _BUCKETS, int.from_bytes(digest[2:])


def sums_of(items: Iterable[tuple[str, int]]) -> dict[str, tuple[int, int]]:
    """Number and sum of the amounts by key, exactly."""
    sums: dict[str, tuple[int, int]] = {}
    for key, amount in items:
        count, total = sums.get(key, (0, 0))
        sums[key] = (count + 1, total + amount)
    return sums
