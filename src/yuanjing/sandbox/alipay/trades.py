"""Orders and the trades that payers make of them: a state machine over exact fen."""

import secrets
from dataclasses import dataclass, field
from enum import StrEnum

from yuanjing.sandbox.alipay.clock import SimulatedClock
from yuanjing.sandbox.alipay.options import AlipayOptions
from yuanjing.sandbox.alipay.problems import refused

BUYER_ID = "2088622000000001"
BUYER_LOGON_ID = "159****5620"


class Status(StrEnum):
    """Where a trade stands, in Alipay's words."""

    WAIT = "WAIT_BUYER_PAY"
    SUCCESS = "TRADE_SUCCESS"
    FINISHED = "TRADE_FINISHED"
    CLOSED = "TRADE_CLOSED"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the merchant asked for."""

    out_trade_no: str
    fen: int
    subject: str
    expires_at: float
    notify_url: str
    return_url: str
    method: str


@dataclass(kw_only=True)
class Refund:
    """Money that went back.

    Attributes:
        done_at: when it has moved; later than `asked_at` if a button delayed it.
    """

    out_request_no: str
    fen: int
    asked_at: float
    done_at: float


@dataclass(kw_only=True)
class Trade:
    """One order, and its trade once a payer has opened it.

    Attributes:
        token: in the cashier's address.
        trade_no: empty until a payer has opened it; only then does the trade exist.
    """

    order: Order
    token: str
    trade_no: str = ""
    status: Status = Status.WAIT
    created_at: float = 0.0
    paid_at: float | None = None
    closed_at: float | None = None
    refunds: dict[str, Refund] = field(default_factory=dict[str, Refund])

    @property
    def refunded_fen(self) -> int:
        """All that was given back."""
        return sum(one.fen for one in self.refunds.values())


class Trades:
    """All orders of the merchant."""

    def __init__(self, options: AlipayOptions, clock: SimulatedClock) -> None:
        self._options = options
        self._clock = clock
        self._trades: dict[str, Trade] = {}
        self._tokens: dict[str, str] = {}

    def all(self) -> list[Trade]:
        """Newest last."""
        return [self._aged(one) for one in self._trades.values()]

    def place(self, order: Order) -> Trade:
        """The order's trade; the same one if the merchant asks for the same order again.

        Raises:
            Problem: the number is that of another order, or of one that has ended.
        """
        found = self._trades.get(order.out_trade_no)
        if found is None:
            while len(self._trades) >= self._options.trades_max:
                gone = self._trades.pop(next(iter(self._trades)))
                del self._tokens[gone.token]
            found = Trade(order=order, token=secrets.token_urlsafe(18))
            self._trades[order.out_trade_no] = found
            self._tokens[found.token] = order.out_trade_no
            return found
        self._aged(found)
        if found.status is Status.CLOSED:
            raise refused("ACQ.TRADE_HAS_CLOSE")
        if found.status is not Status.WAIT:
            raise refused("ACQ.TRADE_HAS_SUCCESS")
        if (found.order.fen, found.order.subject) != (order.fen, order.subject):
            raise refused("ACQ.CONTEXT_INCONSISTENT")
        return found

    def of_token(self, token: str) -> Trade | None:
        """The order of a cashier's address."""
        number = self._tokens.get(token)
        return None if number is None else self._aged(self._trades[number])

    def find(self, biz: dict[str, object]) -> Trade:
        """The trade that `out_trade_no` or `trade_no` names.

        Raises:
            Problem: there is none; an order that nobody has opened is none.
        """
        number, trade_no = biz.get("out_trade_no"), biz.get("trade_no")
        if not number and not trade_no:
            raise refused("ACQ.INVALID_PARAMETER")
        if number:
            found = self._trades.get(str(number))
        else:
            found = next((one for one in self._trades.values() if one.trade_no == trade_no), None)
        if found is None or not found.trade_no or (trade_no and found.trade_no != trade_no):
            raise refused("ACQ.TRADE_NOT_EXIST")
        return self._aged(found)

    def open(self, trade: Trade) -> None:
        """A payer opens it: from now on it exists."""
        if not trade.trade_no and trade.status is Status.WAIT:
            now = self._clock.unix()
            day = self._clock.beijing().strftime("%Y%m%d")
            trade.trade_no = f"{day}22001{secrets.randbelow(10**15):015}"
            trade.created_at = now

    def pay(self, trade: Trade) -> None:
        """The payer pays.

        Raises:
            Problem: it is not waiting for that.
        """
        if self._aged(trade).status is not Status.WAIT:
            closed = trade.status is Status.CLOSED
            raise refused("ACQ.TRADE_HAS_CLOSE" if closed else "ACQ.TRADE_HAS_SUCCESS")
        self.open(trade)
        trade.status = Status.SUCCESS
        trade.paid_at = self._clock.unix()

    def finish(self, trade: Trade) -> bool:
        """The time for refunds is over; whether that changes anything."""
        if trade.status is not Status.SUCCESS:
            return False
        trade.status = Status.FINISHED
        return True

    def close(self, trade: Trade) -> None:
        """The merchant ends it unpaid.

        Raises:
            Problem: it does not wait for payment.
        """
        if trade.status is not Status.WAIT:
            raise refused("ACQ.TRADE_STATUS_ERROR")
        trade.status = Status.CLOSED
        trade.closed_at = self._clock.unix()

    def refund(self, trade: Trade, number: str, fen: int, delay_seconds: float = 0.0) -> tuple[Refund, bool]:
        """Give money back; the refund, and whether it is new: the same number moves money once.

        Raises:
            Problem: it cannot.
        """
        found = trade.refunds.get(number)
        if found is not None:
            if found.fen != fen:
                raise refused("ACQ.DISCORDANT_REPEAT_REQUEST")
            return found, False
        if trade.status is Status.FINISHED:
            raise refused("ACQ.TRADE_HAS_FINISHED")
        if trade.status is not Status.SUCCESS:
            raise refused("ACQ.TRADE_STATUS_ERROR")
        if trade.refunded_fen + fen > trade.order.fen:
            raise refused("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
        now = self._clock.unix()
        refund = trade.refunds[number] = Refund(
            out_request_no=number, fen=fen, asked_at=now, done_at=now + delay_seconds
        )
        if trade.refunded_fen == trade.order.fen:
            trade.status = Status.CLOSED
            trade.closed_at = now
        return refund, True

    def _aged(self, trade: Trade) -> Trade:
        """The trade as time has left it."""
        if trade.status is Status.WAIT and self._clock.unix() >= trade.order.expires_at:
            trade.status = Status.CLOSED
            trade.closed_at = trade.order.expires_at
        return trade


def yuan(fen: int) -> str:
    """An amount as Alipay writes it."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02}"


def fen_of(text: object) -> int | None:
    """The fen of an amount in yuan; None if it is none that can be paid."""
    whole, point, part = str(text).partition(".")
    is_number = whole.isascii() and whole.isdigit() and (not point or (part.isascii() and part.isdigit()))
    if not is_number or len(part) > 2 or len(whole) > 12:  # noqa: PLR2004  # two decimals, and no endless digits
        return None
    fen = int(whole) * 100 + int(part.ljust(2, "0") if part else 0)
    return fen or None
