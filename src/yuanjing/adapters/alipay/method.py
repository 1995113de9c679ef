"""Alipay as a payment method.

Sources: https://opendocs.alipay.com/open/028r8t (page.pay), 02ivbt (wap.pay), 02ekfg (precreate), 02ekfh (query),
02o6e7 (close), 02ekfk (refund), 02ekfl (refund query), 02e7gr (bills).
"""

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

from yuanjing.adapters.alipay.amounts import from_yuan, to_yuan
from yuanjing.adapters.alipay.bills import BillError, read_bill
from yuanjing.adapters.alipay.gateway import NO_TRADE, AlipayRefusedError, Gateway
from yuanjing.adapters.alipay.notifications import NUMBER, PAID_STATUSES, TRADE_NUMBER, NotificationReader
from yuanjing.adapters.alipay.options import AlipayOptions
from yuanjing.adapters.alipay.times import BEIJING, from_beijing, to_beijing
from yuanjing.adapters.alipay.traits import AlipayTraits
from yuanjing.domain.topups import PayWay
from yuanjing.kit.clock import Clock
from yuanjing.kit.webcalls import NoAnswer, WebCall, WebCaller
from yuanjing.ports.payments import (
    BillLine,
    Payment,
    PaymentOrder,
    PaymentRefusedError,
    PaymentStart,
    PaymentState,
    PaymentUnavailableError,
)

_BROWSER: Final[Mapping[PayWay, tuple[str, str]]] = {
    PayWay.PAGE: ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
    PayWay.WAP: ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
}
"""The ways that begin in the payer's browser: method and product."""

_OTHER_STATE = frozenset({"ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID"})
_NO_BILL = "BILL_NOT_EXIST"
_REFUNDED = "REFUND_SUCCESS"
_SUBJECT_CHARS_MAX = 256
_NOT_IN_SUBJECTS = str.maketrans(dict.fromkeys("/=&", " "))  # Alipay refuses them
_QR_CHARS_MAX = 1024
_HTTP_OK = 200
_HTTPS_PORT = 443


class AlipayMethod(AlipayTraits):
    """See `PaymentMethod`.

    Raises:
        AlipayKeyError: a key or certificate cannot be used.
    """

    def __init__(self, options: AlipayOptions, caller: WebCaller, downloads: WebCaller, clock: Clock) -> None:
        """`caller` calls the gateway (`CALL_LIMITS`), `downloads` loads bills (`BILL_LIMITS`)."""
        self._options = options
        self._clock = clock
        self._downloads = downloads
        self._gateway = Gateway(options, caller, clock)
        self._reader = NotificationReader(
            key=self._gateway.key,
            app_id=options.app_id,
            seller_id=options.seller_id,
            bytes_max=options.notification_bytes_max,
            fields_max=options.notification_fields_max,
        )

    async def start(self, order: PaymentOrder) -> PaymentStart:
        """See `PaymentMethod.start`. Nobody can pay after `expires_at`."""
        number = _checked_number(order.number)
        biz = {
            "out_trade_no": number,
            "total_amount": _checked_yuan(order.amount_nanos),
            "subject": " ".join(order.subject.translate(_NOT_IN_SUBJECTS).split())[:_SUBJECT_CHARS_MAX],
            "time_expire": to_beijing(order.expires_at),
        }
        if not biz["subject"]:
            raise PaymentRefusedError("an order at Alipay needs a subject")
        if order.expires_at <= self._clock.unix():
            raise PaymentRefusedError("the order has expired already")
        if order.way is PayWay.QR:
            answer = await self._gateway.call("alipay.trade.precreate", biz, {"notify_url": order.notify_url})
            _check_number(answer, number)
            return PaymentStart(qr_text=_text(answer, "qr_code", _QR_CHARS_MAX))
        if order.way not in _BROWSER:
            raise PaymentRefusedError("Alipay does not know this way to pay")
        method, product = _BROWSER[order.way]
        biz["product_code"] = product
        if order.way is PayWay.WAP and order.return_url:
            biz["quit_url"] = order.return_url
        extras = {"notify_url": order.notify_url, "return_url": order.return_url}
        return PaymentStart(url=self._gateway.url(method, biz, extras))

    def read_notification(self, raw: bytes) -> Payment:
        """See `PaymentMethod.read_notification`. Alipay wants the answer `success`, once the payment is credited."""
        return self._reader.read(raw)

    async def query(self, number: str) -> Payment:
        """See `PaymentMethod.query`. A payment that was given back as a whole is closed, with `refunded_nanos`."""
        try:
            answer = await self._gateway.call("alipay.trade.query", {"out_trade_no": _checked_number(number)})
        except AlipayRefusedError as error:
            if error.sub_code == NO_TRADE:
                return Payment(number=number, state=PaymentState.UNKNOWN)
            raise
        _check_number(answer, number)
        status = answer.get("trade_status")
        if status == "WAIT_BUYER_PAY":
            return Payment(number=number, state=PaymentState.WAITING)
        if status == "TRADE_CLOSED" and not answer.get("send_pay_date"):
            return Payment(number=number, state=PaymentState.CLOSED)
        if status != "TRADE_CLOSED" and status not in PAID_STATUSES:
            raise PaymentUnavailableError("alipay.trade.query tells of a status that is not known")
        amount_nanos = _amount(answer, "total_amount")
        upstream_id = _text(answer, "trade_no")
        if TRADE_NUMBER.fullmatch(upstream_id) is None:
            raise PaymentUnavailableError("alipay.trade.query names no trade")
        is_back = status == "TRADE_CLOSED"
        return Payment(
            number=number,
            state=PaymentState.CLOSED if is_back else PaymentState.PAID,
            amount_nanos=amount_nanos,
            upstream_id=upstream_id,
            refunded_nanos=amount_nanos if is_back else 0,
            paid_at=from_beijing(answer.get("send_pay_date")),
        )

    async def close(self, number: str) -> Payment:
        """See `PaymentMethod.close`.

        An order that nobody has begun to pay cannot be closed: it stays `UNKNOWN`, and can be paid until it expires.
        """
        try:
            answer = await self._gateway.call("alipay.trade.close", {"out_trade_no": _checked_number(number)})
        except AlipayRefusedError as error:
            if error.sub_code == NO_TRADE:
                return Payment(number=number, state=PaymentState.UNKNOWN)
            if error.sub_code in _OTHER_STATE:
                return await self.query(number)
            raise
        _check_number(answer, number)
        return Payment(number=number, state=PaymentState.CLOSED)

    async def refund(self, number: str, refund_number: str, amount_nanos: int, reason: str) -> bool:
        """See `PaymentMethod.refund`. A refusal is believed only if the refund is not there either."""
        biz = {
            "out_trade_no": _checked_number(number),
            "out_request_no": _checked_number(refund_number),
            "refund_amount": _checked_yuan(amount_nanos),
            "refund_reason": " ".join(reason.split())[:_SUBJECT_CHARS_MAX],
        }
        try:
            answer = await self._gateway.call("alipay.trade.refund", {key: it for key, it in biz.items() if it})
        except AlipayRefusedError as error:
            if error.sub_code != NO_TRADE and await self._is_refunded(number, refund_number, amount_nanos):
                return True
            raise
        _check_number(answer, number)
        return answer.get("fund_change") == "Y" or await self._is_refunded(number, refund_number, amount_nanos)

    async def find_refund(self, number: str, refund_number: str) -> bool:
        """See `PaymentMethod.find_refund`."""
        return await self._refunded(number, refund_number) is not None

    async def bill(self, day: dt.date) -> Sequence[BillLine] | None:
        """See `PaymentMethod.bill`. Alipay has it at about 9:00 of the next day."""
        if day >= dt.datetime.fromtimestamp(self._clock.unix(), BEIJING).date():
            return None
        biz = {"bill_type": "trade", "bill_date": day.isoformat()}
        try:
            answer = await self._gateway.call("alipay.data.dataservice.bill.downloadurl.query", biz)
        except AlipayRefusedError as error:
            if error.sub_code.upper().endswith(_NO_BILL):
                return None
            raise
        packed = await self._download(_text(answer, "bill_download_url", chars_max=4096))
        options = self._options
        try:
            return await asyncio.to_thread(
                read_bill, packed, bytes_max=options.bill_unpacked_bytes_max, files_max=options.bill_files_max
            )
        except BillError as error:
            raise PaymentUnavailableError(str(error)) from None

    async def _is_refunded(self, number: str, refund_number: str, amount_nanos: int) -> bool:
        found = await self._refunded(number, refund_number)
        if found is not None and found != amount_nanos:
            raise PaymentUnavailableError("another amount was given back under the number of this refund")
        return found is not None

    async def _refunded(self, number: str, refund_number: str) -> int | None:
        """What that refund gave back; None if it has not. Without a status it has not arrived, or has failed.

        Raises:
            PaymentUnavailableError: it is not known; also where Alipay refuses the question.
        """
        biz = {"out_trade_no": _checked_number(number), "out_request_no": _checked_number(refund_number)}
        try:
            answer = await self._gateway.call("alipay.trade.fastpay.refund.query", biz)
        except AlipayRefusedError as error:
            if error.sub_code == NO_TRADE:
                return None
            raise PaymentUnavailableError(error.message) from error  # that we may not know is no refusal of the refund
        if answer.get("refund_status") != _REFUNDED:
            return None
        _check_number(answer, number)
        if answer.get("out_request_no") != refund_number:
            raise PaymentUnavailableError("alipay.trade.fastpay.refund.query tells of another refund")
        return _amount(answer, "refund_amount")

    async def _download(self, url: str) -> bytes:
        """The bill; its address is good for 30 seconds."""
        answer = await self._downloads.call(WebCall(method="GET", url=self._bill_url(url)))
        if isinstance(answer, NoAnswer):
            raise PaymentUnavailableError(f"the bill has no answer: {answer.reason}")
        if answer.status != _HTTP_OK or not answer.is_whole:
            raise PaymentUnavailableError(f"the bill is answered with HTTP {answer.status}, or is too large")
        return answer.body

    def _bill_url(self, url: str) -> str:
        """The address, if we may go there; Alipay's documentation shows plain HTTP, which is not used over HTTPS."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise PaymentUnavailableError("the bill's address cannot be read") from None
        hosts = self._options.bill_hosts
        is_allowed = any(host.endswith(one) if one.startswith(".") else host == one for one in hosts)
        if not is_allowed or parts.username is not None or parts.scheme not in {"http", "https"}:
            raise PaymentUnavailableError("the bill's address is not of an allowed host")
        if parts.scheme == "http" and urlsplit(self._options.gateway_url).scheme == "https":
            return _encrypted(parts, host, port)
        return url


def _encrypted(parts: SplitResult, host: str, port: int | None) -> str:
    if port not in {None, 80, _HTTPS_PORT}:
        raise PaymentUnavailableError("the bill's address is neither encrypted nor of a usual port")
    return parts._replace(scheme="https", netloc=host).geturl()


def _checked_number(number: str) -> str:
    if NUMBER.fullmatch(number) is None:
        raise PaymentRefusedError("numbers at Alipay are letters, digits and underscores, at most 64")
    return number


def _checked_yuan(amount_nanos: int) -> str:
    try:
        return to_yuan(amount_nanos)
    except ValueError as error:
        raise PaymentRefusedError(str(error)) from None


def _check_number(answer: Mapping[str, object], number: str) -> None:
    if answer.get("out_trade_no") != number:
        raise PaymentUnavailableError("Alipay answers for another order")


def _text(answer: Mapping[str, object], name: str, chars_max: int = 64) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= chars_max:
        raise PaymentUnavailableError(f"Alipay's answer lacks {name}")
    return value


def _amount(answer: Mapping[str, object], name: str) -> int:
    try:
        amount_nanos = from_yuan(_text(answer, name))
    except ValueError:
        raise PaymentUnavailableError(f"Alipay's answer has no amount in {name}") from None
    if amount_nanos <= 0:
        raise PaymentUnavailableError(f"Alipay's answer has no amount in {name}")
    return amount_nanos
