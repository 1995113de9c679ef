"""Calls to Alipay's gateway: signed on the way out, and believed only with Alipay's signature on the way back.

Public parameters go in the query and `biz_content` in the body, as Alipay's own libraries do: the gateway decodes the
body by the `charset` that it finds in the query.
"""

import json
import re
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from yuanjing.adapters.alipay.keys import (
    AlipayKeyError,
    certificate_number,
    read_certificate_key,
    read_private_key,
    read_public_key,
    root_number,
)
from yuanjing.adapters.alipay.options import AlipayOptions
from yuanjing.adapters.alipay.signing import SIGN_TYPE, is_signed, parts_of, request_text, sign
from yuanjing.adapters.alipay.times import to_beijing
from yuanjing.kit.clock import Clock
from yuanjing.kit.webcalls import NoAnswer, WebAnswer, WebCall, WebCaller
from yuanjing.ports.payments import PaymentRefusedError, PaymentUnavailableError

_OK = "10000"
_UNSURE_CODES = frozenset({"20000", "20001", "40005", "10003"})
"""Out of service, no authorisation at the moment, too many calls, under way: repeating helps."""
_UNSURE = re.compile(r"(?:isp|aop)\..*|.*\bSYSTEM_ERROR", re.IGNORECASE)
"""Sub-codes that do not say what became of the call (https://opendocs.alipay.com/common/02km9f)."""
_WORD = re.compile(r"[0-9A-Za-z_.\-]{1,64}")
_HTTP_OK = 200
NO_TRADE = "ACQ.TRADE_NOT_EXIST"


class AlipayRefusedError(PaymentRefusedError):
    """The gateway refuses, in a signed answer.

    Attributes:
        sub_code: why, in Alipay's words, such as `ACQ.TRADE_NOT_EXIST`.
    """

    def __init__(self, method: str, code: str, sub_code: str) -> None:
        super().__init__(f"{method} is refused with {code} {sub_code}".strip())
        self.sub_code = sub_code
        # Who does not know a trade that was paid is asked for another account than the one that was paid to.
        self.is_of_payment = sub_code.startswith("ACQ.") and sub_code != NO_TRADE


class Gateway:
    """One application at the gateway.

    Raises:
        AlipayKeyError: a key or certificate cannot be used.
    """

    def __init__(self, options: AlipayOptions, caller: WebCaller, clock: Clock) -> None:
        self._app_id = options.app_id
        self._url = options.gateway_url
        self._caller = caller
        self._clock = clock
        self._private_key = read_private_key(options.private_key)
        self._certificates: dict[str, str] = {}
        self._certificate = ""
        self.key: RSAPublicKey = self._trust(options)

    def url(self, method: str, biz: Mapping[str, str], extras: Mapping[str, str]) -> str:
        """An address that carries a whole signed request, for the payer's browser."""
        return f"{self._url}?{urlencode(self._signed(method, biz, extras))}"

    async def call(
        self, method: str, biz: Mapping[str, str], extras: Mapping[str, str] | None = None
    ) -> dict[str, object]:
        """What Alipay answers.

        Raises:
            AlipayRefusedError: it refuses.
            PaymentUnavailableError: no answer, or none that can be trusted, or one that leaves open what was done.
        """
        params = self._signed(method, biz, extras or {})
        content = urlencode({"biz_content": params.pop("biz_content")}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded;charset=utf-8"}
        call = WebCall(method="POST", url=self._url, params=list(params.items()), headers=headers, content=content)
        answer = await self._caller.call(call)
        if isinstance(answer, NoAnswer):
            raise PaymentUnavailableError(f"{method} has no answer: {answer.reason}")
        return self._believed(method, answer)

    def _trust(self, options: AlipayOptions) -> RSAPublicKey:
        """Alipay's key, from the certificate if there is one."""
        given = (options.app_certificate, options.alipay_certificate, options.alipay_root_certificates)
        if not any(given):
            return read_public_key(options.alipay_public_key)
        if not all(given) or options.alipay_public_key:
            raise AlipayKeyError("Give either Alipay's public key or all three certificates")
        self._certificates = {
            "app_cert_sn": certificate_number(options.app_certificate),
            "alipay_root_cert_sn": root_number(options.alipay_root_certificates),
        }
        self._certificate = certificate_number(options.alipay_certificate)
        return read_certificate_key(options.alipay_certificate)

    def _signed(self, method: str, biz: Mapping[str, str], extras: Mapping[str, str]) -> dict[str, str]:
        params = {
            "app_id": self._app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": SIGN_TYPE,
            "timestamp": to_beijing(self._clock.unix()),
            "version": "1.0",
            "biz_content": json.dumps(biz, ensure_ascii=False, separators=(",", ":")),
            **self._certificates,
            **{name: value for name, value in extras.items() if value},
        }
        params["sign"] = sign(self._private_key, request_text(params))
        return params

    def _believed(self, method: str, answer: WebAnswer) -> dict[str, object]:
        name = f"{method.replace('.', '_')}_response"
        if answer.status != _HTTP_OK or not answer.is_whole:
            raise PaymentUnavailableError(f"{method} is answered with HTTP {answer.status}, or too much")
        try:
            parts = parts_of(answer.body.decode())
            inner = parts.get(name) or parts["error_response"]
            fields = _object(inner)
            signature, certificate = _text(parts.get("sign")), _text(parts.get("alipay_cert_sn"))
        except (ValueError, KeyError):
            raise PaymentUnavailableError(f"{method} is answered with nothing readable") from None
        if not is_signed(self.key, inner, signature):
            said = (
                " ".join(_word(fields.get(one)) for one in ("code", "sub_code"))
                if not signature
                else "a wrong signature"
            )
            raise PaymentUnavailableError(f"{method} has an answer that is not Alipay's to trust: {said}")
        if certificate != self._certificate:
            raise PaymentUnavailableError(f"{method} has an answer under another certificate of Alipay than ours")
        return _accepted(method, fields)


def _accepted(method: str, fields: dict[str, object]) -> dict[str, object]:
    code, sub_code = _word(fields.get("code")), _word(fields.get("sub_code"))
    if code == _OK:
        return fields
    refusal = AlipayRefusedError(method, code, sub_code)
    is_unsure = code in _UNSURE_CODES or _UNSURE.fullmatch(sub_code) is not None
    if is_unsure and not sub_code.upper().endswith("NOT_EXIST"):
        raise PaymentUnavailableError(refusal.message)
    raise refusal


def _object(text: str) -> dict[str, object]:
    value: object = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  # one kind of error for all that is not an answer
    return cast("dict[str, object]", value)


def _text(part: str | None) -> str:
    value: object = json.loads(part) if part is not None else ""
    return value if isinstance(value, str) else ""


def _word(value: object) -> str:
    """A code of Alipay's for operators; what else may stand there is not repeated."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""
