"""Tencent Cloud's check of a signature, TC3-HMAC-SHA256, byte for byte.

Source: https://cloud.tencent.com/document/api/382/52072.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Mapping

from yuanjing.sandbox.asgi import Request
from yuanjing.sandbox.sms.problems import Problem

_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=([^/,\s]+)/(\d{4}-\d\d-\d\d)/(\w+)/tc3_request,\s?"
    r"SignedHeaders=([a-z0-9;\-]+),\s?Signature=([0-9a-f]{64})"
)
_NEEDED = frozenset({"content-type", "host"})
_SERVICE = "sms"


def check(request: Request, keys: Mapping[str, str], now: float, skew_seconds: float) -> None:
    """Whether the customer has signed this request, now.

    Raises:
        Problem: it has not.
    """
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise Problem("AuthFailure.InvalidAuthorization", "请求头部的 `Authorization` 不符合腾讯云标准。")
    key_id, date, service, names, signature = found.groups()
    secret = keys.get(key_id)
    if secret is None:
        raise Problem(
            "AuthFailure.SecretIdNotFound", "The SecretId is not found, please ensure that your SecretId is correct."
        )
    stamp = request.headers.get("x-tc-timestamp", "")
    if not (stamp.isascii() and stamp.isdecimal()) or abs(int(stamp) - now) > skew_seconds:
        raise Problem(
            "AuthFailure.SignatureExpire", "The provided signature has expired; check the time of your machine."
        )
    signed = names.split(";")
    text = _string_to_sign(request, signed, int(stamp), f"{date}/{service}/tc3_request")
    mine = _signature(secret, date, service, text)
    is_whole = set(signed) >= _NEEDED and signed == sorted(set(signed))
    is_scope = service == _SERVICE and date == time.strftime("%Y-%m-%d", time.gmtime(int(stamp)))
    if not (is_whole and is_scope and hmac.compare_digest(mine, signature)):
        raise Problem(
            "AuthFailure.SignatureFailure",
            "The provided credentials could not be validated. Please check your signature is correct.",
        )


def _string_to_sign(request: Request, signed: list[str], stamp: int, scope: str) -> str:
    headers = "".join(f"{name}:{request.headers.get(name, '').strip().lower()}\n" for name in signed)
    query = request.query_string if request.method == "GET" else ""
    payload = hashlib.sha256(request.body).hexdigest()
    canonical = "\n".join((request.method, "/", query, headers, ";".join(signed), payload))
    return f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def _signature(secret: str, date: str, service: str, text: str) -> str:
    of_date = hmac.digest(b"TC3" + secret.encode(), date.encode(), "sha256")
    of_service = hmac.digest(of_date, service.encode(), "sha256")
    of_request = hmac.digest(of_service, b"tc3_request", "sha256")
    return hmac.digest(of_request, text.encode(), "sha256").hex()
