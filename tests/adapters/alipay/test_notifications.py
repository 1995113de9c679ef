"""What a notification is worth: our verdicts, beside those of another implementation."""

from urllib.parse import parse_qsl, urlencode

import pytest
from alipay import AliPay
from alipay.exceptions import AliPayException
from cryptography.hazmat.primitives.hashes import SHA1
from tests.support.alipay import (
    ALIPAY,
    APP_ID,
    MERCHANT,
    OTHER,
    SELLER_ID,
    form,
    key,
    private_text,
    public_text,
    signature,
)

from yuanjing.adapters.alipay.notifications import NotificationReader
from yuanjing.domain.topups import FEN_NANOS, Verdict
from yuanjing.ports.payments import NotificationRefusedError, Payment, PaymentState

GOOD = {
    "notify_time": "2026-11-30 17:00:00",
    "notify_type": "trade_status_sync",
    "notify_id": "2026113000222170000036731234567890",
    "app_id": APP_ID,
    "charset": "utf-8",
    "version": "1.0",
    "sign_type": "RSA2",
    "trade_no": "2026113022001436731234567890",
    "out_trade_no": "topup_1",
    "buyer_id": "2088622000000001",
    "seller_id": SELLER_ID,
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "12.30",
    "subject": "元境充值 + 100%",
    "fund_bill_list": '[{"amount":"12.30","fundChannel":"ALIPAYACCOUNT"}]',
}
PAID = Payment(
    number="topup_1",
    state=PaymentState.PAID,
    amount_nanos=1230 * FEN_NANOS,
    upstream_id="2026113022001436731234567890",
)


def reader(**changes):
    given = {
        "key": key(ALIPAY).public_key(),
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "bytes_max": 65_536,
        "fields_max": 100,
    }
    return NotificationReader(**(given | changes))


def verdict(raw, **changes):
    """None if the payment is believed."""
    try:
        assert reader(**changes).read(raw) == PAID
    except NotificationRefusedError as error:
        return error.verdict, error.number
    return None


def sdk_verifies(raw):
    """What python-alipay-sdk says of the signature."""
    fields = dict(parse_qsl(raw.decode(), keep_blank_values=True))
    sdk = AliPay(
        APP_ID,
        app_private_key_string=private_text(key(MERCHANT)).decode(),
        alipay_public_key_string=public_text(key(ALIPAY)),
    )
    try:
        return sdk.verify(fields, fields.pop("sign"))
    except AliPayException:
        return False


@pytest.mark.parametrize("status", ["TRADE_SUCCESS", "TRADE_FINISHED"])
def test_a_genuine_payment_is_believed(status):
    raw = form(GOOD | {"trade_status": status})
    assert verdict(raw) is None
    assert sdk_verifies(raw)


def test_blank_fields_count():
    raw = form(GOOD | {"body": "", "passback_params": ""})
    assert verdict(raw) is None
    assert sdk_verifies(raw)
    left_out = raw.replace(b"body=&", b"")
    assert left_out != raw
    assert verdict(left_out) == (Verdict.FORGED, "topup_1")
    assert not sdk_verifies(left_out)


def without(name):
    return {key: it for key, it in GOOD.items() if key != name}


FORGED = {
    "another key": form(GOOD, OTHER),
    "merchant's key": form(GOOD, MERCHANT),
    "SHA-1 called RSA2": form(GOOD, algorithm=SHA1),
    "SHA-1 called RSA": form(GOOD | {"sign_type": "RSA"}, algorithm=SHA1),
    "RSA2 called RSA": form(GOOD | {"sign_type": "RSA"}),
    "another amount": form(GOOD).replace(b"12.30", b"99.30", 1),
    "another order": form(GOOD).replace(b"topup_1", b"topup_2"),
    "another application": form(GOOD).replace(APP_ID.encode(), b"9021000100000002"),
    "another seller": form(GOOD).replace(SELLER_ID.encode(), b"2088721000000002"),
    "a field more": form(GOOD) + b"&extra=1",
    "a blank signature": urlencode({**GOOD, "sign": ""}).encode(),
    "a cut signature": urlencode({**GOOD, "sign": signature(GOOD)[:-4]}).encode(),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_alipay_did_not_sign_is_forged_and_the_sdk_agrees(name):
    found = verdict(FORGED[name])
    assert found is not None
    assert found[0] is Verdict.FORGED
    assert not sdk_verifies(FORGED[name])


def test_a_missing_sign_type_is_refused_where_the_sdk_takes_it():
    raw = form(without("sign_type"))
    assert sdk_verifies(raw)
    assert verdict(raw) == (Verdict.FORGED, "topup_1")


@pytest.mark.parametrize(
    "extra", [b"total_amount=99.00&", b"total_amount=12.30&", b"app_id=x&", b"sign=x&", b"sign_type=RSA2&"]
)
def test_a_field_that_comes_twice_is_refused_wherever_it_stands(extra):
    assert verdict(extra + form(GOOD)) is not None
    assert verdict(form(GOOD) + b"&" + extra[:-1]) is not None
    assert sdk_verifies(extra + form(GOOD)) or extra.startswith(b"sign")  # it never sees the first one


def test_a_genuine_text_cut_into_other_fields_is_refused():
    """Whoever chooses a subject could move the border between fields under the same signature."""
    signed = GOOD | {"subject": "x&total_amount=99.00&total_z="}
    cut = GOOD | {"subject": "x", "total_amount": "99.00", "total_z": "&total_amount=12.30"}
    raw = urlencode({**cut, "sign": signature(signed)}).encode()
    assert sdk_verifies(raw)
    assert verdict(raw) == (Verdict.FORGED, "topup_1")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"sign",
        b"\xff=1",
        b"a=%ff",
        b"{}",
        b"a=1&&b=2",
        b"a=1;b=2",
        "元=1".encode(),
        b"a=" + b"1" * 65_536,
        b"&".join(b"a%d=1" % one for one in range(200)),
    ],
)
def test_what_is_not_a_form_is_forged(raw):
    assert verdict(raw) == (Verdict.FORGED, "")


def test_a_body_of_ten_megabytes_is_refused_unread():
    assert verdict(form(GOOD) + b"&x=" + b"1" * 10_000_000) == (Verdict.FORGED, "")


GENUINE = {
    "another application": (GOOD | {"app_id": "9021000100000002"}, Verdict.MISMATCH),
    "no application": (without("app_id"), Verdict.MISMATCH),
    "another seller": (GOOD | {"seller_id": "2088721000000002"}, Verdict.MISMATCH),
    "no seller": (without("seller_id"), Verdict.MISMATCH),
    "no amount": (without("total_amount"), Verdict.MISMATCH),
    "a negative amount": (GOOD | {"total_amount": "-12.30"}, Verdict.MISMATCH),
    "an amount of nothing": (GOOD | {"total_amount": "0.00"}, Verdict.MISMATCH),
    "an amount with an exponent": (GOOD | {"total_amount": "1e3"}, Verdict.MISMATCH),
    "three decimals": (GOOD | {"total_amount": "12.301"}, Verdict.MISMATCH),
    "no trade": (without("trade_no"), Verdict.MISMATCH),
    "a waiting trade": (GOOD | {"trade_status": "WAIT_BUYER_PAY"}, Verdict.IGNORED),
    "a closed trade": (GOOD | {"trade_status": "TRADE_CLOSED"}, Verdict.IGNORED),
    "another status": (GOOD | {"trade_status": "trade_success"}, Verdict.IGNORED),
    "no status": (without("trade_status"), Verdict.IGNORED),
    "another type": (GOOD | {"notify_type": "sign"}, Verdict.IGNORED),
    "the browser's return": (without("notify_type"), Verdict.IGNORED),
    "a refund in part": (GOOD | {"refund_fee": "0.01"}, Verdict.IGNORED),
    "a refund's number": (GOOD | {"out_biz_no": "refund_1"}, Verdict.IGNORED),
    "a refund's time": (GOOD | {"gmt_refund": "2026-11-30 17:00:00.000"}, Verdict.IGNORED),
    "a refund that cannot be read": (GOOD | {"refund_fee": "?"}, Verdict.IGNORED),
}


@pytest.mark.parametrize("name", GENUINE)
def test_genuine_ones_that_move_nothing(name):
    fields, expected = GENUINE[name]
    assert sdk_verifies(form(fields))
    assert verdict(form(fields)) == (expected, "topup_1")


def test_a_refund_of_nothing_is_a_payment():
    assert verdict(form(GOOD | {"refund_fee": "0.00", "out_biz_no": "", "gmt_refund": ""})) is None


@pytest.mark.parametrize("number", ["", "a-b", "a" * 65, "../x", "元"])
def test_a_number_that_cannot_be_ours_is_unknown_and_not_repeated(number):
    assert verdict(form(GOOD | {"out_trade_no": number})) == (Verdict.UNKNOWN, "")


def test_nothing_secret_is_shown():
    assert "key" not in repr(reader())
    with pytest.raises(NotificationRefusedError) as caught:
        reader().read(form(GOOD, OTHER))
    assert signature(GOOD, OTHER) not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "paid_at"),
    [
        ("2026-11-30 17:00:00", 1_796_029_200.0),
        ("2026-11-30 00:00:00", 1_795_968_000.0),
        ("", None),
        ("2026-11-30", None),
        ("2026-13-30 17:00:00", None),
        ("2026-11-30 17:00:00.000", None),
    ],
)
def test_when_it_was_paid_is_told_in_beijings_time(text, paid_at):
    assert reader().read(form(GOOD | {"gmt_payment": text})).paid_at == paid_at
    assert reader().read(form(GOOD)).paid_at is None
