"""The gateway's methods, from a checked request to what is answered."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from yuanjing.sandbox import jsons
from yuanjing.sandbox.alipay.bills import Bills
from yuanjing.sandbox.alipay.clock import SimulatedClock, read, written
from yuanjing.sandbox.alipay.notices import Notifier
from yuanjing.sandbox.alipay.options import AlipayOptions
from yuanjing.sandbox.alipay.problems import invalid, refused
from yuanjing.sandbox.alipay.trades import (
    BUYER_ID,
    BUYER_LOGON_ID,
    Order,
    Refund,
    Status,
    Trade,
    Trades,
    fen_of,
    yuan,
)

PRODUCTS = {
    "alipay.trade.page.pay": "FAST_INSTANT_TRADE_PAY",
    "alipay.trade.wap.pay": "QUICK_WAP_WAY",
}
FEN_MAX = 100_000_000_00
SUBJECT_CHARS_MAX = 256
_NUMBER = re.compile(r"[0-9A-Za-z_]{1,64}")
_NOT_IN_SUBJECTS = re.compile(r"[/=&]")

Biz = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A checked request.

    Attributes:
        base: the address of the simulator as the merchant reached it.
        refund_delay_seconds: a button's: how long refunds take.
    """

    params: dict[str, str]
    biz: Biz
    base: str
    refund_delay_seconds: float = 0.0


class Methods:
    """What the gateway can do; all but page.pay and wap.pay, which a payer opens."""

    def __init__(
        self, options: AlipayOptions, clock: SimulatedClock, trades: Trades, notifier: Notifier, bills: Bills
    ) -> None:
        self._options = options
        self._clock = clock
        self._trades = trades
        self._notifier = notifier
        self._bills = bills
        self._methods: dict[str, Callable[[Asked], Biz]] = {
            "alipay.trade.precreate": self._precreate,
            "alipay.trade.query": self._query,
            "alipay.trade.close": self._close,
            "alipay.trade.cancel": self._cancel,
            "alipay.trade.refund": self._refund,
            "alipay.trade.fastpay.refund.query": self._refund_query,
            "alipay.data.dataservice.bill.downloadurl.query": self._bill,
        }

    @property
    def names(self) -> frozenset[str]:
        """All methods that there are."""
        return frozenset({*self._methods, *PRODUCTS})

    def call(self, asked: Asked) -> Biz:
        """The answer's fields.

        Raises:
            Problem: it is refused.
        """
        return self._methods[asked.params["method"]](asked)

    def place(self, asked: Asked) -> Trade:
        """The order of a request.

        Raises:
            Problem: it cannot be placed.
        """
        params, biz = asked.params, asked.biz
        number, subject = str(biz.get("out_trade_no", "")), str(biz.get("subject", ""))
        fen = fen_of(biz.get("total_amount"))
        product = PRODUCTS.get(params["method"])
        is_fine = _NUMBER.fullmatch(number) and 0 < len(subject) <= SUBJECT_CHARS_MAX
        if not is_fine or _NOT_IN_SUBJECTS.search(subject) or fen is None:
            raise refused("ACQ.INVALID_PARAMETER")
        if product is not None and biz.get("product_code") != product:
            raise refused("ACQ.INVALID_PARAMETER")
        if fen > FEN_MAX:
            raise refused("ACQ.TOTAL_FEE_EXCEED")
        now = self._clock.unix()
        expires_at = read(str(biz["time_expire"])) if "time_expire" in biz else now + self._options.unpaid_seconds
        if expires_at is None or (expires_at <= now and params["method"] not in PRODUCTS):
            raise refused("ACQ.INVALID_PARAMETER")
        return self._trades.place(
            Order(
                out_trade_no=number,
                fen=fen,
                subject=subject,
                expires_at=expires_at,
                notify_url=params.get("notify_url", ""),
                return_url=params.get("return_url", ""),
                method=params["method"],
            )
        )

    def refund(self, trade: Trade, number: str, fen: int, delay_seconds: float = 0.0) -> tuple[Refund, bool]:
        """Give money back and tell of it."""
        refund, is_new = self._trades.refund(trade, number, fen, delay_seconds)
        if is_new:
            self._notifier.post(trade, self._notifier.refund_of(trade, refund), after_seconds=delay_seconds)
        return refund, is_new

    def _precreate(self, asked: Asked) -> Biz:
        trade = self.place(asked)
        return {"out_trade_no": trade.order.out_trade_no, "qr_code": f"{asked.base}/alipay/qr/{trade.token}"}

    def _query(self, asked: Asked) -> Biz:
        trade = self._trades.find(asked.biz)
        paid = yuan(trade.order.fen if trade.paid_at is not None else 0)
        fields: Biz = {
            "buyer_logon_id": BUYER_LOGON_ID,
            "buyer_pay_amount": paid,
            "buyer_user_id": BUYER_ID,
            "invoice_amount": paid,
            "out_trade_no": trade.order.out_trade_no,
            "point_amount": "0.00",
            "receipt_amount": paid,
            "total_amount": yuan(trade.order.fen),
            "trade_no": trade.trade_no,
            "trade_status": trade.status,
        }
        if trade.paid_at is not None:
            fields["send_pay_date"] = written(trade.paid_at)
            fields["fund_bill_list"] = [{"amount": paid, "fund_channel": "ALIPAYACCOUNT"}]
        return fields

    def _close(self, asked: Asked) -> Biz:
        trade = self._trades.find(asked.biz)
        self._trades.close(trade)
        self._notifier.post(trade, self._notifier.payment_of(trade))
        return {"out_trade_no": trade.order.out_trade_no, "trade_no": trade.trade_no}

    def _cancel(self, asked: Asked) -> Biz:
        fields: Biz = {"out_trade_no": str(asked.biz.get("out_trade_no", "")), "retry_flag": "N"}
        trade = self._trades.find(asked.biz)
        fields["trade_no"] = trade.trade_no
        if trade.status is Status.WAIT:
            self._trades.close(trade)
            return {**fields, "action": "close"}
        if trade.status is Status.SUCCESS:
            self.refund(trade, trade.order.out_trade_no, trade.order.fen - trade.refunded_fen)
            return {**fields, "action": "refund"}
        return fields

    def _refund(self, asked: Asked) -> Biz:
        biz = asked.biz
        trade = self._trades.find(biz)
        fen = fen_of(biz.get("refund_amount"))
        number = str(biz.get("out_request_no", ""))
        if fen is None or (number and not _NUMBER.fullmatch(number)) or (not number and fen != trade.order.fen):
            raise refused("ACQ.INVALID_PARAMETER")
        refund, is_new = self.refund(trade, number or trade.order.out_trade_no, fen, asked.refund_delay_seconds)
        is_moved = is_new and refund.done_at <= self._clock.unix()
        return {
            "buyer_logon_id": BUYER_LOGON_ID,
            "buyer_user_id": BUYER_ID,
            "fund_change": "Y" if is_moved else "N",
            "gmt_refund_pay": written(refund.done_at),
            "out_trade_no": trade.order.out_trade_no,
            "refund_fee": yuan(trade.refunded_fen),
            "trade_no": trade.trade_no,
        }

    def _refund_query(self, asked: Asked) -> Biz:
        biz = asked.biz
        trade = self._trades.find(biz)
        number = str(biz.get("out_request_no", ""))
        if not number:
            raise refused("ACQ.INVALID_PARAMETER")
        refund = trade.refunds.get(number)
        if refund is None or refund.done_at > self._clock.unix():
            return {}
        return {
            "out_request_no": number,
            "out_trade_no": trade.order.out_trade_no,
            "refund_amount": yuan(refund.fen),
            "refund_status": "REFUND_SUCCESS",
            "total_amount": yuan(trade.order.fen),
            "trade_no": trade.trade_no,
            "gmt_refund_pay": written(refund.done_at),
        }

    def _bill(self, asked: Asked) -> Biz:
        return {"bill_download_url": f"{asked.base}/alipay/bill/{self._bills.order(asked.biz)}"}


def read_biz(text: str) -> Biz:
    """The business parameters.

    Raises:
        Problem: they are no JSON object.
    """
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    found = jsons.as_object(value)
    if found is None:
        raise invalid("arguments", is_signed=True)
    return found
