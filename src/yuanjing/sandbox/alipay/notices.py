"""Notifications: what they say, when they are sent, and who took them."""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx2

from yuanjing.sandbox.alipay.clock import Agenda, SimulatedClock, written
from yuanjing.sandbox.alipay.crypto import Seal
from yuanjing.sandbox.alipay.options import AlipayOptions
from yuanjing.sandbox.alipay.trades import BUYER_ID, BUYER_LOGON_ID, Refund, Status, Trade, yuan

Fields = dict[str, str]
Sign = Callable[[str], str]
ANSWER_CHARS_MAX = 64
_HTTP_OK = 200


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One notification, as often as it is sent.

    Attributes:
        body: the form for a time of sending.
        is_repeated: until it is taken; forged ones are not.
    """

    url: str
    fields: Fields
    body: Callable[[Fields], str]
    fault: str = ""
    is_repeated: bool = True


class Notifier:
    """Sends notifications and repeats them on Alipay's schedule, until they are answered with `success`."""

    def __init__(self, options: AlipayOptions, clock: SimulatedClock, agenda: Agenda, seal: Seal) -> None:
        self._options = options
        self._clock = clock
        self._agenda = agenda
        self._seal = seal
        self._client: httpx2.AsyncClient | None = None
        self._attempts: deque[dict[str, object]] = deque(maxlen=options.attempts_max)

    def log(self) -> list[dict[str, object]]:
        """All sends that are remembered, oldest first; `status` 0 means that there was no answer."""
        return list(self._attempts)

    async def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.aclose()

    def payment_of(self, trade: Trade, status: Status | None = None) -> Fields:
        """What a notification of the trade says."""
        order = trade.order
        fields = {
            "notify_id": f"{self._clock.beijing():%Y%m%d}00222{secrets.randbelow(10**20):020}",
            "notify_type": "trade_status_sync",
            "app_id": self._options.app_id,
            "auth_app_id": self._options.app_id,
            "charset": "utf-8",
            "version": "1.0",
            "sign_type": "RSA2",
            "trade_no": trade.trade_no,
            "out_trade_no": order.out_trade_no,
            "buyer_id": BUYER_ID,
            "buyer_logon_id": BUYER_LOGON_ID,
            "seller_id": self._options.seller_id,
            "trade_status": status or trade.status,
            "total_amount": yuan(order.fen),
            "subject": order.subject,
            "gmt_create": written(trade.created_at),
        }
        if trade.paid_at is not None:
            paid = yuan(order.fen)
            fields |= {
                "receipt_amount": paid,
                "invoice_amount": paid,
                "buyer_pay_amount": paid,
                "point_amount": "0.00",
                "gmt_payment": written(trade.paid_at),
                "fund_bill_list": f'[{{"amount":"{paid}","fundChannel":"ALIPAYACCOUNT"}}]',
            }
        if trade.closed_at is not None:
            fields["gmt_close"] = written(trade.closed_at)
        return fields

    def refund_of(self, trade: Trade, refund: Refund) -> Fields:
        """What a notification of a refund says: the payment's fields, its number, and all that went back."""
        back = {"out_biz_no": refund.out_request_no, "refund_fee": yuan(trade.refunded_fen)}
        return {**self.payment_of(trade), **back, "gmt_refund": f"{written(refund.asked_at)}.000"}

    def body(self, fields: Fields, sign: Sign | None = None) -> str:
        """The signed form."""
        return urlencode({**fields, "sign": (sign or self._seal.sign)(notice_text(fields))})

    def post(self, trade: Trade, fields: Fields, *, fault: str = "", after_seconds: float = 0.0) -> None:
        """Send a genuine notification, now or later, and repeat it until it is taken."""
        notice = Notice(url=trade.order.notify_url, fields=fields, body=self.body, fault=fault)
        if notice.url:
            self._agenda.at(self._clock.unix() + after_seconds, lambda: self._send(notice, 0))

    async def send_now(self, notice: Notice) -> None:
        """Send it and wait for the answer; it is repeated later if it is not taken."""
        if notice.url:
            await self._send(notice, 0)

    async def send_together(self, notice: Notice, count: int) -> None:
        """Send so many copies at the same time."""
        if notice.url:
            async with asyncio.TaskGroup() as group:
                for number in range(count):
                    group.create_task(self._keep(notice, number))

    async def _keep(self, notice: Notice, number: int) -> None:
        await self._attempt(notice, number)

    async def _send(self, notice: Notice, number: int) -> None:
        is_taken = await self._attempt(notice, number)
        pauses = self._options.notify_pauses_seconds
        if not is_taken and notice.is_repeated and number < len(pauses):
            self._agenda.at(self._clock.unix() + pauses[number], lambda: self._send(notice, number + 1))

    async def _attempt(self, notice: Notice, number: int) -> bool:
        """Send it; whether it is taken: the answer is exactly `success`."""
        if self._client is None:
            limits = httpx2.Limits(max_connections=self._options.burst_max)
            self._client = httpx2.AsyncClient(
                timeout=self._options.notify_wait_seconds, trust_env=False, follow_redirects=False, limits=limits
            )
        at = written(self._clock.unix())
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        content = notice.body({**notice.fields, "notify_time": at}).encode()
        status, answer = 0, ""
        try:
            got = await self._client.post(notice.url, content=content, headers=headers)
            status, answer = got.status_code, got.text
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            answer = type(error).__name__
        is_taken = status == _HTTP_OK and answer == "success"
        fields = notice.fields
        self._attempts.append(
            {
                "at": at,
                **{name: fields.get(name, "") for name in ("notify_id", "out_trade_no", "trade_status")},
                "url": notice.url,
                "fault": notice.fault,
                "number": number,
                "status": status,
                "answer": answer[:ANSWER_CHARS_MAX],
                "is_taken": is_taken,
            }
        )
        return is_taken


def notice_text(fields: Fields) -> str:
    """What Alipay signs of a notification: all but `sign` and `sign_type`, empty values too."""
    return "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name not in ("sign", "sign_type"))


def form(pairs: Iterable[tuple[str, str]]) -> str:
    """A form in the given order, whatever comes twice."""
    return urlencode(list(pairs))
