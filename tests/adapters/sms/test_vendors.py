"""The vendors' senders against the simulated vendors, on a real port."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import structlog
from tests.support.sms import NUMBER, VENDORS, Vendors
from tests.support.web import Web

from yuanjing.adapters.sms.account import SmsAccount, Template, call_limits
from yuanjing.adapters.sms.dypnsapi import DypnsapiSender
from yuanjing.adapters.sms.dysmsapi import DysmsapiSender
from yuanjing.adapters.sms.tencent import TencentSender
from yuanjing.domain.errors import YuanjingError
from yuanjing.kit.webcalls import WebCaller, open_client
from yuanjing.ports.messages import (
    Notice,
    SmsLimitedError,
    SmsRefusedError,
    SmsSender,
    SmsTrouble,
    SmsUnavailableError,
)

MOBILE, FOREIGN = f"+86{NUMBER}", "+85251234567"
CLASSES = {"dysmsapi": DysmsapiSender, "dypnsapi": DypnsapiSender, "tencent": TencentSender}
Make = Callable[..., SmsSender]


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with Vendors() as made:
        yield made


@pytest.fixture
def box(vendors: Vendors) -> Vendors:
    vendors.renew()
    return vendors


@pytest.fixture
async def make(box: Vendors) -> AsyncIterator[Make]:
    limits = call_limits(2.0)
    async with open_client(limits) as client:
        caller = WebCaller(client, limits)

        def make_one(vendor: str, **changes: Any) -> SmsSender:
            return CLASSES[vendor](box.account(vendor, **changes), caller, box.clock)

        yield make_one


def shown_code(box: Vendors) -> str:
    """What the phone shows."""
    return box.sent()[0]["fields"]["code"]


@pytest.mark.parametrize("vendor", ["dysmsapi", "tencent"])
async def test_our_code_is_sent(box: Vendors, make: Make, vendor: str) -> None:
    sender = make(vendor)
    assert (sender.name, sender.makes_codes, sender.cost_nanos) == (vendor, False, 45_000_000)
    sent = await sender.send_code(MOBILE, "012345", minutes=5)
    (message,) = box.sent()
    assert (message["vendor"], message["number"], message["receipt"]) == (vendor, MOBILE, sent.receipt)
    assert "012345" in message["text"]
    assert message["text"].startswith("【元境】")
    with pytest.raises(SmsUnavailableError):
        await sender.check_code(MOBILE, "012345", sent.receipt)


async def test_the_vendors_code_is_made_and_checked_there(box: Vendors, make: Make) -> None:
    sender = make("dypnsapi")
    assert (sender.name, sender.makes_codes) == ("dypnsapi", True)
    sent = await sender.send_code(MOBILE, "", minutes=5)
    code = shown_code(box)
    assert (len(code), code.isdecimal()) == (6, True)
    assert "5分钟" in box.sent()[0]["text"]
    wrong = f"{(int(code) + 1) % 10**6:06}"
    assert [await sender.check_code(MOBILE, one, sent.receipt) for one in (wrong, code)] == [False, True]
    assert not await sender.check_code("+8613912345679", code, sent.receipt)
    box.clock.advance(301)
    assert not await sender.check_code(MOBILE, code, sent.receipt)


async def test_a_wrong_code_that_is_answered_as_the_page_says_is_wrong_too(box: Vendors, make: Make) -> None:
    box.renew(wrong_is_refused=False)
    sender = make("dypnsapi")
    await sender.send_code(MOBILE, "", minutes=5)
    code = shown_code(box)
    assert await sender.check_code(MOBILE, code, "r")
    assert not await sender.check_code(MOBILE, f"{(int(code) + 1) % 10**6:06}", "r")


@pytest.mark.parametrize("vendor", ["dysmsapi", "tencent"])
async def test_a_notice_is_sent_by_its_template(box: Vendors, make: Make, vendor: str) -> None:
    sender = make(vendor)
    assert sender.notices == {Notice.LOW_BALANCE}
    sent = await sender.send_notice(MOBILE, Notice.LOW_BALANCE, {"balance": "1.50", "threshold": "2.00"})
    (message,) = box.sent()
    assert message["receipt"] == sent.receipt
    assert message["text"] == "【元境】您的余额为1.50元,请及时充值。"


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_notice_without_a_template_is_not_sent(box: Vendors, make: Make, vendor: str) -> None:
    sender = make(vendor, notices={})
    assert sender.notices == frozenset()
    with pytest.raises(SmsUnavailableError) as caught:
        await sender.send_notice(MOBILE, Notice.LOW_BALANCE, {"balance": "1.50"})
    assert (caught.value.trouble, caught.value.may_cost) == (SmsTrouble.SETUP, False)
    assert box.sent() == []


async def test_a_template_that_wants_more_than_there_is_says_what(box: Vendors, make: Make) -> None:
    template = Template(id="SMS_100000002", fields=(("balance", "balance"), ("who", "customer")))
    sender = make("dysmsapi", notices={Notice.LOW_BALANCE: template})
    with pytest.raises(SmsUnavailableError, match="wants customer; there is balance"):
        await sender.send_notice(MOBILE, Notice.LOW_BALANCE, {"balance": "1.50"})
    assert box.sent() == []


async def test_a_template_without_names_takes_all_there_is(box: Vendors, make: Make) -> None:
    sender = make("tencent", notices={Notice.LOW_BALANCE: Template(id="1100002")})
    await sender.send_notice(MOBILE, Notice.LOW_BALANCE, {"balance": "1.50"})
    assert box.sent()[0]["fields"] == {"1": "1.50"}


@pytest.mark.parametrize(("vendor", "number"), [("dysmsapi", "+85251234567"), ("tencent", "+85251234567")])
async def test_numbers_of_other_countries(box: Vendors, make: Make, vendor: str, number: str) -> None:
    await make(vendor).send_code(FOREIGN, "123456", minutes=5)
    assert box.sent()[0]["number"] == number


async def test_number_verification_refuses_them_by_itself(box: Vendors, make: Make) -> None:
    with pytest.raises(SmsRefusedError):
        await make("dypnsapi").send_code(FOREIGN, "", minutes=5)
    assert box.client.get("/sandbox/journal").json()["entries"] == []  # nothing was asked


@pytest.mark.parametrize("vendor", VENDORS)
async def test_the_second_within_a_minute_is_too_many(box: Vendors, make: Make, vendor: str) -> None:
    sender = make(vendor)
    await sender.send_code(MOBILE, "123456", minutes=5)
    with pytest.raises(SmsLimitedError) as caught:
        await sender.send_code(MOBILE, "123456", minutes=5)
    assert "(limit)" in caught.value.message
    box.clock.advance(61)
    await sender.send_code(MOBILE, "123457", minutes=5)
    assert len(box.sent()) == 2


WRONG: list[tuple[dict[str, Any], SmsTrouble]] = [
    ({"key_secret": "a wrong secret"}, SmsTrouble.AUTH),
    ({"key_id": "a-wrong-id"}, SmsTrouble.AUTH),
    ({"sign_name": "别人"}, SmsTrouble.SETUP),
    ({"code": Template(id="nothing")}, SmsTrouble.SETUP),
]


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(("changes", "trouble"), WRONG)
async def test_wrong_settings_are_ours_to_put_right(
    box: Vendors, make: Make, vendor: str, changes: dict[str, Any], trouble: SmsTrouble
) -> None:
    sender = make(vendor, **changes)
    with structlog.testing.capture_logs() as logs, pytest.raises(SmsUnavailableError) as caught:
        await sender.send_code(MOBILE, "123456", minutes=5)
    assert (caught.value.trouble, caught.value.may_cost) == (trouble, False)
    for secret in ("a wrong secret", "sandbox-key-secret", "123456", NUMBER, box.url):
        assert secret not in repr(
            (caught.value, caught.value.message, logs, sender, box.account(vendor, **changes).code)
        )
    assert box.sent() == []


async def test_an_account_shows_no_secret(box: Vendors) -> None:
    account = box.account("dysmsapi", key_secret="a-secret-word")
    assert "a-secret-word" not in repr(account)
    assert isinstance(account, SmsAccount)


UNAVAILABLE = SmsUnavailableError
CODES: list[tuple[str, str, type[YuanjingError], SmsTrouble | None]] = [
    ("dysmsapi", "isv.AMOUNT_NOT_ENOUGH", UNAVAILABLE, SmsTrouble.BALANCE),
    ("dysmsapi", "isv.OUT_OF_SERVICE", UNAVAILABLE, SmsTrouble.BALANCE),
    ("dysmsapi", "isv.DAY_LIMIT_CONTROL", UNAVAILABLE, SmsTrouble.QUOTA),
    ("dysmsapi", "isv.MOBILE_NUMBER_ILLEGAL", SmsRefusedError, None),
    ("dysmsapi", "isv.BUSINESS_LIMIT_CONTROL", SmsLimitedError, None),
    ("dysmsapi", "isp.RAM_PERMISSION_DENY", UNAVAILABLE, SmsTrouble.AUTH),
    ("dysmsapi", "isp.SYSTEM_ERROR", UNAVAILABLE, SmsTrouble.UNAVAILABLE),
    ("dysmsapi", "Throttling.User", UNAVAILABLE, SmsTrouble.QUOTA),
    ("dysmsapi", "isv.SOMETHING_NEW", UNAVAILABLE, SmsTrouble.UNKNOWN),
    ("dysmsapi", "<script>alert(1)</script>", UNAVAILABLE, SmsTrouble.UNKNOWN),
    ("dypnsapi", "FREQUENCY_FAIL", SmsLimitedError, None),
    ("dypnsapi", "MOBILE_NUMBER_ILLEGAL", SmsRefusedError, None),
    ("dypnsapi", "FUNCTION_NOT_OPENED", UNAVAILABLE, SmsTrouble.AUTH),
    ("tencent", "FailedOperation.InsufficientBalanceInSmsPackage", UNAVAILABLE, SmsTrouble.BALANCE),
    ("tencent", "UnauthorizedOperation.ServiceSuspendDueToArrears", UNAVAILABLE, SmsTrouble.BALANCE),
    ("tencent", "UnauthorizedOperation.RequestPermissionDeny", UNAVAILABLE, SmsTrouble.AUTH),
    ("tencent", "LimitExceeded.AppDailyLimit", UNAVAILABLE, SmsTrouble.QUOTA),
    ("tencent", "LimitExceeded.PhoneNumberDailyLimit", SmsLimitedError, None),
    ("tencent", "FailedOperation.PhoneNumberInBlacklist", SmsRefusedError, None),
    ("tencent", "RequestLimitExceeded.IPLimitExceeded", UNAVAILABLE, SmsTrouble.QUOTA),
    ("tencent", "InternalError.Timeout", UNAVAILABLE, SmsTrouble.UNAVAILABLE),
    ("tencent", "SomethingNew", UNAVAILABLE, SmsTrouble.UNKNOWN),
]


@pytest.mark.parametrize(("vendor", "code", "error", "trouble"), CODES)
async def test_the_vendors_words_in_ours(
    box: Vendors, make: Make, vendor: str, code: str, error: type[YuanjingError], trouble: SmsTrouble | None
) -> None:
    box.fault("code", code=code)
    with pytest.raises(error) as caught:
        await make(vendor).send_code(MOBILE, "123456", minutes=5)
    assert getattr(caught.value, "trouble", None) is trouble
    assert ("script" in code) != (code in str(caught.value))


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("fault", ["http500", "garbage", "timeout"])
async def test_an_answer_that_says_nothing_may_have_cost_us(box: Vendors, make: Make, vendor: str, fault: str) -> None:
    box.fault(fault, seconds=0)
    with pytest.raises(SmsUnavailableError) as caught:
        await make(vendor).send_code(MOBILE, "123456", minutes=5)
    assert (caught.value.trouble, caught.value.may_cost) == (SmsTrouble.UNAVAILABLE, True)
    assert len(box.sent()) == (0 if fault == "http500" else 1)


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_vendor_that_is_not_there_has_cost_nothing(box: Vendors, make: Make, vendor: str) -> None:
    sender = make(vendor, endpoint="http://127.0.0.1:9")
    with pytest.raises(SmsUnavailableError) as caught:
        await sender.send_code(MOBILE, "123456", minutes=5)
    assert (caught.value.trouble, caught.value.may_cost) == (SmsTrouble.UNAVAILABLE, False)
    assert "127.0.0.1" not in str(caught.value)
    assert box.sent() == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'"OK"', b"{}", b'{"Code":null}', b'{"Response":[]}', b'{"Response":{}}', b"\xff"]
    + [b'{"Response":{"SendStatusSet":%s}}' % rows for rows in (b"[]", b"{}", b"[1]", b'[{"Code":1}]')],
)
@pytest.mark.parametrize("vendor", VENDORS)
async def test_no_odd_answer_is_taken_for_a_message_that_was_sent(
    box: Vendors, make: Make, vendor: str, body: bytes
) -> None:
    async with Web({"/": (200, {"content-type": "application/json"}, body)}) as web:
        with pytest.raises(SmsUnavailableError):
            await make(vendor, endpoint=web.url).send_code(MOBILE, "123456", minutes=5)
    assert box.sent() == []


@pytest.mark.parametrize(
    "body", [b'{"Code":"OK"}', b'{"Code":"OK","Model":[]}', b'{"Code":"OK","Model":{"VerifyResult":"pass"}}']
)
async def test_no_odd_answer_is_taken_for_a_right_code(make: Make, body: bytes) -> None:
    async with Web({"/": (200, {}, body)}) as web:
        assert not await make("dypnsapi", endpoint=web.url).check_code(MOBILE, "123456", "r")
    async with Web({"/": (200, {}, b'{"Code":"isv.INVALID_PARAMETERS","Model":{"VerifyResult":"PASS"}}')}) as web:
        with pytest.raises(SmsUnavailableError):
            await make("dypnsapi", endpoint=web.url).check_code(MOBILE, "123456", "r")
