"""The simulated vendors of messages: from a request to what answers it.

All of them are called at `/`, as the real ones are on hosts of their own, and told apart by their headers.
"""

import asyncio
import dataclasses
import datetime as dt
import html
import secrets
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from yuanjing.kit.clock import Clock
from yuanjing.sandbox.asgi import Reply, Request
from yuanjing.sandbox.journal import Entry
from yuanjing.sandbox.sms.aliyun import Aliyun
from yuanjing.sandbox.sms.options import SmsOptions
from yuanjing.sandbox.sms.outgoing import Outgoing, Sent
from yuanjing.sandbox.sms.problems import Problem
from yuanjing.sandbox.sms.tencent import Tencent

BASE = "/sms/"
FAULTS = {
    "code": "refused with `code`, in the vendor's own form; nothing is sent",
    "http500": "HTTP 500 without a readable body, and nothing is sent",
    "garbage": "HTTP 200 with a body that is no JSON, though it is sent",
    "timeout": "it is sent, and the connection is cut without an answer after `seconds`",
    "slow": "the answer comes after `seconds`",
}
"""What can be asked of the next calls by `POST /sms/faults`."""
_ADVANCE_MAX = 10 * 365 * 86_400.0
_TIMES_MAX = 1000
_OK = 200
_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "td,th{text-align:left;padding:.2rem .8rem}"
)
_HEADERS = (
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("cache-control", "no-store"),
)

Answer = dict[str, object]
Call = Callable[[Request, float], Answer]
Wrap = Callable[[Request, Answer | Problem], tuple[int, Answer]]


@dataclasses.dataclass(kw_only=True)
class _Planned:
    """A fault of the next calls."""

    fault: str
    code: str
    times: int
    seconds: float


class SmsSimulator:
    """All vendors, with one account at each."""

    def __init__(self, options: SmsOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._ahead = 0.0
        self._outgoing = Outgoing(options.sent_max)
        self._aliyun = Aliyun(options, self._outgoing)
        self._tencent = Tencent(options, self._outgoing)
        self._planned: list[_Planned] = []

    async def handle(self, request: Request, reply: Reply, entry: Entry) -> bool:
        """Answer if the request is for a vendor of messages, or one of this simulator's own; whether it is."""
        if request.path == "/" and "x-acs-action" in request.headers:
            entry.flavour = "aliyun-sms"
            await self._call(request, reply, self._aliyun.call, _aliyun_answer)
        elif request.path == "/" and "x-tc-action" in request.headers:
            entry.flavour = "tencent-sms"
            await self._call(request, reply, self._tencent.call, _tencent_answer)
        elif request.path.startswith(BASE):
            entry.flavour = "sms"
            await self._own(request, reply)
        else:
            return False
        return True

    async def _call(self, request: Request, reply: Reply, call: Call, wrap: Wrap) -> None:
        planned = self._next_fault()
        fault = planned.fault if planned else ""
        if fault == "http500":
            await reply.whole(500, "text/html", b"<html>Internal Server Error</html>")
            return
        found: Answer | Problem
        try:
            found = _planned_refusal(planned) or call(request, self._now())
        except Problem as problem:
            found = problem
        if planned and fault in {"timeout", "slow"}:
            await asyncio.sleep(min(planned.seconds, self._options.slow_seconds_max))
        if fault == "timeout":
            await reply.cut()
        if fault == "garbage":
            await reply.whole(200, "application/json", b"{")
            return
        status, body = wrap(request, found)
        await reply.json(status, body)

    def _next_fault(self) -> _Planned | None:
        if not self._planned:
            return None
        one = self._planned[0]
        one.times -= 1
        if one.times <= 0:
            self._planned.pop(0)
        return one

    def _now(self) -> float:
        return self._clock.unix() + self._ahead

    # What is the simulator's own

    async def _own(self, request: Request, reply: Reply) -> None:
        path = request.path.removeprefix(BASE)
        posts: dict[str, Callable[[dict[str, str]], Awaitable[dict[str, object]]]] = {
            "clock": self._advance,
            "faults": self._plan,
        }
        if request.method == "GET" and path == "sent":
            await reply.json(200, {"sent": [_told(one) for one in self._outgoing.all()]})
        elif request.method == "GET" and not path:
            await reply.whole(200, "text/html; charset=utf-8", self._page().encode(), _HEADERS)
        elif request.method == "POST" and path in posts:
            try:
                answer = await posts[path](dict(parse_qsl(request.body.decode("utf-8", "replace"))))
            except (ValueError, KeyError) as error:
                await reply.json(400, {"error": f"{type(error).__name__}: {error}"[:200]})
            else:
                await reply.json(200, answer)
        else:
            await reply.json(404, {"error": "no such path"})

    async def _advance(self, fields: dict[str, str]) -> dict[str, object]:
        """Put the clock of the limits and signatures forward by `advance` seconds."""
        seconds = float(fields["advance"])
        if not 0 <= seconds <= _ADVANCE_MAX:
            raise ValueError("advance must be from 0 to ten years, in seconds")
        self._ahead += seconds
        return {"now": _written(self._now())}

    async def _plan(self, fields: dict[str, str]) -> dict[str, object]:
        """Break the next calls: `fault`, `code`, `times` (1), `seconds` (5). None: mend them."""
        fault = fields["fault"]
        if fault == "none":
            self._planned.clear()
        elif fault in FAULTS:
            times, seconds = int(fields.get("times", "1")), float(fields.get("seconds", "5"))
            if not (1 <= times <= _TIMES_MAX and seconds >= 0):
                raise ValueError("times from 1 to 1000, seconds not below 0")
            code = fields["code"] if fault == "code" else ""
            self._planned.append(_Planned(fault=fault, code=code, times=times, seconds=seconds))
        else:
            raise ValueError(f"fault must be none or one of {', '.join(FAULTS)}")
        return {"planned": [dataclasses.asdict(one) for one in self._planned]}

    def _page(self) -> str:
        rows = "".join(
            f"<tr><td>{_written(one.at)}<td>{one.vendor}<td>{html.escape(one.number)}<td>{html.escape(one.text)}</tr>"
            for one in self._outgoing.all()
        )
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Messages (sandbox)</title>'
            f"<style>{_STYLE}</style><h1>Messages</h1><p>No phone gets them. 不会真正发送.</p>"
            f"<table><tr><th>At<th>Vendor<th>Number<th>Text</tr>{rows}</table></html>"
        )


def _told(sent: Sent) -> dict[str, object]:
    return {**dataclasses.asdict(sent), "at": _written(sent.at)}


def _written(unix: float) -> str:
    return dt.datetime.fromtimestamp(int(unix), dt.UTC).isoformat().replace("+00:00", "Z")


def _planned_refusal(planned: _Planned | None) -> Problem | None:
    if planned is None or planned.fault != "code":
        return None
    return Problem(planned.code, "as it was asked for at /sms/faults")


def _aliyun_answer(request: Request, found: Answer | Problem) -> tuple[int, Answer]:
    request_id = _request_id().upper()
    if not isinstance(found, Problem):
        return _OK, {**found, "RequestId": request_id}
    body: Answer = {"Code": found.code, "Message": found.text, "RequestId": request_id}
    if found.status == _OK:
        return _OK, body
    recommend = f"https://api.aliyun.com/troubleshoot?q={found.code}&product=&requestId={request_id}"
    return found.status, {**body, "HostId": request.headers.get("host", ""), "Recommend": recommend}


def _tencent_answer(_request: Request, found: Answer | Problem) -> tuple[int, Answer]:
    if isinstance(found, Problem):
        found = {"Error": {"Code": found.code, "Message": found.text}}
    return _OK, {"Response": {**found, "RequestId": _request_id()}}


def _request_id() -> str:
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
