"""Prices: what a ceiling and a charge are made of, by one and the same code.

A price is a set of rates per million units, with the input tier as the condition that chat knows. All
arithmetic is on integers: the lines of a charge are exact in millionths of a nano-yuan, and their sum is
rounded up once.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from yuanjing.domain.money import NANOS_PER_YUAN
from yuanjing.domain.usage import COUNT_MAX, ChatUsage, Meter

UNITS_PER_RATE = 1_000_000
RATE_NANOS_MAX = 10**6 * NANOS_PER_YUAN
"""The dearest rate that may be set: one million CNY per million units."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatTier:
    """The rates for requests whose input is at most `input_up_to` tokens (None: no bound).

    Each rate is nano-yuan per million tokens. `cache_read_nanos` and `cache_write_nanos` of None mean the
    input rate.
    """

    input_up_to: int | None
    input_nanos: int
    output_nanos: int
    cache_read_nanos: int | None = None
    cache_write_nanos: int | None = None
    cache_read: int = field(init=False, repr=False)
    """The rate of input that came out of a cache."""
    cache_write: int = field(init=False, repr=False)
    """The rate of input that was written to a cache."""
    dearest_input: int = field(init=False, repr=False)
    """The most that one input token can cost in this tier."""

    def __post_init__(self) -> None:
        read = self.input_nanos if self.cache_read_nanos is None else self.cache_read_nanos
        write = self.input_nanos if self.cache_write_nanos is None else self.cache_write_nanos
        object.__setattr__(self, "cache_read", read)
        object.__setattr__(self, "cache_write", write)
        object.__setattr__(self, "dearest_input", max(self.input_nanos, read, write))
        for rate in (self.input_nanos, self.output_nanos, self.cache_read, self.cache_write):
            assert 0 <= rate <= RATE_NANOS_MAX, self
        assert self.input_up_to is None or 0 < self.input_up_to <= COUNT_MAX, self


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatPrice:
    """One version of a chat offer's price; never edited, only followed by a newer version.

    Attributes:
        id: `price_…`, what usage records point at.
        version: 1, 2, … within the offer.
        effective_from: from when requests are admitted at it.
        tiers: in rising order of `input_up_to`; the last one may be unbounded. Input above the last bound is
            charged at the last tier.
        source: where the operator took it from (a list price, a contract), with its date.
    """

    id: str
    offer_id: str
    version: int
    effective_from: dt.datetime
    tiers: tuple[ChatTier, ...]
    source: str = ""
    created_at: dt.datetime | None = None

    def __post_init__(self) -> None:
        assert self.tiers, self
        bounds = [COUNT_MAX if t.input_up_to is None else t.input_up_to for t in self.tiers]
        assert bounds == sorted(set(bounds)), self


@dataclass(frozen=True, kw_only=True, slots=True)
class ChargeLine:
    """One line of the arithmetic: `quantity` times `rate_nanos` per million."""

    meter: Meter
    quantity: int
    rate_nanos: int

    @property
    def micro_nanos(self) -> int:
        """The exact amount in millionths of a nano-yuan."""
        return self.quantity * self.rate_nanos


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """An explained amount: its lines, and their sum rounded up once to a whole nano-yuan."""

    lines: tuple[ChargeLine, ...]
    total_nanos: int


class Versioned(Protocol):
    """What every price has."""

    @property
    def version(self) -> int:
        """1, 2, … within the offer."""
        ...

    @property
    def effective_from(self) -> dt.datetime:
        """From when it may be in force."""
        ...


P = TypeVar("P", bound=Versioned)


def current_price(prices: Iterable[P], now: dt.datetime) -> P | None:
    """The price in force: the highest version whose time has come; None before the first one's."""
    due = [price for price in prices if price.effective_from <= now]
    return max(due, key=lambda price: price.version, default=None)


def tier_for(price: ChatPrice, input_tokens: int) -> ChatTier:
    """The tier that a request of this input size is charged at."""
    for tier in price.tiers:
        if tier.input_up_to is None or input_tokens <= tier.input_up_to:
            return tier
    return price.tiers[-1]


def round_up(micro_nanos: int) -> int:
    """Millionths of a nano-yuan to whole nano-yuan; the one rounding of a charge, upwards."""
    return -(-micro_nanos // UNITS_PER_RATE)


def charge_nanos(price: ChatPrice, usage: ChatUsage) -> int:
    """What the usage costs: the fast form of `explain(…).total_nanos`, to which tests hold it."""
    tier = tier_for(price, usage.input_tokens)
    read, write = usage.cache_read_tokens, usage.cache_write_tokens
    return round_up(
        (usage.input_tokens - read - write) * tier.input_nanos
        + read * tier.cache_read
        + write * tier.cache_write
        + usage.output_tokens * tier.output_nanos,
    )


def explain(price: ChatPrice, usage: ChatUsage) -> Charge:
    """The charge with its lines, as a customer sees it."""
    tier = tier_for(price, usage.input_tokens)
    read, write = usage.cache_read_tokens, usage.cache_write_tokens
    parts = (
        (Meter.INPUT_TOKENS, usage.input_tokens - read - write, tier.input_nanos),
        (Meter.CACHE_READ_TOKENS, read, tier.cache_read),
        (Meter.CACHE_WRITE_TOKENS, write, tier.cache_write),
        (Meter.OUTPUT_TOKENS, usage.output_tokens, tier.output_nanos),
    )
    lines = tuple(ChargeLine(meter=m, quantity=q, rate_nanos=r) for m, q, r in parts if q)
    return Charge(lines=lines, total_nanos=round_up(sum(line.micro_nanos for line in lines)))


def dearest_rates(price: ChatPrice, input_tokens_max: int) -> tuple[int, int]:
    """The dearest input and output rate that a request of at most this input size can meet."""
    first = price.tiers[0]
    if first.input_up_to is None or input_tokens_max <= first.input_up_to:
        return first.dearest_input, first.output_nanos
    dearest_input = dearest_output = 0
    for tier in price.tiers:
        dearest_input = max(dearest_input, tier.dearest_input)
        dearest_output = max(dearest_output, tier.output_nanos)
        if tier.input_up_to is None or input_tokens_max <= tier.input_up_to:
            break
    return dearest_input, dearest_output


def ceiling_nanos(price: ChatPrice, input_tokens_max: int, output_tokens_max: int) -> int:
    """The most that a request within these bounds can be charged."""
    assert input_tokens_max >= 0
    assert output_tokens_max >= 0
    dearest_input, dearest_output = dearest_rates(price, input_tokens_max)
    return round_up(input_tokens_max * dearest_input + output_tokens_max * dearest_output)


def affordable_output_tokens(price: ChatPrice, input_tokens_max: int, amount_nanos: int) -> int:
    """How many output tokens the amount covers after the input; negative if it does not cover the input."""
    dearest_input, dearest_output = dearest_rates(price, input_tokens_max)
    rest = amount_nanos * UNITS_PER_RATE - input_tokens_max * dearest_input
    if rest < 0:
        return -1
    return rest // dearest_output if dearest_output else COUNT_MAX
