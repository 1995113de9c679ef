"""Bank transfers: the customer pays by itself, and an operator who sees the money on the account says so."""

import datetime as dt
from collections.abc import Sequence

from yuanjing.domain.money import format_amount
from yuanjing.domain.topups import PayWay, Verdict
from yuanjing.ports.payments import (
    BillLine,
    NotificationRefusedError,
    Payment,
    PaymentOrder,
    PaymentStart,
    PaymentState,
)


class TransferMethod:
    """See `PaymentMethod`. Nobody is asked or told anything: operators are the other side."""

    name = "manual"
    ways = frozenset({PayWay.TRANSFER})
    accepts_notifications = False
    acknowledgement = b""
    is_confirmed_by_hand = True
    has_bills = False

    def __init__(self, instructions: str, *, seconds: float) -> None:
        """`instructions` tell how to pay; `{number}` and `{amount}` in them are the order's."""
        self.order_seconds: float | None = seconds
        self._instructions = instructions

    async def start(self, order: PaymentOrder) -> PaymentStart:
        """See `PaymentMethod.start`."""
        text = self._instructions.replace("{number}", order.number)
        return PaymentStart(instructions=text.replace("{amount}", format_amount(order.amount_nanos)))

    def read_notification(self, raw: bytes) -> Payment:
        """See `PaymentMethod.read_notification`. Nobody sends any."""
        del raw
        raise NotificationRefusedError(Verdict.FORGED, "transfers are confirmed by operators")

    async def query(self, number: str) -> Payment:
        """See `PaymentMethod.query`. It waits, until an operator says that it is paid."""
        return Payment(number=number, state=PaymentState.WAITING)

    async def close(self, number: str) -> Payment:
        """See `PaymentMethod.close`. A transfer that comes all the same can still be confirmed."""
        return Payment(number=number, state=PaymentState.CLOSED)

    async def refund(self, number: str, refund_number: str, amount_nanos: int, reason: str) -> bool:
        """See `PaymentMethod.refund`. Who asks for it is the operator who has sent the money back, or will."""
        del number, refund_number, amount_nanos, reason
        return True

    async def find_refund(self, number: str, refund_number: str) -> bool:
        """See `PaymentMethod.find_refund`."""
        del number, refund_number
        return True

    async def bill(self, day: dt.date) -> Sequence[BillLine] | None:
        """See `PaymentMethod.bill`. There are none."""
        del day
        return None
