"""What each operation asks for, and what it must cost by the published prices: no code of the product is asked."""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

NANOS_PER_YUAN = 10**9
_PER_TOKENS = 10**6
SCARCE_FROM = 100_000_000
"""Operations from this number on are asked for by those who have little money."""
_LLMAGE, _OPENAI = b"/llmage/v1/chat/completions", b"/v1/chat/completions"
_HEAD = (
    b"POST %b HTTP/1.1\r\nhost: kills\r\nauthorization: Bearer %b\r\ncontent-type: application/json\r\n"
    b"idempotency-key: op-%d\r\ncontent-length: %d\r\n\r\n"
)
_WORDS = (
    b"op-%d in=%d cached=%d out=%d ms=%d; " + b"filling that is paid for by its tokens, so that there are some " * 2
)
_SLOW_MS = (15, 40, 150, 600)
_VERY_SLOW_MS = 2600
"""Longer than it takes until what a running stream has used is written down."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model and the prices of its list, in CNY for a million tokens."""

    name: bytes
    input: str
    cached: str
    output: str


MODELS = (
    Model(name=b"qwen3-max", input="2.5", cached="0.5", output="10"),
    Model(name=b"deepseek-v4-flash", input="1", cached="0.02", output="2"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """One operation: a request, and what its answer is going to count; whether its client leaves it alone at first."""

    number: int
    model: Model
    is_stream: bool
    is_llmage: bool
    tokens: tuple[int, int, int]
    pause_ms: int
    is_impatient: bool

    @property
    def charge_nanos(self) -> int:
        """What it costs."""
        return price(self.model, *self.tokens)

    def clamped(self, output_max: int) -> "Wish":
        """The same with an answer that had to be shorter."""
        tokens_in, cached, tokens_out = self.tokens
        return replace(self, tokens=(tokens_in, cached, min(tokens_out, output_max)))

    def request(self, api_key: bytes) -> bytes:
        """The bytes of the request; the same each time."""
        words = _WORDS % (self.number, *self.tokens, self.pause_ms)
        rest = b',"stream":true,"stream_options":{"include_usage":true}}' if self.is_stream else b"}"
        asked = b'"prompt":"%b"' if self.is_llmage else b'"messages":[{"role":"user","content":"%b"}]'
        body = b'{"model":"%b","max_tokens":300,' % self.model.name + asked % words + rest
        head = _HEAD % (_LLMAGE if self.is_llmage else _OPENAI, api_key, self.number, len(body))
        return head + body


def wish_of(number: int, seed: int) -> Wish:
    """What the operation of this number is in a run with this seed."""
    mixed = ((number + 1) * 0x9E3779B1 + seed * 0x85EBCA77) & 0xFFFFFFFF
    mixed ^= mixed >> 15
    pause = _SLOW_MS[(mixed >> 8) % 4] if mixed % 29 == 0 else _VERY_SLOW_MS if mixed % 401 == 0 else 0
    tokens_in = 1 + (mixed >> 4) % 40
    return Wish(
        number=number,
        model=MODELS[(mixed >> 12) % len(MODELS)],
        is_stream=bool(mixed >> 14 & 1),
        is_llmage=bool(mixed >> 15 & 1),
        tokens=(tokens_in, (mixed >> 18) % (tokens_in + 1), 1 + (mixed >> 23) % 300),
        pause_ms=pause,
        is_impatient=mixed % 61 == 0,
    )


@cache
def price(model: Model, tokens_in: int, cached: int, tokens_out: int) -> int:
    """Nano-yuan, rounded up once."""
    uncached = tokens_in - cached
    yuan = Fraction(model.input) * uncached + Fraction(model.cached) * cached + Fraction(model.output) * tokens_out
    nanos = yuan / _PER_TOKENS * NANOS_PER_YUAN
    return -(-nanos.numerator // nanos.denominator)
