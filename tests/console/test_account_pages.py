"""Keys, usage and tasks in a real browser: each page's journey, together with the API that it is about."""

import json
from decimal import Decimal

import httpx2
import pytest
from playwright.sync_api import expect
from tests.support.load import MODEL, wait_until
from tests.support.pace import Pace
from tests.support.video_api import VideoApi

pytestmark = pytest.mark.timeout(120)
SEEDANCE_15 = "CrEMkFQfRCmbmopZsCqLj"
FRAMES, FRAME_MS_MAX = 40, 100.0
FRAME_WORK_MS_MAX = 33.0
"""Of the main thread, on average over the frames; the longest of them is bounded by the clock."""
RUN_THROUGH = """box => new Promise((done) => {
    const frames = [];
    let before;
    const step = (now) => {
        if (before !== undefined) frames.push(now - before);
        before = now;
        if (frames.length === 40) return done(Math.max(...frames));
        box.scrollTop = (box.scrollTop + 10_000) % box.scrollHeight;
        requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
})"""
"""Scrolls past 220 rows in each of 40 frames; the longest of them, in milliseconds."""


def chat(platform, key):
    """One request; the answer."""
    with httpx2.Client(trust_env=False, timeout=20) as client:
        return client.post(
            f"{platform.url}/v1/chat/completions",
            headers={"authorization": f"Bearer {key}"},
            json={"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 20},
        )


def look(visitor, name):
    """Nothing serious for axe, nothing wider than a phone, and a picture; pages: see test_pages.py."""
    page = visitor.page
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert list(visitor.axe()) == []
    page.set_viewport_size({"width": 360, "height": 800})
    visitor.picture(name)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1280, "height": 900})


def see_many(page):
    """Of ten thousand records only those that can be seen are drawn."""

    def multiply(route):
        found = route.fetch(url=route.request.url.replace("&cursor=more", "")).json()
        is_first = "cursor=more" not in route.request.url
        found["data"] = [found["data"][0] | {"id": f"usage{n}"} for n in (range(10_000) if is_first else [10_000])]
        found["next"] = "more" if is_first else None
        route.fulfill(body=json.dumps(found), content_type="application/json")

    page.route("**/api/usage?*", multiply)
    page.reload()
    log = page.get_by_role("region", name="明细")
    rows = log.locator("tbody tr[aria-rowindex]")
    rows.first.wait_for()
    expect(log.get_by_role("table")).to_have_attribute("aria-rowcount", "10001")
    assert rows.count() < 100
    pace = Pace(page)
    frames = pace.quickest(
        lambda: log.evaluate(RUN_THROUGH), clock_max=FRAME_MS_MAX, work_max=FRAMES * FRAME_WORK_MS_MAX
    )
    pace.close()
    assert frames.faults(clock_max=FRAME_MS_MAX, work_max=FRAMES * FRAME_WORK_MS_MAX) == []
    assert rows.count() < 100
    log.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    log.locator("tr[aria-rowindex='10001']").wait_for()
    assert rows.count() < 100
    page.get_by_role("button", name="加载更多").click()
    page.get_by_role("button", name="加载更多").wait_for(state="detached")
    expect(log.get_by_role("table")).to_have_attribute("aria-rowcount", "10002")
    page.unroute("**/api/usage?*")
    page.reload()


def end_too_late(visitor, task_id):
    """Who wants to cancel a task that ends meanwhile deletes nothing, neither by asking nor by waiting."""
    page = visitor.page
    visitor.expected.append("409: POST")

    def run_on(route):
        found = route.fetch().json()
        route.fulfill(body=json.dumps(found | {"state": "running", "usage_id": None}), content_type="application/json")

    page.route(f"**/api/tasks/{task_id}", run_on)
    page.reload()
    late = page.get_by_role("dialog", name="任务已经结束")
    page.get_by_role("button", name="取消任务").click()
    page.get_by_role("button", name="请求取消").click()
    late.get_by_role("button", name="关闭").click()
    page.get_by_role("button", name="取消任务").click()
    expect(page.get_by_role("button", name="请求取消")).to_be_visible()
    page.unroute_all()
    late.get_by_role("button", name="关闭").click()
    expect(page.locator("video")).to_be_visible()


def ask_without_answer(visitor):
    """A time that has no answer is told once, at its field, and nothing else is."""
    page = visitor.page
    visitor.expected.append("400: GET")
    for path in ("/tasks?from=2026-11-02&to=2026-11-01", "/usage?from=2020-01-01&to=2026-01-01"):
        page.goto(path)
        expect(page.get_by_role("alert")).to_have_count(1)
        expect(page.get_by_role("link", name="Download CSV")).to_have_count(0)
        expect(page.get_by_text("No tasks found")).to_have_count(0)


def create_key(page, name):
    """Through the page, as a person does; the key as it was copied."""
    page.goto("/keys")
    page.get_by_role("button", name="创建 API 密钥").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("名称").fill(name)
    dialog.get_by_role("button", name="创建 API 密钥").click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="复制 API 密钥").click()
    page.get_by_role("button", name="已复制").wait_for()
    return page.evaluate("() => navigator.clipboard.readText()")


def test_a_key_is_made_and_used_and_its_charge_adds_up_until_it_is_revoked(signed_in, platform, tmp_path):
    visitor = signed_in()
    page = visitor.page
    key = create_key(page, "生产")
    assert key.startswith("yj_test_")
    expect(page.get_by_test_id("new-key")).to_have_text(key)
    look(visitor, "keys-new")
    page.get_by_role("button", name="我已保存").click()
    assert key not in page.content()

    answer = chat(platform, key)
    cost, usage_id = answer.json()["usage"]["cost"], answer.headers["x-yuanjing-usage-id"]
    wait_until(lambda: page.request.get(f"/api/usage/{usage_id}").status == 200, pause=0.1)
    page.get_by_role("row", name="生产").get_by_role("link", name="用量").click()
    row = page.get_by_role("region", name="明细").get_by_role("row").nth(1)
    expect(row).to_contain_text(f"¥{cost}")
    page.locator("canvas").wait_for()
    page.get_by_text("以表格查看").click()
    expect(page.get_by_role("region", name="每日扣费")).to_contain_text(f"¥{cost}")
    assert usage_id in page.request.get(page.get_by_role("link", name="下载 CSV").get_attribute("href")).text()
    see_many(page)
    row.get_by_role("link").click()

    page.get_by_text("浏览器已重新计算").wait_for()
    shown = page.get_by_role("region", name="计算过程")
    amounts = [Decimal(text.removeprefix("= ¥")) for text in shown.locator("tbody td:last-child").all_inner_texts()]
    assert 0 <= Decimal(cost) - sum(amounts) < Decimal("1e-9")
    expect(page.get_by_test_id("charge")).to_have_text(f"¥{cost}")
    receipt, keys = tmp_path / "yuanjing-receipt.json", tmp_path / "keys.json"
    receipt.write_bytes(page.request.get(page.get_by_role("link", name="下载凭证").get_attribute("href")).body())
    keys.write_bytes(page.request.get("/.well-known/yuanjing-receipts.json").body())
    checked = platform.run("receipt", "verify", str(receipt), "--public-key", str(keys))
    assert (checked["ok"], checked["charge"]) == (True, cost)

    page.goto("/keys")
    page.get_by_role("button", name="吊销 生产").click()
    page.get_by_role("dialog").get_by_role("button", name="吊销").click()
    page.get_by_text("没有有效的密钥").wait_for()
    wait_until(lambda: chat(platform, key).status_code == 401, pause=0.1)


def test_a_key_is_changed_and_what_is_wrong_is_told_at_its_field(signed_in):
    visitor = signed_in(language="en")
    visitor.expected.append("400: POST")
    page = visitor.page
    page.goto("/keys?new=1")
    form = page.get_by_role("dialog")
    form.get_by_text("Limits (optional)").click()
    form.get_by_label("Budget (CNY)").fill("-1")
    form.get_by_label("Models").fill("no-such-model")
    limits = form.get_by_text("Limits (optional)")
    limits.click()  # what is wrong is unfolded, and has the focus
    form.get_by_role("button", name="Create API key").click()
    expect(form.get_by_text("Enter an amount, such as 100")).to_be_visible()
    expect(form.get_by_label("Budget (CNY)")).to_be_focused()
    form.get_by_label("Budget (CNY)").fill("12.5")
    limits.click()
    form.get_by_role("button", name="Create API key").click()
    expect(form.get_by_label("Models")).to_be_focused()
    expect(page.get_by_role("alert")).to_have_count(1)
    form.get_by_label("Models").fill("kimi-k2.6")
    visitor.expected.append("503: GET")
    page.route("**/api/keys?*", lambda route: route.fulfill(status=503))  # the key does not wait for the list
    form.get_by_role("button", name="Create API key").click()
    expect(page.get_by_test_id("new-key")).to_be_visible()
    expect(page.get_by_label("Try it")).to_contain_text('"model": "kimi-k2.6"')
    page.unroute_all()
    page.get_by_role("button", name="I have saved it; close").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("¥0.00 of ¥12.50")
    page.get_by_role("button", name="Change Unnamed").click()
    form.get_by_label("Name").fill("nightly")
    form.get_by_label("Budget (CNY)").fill("")
    form.get_by_role("button", name="Save").click()
    page.get_by_role("row", name="nightly").wait_for()
    expect(page.get_by_role("row", name="nightly").get_by_text("models: 1")).to_be_visible()
    expect(page.get_by_role("row", name="nightly")).not_to_contain_text("¥12.50")
    ask_without_answer(visitor)
    page.goto("/usage")
    page.get_by_label("From").click()
    page.keyboard.type("10152026", delay=80)
    page.wait_for_url("**/usage?from=2026-10-15")
    expect(page.get_by_label("From")).to_have_value("2026-10-15")


def test_a_task_of_the_api_is_in_the_gallery_with_its_cover_and_can_be_deleted(signed_in, platform):
    visitor = signed_in()
    page = visitor.page
    key = create_key(page, "视频")
    with VideoApi(platform, key) as api:
        fields = {"llmid": SEEDANCE_15, "prompt": "小猫在抓老鼠", "duration": 4, "resolution": "480p"}
        task_id = api.submit(fields)
        page.goto("/tasks")
        card = page.get_by_role("list", name="画廊").get_by_role("link")
        card.wait_for()
        api.ended(task_id)
    card.locator("img").wait_for()
    assert card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    page.get_by_role("button", name="表格").click()
    assert "view=table" in page.url
    page.get_by_role("link", name=task_id).click()

    video = page.locator("video")
    video.evaluate("v => new Promise(done => v.readyState > 0 ? done() : v.addEventListener('loadedmetadata', done))")
    assert video.evaluate("v => v.duration") > 3
    expect(page.get_by_text("小猫在抓老鼠")).to_be_visible()
    expect(page.get_by_text("供应商已接受")).to_be_visible()
    page.get_by_text("浏览器已重新计算").wait_for()
    end_too_late(visitor, task_id)
    page.get_by_role("button", name="删除").click()
    page.get_by_role("dialog").get_by_role("button", name="删除").click()
    page.get_by_text("还没有视频任务").wait_for()

    with VideoApi(platform, key) as api:
        page.goto(f"/tasks/{api.submit(fields | {'prompt': 'sandbox:long-queue=3600'})}")
    page.get_by_role("button", name="取消任务").click()
    page.get_by_role("button", name="请求取消").click()
    page.get_by_text("已取消").first.wait_for()
    expect(page.get_by_text("未成功的任务不扣费")).to_be_visible()
