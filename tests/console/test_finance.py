"""Money in a real browser: paying in at the sandbox's cashier, redeeming a code, and the month's statement."""

import csv
import io
import re
from pathlib import Path

from playwright.sync_api import expect


def test_a_top_up_is_paid_in_the_sandbox_and_its_order_finds_out_by_itself(signed_in, platform):
    visitor = signed_in()
    page = visitor.page
    page.goto("/finance")
    page.get_by_label("金额（元）").fill("12.50")
    page.get_by_role("radio", name="支付宝 打开付款页面").check()
    visitor.picture("finance-light")
    page.get_by_role("button", name="去付款").click()
    page.get_by_role("button", name="Pay · 付款").click()
    page.wait_for_url(f"{platform.url}/finance/orders/top_*")
    state = page.get_by_test_id("topup-state")
    expect(state).to_have_text("已到账")
    visitor.picture("order-credited")
    page.get_by_role("link", name="返回财务").click()
    expect(page.get_by_role("heading", name="正式账户").locator("..")).to_contain_text("¥12.50")
    page.get_by_role("link", name="充值订单").click()
    expect(page.get_by_role("table", name="充值订单")).to_contain_text("已到账")
    page.get_by_role("link", name="月度账单").click()
    page.get_by_role("table").get_by_role("link", name=re.compile("^[0-9]+年")).click()
    sums = page.get_by_role("table", name="按事由")
    expect(sums.get_by_role("row", name="充值")).to_contain_text("+¥12.50")
    expect(sums.get_by_role("row", name="期末")).to_contain_text("¥12.50")
    expect(page.get_by_role("table", name="分录")).to_contain_text("+¥12.50")
    visitor.picture("statement")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="下载 CSV").click()
    rows = list(csv.reader(io.StringIO(Path(downloading.value.path()).read_text(encoding="utf-8-sig"))))
    assert any("topup" in row and "12.50" in row for row in rows)
    assert visitor.complaints() == []


def test_a_code_to_scan_is_shown_and_its_order_is_closed(signed_in):
    visitor = signed_in(language="en", theme="dark", width=360)
    page = visitor.page
    page.goto("/finance")
    amount = page.get_by_label("Amount (CNY)")
    amount.fill("0.001")
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("at most two decimals")
    page.get_by_role("button", name="¥50", exact=True).click()
    expect(amount).to_have_value("50")
    page.get_by_role("radio", name="Alipay QR code").check()
    page.get_by_role("button", name="Pay", exact=True).click()
    picture = page.get_by_alt_text("QR code of the payment")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    visitor.picture("order-qr-360")
    page.reload()  # it is told once, and kept in this window
    expect(picture).to_be_visible()
    page.get_by_role("button", name="Close the order").click()
    page.get_by_role("dialog").get_by_role("button", name="Close the order").click()
    expect(page.get_by_test_id("topup-state")).to_have_text("Closed")


def test_a_code_becomes_promotion_money_once_and_the_test_book_is_full(signed_in, platform):
    visitor = signed_in()
    visitor.expected.append("/api/redemptions")
    page = visitor.page
    made = platform.run("code", "create", "--amount", "8.80", "--money-valid-days", "30", "--note", "for a test")
    page.goto("/finance")
    box = page.get_by_role("textbox", name="兑换码")
    box.fill("ABCD-EFGH")
    page.get_by_role("button", name="兑换", exact=True).click()
    expect(page.get_by_role("alert")).to_have_count(1)
    box.fill(made["codes"][0]["secret"].lower())
    page.get_by_role("button", name="兑换", exact=True).click()
    expect(page.get_by_text("已兑换，正式账户增加赠金 ¥8.80。")).to_be_visible()
    lots = page.get_by_role("table", name="赠金明细")
    expect(lots).to_contain_text("¥8.80")
    expect(page.get_by_role("heading", name="兑换过的码").locator("..")).to_contain_text("+¥8.80")
    refill = page.get_by_role("button", name="补足试用金")
    refill.press("Enter")
    expect(page.get_by_text("试用金是满的")).to_be_visible()
    expect(refill).to_be_focused()
    visitor.picture("finance-promotion")
    visitor.expected.append("/api/topups/top_nope")
    for path in ("/finance/orders/top_nope", "/finance/statements/2026-13"):
        page.goto(path)
        expect(page.get_by_text("没有这个页面")).to_be_visible()


def test_where_no_payment_method_is_set_up_the_page_says_so(signed_in):
    visitor = signed_in()
    visitor.expected.append("/api/topups")
    answer = '{"error": {"code": "not_found", "message": "There is no such page", "param": null}}'
    visitor.page.route(
        "**/api/topups*", lambda route: route.fulfill(status=404, body=answer, content_type="application/json")
    )
    visitor.page.route(
        "**/api/topups/**", lambda route: route.fulfill(status=404, body=answer, content_type="application/json")
    )
    visitor.page.goto("/finance")
    expect(visitor.page.get_by_text("这个平台还没有开通在线充值")).to_be_visible()
    visitor.page.goto("/finance/orders")
    expect(visitor.page.get_by_text("还没有充值")).to_be_visible()
