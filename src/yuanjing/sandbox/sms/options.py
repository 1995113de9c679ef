"""The accounts of the simulated vendors."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_KEY_ID, DEFAULT_KEY_SECRET = "sandbox-key-id", "sandbox-key-secret"


@dataclass(frozen=True, kw_only=True)
class SmsTemplate:
    """A text that the vendor has approved.

    Attributes:
        text: with `${name}` where Alibaba's fields stand, and `{1}` where Tencent's do.
        is_code: whether it is one of codes, which may be sent less often than notices.
    """

    text: str
    is_code: bool = True


def _aliyun() -> dict[str, SmsTemplate]:
    return {
        "SMS_100000001": SmsTemplate(text="您的验证码为:${code},请勿告知他人。"),
        "SMS_100000002": SmsTemplate(text="您的余额为${balance}元,请及时充值。", is_code=False),
    }


def _given() -> dict[str, SmsTemplate]:
    return {"100001": SmsTemplate(text="您的验证码为${code}。尊敬的客户,以上验证码${min}分钟内有效,请勿告知他人。")}


def _tencent() -> dict[str, SmsTemplate]:
    return {
        "1100001": SmsTemplate(text="{1}为您的登录验证码,请于{2}分钟内填写。"),
        "1100002": SmsTemplate(text="您的余额为{1}元,请及时充值。", is_code=False),
    }


@dataclass(frozen=True, kw_only=True)
class SmsOptions:
    """What the vendors know of their customer, and what they allow.

    Attributes:
        keys: key ids and secrets, the same at all vendors.
        sign_names: approved signatures of dysmsapi and Tencent.
        given_sign_names: signatures that dypnsapi gives to everybody.
        templates, given_templates, tencent_templates: by their ids, of dysmsapi, dypnsapi and Tencent.
        app_id: Tencent's application.
        per_minute, per_hour, per_day: codes to one number (and, at Alibaba, of one signature).
        all_per_day: messages to one number over all signatures, at Alibaba.
        notices_per_day: of one signature and template to one number, at Alibaba.
        same_seconds: at Tencent, so long no second message with the same content to one number.
        wrong_is_refused: whether dypnsapi refuses a wrong code with `isv.ValidateFail`, as it has been seen to do, or
            answers `UNKNOWN`, as its page says.
        skew_seconds, tencent_skew_seconds: how far the time of a request may be off.
        slow_seconds_max: the longest wait that a fault may ask for.
        sent_max: how many sent messages are remembered.
    """

    keys: Mapping[str, str] = field(default_factory=lambda: {DEFAULT_KEY_ID: DEFAULT_KEY_SECRET}, repr=False)
    sign_names: frozenset[str] = frozenset({"元境"})
    given_sign_names: frozenset[str] = frozenset({"速通互联验证码"})
    templates: Mapping[str, SmsTemplate] = field(default_factory=_aliyun)
    given_templates: Mapping[str, SmsTemplate] = field(default_factory=_given)
    tencent_templates: Mapping[str, SmsTemplate] = field(default_factory=_tencent)
    app_id: str = "1400000001"
    per_minute: int = 1
    per_hour: int = 5
    per_day: int = 10
    all_per_day: int = 40
    notices_per_day: int = 50
    same_seconds: float = 30.0
    wrong_is_refused: bool = True
    skew_seconds: float = 900.0
    tencent_skew_seconds: float = 300.0
    slow_seconds_max: float = 600.0
    sent_max: int = 1000
