"""The vendors' own SDKs against the simulated vendors of messages, on a real port: their signatures are the true ones.

The SDKs live in an environment of their own, which `make test` makes.
"""

import json
import subprocess
from pathlib import Path

import httpx2
import pytest

from yuanjing.sandbox.options import SandboxOptions

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-sdks" / "bin" / "python"
SCRIPT = Path(__file__).parent / "sdks" / "sms.py"
NUMBER = "13912345678"

pytestmark = [
    pytest.mark.skipif(not PYTHON.exists(), reason="the vendors' SDKs are not installed: make .venv-sdks/ok"),
    pytest.mark.timeout(120),
]


@pytest.fixture(scope="module")
def box(serve):
    return serve(SandboxOptions())


@pytest.fixture(scope="module")
def seen(box, tmp_path_factory):
    """What the SDKs saw."""
    environment = {"HOME": str(tmp_path_factory.mktemp("sdks")), "PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(  # noqa: S603  # our own script
        [PYTHON, SCRIPT, box.url.removeprefix("http://"), NUMBER],
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def sent(seen, box):
    assert seen
    answer = httpx2.get(f"{box.url}/sms/sent", trust_env=False)
    return {one["vendor"]: one for one in answer.json()["sent"]}


def test_alibabas_sms_is_sent(seen, sent):
    assert (seen["sms"]["Code"], seen["sms"]["Message"]) == ("OK", "OK")
    assert seen["sms"]["BizId"] == sent["dysmsapi"]["receipt"]
    assert sent["dysmsapi"]["text"] == "【元境】您的验证码为:123456,请勿告知他人。"
    assert sent["dysmsapi"]["fields"]["other"] == "a b+c*d~e/é&="
    assert sent["dysmsapi"]["number"] == f"+86{NUMBER}"


def test_alibabas_sms_refuses_as_the_product_and_as_the_gateway(seen):
    assert seen["sms_again"]["Code"] == "isv.BUSINESS_LIMIT_CONTROL"
    assert seen["sms_sign"]["Code"] == "isv.SMS_SIGNATURE_ILLEGAL"
    assert seen["sms_number"]["Code"] == "isv.MOBILE_NUMBER_ILLEGAL"
    assert (seen["sms_secret"]["raised"], seen["sms_secret"]["status"]) == ("SignatureDoesNotMatch", 400)


def test_number_verification_makes_a_code_and_checks_it(seen, sent):
    model = seen["verify"]["Model"]
    assert (seen["verify"]["Code"], seen["verify"]["Success"], model["OutId"]) == ("OK", True, "out-1")
    assert model["BizId"] == sent["dypnsapi"]["receipt"]
    assert model["VerifyCode"] in sent["dypnsapi"]["text"]
    assert "##code##" not in sent["dypnsapi"]["text"]
    assert (seen["check"]["Code"], seen["check"]["Model"]["VerifyResult"]) == ("OK", "PASS")
    assert (seen["check_wrong"]["raised"], seen["check_wrong"]["status"]) == ("isv.ValidateFail", 400)


def test_number_verification_refuses(seen):
    assert seen["verify_again"]["Code"] == "biz.FREQUENCY"
    assert seen["verify_secret"]["raised"] == "SignatureDoesNotMatch"


def test_tencents_sms_is_sent_number_by_number(seen, sent):
    first, second = seen["tencent"]["SendStatusSet"]
    assert (first["Code"], first["Fee"], first["IsoCode"], first["PhoneNumber"]) == ("Ok", 1, "CN", f"+86{NUMBER}")
    assert first["SerialNo"] == sent["tencent"]["receipt"]
    assert (second["Code"], second["Fee"]) == ("InvalidParameterValue.IncorrectPhoneNumber", 0)
    assert sent["tencent"]["text"] == "【元境】123456为您的登录验证码,请于5分钟内填写。"


def test_tencents_sms_refuses(seen):
    (again,) = seen["tencent_again"]["SendStatusSet"]
    assert again["Code"] == "LimitExceeded.PhoneNumberThirtySecondLimit"
    assert seen["tencent_secret"] == {"raised": "AuthFailure.SignatureFailure"}
    (sign,) = seen["tencent_sign"]["SendStatusSet"]
    assert sign["Code"] == "FailedOperation.SignatureIncorrectOrUnapproved"
