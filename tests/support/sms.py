"""The project's simulated vendors of messages on a real port, with a clock to turn, and accounts at them."""

import datetime as dt
import hashlib
import hmac
import json
import socket
import threading
import time
from typing import Any, Self
from urllib.parse import quote, urlencode

import httpx2
import uvicorn

from yuanjing.adapters.sms.account import SmsAccount, Template
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.messages import Notice
from yuanjing.sandbox.app import create_app
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.sms.options import DEFAULT_KEY_ID, DEFAULT_KEY_SECRET, SmsOptions

APP_ID = "1400000001"
NUMBER = "13912345678"
VENDORS = ("dysmsapi", "dypnsapi", "tencent")
_SIGN_NAMES = {"dypnsapi": "速通互联验证码"}
_CODES = {
    "dysmsapi": Template(id="SMS_100000001", fields=(("code", "code"),)),
    "dypnsapi": Template(id="100001", fields=(("code", "code"), ("min", "minutes"))),
    "tencent": Template(id="1100001", fields=(("1", "code"), ("2", "minutes"))),
}
_NOTICES = {
    "dysmsapi": Template(id="SMS_100000002", fields=(("balance", "balance"),)),
    "tencent": Template(id="1100002", fields=(("1", "balance"),)),
}


class Vendors:
    """A running sandbox; a context manager."""

    def __init__(self, **options: Any) -> None:
        self.renew(**options)
        listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{listener.getsockname()[1]}"
        self.url = f"http://{self.host}"
        config = uvicorn.Config(
            self._serve, interface="asgi3", log_config=None, lifespan="on", ws="none", access_log=False
        )
        config.timeout_graceful_shutdown = 1
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self.client = httpx2.Client(base_url=self.url, timeout=20, trust_env=False)

    def renew(self, **options: Any) -> None:
        """Begin anew on the same port: nothing was sent, and no fault is to come."""
        self.clock = ManualClock()
        self._app = create_app(SandboxOptions(time_scale=0, sms=SmsOptions(**options)), self.clock)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    def sent(self) -> list[dict[str, Any]]:
        """Newest first."""
        return self.client.get("/sms/sent").json()["sent"]

    def fault(self, fault: str, **fields: object) -> None:
        """Break the next call."""
        answer = self.client.post("/sms/faults", data={"fault": fault, **{k: str(v) for k, v in fields.items()}})
        assert answer.status_code == 200, answer.text

    def account(self, vendor: str, **changes: Any) -> SmsAccount:
        """The sandbox's account at a vendor."""
        values: dict[str, Any] = {
            "key_id": DEFAULT_KEY_ID,
            "key_secret": DEFAULT_KEY_SECRET,
            "endpoint": self.url,
            "sign_name": _SIGN_NAMES.get(vendor, "元境"),
            "code": _CODES[vendor],
            "notices": {Notice.LOW_BALANCE: _NOTICES[vendor]} if vendor in _NOTICES else {},
            "cost_nanos": 45_000_000,
            "app_id": APP_ID,
            "region": "ap-guangzhou",
        }
        return SmsAccount(**(values | changes))

    def aliyun(self, action: str, params: dict[str, str], /, **changes: Any) -> httpx2.Response:
        """A request to Alibaba, signed by hand; `changes` are made to headers before they are signed."""
        request = aliyun_request(self.host, self.clock.unix(), action, params, **changes)
        return self.client.post(request["url"], headers=request["headers"])

    def tencent(self, body: object, /, **changes: Any) -> httpx2.Response:
        """A request to Tencent, likewise."""
        request = tencent_request(self.host, self.clock.unix(), body, **changes)
        return self.client.post("/", headers=request["headers"], content=request["content"])


def aliyun_request(  # noqa: PLR0913  # what may be wrong with it
    host: str,
    now: float,
    action: str,
    params: dict[str, str],
    /,
    *,
    key_id: str = DEFAULT_KEY_ID,
    secret: str = DEFAULT_KEY_SECRET,
    unsigned: tuple[str, ...] = (),
    **changes: str,
) -> dict[str, Any]:
    """By the rules of the vendor's page, and not by our adapter."""
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": "2017-05-25",
        "x-acs-date": dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": hashlib.md5(repr((now, action, params)).encode()).hexdigest(),  # noqa: S324  # any text
        "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    query = urlencode(sorted(params.items()), quote_via=quote, safe="~")
    names = sorted(set(headers) - set(unsigned))
    text = ["POST", "/", query, "".join(f"{name}:{headers[name]}\n" for name in names), ";".join(names)]
    canonical = "\n".join([*text, headers["x-acs-content-sha256"]])
    to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    signature = hmac.new(secret.encode(), to_sign.encode(), "sha256").hexdigest()
    head = f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={';'.join(names)},Signature={signature}"
    return {"url": f"/?{query}", "headers": {**headers, "authorization": head}}


def tencent_request(  # noqa: PLR0913  # the same
    host: str,
    now: float,
    body: object,
    /,
    *,
    key_id: str = DEFAULT_KEY_ID,
    secret: str = DEFAULT_KEY_SECRET,
    service: str = "sms",
    date: str = "",
    signed: tuple[str, ...] = ("content-type", "host"),
    **changes: str,
) -> dict[str, Any]:
    """By the rules of the vendor's page, and not by our adapter."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {
        "host": host,
        "content-type": "application/json",
        "x-tc-action": "SendSms",
        "x-tc-version": "2021-01-11",
        "x-tc-region": "ap-guangzhou",
        "x-tc-timestamp": str(int(now)),
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    day = date or dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y-%m-%d")
    lines = "".join(f"{name}:{headers[name].lower()}\n" for name in signed)
    canonical = f"POST\n/\n\n{lines}\n{';'.join(signed)}\n{hashlib.sha256(content).hexdigest()}"
    scope = f"{day}/{service}/tc3_request"
    to_sign = f"TC3-HMAC-SHA256\n{headers['x-tc-timestamp']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"TC3{secret}".encode()
    for part in (day, service, "tc3_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    head = f"TC3-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={';'.join(signed)}, Signature={signature}"
    return {"headers": {**headers, "authorization": head}, "content": content}


def sms_params(**changes: str) -> dict[str, str]:
    """A code by dysmsapi."""
    return {
        "PhoneNumbers": NUMBER,
        "SignName": "元境",
        "TemplateCode": "SMS_100000001",
        "TemplateParam": '{"code":"123456"}',
    } | changes


def verify_params(**changes: str) -> dict[str, str]:
    """A code by dypnsapi."""
    return {
        "PhoneNumber": NUMBER,
        "SignName": "速通互联验证码",
        "TemplateCode": "100001",
        "TemplateParam": '{"code":"##code##","min":"5"}',
        "ReturnVerifyCode": "true",
    } | changes


def tencent_body(**changes: object) -> dict[str, object]:
    """A code by Tencent."""
    return {
        "PhoneNumberSet": [f"+86{NUMBER}"],
        "SmsSdkAppId": APP_ID,
        "SignName": "元境",
        "TemplateId": "1100001",
        "TemplateParamSet": ["123456", "5"],
    } | changes
