"""The account at Alipay: what the settings say of it, and the method that is made of it.

The adapter and its HTTP client are imported where they are needed: they would take a part of every start.
"""

import datetime as dt
import ssl
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from yuanjing.adapters.alipay.options import BILL_LIMITS, CALL_LIMITS, AlipayOptions
from yuanjing.adapters.alipay.traits import AlipayTraits
from yuanjing.kit.clock import Clock, SystemClock
from yuanjing.kit.secretfiles import SecretFileError, read_secret_text
from yuanjing.ports.payments import BillLine, Payment, PaymentOrder, PaymentStart
from yuanjing.settings import Settings, SettingsError, variable

if TYPE_CHECKING:
    from yuanjing.adapters.alipay.method import AlipayMethod
    from yuanjing.kit.webcalls import WebCaller

_KEY_BYTES_MAX = 1024 * 1024


def check_alipay(settings: Settings) -> None:
    """Whether the keys that are given can be used; nothing is called.

    Raises:
        SettingsError: they cannot.
    """
    if settings.alipay_app_id:
        from yuanjing.kit.webcalls import SilentCaller  # noqa: PLC0415  # see above

        options = account_options(settings)
        if settings.is_production and not options.gateway_url.startswith("https://"):
            raise SettingsError([f"{variable('alipay_gateway_url')}: in production it must begin with https://"])
        _make(options, SilentCaller(), SilentCaller(), SystemClock())


def account_options(settings: Settings) -> AlipayOptions:
    """The account that the settings name.

    Raises:
        SettingsError: a file cannot be used.
    """
    return AlipayOptions(
        app_id=settings.alipay_app_id,
        seller_id=settings.alipay_seller_id,
        private_key=_private_text(settings),
        alipay_public_key=_text("alipay_public_key_file", settings.alipay_public_key_file),
        app_certificate=_text("alipay_app_certificate_file", settings.alipay_app_certificate_file),
        alipay_certificate=_text("alipay_certificate_file", settings.alipay_certificate_file),
        alipay_root_certificates=_text("alipay_root_certificate_file", settings.alipay_root_certificate_file),
        gateway_url=settings.alipay_gateway_url,
        notification_bytes_max=settings.topup_notification_bytes_max,
    )


class Alipay(AlipayTraits):
    """See `PaymentMethod`. The method behind it is made by `make`, or when it is first needed."""

    def __init__(
        self, read: Callable[[], AlipayOptions], clock: Clock, stack: AsyncExitStack, *, ca_file: str | None
    ) -> None:
        """`stack` closes the connections."""
        self._read = read
        self._clock = clock
        self._stack = stack
        self._ca_file = ca_file
        self._made: AlipayMethod | None = None

    def make(self) -> "AlipayMethod":
        """The method.

        Raises:
            SettingsError: a key cannot be used.
        """
        if self._made is None:
            from yuanjing.kit.webcalls import WebCaller, open_client  # noqa: PLC0415  # see above

            options = self._read()
            is_encrypted = not options.gateway_url.startswith("http://")
            # Who is not called over TLS needs no authorities, which take a while to load.
            verify = (
                ssl.create_default_context(cafile=self._ca_file)
                if is_encrypted
                else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            )
            calls, downloads = open_client(CALL_LIMITS, verify=verify), open_client(BILL_LIMITS, verify=verify)
            for client in (calls, downloads):
                self._stack.push_async_exit(client)
            self._made = _make(options, WebCaller(calls, CALL_LIMITS), WebCaller(downloads, BILL_LIMITS), self._clock)
        return self._made

    async def start(self, order: PaymentOrder) -> PaymentStart:
        """See `PaymentMethod.start`."""
        return await self.make().start(order)

    def read_notification(self, raw: bytes) -> Payment:
        """See `PaymentMethod.read_notification`."""
        return self.make().read_notification(raw)

    async def query(self, number: str) -> Payment:
        """See `PaymentMethod.query`."""
        return await self.make().query(number)

    async def close(self, number: str) -> Payment:
        """See `PaymentMethod.close`."""
        return await self.make().close(number)

    async def refund(self, number: str, refund_number: str, amount_nanos: int, reason: str) -> bool:
        """See `PaymentMethod.refund`."""
        return await self.make().refund(number, refund_number, amount_nanos, reason)

    async def find_refund(self, number: str, refund_number: str) -> bool:
        """See `PaymentMethod.find_refund`."""
        return await self.make().find_refund(number, refund_number)

    async def bill(self, day: dt.date) -> Sequence[BillLine] | None:
        """See `PaymentMethod.bill`."""
        return await self.make().bill(day)


def _make(options: AlipayOptions, caller: "WebCaller", downloads: "WebCaller", clock: Clock) -> "AlipayMethod":
    from yuanjing.adapters.alipay.keys import AlipayKeyError  # noqa: PLC0415  # see above
    from yuanjing.adapters.alipay.method import AlipayMethod  # noqa: PLC0415  # the same

    try:
        return AlipayMethod(options, caller, downloads, clock)
    except AlipayKeyError as error:
        raise SettingsError([f"YUANJING_ALIPAY_…: {error.message}"]) from error


def _private_text(settings: Settings) -> str:
    assert settings.alipay_private_key_file is not None
    try:
        return read_secret_text(Path(settings.alipay_private_key_file).expanduser())
    except SecretFileError as error:
        raise SettingsError([f"{variable('alipay_private_key_file')}: {error}"]) from error


def _text(name: str, file_name: str | None) -> str:
    if file_name is None:
        return ""
    try:
        with Path(file_name).expanduser().open(encoding="utf-8", errors="replace") as file:
            return file.read(_KEY_BYTES_MAX)
    except OSError as error:
        raise SettingsError([f"{variable(name)}: {file_name}: {error.strerror}"]) from error
