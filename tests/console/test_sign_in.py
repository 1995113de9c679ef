"""Signing in, in a real browser; what else every page of the console must be is in test_pages.py."""

import re

from playwright.sync_api import Page, expect
from tests.support.browser import Visitor
from tests.support.people import last_code, sign_in
from tests.support.platform import Platform

MOBILE = "13812340001"


def test_a_wrong_code_is_told_at_its_field_until_it_is_dead(visit):
    visitor = visit()
    visitor.expected.append("/api/auth/sessions")
    page = visitor.page
    page.goto("/sign-in")
    page.get_by_label("手机号").fill("13812340002")
    page.get_by_role("button", name="发送验证码").click()
    code = page.get_by_label("验证码")
    for count in range(5):
        code.fill(f"{count}{count}００００")  # full width, as Chinese input methods write them
        expect(code).to_have_value(f"{count}{count}0000" if count < 4 else "")
        expect(page.get_by_role("alert")).to_contain_text("失效，请重新发送" if count == 4 else "验证码不正确或已失效")
    expect(code).to_be_disabled()
    assert list(visitor.axe()) == []
    visitor.picture("sign-in-dead-code")
    page.get_by_role("button", name="重新发送").click()
    expect(code).to_be_enabled()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_page_that_is_loaded_again_still_takes_the_code(visit, platform):
    visitor = visit()
    page = visitor.page
    page.goto("/sign-in")
    page.get_by_label("手机号").fill("13812340003")
    page.get_by_role("button", name="发送验证码").click()
    page.get_by_label("验证码").wait_for()
    page.reload()
    expect(page.get_by_label("手机号")).to_have_value("13812340003")
    page.get_by_role("button", name="更换号码").click()
    error = {"error": {"code": "too_many_codes", "message": "Too many codes were asked for", "param": None}}
    page.route("**/api/auth/codes", lambda route: route.fulfill(status=429, headers={"retry-after": "59"}, json=error))
    visitor.expected.append("429: POST")
    page.get_by_label("手机号").fill("13812340009")
    page.get_by_role("button", name="发送验证码").click()
    expect(page.get_by_role("alert")).to_have_text("请求验证码过于频繁，请稍候再试。")
    expect(page.get_by_role("button", name=re.compile("^5[0-9] 秒后可重新发送$"))).to_be_disabled()
    visitor.picture("sign-in-too-many-codes")
    page.get_by_label("手机号").fill("+86 138 1234 0003")
    page.get_by_role("button", name="发送验证码").click()
    expect(page.get_by_role("button", name=re.compile("^5[0-9] 秒后可重新发送$"))).to_be_disabled()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_label("验证码").fill(last_code(platform))
    page.wait_for_url("**/models")


def test_work_is_shown_where_many_codes_were_asked_for(seats, tmp_path):
    """On the machine itself by the browser's own cryptography; over plain HTTP elsewhere it gives us none."""
    with Platform(tmp_path / "var", YUANJING_CAPTCHA_AFTER="0") as strict:
        for number, url in enumerate((strict.url, strict.url.replace("127.0.0.1", "platform.lan"))):
            visitor = Visitor(seats, url)
            visitor.expected.append("403: POST")  # the answer that asks for the work
            with visitor.page.expect_response("**/api/auth/captcha"):
                sign_in(visitor, strict, str(int(MOBILE) + 10 + number))
            assert visitor.page.evaluate("() => window.isSecureContext") is (number == 0)
            if number:
                copy_a_name(visitor.page)
            assert visitor.complaints() == []
            visitor.close()


def copy_a_name(page: Page) -> None:
    """The old way, as this page has no other; and by hand where the browser lets nothing into the clipboard."""
    page.get_by_role("link", name="Qwen3 Max").first.click()
    copy = page.get_by_role("button", name="复制模型名称")
    copy.wait_for()
    page.evaluate("() => addEventListener('copy', () => { window.copied = document.activeElement.value; })")
    copy.click()
    page.get_by_role("button", name="已复制").wait_for()
    assert page.evaluate("() => window.copied") == "qwen3-max"
    copy.wait_for()
    page.evaluate("() => { document.execCommand = () => false; }")
    copy.click()
    field = page.get_by_label("文本已选中")
    expect(field).to_have_value("qwen3-max")
    assert field.evaluate("field => field.selectionEnd - field.selectionStart") == len("qwen3-max")


def test_a_page_for_customers_asks_to_sign_in_and_comes_back_to_it(visit):
    page = visit().page
    page.goto("/sign-in?next=//evil.example/")
    page.get_by_role("heading", name="登录元境").wait_for()
