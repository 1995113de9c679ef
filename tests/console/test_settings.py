"""Settings in a real browser: profile, password, authenticator, number and sessions."""

import base64

from playwright.sync_api import expect
from tests.support.load import wait_until
from tests.support.people import Caller, enter, last_code

from yuanjing.kit.clock import SystemClock
from yuanjing.usecases.signin import totp

PASSWORD = "correct horse battery staple"
MOBILE, NEW_MOBILE = "13812349001", "13812349002"


def shown(secret: str) -> str:
    """What an authenticator shows now."""
    return totp.one_time_password(base64.b32decode(secret + "=" * (-len(secret) % 8)), int(SystemClock().unix() // 30))


def test_a_password_is_set_and_signs_in(visit, platform):
    visitor = visit()
    enter(visitor, platform, MOBILE)
    page = visitor.page
    page.goto("/settings")
    page.get_by_role("button", name="设置密码").click()
    visitor.expected.append("/api/auth/password")
    page.get_by_label("新密码").fill("password12")
    page.get_by_role("button", name="保存").last.click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("新密码").fill(PASSWORD)
    page.get_by_role("button", name="保存").last.click()
    expect(page.get_by_text("已设置，可以代替验证码登录。")).to_be_visible()
    visitor.picture("settings-light")
    page.get_by_role("button", name=f"+86{MOBILE}").click()
    page.get_by_role("menuitem", name="退出登录").click()
    page.get_by_role("link", name="登录").click()
    page.get_by_label("手机号").fill(MOBILE)
    page.get_by_role("button", name="用密码登录").click()
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录", exact=True).click()
    page.wait_for_url("**/models")


def test_an_authenticator_is_set_up_and_its_recovery_codes_are_shown_once(signed_in):
    visitor = signed_in(language="en")
    page = visitor.page
    page.goto("/settings")
    page.get_by_role("button", name="Set up an authenticator").click()
    picture = page.get_by_alt_text("QR code for an authenticator")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    visitor.picture("settings-totp")
    secret = page.get_by_label("Secret", exact=True).inner_text()
    page.get_by_label("The six digits that it shows").fill(shown(secret))
    visitor.expected.append("503: GET")
    for address in ("**/api/auth/session", "**/api/profile"):  # the codes do not hang on what is asked next
        page.route(address, lambda one: one.fulfill(status=503) if one.request.method == "GET" else one.fallback())
    page.get_by_role("button", name="Turn on").click()
    codes = page.get_by_test_id("recovery-codes").get_by_role("listitem")
    expect(codes).to_have_count(10)
    page.unroute_all()
    first = codes.first.inner_text()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    assert first in downloading.value.path().read_text(encoding="utf-8").splitlines()
    page.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_text("10 are left.")).to_be_visible()
    assert first not in page.content()


def test_who_was_confirmed_long_ago_shows_who_they_are_before_the_number_changes(visit, platform):
    visitor = visit()
    enter(visitor, platform, "13812349003")
    page = visitor.page
    page.goto("/settings")
    refused = []

    def refuse_once(route):
        if refused:
            route.fallback()
            return
        refused.append(route.request.url)
        body = '{"error": {"code": "confirmation_required", "message": "Show that it is you", "param": null}}'
        route.fulfill(status=403, body=body, content_type="application/json")

    page.route("**/api/auth/mobile", refuse_once)
    visitor.expected.append("403: PUT")
    page.get_by_role("button", name="更换手机号").click()
    page.get_by_label("新手机号").fill(NEW_MOBILE)
    page.get_by_role("button", name="发送验证码").click()
    page.get_by_label("验证码").wait_for()  # by then it was sent
    page.get_by_label("验证码").fill(last_code(platform))
    proof = page.get_by_role("dialog", name="确认是你本人")
    expect(proof).to_be_visible()
    proof.get_by_role("button", name="发送验证码").click()
    proof.get_by_label("验证码").wait_for()
    visitor.picture("settings-confirm")
    proof.get_by_label("验证码").fill(last_code(platform))
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("heading", name="手机号").locator("..")).to_contain_text(f"+86{NEW_MOBILE}")
    assert len(refused) == 1


def test_a_name_is_kept_and_another_browser_is_signed_out(visit, platform):
    mobile = "13812349004"
    visitor, other = visit(theme="dark"), visit()
    enter(visitor, platform, mobile)
    enter(other, platform, mobile)
    page = visitor.page
    page.goto("/settings")
    page.get_by_label("名称").fill("<b>小明</b>")
    page.get_by_label("余额提醒（元）").fill("x")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("alert")).to_have_text("请输入金额，例如 20。")
    page.get_by_label("余额提醒（元）").fill("20")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("button", name="<b>小明</b>")).to_be_visible()
    visitor.picture("settings-dark")
    page.get_by_role("button", name="结束其他所有登录").click()
    page.get_by_role("dialog").get_by_role("button", name="结束其他所有登录").click()
    expect(page.get_by_role("table", name="登录设备").get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name="<b>小明</b>").click()
    page.get_by_role("menuitem", name="English").click()
    wait_until(lambda: Caller(visitor).get("/api/profile")["language"] == "en", pause=0.1)
    other.expected.append("401: GET")
    other.page.goto("/settings")
    other.page.get_by_role("heading", name="登录元境").wait_for()
