"""Receipts: what a request or a task has cost, and why, so that anybody can check it without us.

A receipt is a JSON object of `receipt` (what is stated) and `signature`. The whole is in canonical form, and the
signature is of the canonical bytes of `receipt`. Amounts are texts in CNY, exact; times are whole milliseconds.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.money import NANOS_PER_YUAN, format_amount
from yuanjing.domain.pricing import UNITS_PER_RATE, Charge, ChargeLine
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.usage import Meter, PostedUsage, UsageRecord
from yuanjing.domain.video_pricing import OfferPrice, VideoCharge, VideoLine
from yuanjing.domain.videos import VideoTask

FORMAT = "yuanjing-receipt-1"
CURRENCY = "CNY"
RECEIPT_BYTES_MAX = 64 * 1024
_CONDITIONS = ("model", "resolution", "has_audio", "is_off_peak", "has_video_input")
_DELIVERY = re.compile(r"(asked|measured)_(seconds|resolution|pixels)|(told|whole|share)_[a-z_]{1,30}", re.ASCII)
_PARTS_OF_INPUT = (Meter.CACHE_READ_TOKENS, Meter.CACHE_WRITE_TOKENS)
Statement = dict[str, object]
"""Texts, whole numbers, lists and objects of them."""


class ReceiptError(YuanjingError):
    """What is presented is no receipt, or not a true one; the message says why."""

    code = "receipt_invalid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recomputed:
    """The charge of a receipt, done again from what the receipt states.

    Attributes:
        total_nanos: its lines, added up and rounded up once.
        charge_nanos: what of it the customer was charged.
    """

    total_nanos: int
    charge_nanos: int


def state_usage(posted: PostedUsage, price: OfferPrice, charge: Charge | VideoCharge) -> Statement:
    """What a receipt says of a usage record."""
    record = posted.record
    return {
        "format": FORMAT,
        "kind": "usage",
        **_identity(record),
        "usage_id": record.id,
        "request_id": record.request_id,
        "status": record.status.value,
        "posted_at_ms": milliseconds(posted.posted_at),
        "charging": _charging(posted, price, charge),
    }


def state_task(  # what was asked for, what it came to, and the files that came of it
    task: VideoTask,
    files: Sequence[Mapping[str, object]],
    charging: tuple[PostedUsage, OfferPrice, Charge | VideoCharge] | None,
) -> Statement:
    """What a receipt says of a task that has ended; one without usage has cost nothing."""
    assert task.state.is_final, task.id
    stated: Statement = {
        "format": FORMAT,
        "kind": "task",
        "task_id": task.id,
        "usage_id": task.usage_id,
        "request_id": task.request_id,
        "customer_id": task.customer_id,
        "key_id": task.key_id,
        "book": task.book.value,
        "model": task.model,
        "operation": task.operation.value,
        "offer_id": task.offer_id,
        "currency": CURRENCY,
        "state": task.state.value,
        "started_at_ms": milliseconds(task.created_at),
        "ended_at_ms": milliseconds(task.ended_at or 0.0),
        "ceiling": format_amount(task.ceiling_nanos),
        "charge": format_amount(task.charge_nanos),
        "files": [dict(file) for file in files],
    }
    if charging is not None:
        stated["charging"] = _charging(*charging)
    return stated


def _identity(record: UsageRecord) -> Statement:
    return {
        "customer_id": record.customer_id,
        "key_id": record.key_id,
        "book": record.book.value,
        "model": record.model,
        "operation": str(record.operation),
        "offer_id": record.offer_id,
        "currency": CURRENCY,
        "started_at_ms": milliseconds(record.started_at),
    }


def _charging(posted: PostedUsage, price: OfferPrice, charge: Charge | VideoCharge) -> Statement:
    """The arithmetic: counts, rates, their sum, and what of it was charged."""
    record = posted.record
    stated: Statement = {
        "price": {"id": price.id, "version": price.version, "effective_from": price.effective_from.isoformat()},
        "counted_by": "platform" if record.is_estimated else "provider",
        "meters": dict(record.meters),
        "lines": [_line(line) for line in charge.lines],
        "total": format_amount(charge.total_nanos),
        "ceiling": format_amount(record.ceiling_nanos),
        "charge": format_amount(record.charge_nanos),
        "uncollected": format_amount(posted.late_shortfall_nanos),
    }
    if isinstance(charge, VideoCharge):
        stated["conditions"] = conditions_of(record)
        stated["delivery"] = delivery_of(record)
    return stated


def delivery_of(record: UsageRecord) -> dict[str, str]:
    """Of a video: what was asked for, told and measured, and of which count which share is charged."""
    return {name: text for name, text in record.extra.items() if _DELIVERY.fullmatch(name)}


def conditions_of(record: UsageRecord) -> dict[str, str]:
    """Of a video: what the rates depend on."""
    return {name: record.extra[name] for name in _CONDITIONS if name in record.extra}


def _line(line: ChargeLine | VideoLine) -> Statement:
    is_video = isinstance(line, VideoLine)
    return {
        "meter": line.meter.value,
        "quantity": line.quantity,
        "rate": format_amount(line.amount_nanos if is_video else line.rate_nanos),
        "per": line.per if is_video else UNITS_PER_RATE,
    }


def milliseconds(at: float) -> int:
    """A Unix time in whole milliseconds."""
    return int(at * 1000)


def recompute(statement: Mapping[str, object]) -> Recomputed:
    """Do the arithmetic of a receipt again, from nothing but what it states.

    Raises:
        ReceiptError: it is none of ours, or its figures do not belong together.
    """
    try:
        return _recompute(statement)
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError):
        raise ReceiptError("it is no receipt of this format: a field is missing or of another kind") from None


def _recompute(statement: Mapping[str, object]) -> Recomputed:
    if statement["format"] != FORMAT or statement["kind"] not in ("usage", "task"):
        raise ReceiptError(f"it is not of the format {FORMAT}")
    if statement["kind"] == "task" and TaskState(str(statement["state"])) is not TaskState.SUCCEEDED:
        if "charging" in statement or _amount(statement, "charge"):
            raise ReceiptError("its task has not succeeded, but it states a charge")
        return Recomputed(total_nanos=0, charge_nanos=0)
    stated = cast("Mapping[str, object]", statement["charging"])
    lines = [_read_line(line) for line in cast("Sequence[Mapping[str, object]]", stated["lines"])]
    _check_quantities(lines, cast("Mapping[str, int]", stated["meters"]))
    exact = sum((quantity * rate_per_unit for _, quantity, rate_per_unit in lines), Fraction(0))
    total = -(-exact.numerator // exact.denominator)
    charge = min(total, _amount(stated, "ceiling"))
    for name, nanos in (("total", total), ("charge", charge)):
        if _amount(stated, name) != nanos:
            raise ReceiptError(f"its {name} is {stated[name]}, its lines make {format_amount(nanos)}")
    if statement["kind"] == "task" and _amount(statement, "charge") != charge:
        raise ReceiptError(f"its task's charge is {statement['charge']}, its lines make {format_amount(charge)}")
    if _amount(stated, "uncollected") > charge:
        raise ReceiptError("more is said not to have been collected than was charged")
    return Recomputed(total_nanos=total, charge_nanos=charge)


def _amount(stated: Mapping[str, object], name: str) -> int:
    """In nano-yuan; larger than any that moves, maybe: a provider's nonsense is priced before its ceiling cuts it."""
    whole, fraction = cast("str", stated[name]).split(".")
    nanos = int(whole) * NANOS_PER_YUAN + int(fraction.ljust(9, "0"))
    if format_amount(nanos) != stated[name] or nanos < 0:
        raise ReceiptError(f"its {name} is not written as amounts are")
    return nanos


def _read_line(line: Mapping[str, object]) -> tuple[str, int, Fraction]:
    """Meter, quantity, and nano-yuan for one unit."""
    quantity, per = cast("int", line["quantity"]), cast("int", line["per"])
    assert quantity > 0
    assert per > 0
    return str(line["meter"]), quantity, Fraction(_amount(line, "rate"), per)


def _check_quantities(lines: Sequence[tuple[str, int, Fraction]], meters: Mapping[str, int]) -> None:
    """Each line's quantity is what its meter counts; of input, without the parts that have a line of their own."""
    quantities = {meter: quantity for meter, quantity, _ in lines}
    if len(quantities) != len(lines):
        raise ReceiptError("two of its lines are of one meter")
    for meter, quantity in quantities.items():
        parts = sum(meters.get(part, 0) for part in _PARTS_OF_INPUT) if meter == Meter.INPUT_TOKENS else 0
        if quantity != meters[meter] - parts:
            raise ReceiptError(f"its line of {meter} has {quantity}, its meters make {meters[meter] - parts}")
    if Meter.INPUT_TOKENS in meters:
        _check_chat(quantities, meters)


def _check_chat(quantities: Mapping[str, int], meters: Mapping[str, int]) -> None:
    """Nothing that was counted of a chat is left out: all input and output has a line."""
    read = sum(quantities.get(meter, 0) for meter in (Meter.INPUT_TOKENS, *_PARTS_OF_INPUT))
    if (read, quantities.get(Meter.OUTPUT_TOKENS, 0)) != (meters[Meter.INPUT_TOKENS], meters[Meter.OUTPUT_TOKENS]):
        raise ReceiptError("its lines are not all that was counted")
