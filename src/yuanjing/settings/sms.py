"""The settings of messages to mobiles: who sends them, and the account there."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from yuanjing.settings.kinds import Words

_FIELD = re.compile(r"\w{1,40}(=[a-z_]{1,40})?", re.ASCII)
_ENDPOINT = re.compile(r"https?://[^\s/?#@]+")
CODE_VALUES = frozenset({"code", "minutes"})
"""What a message with a code has to say."""


def split_field(text: str) -> tuple[str, str]:
    """The vendor's name of a template's field, and ours; one name is both."""
    name, _, ours = text.partition("=")
    return name, ours or name


class SmsSettings(BaseModel):
    """A part of `Settings`."""

    sms_sender: Literal["", "outbox", "dypnsapi", "dysmsapi", "tencent"] = ""
    """Who sends codes: Alibaba's number verification (`dypnsapi`) or SMS (`dysmsapi`), Tencent's SMS (`tencent`), or
    `outbox`, which writes them to a file; the default is that in development, nobody in production."""
    sms_key_id: str = ""
    """Your key at the vendor: AccessKey ID, or SecretId."""
    sms_key_secret: SecretStr | None = None
    """Its secret: AccessKey Secret, or SecretKey."""
    sms_sign_name: str = ""
    """The signature that stands before each message, as the vendor has approved it, without brackets."""
    sms_code_template: str = ""
    """The template of codes at the vendor, such as `100001` (`dypnsapi`), `SMS_123456789` or `1234567`."""
    sms_code_fields: Words = ()
    """What it takes, in its order: `code` and `minutes`, as `min=minutes` where its name is another; the default is
    `code,min=minutes` of `dypnsapi`, `code` of `dysmsapi`, `code,minutes` of `tencent`."""
    sms_low_balance_template: str = ""
    """The template of the notice that a balance is low; without one there is no such notice."""
    sms_low_balance_template_en: str = ""
    """The same in English, for customers who have chosen it; without one they get the other."""
    sms_low_balance_fields: Words = ()
    """What both take, in the same way: `balance` and `threshold`, in CNY, which is also the default."""
    sms_app_id: str = ""
    """The application at Tencent (SmsSdkAppId)."""
    sms_region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] = "ap-guangzhou"
    """The region at Tencent."""
    sms_endpoint: str = ""
    """The address of the vendor's API, if not its usual one; in production over HTTPS only."""
    sms_timeout_seconds: Annotated[float, Field(ge=1, le=60)] = 10.0
    """How long the vendor may take to answer."""

    @field_validator("sms_key_secret", mode="before")
    @classmethod
    def _empty_secret_is_none(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("sms_endpoint")
    @classmethod
    def _check_endpoint(cls, value: str) -> str:
        if value and not _ENDPOINT.fullmatch(value):
            raise ValueError("write an address without a path, such as https://dysmsapi.aliyuncs.com")
        return value

    @field_validator("sms_code_fields", "sms_low_balance_fields")
    @classmethod
    def _check_fields(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_FIELD.fullmatch(one) for one in value):
            raise ValueError("write names such as code, or min=minutes")
        return value

    @field_validator("sms_code_fields")
    @classmethod
    def _check_code_fields(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        ours = [split_field(one)[1] for one in value]
        if value and ("code" not in ours or not CODE_VALUES.issuperset(ours)):
            raise ValueError("write code, and minutes if the template takes it")
        return value
