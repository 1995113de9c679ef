"""How usage records, and the arithmetic of their charges, look in the console's dialect."""

from typing import Literal

from pydantic import BaseModel, Field

from yuanjing.domain.days import date_of
from yuanjing.domain.money import format_amount
from yuanjing.domain.pricing import UNITS_PER_RATE, ChargeLine
from yuanjing.domain.receipts import conditions_of, delivery_of
from yuanjing.domain.tasks import VideoMeter
from yuanjing.domain.usage import Meter, PostedUsage
from yuanjing.domain.video_pricing import OfferPrice, VideoLine
from yuanjing.edge.console.bodies import api_time
from yuanjing.edge.csvs import Row as CsvRow
from yuanjing.edge.csvs import text_cell, time_cell
from yuanjing.ports.usages import UsageSum
from yuanjing.usecases.usages import UsageExplanation, format_exact, format_micro_nanos

CURRENCY: Literal["CNY"] = "CNY"
_ROUNDING = "The lines are exact; their sum is rounded up once, to 0.000000001 CNY."
_COUNTS = (*Meter, *VideoMeter)
CSV_COLUMNS = (
    "time (UTC+8)", "usage", "book", "key", "model", "operation", "status", *_COUNTS, "counted by", "charge (CNY)",
    "uncollected (CNY)", "price", "task", "request", "stream", "started (UTC+8)", "first byte (ms)", "duration (ms)",
)  # fmt: skip


class UsageView(BaseModel):
    """What one request or task used, and what it cost."""

    object: Literal["usage"]
    id: str
    book: Literal["live", "test"]
    key_id: str
    model: str
    operation: str
    status: str = Field(description="`completed`, `client_gone`, `upstream_broke` or `interrupted`.")
    is_stream: bool
    meters: dict[str, int] = Field(description="Counts by meter; reads and writes of a cache are part of the input.")
    counted_by: Literal["provider", "platform"] = Field(
        description="`platform` where the provider has sent no counts, so that they are our own."
    )
    charge: str
    uncollected: str = Field(description="The part of the charge that came too late, and that you have not paid.")
    currency: Literal["CNY"]
    price_id: str
    task_id: str | None = Field(description="Of a video: its task.")
    request_id: str
    started_at: str
    posted_at: str = Field(description="When it was charged; lists are in this order, and days are by it.")
    first_byte_ms: int
    duration_ms: int


class UsageList(BaseModel):
    """Records, newest first."""

    object: Literal["list"]
    data: list[UsageView]
    next: str | None = Field(description="As `cursor` it brings the next page; null on the last one.")


class ChargeLineView(BaseModel):
    """`quantity` times `rate` / `per` is `amount`, exactly; `…` stands where the digits never end."""

    meter: str
    quantity: int
    rate: str
    per: int
    amount: str


class PriceVersionView(BaseModel):
    """The version of the price that was charged."""

    id: str
    version: int
    effective_from: str
    source: str


class ArithmeticView(BaseModel):
    """How a charge came about."""

    price: PriceVersionView
    lines: list[ChargeLineView]
    rounding: str
    total: str = Field(description="The sum of the lines, rounded.")
    ceiling: str = Field(description="The most that could be charged, set aside before the request was sent.")
    charge: str = Field(description="The smaller one of both.")
    overrun: str = Field(description="What of the total is above the ceiling; it is not yours to pay.")
    details: dict[str, str] = Field(description="Of a video: what its rates depend on, and what was cut and why.")
    text: list[str] = Field(description="The same for people, a line each.")


class UsageDetails(UsageView):
    """A record with its arithmetic."""

    arithmetic: ArithmeticView


class DaySum(BaseModel):
    """What was used; null is what was added up."""

    day: str | None = Field(description="A day of UTC+8, as a date.")
    key_id: str | None
    model: str | None
    requests: int = Field(description="Chat requests and videos.")
    input_tokens: int
    output_tokens: int
    charge: str


class UsageDaysView(BaseModel):
    """Usage added up, in the order of day, key and model."""

    object: Literal["list"]
    book: Literal["live", "test"]
    currency: Literal["CNY"]
    data: list[DaySum]
    total: DaySum


def to_view(posted: PostedUsage) -> UsageView:
    """A record."""
    record = posted.record
    return UsageView(
        object="usage",
        id=record.id,
        book=record.book.value,
        key_id=record.key_id,
        model=record.model,
        operation=str(record.operation),
        status=record.status.value,
        is_stream=record.is_stream,
        meters=dict(record.meters),
        counted_by=_counted_by(posted),
        charge=format_amount(record.charge_nanos),
        uncollected=format_amount(posted.late_shortfall_nanos),
        currency=CURRENCY,
        price_id=record.price_id,
        task_id=record.extra.get("task_id"),
        request_id=record.request_id,
        started_at=api_time(record.started_at),
        posted_at=api_time(posted.posted_at),
        first_byte_ms=record.first_byte_ms,
        duration_ms=record.duration_ms,
    )


def to_details(found: UsageExplanation) -> UsageDetails:
    """A record with its arithmetic."""
    return UsageDetails(**to_view(found.posted).model_dump(), arithmetic=to_arithmetic(found))


def to_arithmetic(found: UsageExplanation) -> ArithmeticView:
    """How a charge came about."""
    record = found.posted.record
    return ArithmeticView(
        price=to_price_version(found.price),
        lines=[_line(line) for line in found.charge.lines],
        rounding=_ROUNDING,
        total=format_amount(found.charge.total_nanos),
        ceiling=format_amount(record.ceiling_nanos),
        charge=format_amount(record.charge_nanos),
        overrun=format_amount(record.overrun_nanos),
        details=conditions_of(record) | delivery_of(record),
        text=list(found.lines),
    )


def to_price_version(price: OfferPrice) -> PriceVersionView:
    """Which version of a price."""
    return PriceVersionView(
        id=price.id,
        version=price.version,
        effective_from=api_time(price.effective_from.timestamp()),
        source=price.source,
    )


def _line(line: ChargeLine | VideoLine) -> ChargeLineView:
    is_video = isinstance(line, VideoLine)
    return ChargeLineView(
        meter=line.meter.value,
        quantity=line.quantity,
        rate=format_amount(line.amount_nanos if is_video else line.rate_nanos),
        per=line.per if is_video else UNITS_PER_RATE,
        amount=format_exact(line.exact_nanos) if is_video else format_micro_nanos(line.micro_nanos),
    )


def _counted_by(posted: PostedUsage) -> Literal["provider", "platform"]:
    return "platform" if posted.record.is_estimated else "provider"


def to_day_sum(found: UsageSum) -> DaySum:
    """A sum."""
    return DaySum(
        day=None if found.day is None else date_of(found.day).isoformat(),
        key_id=found.key_id,
        model=found.model,
        requests=found.requests,
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        charge=format_amount(found.charge_nanos),
    )


def to_csv_row(posted: PostedUsage) -> CsvRow:
    """A record under `CSV_COLUMNS`; a count that there is not is empty."""
    record = posted.record
    return (
        time_cell(posted.posted_at),
        text_cell(record.id),
        record.book.value,
        text_cell(record.key_id),
        text_cell(record.model),
        text_cell(str(record.operation)),
        record.status.value,
        *(str(record.meters.get(name, "")) for name in _COUNTS),
        _counted_by(posted),
        format_amount(record.charge_nanos),
        format_amount(posted.late_shortfall_nanos),
        text_cell(record.price_id),
        text_cell(record.extra.get("task_id", "")),
        text_cell(record.request_id),
        "yes" if record.is_stream else "no",
        time_cell(record.started_at),
        str(record.first_byte_ms),
        str(record.duration_ms),
    )
