"""Alibaba Cloud's check of a signature, ACS3-HMAC-SHA256, byte for byte.

Source: https://help.aliyun.com/document_detail/159973.htm. Every `x-acs-` header, `host` and `content-type` must be
among the signed ones, if it is there; the gateway builds the query anew from what it has read.
"""

import calendar
import hashlib
import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

from yuanjing.sandbox.asgi import Request
from yuanjing.sandbox.sms.problems import Problem, badly_signed, expired, repeated, unknown_key

_ALGORITHM = "ACS3-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    r"ACS3-HMAC-SHA256 Credential=([^,\s]+),\s?SignedHeaders=([a-z0-9;\-]+),\s?Signature=([0-9a-f]{64})"
)
_NEEDED = frozenset(
    {"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"}
)
_NONCES_MAX = 10_000


class Acs3:
    """Knows the keys, and the nonces that were used."""

    def __init__(self, keys: Mapping[str, str], skew_seconds: float) -> None:
        self._keys = keys
        self._skew_seconds = skew_seconds
        self._nonces: OrderedDict[str, None] = OrderedDict()

    def check(self, request: Request, now: float) -> dict[str, str]:
        """The parameters, of query and form.

        Raises:
            Problem: the request is not signed by the customer, or not now, or it was here before.
        """
        found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            raise badly_signed()
        key_id, names, signature = found.groups()
        secret = self._keys.get(key_id)
        if secret is None:
            raise unknown_key()
        signed = names.split(";")
        if not _must_be_signed(request) <= set(signed) or signed != sorted(set(signed)):
            raise badly_signed()
        at = _unix(request.headers["x-acs-date"])
        if at is None or abs(at - now) > self._skew_seconds:
            raise expired()
        canonical = canonical_request(request, signed)
        to_sign = f"{_ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        mine = hmac.digest(secret.encode(), to_sign.encode(), "sha256").hex()
        if not hmac.compare_digest(mine, signature):
            text = (
                f"Specified signature does not match our calculation. server StringToSign is [{to_sign}], "
                f"server CanonicalRequest is [{canonical}]"
            )
            raise Problem("SignatureDoesNotMatch", text, 400)
        self._use(request.headers["x-acs-signature-nonce"])
        return dict(_query(request) + _form(request))

    def _use(self, nonce: str) -> None:
        if not nonce or nonce in self._nonces:
            raise repeated()
        self._nonces[nonce] = None
        while len(self._nonces) > _NONCES_MAX:
            self._nonces.popitem(last=False)


def _must_be_signed(request: Request) -> set[str]:
    there = {name for name in request.headers if name.startswith("x-acs-") or name == "content-type"}
    return there | _NEEDED


def canonical_request(request: Request, signed: list[str]) -> str:
    """What must have been signed, of what has arrived."""
    pairs = sorted((_escaped(name), _escaped(value)) for name, value in _query(request))
    query = "&".join(f"{name}={value}" for name, value in pairs)
    headers = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in signed)
    payload = hashlib.sha256(request.body).hexdigest()  # what came, whatever the header says of it
    path = quote(request.path, safe="/~")
    return "\n".join((request.method, path, query, headers, ";".join(signed), payload))


def _query(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(request.query_string, keep_blank_values=True)


def _form(request: Request) -> list[tuple[str, str]]:
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return []
    return parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)


def _escaped(text: str) -> str:
    return quote(text, safe="~")


def _unix(text: str) -> int | None:
    try:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return None
