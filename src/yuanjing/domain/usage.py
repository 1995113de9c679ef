"""What a request counted, and the record that explains its charge."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from yuanjing.domain.days import day_of
from yuanjing.domain.idempotency import KeptAnswer
from yuanjing.domain.money import Book

COUNT_MAX = 10**12
"""No provider's count is believed above this; larger ones are cut to it before any multiplication."""
OVERRUN_NANOS_MAX = 10**13
"""No single overrun is booked above this, ten thousand CNY: what makes more is a provider's nonsense."""


class Meter(StrEnum):
    """A thing counted. Buckets are inclusive: cache reads and creations are part of the input."""

    INPUT_TOKENS = "input_tokens"
    CACHE_READ_TOKENS = "cache_read_tokens"
    CACHE_WRITE_TOKENS = "cache_write_tokens"
    OUTPUT_TOKENS = "output_tokens"
    REASONING_TOKENS = "reasoning_tokens"


# Each use of a member through its class is a call in Python 3.11, and the hot path has some to spare it.
_INPUT, _CACHE_READ, _CACHE_WRITE, _OUTPUT, _REASONING = Meter


class UsageStatus(StrEnum):
    """How the request ended."""

    COMPLETED = "completed"
    CLIENT_GONE = "client_gone"
    UPSTREAM_BROKE = "upstream_broke"
    INTERRUPTED = "interrupted"


@dataclass(kw_only=True, slots=True)  # not frozen: that would cost the hot path microseconds per request
class ChatUsage:
    """Token counts of one chat request; each between 0 and `COUNT_MAX`, parts never above their whole."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        whole = self.input_tokens
        assert 0 <= self.cache_read_tokens <= whole - self.cache_write_tokens <= whole <= COUNT_MAX, self
        assert 0 <= self.reasoning_tokens <= self.output_tokens <= COUNT_MAX, self

    def meters(self) -> dict[str, int]:
        """The counts by meter name, for the record."""
        return {
            _INPUT: self.input_tokens,
            _CACHE_READ: self.cache_read_tokens,
            _CACHE_WRITE: self.cache_write_tokens,
            _OUTPUT: self.output_tokens,
            _REASONING: self.reasoning_tokens,
        }


def split_charge(priced_nanos: int, ceiling_nanos: int) -> tuple[int, int]:
    """What the customer pays of a price, and the overrun: the ceiling bounds the one, `OVERRUN_NANOS_MAX` the other."""
    charge = min(priced_nanos, ceiling_nanos)
    return charge, min(priced_nanos - charge, OVERRUN_NANOS_MAX)


def chat_usage(meters: Mapping[str, int]) -> ChatUsage:
    """The counts of a record as they were when it was made; the way back of `ChatUsage.meters`."""
    return ChatUsage(
        input_tokens=meters.get(Meter.INPUT_TOKENS, 0),
        output_tokens=meters.get(Meter.OUTPUT_TOKENS, 0),
        cache_read_tokens=meters.get(Meter.CACHE_READ_TOKENS, 0),
        cache_write_tokens=meters.get(Meter.CACHE_WRITE_TOKENS, 0),
        reasoning_tokens=meters.get(Meter.REASONING_TOKENS, 0),
    )


@dataclass(kw_only=True, slots=True)  # not frozen: that would cost the hot path microseconds per request
class UsageRecord:
    """One finished request as the gateway spools it and the ledger keeps it.

    Attributes:
        id: 21 characters; the seed's `llmusageid`, our `x-yuanjing-usage-id`.
        hold_id: the lease that the charge comes out of.
        price_id: the price version that both ceiling and charge were made with.
        meters: counts by meter name, as normalised from the provider or as counted by us.
        charge_nanos: what the customer pays, at most `ceiling_nanos`.
        overrun_nanos: what the same price makes of the usage above that, at most `OVERRUN_NANOS_MAX`; booked to
            `overrun`.
        is_estimated: the counts are ours, because the provider sent none.
        started_at: Unix time of the request; `first_byte_ms` and `duration_ms` count from it.
        upstream_request_id: the provider's own id, for support cases.
        kept: what the request leaves to its idempotency key; on its way to the ledger only.
    """

    id: str
    book: Book
    customer_id: str
    key_id: str
    offer_id: str
    model: str
    operation: str
    channel_id: str
    hold_id: str
    price_id: str
    meters: Mapping[str, int]
    ceiling_nanos: int
    charge_nanos: int
    overrun_nanos: int = 0
    is_estimated: bool = False
    is_stream: bool = False
    status: UsageStatus = UsageStatus.COMPLETED
    request_id: str = ""
    upstream_request_id: str = ""
    upstream_model: str = ""
    attempts: int = 1
    started_at: float = 0.0
    first_byte_ms: int = 0
    duration_ms: int = 0
    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    kept: KeptAnswer | None = None

    def __post_init__(self) -> None:
        assert 0 <= self.charge_nanos <= self.ceiling_nanos, self
        assert 0 <= self.overrun_nanos <= OVERRUN_NANOS_MAX, self


@dataclass(frozen=True, kw_only=True, slots=True)
class PostedUsage:
    """A usage record in the ledger, with the settle transfer that paid for it.

    Attributes:
        settle_transfer_id: None if nothing was paid: the charge is zero, or all of it is shortfall.
        late_shortfall_nanos: the part of the charge that came after its lease was closed and that the customer's money
            did not cover; booked to `overrun`.
        posted_at: Unix time.
    """

    record: UsageRecord
    settle_transfer_id: str | None
    late_shortfall_nanos: int
    posted_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageDay:
    """What one key used of one model on one day.

    Attributes:
        day: days of UTC+8 since 1970-01-01, by the time of posting.
        requests: chat requests and video tasks.
    """

    customer_id: str
    book: Book
    day: int
    key_id: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    charge_nanos: int


def by_day(usages: Iterable[PostedUsage]) -> list[UsageDay]:
    """Usages added up by customer, book, day, key and model, in that order."""
    sums: defaultdict[tuple[str, Book, int, str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for usage in usages:
        record = usage.record
        counts = sums[record.customer_id, record.book, day_of(usage.posted_at), record.key_id, record.model]
        counts[0] += 1
        counts[1] += record.meters.get(_INPUT, 0)
        counts[2] += record.meters.get(_OUTPUT, 0)
        counts[3] += record.charge_nanos
    return [
        UsageDay(
            customer_id=customer_id,
            book=book,
            day=day,
            key_id=key_id,
            model=model,
            requests=counts[0],
            input_tokens=counts[1],
            output_tokens=counts[2],
            charge_nanos=counts[3],
        )
        for (customer_id, book, day, key_id, model), counts in sorted(sums.items())
    ]
