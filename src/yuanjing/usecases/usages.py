"""Usage records: what was used, and how its charge came about."""

from dataclasses import dataclass

from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.money import format_amount
from yuanjing.domain.pricing import UNITS_PER_RATE, Charge, ChargeLine, ChatPrice, explain
from yuanjing.domain.usage import PostedUsage, UsageRecord, chat_usage, split_charge
from yuanjing.ports.damage import readable, sound
from yuanjing.ports.store import Store, Tx, UsageFilter

_FREE_DIGITS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageExplanation:
    """A usage record with the arithmetic of its charge.

    Attributes:
        price: the price version that it was charged at.
        charge: the arithmetic, done again from the meters and that price.
        is_consistent: the record's charge and overrun are what the arithmetic gives.
        lines: the same as text, a line each.
    """

    posted: PostedUsage
    price: ChatPrice
    charge: Charge
    is_consistent: bool
    lines: tuple[str, ...]


async def list_usages(store: Store, where: UsageFilter) -> list[PostedUsage]:
    """Usage records, newest first."""
    return await store.read(lambda tx: tx.usages.list(where))


async def show_usage(store: Store, usage_id: str) -> UsageExplanation:
    """One usage record, explained.

    Raises:
        NotFoundError: no such record has been posted.
        DamagedError: it, or its price, is not what it was when it was posted.
    """

    def work(tx: Tx) -> UsageExplanation:
        posted = tx.usages.get(usage_id)
        if posted is None:
            raise NotFoundError(f"there is no posted usage {usage_id[:40]!r}", param="usage")
        price_id = posted.record.price_id
        price = sound(readable(price_id, lambda: tx.catalog.price(price_id)))
        if price is None:
            raise NotFoundError(f"its price {price_id} is gone; run: yuanjing verify", param="usage")
        return sound(readable(usage_id, lambda: explain_usage(posted, price)))

    return await store.read(work)


def explain_usage(posted: PostedUsage, price: ChatPrice) -> UsageExplanation:
    """Do the arithmetic of a record again, from its meters and its price."""
    record = posted.record
    charge = explain(price, chat_usage(record.meters))
    expected = split_charge(charge.total_nanos, record.ceiling_nanos)
    is_consistent = (record.charge_nanos, record.overrun_nanos) == expected
    return UsageExplanation(
        posted=posted,
        price=price,
        charge=charge,
        is_consistent=is_consistent,
        lines=tuple(_lines(posted, price, charge, is_consistent=is_consistent)),
    )


def format_micro_nanos(micro_nanos: int) -> str:
    """An exact amount in millionths of a nano-yuan as CNY, without losing a digit."""
    nanos, rest = divmod(micro_nanos, UNITS_PER_RATE)
    if not rest:
        return format_amount(nanos)
    whole, fraction = divmod(nanos, 10**9)
    return f"{whole}.{fraction:09d}{rest:0{_FREE_DIGITS}d}".rstrip("0")


def _lines(posted: PostedUsage, price: ChatPrice, charge: Charge, *, is_consistent: bool) -> list[str]:
    record = posted.record
    lines = [
        f"price    version {price.version} of {record.model} ({price.id}), from {price.effective_from.isoformat()}",
        *(_line(line) for line in charge.lines),
        f"total    {format_amount(charge.total_nanos)} CNY, rounded up once to a nano-yuan",
        f"ceiling  {format_amount(record.ceiling_nanos)} CNY, reserved before the request was sent",
        f"charged  {format_amount(record.charge_nanos)} CNY",
    ]
    if record.overrun_nanos:
        lines.append(f"overrun  {format_amount(record.overrun_nanos)} CNY above the ceiling, borne by the platform")
    if posted.late_shortfall_nanos:
        lines.append(f"late     {format_amount(posted.late_shortfall_nanos)} CNY of it could not be collected")
    lines.extend(_notes(record, is_consistent=is_consistent))
    return lines


def _line(line: ChargeLine) -> str:
    rate, amount = format_amount(line.rate_nanos), format_micro_nanos(line.micro_nanos)
    return f"         {line.quantity} {line.meter} x {rate} CNY / 1,000,000 = {amount} CNY"


def _notes(record: UsageRecord, *, is_consistent: bool) -> list[str]:
    notes: list[str] = []
    if record.is_estimated:
        notes.append("note     the provider sent no usage; the counts are our own")
    if not is_consistent:
        notes.append("WRONG    the record's charge is not what its price gives; run: yuanjing verify")
    return notes
