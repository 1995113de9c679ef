"""The simulated Alipay: from a request to what answers it."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from yuanjing.kit.clock import Clock
from yuanjing.sandbox.alipay import cashier
from yuanjing.sandbox.alipay.bills import Bills
from yuanjing.sandbox.alipay.clock import Agenda, SimulatedClock, written
from yuanjing.sandbox.alipay.crypto import Seal
from yuanjing.sandbox.alipay.faults import ATTACKS, PAYMENTS, Faults, Numbers
from yuanjing.sandbox.alipay.gateway import Asked, Methods, read_biz
from yuanjing.sandbox.alipay.notices import Notifier, notice_text
from yuanjing.sandbox.alipay.options import AlipayOptions
from yuanjing.sandbox.alipay.problems import Problem, unavailable
from yuanjing.sandbox.alipay.trades import Trade, Trades, fen_of, yuan
from yuanjing.sandbox.alipay.wire import PAGE_METHODS, Envelope, form_of
from yuanjing.sandbox.asgi import Reply, Request
from yuanjing.sandbox.journal import Entry

BASE = "/alipay/"
GATEWAY_FAULTS = {
    "http500": "HTTP 500, and nothing is done",
    "done500": "HTTP 500, though it is done",
    "timeout": "it is done, and the connection is cut without an answer after `seconds`",
    "slow": "the answer comes after `seconds`",
    "system_error": "signed `ACQ.SYSTEM_ERROR`, though it is done",
    "unavailable": "signed 20000, and nothing is done",
    "wrong_signature": "a good answer signed by another key",
    "escapes": "slashes in the answer are escaped",
    "slow_refund": "refunds take `seconds` of the simulated time",
}
"""What can be asked of the next calls by `POST /alipay/faults`."""

_HTML = "text/html; charset=utf-8"
_GATEWAY_TYPE = "text/html;charset=utf-8"  # as Alipay says of its JSON


@dataclasses.dataclass(kw_only=True)
class _Planned:
    """A fault of the gateway: for which method (empty: all), how often yet."""

    fault: str
    method: str
    times: int
    seconds: float


class AlipaySimulator:
    """One merchant's Alipay."""

    def __init__(self, options: AlipayOptions, clock: Clock, public_base_url: str | None = None) -> None:
        self._options = options
        self._public_base_url = public_base_url
        self._clock = SimulatedClock(clock)
        self._agenda = Agenda(self._clock)
        self._seal = Seal(options.merchant_public_key, options.private_key)
        self._trades = Trades(options, self._clock)
        self._notifier = Notifier(options, self._clock, self._agenda, self._seal)
        self._bills = Bills(options, self._clock, self._trades)
        self._methods = Methods(options, self._clock, self._trades, self._notifier, self._bills)
        self._envelope = Envelope(options, self._seal, self._clock)
        self._faults = Faults(options, self._notifier, self._seal)
        self._planned: list[_Planned] = []
        self._posts: dict[str, Callable[[dict[str, str]], Awaitable[dict[str, object]]]] = {
            "clock": self._advance,
            "faults": self._plan,
            "bill-difference": self._differ,
            "refunds": self._give_back,
            "finish": self._finish,
        }

    def start(self, group: asyncio.TaskGroup) -> None:
        """Notify from now on, in tasks of `group`."""
        self._agenda.start(group)

    async def stop(self) -> None:
        """End what runs in the background."""
        self._agenda.stop()
        await self._notifier.close()

    @property
    def body_bytes_max(self) -> int:
        """The largest request."""
        return self._options.body_bytes_max

    def claims(self, path: str) -> bool:
        """Whether the path is one of Alipay's."""
        return path.startswith(BASE)

    async def handle(self, request: Request, reply: Reply, entry: Entry) -> bool:
        """Answer if the path is one of Alipay's; whether it is."""
        if not self.claims(request.path):
            return False
        entry.flavour = "alipay"
        path = request.path.removeprefix(BASE)
        head, _, rest = path.partition("/")
        if request.is_too_large:
            await reply.json(413, {"error": "too large"})
        elif path == "gateway.do":
            await self._gateway(request, reply)
        elif request.method == "POST" and head == "cashier":
            await self._press(request, reply, rest)
        elif request.method == "POST" and path in self._posts:
            await self._control(request, reply, path)
        elif request.method == "GET":
            await self._show(reply, head, rest)
        else:
            await reply.json(404, {"error": "no such path"})
        return True

    # The gateway

    async def _gateway(self, request: Request, reply: Reply) -> None:
        params = self._envelope.params(request)
        method = params.get("method", "")
        planned = self._next_fault(method)
        fault = planned.fault if planned else ""
        seconds = min(planned.seconds, self._options.slow_seconds_max) if planned else 0.0
        if fault == "http500":
            await reply.whole(500, "text/plain", b"Internal Server Error")
            return
        try:
            self._envelope.check(params, self._methods.names)
            if fault == "unavailable":
                raise unavailable()
            delay = planned.seconds if planned and fault == "slow_refund" else 0.0
            asked = Asked(
                params=params,
                biz=read_biz(params.get("biz_content", "{}")),
                base=self._base(request),
                refund_delay_seconds=delay,
            )
            if method in PAGE_METHODS:
                await self._to_cashier(reply, self._methods.place(asked))
                return
            fields = self._methods.call(asked)
        except Problem as problem:
            await self._refuse(reply, method, problem)
            return
        await self._answer(reply, method, fields, fault, seconds)

    async def _answer(self, reply: Reply, method: str, fields: dict[str, object], fault: str, seconds: float) -> None:
        if fault in {"timeout", "slow"}:
            await asyncio.sleep(seconds)
        if fault == "timeout":
            await reply.cut()
        status, data = 200, self._envelope.answer(method, fields, escapes=fault == "escapes")
        if fault == "done500":
            status, data = 500, b"Internal Server Error"
        elif fault == "system_error":
            data = self._envelope.refusal(method, Problem("40004", "ACQ.SYSTEM_ERROR", "系统错误"))
        elif fault == "wrong_signature":
            data = self._envelope.wrongly_signed(method, fields)
        await reply.whole(status, _GATEWAY_TYPE, data)

    async def _refuse(self, reply: Reply, method: str, problem: Problem) -> None:
        if method in PAGE_METHODS:
            page = cashier.problem(problem.sub_code, problem.sub_msg)
            await reply.whole(200, _HTML, page.encode(), cashier.HEADERS)
        else:
            await reply.whole(200, _GATEWAY_TYPE, self._envelope.refusal(method, problem))

    async def _to_cashier(self, reply: Reply, trade: Trade) -> None:
        await _redirect(reply, f"{BASE}cashier/{trade.token}")

    def _next_fault(self, method: str) -> _Planned | None:
        for one in self._planned:
            if one.method in {"", method}:
                one.times -= 1
                if one.times <= 0:
                    self._planned.remove(one)
                return one
        return None

    def _base(self, request: Request) -> str:
        return self._public_base_url or f"http://{request.headers.get('host', '127.0.0.1')}"

    # The payer

    async def _show(self, reply: Reply, head: str, rest: str) -> None:
        if head in {"cashier", "qr"}:
            trade = self._trades.of_token(rest)
            if trade is None:
                await reply.whole(404, _HTML, cashier.problem("", "There is no such order.").encode(), cashier.HEADERS)
                return
            self._trades.open(trade)
            await reply.whole(200, _HTML, cashier.cashier(trade).encode(), cashier.HEADERS)
        elif head == "bill":
            await self._give_bill(reply, rest)
        elif head == "attempts":
            await reply.json(200, {"attempts": self._notifier.log()})
        elif head == "trades":
            await reply.json(200, {"trades": [_told(one) for one in self._trades.all()]})
        elif head == "public-key":
            await reply.whole(200, "text/plain", self._seal.public_key.encode())
        elif not head:
            page = cashier.index(self._trades.all(), self._notifier.log(), self._clock.unix())
            await reply.whole(200, _HTML, page.encode(), cashier.HEADERS)
        else:
            await reply.json(404, {"error": "no such path"})

    async def _give_bill(self, reply: Reply, token: str) -> None:
        found = self._bills.take(token)
        if found is None:
            await reply.whole(403, "text/plain", b"The address has expired.")
            return
        name, data = found
        await reply.whole(200, "application/zip", data, [("content-disposition", f'attachment; filename="{name}"')])

    async def _press(self, request: Request, reply: Reply, token: str) -> None:
        """A button of the cashier."""
        trade = self._trades.of_token(token)
        fields = form_of(request.body.decode("utf-8", "replace"))
        action, fault = fields.get("action", ""), fields.get("fault", "")
        known = {"pay": PAYMENTS, "attack": ATTACKS, "cancel": {"": ""}}.get(action, {})
        if trade is None or fault not in known:
            await reply.whole(404, _HTML, cashier.problem("", "There is no such button.").encode(), cashier.HEADERS)
            return
        if action == "pay":
            await self._pay(reply, trade, fault, _numbers(fields))
        elif action == "attack":
            self._trades.open(trade)
            await self._faults.attack(trade, fault)
            page = cashier.cashier(trade, f"Sent: {ATTACKS[fault]}")
            await reply.whole(200, _HTML, page.encode(), cashier.HEADERS)
        else:
            await self._leave(reply, trade, "Canceled; the order still waits for payment.")

    async def _pay(self, reply: Reply, trade: Trade, fault: str, numbers: Numbers) -> None:
        try:
            self._trades.pay(trade)
        except Problem as problem:
            page = cashier.problem(problem.sub_code, problem.sub_msg)
            await reply.whole(200, _HTML, page.encode(), cashier.HEADERS)
            return
        self._agenda.at(self._clock.unix() + self._options.finish_seconds, lambda: self._end(trade))
        await self._faults.tell(trade, fault, numbers)
        await self._leave(reply, trade, "Paid.", is_paid=True)

    async def _leave(self, reply: Reply, trade: Trade, said: str, *, is_paid: bool = False) -> None:
        """Back to the merchant, with signed fields if it is paid; without an address the cashier says so."""
        url = trade.order.return_url
        if not url:
            await reply.whole(200, _HTML, cashier.cashier(trade, said).encode(), cashier.HEADERS)
            return
        if is_paid:
            url += ("&" if "?" in url else "?") + urlencode(self._returned(trade))
        await _redirect(reply, url)

    def _returned(self, trade: Trade) -> dict[str, str]:
        fields = {
            "charset": "utf-8",
            "out_trade_no": trade.order.out_trade_no,
            "method": f"{trade.order.method}.return",
            "total_amount": yuan(trade.order.fen),
            "trade_no": trade.trade_no,
            "auth_app_id": self._options.app_id,
            "version": "1.0",
            "app_id": self._options.app_id,
            "sign_type": "RSA2",
            "seller_id": self._options.seller_id,
            "timestamp": written(self._clock.unix()),
        }
        return {**fields, "sign": self._seal.sign(notice_text(fields))}

    # The buttons beside the cashier

    async def _control(self, request: Request, reply: Reply, path: str) -> None:
        fields = form_of(request.body.decode("utf-8", "replace"))
        try:
            answer = await self._posts[path](fields)
        except (ValueError, KeyError) as error:
            await reply.json(400, {"error": f"{type(error).__name__}: {error}"[:200]})
        except Problem as problem:
            await reply.json(409, problem.fields)
        else:
            if "text/html" in request.headers.get("accept", ""):
                await _redirect(reply, BASE)
            else:
                await reply.json(200, answer)

    async def _advance(self, fields: dict[str, str]) -> dict[str, object]:
        """Put the clock forward by `advance` seconds."""
        seconds = float(fields["advance"])
        if not 0 <= seconds <= 10 * 365 * 86_400.0:
            raise ValueError("advance must be from 0 to ten years, in seconds")
        self._clock.advance(seconds)
        self._agenda.look()
        return {"now": written(self._clock.unix())}

    async def _plan(self, fields: dict[str, str]) -> dict[str, object]:
        """Break the next calls of the gateway: `fault`, `method` (all), `times` (1), `seconds` (5). None: mend it."""
        fault = fields["fault"]
        if fault == "none":
            self._planned.clear()
        elif fault in GATEWAY_FAULTS:
            times, seconds = int(fields.get("times", "1")), float(fields.get("seconds", "5"))
            self._planned.append(
                _Planned(fault=fault, method=fields.get("method", ""), times=times, seconds=max(seconds, 0.0))
            )
        else:
            raise ValueError(f"fault must be none or one of {', '.join(GATEWAY_FAULTS)}")
        return {"planned": [dataclasses.asdict(one) for one in self._planned]}

    async def _differ(self, fields: dict[str, str]) -> dict[str, object]:
        """Change bills: `kind` missing, amount or extra, `out_trade_no`, `amount` in yuan; none: as they are."""
        kind, difference = fields["kind"], self._bills.difference
        if kind == "none":
            difference.missing.clear()
            difference.amounts.clear()
            difference.extra.clear()
            return {}
        number = fields["out_trade_no"]
        fen = fen_of(fields.get("amount", "1.00"))
        if fen is None or kind not in {"missing", "amount", "extra"}:
            raise ValueError("kind must be none, missing, amount or extra; amount in yuan")
        if kind == "missing":
            difference.missing.add(number)
        elif kind == "amount":
            difference.amounts[number] = fen
        else:
            difference.extra.append((number, fen))
        return {"kind": kind}

    async def _give_back(self, fields: dict[str, str]) -> dict[str, object]:
        """Refund as in the merchant's console: `out_trade_no`, `amount`, `out_request_no`."""
        fen = fen_of(fields["amount"])
        if fen is None:
            raise ValueError("amount must be yuan, more than 0")
        trade = self._trades.find({"out_trade_no": fields["out_trade_no"]})
        self._methods.refund(trade, fields["out_request_no"], fen)
        return _told(trade)

    async def _finish(self, fields: dict[str, str]) -> dict[str, object]:
        """The time for refunds is over now: `out_trade_no`."""
        trade = self._trades.find({"out_trade_no": fields["out_trade_no"]})
        await self._end(trade)
        return _told(trade)

    async def _end(self, trade: Trade) -> None:
        if self._trades.finish(trade):
            self._notifier.post(trade, self._notifier.payment_of(trade))


async def _redirect(reply: Reply, url: str) -> None:
    await reply.whole(302, _HTML, b"", [("location", url), *cashier.HEADERS])


def _told(trade: Trade) -> dict[str, object]:
    return {
        "out_trade_no": trade.order.out_trade_no,
        "trade_no": trade.trade_no,
        "status": trade.status if trade.trade_no else "",
        "total_amount": yuan(trade.order.fen),
        "refunded": yuan(trade.refunded_fen),
        "cashier": f"{BASE}cashier/{trade.token}",
    }


def _numbers(fields: dict[str, str]) -> Numbers:
    count, seconds = Numbers.count, Numbers.seconds
    with contextlib.suppress(ValueError):
        count = max(int(fields.get("count", "")), 1)
    with contextlib.suppress(ValueError):
        seconds = max(float(fields.get("seconds", "")), 0.0)
    return Numbers(count=count, seconds=seconds)
