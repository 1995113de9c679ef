"""Usage records: what was used, and how its charge came about."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from yuanjing.domain.catalog import Offer
from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.money import format_amount
from yuanjing.domain.pricing import UNITS_PER_RATE, Charge, ChargeLine
from yuanjing.domain.recomputing import charge_again
from yuanjing.domain.tasks import VideoMeter
from yuanjing.domain.usage import PostedUsage, UsageRecord, split_charge
from yuanjing.domain.video_pricing import OfferPrice, VideoCharge, VideoLine, conditions_from_text
from yuanjing.domain.videos import RateConditions, VideoTask
from yuanjing.kit.text import is_storable
from yuanjing.ports.damage import Damaged, DamagedError, readable, sound
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.usages import UsageFilter

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
    price: OfferPrice
    charge: Charge | VideoCharge
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
    return await store.read(lambda tx: explain_found(tx, usage_id))


def explain_found(tx: Tx, usage_id: str, customer_id: str | None = None) -> UsageExplanation:
    """The same within a unit of work; with a customer, only of its own, and only one that adds up.

    Raises:
        NotFoundError: no such record has been posted, or it is another customer's.
        DamagedError: see `show_usage`; or a customer asks for one whose charge is not what its price gives, which is no
            fact to be shown to it.
    """
    posted = tx.usages.get(usage_id) if is_storable(usage_id) else None
    if posted is None or customer_id not in (None, posted.record.customer_id):
        raise NotFoundError(f"there is no posted usage {usage_id[:40]!r}", param="usage")
    price_id = posted.record.price_id
    price = sound(readable(price_id, lambda: tx.catalog.price(price_id)))
    if price is None:
        raise NotFoundError(f"its price {price_id} is gone; run: yuanjing verify", param="usage")
    offer = next((offer for offer in tx.catalog.offers() if offer.id == posted.record.offer_id), None)
    found = sound(readable(usage_id, lambda: explain_usage(posted, price, offer)))
    if customer_id is not None and not found.is_consistent:
        raise DamagedError(Damaged(id=usage_id, message="its charge is not what its price gives"))
    return found


async def explain_task(store: Store, task: VideoTask) -> tuple[OfferPrice | None, UsageExplanation | None]:
    """For its customer: the price that a task was quoted at, and the arithmetic of its charge once there is one.

    Raises:
        DamagedError: see `explain_found`.
    """

    def work(tx: Tx) -> tuple[OfferPrice | None, UsageExplanation | None]:
        price = sound(readable(task.price_id, lambda: tx.catalog.price(task.price_id)))
        is_charged = price is not None and tx.usages.get(task.usage_id) is not None
        return price, explain_found(tx, task.usage_id, task.customer_id) if is_charged else None

    return await store.read(work)


def explain_usage(posted: PostedUsage, price: OfferPrice, offer: Offer | None = None) -> UsageExplanation:
    """Do the arithmetic of a record again, from its meters and its price; the offer tells how its provider counts."""
    record = posted.record
    charge = charge_again(record, price)
    expected = split_charge(charge.total_nanos, record.ceiling_nanos)
    is_consistent = (record.charge_nanos, record.overrun_nanos) == expected
    return UsageExplanation(
        posted=posted,
        price=price,
        charge=charge,
        is_consistent=is_consistent,
        lines=tuple(_lines(posted, price, charge, offer, is_consistent=is_consistent)),
    )


def format_micro_nanos(micro_nanos: int) -> str:
    """An exact amount in millionths of a nano-yuan as CNY, without losing a digit."""
    nanos, rest = divmod(micro_nanos, UNITS_PER_RATE)
    if not rest:
        return format_amount(nanos)
    whole, fraction = divmod(nanos, 10**9)
    return f"{whole}.{fraction:09d}{rest:0{_FREE_DIGITS}d}".rstrip("0")


def format_exact(nanos: Fraction) -> str:
    """An exact amount of nano-yuan as CNY, without losing a digit; `…` follows where the digits never end."""
    micro_nanos, rest = divmod(nanos.numerator * UNITS_PER_RATE, nanos.denominator)
    return format_micro_nanos(micro_nanos) + ("…" if rest else "")


def format_count(count: Fraction) -> str:
    """A count as a decimal number, cut after six digits; `…` follows where there are more."""
    whole, rest = divmod(count.numerator * 10**_FREE_DIGITS, count.denominator)
    units, digits = divmod(whole, 10**_FREE_DIGITS)
    text = f"{units}.{digits:0{_FREE_DIGITS}d}".rstrip("0").rstrip(".")
    return text + ("…" if rest else "")


def _lines(
    posted: PostedUsage, price: OfferPrice, charge: Charge | VideoCharge, offer: Offer | None, *, is_consistent: bool
) -> list[str]:
    record = posted.record
    lines = [
        f"price    version {price.version} of {record.model} ({price.id}), from {price.effective_from.isoformat()}",
        *_video_lines(record, charge, offer),
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


def _line(line: ChargeLine | VideoLine) -> str:
    if isinstance(line, VideoLine):
        rate = f"{format_amount(line.amount_nanos)} CNY" + (f" / {line.per:,}" if line.per > 1 else "")
        return f"         {line.quantity} {line.meter} x {rate} = {format_exact(line.exact_nanos)} CNY"
    rate, amount = format_amount(line.rate_nanos), format_micro_nanos(line.micro_nanos)
    return f"         {line.quantity} {line.meter} x {rate} CNY / 1,000,000 = {amount} CNY"


def _video_lines(record: UsageRecord, charge: Charge | VideoCharge, offer: Offer | None) -> list[str]:
    """What the rates of a video depend on, and how its provider counts."""
    if not isinstance(charge, VideoCharge):
        return []
    lines = [f"for      {_conditions_text(conditions_from_text(record.extra))}"]
    formula = offer.video.token_formula if offer is not None and offer.video is not None else None
    if formula is not None and any(line.meter is VideoMeter.VIDEO_TOKENS for line in charge.lines):
        frames = f"({formula.frame_rate} x seconds + {formula.extra_frames})"
        lines.append(f"counted  video tokens are width x height x {frames} / {formula.divisor:,}, rounded down")
    return lines + _shortened_lines(record)


def _shortened_lines(record: UsageRecord) -> list[str]:
    """What is missing of a video, and of which count which part is charged."""
    extra = record.extra
    asked, there = _delivery_text(extra, "asked"), _delivery_text(extra, "measured")
    lines = [f"asked    {asked}; delivered {there}"] if asked else []
    for meter, count in record.meters.items():
        told = extra.get(f"told_{meter}")
        if told is not None:
            lines.append(f"told     {told} {meter} by the provider")
        if f"share_{meter}" in extra:
            whole, share = _fraction(extra[f"whole_{meter}"]), _fraction(extra[f"share_{meter}"])
            exact = whole * share
            text = f"cut      {format_count(whole)} x {share} = {format_count(exact)} {meter}"
            lines.append(text if exact == count else f"{text}, rounded up to {count}")
    return lines


def _fraction(text: str) -> Fraction:
    """Raises ValueError if it is none."""
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise ValueError(f"{text[:40]!r} is no fraction") from error


def _delivery_text(extra: Mapping[str, str], which: str) -> str:
    seconds, pixels = extra.get(f"{which}_seconds"), extra.get(f"{which}_pixels")
    words = (f"{seconds} s" if seconds else "", pixels or "", extra.get(f"{which}_resolution", ""))
    return ", ".join(word for word in words if word)


def _conditions_text(conditions: RateConditions) -> str:
    words = [
        conditions.model,
        conditions.resolution,
        "with sound" if conditions.has_audio else "silent",
        "off-peak" if conditions.is_off_peak else "",
        "with a clip among the references" if conditions.has_video_input else "",
    ]
    return ", ".join(word for word in words if word)


def _notes(record: UsageRecord, *, is_consistent: bool) -> list[str]:
    notes: list[str] = []
    if record.is_estimated:
        notes.append("note     the provider sent no usage; the counts are our own")
    if not is_consistent:
        notes.append("WRONG    the record's charge is not what its price gives; run: yuanjing verify")
    return notes
