"""What must not go wrong in the middle of work: a session ends, somebody else signs in, there is no network."""

import pytest
from playwright.sync_api import Page, expect
from tests.support.browser import Visitor
from tests.support.people import Caller, enter, last_code
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(120)
MOBILE, ANOTHER = "13612340001", "13612340002"


def end_session(visitor: Visitor) -> None:
    """Elsewhere, so that the page does not know."""
    Caller(visitor).send("DELETE", "/api/auth/session")


def sign_in_again(page: Page, platform: Platform, mobile: str) -> None:
    """In the dialog over the page."""
    dialog = page.get_by_role("dialog", name="登录已过期")
    expect(dialog).to_be_visible()
    number = dialog.get_by_label("手机号")
    if number.is_editable():
        number.fill(mobile)
    dialog.get_by_role("button", name="发送验证码").click()
    dialog.get_by_label("验证码").wait_for()  # by then it was sent
    dialog.get_by_label("验证码").fill(last_code(platform))
    expect(dialog).to_have_count(0)


def test_a_session_that_ends_loses_nothing_that_was_typed(visit, platform):
    visitor = visit()
    visitor.expected += ["403: PATCH", "401: PATCH", "401: GET", "403: POST"]  # asked with the token of before
    enter(visitor, platform, MOBILE)
    page = visitor.page
    page.goto("/settings")
    name = page.get_by_label("名称")
    name.fill("写到一半")
    page.get_by_role("link", name="用量").click()
    page.get_by_role("dialog", name="放弃未保存的修改？").get_by_role("button", name="留在此页").click()
    end_session(visitor)
    page.get_by_role("button", name="保存").click()
    sign_in_again(page, platform, MOBILE)
    expect(name).to_have_value("写到一半")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("button", name="写到一半")).to_be_visible()

    page.get_by_role("link", name="用量").click()
    expect(page).to_have_title("用量 · 元境")
    expect(page.locator("main")).to_be_focused()
    end_session(visitor)
    page.get_by_role("link", name="下载 CSV").click()
    with page.expect_download() as downloading:
        sign_in_again(page, platform, MOBILE)
        page.get_by_role("link", name="下载 CSV").click()
    assert downloading.value.suggested_filename.endswith(".csv")


def test_two_windows_of_a_browser_with_two_customers(visit, platform):
    visitor = visit()
    visitor.expected += ["403: POST", "403: GET"]
    enter(visitor, platform, MOBILE)
    page = visitor.page
    page.goto("/keys?new=1")
    form = page.get_by_role("dialog", name="创建 API 密钥")
    form.get_by_label("名称").fill("甲的密钥")
    other = visitor.context.new_page()
    end_session(visitor)
    visitor.page = other
    enter(visitor, platform, ANOTHER)
    visitor.page = page

    page.bring_to_front()
    page.locator("form button[type=submit]").dispatch_event("click")  # also under a dialog that is there already
    told = page.get_by_role("dialog", name="登录的账户已更换")
    expect(told).to_be_visible()
    visitor.picture("another-customer")
    assert Caller(visitor).get("/api/keys")["data"] == []
    told.get_by_role("button", name="留在此页").click()
    expect(form.get_by_label("名称")).to_have_value("甲的密钥")
    expect(page.get_by_text(ANOTHER)).to_have_count(0)
    form.get_by_role("button", name="创建 API 密钥").click()
    told.get_by_role("button", name=f"以 +86{ANOTHER} 继续").click()
    expect(form.get_by_label("名称")).to_have_value("")
    form.get_by_role("button", name="取消").click()
    expect(page.get_by_role("button", name=f"+86{ANOTHER}")).to_be_visible()
    expect(page.get_by_text("甲的密钥")).to_have_count(0)


def test_what_fails_for_one_reason_is_told_once_and_asked_again_together(signed_in):
    visitor = signed_in(language="en")
    visitor.expected.append("502: GET")
    page = visitor.page
    told = page.get_by_role("alert")
    page.route("**/api/usage**", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    page.goto("/usage?book=test")
    expect(told).to_have_text("The platform does not answer at the moment. Try again shortly.Try again")
    visitor.picture("usage-fails")
    page.unroute_all()
    told.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Nothing was used")).to_be_visible()
    expect(told).to_have_count(0)


def test_what_is_owned_is_asked_for_when_it_is_looked_at_and_what_is_held_is_told(signed_in):
    """A balance of some seconds ago beside a charge of now looks like a mistake of the platform."""
    visitor = signed_in()
    page = visitor.page
    page.goto("/finance")
    expect(page.get_by_text("¥100.00").first).to_be_visible()
    page.get_by_role("link", name="用量").click()
    expect(page.get_by_role("heading", name="用量")).to_be_visible()
    with page.expect_response("**/api/balance"):
        page.go_back()
    with page.expect_response("**/api/usage?*"):
        page.go_forward()
    balance = Caller(visitor).get("/api/balance")
    balance["test"] |= {"available": "92.5", "held": "7.5"}
    page.route("**/api/balance", lambda route: route.fulfill(json=balance))
    page.get_by_role("link", name="对话", exact=True).click()
    expect(page.get_by_text("可用 ¥92.50。另有 ¥7.50 为进行中的请求冻结，结束后多余部分自动退回。")).to_be_visible()


def test_what_cannot_be_done_offline_is_told_at_once_and_not_done_later(signed_in):
    visitor = signed_in(language="en")
    visitor.expected += ["failed: DELETE", "failed: GET"]
    page, caller = visitor.page, Caller(visitor)
    caller.send("POST", "/api/keys", {"book": "test", "name": "mine"})
    page.goto("/keys")
    page.get_by_role("button", name="Revoke mine").click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for()  # its script has come
    visitor.context.set_offline(True)
    dialog.get_by_role("button", name="Revoke").click()
    expect(dialog.get_by_role("alert")).to_contain_text("There is no network")
    visitor.picture("offline-revoke")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("row", name="mine")).to_be_visible()
    with page.expect_response("**/api/keys?*"):
        visitor.context.set_offline(False)
    assert [one["state"] for one in caller.get("/api/keys")["data"]] == ["active"]
