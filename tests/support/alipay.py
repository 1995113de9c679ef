"""The project's simulated Alipay on a real port, a merchant's keys, and what a payer and a merchant do there."""

import base64
import datetime as dt
import re
import socket
import threading
import time
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

import httpx2
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from yuanjing.adapters.alipay.method import AlipayMethod
from yuanjing.adapters.alipay.options import BILL_LIMITS, CALL_LIMITS, AlipayOptions
from yuanjing.domain.topups import FEN_NANOS, PayWay
from yuanjing.kit.clock import SystemClock
from yuanjing.kit.webcalls import WebCaller, open_client
from yuanjing.ports.payments import PaymentOrder
from yuanjing.sandbox.alipay.options import AlipayOptions as Merchant
from yuanjing.sandbox.app import create_app
from yuanjing.sandbox.options import SandboxOptions

APP_ID, SELLER_ID = "9021000100000001", "2088721000000001"
FORMATS = serialization.PrivateFormat
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


@lru_cache
def key(whose):
    """Somebody's private key, the same all through a run."""
    del whose
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_text(one, form=FORMATS.PKCS8, encoding=PEM):
    return one.private_bytes(encoding, form, serialization.NoEncryption())


def public_text(one):
    return one.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def certificate(one, name, number):
    """Signed by itself, PEM."""
    issuer = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ant Test"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Certification Authority"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=issuer,
        public_key=one.public_key(),
        serial_number=number,
        not_valid_before=begin,
        not_valid_after=begin + dt.timedelta(days=9999),
    ).sign(one, SHA256())
    return made.public_bytes(PEM).decode()


MERCHANT, ALIPAY, OTHER = 1, 2, 3
"""Whose key is which."""


def signature(fields, whose=ALIPAY, algorithm=SHA256):
    """Of a notification."""
    names = sorted(name for name in fields if name not in ("sign", "sign_type"))
    text = "&".join(f"{name}={fields[name]}" for name in names)
    return base64.b64encode(key(whose).sign(text.encode(), padding.PKCS1v15(), algorithm())).decode()


def form(fields, whose=ALIPAY, algorithm=SHA256):
    """A signed notification."""
    return urlencode({**fields, "sign": signature(fields, whose, algorithm)}).encode()


def notification(number, amount, trade_no, **changes):
    """A genuine notification of a payment."""
    fields = {
        "notify_type": "trade_status_sync",
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "out_trade_no": number,
        "trade_no": trade_no,
        "trade_status": "TRADE_SUCCESS",
        "total_amount": amount,
        "sign_type": "RSA2",
    }
    return form(fields | changes)


class Simulated:
    """A running sandbox with an Alipay; `client` is a browser that does not follow redirects."""

    def __init__(self, **changes):
        given = {
            "app_id": APP_ID,
            "seller_id": SELLER_ID,
            "merchant_public_key": public_text(key(MERCHANT)),
            "private_key": private_text(key(ALIPAY)).decode(),
        }
        merchant = Merchant(**(given | changes))
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = create_app(SandboxOptions(time_scale=0, alipay=merchant))
        config = uvicorn.Config(app, log_config=None, lifespan="on", ws="none", access_log=False)
        config.timeout_graceful_shutdown = 1
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        self.client = httpx2.Client(base_url=self.url, timeout=20, trust_env=False, follow_redirects=False)
        while not self._server.started:
            time.sleep(0.005)

    def stop(self):
        self.client.close()
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def gateway(self):
        return f"{self.url}/alipay/gateway.do"

    def post(self, path, **fields):
        """One of the simulator's own buttons."""
        answer = self.client.post(f"/alipay/{path}", data=fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def advance(self, seconds):
        self.post("clock", advance=str(seconds))

    def fault(self, fault, **fields):
        self.post("faults", fault=fault, **fields)

    def trade(self, number):
        return next(one for one in self.client.get("/alipay/trades").json()["trades"] if one["out_trade_no"] == number)

    def cashier(self, number):
        """A payer opens the order."""
        path = self.trade(number)["cashier"]
        answer = self.client.get(path)
        assert answer.status_code == 200
        return path

    def press(self, number, action, fault="", **fields):
        """A payer opens the order and presses a button."""
        return self.client.post(self.cashier(number), data={"action": action, "fault": fault, **fields})

    def attempts(self, number, count=0, seconds=10.0):
        """Sends of an order's notifications, once there are so many."""
        deadline = time.monotonic() + seconds
        while True:
            log = self.client.get("/alipay/attempts").json()["attempts"]
            found = [one for one in log if one["out_trade_no"] == number]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.01)


class Receiver:
    """Takes notifications on a real port; `answer` is what it says, `bodies` what came."""

    def __init__(self, answer=b"success", status=200):
        self.answer, self.status = answer, status
        self.bodies = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.bodies.append(body)
                self.send_response(outer.status)
                self.send_header("content-length", str(len(outer.answer)))
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *_):
                pass

        many = type("Many", (ThreadingHTTPServer,), {"request_queue_size": 256})
        self._server = many(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/notify"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def wait_for(self, count, seconds=10.0):
        deadline = time.monotonic() + seconds
        while len(self.bodies) < count:
            assert time.monotonic() < deadline, self.bodies
            time.sleep(0.01)
        return self.bodies

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def forms_of(page):
    """The hidden fields of each form of a page."""
    fields = r'<input type="hidden" name="([^"]*)" value="([^"]*)">'
    return [dict(re.findall(fields, form)) for form in re.findall(r"<form.*?</form>", page, re.DOTALL)]


def alipay_options(**changes):
    """An application's options; the test's keys."""
    given = {
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "private_key": private_text(key(MERCHANT)).decode(),
        "alipay_public_key": public_text(key(ALIPAY)),
        "bill_hosts": ("127.0.0.1",),
    }
    return AlipayOptions(**(given | changes))


class Client:
    """The adapter with its own connections; an asynchronous context manager."""

    def __init__(self, options, clock=None, limits=CALL_LIMITS):
        self._http = open_client(limits)
        self.method = AlipayMethod(
            options, WebCaller(self._http, limits), WebCaller(self._http, BILL_LIMITS), clock or SystemClock()
        )

    async def __aenter__(self):
        await self._http.__aenter__()
        return self.method

    async def __aexit__(self, *error):
        await self._http.__aexit__(*error)


def order(number, fen=1_00, way=PayWay.QR, **changes):
    """What is to be paid."""
    given = {
        "number": number,
        "way": way,
        "amount_nanos": fen * FEN_NANOS,
        "subject": "元境充值 1",
        "expires_at": SystemClock().unix() + 1800,
        "return_url": "",
        "notify_url": "",
    }
    return PaymentOrder(**(given | changes))
