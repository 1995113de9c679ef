"""Alibaba Cloud's SMS (`dysmsapi`) and number verification (`dypnsapi`), both of 2017-05-25.

Sources: https://help.aliyun.com/document_detail/419273.html, https://help.aliyun.com/document_detail/101346.html,
https://help.aliyun.com/zh/pnvs/developer-reference/api-dypnsapi-2017-05-25-sendsmsverifycode and
https://help.aliyun.com/document_detail/85198.htm. What the product refuses has HTTP 200, what the gateway refuses has
another status. Where no source says so: a checked code stays valid, and `OutId` is echoed and not compared.
"""

import json
import re
import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from yuanjing.sandbox.asgi import Request
from yuanjing.sandbox.sms.acs3 import Acs3
from yuanjing.sandbox.sms.options import SmsOptions, SmsTemplate
from yuanjing.sandbox.sms.outgoing import DAY, HOUR, MINUTE, Outgoing, Sent
from yuanjing.sandbox.sms.problems import Problem, mandatory, unknown_action, unknown_version

_VERSION = "2017-05-25"
_MADE = "##code##"
_KEEP_OLDER = 2
_FIELD = re.compile(r"\$\{(\w+)\}")
_CHINESE = re.compile(r"(?:\+86|0086|86)?(1[3-9]\d{9})")
_FOREIGN = re.compile(r"[1-9]\d{6,14}")
_LETTERS = {
    1: string.digits,
    2: string.ascii_uppercase,
    3: string.ascii_lowercase,
    4: string.ascii_letters,
    5: string.digits + string.ascii_uppercase,
    6: string.digits + string.ascii_lowercase,
    7: string.digits + string.ascii_letters,
}

Params = Mapping[str, str]
Answer = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class _Made:
    """A code that dypnsapi has made."""

    code: str
    expires_at: float


class Aliyun:
    """Both products behind the one gateway."""

    def __init__(self, options: SmsOptions, outgoing: Outgoing) -> None:
        self._options = options
        self._outgoing = outgoing
        self._acs3 = Acs3(options.keys, options.skew_seconds)
        self._made: dict[tuple[str, str], list[_Made]] = {}
        self._actions: dict[str, Callable[[Params, float], Answer]] = {
            "SendSms": self._send,
            "SendSmsVerifyCode": self._send_code,
            "CheckSmsVerifyCode": self._check_code,
        }

    def call(self, request: Request, now: float) -> Answer:
        """What the product answers, without the id of the request.

        Raises:
            Problem: it is refused.
        """
        params = self._acs3.check(request, now)
        action = self._actions.get(request.headers["x-acs-action"])
        if action is None:
            raise unknown_action()
        if request.headers["x-acs-version"] != _VERSION:
            raise unknown_version()
        return action(params, now)

    def _send(self, params: Params, now: float) -> Answer:
        _need(params, "PhoneNumbers", "SignName", "TemplateCode")
        number = _number(params["PhoneNumbers"])
        if params["SignName"] not in self._options.sign_names:
            raise Problem("isv.SMS_SIGNATURE_ILLEGAL", "账号下找不到对应签名")
        template = self._options.templates.get(params["TemplateCode"])
        if template is None:
            raise Problem("isv.SMS_TEMPLATE_ILLEGAL", "账号下找不到对应模板")
        fields = _fields(params.get("TemplateParam"), template)
        receipt = self._take("dysmsapi", number, params, template, fields, now)
        return {"Code": "OK", "Message": "OK", "BizId": receipt}

    def _send_code(self, params: Params, now: float) -> Answer:
        _need(params, "PhoneNumber", "SignName", "TemplateCode", "TemplateParam")
        if params.get("CountryCode", "86") != "86":
            raise Problem("isv.MOBILE_NUMBER_ILLEGAL", "号码格式非法")
        number = _number(params["PhoneNumber"], is_chinese=True)
        template = self._options.given_templates.get(params["TemplateCode"])
        if params["SignName"] not in self._options.given_sign_names or template is None:
            raise Problem("isv.INVALID_PARAMETERS", "非法参数")
        fields = _fields(params["TemplateParam"], template)
        interval = _whole(params, "Interval", 60, 0, 86_400)
        if self._outgoing.to(("dypnsapi",), number, now - interval):
            raise Problem("biz.FREQUENCY", "check frequency failed")
        length, kind = _whole(params, "CodeLength", 4, 4, 8), _whole(params, "CodeType", 1, 1, 7)
        code = "".join(secrets.choice(_LETTERS[kind]) for _ in range(length))
        lasts = _whole(params, "ValidTime", 300, 1, 86_400)
        shown = {name: value.replace(_MADE, code) for name, value in fields.items()}
        receipt = self._take("dypnsapi", number, params, template, shown, now)
        if shown != fields:  # a code of the caller's own is sent, and cannot be checked
            key = (number, params.get("SchemeName", ""))
            older = self._made.get(key, []) if _whole(params, "DuplicatePolicy", 1, 1, 2) == _KEEP_OLDER else []
            self._made.pop(key, None)
            self._made[key] = [*older, _Made(code=code, expires_at=now + lasts)]
            while len(self._made) > self._options.sent_max:
                del self._made[next(iter(self._made))]
        model = {"BizId": receipt, "OutId": params.get("OutId", ""), "RequestId": _request_id()}
        if params.get("ReturnVerifyCode", "").lower() == "true":
            model["VerifyCode"] = code
        return {"Code": "OK", "Message": "成功", "Success": True, "AccessDeniedDetail": "无", "Model": model}

    def _check_code(self, params: Params, now: float) -> Answer:
        _need(params, "PhoneNumber", "VerifyCode")
        number = _number(params["PhoneNumber"], is_chinese=True)
        ignores_case = _whole(params, "CaseAuthPolicy", 1, 1, 2) == 1
        given = params["VerifyCode"].lower() if ignores_case else params["VerifyCode"]
        codes = self._made.get((number, params.get("SchemeName", "")), [])
        is_right = any(
            given == (one.code.lower() if ignores_case else one.code) for one in codes if now < one.expires_at
        )
        if not is_right and self._options.wrong_is_refused:
            raise Problem("isv.ValidateFail", "验证失败", 400)
        model = {"OutId": params.get("OutId", ""), "VerifyResult": "PASS" if is_right else "UNKNOWN"}
        return {"Code": "OK", "Message": "成功", "Success": True, "AccessDeniedDetail": "无", "Model": model}

    def _take(
        self, vendor: str, number: str, params: Params, template: SmsTemplate, fields: dict[str, str], now: float
    ) -> str:
        self._limit(vendor, number, params, template, now)
        receipt = f"{secrets.randbelow(10**18):018}^0"
        text = _FIELD.sub(lambda found: fields[found[1]], template.text)
        self._outgoing.add(
            Sent(
                at=now,
                vendor=vendor,
                number=number,
                sign_name=params["SignName"],
                template=params["TemplateCode"],
                receipt=receipt,
                is_code=template.is_code,
                text=f"【{params['SignName']}】{text}",
                fields=fields,
            )
        )
        return receipt

    def _limit(self, vendor: str, number: str, params: Params, template: SmsTemplate, now: float) -> None:
        """Windows slide: 24 hours back from now, and not since midnight (https://developer.aliyun.com/ask/474934)."""
        options = self._options
        day = self._outgoing.to(("dysmsapi", "dypnsapi"), number, now - DAY)
        same = [one for one in day if one.vendor == vendor and one.sign_name == params["SignName"]]
        if template.is_code:
            times = [one.at for one in same if one.is_code]
            rules = (
                ("分钟", MINUTE, times, options.per_minute),
                ("小时", HOUR, times, options.per_hour),
                ("天", DAY, times, options.per_day),
            )
        else:
            times = [one.at for one in same if one.template == params["TemplateCode"]]
            rules = (("天", DAY, times, options.notices_per_day),)
        for word, seconds, found, most in (*rules, ("天", DAY, [one.at for one in day], options.all_per_day)):
            if sum(at > now - seconds for at in found) >= most:
                raise Problem("isv.BUSINESS_LIMIT_CONTROL", f"触发{word}级流控Permits:{most}")


def _need(params: Params, *names: str) -> None:
    for name in names:
        if not params.get(name):
            raise mandatory(name)


def _number(text: str, *, is_chinese: bool = False) -> str:
    found = _CHINESE.fullmatch(text)
    if found is not None:
        return f"+86{found[1]}"
    if is_chinese or not _FOREIGN.fullmatch(text):
        raise Problem("isv.MOBILE_NUMBER_ILLEGAL", f"{text[:20]}invalid mobile number")
    return f"+{text}"


def _fields(text: str | None, template: SmsTemplate) -> dict[str, str]:
    try:
        found: object = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Problem("isv.INVALID_JSON_PARAM", "参数格式错误,请修改为字符串值")
    fields = cast("dict[str, object]", found)
    if not all(isinstance(value, str) for value in fields.values()):
        raise Problem("isv.INVALID_JSON_PARAM", "参数格式错误,请修改为字符串值")
    if any(name not in fields for name in _FIELD.findall(template.text)):
        raise Problem("isv.TEMPLATE_MISSING_PARAMETERS", "模板变量中缺少参数")
    return cast("dict[str, str]", fields)


def _whole(params: Params, name: str, default: int, least: int, most: int) -> int:
    text = params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise Problem(f"Invalid{name}", f"The specified {name} is invalid.", 400)
    return int(text)


def _request_id() -> str:
    return secrets.token_hex(16).upper()
