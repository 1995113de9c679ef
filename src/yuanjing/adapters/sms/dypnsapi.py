"""Alibaba Cloud number verification: `SendSmsVerifyCode` and `CheckSmsVerifyCode` of 2017-05-25.

The vendor makes the code and checks it, with signatures and templates that it gives to everybody; it sends to numbers
in China, and nothing but codes. What it knows of one number is the last code only, whatever it was sent for; that a
code is of its purpose and browser, and counts once, is ours to see to.

Source: https://help.aliyun.com/zh/pnvs/developer-reference/api-dypnsapi-2017-05-25-sendsmsverifycode.
"""

import json
from collections.abc import Mapping

from yuanjing.adapters.sms.account import SmsAccount, chinese_number, object_of
from yuanjing.adapters.sms.aliyun import AliyunApi
from yuanjing.domain.signin import CODE_LENGTH, MINUTE
from yuanjing.kit.clock import Clock
from yuanjing.kit.ids import sortable_id
from yuanjing.kit.webcalls import WebCaller
from yuanjing.ports.messages import Notice, SentMessage, SmsRefusedError, SmsTrouble, SmsUnavailableError

ENDPOINT = "https://dypnsapi.aliyuncs.com"
CODE_FIELDS = (("code", "code"), ("min", "minutes"))
_MADE_BY_THEM = "##code##"
_DIGITS, _NEWEST_ONLY = "1", "1"
_PASS = "PASS"  # noqa: S105  # a verdict, no secret
_WRONG = "isv.ValidateFail"
"""What the service says of a wrong code, with HTTP 400; its page describes `VerifyResult: UNKNOWN` instead."""


class DypnsapiSender:
    """See `yuanjing.ports.messages.SmsSender`."""

    name = "dypnsapi"
    makes_codes = True
    notices: frozenset[Notice] = frozenset()

    def __init__(self, account: SmsAccount, caller: WebCaller, clock: Clock) -> None:
        self.cost_nanos = account.cost_nanos
        self._account = account
        self._api = AliyunApi(account, caller, clock)

    async def send_code(self, mobile: str, code: str, *, minutes: int) -> SentMessage:
        """See the port."""
        del code  # the vendor makes it
        template, receipt = self._account.code, sortable_id("sms")
        values = template.filled({"code": _MADE_BY_THEM, "minutes": str(minutes)})
        await self._api.call(
            "SendSmsVerifyCode",
            {
                **_number(mobile),
                "SignName": self._account.sign_name,
                "TemplateCode": template.id,
                "TemplateParam": json.dumps(values, ensure_ascii=False, separators=(",", ":")),
                "CodeLength": str(CODE_LENGTH),
                "CodeType": _DIGITS,
                "ValidTime": str(int(minutes * MINUTE)),
                "DuplicatePolicy": _NEWEST_ONLY,
                "OutId": receipt,
            },
        )
        return SentMessage(receipt=receipt)

    async def check_code(self, mobile: str, code: str, receipt: str) -> bool:
        """See the port."""
        params = {**_number(mobile), "VerifyCode": code, "OutId": receipt}
        answer = await self._api.call("CheckSmsVerifyCode", params, other_codes=(_WRONG,))
        return object_of(answer.get("Model")).get("VerifyResult") == _PASS

    async def send_notice(self, mobile: str, notice: Notice, fields: Mapping[str, str]) -> SentMessage:
        """See the port; this service sends codes only.

        Raises:
            SmsUnavailableError: always.
        """
        del mobile, fields
        raise SmsUnavailableError(f"dypnsapi sends codes only, no {notice}", trouble=SmsTrouble.SETUP)


def _number(mobile: str) -> dict[str, str]:
    number = chinese_number(mobile)
    if number is None:
        raise SmsRefusedError("dypnsapi sends to numbers in China only")
    return {"CountryCode": "86", "PhoneNumber": number}
