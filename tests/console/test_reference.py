"""The reference: each call of the platform's own description, found and read."""

from playwright.sync_api import expect


def test_a_call_is_found_by_a_field_and_told_in_full(visit):
    visitor = visit(language="en")
    page = visitor.page
    page.goto("/reference")
    page.get_by_label("Search calls").fill("chat sys_prompt")
    calls = page.get_by_role("navigation", name="Calls").get_by_role("link")
    calls.get_by_text("/llmage/v1/chat/completions").wait_for()
    expect(calls).to_have_count(1)
    calls.first.click()
    page.get_by_role("heading", name="/llmage/v1/chat/completions").wait_for()
    body = page.get_by_role("region", name="Fields (application/json)").first
    expect(body.get_by_role("row", name="sys_prompt")).to_have_count(1)
    page.get_by_text("Needs an API key").wait_for()
    refused = page.locator("details", has_text="insufficient_balance")
    expect(refused.get_by_text("Insufficient balance").first).to_be_hidden()
    refused.locator("summary").click()
    expect(refused.get_by_text("Insufficient balance").first).to_be_visible()
    visitor.picture("reference-en")
    page.reload()
    page.get_by_role("heading", name="/llmage/v1/chat/completions").wait_for()


def test_on_a_phone_one_goes_from_the_list_to_a_call_and_back(visit):
    page = visit(width=360).page
    page.goto("/reference")
    page.get_by_role("link", name="/v1/models/{model}").click()
    page.get_by_role("heading", name="/v1/models/{model}").wait_for()
    page.get_by_role("button", name="返回列表").click()
    page.get_by_role("link", name="/v1/models/{model}").wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth") == 360
