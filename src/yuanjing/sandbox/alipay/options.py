"""What the simulated Alipay knows of its one merchant, and how it behaves."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class AlipayOptions:
    """The merchant, and the limits.

    Attributes:
        app_id: of the merchant's application.
        seller_id: the merchant's user number.
        merchant_public_key: PEM or bare base64; requests must be signed by it.
        private_key: the simulator's own, PEM; empty: a new one with each start (`GET /alipay/public-key` shows it).
        app_cert_sn: certificate mode: what requests must name; empty: public key mode.
        alipay_root_cert_sn: likewise.
        alipay_cert_sn: certificate mode: what answers name.
        timestamp_slack_seconds: how old or new a request's timestamp may be; it is longer for addresses that a payer
            opens (`page_slack_seconds`).
        page_slack_seconds: likewise, for what a payer opens.
        notify_pauses_seconds: between sends of a notification that is not answered with `success` (Alipay's: 25 h).
        notify_wait_seconds: how long a receiver may take.
        finish_seconds: after that a payment is finished: nothing can be given back any more.
        unpaid_seconds: until when an order can be paid that says nothing of it.
        bill_url_seconds: how long a bill's address is good.
        bill_hour: in Beijing, from which the bill of the day before is there.
        fee_ten_thousandths: what Alipay keeps, in ten-thousandths.
        trades_max: how many orders are remembered; the oldest go.
        attempts_max: how many sends the log keeps.
        body_bytes_max: the largest request.
        burst_max: the most copies of a notification that a button may send.
        slow_seconds_max: the longest wait that a button may ask for.
    """

    app_id: str = "9021000100000001"
    seller_id: str = "2088721000000001"
    merchant_public_key: str
    private_key: str = field(default="", repr=False)
    app_cert_sn: str = ""
    alipay_root_cert_sn: str = ""
    alipay_cert_sn: str = ""
    timestamp_slack_seconds: float = 600.0
    page_slack_seconds: float = 86_400.0
    notify_pauses_seconds: tuple[float, ...] = (240.0, 600.0, 600.0, 3600.0, 7200.0, 21_600.0, 54_000.0)
    notify_wait_seconds: float = 10.0
    finish_seconds: float = 365 * 86_400.0
    unpaid_seconds: float = 15 * 86_400.0
    bill_url_seconds: float = 30.0
    bill_hour: int = 9
    fee_ten_thousandths: int = 60
    trades_max: int = 10_000
    attempts_max: int = 5_000
    body_bytes_max: int = 256 * 1024
    burst_max: int = 200
    slow_seconds_max: float = 60.0
