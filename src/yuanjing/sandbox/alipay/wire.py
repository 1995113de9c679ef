"""The gateway's envelope: requests checked, answers signed byte for byte."""

import json
from collections.abc import Callable
from urllib.parse import parse_qsl

from yuanjing.sandbox.alipay.clock import SimulatedClock, read
from yuanjing.sandbox.alipay.crypto import Seal
from yuanjing.sandbox.alipay.options import AlipayOptions
from yuanjing.sandbox.alipay.problems import Problem, invalid, missing
from yuanjing.sandbox.asgi import Request

_REQUIRED = (
    ("app_id", "app-id"),
    ("method", "method"),
    ("sign_type", "signature-type"),
    ("sign", "signature"),
    ("timestamp", "timestamp"),
    ("version", "version"),
)
PAGE_METHODS = frozenset({"alipay.trade.page.pay", "alipay.trade.wap.pay"})


def form_of(*texts: str) -> dict[str, str]:
    """The fields of forms; of a repeated one the first, as in Java."""
    fields: dict[str, str] = {}
    for text in texts:
        for name, value in parse_qsl(text, keep_blank_values=True):
            fields.setdefault(name, value)
    return fields


def signed_text(params: dict[str, str]) -> str:
    """What a merchant signs of a request."""
    names = sorted(name for name, value in params.items() if value != "" and name != "sign")
    return "&".join(name + "=" + params[name] for name in names)


class Envelope:
    """Opens requests and seals answers."""

    def __init__(self, options: AlipayOptions, seal: Seal, clock: SimulatedClock) -> None:
        self._options = options
        self._seal = seal
        self._clock = clock

    def params(self, request: Request) -> dict[str, str]:
        """What a request says, in its query, its body, or both."""
        return form_of(request.query_string, request.body.decode("utf-8", "replace"))

    def check(self, params: dict[str, str], methods: frozenset[str]) -> None:
        """Whether the request is the merchant's.

        Raises:
            Problem: it is not.
        """
        for name, word in _REQUIRED:
            if not params.get(name):
                raise missing(word)
        options = self._options
        is_page = params["method"] in PAGE_METHODS
        slack = options.page_slack_seconds if is_page else options.timestamp_slack_seconds
        at = read(params["timestamp"])
        rules: tuple[tuple[str, Callable[[], bool]], ...] = (
            ("app-id", lambda: params["app_id"] == options.app_id),
            ("method", lambda: params["method"] in methods),
            ("signature-type", lambda: params["sign_type"] == "RSA2"),
            ("version", lambda: params["version"] == "1.0"),
            ("format", lambda: params.get("format", "JSON").upper() == "JSON"),
            ("charset", lambda: params.get("charset", "utf-8").lower() == "utf-8"),
            ("timestamp", lambda: at is not None and abs(at - self._clock.unix()) <= slack),
            ("app-cert-sn", lambda: params.get("app_cert_sn", "") == options.app_cert_sn),
            ("alipay-root-cert-sn", lambda: params.get("alipay_root_cert_sn", "") == options.alipay_root_cert_sn),
            ("signature", lambda: self._seal.is_merchants(signed_text(params), params["sign"])),
        )
        for word, holds in rules:
            if not holds():
                raise invalid(word)

    def answer(self, method: str, fields: dict[str, object], *, escapes: bool = False) -> bytes:
        """A good answer, signed; with `escapes` the slashes are written as Java's libraries like to."""
        return self._sealed(method, {"code": "10000", "msg": "Success", **fields}, escapes=escapes)

    def refusal(self, method: str, problem: Problem) -> bytes:
        """A refusal."""
        if problem.is_signed:
            return self._sealed(method, problem.fields)
        name = _name(method) if method else "error_response"
        return json.dumps({name: problem.fields}, ensure_ascii=False, separators=(",", ":")).encode()

    def wrongly_signed(self, method: str, fields: dict[str, object]) -> bytes:
        """A good answer whose signature is of another key."""
        inner = _dump({"code": "10000", "msg": "Success", **fields})
        return f'{{"{_name(method)}":{inner},"sign":"{self._seal.sign_falsely(inner)}"}}'.encode()

    def _sealed(self, method: str, fields: dict[str, object], *, escapes: bool = False) -> bytes:
        inner = _dump(fields)
        if escapes:
            inner = inner.replace("/", "\\/")
        number = self._options.alipay_cert_sn
        certificate = f'"alipay_cert_sn":"{number}",' if number else ""
        return f'{{"{_name(method)}":{inner},{certificate}"sign":"{self._seal.sign(inner)}"}}'.encode()


def _name(method: str) -> str:
    return method.replace(".", "_") + "_response"


def _dump(fields: dict[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
