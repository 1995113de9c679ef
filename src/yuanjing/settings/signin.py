"""The settings of signing in: codes by SMS and their limits, sessions, passwords."""

import re
from typing import Annotated

from pydantic import BaseModel, Field, field_validator

from yuanjing.settings.kinds import KIB, Count, Days, Seconds, Size, Words

_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


class SignInSettings(BaseModel):
    """A part of `Settings`."""

    sms_cost: str = "0.05"
    """What one message costs you, in CNY."""
    sms_cost_per_day_max: str = "500"
    """The most that codes may cost within 24 hours, in CNY; then no more are sent."""
    sms_per_day_max: Count = 5_000
    """The most codes within 24 hours, to all numbers together."""
    sms_country_codes: Words = ("86",)
    """Country codes without the plus, separated by commas; codes are sent to mobile numbers there only."""
    sms_blocked_prefixes: Words = ()
    """Beginnings of numbers such as `+86170`, separated by commas, to which no code is sent."""
    sms_resend_seconds: Seconds = 60.0
    """Time between two codes to one number."""
    sms_per_number_hour: Count = 5
    """Codes to one number within an hour."""
    sms_per_number_day: Count = 10
    """Codes to one number within 24 hours; vendors count the same way."""
    sms_per_address_hour: Count = 20
    """Codes that one IP address may ask for within an hour; of IPv6 its network of 64 bits."""
    code_seconds: Annotated[float, Field(ge=60, le=600)] = 300.0
    """How long a code counts."""
    code_attempts_max: Annotated[int, Field(ge=1, le=10)] = 5
    """Wrong tries that end a code."""
    captcha_after: Annotated[int, Field(ge=0, le=10_000)] = 3
    """Codes within an hour that an IP address gets before its browser has to work for each."""
    captcha_seconds: Seconds = 600.0
    """How long a challenge of such work counts."""
    captcha_rounds: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """About how many rounds of it a browser computes; a thousand take it a second."""

    session_idle_seconds: Seconds = 43_200.0
    """A session that is not used for so long ends."""
    session_seconds: Annotated[float, Field(gt=0, le=30 * 86_400)] = 86_400.0
    """A session ends after so long, unless the customer wants to be remembered."""
    session_remember_days: Days = 30
    """One that is to be remembered ends after so many days."""
    sessions_per_customer_max: Annotated[int, Field(ge=1, le=1000)] = 50
    """Open sessions of one customer; a further one ends the oldest."""
    confirm_seconds: Seconds = 600.0
    """For so long after showing to be at hand a customer may change how to sign in."""
    console_body_bytes_max: Size = 64 * KIB
    """The largest request body under `/api`."""

    password_length_min: Annotated[int, Field(ge=8, le=64)] = 10
    """The shortest password, in characters."""
    password_hashes_max: Annotated[int, Field(ge=1, le=64)] = 2
    """Passwords that one gateway process checks at once; each takes 64 MiB meanwhile."""
    password_failures_max: Annotated[int, Field(ge=1, le=100)] = 3
    """Wrong passwords in a row that lock passwords; wrong one-time passwords are counted apart, and lock those."""
    password_failure_seconds: Seconds = 120.0
    """With more time than this between them they are not in a row."""
    password_lock_seconds: Seconds = 300.0
    """How long what is locked does not count then; codes by SMS still do."""
    failures_per_address_hour: Count = 20
    """Failed tries to sign in of one IP address within an hour, in each gateway process."""

    @field_validator("sms_cost", "sms_cost_per_day_max")
    @classmethod
    def _check_sms_amount(cls, value: str) -> str:
        if not _AMOUNT.fullmatch(value):
            raise ValueError("write an amount of CNY such as 0.05")
        return value

    @field_validator("sms_country_codes")
    @classmethod
    def _check_country_codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not all(re.fullmatch(r"[1-9]\d{0,3}", code, re.ASCII) for code in value):
            raise ValueError("write country codes without the plus, such as 86")
        return value

    @field_validator("sms_blocked_prefixes")
    @classmethod
    def _check_prefixes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"\+[1-9]\d{0,14}", prefix, re.ASCII) for prefix in value):
            raise ValueError("write beginnings of numbers with the plus, such as +86170")
        return value
