"""Notifications: whether one is genuine, for us, and tells of a payment.

Source: https://opendocs.alipay.com/open/270/105902 and 200/106120. Two rules here are stricter than Alipay's own
libraries: a field may come once only, and no value may hold `&`, since the signed text joins fields with it. Somebody
who may choose one value could otherwise cut a genuine notification into other fields under the same signature.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from yuanjing.adapters.alipay.amounts import from_yuan
from yuanjing.adapters.alipay.signing import SIGN_TYPE, is_signed, notification_text
from yuanjing.adapters.alipay.times import from_beijing
from yuanjing.domain.topups import Verdict
from yuanjing.ports.payments import NotificationRefusedError, Payment, PaymentState

PAID_STATUSES = frozenset({"TRADE_SUCCESS", "TRADE_FINISHED"})
NUMBER = re.compile(r"[0-9A-Za-z_]{1,64}")
"""Of an order and of a refund."""
TRADE_NUMBER = re.compile(r"[0-9A-Za-z]{1,64}")

_NOTIFY_TYPE = "trade_status_sync"


@dataclass(frozen=True, kw_only=True, slots=True)
class NotificationReader:
    """Reads the notifications for one application.

    Attributes:
        key: Alipay's.
    """

    key: RSAPublicKey = field(repr=False)
    app_id: str
    seller_id: str
    bytes_max: int
    fields_max: int

    def read(self, raw: bytes) -> Payment:
        """The payment that it tells of.

        Raises:
            NotificationRefusedError: see `PaymentMethod.read_notification`.
        """
        fields = self._fields(raw)
        given = fields.get("out_trade_no", "")
        number = given if NUMBER.fullmatch(given) else ""
        self._check_signature(fields, number)
        self._check_address(fields, number)
        return _payment(fields, number)

    def _fields(self, raw: bytes) -> dict[str, str]:
        if len(raw) > self.bytes_max:
            raise _forged("it is too large")
        try:
            pairs = parse_qsl(
                raw.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=self.fields_max,
            )
        except ValueError:
            raise _forged("it is not a form") from None
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise _forged("a field comes twice", fields)
        if any("&" in value or "&" in name or "=" in name for name, value in pairs):
            raise _forged("a field holds what separates fields", fields)
        return fields

    def _check_signature(self, fields: dict[str, str], number: str) -> None:
        if fields.get("sign_type") != SIGN_TYPE:
            raise NotificationRefusedError(Verdict.FORGED, "its sign_type is not RSA2", number=number)
        if not is_signed(self.key, notification_text(fields), fields.get("sign", "")):
            raise NotificationRefusedError(Verdict.FORGED, "its signature is wrong", number=number)

    def _check_address(self, fields: dict[str, str], number: str) -> None:
        if fields.get("app_id") != self.app_id:
            raise NotificationRefusedError(Verdict.MISMATCH, "it is for another application", number=number)
        if fields.get("seller_id") != self.seller_id:
            raise NotificationRefusedError(Verdict.MISMATCH, "it is for another seller", number=number)


def _payment(fields: dict[str, str], number: str) -> Payment:
    if fields.get("notify_type") != _NOTIFY_TYPE:
        raise NotificationRefusedError(Verdict.IGNORED, "it is not about a trade", number=number)
    if fields.get("trade_status") not in PAID_STATUSES:
        raise NotificationRefusedError(Verdict.IGNORED, "the trade is not paid", number=number)
    if _tells_of_refund(fields):
        raise NotificationRefusedError(Verdict.IGNORED, "it tells of a refund", number=number)
    if not number:
        raise NotificationRefusedError(Verdict.UNKNOWN, "it names no order of ours")
    upstream_id = fields.get("trade_no", "")
    try:
        amount_nanos = from_yuan(fields.get("total_amount", ""))
    except ValueError:
        amount_nanos = 0
    if amount_nanos <= 0 or TRADE_NUMBER.fullmatch(upstream_id) is None:
        raise NotificationRefusedError(Verdict.MISMATCH, "it names no amount or no trade", number=number)
    return Payment(
        number=number,
        state=PaymentState.PAID,
        amount_nanos=amount_nanos,
        upstream_id=upstream_id,
        paid_at=from_beijing(fields.get("gmt_payment")),
    )


def _tells_of_refund(fields: dict[str, str]) -> bool:
    """A refund in part says TRADE_SUCCESS like the payment, but names what went back or the refund's number."""
    fee = fields.get("refund_fee", "")
    return bool(fields.get("out_biz_no") or fields.get("gmt_refund") or fee.strip("0."))


def _forged(reason: str, fields: dict[str, str] | None = None) -> NotificationRefusedError:
    number = (fields or {}).get("out_trade_no", "")
    return NotificationRefusedError(Verdict.FORGED, reason, number=number if NUMBER.fullmatch(number) else "")
