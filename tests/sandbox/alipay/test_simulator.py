"""The simulated Alipay by itself: what it refuses, what it remembers, when it tells."""

import base64
import json
import time
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from tests.support.alipay import (
    ALIPAY,
    APP_ID,
    MERCHANT,
    OTHER,
    forms_of,
    key,
    public_text,
)

from yuanjing.sandbox.app import create_app
from yuanjing.sandbox.options import SandboxOptions

BEIJING_SECONDS = 8 * 3600


def stamp(offset=0.0):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + BEIJING_SECONDS + offset))  # noqa: TID251  # by hand


def signature(params, whose=MERCHANT, algorithm=SHA256):
    text = "&".join(f"{name}={params[name]}" for name in sorted(params) if params[name] and name != "sign")
    return base64.b64encode(key(whose).sign(text.encode(), padding.PKCS1v15(), algorithm())).decode()


def request(method, biz, /, **changes):
    params = {
        "app_id": APP_ID,
        "method": f"alipay.{method}",
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": stamp(),
        "version": "1.0",
        "biz_content": json.dumps(biz, ensure_ascii=False),
    } | changes
    params = {name: it for name, it in params.items() if it is not None}
    return {"sign": signature(params), **params}


def call(box, method, biz, /, **changes):
    """The answer's inner object; its signature is checked."""
    return opened(box.client.post("/alipay/gateway.do", data=request(method, biz, **changes)), f"alipay.{method}")


def opened(answer, method):
    assert answer.status_code == 200
    text = answer.content.decode()
    name = f'{{"{method.replace(".", "_")}_response":'
    assert text.startswith(name), text
    inner, _, signed = text.removeprefix(name).partition(',"sign":"')
    raw = base64.b64decode(signed.removesuffix('"}'))
    key(ALIPAY).public_key().verify(raw, inner.encode(), padding.PKCS1v15(), SHA256())
    return json.loads(inner)


def place(box, number, amount="10.00", **changes):
    biz = {"out_trade_no": number, "total_amount": amount, "subject": "元境充值"}
    return call(box, "trade.precreate", biz, **changes)


def paid(box, number, fault="lost", **changes):
    place(box, number, **changes)
    assert box.press(number, "pay", fault).status_code == 200
    return number


def status(box, number):
    found = call(box, "trade.query", {"out_trade_no": number})
    return found.get("trade_status") or found["sub_code"]


def test_parameters_come_in_the_query_the_body_or_both(box):
    params = request("trade.query", {"out_trade_no": "nobody"})
    body = {"biz_content": params["biz_content"]}
    query = {name: it for name, it in params.items() if name not in body}
    answers = [
        box.client.get("/alipay/gateway.do", params=params),
        box.client.post("/alipay/gateway.do", data=params),
        box.client.post("/alipay/gateway.do", params=query, data=body),
    ]
    assert {opened(one, "alipay.trade.query")["sub_code"] for one in answers} == {"ACQ.TRADE_NOT_EXIST"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("app_id", "isv.missing-app-id"),
        ("method", "isv.missing-method"),
        ("sign", "isv.missing-signature"),
        ("sign_type", "isv.missing-signature-type"),
        ("timestamp", "isv.missing-timestamp"),
        ("version", "isv.missing-version"),
    ],
)
def test_what_is_missing_is_named_in_an_unsigned_answer(box, name, code):
    params = request("trade.query", {"out_trade_no": "x"})
    for value in (None, ""):
        given = {key: it for key, it in params.items() if key != name} | ({} if value is None else {name: value})
        answer = box.client.post("/alipay/gateway.do", data=given).json()
        (inner,) = answer.values()
        assert (inner["code"], inner["sub_code"]) == ("40001", code)


WRONG = {
    "isv.invalid-app-id": {"app_id": "1"},
    "isv.invalid-method": {"method": "alipay.trade.steal"},
    "isv.invalid-signature-type": {"sign_type": "RSA"},
    "isv.invalid-version": {"version": "2.0"},
    "isv.invalid-format": {"format": "XML"},
    "isv.invalid-charset": {"charset": "GBK"},
    "isv.invalid-app-cert-sn": {"app_cert_sn": "1"},
    "isv.invalid-alipay-root-cert-sn": {"alipay_root_cert_sn": "1"},
    "isv.invalid-signature": {"sign": signature({"a": "b"})},
}


@pytest.mark.parametrize("code", WRONG)
def test_what_is_wrong_is_named(box, code):
    answer = box.client.post("/alipay/gateway.do", data=request("trade.query", {}, **WRONG[code])).json()
    (inner,) = answer.values()
    assert (inner["code"], inner["sub_code"]) == ("40002", code)


@pytest.mark.parametrize("given", [-700, 700, -BEIJING_SECONDS, "now", "2026-11-30T00:00:00"])
def test_stale_times_are_refused(box, given):
    given = given if isinstance(given, str) else stamp(given)
    (inner,) = box.client.post("/alipay/gateway.do", data=request("trade.query", {}, timestamp=given)).json().values()
    assert inner["sub_code"] == "isv.invalid-timestamp"


@pytest.mark.parametrize("whose", [OTHER, ALIPAY])
def test_only_the_merchants_signature_counts(box, whose):
    params = request("trade.query", {"out_trade_no": "x"})
    for sign in (signature(params, whose), signature(params, MERCHANT, SHA1), "", "x", params["sign"][:-4]):
        answer = box.client.post("/alipay/gateway.do", data=params | {"sign": sign}).json()
        assert "sign" not in answer
        assert answer["alipay_trade_query_response"]["sub_code"] in {"isv.invalid-signature", "isv.missing-signature"}
    changed = box.client.post("/alipay/gateway.do", data=params | {"biz_content": '{"out_trade_no":"y"}'}).json()
    assert changed["alipay_trade_query_response"]["sub_code"] == "isv.invalid-signature"


@pytest.mark.parametrize(
    "biz",
    [
        {"out_trade_no": "a-b"},
        {"out_trade_no": ""},
        {"total_amount": "0"},
        {"total_amount": "0.00"},
        {"total_amount": "1.001"},
        {"total_amount": "-1"},
        {"total_amount": "1e3"},
        {"subject": ""},
        {"subject": "a=b"},
        {"subject": "x" * 257},
        {"time_expire": "soon"},
        {"time_expire": "2020-01-01 00:00:00"},
    ],
)
def test_orders_that_cannot_be(box, biz):
    given = {"out_trade_no": "bad_1", "total_amount": "1.00", "subject": "x"} | biz
    assert call(box, "trade.precreate", given)["sub_code"] == "ACQ.INVALID_PARAMETER"
    assert (
        call(box, "trade.precreate", given | {"out_trade_no": "a", "total_amount": "100000000.01"})["code"] == "40004"
    )


def test_a_body_that_is_no_object(box):
    for text in ("[]", "{", "1", "[" * 50_000):
        assert call(box, "trade.query", {}, biz_content=text)["sub_code"] == "isv.invalid-arguments"


def test_a_number_belongs_to_one_order(box):
    assert place(box, "one_1") == place(box, "one_1")
    assert place(box, "one_1", "11.00")["sub_code"] == "ACQ.CONTEXT_INCONSISTENT"
    box.press("one_1", "pay", "lost")
    assert place(box, "one_1")["sub_code"] == "ACQ.TRADE_HAS_SUCCESS"


def test_page_pay_refuses_on_a_page(box):
    biz = {"out_trade_no": "page_1", "total_amount": "1", "subject": "x", "product_code": "FACE_TO_FACE_PAYMENT"}
    answer = box.client.get("/alipay/gateway.do", params=request("trade.page.pay", biz))
    assert answer.headers["content-type"].startswith("text/html")
    assert "ACQ.INVALID_PARAMETER" in answer.text
    bad = request("trade.page.pay", biz) | {"sign": "x"}
    assert "isv.invalid-signature" in box.client.get("/alipay/gateway.do", params=bad).text


def test_a_cashier_without_scripts(box):
    place(box, "cashier_1")
    path = box.cashier("cashier_1")
    answer = box.client.get(path)
    forms = forms_of(answer.text)
    assert "<script" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "Sandbox" in answer.text
    assert {"action": "pay", "fault": ""} in forms
    assert {"action": "cancel", "fault": ""} in forms
    assert {"action": "attack", "fault": "forged"} in forms
    assert box.client.post(path, data={"action": "cancel", "fault": ""}).status_code == 200
    assert status(box, "cashier_1") == "WAIT_BUYER_PAY"
    for fields in ({"action": "pay", "fault": "x"}, {"action": "x"}, {}):
        assert box.client.post(path, data=fields).status_code == 404
    assert box.client.get("/alipay/cashier/nobody").status_code == 404
    assert "cashier_1" in box.client.get("/alipay/").text


def test_texts_of_the_merchant_are_escaped(box):
    biz = {"out_trade_no": "escape_1", "total_amount": "1", "subject": "<script>alert(1)<x>"}
    assert call(box, "trade.precreate", biz)["code"] == "10000"
    page = box.client.get(box.cashier("escape_1")).text
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_the_browser_returns_with_signed_fields(box):
    biz = {"out_trade_no": "back_1", "total_amount": "1", "subject": "x", "product_code": "QUICK_WAP_WAY"}
    opened = box.client.get(
        "/alipay/gateway.do", params=request("trade.wap.pay", biz, return_url="http://127.0.0.1:1/back")
    )
    path = opened.headers["location"]
    back = box.client.post(path, data={"action": "pay", "fault": ""}).headers["location"]
    fields = dict(parse_qsl(urlsplit(back).query, keep_blank_values=True))
    sign = base64.b64decode(fields.pop("sign"))
    del fields["sign_type"]
    text = "&".join(f"{name}={it}" for name, it in sorted(fields.items()))
    key(ALIPAY).public_key().verify(sign, text.encode(), padding.PKCS1v15(), SHA256())
    assert fields["out_trade_no"] == "back_1"
    assert fields["method"] == "alipay.trade.wap.pay.return"
    assert "Back to the merchant" in box.client.get(path).text


def test_canceling_pays_back_and_closes(box):
    paid(box, "cancel_1")
    assert call(box, "trade.cancel", {"out_trade_no": "cancel_1"})["action"] == "refund"
    assert status(box, "cancel_1") == "TRADE_CLOSED"
    place(box, "cancel_2")
    box.cashier("cancel_2")
    assert call(box, "trade.cancel", {"out_trade_no": "cancel_2"})["action"] == "close"
    assert "action" not in call(box, "trade.cancel", {"out_trade_no": "cancel_2"})


def test_refunds_by_number(box):
    paid(box, "part_1")
    biz = {"out_trade_no": "part_1", "refund_amount": "2.50"}
    assert call(box, "trade.refund", biz)["sub_code"] == "ACQ.INVALID_PARAMETER"
    first = call(box, "trade.refund", biz | {"out_request_no": "r_1"})
    again = call(box, "trade.refund", biz | {"out_request_no": "r_1"})
    assert (first["fund_change"], again["fund_change"]) == ("Y", "N")
    assert first["refund_fee"] == again["refund_fee"] == "2.50"
    other = call(box, "trade.refund", biz | {"out_request_no": "r_1", "refund_amount": "2.51"})
    assert other["sub_code"] == "ACQ.DISCORDANT_REPEAT_REQUEST"
    query = {"out_trade_no": "part_1", "out_request_no": "r_1"}
    assert call(box, "trade.fastpay.refund.query", query)["refund_amount"] == "2.50"
    assert "refund_status" not in call(box, "trade.fastpay.refund.query", query | {"out_request_no": "r_2"})
    assert call(box, "trade.fastpay.refund.query", {"out_trade_no": "part_1"})["code"] == "40004"


PAUSES = (240, 600, 600, 3600, 7200, 21_600, 54_000)


def test_the_schedule_of_sends(fresh, receiver):
    """Eight sends within 25 hours; only `success` alone ends them."""
    box = fresh()
    receiver.answer = b"success\n"
    paid(box, "retry_1", "", notify_url=receiver.url)
    for number, pause in enumerate(PAUSES):
        assert len(box.attempts("retry_1", number + 1)) == number + 1
        box.advance(pause - 5)
        time.sleep(0.05)
        assert len(box.attempts("retry_1")) == number + 1
        box.advance(6)
    assert len(box.attempts("retry_1", 8)) == 8
    box.advance(10 * 86_400)
    time.sleep(0.05)
    log = box.attempts("retry_1")
    assert [one["number"] for one in log] == list(range(8))
    assert {one["notify_id"] for one in log} == {log[0]["notify_id"]}
    assert not any(one["is_taken"] for one in log)
    assert sum(PAUSES) <= 25 * 3600


def test_success_ends_the_sends(fresh, receiver):
    box = fresh()
    receiver.status = 500
    paid(box, "taken_1", "", notify_url=receiver.url)
    box.attempts("taken_1", 1)
    receiver.status = 200
    box.advance(241)
    assert [one["is_taken"] for one in box.attempts("taken_1", 2)] == [False, True]
    box.advance(86_400)
    time.sleep(0.05)
    assert len(box.attempts("taken_1")) == 2


def test_late_and_lost(fresh, receiver):
    box = fresh()
    place(box, "late_1", notify_url=receiver.url)
    box.press("late_1", "pay", "late", seconds="1000")
    paid(box, "lost_1", "lost", notify_url=receiver.url)
    time.sleep(0.05)
    assert (box.attempts("late_1"), box.attempts("lost_1")) == ([], [])
    box.advance(1001)
    assert box.attempts("late_1", 1)[0]["is_taken"]
    assert box.attempts("lost_1") == []


def test_early_is_before_the_browser_returns(box, receiver):
    place(box, "early_1", notify_url=receiver.url, return_url="http://127.0.0.1:1/")
    assert box.press("early_1", "pay", "early").status_code == 302
    assert len(receiver.bodies) == 1


def test_finished_comes_by_itself_later(fresh, receiver):
    box = fresh()
    paid(box, "finish_1", "", notify_url=receiver.url)
    box.attempts("finish_1", 1)
    box.advance(366 * 86_400)
    log = box.attempts("finish_1", 2)
    assert [one["trade_status"] for one in log] == ["TRADE_SUCCESS", "TRADE_FINISHED"]


def test_finished_first(box, receiver):
    paid(box, "order_1", "finished_first", notify_url=receiver.url)
    log = box.attempts("order_1", 2)
    assert [one["trade_status"] for one in log] == ["TRADE_FINISHED", "TRADE_SUCCESS"]


def test_nobody_takes_it(box):
    paid(box, "deaf_1", "", notify_url="http://127.0.0.1:9/")
    (log,) = box.attempts("deaf_1", 1)
    assert (log["status"], log["is_taken"], log["answer"]) == (0, False, "ConnectError")


def test_bills_wait_for_nine_and_for_half_a_minute(fresh):
    box = fresh()
    paid(box, "bill_1")
    today = stamp()[:10]
    biz = {"bill_type": "trade", "bill_date": today}
    name = "data.dataservice.bill.downloadurl.query"
    assert call(box, name, biz)["sub_code"] == "isp.bill_not_exist"
    midnight = 86_400 - sum(int(part) * size for part, size in zip(stamp()[11:].split(":"), (3600, 60, 1), strict=True))
    ahead = midnight + 8 * 3600 + 3000
    box.advance(ahead)
    assert call(box, name, biz, timestamp=stamp(ahead))["sub_code"] == "isp.bill_not_exist"
    box.advance(1000)
    ahead += 1000
    url = call(box, name, biz, timestamp=stamp(ahead))["bill_download_url"]
    answer = httpx2.get(url, trust_env=False)
    assert answer.content.startswith(b"PK")
    box.advance(31)
    assert httpx2.get(url, trust_env=False).status_code == 403
    month = call(box, name, biz | {"bill_date": today[:7]}, timestamp=stamp(ahead + 31))
    assert month.get("sub_code") == "isp.bill_not_exist" or today[:7] < stamp(ahead)[:7]
    for bad in ({"bill_type": "x"}, {"bill_date": "x"}, {"bill_date": "9999-12-31"}, {"bill_date": "9999-12"}):
        assert call(box, name, biz | bad, timestamp=stamp(ahead + 31))["sub_code"] == "isv.invalid-arguments"


def test_wrong_buttons_are_answered(box):
    for path, fields in (
        ("clock", {"advance": "-1"}),
        ("clock", {"advance": "x"}),
        ("clock", {}),
        ("faults", {"fault": "x"}),
        ("bill-difference", {"kind": "x", "out_trade_no": "y"}),
        ("refunds", {"out_trade_no": "x", "amount": "0", "out_request_no": "r"}),
    ):
        assert box.client.post(f"/alipay/{path}", data=fields).status_code == 400
    assert box.client.post("/alipay/finish", data={"out_trade_no": "nobody"}).status_code == 409
    assert box.client.get("/alipay/nothing").status_code == 404
    assert box.client.delete("/alipay/clock").status_code == 404
    assert box.client.post("/alipay/gateway.do", content=b"x" * 300_000).status_code == 413


def test_a_refund_in_the_merchants_console_is_told(box, receiver):
    paid(box, "console_1", "", notify_url=receiver.url)
    box.attempts("console_1", 1)
    box.post("refunds", out_trade_no="console_1", amount="1", out_request_no="r_1")
    fields = dict(parse_qsl(receiver.wait_for(2)[1].decode()))
    assert (fields["trade_status"], fields["refund_fee"], fields["out_biz_no"]) == ("TRADE_SUCCESS", "1.00", "r_1")


def test_certificate_mode(fresh):
    box = fresh(app_cert_sn="a1", alipay_root_cert_sn="b1_b2", alipay_cert_sn="c1")
    (inner,) = box.client.post("/alipay/gateway.do", data=request("trade.query", {})).json().values()
    assert inner["sub_code"] == "isv.invalid-app-cert-sn"
    params = request("trade.query", {"out_trade_no": "x"}, app_cert_sn="a1", alipay_root_cert_sn="b1_b2")
    answer = box.client.post("/alipay/gateway.do", data=params).json()
    assert answer["alipay_cert_sn"] == "c1"


def test_its_own_key_is_shown_and_new_with_each_start(fresh):
    shown = fresh().client.get("/alipay/public-key").text
    assert shown in public_text(key(ALIPAY)).replace("\n", "")
    others = {fresh(private_key="").client.get("/alipay/public-key").text for _ in range(2)}
    assert len(others | {shown}) == 3


async def test_without_a_merchant_there_is_no_alipay():
    transport = httpx2.ASGITransport(app=create_app(SandboxOptions(time_scale=0)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        assert (await client.get("/alipay/")).status_code == 404


def test_old_orders_go_and_a_bare_key_will_do(fresh):
    bare = "".join(public_text(key(MERCHANT)).strip().split("\n")[1:-1])
    box = fresh(trades_max=2, merchant_public_key=bare)
    for number in ("old_1", "old_2", "old_3"):
        paid(box, number)
    assert [status(box, number) for number in ("old_1", "old_2", "old_3")] == [
        "ACQ.TRADE_NOT_EXIST",
        "TRADE_SUCCESS",
        "TRADE_SUCCESS",
    ]


def test_paying_twice_is_refused(box):
    path = box.cashier(paid(box, "twice_1"))
    assert "ACQ.TRADE_HAS_SUCCESS" in box.client.post(path, data={"action": "pay", "fault": ""}).text
    assert "Paid" in box.client.get(path).text


def test_the_clock_of_the_front_page(box):
    answer = box.client.post("/alipay/clock", data={"advance": "0"}, headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (302, "/alipay/")


def test_a_fault_meets_its_method_only(box):
    box.fault("http500", method="alipay.trade.refund")
    assert status(box, "nobody") == "ACQ.TRADE_NOT_EXIST"
    assert box.client.post("/alipay/gateway.do", data=request("trade.refund", {})).status_code == 500
    assert call(box, "trade.refund", {"trade_no": "1"})["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    assert call(box, "trade.refund", {})["sub_code"] == "ACQ.INVALID_PARAMETER"
