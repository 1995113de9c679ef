"""Prefix caching: what a credential has sent before counts as cached for a while."""

from collections import OrderedDict

from yuanjing.kit.clock import Clock
from yuanjing.sandbox.chat.usage import digest

BLOCK_TOKENS = 64
LEAST_TOKENS = 256
EXPLICIT_LEAST_TOKENS = 1024


class PrefixCache:
    """Remembers prefixes in blocks of 64 tokens; bounded, the least recently used go first."""

    def __init__(self, clock: Clock, *, seconds: float, blocks_max: int) -> None:
        self._clock = clock
        self._seconds = seconds
        self._blocks_max = blocks_max
        self._known: OrderedDict[bytes, float] = OrderedDict()

    def implicit(self, owner: str, pieces: list[str]) -> int:
        """How many of the first tokens are cached: 0, or at least 256 and a multiple of 64; remembers all."""
        whole = (len(pieces) - 1) // BLOCK_TOKENS
        name = digest(owner.encode())
        hits = 0
        for index in range(whole):
            block = pieces[index * BLOCK_TOKENS : (index + 1) * BLOCK_TOKENS]
            name = digest(name + "\0".join(block).encode("utf-8", "surrogatepass"))
            if self._touch(name) and hits == index:
                hits += 1
        return hits * BLOCK_TOKENS if hits * BLOCK_TOKENS >= LEAST_TOKENS else 0

    def explicit(self, owner: str, pieces: list[str]) -> bool:
        """Whether exactly this marked prefix is cached; remembers it."""
        return self._touch(digest((owner + "\0" + "\0".join(pieces)).encode("utf-8", "surrogatepass")))

    def _touch(self, name: bytes) -> bool:
        """Whether `name` was seen lately; it is now."""
        now = self._clock.monotonic()
        before = self._known.pop(name, None)
        self._known[name] = now
        while len(self._known) > self._blocks_max:
            self._known.popitem(last=False)
        return before is not None and now - before <= self._seconds
