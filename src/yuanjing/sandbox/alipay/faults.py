"""The cashier's buttons: what a payer, a network or an attacker can do around a payment.

A payment's button pays and changes what is told of it. An attack's button pays nothing and tells that it was paid.
"""

from collections.abc import Callable
from dataclasses import dataclass

from yuanjing.sandbox.alipay.crypto import Seal
from yuanjing.sandbox.alipay.notices import Fields, Notice, Notifier, form, notice_text
from yuanjing.sandbox.alipay.options import AlipayOptions
from yuanjing.sandbox.alipay.trades import Status, Trade, yuan

PAYMENTS = {
    "": "Pay",
    "lost": "Pay, and lose the notification",
    "late": "Pay, and notify later",
    "early": "Pay, and notify before the browser returns",
    "duplicate": "Pay, and notify twice",
    "burst": "Pay, and send many copies at once",
    "finished_first": "Pay, and tell FINISHED before SUCCESS",
    "blank": "Pay, and notify with blank fields",
}
"""What each button of a payment says."""

ATTACKS = {
    "forged": "Signed by another key",
    "changed_amount": "Genuine, then the amount changed",
    "changed_app": "Genuine, then the application changed",
    "changed_seller": "Genuine, then the seller changed",
    "changed_order": "Genuine, then the order changed",
    "other_amount": "Signed by Alipay, for another amount",
    "other_app": "Signed by Alipay, for another application",
    "other_seller": "Signed by Alipay, for another seller",
    "unknown_order": "Signed by Alipay, for an order that nobody placed",
    "refund_notice": "Signed by Alipay, of a refund in part",
    "sha1": "Signed with SHA-1, called RSA2",
    "rsa1": "Signed with SHA-1, called RSA",
    "no_sign_type": "Signed by Alipay, without sign_type",
    "repeated_key": "Signed by Alipay, the amount twice",
    "unsigned": "Without a signature",
}
"""What each button of an attack says."""

_OTHER_APP, _OTHER_SELLER, _OTHER_ORDER = "9021000199999999", "2088999999999999", "nobody_placed_this_1"
_OTHER: dict[str, Callable[[Trade], Fields]] = {
    "amount": lambda trade: {"total_amount": yuan(trade.order.fen + 100_00)},
    "app": lambda _: {"app_id": _OTHER_APP},
    "seller": lambda _: {"seller_id": _OTHER_SELLER},
    "order": lambda _: {"out_trade_no": _OTHER_ORDER},
}


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What buttons take: how many copies, how many seconds later."""

    count: int = 50
    seconds: float = 60.0


class Faults:
    """Does what the buttons say."""

    def __init__(self, options: AlipayOptions, notifier: Notifier, seal: Seal) -> None:
        self._options = options
        self._notifier = notifier
        self._seal = seal

    async def tell(self, trade: Trade, fault: str, numbers: Numbers) -> None:
        """Tell of a payment that was just made."""
        notifier = self._notifier
        fields = notifier.payment_of(trade)
        notice = Notice(url=trade.order.notify_url, fields=fields, body=notifier.body, fault=fault)
        if fault == "late":
            notifier.post(trade, fields, fault=fault, after_seconds=numbers.seconds)
        elif fault in {"early", "duplicate"}:
            for _ in range(2 if fault == "duplicate" else 1):
                await notifier.send_now(notice)
        elif fault == "burst":
            await notifier.send_together(notice, min(numbers.count, self._options.burst_max))
        elif fault == "finished_first":
            finished = Notice(
                url=notice.url, fields=fields | {"trade_status": Status.FINISHED}, body=notifier.body, fault=fault
            )
            await notifier.send_now(finished)
            notifier.post(trade, fields, fault=fault)
        elif fault == "blank":
            notifier.post(trade, fields | {"body": "", "passback_params": ""}, fault=fault)
        elif fault == "":
            notifier.post(trade, fields)

    async def attack(self, trade: Trade, fault: str) -> None:
        """Tell of a payment that nobody made."""
        fields = self._notifier.payment_of(trade, Status.SUCCESS)
        kind, _, what = fault.partition("_")
        body: Callable[[Fields], str] = self._notifier.body
        if fault == "unknown_order":
            fields = fields | _OTHER["order"](trade)
        elif kind == "other":
            fields = fields | _OTHER[what](trade)
        elif fault == "refund_notice":
            fields = fields | {"out_biz_no": "refund_1", "refund_fee": "0.01", "gmt_refund": "2026-11-01 00:00:00.000"}
        else:
            body = self._spoilt(trade, fault)
        notice = Notice(url=trade.order.notify_url, fields=fields, body=body, fault=fault, is_repeated=False)
        await self._notifier.send_now(notice)

    def _spoilt(self, trade: Trade, fault: str) -> Callable[[Fields], str]:
        """The form of a notification that is not genuine."""
        kind, _, what = fault.partition("_")
        seal = self._seal

        def body(fields: Fields) -> str:
            signature = seal.sign(notice_text(fields))
            if kind == "changed":
                return form([*(fields | _OTHER[what](trade)).items(), ("sign", signature)])
            if fault == "forged":
                return form([*fields.items(), ("sign", seal.sign_falsely(notice_text(fields)))])
            if fault in {"sha1", "rsa1"}:
                named = fields | {"sign_type": "RSA2" if fault == "sha1" else "RSA"}
                return form([*named.items(), ("sign", seal.sign_weakly(notice_text(fields)))])
            if fault == "no_sign_type":
                return form([*((name, it) for name, it in fields.items() if name != "sign_type"), ("sign", signature)])
            if fault == "repeated_key":
                return form([("total_amount", "99999.00"), *fields.items(), ("sign", signature)])
            assert fault == "unsigned", fault
            return form(fields.items())

        return body
