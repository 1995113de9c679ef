"""Tencent Cloud's SMS: `SendSms` of 2021-01-11.

Sources: https://cloud.tencent.com/document/api/382/55981 (call), https://cloud.tencent.com/document/api/382/59177
(codes). Faults of the request are an `Error` of the whole answer; what becomes of one number stands in its row.
"""

import re
import secrets
from collections.abc import Mapping

import msgspec

from yuanjing.sandbox import jsons
from yuanjing.sandbox.asgi import Request
from yuanjing.sandbox.sms import tc3
from yuanjing.sandbox.sms.options import SmsOptions, SmsTemplate
from yuanjing.sandbox.sms.outgoing import DAY, HOUR, Outgoing, Sent
from yuanjing.sandbox.sms.problems import Problem

_ACTION, _VERSION, _VENDOR = "SendSms", "2021-01-11", "tencent"
_FIELD = re.compile(r"\{(\d+)\}")
_CODE = re.compile(r"\d{0,6}", re.ASCII)
_CHINESE = re.compile(r"(?:\+86|0086|86)?(1[3-9]\d{9})")
_FOREIGN = re.compile(r"\+[1-9]\d{6,14}")
_NUMBERS_MAX = 200


class Tencent:
    """One account."""

    def __init__(self, options: SmsOptions, outgoing: Outgoing) -> None:
        self._options = options
        self._outgoing = outgoing

    def call(self, request: Request, now: float) -> dict[str, object]:
        """What stands in `Response`, without the id of the request.

        Raises:
            Problem: the whole request is refused.
        """
        tc3.check(request, self._options.keys, now, self._options.tencent_skew_seconds)
        if request.headers.get("x-tc-action") != _ACTION:
            raise Problem("InvalidAction", "The request action is invalid or not found.")
        if request.headers.get("x-tc-version") != _VERSION:
            raise Problem("NoSuchVersion", "The API version does not exist.")
        if not request.headers.get("x-tc-region"):
            raise Problem("MissingParameter", "The request is missing a required parameter `Region`.")
        body = _body(request)
        numbers = _texts(body, "PhoneNumberSet")
        if not numbers:
            raise Problem("MissingParameter.EmptyPhoneNumberSet", "传入的号码列表为空。")
        if len(numbers) > _NUMBERS_MAX:
            raise Problem("LimitExceeded.PhoneNumberCountLimit", "the count of phone numbers exceeds the limit")
        if body.get("SmsSdkAppId") != self._options.app_id:
            raise Problem("UnauthorizedOperation.SmsSdkAppIdVerifyFail", "SmsSdkAppId verify fail")
        return {"SendStatusSet": [self._row(number, body, now) for number in numbers]}

    def _row(self, number: str, body: Mapping[str, object], now: float) -> dict[str, object]:
        row: dict[str, object] = {"SerialNo": "", "PhoneNumber": number, "Fee": 0, "SessionContext": "", "IsoCode": ""}
        try:
            full, sent = self._send(number, body, now)
        except Problem as problem:
            return {**row, "Code": problem.code, "Message": problem.text}
        iso = "CN" if full.startswith("+86") else "DEF"
        done = {"SerialNo": sent, "PhoneNumber": full, "Fee": 1, "IsoCode": iso}
        return {**row, **done, "Code": "Ok", "Message": "send success"}

    def _send(self, number: str, body: Mapping[str, object], now: float) -> tuple[str, str]:
        found = _CHINESE.fullmatch(number)
        if found is None and not _FOREIGN.fullmatch(number):
            raise Problem("InvalidParameterValue.IncorrectPhoneNumber", "phone number is incorrect")
        full = f"+86{found[1]}" if found else number
        sign_name, template_id = str(body.get("SignName", "")), str(body.get("TemplateId", ""))
        if sign_name not in self._options.sign_names:
            raise Problem("FailedOperation.SignatureIncorrectOrUnapproved", "signature is incorrect or unapproved")
        template = self._options.tencent_templates.get(template_id)
        if template is None:
            raise Problem("FailedOperation.TemplateIncorrectOrUnapproved", "template is incorrect or unapproved")
        values = _texts(body, "TemplateParamSet")
        text = _filled(template, values)
        self._limit(full, template, text, now)
        serial = f"2645:{secrets.randbelow(10**17):017}"
        self._outgoing.add(
            Sent(
                at=now,
                vendor=_VENDOR,
                number=full,
                sign_name=sign_name,
                template=template_id,
                receipt=serial,
                is_code=template.is_code,
                text=f"【{sign_name}】{text}",
                fields={str(place): value for place, value in enumerate(values, 1)},
            )
        )
        return full, serial

    def _limit(self, number: str, template: SmsTemplate, text: str, now: float) -> None:
        options = self._options
        day = self._outgoing.to((_VENDOR,), number, now - DAY)
        if any(one.at > now - options.same_seconds and one.text.endswith(text) for one in day):
            raise Problem(
                "LimitExceeded.PhoneNumberThirtySecondLimit",
                "the number of sms messages sent from a single mobile number within 30 seconds exceeds the upper limit",
            )
        codes = [one for one in day if one.is_code] if template.is_code else []
        if sum(one.at > now - HOUR for one in codes) >= options.per_hour:
            raise Problem(
                "LimitExceeded.PhoneNumberOneHourLimit",
                "the number of sms messages sent from a single mobile number in one hour exceeds the upper limit",
            )
        if len(codes) >= options.per_day:
            raise Problem(
                "LimitExceeded.PhoneNumberDailyLimit",
                "the number of sms messages sent from a single mobile number every day exceeds the upper limit",
            )


def _body(request: Request) -> Mapping[str, object]:
    try:
        found = jsons.as_object(msgspec.json.decode(request.body))
    except msgspec.DecodeError:
        found = None
    if found is None:
        raise Problem("InvalidParameter", "The request body is not a JSON object.")
    return found


def _texts(body: Mapping[str, object], name: str) -> list[str]:
    items = jsons.as_list(body.get(name, []))
    if items is None or not all(isinstance(one, str) for one in items):
        raise Problem("InvalidParameter", f"The value type of parameter `{name}` is not valid.")
    return [str(one) for one in items]


def _filled(template: SmsTemplate, values: list[str]) -> str:
    places = [int(one) for one in _FIELD.findall(template.text)]
    if len(values) != max(places, default=0):
        raise Problem("FailedOperation.TemplateParamSetNotMatchApprovedTemplate", "template params do not match")
    if template.is_code and not all(_CODE.fullmatch(one) for one in values):
        raise Problem("InvalidParameterValue.TemplateParameterFormatError", "verification code template params error")
    return _FIELD.sub(lambda found: values[int(found[1]) - 1], template.text)
