"""Alibaba's and Tencent's own SDKs against the sandbox; run by their environment's python, tells what they saw as JSON.

Arguments: the sandbox's host and port, a mobile number without country code, the code's template of each vendor.
"""

import json
import sys

from alibabacloud_dypnsapi20170525 import models as dypns
from alibabacloud_dypnsapi20170525.client import Client as DypnsClient
from alibabacloud_dysmsapi20170525 import models as dysms
from alibabacloud_dysmsapi20170525.client import Client as DysmsClient
from alibabacloud_tea_openapi.models import Config
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111 import models as tencent
from tencentcloud.sms.v20210111.sms_client import SmsClient

HOST, NUMBER = sys.argv[1:]
KEY_ID, SECRET = "sandbox-key-id", "sandbox-key-secret"


def config(secret):
    return Config(
        access_key_id=KEY_ID, access_key_secret=secret, endpoint=HOST, protocol="http", region_id="cn-hangzhou"
    )


def told(call, *arguments):
    """What an SDK of Alibaba's returns, or raises."""
    try:
        return call(*arguments).body.to_map()
    except Exception as error:  # the SDKs have several
        if getattr(error, "code", None) is None:
            raise
        return {
            "raised": error.code,
            "status": getattr(error, "statusCode", None) or getattr(error, "status_code", None),
        }


def sms(
    secret=SECRET,
    sign="元境",
    template="SMS_100000001",
    number=NUMBER,
    param='{"code":"123456","other":"a b+c*d~e/é&="}',
):
    request = dysms.SendSmsRequest(phone_numbers=number, sign_name=sign, template_code=template, template_param=param)
    return told(DysmsClient(config(secret)).send_sms, request)


def verify(secret=SECRET, number=NUMBER, **changes):
    fields = {
        "phone_number": number,
        "sign_name": "速通互联验证码",
        "template_code": "100001",
        "template_param": '{"code":"##code##","min":"5"}',
        "code_length": 6,
        "return_verify_code": True,
        "out_id": "out-1",
    }
    return told(DypnsClient(config(secret)).send_sms_verify_code, dypns.SendSmsVerifyCodeRequest(**(fields | changes)))


def check(code, number=NUMBER):
    request = dypns.CheckSmsVerifyCodeRequest(phone_number=number, verify_code=code, out_id="out-1")
    return told(DypnsClient(config(SECRET)).check_sms_verify_code, request)


def tencent_sms(
    secret=SECRET, method="TC3-HMAC-SHA256", verb="POST", numbers=(f"+86{NUMBER}",), sign="元境", values=("123456", "5")
):
    http = HttpProfile(protocol="http", endpoint=HOST, reqMethod=verb)
    client = SmsClient(Credential(KEY_ID, secret), "ap-guangzhou", ClientProfile(signMethod=method, httpProfile=http))
    request = tencent.SendSmsRequest()
    request.from_json_string(
        json.dumps(
            {
                "PhoneNumberSet": list(numbers),
                "SmsSdkAppId": "1400000001",
                "SignName": sign,
                "TemplateId": "1100001",
                "TemplateParamSet": list(values),
            }
        )
    )
    try:
        return json.loads(client.SendSms(request).to_json_string())
    except TencentCloudSDKException as error:
        return {"raised": error.get_code()}


seen = {"sms": sms(), "sms_again": sms(), "sms_secret": sms(secret="wrong"), "sms_sign": sms(sign="别人")}
seen["sms_number"] = sms(number="12")
seen["verify"] = verify()
code = seen["verify"]["Model"]["VerifyCode"]
seen["check"], seen["check_wrong"] = check(code), check(f"{(int(code) + 1) % 10**6:06}")
seen["verify_again"], seen["verify_secret"] = verify(), verify(secret="wrong")
seen["tencent"] = tencent_sms(numbers=(f"+86{NUMBER}", "12"))
seen["tencent_again"], seen["tencent_secret"] = tencent_sms(), tencent_sms(secret="wrong")
seen["tencent_sign"] = tencent_sms(sign="别人")
sys.stdout.write(json.dumps(seen) + "\n")
