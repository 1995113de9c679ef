"""The simulated vendors of messages by themselves: whose requests they take, how many, and what they say."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.sms import (
    NUMBER,
    Vendors,
    aliyun_request,
    sms_params,
    tencent_body,
    tencent_request,
    verify_params,
)

MINUTE, HOUR, DAY = 61.0, 3601.0, 86_401.0


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with Vendors() as made:
        yield made


@pytest.fixture
def box(vendors: Vendors) -> Vendors:
    vendors.renew()
    return vendors


def error_of(answer: Any) -> tuple[int, str]:
    """Alibaba's."""
    body = answer.json()
    assert set(body) == {"Code", "Message", "RequestId"} | (
        {"HostId", "Recommend"} if answer.status_code != 200 else set()
    )
    return answer.status_code, body["Code"]


def tencent_error(answer: Any) -> str:
    assert answer.status_code == 200
    response = answer.json()["Response"]
    assert set(response) == {"Error", "RequestId"}
    assert set(response["Error"]) == {"Code", "Message"}
    return response["Error"]["Code"]


def row_of(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200
    (row,) = answer.json()["Response"]["SendStatusSet"]
    return row


def test_a_signed_request_is_sent_and_told(box):
    answer = box.aliyun("SendSms", sms_params())
    assert answer.status_code == 200
    body = answer.json()
    assert (set(body), body["Code"]) == ({"Code", "Message", "BizId", "RequestId"}, "OK")
    (sent,) = box.sent()
    assert sent == {
        "at": "2026-11-01T00:00:00Z",
        "vendor": "dysmsapi",
        "number": f"+86{NUMBER}",
        "sign_name": "元境",
        "template": "SMS_100000001",
        "receipt": body["BizId"],
        "is_code": True,
        "text": "【元境】您的验证码为:123456,请勿告知他人。",
        "fields": {"code": "123456"},
    }
    assert box.client.get("/sandbox").json()["messages"] == "/sms/"
    assert "href=/sms/" in box.client.get("/sandbox", headers={"accept": "text/html"}).text
    page = box.client.get("/sms/")
    assert "您的验证码为:123456" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"key_id": "another"}, (404, "InvalidAccessKeyId.NotFound")),
        ({"secret": "another"}, (400, "SignatureDoesNotMatch")),
        ({"x_acs_date": "2026-10-31T23:44:00Z"}, (400, "InvalidTimeStamp.Expired")),
        ({"x_acs_date": "2026-11-01T00:16:00Z"}, (400, "InvalidTimeStamp.Expired")),
        ({"x_acs_date": "now"}, (400, "InvalidTimeStamp.Expired")),
        ({"x_acs_signature_nonce": ""}, (400, "SignatureNonceUsed")),
        ({"x_acs_content_sha256": "00"}, (400, "SignatureDoesNotMatch")),
        ({"unsigned": ("host",)}, (400, "IncompleteSignature")),
        ({"unsigned": ("x-acs-signature-nonce",)}, (400, "IncompleteSignature")),
        ({"unsigned": ("x-acs-action",)}, (400, "IncompleteSignature")),
        ({"x_acs_other": "1", "unsigned": ("x-acs-other",)}, (400, "IncompleteSignature")),
        ({"x_acs_action": "DropAll"}, (404, "InvalidAction.NotFound")),
        ({"x_acs_version": "2017-05-26"}, (400, "InvalidVersion")),
    ],
)
def test_alibaba_takes_no_request_that_is_not_signed_now_and_whole(box, changes, expected):
    params = sms_params(OutId=repr(changes))
    assert error_of(box.aliyun("SendSms", params, **changes)) == expected
    assert box.sent() == []


def test_alibabas_signature_is_of_every_byte(box):
    good = aliyun_request(box.host, box.clock.unix(), "CheckSmsVerifyCode", {"PhoneNumber": NUMBER, "VerifyCode": "1"})
    tampered = [
        {"url": good["url"].replace("VerifyCode=1", "VerifyCode=2")},
        {"url": good["url"] + "&CaseAuthPolicy=2"},
        {"content": b"a=1"},
    ]
    names = ("x-acs-signature-nonce", "x-acs-version", "x-acs-action", "host")
    tampered += [{"headers": good["headers"] | {name: good["headers"][name] + "1"}} for name in names]
    for change in tampered:
        request = good | change
        answer = box.client.post(request.pop("url"), **request)
        assert error_of(answer) == (400, "SignatureDoesNotMatch"), change
    assert error_of(box.client.post("/", headers={"x-acs-action": "SendSms"})) == (400, "IncompleteSignature")
    answer = box.client.post(good["url"], headers=good["headers"])
    assert error_of(answer) == (400, "isv.ValidateFail")  # it was the true one
    answer = box.client.post(good["url"], headers=good["headers"])
    assert error_of(answer) == (400, "SignatureNonceUsed")


def test_alibaba_tells_what_it_has_computed(box):
    answer = box.aliyun("SendSms", sms_params(), secret="another")
    message = answer.json()["Message"]
    assert "server StringToSign is [ACS3-HMAC-SHA256\n" in message
    assert f"host:{box.host}\nx-acs-action:SendSms\n" in message


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"PhoneNumbers": ""}, (400, "MissingPhoneNumbers")),
        ({"SignName": ""}, (400, "MissingSignName")),
        ({"TemplateCode": ""}, (400, "MissingTemplateCode")),
        ({"PhoneNumbers": "12"}, (200, "isv.MOBILE_NUMBER_ILLEGAL")),
        ({"SignName": "别人"}, (200, "isv.SMS_SIGNATURE_ILLEGAL")),
        ({"TemplateCode": "SMS_1"}, (200, "isv.SMS_TEMPLATE_ILLEGAL")),
        ({"TemplateParam": "{}"}, (200, "isv.TEMPLATE_MISSING_PARAMETERS")),
        ({"TemplateParam": '{"code":123456}'}, (200, "isv.INVALID_JSON_PARAM")),
        ({"TemplateParam": "code"}, (200, "isv.INVALID_JSON_PARAM")),
        ({"TemplateParam": "[]"}, (200, "isv.INVALID_JSON_PARAM")),
    ],
)
def test_what_dysmsapi_refuses(box, params, expected):
    assert error_of(box.aliyun("SendSms", sms_params(**params))) == expected
    assert box.sent() == []


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"PhoneNumber": ""}, (400, "MissingPhoneNumber")),
        ({"CountryCode": "852"}, (200, "isv.MOBILE_NUMBER_ILLEGAL")),
        ({"PhoneNumber": "85212345678"}, (200, "isv.MOBILE_NUMBER_ILLEGAL")),
        ({"SignName": "元境"}, (200, "isv.INVALID_PARAMETERS")),
        ({"TemplateCode": "1"}, (200, "isv.INVALID_PARAMETERS")),
        ({"CodeLength": "9"}, (400, "InvalidCodeLength")),
    ],
)
def test_what_dypnsapi_refuses(box, params, expected):
    assert error_of(box.aliyun("SendSmsVerifyCode", verify_params(**params))) == expected
    assert box.sent() == []


def check(box: Vendors, code: str, **params: str) -> str:
    answer = box.aliyun(
        "CheckSmsVerifyCode", {"PhoneNumber": NUMBER, "VerifyCode": code, **params}, x_acs_signature_nonce=next(NONCES)
    )
    return answer.json()["Code"]


NONCES = (f"nonce-{number}" for number in itertools.count())


def test_a_code_of_dypnsapi_counts_until_it_is_too_old_or_replaced(box):
    def ask(**params: str) -> str:
        answer = box.aliyun("SendSmsVerifyCode", verify_params(CodeLength="8", **params))
        assert answer.json()["Code"] == "OK", answer.text
        return answer.json()["Model"]["VerifyCode"]

    first = ask()
    assert (len(first), first.isdecimal()) == (8, True)
    assert first in box.sent()[0]["text"]
    assert check(box, first) == "OK"
    box.clock.advance(MINUTE)
    second = ask()
    assert [check(box, one) for one in (first, second)] == ["isv.ValidateFail", "OK"]
    box.clock.advance(MINUTE)
    third = ask(DuplicatePolicy="2", ValidTime="100")
    assert [check(box, one) for one in (second, third)] == ["OK", "OK"]
    assert check(box, third, SchemeName="other") == "isv.ValidateFail"
    box.clock.advance(101)
    assert check(box, third) == "isv.ValidateFail"


def test_a_code_of_the_callers_own_cannot_be_checked(box):
    box.aliyun("SendSmsVerifyCode", verify_params(TemplateParam='{"code":"123456","min":"5"}'))
    assert "123456" in box.sent()[0]["text"]
    assert check(box, "123456") == "isv.ValidateFail"


def test_a_wrong_code_may_be_answered_as_the_page_says(box):
    box.renew(wrong_is_refused=False)
    answer = box.aliyun("CheckSmsVerifyCode", {"PhoneNumber": NUMBER, "VerifyCode": "1"})
    assert (answer.json()["Code"], answer.json()["Model"]["VerifyResult"]) == ("OK", "UNKNOWN")


def send(box: Vendors, vendor: str) -> str:
    """The vendor's word."""
    if vendor == "tencent":
        return row_of(box.tencent(tencent_body()))["Code"]
    action, params = ("SendSms", sms_params()) if vendor == "dysmsapi" else ("SendSmsVerifyCode", verify_params())
    return box.aliyun(action, params, x_acs_signature_nonce=next(NONCES)).json()["Code"]


@pytest.mark.parametrize(
    ("vendor", "good", "soon", "often"),
    [
        ("dysmsapi", "OK", "isv.BUSINESS_LIMIT_CONTROL", "isv.BUSINESS_LIMIT_CONTROL"),
        ("dypnsapi", "OK", "biz.FREQUENCY", "isv.BUSINESS_LIMIT_CONTROL"),
        ("tencent", "Ok", "LimitExceeded.PhoneNumberThirtySecondLimit", "LimitExceeded.PhoneNumberOneHourLimit"),
    ],
)
def test_one_a_minute_five_an_hour_ten_a_day(box, vendor, good, soon, often):
    for number in range(10):
        assert send(box, vendor) == good, number
        assert send(box, vendor) == soon
        box.clock.advance(MINUTE)
        if number == 4:
            assert send(box, vendor) == often
            box.clock.advance(HOUR)
    box.clock.advance(HOUR)
    daily = "LimitExceeded.PhoneNumberDailyLimit" if vendor == "tencent" else "isv.BUSINESS_LIMIT_CONTROL"
    assert send(box, vendor) == daily
    assert len(box.sent()) == 10
    box.clock.advance(DAY)
    assert send(box, vendor) == good


def test_alibaba_counts_notices_apart_and_all_signatures_together(box):
    notice = sms_params(TemplateCode="SMS_100000002", TemplateParam='{"balance":"1.00"}')
    words = [box.aliyun("SendSms", notice, x_acs_signature_nonce=next(NONCES)).json()["Code"] for _ in range(41)]
    assert words == ["OK"] * 40 + ["isv.BUSINESS_LIMIT_CONTROL"]
    assert send(box, "dypnsapi") == "isv.BUSINESS_LIMIT_CONTROL"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"key_id": "another"}, "AuthFailure.SecretIdNotFound"),
        ({"secret": "another"}, "AuthFailure.SignatureFailure"),
        ({"service": "cvm"}, "AuthFailure.SignatureFailure"),
        ({"date": "2026-10-31"}, "AuthFailure.SignatureFailure"),
        ({"signed": ("host",)}, "AuthFailure.SignatureFailure"),
        ({"x_tc_timestamp": "1793491201"}, None),
        ({"x_tc_timestamp": "1793491501"}, "AuthFailure.SignatureExpire"),
        ({"x_tc_timestamp": "1793490899"}, "AuthFailure.SignatureExpire"),
        ({"x_tc_timestamp": "now"}, "AuthFailure.SignatureExpire"),
        ({"x_tc_action": "DropAll"}, "InvalidAction"),
        ({"x_tc_version": "2019-07-11"}, "NoSuchVersion"),
        ({"x_tc_region": ""}, "MissingParameter"),
    ],
)
def test_tencent_takes_no_request_that_is_not_signed_now_and_whole(box, changes, expected):
    assert box.clock.unix() == 1_793_491_200
    answer = box.tencent(tencent_body(), **changes)
    if expected is None:
        assert row_of(answer)["Code"] == "Ok"
    else:
        assert tencent_error(answer) == expected
        assert box.sent() == []


def test_tencents_signature_is_of_every_byte(box):
    good = tencent_request(box.host, box.clock.unix(), tencent_body(), signed=("content-type", "host", "x-tc-action"))
    later = str(int(good["headers"]["x-tc-timestamp"]) + 1)
    tampered = [{"content": good["content"] + b" "}, {"headers": good["headers"] | {"x-tc-timestamp": later}}]
    names = ("content-type", "host", "x-tc-action")
    tampered += [{"headers": good["headers"] | {name: good["headers"][name] + "0"}} for name in names]
    for change in tampered:
        assert tencent_error(box.client.post("/", **(good | change))) == "AuthFailure.SignatureFailure", change
    answer = box.client.post("/", headers={"x-tc-action": "SendSms"})
    assert tencent_error(answer) == "AuthFailure.InvalidAuthorization"
    assert box.sent() == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[]", "InvalidParameter"),
        (b"{", "InvalidParameter"),
        (tencent_body(PhoneNumberSet=[]), "MissingParameter.EmptyPhoneNumberSet"),
        (tencent_body(PhoneNumberSet="1"), "InvalidParameter"),
        (tencent_body(PhoneNumberSet=["1"] * 201), "LimitExceeded.PhoneNumberCountLimit"),
        (tencent_body(SmsSdkAppId="1"), "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
    ],
)
def test_what_tencent_refuses_altogether(box, body, expected):
    assert tencent_error(box.tencent(body)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"PhoneNumberSet": ["12"]}, "InvalidParameterValue.IncorrectPhoneNumber"),
        ({"SignName": "别人"}, "FailedOperation.SignatureIncorrectOrUnapproved"),
        ({"TemplateId": "1"}, "FailedOperation.TemplateIncorrectOrUnapproved"),
        ({"TemplateParamSet": ["1"]}, "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"),
        ({"TemplateParamSet": ["abc", "5"]}, "InvalidParameterValue.TemplateParameterFormatError"),
        ({"TemplateParamSet": ["1234567", "5"]}, "InvalidParameterValue.TemplateParameterFormatError"),
    ],
)
def test_what_tencent_refuses_for_a_number(box, changes, expected):
    row = row_of(box.tencent(tencent_body(**changes)))
    assert (row["Code"], row["Fee"], row["SerialNo"]) == (expected, 0, "")


def test_faults_are_of_the_next_calls_only(box):
    box.fault("code", code="isv.AMOUNT_NOT_ENOUGH", times=2)
    assert [send(box, "dysmsapi") for _ in range(3)] == ["isv.AMOUNT_NOT_ENOUGH"] * 2 + ["OK"]
    box.fault("http500")
    assert box.aliyun("SendSms", sms_params(), x_acs_signature_nonce=next(NONCES)).status_code == 500
    box.fault("code", code="FailedOperation.InsufficientBalanceInSmsPackage")
    assert tencent_error(box.tencent(tencent_body())) == "FailedOperation.InsufficientBalanceInSmsPackage"
    box.fault("code", code="x", times=1000)
    box.fault("none")
    assert send(box, "tencent") == "Ok"
    for fields in (
        {"fault": "flood"},
        {"fault": "slow", "times": "0"},
        {"fault": "slow", "seconds": "-1"},
        {"fault": "code"},
        {},
    ):
        assert box.client.post("/sms/faults", data=fields).status_code == 400
    assert box.client.post("/sms/clock", data={"advance": "-1"}).status_code == 400
    assert box.client.get("/sms/nothing").status_code == 404


def test_its_clock_can_be_put_forward(box):
    answer = box.client.post("/sms/clock", data={"advance": "3600"})
    assert answer.json() == {"now": "2026-11-01T01:00:00Z"}
    assert error_of(box.aliyun("SendSms", sms_params())) == (400, "InvalidTimeStamp.Expired")


def test_chat_at_the_root_is_still_what_it_was(box):
    assert box.client.post("/", json={}).status_code == 404
