"""Top-ups: orders to pay money in, and money that goes back to where it came from.

A top-up is `created`, then `paid` (the payment method says so), then `credited` (the ledger has it; both in one unit of
work), or `closed` without payment. A payment that arrives for a closed one is credited all the same, and flagged: money
that came in is never lost.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.money import Book

FEN_NANOS = 10_000_000
"""The smallest amount that payment methods move: 0.01 CNY."""


class TopUpState(StrEnum):
    """Where a top-up stands."""

    CREATED = "created"
    PAID = "paid"
    CREDITED = "credited"
    CLOSED = "closed"


class PayWay(StrEnum):
    """How the customer pays."""

    PAGE = "page"
    WAP = "wap"
    QR = "qr"
    TRANSFER = "transfer"


@dataclass(frozen=True, kw_only=True, slots=True)
class TopUp:
    """One order.

    Attributes:
        number: our name of it at the payment method; letters, digits and underscores, at most 64, unique.
        method: the payment method's name.
        upstream_id: the payment method's name of the payment, once it is known.
        refunded_nanos: what has gone back, refunds under way included.
        next_at: when to ask the payment method next; None when there is nothing left to ask.
        checks: how often it was asked so far.
        asked_at: when it was asked last as a customer was looking.
        paid_at: by the payment method's clock, if it says so.
        flag: what operators should look at; empty if nothing.
    """

    id: str
    number: str
    book: Book
    customer_id: str
    method: str
    way: PayWay
    amount_nanos: int
    state: TopUpState
    created_at: float
    expires_at: float
    next_at: float | None
    checks: int = 0
    asked_at: float | None = None
    upstream_id: str = ""
    paid_at: float | None = None
    credited_at: float | None = None
    closed_at: float | None = None
    refunded_nanos: int = 0
    flag: str = ""
    note: str = ""

    @property
    def refundable_nanos(self) -> int:
        """What can still go back."""
        return self.amount_nanos - self.refunded_nanos if self.state is TopUpState.CREDITED else 0


class PaymentMismatchError(YuanjingError):
    """The payment is not what the order says; nothing is credited, and operators are told."""

    code = "payment_mismatch"


def credited(topup: TopUp, *, amount_nanos: int, upstream_id: str, at: float, paid_at: float | None = None) -> TopUp:
    """The top-up after its payment; unchanged if it was credited before.

    Raises:
        PaymentMismatchError: another amount, or another payment than the one that it was credited for.
    """
    if amount_nanos != topup.amount_nanos:
        raise PaymentMismatchError(f"{topup.number} is paid with another amount than it was ordered for")
    if topup.state is TopUpState.CREDITED:
        if topup.upstream_id != upstream_id:
            raise PaymentMismatchError(f"{topup.number} is paid twice")
        return topup
    flag = topup.flag or ("paid after it was closed" if topup.state is TopUpState.CLOSED else "")
    return replace(
        topup,
        state=TopUpState.CREDITED,
        upstream_id=upstream_id,
        paid_at=at if paid_at is None else paid_at,
        credited_at=at,
        next_at=None,
        flag=flag,
    )


def closed(topup: TopUp, at: float) -> TopUp:
    """The top-up after it ended without payment; a credited one stays as it is."""
    if topup.state is not TopUpState.CREATED:
        return topup
    return replace(topup, state=TopUpState.CLOSED, closed_at=at, next_at=None)


class RefundState(StrEnum):
    """Where a refund stands: the money has left the customer's balance at once, and goes back to it if it fails."""

    REQUESTED = "requested"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refund:
    """Money of a top-up on its way back to the payer.

    Attributes:
        number: our name of it at the payment method, unique within the top-up; repeating it is harmless.
        note: who asked for it, and why; and why it failed.
        next_at: when to ask the payment method next; None when it has ended.
    """

    id: str
    topup_id: str
    number: str
    amount_nanos: int
    state: RefundState
    created_at: float
    next_at: float | None
    checks: int = 0
    ended_at: float | None = None
    note: str = ""


class Verdict(StrEnum):
    """What became of a notification."""

    CREDITED = "credited"
    REPEATED = "repeated"
    IGNORED = "ignored"
    """Genuine, but it says nothing that moves money in: a trade that waits or was closed, or a refund."""
    MISMATCH = "mismatch"
    """Genuine, but not what was ordered: amount, application or seller."""
    UNKNOWN = "unknown"
    """Genuine, but there is no such order."""
    FORGED = "forged"
    """Not signed by the payment method, or not a notification at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptNotification:
    """A notification as it came, and what became of it.

    Attributes:
        raw: its bytes.
        number: of the top-up that it names; empty if it names none.
    """

    id: str
    method: str
    raw: bytes
    number: str
    verdict: Verdict
    reason: str
    received_at: float
