"""Tencent Cloud SMS: `SendSms` of 2021-01-11, signed by TC3-HMAC-SHA256.

Sources: https://cloud.tencent.com/document/api/382/55981 (call), https://cloud.tencent.com/document/api/382/52072
(signature), https://cloud.tencent.com/document/api/382/59177 (codes). Every answer has HTTP 200; what became of the
message stands in it, for each number.
"""

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

from yuanjing.adapters.sms.account import SmsAccount, Template, object_of, read_answer, refusal, text_of
from yuanjing.kit.clock import Clock
from yuanjing.kit.webcalls import WebCall, WebCaller
from yuanjing.ports.messages import Notice, SentMessage, SmsTrouble, SmsUnavailableError

ENDPOINT = "https://sms.tencentcloudapi.com"
CODE_FIELDS = (("1", "code"), ("2", "minutes"))
_ALGORITHM = "TC3-HMAC-SHA256"
_ACTION, _VERSION, _SERVICE = "SendSms", "2021-01-11", "sms"
_CONTENT_TYPE = "application/json; charset=utf-8"
_OK = "Ok"

TROUBLES = {
    "LimitExceeded.DeliveryFrequencyLimit": SmsTrouble.LIMIT,
    "LimitExceeded.PhoneNumberDailyLimit": SmsTrouble.LIMIT,
    "LimitExceeded.PhoneNumberOneHourLimit": SmsTrouble.LIMIT,
    "LimitExceeded.PhoneNumberSameContentDailyLimit": SmsTrouble.LIMIT,
    "LimitExceeded.PhoneNumberThirtySecondLimit": SmsTrouble.LIMIT,
    "InvalidParameterValue.IncorrectPhoneNumber": SmsTrouble.NUMBER,
    "FailedOperation.PhoneNumberInBlacklist": SmsTrouble.NUMBER,
    "LimitExceeded.AppCountryOrRegionInBlacklist": SmsTrouble.NUMBER,
    "UnsupportedOperation": SmsTrouble.NUMBER,
    "LimitExceeded": SmsTrouble.QUOTA,
    "RequestLimitExceeded": SmsTrouble.QUOTA,
    "FailedOperation.InsufficientBalanceInSmsPackage": SmsTrouble.BALANCE,
    "UnauthorizedOperation.ServiceSuspendDueToArrears": SmsTrouble.BALANCE,
    "AuthFailure": SmsTrouble.AUTH,
    "UnauthorizedOperation": SmsTrouble.AUTH,
    "IpInBlacklist": SmsTrouble.AUTH,
    "IpNotInWhitelist": SmsTrouble.AUTH,
    "InvalidParameter": SmsTrouble.SETUP,
    "InvalidParameterValue": SmsTrouble.SETUP,
    "MissingParameter": SmsTrouble.SETUP,
    "FailedOperation": SmsTrouble.SETUP,
    "InvalidAction": SmsTrouble.SETUP,
    "NoSuchVersion": SmsTrouble.SETUP,
    "InternalError": SmsTrouble.UNAVAILABLE,
    "ResourceUnavailable": SmsTrouble.UNAVAILABLE,
    "ServiceUnavailable": SmsTrouble.UNAVAILABLE,
}
"""Tencent's words, and their first parts for those that are not listed."""


class TencentSender:
    """See `yuanjing.ports.messages.SmsSender`. Templates take their fields by position."""

    name = "tencent"
    makes_codes = False

    def __init__(self, account: SmsAccount, caller: WebCaller, clock: Clock) -> None:
        self.cost_nanos = account.cost_nanos
        self.notices = frozenset(account.notices)
        self._account = account
        self._caller = caller
        self._clock = clock

    async def send_code(self, mobile: str, code: str, *, minutes: int) -> SentMessage:
        """See the port."""
        return await self._send(mobile, self._account.code, {"code": code, "minutes": str(minutes)})

    async def check_code(self, mobile: str, code: str, receipt: str) -> bool:
        """See the port; the codes are ours.

        Raises:
            SmsUnavailableError: always.
        """
        del mobile, code
        raise SmsUnavailableError(f"tencent knows no codes, nor that of {receipt!r}")

    async def send_notice(self, mobile: str, notice: Notice, fields: Mapping[str, str]) -> SentMessage:
        """See the port."""
        return await self._send(mobile, self._account.notice(self.name, notice), fields)

    async def _send(self, mobile: str, template: Template, values: Mapping[str, str]) -> SentMessage:
        account = self._account
        body = {
            "PhoneNumberSet": [mobile],
            "SmsSdkAppId": account.app_id,
            "SignName": account.sign_name,
            "TemplateId": template.id,
            "TemplateParamSet": list(template.filled(values).values()),
        }
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        call = WebCall(method="POST", url=f"{account.endpoint}/", headers=self._signed(content), content=content)
        return _sent(object_of(read_answer(_ACTION, await self._caller.call(call)).get("Response")))

    def _signed(self, content: bytes) -> dict[str, str]:
        account, now = self._account, int(self._clock.unix())
        headers = {"content-type": _CONTENT_TYPE, "x-tc-action": _ACTION}
        signed = {**headers, "host": urlsplit(account.endpoint).netloc}
        return {
            **headers,
            "authorization": authorization(account.key_id, account.key_secret, signed, content, now),
            "x-tc-region": account.region,
            "x-tc-timestamp": str(now),
            "x-tc-version": _VERSION,
        }


def authorization(key_id: str, secret: str, headers: Mapping[str, str], content: bytes, unix: int) -> str:
    """The header that signs a POST to `/`; all of `headers` are signed, their values in lower case."""
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].lower()}\n" for name in sorted(headers))
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(content).hexdigest()}"
    date = dt.datetime.fromtimestamp(unix, dt.UTC).strftime("%Y-%m-%d")
    scope = f"{date}/{_SERVICE}/tc3_request"
    to_sign = f"{_ALGORITHM}\n{unix}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"TC3{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{_ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"


def _sent(response: Mapping[str, object]) -> SentMessage:
    error = response.get("Error")
    if error is not None:
        raise refusal(_ACTION, object_of(error).get("Code"), TROUBLES)
    rows = response.get("SendStatusSet")
    status = object_of(cast("list[object]", rows)[0] if isinstance(rows, list) and rows else None)
    if status.get("Code") != _OK:
        raise refusal(_ACTION, status.get("Code"), TROUBLES)
    return SentMessage(receipt=text_of(status.get("SerialNo")))
