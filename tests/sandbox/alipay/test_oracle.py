"""python-alipay-sdk as a second opinion: on the simulator, and on the adapter through the simulator's eyes."""

import datetime as dt
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from alipay import AliPay, DCAliPay
from alipay.exceptions import AliPayException, AliPayValidationError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from tests.support.alipay import (
    ALIPAY,
    APP_ID,
    MERCHANT,
    OTHER,
    PEM,
    Client,
    Receiver,
    Simulated,
    alipay_options,
    key,
    order,
    private_text,
    public_text,
)

from yuanjing.domain.topups import PayWay
from yuanjing.ports.payments import PaymentState, PaymentUnavailableError


@pytest.fixture(autouse=True)
def _beijing(monkeypatch):
    """The SDK stamps requests with the machine's local time, and Alipay reads Beijing's."""
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def sdk_of(box, whose=MERCHANT, alipays=ALIPAY):
    one = AliPay(
        APP_ID,
        app_private_key_string=private_text(key(whose)).decode(),
        alipay_public_key_string=public_text(key(alipays)),
    )
    one._gateway = box.gateway
    return one


def test_its_requests_are_accepted_and_it_believes_the_answers(box):
    sdk = sdk_of(box)
    begun = sdk.api_alipay_trade_precreate("元境充值", "sdk_1", "10.00")
    assert begun["qr_code"].startswith(box.url)
    box.press("sdk_1", "pay", "lost")
    found = sdk.api_alipay_trade_query(out_trade_no="sdk_1")
    assert (found["trade_status"], found["total_amount"]) == ("TRADE_SUCCESS", "10.00")
    assert sdk.api_alipay_trade_query(trade_no=found["trade_no"]) == found
    back = sdk.api_alipay_trade_refund("4.00", out_trade_no="sdk_1", out_request_no="r_1")
    assert back["fund_change"] == "Y"
    query = sdk.api_alipay_trade_fastpay_refund_query("r_1", out_trade_no="sdk_1")
    assert query["refund_status"] == "REFUND_SUCCESS"
    refused = sdk.server_api("alipay.trade.close", {"out_trade_no": "sdk_1"})
    assert refused["sub_code"] == "ACQ.TRADE_STATUS_ERROR"
    bill = sdk.server_api(
        "alipay.data.dataservice.bill.downloadurl.query", {"bill_type": "trade", "bill_date": "2026-01-01"}
    )
    assert bill["sub_code"] == "isp.bill_not_exist"
    assert sdk.api_alipay_trade_cancel(out_trade_no="sdk_1")["action"] == "refund"


def test_its_pages_are_accepted(box):
    page = sdk_of(box).api_alipay_trade_page_pay("元境 充值+1", "sdk_page", "1.00", return_url="http://127.0.0.1:1/")
    assert box.client.get(f"{box.gateway}?{page}").status_code == 302
    wrong = sdk_of(box).api_alipay_trade_wap_pay("x", "sdk_wap", "1.00")
    assert "ACQ.INVALID_PARAMETER" in box.client.get(f"{box.gateway}?{wrong}").text  # its product is none of Alipay's
    wap = sdk_of(box).api_alipay_trade_wap_pay("x", "sdk_wap", "1.00", product_code="QUICK_WAP_WAY")
    assert box.client.get(f"{box.gateway}?{wap}").status_code == 302


def test_both_refuse_the_same_strangers(box):
    with pytest.raises(AliPayException, match="invalid-signature"):
        sdk_of(box, whose=OTHER).api_alipay_trade_query(out_trade_no="x")
    with pytest.raises(AliPayValidationError):
        sdk_of(box, alipays=OTHER).api_alipay_trade_query(out_trade_no="x")
    box.fault("wrong_signature")
    with pytest.raises(AliPayValidationError):
        sdk_of(box).api_alipay_trade_precreate("x", "sdk_2", "1")
    box.fault("escapes")
    assert sdk_of(box).api_alipay_trade_precreate("x", "sdk_2", "1")["qr_code"].startswith(box.url)


GENUINE = {"", "blank", "duplicate", "early", "finished_first"}
TRUE_ATTACKS = {"other_amount", "other_app", "other_seller", "unknown_order", "refund_notice", "no_sign_type"}
FALSE_ATTACKS = {"forged", "changed_amount", "changed_app", "changed_seller", "changed_order", "sha1", "rsa1"}


def verifies(sdk, body):
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
    try:
        return sdk.verify(fields, fields.pop("sign"))
    except AliPayException:
        return False


@pytest.mark.parametrize("fault", sorted(GENUINE | TRUE_ATTACKS | FALSE_ATTACKS))
def test_it_sees_in_notifications_what_the_simulator_meant(box, fault):
    receiver, sdk = Receiver(), sdk_of(box)
    try:
        sdk.api_alipay_trade_precreate("元境 充值", f"told_{fault}", "10.00", notify_url=receiver.url)
        box.press(f"told_{fault}", "pay" if fault in GENUINE else "attack", fault)
        assert verifies(sdk, receiver.wait_for(1)[0]) is (fault not in FALSE_ATTACKS)
    finally:
        receiver.stop()


async def test_the_adapters_requests_verify_by_its_rules():
    """The SDK checks no requests, but its check of a signed text does, with `sign_type` kept, which requests sign."""
    judge = AliPay(
        APP_ID,
        app_private_key_string=private_text(key(OTHER)).decode(),
        alipay_public_key_string=public_text(key(MERCHANT)),
    )
    async with Client(alipay_options()) as method:
        for way in (PayWay.PAGE, PayWay.WAP):
            begun = await method.start(order("t_1", way=way, notify_url="http://a/?b=c&d=元", return_url="http://a/ b"))
            fields = dict(parse_qsl(urlsplit(begun.url).query, keep_blank_values=True))
            sign = fields.pop("sign")
            text = "&".join(f"{name}={it}" for name, it in sorted(fields.items()))
            assert judge._verify(text, sign)
            assert not judge._verify(text + " ", sign)
            assert judge._sign(text) != sign
            assert fields["sign_type"] == "RSA2"
            sent = dt.datetime.strptime(fields["timestamp"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007  # local, as the SDK
            assert abs(sent.timestamp() - time.time()) < 30  # noqa: TID251  # the SDK's own clock


def certificate(whose, name, number):
    issuer = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ant Test"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Certification Authority"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=issuer,
        public_key=key(whose).public_key(),
        serial_number=number,
        not_valid_before=begin,
        not_valid_after=begin + dt.timedelta(days=9999),
    ).sign(key(whose), hashes.SHA256())
    return made.public_bytes(PEM).decode()


@pytest.mark.filterwarnings("ignore:.*cryptography:DeprecationWarning")  # of pyOpenSSL, which the SDK calls
@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
async def test_certificate_mode_is_the_same_for_both():
    app, own, root = certificate(MERCHANT, "App", 11), certificate(ALIPAY, "Alipay", 12), certificate(OTHER, "Root", 13)
    sdk = DCAliPay(APP_ID, private_text(key(MERCHANT)).decode(), app, own, root)
    box = Simulated(
        app_cert_sn=sdk.app_cert_sn,
        alipay_root_cert_sn=sdk.alipay_root_cert_sn,
        alipay_cert_sn=DCAliPay.get_cert_sn(own),
    )
    try:
        sdk._gateway = box.gateway
        assert sdk.api_alipay_trade_precreate("x", "cert_1", "1.00")["code"] == "10000"
        given = {
            "gateway_url": box.gateway,
            "alipay_public_key": "",
            "app_certificate": app,
            "alipay_root_certificates": root,
        }
        async with Client(alipay_options(**given, alipay_certificate=own)) as method:
            assert (await method.query("cert_1")).state is PaymentState.UNKNOWN
        renewed = certificate(ALIPAY, "Alipay", 99)
        async with Client(alipay_options(**given, alipay_certificate=renewed)) as method:
            with pytest.raises(PaymentUnavailableError, match="another certificate"):
                await method.query("cert_1")
        async with Client(alipay_options(gateway_url=box.gateway)) as method:
            with pytest.raises(PaymentUnavailableError, match=r"isv\.invalid-app-cert-sn"):
                await method.query("cert_1")
    finally:
        box.stop()
