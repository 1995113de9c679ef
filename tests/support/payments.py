"""A payment method in memory."""

import asyncio
from dataclasses import dataclass, field, replace

from yuanjing.domain.topups import PayWay, Verdict
from yuanjing.ports.payments import NotificationRefusedError, Payment, PaymentStart, PaymentState


@dataclass
class FakeMethod:
    """A payment method in memory. A notification is `number amount upstream`, or `bad`."""

    name: str = "fake"
    ways: frozenset = frozenset({PayWay.PAGE, PayWay.QR})
    accepts_notifications: bool = True
    acknowledgement: bytes = b"taken"
    is_confirmed_by_hand: bool = False
    has_bills: bool = False
    order_seconds: float | None = None
    payments: dict = field(default_factory=dict)
    orders: list = field(default_factory=list)
    closed: list = field(default_factory=list)
    refunds: dict = field(default_factory=dict)
    fails: Exception | None = None
    refund_moves: bool = True

    def pay(self, number, amount, upstream="up-1"):
        self.payments[number] = Payment(
            number=number, state=PaymentState.PAID, amount_nanos=amount, upstream_id=upstream
        )

    async def start(self, order):
        await asyncio.sleep(0)
        if self.fails:
            raise self.fails
        self.orders.append(order)
        self.payments[order.number] = Payment(number=order.number, state=PaymentState.WAITING)
        return PaymentStart(url=f"https://pay.example/{order.number}")

    def read_notification(self, raw):
        words = raw.decode().split()
        if words == ["bad"]:
            raise NotificationRefusedError(Verdict.FORGED, "its signature is wrong")
        if len(words) == 1:
            return Payment(number=words[0], state=PaymentState.CLOSED)
        return Payment(number=words[0], state=PaymentState.PAID, amount_nanos=int(words[1]), upstream_id=words[2])

    async def query(self, number):
        await asyncio.sleep(0)
        if self.fails:
            raise self.fails
        return self.payments[number]

    async def close(self, number):
        payment = await self.query(number)
        if payment.state is PaymentState.WAITING:
            self.closed.append(number)
            payment = self.payments[number] = replace(payment, state=PaymentState.CLOSED)
        return payment

    async def refund(self, number, refund_number, amount_nanos, reason):
        del reason
        await asyncio.sleep(0)
        if self.fails:
            raise self.fails
        self.refunds.setdefault((number, refund_number), amount_nanos)
        return self.refund_moves

    async def find_refund(self, number, refund_number):
        return (number, refund_number) in self.refunds and self.refund_moves

    async def bill(self, day):
        del day
