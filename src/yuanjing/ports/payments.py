"""Payment methods: how money comes in, and goes back."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.topups import PayWay, Verdict


class PaymentUnavailableError(YuanjingError):
    """The payment method cannot be reached, or its answer cannot be trusted; what became of the call is not known."""

    code = "payment_unavailable"


class PaymentRefusedError(YuanjingError):
    """The payment method refuses the call; the message is for operators.

    Attributes:
        is_of_payment: it speaks of the payment itself, whoever asks; otherwise of the call or the caller, such as of a
            permission, and says nothing of what an earlier call did.
    """

    code = "payment_refused"
    is_of_payment: bool = True


class NotificationRefusedError(YuanjingError):
    """A notification that moves nothing.

    Attributes:
        verdict: why.
        number: the order that it names; empty if none.
    """

    code = "payment_refused"

    def __init__(self, verdict: Verdict, reason: str, *, number: str = "") -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.number = number


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentOrder:
    """What is to be paid.

    Attributes:
        number: ours; unique.
        subject: what the payer reads.
        expires_at: until when it can be paid, Unix time.
        return_url: where the payer's browser goes afterwards.
        notify_url: where the method tells us of the payment; empty if it cannot reach us.
        client_address: the payer's IP address.
    """

    number: str
    way: PayWay
    amount_nanos: int
    subject: str
    expires_at: float
    return_url: str
    notify_url: str
    client_address: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentStart:
    """What the payer does next: one of these.

    Attributes:
        url: open it in the browser.
        qr_text: show it as a QR code.
        instructions: read it, such as an account to transfer to.
    """

    url: str = ""
    qr_text: str = ""
    instructions: str = ""


class PaymentState(StrEnum):
    """Where the method says that a payment stands."""

    UNKNOWN = "unknown"
    """It does not know the order: it was closed before anybody began to pay, or nobody has begun yet."""
    WAITING = "waiting"
    PAID = "paid"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Payment:
    """What the method says of an order. `amount_nanos` and `upstream_id` are there where it is paid.

    Attributes:
        paid_at: when it was paid, by the method's clock; its bills go by that. None if the method does not say.
    """

    number: str
    state: PaymentState
    amount_nanos: int = 0
    upstream_id: str = ""
    refunded_nanos: int = 0
    paid_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BillLine:
    """One movement of a day's bill.

    Attributes:
        refund_number: of a refund; empty for a payment.
        amount_nanos: more than zero in both directions.
        fee_nanos: what the method keeps of it.
        is_other: it is neither a payment nor a refund; its amount then has the bill's sign, and is 0 if it has none.
    """

    number: str
    upstream_id: str
    refund_number: str
    amount_nanos: int
    fee_nanos: int
    is_other: bool = False


class PaymentMethod(Protocol):
    """One way for money to come in.

    Calls raise `PaymentUnavailableError` if it is not known what they did, `PaymentRefusedError` if they did nothing
    and never will. All of them may be repeated.
    """

    @property
    def name(self) -> str:
        """Names it in rows, accounts (`clearing:<name>`) and addresses."""
        ...

    @property
    def ways(self) -> frozenset[PayWay]:
        """How one can pay."""
        ...

    @property
    def accepts_notifications(self) -> bool:
        """Whether it tells of payments itself."""
        ...

    @property
    def acknowledgement(self) -> bytes:
        """The answer to a notification that was dealt with, exactly; with any other the method tells it again."""
        ...

    @property
    def is_confirmed_by_hand(self) -> bool:
        """Whether an operator sees the payments, and says so."""
        ...

    @property
    def has_bills(self) -> bool:
        """Whether it has a bill of each day."""
        ...

    @property
    def order_seconds(self) -> float | None:
        """How long its orders can be paid; None: as long as all others."""
        ...

    async def start(self, order: PaymentOrder) -> PaymentStart:
        """Begin a payment."""
        ...

    def read_notification(self, raw: bytes) -> Payment:
        """What a genuine notification says.

        Raises:
            NotificationRefusedError: it is forged, not for us, or says nothing of a payment.
        """
        ...

    async def query(self, number: str) -> Payment:
        """Where the order stands; the truth."""
        ...

    async def close(self, number: str) -> Payment:
        """End an unpaid order, so that nobody can pay it any more; where it stands then, which may be paid."""
        ...

    async def refund(self, number: str, refund_number: str, amount_nanos: int, reason: str) -> bool:
        """Give money back; whether it has moved. The same `refund_number` moves it once."""
        ...

    async def find_refund(self, number: str, refund_number: str) -> bool:
        """Whether that refund has moved money; a refusal says nothing of that, and is `PaymentUnavailableError`."""
        ...

    async def bill(self, day: dt.date) -> Sequence[BillLine] | None:
        """The movements of a past day of UTC+8; None if there is no bill yet, or there was nothing that day."""
        ...
