"""Alibaba Cloud SMS: `SendSms` of 2017-05-25; the signature and the templates are one's own, approved ones.

Source: https://help.aliyun.com/document_detail/419273.html.
"""

import json
from collections.abc import Mapping

from yuanjing.adapters.sms.account import SmsAccount, Template, chinese_number, text_of
from yuanjing.adapters.sms.aliyun import AliyunApi
from yuanjing.kit.clock import Clock
from yuanjing.kit.webcalls import WebCaller
from yuanjing.ports.messages import Notice, SentMessage, SmsUnavailableError

ENDPOINT = "https://dysmsapi.aliyuncs.com"
CODE_FIELDS = (("code", "code"),)


class DysmsapiSender:
    """See `yuanjing.ports.messages.SmsSender`."""

    name = "dysmsapi"
    makes_codes = False

    def __init__(self, account: SmsAccount, caller: WebCaller, clock: Clock) -> None:
        self.cost_nanos = account.cost_nanos
        self.notices = frozenset(account.notices)
        self._account = account
        self._api = AliyunApi(account, caller, clock)

    async def send_code(self, mobile: str, code: str, *, minutes: int) -> SentMessage:
        """See the port."""
        return await self._send(mobile, self._account.code, {"code": code, "minutes": str(minutes)})

    async def check_code(self, mobile: str, code: str, receipt: str) -> bool:
        """See the port; the codes are ours.

        Raises:
            SmsUnavailableError: always.
        """
        del mobile, code
        raise SmsUnavailableError(f"dysmsapi knows no codes, nor that of {receipt!r}")

    async def send_notice(self, mobile: str, notice: Notice, fields: Mapping[str, str]) -> SentMessage:
        """See the port."""
        return await self._send(mobile, self._account.notice(self.name, notice), fields)

    async def _send(self, mobile: str, template: Template, values: Mapping[str, str]) -> SentMessage:
        answer = await self._api.call(
            "SendSms",
            {
                "PhoneNumbers": chinese_number(mobile) or mobile.removeprefix("+"),
                "SignName": self._account.sign_name,
                "TemplateCode": template.id,
                "TemplateParam": json.dumps(template.filled(values), ensure_ascii=False, separators=(",", ":")),
            },
        )
        return SentMessage(receipt=text_of(answer.get("BizId")))
