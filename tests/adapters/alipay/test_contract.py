"""The adapter against the simulated Alipay over a real socket: every method, every fault."""

import datetime as dt

import pytest
from tests.support.alipay import (
    MERCHANT,
    OTHER,
    Client,
    alipay_options,
    key,
    order,
    private_text,
    public_text,
)

from yuanjing.adapters.alipay.gateway import AlipayRefusedError
from yuanjing.adapters.alipay.keys import AlipayKeyError
from yuanjing.domain.topups import FEN_NANOS, PayWay, Verdict
from yuanjing.kit.clock import SystemClock
from yuanjing.kit.webcalls import CallLimits
from yuanjing.ports.payments import (
    NotificationRefusedError,
    PaymentRefusedError,
    PaymentState,
    PaymentUnavailableError,
)

YUAN = 100 * FEN_NANOS
SHORT = CallLimits(connect_seconds=0.3, pool_seconds=0.3, read_seconds=0.4, total_seconds=1.0)


class Ahead(SystemClock):
    """The system's clock, put forward as far as the simulator's."""

    ahead = 0.0

    def unix(self):
        return super().unix() + self.ahead


def talk(box, clock=None, limits=None, **changes):
    options = alipay_options(gateway_url=box.gateway, **changes)
    return Client(options, clock) if limits is None else Client(options, clock, limits)


async def paid(method, box, number, fen=10_00, fault="lost", **changes):
    """An order that was paid by QR code."""
    await method.start(order(number, fen, **changes))
    answer = box.press(number, "pay", fault)
    assert answer.status_code == 200, answer.text
    return number


@pytest.mark.parametrize(("way", "name"), [(PayWay.PAGE, "page"), (PayWay.WAP, "wap")])
async def test_pay_in_the_browser(box, receiver, way, name):
    number = f"browser_{name}"
    async with talk(box) as method:
        asked = order(number, 12_34, way, notify_url=receiver.url, return_url="http://127.0.0.1:1/back?a=1")
        begun = await method.start(asked)
        assert (begun.qr_text, begun.instructions) == ("", "")
        assert (await method.query(number)).state is PaymentState.UNKNOWN
        opened = box.client.get(begun.url)
        assert opened.status_code == 302
        page = box.client.get(opened.headers["location"]).text
        assert "12.34" in page
        assert "元境充值 1" in page
        assert (await method.query(number)).state is PaymentState.WAITING
        back = box.client.post(opened.headers["location"], data={"action": "pay", "fault": ""})
        assert back.status_code == 302
        assert back.headers["location"].startswith("http://127.0.0.1:1/back?a=1&")
        found = await method.query(number)
        assert (found.state, found.amount_nanos, found.refunded_nanos) == (PaymentState.PAID, 1234 * FEN_NANOS, 0)
        assert method.read_notification(receiver.wait_for(1)[0]) == found
        with pytest.raises(NotificationRefusedError) as caught:
            method.read_notification(back.headers["location"].partition("?a=1&")[2].encode())
        assert caught.value.verdict is Verdict.IGNORED


async def test_pay_by_code(box, receiver):
    async with talk(box) as method:
        begun = await method.start(order("code_1", 1, notify_url=receiver.url))
        again = await method.start(order("code_1", 1, notify_url=receiver.url))
        assert begun == again
        assert begun.url == ""
        for _ in range(2):
            assert (await method.query("code_1")).state is PaymentState.UNKNOWN
            assert (await method.close("code_1")).state is PaymentState.UNKNOWN
        assert box.client.get(begun.qr_text).status_code == 200
        assert (await method.query("code_1")).state is PaymentState.WAITING
        box.press("code_1", "pay")
        found = method.read_notification(receiver.wait_for(1)[0])
        assert found == await method.query("code_1")
        assert found.amount_nanos == FEN_NANOS


async def test_subjects_lose_what_alipay_refuses(box):
    async with talk(box) as method:
        await method.start(order("subject_1", subject="a/b=c&d\n元  境" + "x" * 300))
        page = box.client.get(box.cashier("subject_1")).text
        assert "a b c d 元 境xxx" in page
        with pytest.raises(PaymentRefusedError):
            await method.start(order("subject_2", subject="///"))


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "a-b"},
        {"number": ""},
        {"number": "a" * 65},
        {"amount_nanos": 0},
        {"amount_nanos": -FEN_NANOS},
        {"amount_nanos": FEN_NANOS + 1},
        {"amount_nanos": 100_000_001 * YUAN},
        {"expires_at": 1.0},
        {"way": PayWay.TRANSFER},
    ],
)
async def test_orders_that_cannot_be(box, changes):
    async with talk(box) as method:
        with pytest.raises(PaymentRefusedError):
            await method.start(order(**({"number": "bad_1"} | changes)))


async def test_close_before_and_after_payment(box):
    async with talk(box) as method:
        await method.start(order("close_1"))
        box.cashier("close_1")
        assert (await method.close("close_1")).state is PaymentState.CLOSED
        assert (await method.close("close_1")).state is PaymentState.CLOSED
        assert (await method.query("close_1")).state is PaymentState.CLOSED
        assert "ACQ.TRADE_HAS_CLOSE" in box.press("close_1", "pay").text
        with pytest.raises(AlipayRefusedError) as caught:
            await method.start(order("close_1"))
        assert caught.value.sub_code == "ACQ.TRADE_HAS_CLOSE"
        await paid(method, box, "close_2")
        found = await method.close("close_2")
        assert (found.state, found.amount_nanos) == (PaymentState.PAID, 10 * YUAN)


async def test_an_order_closes_itself(fresh):
    box = fresh()
    clock = Ahead()
    async with talk(box, clock) as method:
        await method.start(order("expiry_1", expires_at=clock.unix() + 900))
        box.cashier("expiry_1")
        box.advance(880)  # what all this takes counts too
        clock.ahead = 880
        assert (await method.query("expiry_1")).state is PaymentState.WAITING
        box.advance(21)
        clock.ahead = 901
        assert (await method.query("expiry_1")).state is PaymentState.CLOSED
        assert "ACQ.TRADE_HAS_CLOSE" in box.press("expiry_1", "pay").text


async def test_refunds_in_part_and_whole(box):
    async with talk(box) as method:
        await paid(method, box, "refund_a", 10_00)
        assert not await method.find_refund("refund_a", "r_1")
        assert await method.refund("refund_a", "r_1", 3 * YUAN, "they asked")
        assert await method.refund("refund_a", "r_1", 3 * YUAN, "again")
        assert await method.find_refund("refund_a", "r_1")
        assert (await method.query("refund_a")).state is PaymentState.PAID
        with pytest.raises(PaymentUnavailableError, match="another amount"):
            await method.refund("refund_a", "r_1", 4 * YUAN, "")
        with pytest.raises(AlipayRefusedError) as caught:
            await method.refund("refund_a", "r_2", 8 * YUAN, "too much")
        assert caught.value.sub_code == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
        assert await method.refund("refund_a", "r_3", 7 * YUAN, "the rest")
        assert await method.refund("refund_a", "r_3", 7 * YUAN, "the rest again, of a closed trade")
        assert box.trade("refund_a")["refunded"] == "10.00"
        found = await method.query("refund_a")
        assert (found.state, found.refunded_nanos) == (PaymentState.CLOSED, 10 * YUAN)


async def test_refunds_that_cannot_be(box):
    async with talk(box) as method:
        await method.start(order("refund_b"))
        for number in ("refund_b", "nobody_1"):
            with pytest.raises(AlipayRefusedError, match="TRADE_NOT_EXIST"):
                await method.refund(number, "r_1", YUAN, "")
            assert not await method.find_refund(number, "r_1")
        box.cashier("refund_b")
        with pytest.raises(AlipayRefusedError, match="TRADE_STATUS_ERROR"):
            await method.refund("refund_b", "r_1", YUAN, "")
        await paid(method, box, "refund_c")
        box.post("finish", out_trade_no="refund_c")
        assert (await method.query("refund_c")).state is PaymentState.PAID
        with pytest.raises(AlipayRefusedError, match="TRADE_HAS_FINISHED"):
            await method.refund("refund_c", "r_1", YUAN, "")
        for call in (method.refund("refund_c", "a-b", YUAN, ""), method.refund("refund_c", "r_1", 1, "")):
            with pytest.raises(PaymentRefusedError):
                await call


async def test_a_refund_takes_its_time(fresh):
    box = fresh()
    clock = Ahead()
    async with talk(box, clock) as method:
        await paid(method, box, "slow_1")
        box.fault("slow_refund", method="alipay.trade.refund", seconds="3600")
        assert not await method.refund("slow_1", "r_1", YUAN, "")
        assert not await method.find_refund("slow_1", "r_1")
        assert not await method.refund("slow_1", "r_1", YUAN, "")
        box.advance(3601)
        clock.ahead = 3601
        assert await method.find_refund("slow_1", "r_1")
        assert box.trade("slow_1")["refunded"] == "1.00"


LOST_ANSWERS = ["done500", "system_error", "wrong_signature"]


@pytest.mark.parametrize("fault", [*LOST_ANSWERS, "http500", "unavailable", "timeout", "slow"])
async def test_it_is_not_known_what_a_call_did(box, fault):
    number = f"gone_{fault}"
    async with talk(box, limits=SHORT) as method:
        await paid(method, box, number)
        calls = {
            "alipay.trade.query": lambda: method.query(number),
            "alipay.trade.close": lambda: method.close(number),
            "alipay.trade.precreate": lambda: method.start(order(f"{number}_new")),
            "alipay.trade.refund": lambda: method.refund(number, "r_1", YUAN, ""),
            "alipay.trade.fastpay.refund.query": lambda: method.find_refund(number, "r_1"),
            "alipay.data.dataservice.bill.downloadurl.query": lambda: method.bill(dt.date(2026, 1, 1)),
        }
        refused = {"alipay.trade.close", "alipay.data.dataservice.bill.downloadurl.query"}  # before the answer breaks
        for name, call in calls.items():
            if name in refused and fault not in {"http500", "unavailable"}:
                continue
            box.fault(fault, method=name, seconds="0.6")
            with pytest.raises(PaymentUnavailableError):
                await call()
        box.fault("none")
        assert await method.refund(number, "r_1", YUAN, "")
        assert box.trade(number)["refunded"] == "1.00"
        assert (await method.query(number)).state is PaymentState.PAID


async def test_nobody_listens():
    options = alipay_options(gateway_url="http://127.0.0.1:9/gateway.do")
    async with Client(options, limits=SHORT) as method:
        with pytest.raises(PaymentUnavailableError, match="no answer"):
            await method.query("x")


async def test_escaped_slashes_are_part_of_what_is_signed(box):
    async with talk(box) as method:
        box.fault("escapes", method="alipay.trade.precreate")
        begun = await method.start(order("escaped_1"))
        assert begun.qr_text.startswith(f"{box.url}/alipay/qr/")


@pytest.mark.parametrize("fault", ["duplicate", "early", "blank", "finished_first", ""])
async def test_payments_are_told(box, receiver, fault):
    number = f"told_{fault}"
    async with talk(box) as method:
        await paid(method, box, number, fault=fault, notify_url=receiver.url)
        count = 2 if fault in {"duplicate", "finished_first"} else 1
        assert {method.read_notification(body) for body in receiver.wait_for(count)} == {await method.query(number)}


async def test_a_burst(box, receiver):
    async with talk(box) as method:
        await method.start(order("burst_1", notify_url=receiver.url))
        box.press("burst_1", "pay", "burst", count="50")
        found = [method.read_notification(body) for body in receiver.wait_for(50)]
        assert len(found) == 50
        assert set(found) == {await method.query("burst_1")}


ATTACKS = {
    "forged": Verdict.FORGED,
    "changed_amount": Verdict.FORGED,
    "changed_app": Verdict.FORGED,
    "changed_seller": Verdict.FORGED,
    "changed_order": Verdict.FORGED,
    "sha1": Verdict.FORGED,
    "rsa1": Verdict.FORGED,
    "no_sign_type": Verdict.FORGED,
    "repeated_key": Verdict.FORGED,
    "unsigned": Verdict.FORGED,
    "other_app": Verdict.MISMATCH,
    "other_seller": Verdict.MISMATCH,
    "refund_notice": Verdict.IGNORED,
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_attacks_are_refused(box, receiver, attack):
    number = f"attack_{attack}"
    async with talk(box) as method:
        await method.start(order(number, notify_url=receiver.url))
        assert box.press(number, "attack", attack).status_code == 200
        with pytest.raises(NotificationRefusedError) as caught:
            method.read_notification(receiver.wait_for(1)[0])
        assert caught.value.verdict is ATTACKS[attack]
        assert (await method.query(number)).state is PaymentState.WAITING


async def test_what_only_the_order_can_refuse(box, receiver):
    """Another amount, and an order that nobody placed: signed by Alipay, so it is for the use case to compare."""
    async with talk(box) as method:
        await method.start(order("compare_1", 10_00, notify_url=receiver.url))
        box.press("compare_1", "attack", "other_amount")
        assert method.read_notification(receiver.wait_for(1)[0]).amount_nanos == 110 * YUAN
        box.press("compare_1", "attack", "unknown_order")
        assert method.read_notification(receiver.wait_for(2)[1]).number == "nobody_placed_this_1"


async def test_refunds_and_closures_are_told_and_move_nothing(box, receiver):
    async with talk(box) as method:
        await paid(method, box, "moves_1", notify_url=receiver.url)
        await method.refund("moves_1", "r_1", YUAN, "")
        await method.refund("moves_1", "r_2", 9 * YUAN, "")
        await method.start(order("moves_2", notify_url=receiver.url))
        box.cashier("moves_2")
        await method.close("moves_2")
        for body in receiver.wait_for(3):
            with pytest.raises(NotificationRefusedError) as caught:
                method.read_notification(body)
            assert caught.value.verdict is Verdict.IGNORED


BEIJING = dt.timezone(dt.timedelta(hours=8))


async def test_bills(fresh):
    box, clock = fresh(), Ahead()
    today = dt.datetime.fromtimestamp(clock.unix(), BEIJING).date()
    async with talk(box, clock) as method:
        await paid(method, box, "bill_1", 10_00)
        await paid(method, box, "bill_2", 20_00)
        await method.refund("bill_1", "r_1", 4 * YUAN, "")
        assert await method.bill(today) is None
        clock.ahead = 33 * 3600.0
        box.advance(clock.ahead)
        found = await method.bill(today)
        assert found is not None
        told = {(one.number, one.refund_number, one.amount_nanos, one.fee_nanos) for one in found}
        assert told == {
            ("bill_1", "", 10 * YUAN, 6 * FEN_NANOS),
            ("bill_1", "r_1", 4 * YUAN, 0),
            ("bill_2", "", 20 * YUAN, 12 * FEN_NANOS),
        }
        assert {one.upstream_id for one in found if one.number == "bill_1"} == {
            (await method.query("bill_1")).upstream_id
        }
        assert await method.bill(today - dt.timedelta(days=9)) is None
        box.post("bill-difference", kind="missing", out_trade_no="bill_1")
        box.post("bill-difference", kind="amount", out_trade_no="bill_2", amount="20.01")
        box.post("bill-difference", kind="extra", out_trade_no="bill_3", amount="5")
        lines = await method.bill(today)
        assert lines is not None
        assert {(one.number, one.amount_nanos) for one in lines} == {("bill_2", 2001 * FEN_NANOS), ("bill_3", 5 * YUAN)}


async def test_bills_come_from_allowed_hosts_only(fresh):
    box, clock = fresh(), Ahead()
    clock.ahead = 48 * 3600.0
    day = dt.datetime.fromtimestamp(SystemClock().unix(), BEIJING).date()
    async with talk(box) as method:
        await paid(method, box, "host_1")
    box.advance(clock.ahead)
    for hosts in ((), (".alipay.com", "localhost"), ("0.0.1",), ("127.0.0.1.",)):
        async with talk(box, clock, bill_hosts=hosts) as method:
            with pytest.raises(PaymentUnavailableError, match="allowed host"):
                await method.bill(day)
    async with talk(box, clock) as method:
        assert await method.bill(day)


URLS = {
    "http://dwbillcenter.alipay.com/a?b=1": "https://dwbillcenter.alipay.com/a?b=1",
    "https://dwbillcenter.alipay.com/a": "https://dwbillcenter.alipay.com/a",
    "http://dwbillcenter.alipay.com:8080/a": None,
    "https://evil.example/a": None,
    "https://dwbillcenter.alipay.com.evil.example/a": None,
    "https://evilalipay.com/a": None,
    "https://@dwbillcenter.alipay.com/a": None,
    "ftp://dwbillcenter.alipay.com/a": None,
    "https://dwbillcenter.alipay.com:x/a": None,
    "//dwbillcenter.alipay.com/a": None,
    "file:///etc/passwd": None,
}


@pytest.mark.parametrize("url", URLS)
async def test_where_a_bill_may_be_loaded_from(url):
    async with Client(alipay_options(bill_hosts=(".alipay.com",))) as method:
        if URLS[url] is None:
            with pytest.raises(PaymentUnavailableError):
                method._bill_url(url)
        else:
            assert method._bill_url(url) == URLS[url]


WRONG = {
    "another application": {"app_id": "9021000100000009"},
    "another key": {"private_key": private_text(key(OTHER)).decode()},
    "another key of Alipay": {"alipay_public_key": public_text(key(OTHER))},
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_setting_is_told_and_no_secret_with_it(box, name):
    async with talk(box, **WRONG[name]) as method:
        with pytest.raises(PaymentUnavailableError) as caught:
            await method.start(order("wrong_1"))
        assert "MII" not in str(caught.value)
        assert "sign=" not in str(caught.value)


async def test_a_clock_that_is_wrong_is_told(box):
    clock = Ahead()
    clock.ahead = -3600.0
    async with talk(box, clock) as method:
        with pytest.raises(PaymentUnavailableError, match=r"isv\.invalid-timestamp"):
            await method.query("x")


def test_options_and_methods_show_no_key():
    options = alipay_options()
    secret = private_text(key(MERCHANT)).decode().split("\n")[1]
    client = Client(options)
    for one in (options, client.method, client.method._gateway, client.method._reader):
        assert secret not in repr(one)
        assert "BEGIN" not in repr(one)


def test_a_key_that_cannot_be_used_is_told_at_once():
    for changes in ({"private_key": "x"}, {"alipay_public_key": ""}, {"app_certificate": "x"}):
        with pytest.raises(AlipayKeyError):
            Client(alipay_options(**changes))
