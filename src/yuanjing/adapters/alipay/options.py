"""What an operator says of the account at Alipay, and the limits of calls to it."""

from dataclasses import dataclass, field

from yuanjing.kit.weblimits import CallLimits

GATEWAY_URL = "https://openapi.alipay.com/gateway.do"

CALL_LIMITS = CallLimits(total_seconds=30.0, read_seconds=14.0, answer_bytes_max=1024 * 1024, connections_max=16)
"""Of calls to the gateway."""

BILL_LIMITS = CallLimits(total_seconds=300.0, answer_bytes_max=64 * 1024 * 1024, connections_max=2)
"""Of downloading a bill."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlipayOptions:
    """An application at Alipay.

    Either `alipay_public_key` is given (public key mode) or all three certificates are (certificate mode).

    Attributes:
        app_id: of the application.
        seller_id: the seller's user number (PID), which notifications must name.
        private_key: the application's: PEM in PKCS#1 or PKCS#8, or the same bytes in bare base64.
        alipay_public_key: Alipay's, as its console shows it (not the application's own): PEM or bare base64.
        app_certificate: PEM.
        alipay_certificate: PEM; the first certificate counts.
        alipay_root_certificates: PEM, several after one another.
        gateway_url: where calls go and payers begin.
        bill_hosts: hosts that bills may be loaded from: whole names, or ends of names that begin with a dot.
        bill_unpacked_bytes_max: larger bills are not read.
        bill_files_max: an archive with more files is not read.
        notification_bytes_max: larger notifications are refused before anything is computed.
        notification_fields_max: notifications with more fields are refused.
    """

    app_id: str
    seller_id: str
    private_key: str = field(repr=False)
    alipay_public_key: str = field(default="", repr=False)
    app_certificate: str = field(default="", repr=False)
    alipay_certificate: str = field(default="", repr=False)
    alipay_root_certificates: str = field(default="", repr=False)
    gateway_url: str = GATEWAY_URL
    bill_hosts: tuple[str, ...] = (".alipay.com",)
    bill_unpacked_bytes_max: int = 256 * 1024 * 1024
    bill_files_max: int = 32
    notification_bytes_max: int = 64 * 1024
    notification_fields_max: int = 100
