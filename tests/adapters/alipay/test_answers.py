"""Answers that the simulator does not give: signed nonsense, unsigned sense, and what a refusal means."""

import base64
import datetime as dt
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from tests.support.alipay import ALIPAY, Client, alipay_options, key, order
from tests.support.web import Web

from yuanjing.adapters.alipay.gateway import AlipayRefusedError
from yuanjing.domain.topups import FEN_NANOS
from yuanjing.ports.payments import Payment, PaymentRefusedError, PaymentState, PaymentUnavailableError

DAY = dt.date(2026, 1, 1)
QUERY, CLOSE, REFUND = "alipay.trade.query", "alipay.trade.close", "alipay.trade.refund"
FOUND, BILL = "alipay.trade.fastpay.refund.query", "alipay.data.dataservice.bill.downloadurl.query"
PAID = {
    "code": "10000",
    "out_trade_no": "t_1",
    "trade_no": "1",
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "1.00",
}
BACK = {
    "code": "10000",
    "out_trade_no": "t_1",
    "out_request_no": "r_1",
    "refund_status": "REFUND_SUCCESS",
    "refund_amount": "1.00",
}


def signed(text):
    return base64.b64encode(key(ALIPAY).sign(text.encode(), padding.PKCS1v15(), SHA256())).decode()


def answer(method, fields, sign=None, name="", extra=""):
    inner = fields if isinstance(fields, str) else json.dumps(fields)
    name = name or f"{method.replace('.', '_')}_response"
    return 200, {}, f'{{"{name}":{inner},{extra}"sign":"{sign or signed(inner)}"}}'.encode()


async def ask(method, *answers):
    """What the adapter makes of the answers, one after the other."""
    calls = {
        QUERY: lambda one: one.query("t_1"),
        CLOSE: lambda one: one.close("t_1"),
        REFUND: lambda one: one.refund("t_1", "r_1", 100 * FEN_NANOS, "why"),
        FOUND: lambda one: one.find_refund("t_1", "r_1"),
        BILL: lambda one: one.bill(DAY),
        "alipay.trade.precreate": lambda one: one.start(order("t_1")),
    }
    async with (
        Web({"/gateway.do": list(answers)}) as web,
        Client(alipay_options(gateway_url=f"{web.url}/gateway.do")) as one,
    ):
        return await calls[method](one)


def refusal(sub_code, code="40004"):
    return {"code": code, "msg": "x", "sub_code": sub_code, "sub_msg": "a long story, with a key perhaps"}


UNREADABLE = {
    "nothing": (200, {}, b""),
    "no JSON": (200, {}, b"<html>"),
    "not UTF-8": (200, {}, b'{"a":"\xff"}'),
    "no object": (200, {}, b"[]"),
    "a redirect": (302, {"location": "http://127.0.0.1:9/"}, b""),
    "another status": (503, {}, answer(QUERY, PAID)[2]),
    "an answer to another method": answer(CLOSE, PAID),
    "no signature": (200, {}, b'{"alipay_trade_query_response":{"code":"10000"}}'),
    "a signature that is no text": (200, {}, b'{"alipay_trade_query_response":{"code":"10000"},"sign":1}'),
    "a signature of something else": answer(QUERY, PAID, sign=signed("{}")),
    "a text for an object": answer(QUERY, '"10000"'),
    "the same name twice": (
        200,
        {},
        answer(QUERY, PAID)[2].replace(b'"sign"', b'"alipay_trade_query_response":{},"sign"'),
    ),
    "a certificate in public key mode": answer(QUERY, PAID, extra='"alipay_cert_sn":"1",'),
    "too much": (200, {}, b" " * 1_100_000 + answer(QUERY, PAID)[2]),
    "another order": answer(QUERY, PAID | {"out_trade_no": "t_2"}),
    "no status": answer(QUERY, PAID | {"trade_status": ""}),
    "another status of the trade": answer(QUERY, PAID | {"trade_status": "TRADE_MAYBE"}),
    "no trade": answer(QUERY, PAID | {"trade_no": ""}),
    "a trade that is no number": answer(QUERY, PAID | {"trade_no": "a b"}),
    "no amount": answer(QUERY, PAID | {"total_amount": ""}),
    "a number for an amount": answer(QUERY, PAID | {"total_amount": 1.0}),
    "an amount that is none": answer(QUERY, PAID | {"total_amount": "1,00"}),
    "an amount of nothing": answer(QUERY, PAID | {"total_amount": "0.00"}),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_what_cannot_be_trusted(name):
    with pytest.raises(PaymentUnavailableError):
        await ask(QUERY, UNREADABLE[name])


async def test_the_same_answers_when_they_are_right():
    found = await ask(QUERY, answer(QUERY, PAID))
    assert found == Payment(number="t_1", state=PaymentState.PAID, amount_nanos=100 * FEN_NANOS, upstream_id="1")
    waiting = PAID | {"trade_status": "WAIT_BUYER_PAY"}
    assert (await ask(QUERY, answer(QUERY, waiting))).state is PaymentState.WAITING


UNSURE = [
    ("ACQ.SYSTEM_ERROR", "40004"),
    ("aop.ACQ.SYSTEM_ERROR", "40004"),
    ("aop.invalid-app-auth-token", "40004"),
    ("isp.system-busy", "40004"),
    ("", "20000"),
    ("aop.invalid-auth-token", "20001"),
    ("isv.call-limited", "40005"),
]


@pytest.mark.parametrize(("sub_code", "code"), UNSURE)
@pytest.mark.parametrize("method", [QUERY, CLOSE, REFUND, FOUND, BILL, "alipay.trade.precreate"])
async def test_what_leaves_open_what_was_done(method, sub_code, code):
    with pytest.raises(PaymentUnavailableError):
        await ask(method, answer(method, refusal(sub_code, code)))


@pytest.mark.parametrize("method", [QUERY, CLOSE, BILL, "alipay.trade.precreate"])
async def test_what_is_refused(method):
    with pytest.raises(AlipayRefusedError) as caught:
        await ask(method, answer(method, refusal("isv.insufficient-isv-permissions", "40006")))
    assert caught.value.sub_code == "isv.insufficient-isv-permissions"
    assert isinstance(caught.value, PaymentRefusedError)
    assert "story" not in str(caught.value)


async def test_a_protocol_error_is_told_by_its_code_alone():
    bare = json.dumps({"error_response": refusal("isv.invalid-app-id", "40002")}).encode()
    with pytest.raises(PaymentUnavailableError, match=r"40002 isv\.invalid-app-id$"):
        await ask(QUERY, (200, {}, bare))
    odd = json.dumps({"error_response": refusal("secret key\n", "x" * 99)}).encode()
    with pytest.raises(PaymentUnavailableError) as caught:
        await ask(QUERY, (200, {}, odd))
    assert "secret" not in str(caught.value)
    assert "xxx" not in str(caught.value)
    with pytest.raises(AlipayRefusedError):
        await ask(QUERY, answer(QUERY, refusal("isv.invalid-method", "40002"), name="error_response"))


REFUSED = answer(REFUND, refusal("ACQ.TRADE_STATUS_ERROR"))


async def test_a_refused_refund_that_is_there_is_done():
    assert await ask(REFUND, REFUSED, answer(FOUND, BACK))


async def test_a_refused_refund_that_is_not_there_is_refused():
    with pytest.raises(AlipayRefusedError, match="TRADE_STATUS_ERROR"):
        await ask(REFUND, REFUSED, answer(FOUND, {"code": "10000"}))


async def test_a_refused_refund_of_which_nothing_is_known_is_open():
    with pytest.raises(PaymentUnavailableError):
        await ask(REFUND, REFUSED, (500, {}, b""))


NO_QUESTIONS = answer(FOUND, refusal("isv.insufficient-isv-permissions", "40006"))


async def test_a_refused_question_says_nothing_of_the_refund():
    under_way = answer(REFUND, {"code": "10000", "out_trade_no": "t_1", "fund_change": "N"})
    for method, answers in ((FOUND, ()), (REFUND, (REFUSED,)), (REFUND, (under_way,))):
        with pytest.raises(PaymentUnavailableError, match="is refused with 40006"):
            await ask(method, *answers, NO_QUESTIONS)
    unknown = answer(FOUND, refusal("ACQ.TRADE_NOT_EXIST"))
    assert not await ask(FOUND, unknown)


@pytest.mark.parametrize(
    ("sub_code", "code", "is_of_payment"),
    [
        ("ACQ.SELLER_BALANCE_NOT_ENOUGH", "40004", True),
        ("ACQ.TRADE_HAS_FINISHED", "40004", True),
        ("ACQ.TRADE_NOT_EXIST", "40004", False),
        ("isv.insufficient-isv-permissions", "40006", False),
        ("isv.invalid-parameter", "40002", False),
        ("", "40001", False),
    ],
)
async def test_which_refusals_speak_of_the_payment(sub_code, code, is_of_payment):
    with pytest.raises(AlipayRefusedError) as caught:
        await ask(REFUND, answer(REFUND, refusal(sub_code, code)), answer(FOUND, {"code": "10000"}))
    assert caught.value.is_of_payment is is_of_payment


@pytest.mark.parametrize(
    "change",
    [{"out_trade_no": "t_2"}, {"out_request_no": "r_2"}, {"refund_amount": ""}, {"refund_amount": "-1.00"}],
)
async def test_another_refund_is_not_ours(change):
    with pytest.raises(PaymentUnavailableError):
        await ask(FOUND, answer(FOUND, BACK | change))
    with pytest.raises(PaymentUnavailableError):
        await ask(
            REFUND,
            answer(REFUND, {"code": "10000", "out_trade_no": "t_1", "fund_change": "N"}),
            answer(FOUND, BACK | change),
        )


@pytest.mark.parametrize("status", ["", "REFUND_FAIL", "REFUND_PROCESSING", None])
async def test_a_refund_without_success_has_not_moved(status):
    assert not await ask(FOUND, answer(FOUND, BACK | {"refund_status": status}))


@pytest.mark.parametrize("method", [CLOSE, REFUND, "alipay.trade.precreate"])
async def test_an_answer_for_another_order(method):
    fields = {"code": "10000", "out_trade_no": "t_2", "fund_change": "Y", "qr_code": "https://qr/x"}
    with pytest.raises(PaymentUnavailableError, match="another order"):
        await ask(method, answer(method, fields))


@pytest.mark.parametrize("code", ["", None, 7, "x" * 1025])
async def test_a_code_that_cannot_be_shown(code):
    with pytest.raises(PaymentUnavailableError, match="qr_code"):
        await ask(
            "alipay.trade.precreate",
            answer("alipay.trade.precreate", {"code": "10000", "out_trade_no": "t_1", "qr_code": code}),
        )


@pytest.mark.parametrize("sub_code", ["BILL_NOT_EXIST", "isp.bill_not_exist", "ACQ.BILL_NOT_EXIST"])
async def test_no_bill(sub_code):
    assert await ask(BILL, answer(BILL, refusal(sub_code))) is None


@pytest.mark.parametrize(
    "got", [(403, {}, b"expired"), (200, {}, b"not a zip"), (302, {"location": "http://127.0.0.1:9/"}, b"")]
)
async def test_a_bill_that_does_not_come(got):
    async with Web({"/bill": got}) as web:
        fields = {"code": "10000", "bill_download_url": f"{web.url}/bill"}
        with pytest.raises(PaymentUnavailableError, match="bill"):
            await ask(BILL, answer(BILL, fields))
    with pytest.raises(PaymentUnavailableError, match="no answer"):
        await ask(BILL, answer(BILL, {"code": "10000", "bill_download_url": "http://127.0.0.1:9/"}))
