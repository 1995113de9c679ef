"""Signing in, in a real browser; what else every page of the console must be is in test_pages.py."""

from playwright.sync_api import expect
from tests.support.browser import Visitor
from tests.support.people import sign_in
from tests.support.platform import Platform

MOBILE = "13812340001"


def test_a_new_number_signs_in_by_its_code_and_out_again(visit, platform):
    visitor = visit()
    sign_in(visitor, platform, MOBILE)
    visitor.page.get_by_role("button", name="+8613812340001").click()
    visitor.page.get_by_role("menuitem", name="退出登录").click()
    visitor.page.get_by_role("link", name="登录").wait_for()


def test_a_wrong_code_is_told_at_its_field(visit):
    visitor = visit(language="en")
    visitor.expected.append("/api/auth/sessions")
    page = visitor.page
    page.goto("/sign-in")
    page.get_by_label("Mobile number").fill("13812340002")
    page.get_by_role("button", name="Send code").click()
    page.get_by_label("Code").fill("000000")
    expect(page.get_by_role("alert")).to_have_count(1)


def test_work_is_shown_where_many_codes_were_asked_for(chromium, tmp_path):
    with Platform(tmp_path / "var", YUANJING_CAPTCHA_AFTER="0") as strict:
        visitor = Visitor(chromium, strict.url)
        visitor.expected.append("403: POST")  # the answer that asks for the work
        sign_in(visitor, strict, MOBILE)
        assert visitor.complaints() == []
        visitor.close()


def test_a_page_for_customers_asks_to_sign_in_and_comes_back_to_it(visit):
    page = visit().page
    page.goto("/sign-in?next=//evil.example/")
    page.get_by_role("heading", name="登录元境").wait_for()
