"""Bills: what a payment method says that it moved on one day, beside what we say."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

FINDINGS_MAX = 500
"""So many findings of one bill are kept; the others are counted."""


class FindingKind(StrEnum):
    """How a bill and our books differ."""

    CREDITED_LATE = "credited_late"
    """Paid by the bill but not yet credited here; it was asked for and is credited now."""
    NOT_CREDITED = "not_credited"
    """Paid by the bill, not credited here, and the payment method does not confirm it."""
    UNKNOWN_ORDER = "unknown_order"
    """The bill names an order that does not exist here."""
    AMOUNT_DIFFERS = "amount_differs"
    """An order was credited with another amount than was paid."""
    MISSING_THERE = "missing_there"
    """Credited here, but not in the bill."""
    UNKNOWN_REFUND = "unknown_refund"
    """The bill has a refund that was not asked for here."""
    REFUND_DIFFERS = "refund_differs"
    """A refund has another amount there, or moved there though it failed here."""
    REFUND_MISSING_THERE = "refund_missing_there"
    """Refunded here, but not in the bill."""
    NO_BILL = "no_bill"
    """There was something that day, but there is no bill."""
    UNREADABLE = "unreadable"
    """The bill could not be had or read until its day left the window; what is ours is found, or nothing is named."""
    UNKNOWN_KIND = "unknown_kind"
    """The bill has a movement that is neither a payment nor a refund; its amount has the bill's sign."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BillFinding:
    """One difference; amounts are None on the side that knows nothing of it.

    Attributes:
        number: of the order.
        refund_number: of the refund, if it is about one.
        ours_nanos: in our books.
        theirs_nanos: in the bill.
    """

    kind: FindingKind
    number: str
    refund_number: str = ""
    ours_nanos: int | None = None
    theirs_nanos: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BillReport:
    """One day's bill, compared.

    Attributes:
        day: of UTC+8.
        checked_at: Unix time.
        lines: how many movements the bill has.
        paid_nanos: the sum of its payments.
        refunded_nanos: of its refunds.
        fee_nanos: of what the method keeps.
        findings: at most `FINDINGS_MAX`.
        findings_total: how many there are.
    """

    method: str
    day: dt.date
    checked_at: float
    lines: int = 0
    paid_nanos: int = 0
    refunded_nanos: int = 0
    fee_nanos: int = 0
    findings: tuple[BillFinding, ...] = ()
    findings_total: int = 0
