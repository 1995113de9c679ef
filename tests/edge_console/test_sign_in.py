"""Signing in over HTTP: cookies, answers and errors."""

import base64
from typing import Any

import altcha
import pytest
import structlog
from tests.edge.platform import Platform
from tests.support.signin import MOBILE, OTHER_MOBILE, Browser

from yuanjing.domain.errors import YuanjingError
from yuanjing.ports.messages import SmsLimitedError, SmsRefusedError, SmsTrouble, SmsUnavailableError
from yuanjing.usecases.signin import totp

PASSWORD = "correct-horse-battery-staple"


def code_of(answer: Any) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "param"}
    return answer.status_code, error["code"], error["param"]


def set_cookies(answer: Any) -> list[str]:
    return answer.headers.get_list("set-cookie")


def shown(secret: str, at: float) -> str:
    return totp.one_time_password(base64.b32decode(secret + "=" * (-len(secret) % 8)), int(at // 30))


async def test_a_number_signs_in_and_becomes_a_customer(browser: Browser) -> None:
    first = await browser.open()
    assert first["customer"] is first["session"] is first["factors"] is first["confirmed_until"] is None
    made = await browser.sign_in()
    assert made["is_new_customer"] is True
    assert made["customer"]["mobile"] == MOBILE
    assert made["session"]["is_current"] is True
    assert made["confirmed_until"] == "2026-11-01T00:10:00Z"
    assert made["factors"] == {"password": False, "totp": False, "recovery_codes_left": 0}
    again = await browser.open()
    assert again["customer"] == made["customer"]
    assert again["is_new_customer"] is False
    assert again["csrf_token"] == made["csrf_token"] != first["csrf_token"]


async def test_cookies_are_kept_to_this_host_https_and_scripts_cannot_read_them(browser: Browser) -> None:
    (for_browser,) = set_cookies(await browser.client.get("/api/auth/session"))
    assert for_browser.startswith("__Host-yj_browser=")
    await browser.open()
    challenge = await browser.ask_code()
    body = {"mobile": MOBILE, "challenge_id": challenge, "code": browser._sender.code(), "remember": True}
    answer = await browser.post("/api/auth/sessions", body)
    (for_session,) = set_cookies(answer)
    assert for_session.startswith("__Host-yj_session=")
    for cookie in (for_browser, for_session):
        words = {word.strip().lower() for word in cookie.split(";")[1:]}
        assert {"httponly", "secure", "samesite=lax", "path=/"} <= words
        assert not any(word.startswith("domain") for word in words)
    assert "Max-Age=2592000" in for_session
    assert "Max-Age" not in for_browser


async def test_over_plain_http_in_development_cookies_have_other_names(platform: Platform) -> None:
    parts = platform.changed(secure_cookies=False, public_base_url="")
    browser = platform.browser(parts=parts)
    async with browser.client:
        browser.client.base_url = "http://127.0.0.1:8080"
        browser.origin = "http://127.0.0.1:8080"
        (cookie,) = set_cookies(await browser.client.get("/api/auth/session"))
        assert cookie.startswith("yj_browser=")
        assert "secure" not in cookie.lower()
        assert (await browser.sign_in())["customer"]["mobile"] == MOBILE
        assert browser.cookie("yj_session")


async def test_known_and_unknown_numbers_get_the_same_answer(platform: Platform, browser: Browser) -> None:
    await browser.open()
    answers = []
    for mobile in (platform.customer.mobile, MOBILE):
        answer = await browser.post("/api/auth/codes", {"mobile": mobile})
        found = answer.json()
        assert found.pop("challenge_id").startswith("chl_")
        answers.append((answer.status_code, found, sorted(answer.headers)))
    assert answers[0] == answers[1]
    told = {"object": "challenge", "expires_at": "2026-11-01T00:05:00Z", "resend_after_seconds": 60, "outbox": None}
    assert answers[0][1] == told | {"attempts_max": platform.parts.sign_in.policy.send.attempts_max}


@pytest.mark.parametrize(
    ("host", "peer", "place"),
    [
        ("127.0.0.1:8080", "127.0.0.1", "/outbox"),
        ("ai.example.com", "127.0.0.1", None),
        ("127.0.0.1:8080", "192.0.2.1", None),
    ],
)
async def test_in_development_an_answer_tells_where_its_code_is_shown(
    platform: Platform, host: str, peer: str, place: str | None
) -> None:
    parts = platform.changed(secure_cookies=False, public_base_url="", outbox=lambda _limit: ())
    browser = platform.browser(parts=parts, peer=peer)
    async with browser.client:
        browser.client.base_url = f"http://{host}"
        browser.origin = f"http://{host}"
        await browser.open()
        assert (await browser.post("/api/auth/codes", {"mobile": MOBILE})).json()["outbox"] == place


async def test_nothing_is_looked_up_before_a_code_is_sent(platform: Platform, browser: Browser) -> None:
    """Which is why its time cannot tell who is known."""
    await browser.open()
    looked: list[str] = []
    tx: Any = platform.store._tx
    find = tx.customers.by_mobile
    tx.customers.by_mobile = lambda mobile: looked.append(mobile) or find(mobile)
    units = []
    for mobile in (platform.customer.mobile, MOBILE):
        before = (platform.store.counters.reads, platform.store.counters.writes)
        await browser.ask_code(mobile)
        units.append((platform.store.counters.reads - before[0], platform.store.counters.writes - before[1]))
    assert looked == []
    assert units[0] == units[1]


async def test_a_planted_session_cookie_is_not_taken_over(platform: Platform, browser: Browser) -> None:
    await browser.open()
    browser.client.cookies.set("__Host-yj_session", "planted", domain="ai.example.com")
    await browser.sign_in()
    token = browser.cookie("yj_session")
    assert token
    assert token != "planted"
    other = platform.browser()
    async with other.client:
        other.client.cookies.set("__Host-yj_session", "planted", domain="ai.example.com")
        answer = await other.client.get("/api/auth/session")
        assert answer.json()["customer"] is None
        assert any("yj_session=" in cookie and "Max-Age=0" in cookie for cookie in set_cookies(answer))


async def test_signing_out_ends_the_session_on_the_server(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    stolen = browser.cookie("yj_session")
    assert stolen
    answer = await browser.send("DELETE", "/api/auth/session")
    assert (answer.status_code, answer.content) == (204, b"")
    assert browser.cookie("yj_session") is None
    thief = platform.browser()
    async with thief.client:
        thief.client.cookies.set("__Host-yj_session", stolen, domain="ai.example.com")
        answer = await thief.client.get("/api/auth/sessions")
        assert code_of(answer) == (401, "not_signed_in", None)
        assert answer.headers["www-authenticate"] == "Cookie"


async def test_sessions_are_listed_and_ended(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    platform.clock.advance(61)
    other = platform.browser(peer="192.0.2.7")
    async with other.client:
        await other.sign_in()
        listed = (await browser.client.get("/api/auth/sessions")).json()["data"]
        assert [(one["is_current"], one["address"]) for one in listed] == [(False, "192.0.2.7"), (True, "127.0.0.1")]
        answer = await browser.send("DELETE", f"/api/auth/sessions/{listed[0]['id']}")
        assert answer.status_code == 204
        assert code_of(await other.client.get("/api/auth/sessions"))[1] == "not_signed_in"
        again = await browser.send("DELETE", f"/api/auth/sessions/{listed[0]['id']}")
        assert code_of(again) == (404, "not_found", "session_id")
        platform.clock.advance(61)
        await other.sign_in()
        assert (await browser.send("DELETE", "/api/auth/sessions")).json() == {"ended": 1}
        assert (await other.open())["customer"] is None


async def test_the_session_of_another_customer_is_not_there(platform: Platform, browser: Browser) -> None:
    mine = await browser.sign_in()
    other = platform.browser()
    async with other.client:
        await other.sign_in(OTHER_MOBILE)
        answer = await other.send("DELETE", f"/api/auth/sessions/{mine['session']['id']}")
        assert code_of(answer) == (404, "not_found", "session_id")
    assert (await browser.open())["customer"] is not None


async def test_a_confirmation_by_code_gives_the_session_a_new_token(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    platform.clock.advance(601)
    assert (await browser.open())["confirmed_until"] is None
    answer = await browser.send("PUT", "/api/auth/password", json={"password": PASSWORD})
    assert code_of(answer) == (403, "confirmation_required", None)
    old = browser.cookie("yj_session")
    sent = await browser.post("/api/auth/codes", {"purpose": "confirm"})
    body = {"challenge_id": sent.json()["challenge_id"], "code": platform.sms.code()}
    answer = await browser.post("/api/auth/confirmations", body)
    assert answer.status_code == 200
    assert answer.json()["confirmed_until"] == "2026-11-01T00:20:01Z"
    assert browser.cookie("yj_session") != old
    answer = await browser.send("PUT", "/api/auth/password", json={"password": PASSWORD})
    assert (answer.status_code, answer.content) == (204, b"")
    thief = platform.browser()
    async with thief.client:
        thief.client.cookies.set("__Host-yj_session", str(old), domain="ai.example.com")
        assert (await thief.open())["customer"] is None


async def test_a_code_to_confirm_goes_to_ones_own_number_only(browser: Browser, platform: Platform) -> None:
    await browser.open()
    answer = await browser.post("/api/auth/codes", {"purpose": "confirm"})
    assert code_of(answer) == (401, "not_signed_in", None)
    await browser.sign_in()
    answer = await browser.post("/api/auth/codes", {"purpose": "confirm", "mobile": OTHER_MOBILE})
    assert code_of(answer) == (400, "invalid_parameter", "mobile")
    platform.clock.advance(61)
    answer = await browser.post("/api/auth/codes", {"purpose": "confirm", "mobile": "13912345678"})
    assert answer.status_code == 200


async def test_the_life_of_a_password(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    answer = await browser.send("PUT", "/api/auth/password", json={"password": "password123"})
    assert code_of(answer) == (400, "weak_password", "password")
    assert (await browser.send("PUT", "/api/auth/password", json={"password": PASSWORD})).status_code == 204
    other = platform.browser()
    async with other.client:
        await other.open()
        answer = await other.post("/api/auth/sessions", {"mobile": MOBILE, "password": "wrong"})
        assert code_of(answer) == (403, "wrong_password", "password")
        answer = await other.post("/api/auth/sessions", {"mobile": MOBILE, "password": PASSWORD})
        assert answer.json()["factors"]["password"] is True
        answer = await other.post("/api/auth/confirmations", {"password": PASSWORD})
        assert answer.status_code == 200
        assert (await other.send("DELETE", "/api/auth/password")).status_code == 204
        answer = await other.post("/api/auth/sessions", {"mobile": MOBILE, "password": PASSWORD})
        assert code_of(answer) == (403, "wrong_password", "password")


async def test_the_life_of_an_authenticator(platform: Platform, browser: Browser) -> None:
    await browser.sign_in()
    made = (await browser.post("/api/auth/totp")).json()
    assert made["qr_svg"].startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert made["uri"].startswith("otpauth://totp/Yuanjing:%2B8613912345678?secret=" + made["secret"])
    now = platform.clock.unix
    answer = await browser.send("PUT", "/api/auth/totp", json={"totp": shown(made["secret"], now() + 3600)})
    assert code_of(answer) == (403, "wrong_one_time_password", "totp")
    answer = await browser.send("PUT", "/api/auth/totp", json={"totp": shown(made["secret"], now())})
    codes = answer.json()["recovery_codes"]
    assert len(codes) == 10
    assert (await browser.open())["factors"] == {"password": False, "totp": True, "recovery_codes_left": 10}
    platform.clock.advance(61)
    other = platform.browser()
    async with other.client:
        await other.open()
        challenge = await other.ask_code()
        body = {"mobile": MOBILE, "challenge_id": challenge, "code": platform.sms.code()}
        assert code_of(await other.post("/api/auth/sessions", body)) == (403, "one_time_password_required", "totp")
        body["totp"] = shown(made["secret"], now())
        assert (await other.post("/api/auth/sessions", body)).status_code == 200
        assert (await other.post("/api/auth/confirmations", {"recovery_code": codes[0]})).status_code == 200
        fresh = (await other.post("/api/auth/recovery-codes")).json()["recovery_codes"]
        assert not set(fresh) & set(codes)
        assert (await other.send("DELETE", "/api/auth/totp")).status_code == 204
        assert (await other.open())["factors"] == {"password": False, "totp": False, "recovery_codes_left": 0}


async def test_the_number_is_changed(platform: Platform, browser: Browser) -> None:
    made = await browser.sign_in()
    other = platform.browser()
    platform.clock.advance(61)
    async with other.client:
        await other.sign_in()
        token = browser.cookie("yj_session")
        challenge = await browser.ask_code(OTHER_MOBILE, "change-mobile")
        body = {"mobile": OTHER_MOBILE, "challenge_id": challenge, "code": platform.sms.code(OTHER_MOBILE)}
        answer = await browser.send("PUT", "/api/auth/mobile", json=body | {"code": "000000"})
        assert code_of(answer) == (403, "wrong_code", "code")
        answer = await browser.send("PUT", "/api/auth/mobile", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["customer"] == made["customer"] | {"mobile": OTHER_MOBILE}
        assert browser.cookie("yj_session") != token
        assert (await other.open())["customer"] is None
    assert (await browser.open())["customer"]["mobile"] == OTHER_MOBILE
    answer = await browser.send("DELETE", "/api/auth/sessions")  # with the new token
    assert answer.json() == {"ended": 0}


async def test_the_number_of_another_customer_is_told_after_the_right_code_only(
    platform: Platform, browser: Browser
) -> None:
    taken = platform.customer.mobile
    await browser.sign_in()
    platform.clock.advance(61)
    free = await browser.post("/api/auth/codes", {"mobile": OTHER_MOBILE, "purpose": "change-mobile"})
    asked = await browser.post("/api/auth/codes", {"mobile": taken, "purpose": "change-mobile"})
    assert (free.status_code, set(free.json())) == (asked.status_code, set(asked.json()))
    body = {"mobile": taken, "challenge_id": asked.json()["challenge_id"], "code": "000000"}
    answer = await browser.send("PUT", "/api/auth/mobile", json=body)
    assert code_of(answer) == (403, "wrong_code", "code")
    answer = await browser.send("PUT", "/api/auth/mobile", json=body | {"code": platform.sms.code(taken)})
    assert code_of(answer) == (409, "already_exists", "mobile")
    assert (await browser.open())["customer"]["mobile"] == MOBILE


async def test_faults_of_changing_the_number(platform: Platform, browser: Browser) -> None:
    await browser.open()
    answer = await browser.post("/api/auth/codes", {"mobile": OTHER_MOBILE, "purpose": "change-mobile"})
    assert code_of(answer) == (401, "not_signed_in", None)
    await browser.sign_in()
    platform.clock.advance(61)
    for body, code in (({}, "missing_required_parameter"), ({"mobile": MOBILE}, "invalid_parameter")):
        answer = await browser.post("/api/auth/codes", {"purpose": "change-mobile", **body})
        assert code_of(answer) == (400, code, "mobile")
    challenge = await browser.ask_code(OTHER_MOBILE, "change-mobile")
    body = {"mobile": OTHER_MOBILE, "challenge_id": challenge, "code": platform.sms.code(OTHER_MOBILE)}
    platform.clock.advance(540)
    answer = await browser.send("PUT", "/api/auth/mobile", json=body)
    assert code_of(answer) == (403, "confirmation_required", None)


async def test_refusals_say_how_long_to_wait(browser: Browser) -> None:
    await browser.open()
    await browser.ask_code()
    answer = await browser.post("/api/auth/codes", {"mobile": MOBILE})
    assert code_of(answer) == (429, "too_many_codes", None)
    assert answer.headers["retry-after"] == "60"
    for number in range(20):
        body = {"mobile": MOBILE, "challenge_id": f"chl_{number}", "code": "123456"}
        assert code_of(await browser.post("/api/auth/sessions", body)) == (403, "wrong_code", "code")
    body = {"mobile": MOBILE, "password": "x"}
    answer = await browser.post("/api/auth/sessions", body)
    assert code_of(answer) == (429, "too_many_attempts", None)
    assert answer.headers["retry-after"] == "3600"


async def test_work_is_asked_for_and_taken(browser: Browser) -> None:
    await browser.open()
    for number in range(3):
        await browser.ask_code(f"+861391234560{number}")
    answer = await browser.post("/api/auth/codes", {"mobile": MOBILE})
    assert code_of(answer) == (403, "captcha_required", "captcha")
    asked = altcha.Challenge.from_dict((await browser.client.get("/api/auth/captcha")).json())
    solution = altcha.solve_challenge(asked)
    assert solution is not None
    payload = altcha.Payload(asked, solution).to_base64()
    answer = await browser.post("/api/auth/codes", {"mobile": MOBILE, "captcha": payload})
    assert answer.status_code == 200
    answer = await browser.post("/api/auth/codes", {"mobile": OTHER_MOBILE, "captcha": payload})
    assert code_of(answer) == (403, "captcha_required", "captcha")


@pytest.mark.parametrize(
    ("failure", "expected", "event"),
    [
        (SmsUnavailableError("at the vendor: no money"), (503, "sms_unavailable", None), "sms.unavailable"),
        (SmsRefusedError("at the vendor: no such number"), (400, "number_not_served", "mobile"), "sms.refused"),
        (SmsLimitedError("at the vendor: the sixth this hour"), (429, "too_many_codes", None), "sms.refused"),
    ],
    ids=["unavailable", "refused", "limited"],
)
async def test_what_the_sender_says_is_for_the_operator(
    platform: Platform, browser: Browser, failure: YuanjingError, expected: Any, event: str
) -> None:
    await browser.open()
    platform.sms.failure = failure
    with structlog.testing.capture_logs() as logs:
        answer = await browser.post("/api/auth/codes", {"mobile": MOBILE})
    assert code_of(answer) == expected
    assert "vendor" not in answer.text
    assert [one["error"] for one in logs if one["event"] == event] == [failure.message]


async def test_our_own_limit_is_no_news_for_the_operator(browser: Browser) -> None:
    await browser.open()
    await browser.ask_code()
    with structlog.testing.capture_logs() as logs:
        answer = await browser.post("/api/auth/codes", {"mobile": MOBILE})
    assert code_of(answer) == (429, "too_many_codes", None)
    assert logs == []


async def test_a_vendor_that_cannot_check_its_code_is_told_to_the_operator(
    platform: Platform, browser: Browser
) -> None:
    platform.sms.makes_codes = True
    await browser.open()
    challenge = await browser.ask_code()
    platform.sms.check_failure = SmsUnavailableError("at the vendor: a wrong key", trouble=SmsTrouble.AUTH)
    body = {"mobile": MOBILE, "challenge_id": challenge, "code": platform.sms.code()}
    with structlog.testing.capture_logs() as logs:
        answer = await browser.post("/api/auth/sessions", body)
    assert code_of(answer) == (503, "sms_unavailable", None)
    assert "vendor" not in answer.text
    assert [(one["error"], one["trouble"]) for one in logs] == [("at the vendor: a wrong key", "auth")]
    platform.sms.check_failure = None
    answer = await browser.post("/api/auth/sessions", body)
    assert answer.status_code == 200


async def test_the_code_is_in_no_answer_and_no_log(platform: Platform, browser: Browser) -> None:
    """The original's test version answered it."""
    await browser.open()
    with structlog.testing.capture_logs() as logs:
        answer = await browser.post("/api/auth/codes", {"mobile": MOBILE})
    assert platform.sms.code() not in answer.text
    assert platform.sms.code() not in repr(logs)
