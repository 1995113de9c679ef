"""The settings of top-ups: payment methods and their keys, and the limits of orders."""

import re
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from yuanjing.settings.kinds import KIB, Count, Days, Seconds, Size

_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,2})?", re.ASCII)
_NUMBER = re.compile(r"\d{16}", re.ASCII)
_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")


class PaymentSettings(BaseModel):
    """A part of `Settings`."""

    topup_amount_min: str = "1"
    """The least that can be topped up at once, in CNY."""
    topup_amount_max: str = "50000"
    """The most, in CNY."""
    topup_subject: Annotated[str, Field(min_length=1, max_length=100)] = "Yuanjing 元境"
    """What payers read as the name of what they pay."""
    topup_order_seconds: Annotated[float, Field(ge=60, le=86_400)] = 1800.0
    """How long an order can be paid."""
    topup_open_max: Annotated[int, Field(ge=1, le=1000)] = 20
    """Orders of one customer that are not paid yet."""
    topup_per_hour: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Orders of one customer within an hour, paid or not."""
    topup_ask_seconds: Annotated[float, Field(ge=1, le=3600)] = 3.0
    """While a customer looks at an order, its payment method is asked so often at most."""
    topup_ask_wait_seconds: Seconds = 5.0
    """And the customer waits for its answer no longer than this."""
    topup_check_seconds: Seconds = 5.0
    """A new order's payment method is asked for the first time after so long by itself; then the pause doubles."""
    topup_check_seconds_max: Seconds = 300.0
    """The longest such pause."""
    topup_asked_at_once: Annotated[int, Field(ge=1, le=16)] = 8
    """Orders that the worker asks for at the same time."""
    topup_refund_seconds: Seconds = 100.0
    """A payment method is asked about one refund no longer than this, and for twice as long by nobody else."""
    topup_late_seconds: Seconds = 600.0
    """For so long after its end an order is still asked for, as a payment may have come in last."""
    topup_notification_bytes_max: Size = 64 * KIB
    """The largest notification of a payment method; larger ones are refused unread."""
    topup_forged_per_hour: Count = 200
    """Notifications with a wrong signature that each gateway process keeps within an hour; more are only logged."""
    topup_forged_days: Days = 30
    """So long they are kept; all others are kept for ever."""
    topup_bill_seconds: Seconds = 1800.0
    """How often the worker looks whether a payment method has a bill that was not compared yet."""
    topup_bill_days: Annotated[int, Field(ge=1, le=60)] = 7
    """How many past days it compares; one without a bill is given up after them."""

    transfer_instructions: Annotated[str, Field(max_length=2000)] = ""
    """How to pay by bank transfer: {number} and {amount} are filled in. Empty: one cannot."""
    transfer_days: Days = 14
    """How long an order that is paid so stays open."""

    alipay_app_id: str = ""
    """The application's id at Alipay, 16 digits; empty: there is no Alipay."""
    alipay_seller_id: str = ""
    """The seller's user number (PID), 16 digits, which notifications must name."""
    alipay_private_key_file: str | None = None
    """File of the application's private key: PKCS#1 or PKCS#8, PEM or bare base64; other users must not read it."""
    alipay_public_key_file: str | None = None
    """File of Alipay's public key (not the application's own). For public key mode; instead of the certificates."""
    alipay_app_certificate_file: str | None = None
    """File of the application's certificate. For certificate mode, together with the next two."""
    alipay_certificate_file: str | None = None
    """File of Alipay's certificate."""
    alipay_root_certificate_file: str | None = None
    """File of Alipay's root certificates."""
    alipay_gateway_url: str = "https://openapi.alipay.com/gateway.do"
    """Where Alipay is called and payers begin."""
    alipay_simulator: Literal["", "on", "off"] = ""
    """Payments at a simulated Alipay in the sandbox; the default is that in development, where no other is set up."""

    @field_validator(
        "alipay_private_key_file",
        "alipay_public_key_file",
        "alipay_app_certificate_file",
        "alipay_certificate_file",
        "alipay_root_certificate_file",
        mode="before",
    )
    @classmethod
    def _empty_file_is_none(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("topup_amount_min", "topup_amount_max")
    @classmethod
    def _check_topup_amount(cls, value: str) -> str:
        if not _AMOUNT.fullmatch(value) or not value.strip("0."):
            raise ValueError("write an amount of CNY with at most two decimals, such as 12.50")
        return value

    @field_validator("alipay_app_id", "alipay_seller_id")
    @classmethod
    def _check_alipay_number(cls, value: str) -> str:
        if value and not _NUMBER.fullmatch(value):
            raise ValueError("write the 16 digits that Alipay's console shows")
        return value

    @field_validator("alipay_gateway_url")
    @classmethod
    def _check_gateway_url(cls, value: str) -> str:
        if not _URL.fullmatch(value):
            raise ValueError("write an address such as https://openapi.alipay.com/gateway.do")
        return value

    @model_validator(mode="after")
    def _check_payments(self) -> Self:
        if Decimal(self.topup_amount_min) > Decimal(self.topup_amount_max):
            raise ValueError("YUANJING_TOPUP_AMOUNT_MIN must not be more than YUANJING_TOPUP_AMOUNT_MAX")
        if self.topup_check_seconds > self.topup_check_seconds_max:
            raise ValueError("YUANJING_TOPUP_CHECK_SECONDS must not be more than YUANJING_TOPUP_CHECK_SECONDS_MAX")
        self._check_alipay()
        return self

    def _check_alipay(self) -> None:
        certificates = [
            self.alipay_app_certificate_file,
            self.alipay_certificate_file,
            self.alipay_root_certificate_file,
        ]
        given = [self.alipay_seller_id, self.alipay_private_key_file, self.alipay_public_key_file, *certificates]
        if not self.alipay_app_id:
            if any(given):
                raise ValueError(
                    "YUANJING_ALIPAY_APP_ID is missing; without it the other settings of Alipay are of no use"
                )
            return
        missing = [
            f"YUANJING_{name.upper()}"
            for name in ("alipay_seller_id", "alipay_private_key_file")
            if not getattr(self, name)
        ]
        if missing:
            raise ValueError(f"{' and '.join(missing)} must be given with YUANJING_ALIPAY_APP_ID")
        if any(certificates) == (self.alipay_public_key_file is not None) or any(certificates) != all(certificates):
            raise ValueError("Alipay needs either YUANJING_ALIPAY_PUBLIC_KEY_FILE or all three certificates")
        if self.alipay_simulator == "on":
            raise ValueError("YUANJING_ALIPAY_SIMULATOR is on, but so is Alipay itself; choose one")
