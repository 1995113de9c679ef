"""Signing in at real processes: two gateways, a restart, and what production refuses."""

import socket
import subprocess
import time
from typing import Any

import httpx2
import pytest
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(300)
MOBILE = "13912345678"


def page(platform: Platform, client: httpx2.Client) -> dict[str, str]:
    """The headers of our page, on a new connection, which any of the processes may have taken."""
    token = client.get(platform.url + "/api/auth/session").json()["csrf_token"]
    return {"origin": platform.url, "x-csrf-token": token, "connection": "close"}


def sign_in(platform: Platform, client: httpx2.Client) -> Any:
    sent = client.post(platform.url + "/api/auth/codes", json={"mobile": MOBILE}, headers=page(platform, client)).json()
    message = platform.run("outbox", "last", "--mobile", MOBILE)["message"]
    body = {"mobile": MOBILE, "challenge_id": sent["challenge_id"], "code": message["code"]}
    answer = client.post(platform.url + "/api/auth/sessions", json=body, headers=page(platform, client))
    assert answer.status_code == 200, answer.text
    assert message["code"] not in platform.errors()
    platform.secrets.note_cookies(client.cookies.jar)
    return answer.json()


def test_a_session_is_known_to_all_processes_and_outlives_them(tmp_path):
    with Platform(tmp_path / "var", workers=2) as platform, httpx2.Client(trust_env=False, timeout=30) as client:
        made = sign_in(platform, client)
        assert made["is_new_customer"]
        shown = platform.run("customer", "balance", MOBILE)
        assert shown["customer_id"] == made["customer"]["id"]
        assert shown["balances"]["test"]["available"] == "100.00"
        for _ in range(8):
            answer = client.get(platform.url + "/api/auth/session", headers={"connection": "close"})
            assert answer.json()["customer"] == made["customer"]
        assert platform.stop() == 0
        platform.start()
        answer = client.get(platform.url + "/api/auth/session")
        assert answer.json()["customer"] == made["customer"]
        answer = client.delete(platform.url + "/api/auth/session", headers=page(platform, client))
        assert answer.status_code == 204
        assert client.get(platform.url + "/api/auth/session").json()["customer"] is None
        assert platform.verify() == []


VENDORS = {
    "dypnsapi": {"YUANJING_SMS_SIGN_NAME": "速通互联验证码", "YUANJING_SMS_CODE_TEMPLATE": "100001"},
    "dysmsapi": {"YUANJING_SMS_SIGN_NAME": "元境", "YUANJING_SMS_CODE_TEMPLATE": "SMS_100000001"},
    "tencent": {
        "YUANJING_SMS_SIGN_NAME": "元境",
        "YUANJING_SMS_CODE_TEMPLATE": "1100001",
        "YUANJING_SMS_APP_ID": "1400000001",
    },
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendors_code_signs_in(tmp_path, vendor):
    """The whole way: our request, the vendor's simulator in the sandbox, the phone, and back."""
    port = free_port()
    simulated = f"http://127.0.0.1:{port}"
    settings = VENDORS[vendor] | {
        "YUANJING_LOG_LEVEL": "debug",
        "YUANJING_SANDBOX_PORT": str(port),
        "YUANJING_SMS_SENDER": vendor,
        "YUANJING_SMS_ENDPOINT": simulated,
        "YUANJING_SMS_KEY_ID": "sandbox-key-id",
        "YUANJING_SMS_KEY_SECRET": "sandbox-key-secret",
    }
    with Platform(tmp_path / "var", **settings) as platform, httpx2.Client(trust_env=False, timeout=30) as client:
        path = platform.url + "/api/auth/codes"
        sent = client.post(path, json={"mobile": MOBILE}, headers=page(platform, client))
        assert sent.status_code == 200, (sent.text, platform.errors())
        (message,) = client.get(f"{simulated}/sms/sent").json()["sent"]
        assert (message["vendor"], message["number"]) == (vendor, f"+86{MOBILE}")
        code = message["fields"]["1" if vendor == "tencent" else "code"]
        body = {"mobile": MOBILE, "challenge_id": sent.json()["challenge_id"], "code": f"{(int(code) + 1) % 10**6:06}"}
        path = platform.url + "/api/auth/sessions"
        answer = client.post(path, json=body, headers=page(platform, client))
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "wrong_code")
        answer = client.post(path, json=body | {"code": code}, headers=page(platform, client))
        assert answer.status_code == 200, answer.text
        assert answer.json()["customer"]["mobile"] == f"+86{MOBILE}"
        platform.secrets.note_cookies(client.cookies.jar)
        platform.secrets.note_document(answer.json())
        answer = client.post(path, json=body | {"code": code}, headers=page(platform, client))
        assert answer.status_code == 403
        client.post(f"{simulated}/sms/faults", data={"fault": "code", "code": "isv.AMOUNT_NOT_ENOUGH"})
        path = platform.url + "/api/auth/codes"
        refused = client.post(path, json={"mobile": "13912345679"}, headers=page(platform, client))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "sms_unavailable")
        assert "AMOUNT" not in refused.text
        assert client.get(platform.url + "/outbox").status_code == 404
        logged = platform.errors()
        assert "isv.AMOUNT_NOT_ENOUGH" in logged
        for secret in (code, "sandbox-key-secret", MOBILE, "13912345679"):
            assert secret not in logged
        kept = [
            path for path in platform.data.rglob("*") if path.is_file() and b"sandbox-key-secret" in path.read_bytes()
        ]
        assert kept == []


def test_the_outbox_is_shown_in_development(tmp_path):
    with Platform(tmp_path / "var") as platform, httpx2.Client(trust_env=False, timeout=30) as client:
        sign_in(platform, client)
        message = platform.run("outbox", "last")["message"]
        shown = client.get(platform.url + "/outbox")
        assert shown.status_code == 200
        assert message["code"] in shown.text


def test_a_customer_who_is_disabled_is_out_at_once(tmp_path):
    with Platform(tmp_path / "var", workers=2) as platform, httpx2.Client(trust_env=False, timeout=30) as client:
        made = sign_in(platform, client)
        key = platform.new_key(made["customer"]["id"])

        def ask() -> int:
            body = {"model": "qwen3-max", "messages": [{"role": "user", "content": "Hello"}]}
            headers = {"authorization": f"Bearer {key}", "connection": "close"}
            return client.post(platform.url + "/v1/chat/completions", json=body, headers=headers).status_code

        assert [ask() for _ in range(6)] == [200] * 6
        assert platform.run("customer", "disable", MOBILE)["ended_sessions"] == 1
        assert client.get(platform.url + "/api/auth/session").json()["customer"] is None
        deadline = time.monotonic() + 10
        refused = 0
        while refused < 6:  # processes look for news ten times a second
            assert time.monotonic() < deadline
            refused = refused + 1 if ask() == 401 else 0
        assert platform.run("customer", "enable", MOBILE)["customer"]["disabled_at"] is None
        while ask() != 200:
            assert time.monotonic() < deadline


def test_production_with_the_outbox_does_not_start(tmp_path):
    settings = {"YUANJING_MODE": "production", "YUANJING_SMS_SENDER": "outbox"}
    platform = Platform(tmp_path / "var", **settings)
    command = [*platform.command, "serve"]
    done = subprocess.run(command, env=platform.environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # our own program
    assert done.returncode == 2
    assert "YUANJING_SMS_SENDER: the outbox is for development" in done.stderr
