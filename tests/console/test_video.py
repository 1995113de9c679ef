"""The playground's video, in a real browser against the sandbox."""

import re
import struct
import zlib

from playwright.sync_api import expect

PAGE = "/playground/video"
NO_MONEY = {
    "message": "Insufficient balance",
    "type": "insufficient_quota",
    "param": None,
    "code": "insufficient_quota",
}


def png(width: int, height: int) -> bytes:
    """A grey picture."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def submissions(page):
    """The submissions of the page from now on."""
    found = []
    page.on(
        "request", lambda one: found.append(one) if one.method == "POST" and one.url.endswith("/v1/videos") else None
    )
    return found


def test_a_video_is_made_and_plays(signed_in):
    visitor = signed_in()
    page = visitor.page
    page.goto(PAGE)
    ceiling = page.get_by_role("status").filter(has_text="最多")
    expect(ceiling).to_contain_text(re.compile(r"最多¥[0-4]\.\d\d$"))  # a newcomer has money for many
    page.goto(f"{PAGE}?model=viduq3-pro&seed=abc")
    page.get_by_label("时长").fill("2")
    page.get_by_label("分辨率").select_option("540p")
    page.get_by_label("提示词", exact=True).fill("一只小猫在抓老鼠")
    sent = submissions(page)
    page.get_by_role("button", name="生成视频").click()
    expect(page.get_by_text("1 项需要修改：随机种子")).to_be_visible()
    expect(page.get_by_label("随机种子")).to_be_focused()  # which was folded away
    expect(ceiling).to_contain_text("最多—")
    page.get_by_label("随机种子").fill("7")
    expect(ceiling).to_contain_text(re.compile(r"最多¥\d"))
    page.get_by_role("button", name="生成视频").dblclick(delay=60)
    card = page.get_by_role("article", name="一只小猫在抓老鼠")
    expect(card).to_contain_text("冻结 ¥")
    expect(card).to_contain_text(re.compile(r"约剩 \d+ 秒 · 已用 \d+ 秒"))  # the first one of all
    expect(page.get_by_text("已提交，进度见")).to_be_visible()
    visitor.picture("video-running")
    expect(card).to_have_attribute("data-status", "completed")
    assert len(sent) == 1
    player = card.locator("video")
    expect(player).to_have_attribute("poster", re.compile(r"^/idfile\?path="))
    page.wait_for_function("() => document.querySelector('article video').readyState >= 1")
    assert 1.5 < player.evaluate("it => it.duration") < 2.5
    expect(card).to_contain_text("费用 ¥")
    visitor.picture("video-done")
    assert page.request.get(player.get_attribute("poster")).headers["content-type"] == "image/jpeg"
    card.get_by_role("button", name="等效代码").click()
    expect(page.get_by_role("dialog")).to_contain_text('"prompt": "一只小猫在抓老鼠"')
    expect(page.get_by_role("dialog")).to_contain_text("/v1/videos/")
    page.keyboard.press("Escape")
    check_reuse(page, card)


def check_reuse(page, card):
    """Its settings take the place of what was written, which can be had back; what is edited then outlives a reload."""
    page.goto(PAGE)
    page.get_by_label("提示词", exact=True).fill("别的内容")
    card.get_by_role("button", name="复用参数").click()
    expect(page).to_have_url(re.compile(r"from=\d{18}"))
    expect(page.get_by_label("提示词", exact=True)).to_have_value("一只小猫在抓老鼠")
    expect(page.get_by_label("分辨率")).to_have_value("540p")
    expect(page.get_by_label("时长")).to_have_value("2")
    page.get_by_label("提示词", exact=True).fill("一只小猫在睡觉")
    page.reload()
    expect(page.get_by_text("已填入任务的参数")).to_be_visible()
    expect(page.get_by_label("提示词", exact=True)).to_have_value("一只小猫在睡觉")
    expect(page.get_by_label("分辨率")).to_have_value("540p")
    card.get_by_role("button", name="复用参数").click()  # once more
    expect(page.get_by_label("提示词", exact=True)).to_have_value("一只小猫在抓老鼠")
    page.get_by_role("button", name="撤销").click()
    expect(page.get_by_label("提示词", exact=True)).to_have_value("一只小猫在睡觉")
    page.get_by_label("提示词", exact=True).fill("别的内容")
    card.get_by_role("button", name="复用参数").click()
    expect(page.get_by_label("提示词", exact=True)).to_have_value("一只小猫在抓老鼠")
    page.reload()
    expect(page.get_by_text("已填入任务的参数")).to_be_visible()
    page.get_by_role("button", name="撤销").click()  # also after a reload
    expect(page.get_by_label("提示词", exact=True)).to_have_value("别的内容")


def test_a_refusal_and_a_lost_answer_lead_on_to_one_video(signed_in):
    visitor = signed_in()
    page = visitor.page
    page.goto(PAGE)
    page.get_by_label("提示词", exact=True).fill("一只小狗")
    page.get_by_label("时长").focus()
    page.get_by_label("时长").select_option("6")
    page.get_by_label("提示词", exact=True).focus()  # a field counts once it is left
    expect(page).to_have_url(f"{visitor.url}{PAGE}?duration=6&resolution=720p")  # no prompt
    page.reload()
    expect(page.get_by_label("提示词", exact=True)).to_have_value("一只小狗")
    page.route("**/v1/videos", lambda route: route.fulfill(status=429, json={"error": NO_MONEY}), times=1)
    visitor.expected.append("429")
    page.get_by_role("button", name="生成视频").click()
    page.get_by_role("button", name="补足测试余额").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    sent = submissions(page)

    def lose(route):
        route.fetch()  # the platform has taken it
        route.abort("connectionreset")

    page.route("**/v1/videos", lose, times=1)
    visitor.expected.append("ERR_CONNECTION_RESET")
    page.get_by_role("button", name="重试").click()
    expect(page.get_by_role("alert")).to_contain_text("任务可能已经创建")
    cards, button = page.get_by_role("article", name="一只小狗"), page.get_by_role("button", name="生成视频")
    expect(cards).to_have_count(1)
    button.click()
    expect(page.get_by_text("已提交，进度见")).to_be_visible()
    expect(cards).to_have_count(1)  # the same task, which the platform knows by its key
    expect(button).not_to_have_attribute("aria-disabled", "true")  # it is held for a moment
    button.click()
    expect(cards).to_have_count(2)
    keys = [one.headers["idempotency-key"] for one in sent]
    assert len(keys) == 3
    assert keys[0] == keys[1] != keys[2]


def test_files_are_checked_before_they_are_sent(signed_in):
    visitor = signed_in(language="en", theme="dark", width=360)
    page = visitor.page
    page.goto(f"{PAGE}?model=UeYax4591ytnPcr9eumry")
    frame = page.get_by_label("First frame").last
    expect(page.get_by_text("at most 30 MB each").first).to_be_visible()
    frame.set_input_files({"name": "small.png", "mimeType": "image/png", "buffer": png(20, 20)})
    expect(page.get_by_role("alert")).to_contain_text("shorter side at least 300 px")
    frame.set_input_files({"name": "corrupt.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.get_by_role("alert")).to_contain_text("corrupt.png does not fit: it cannot be opened")
    frame.set_input_files({"name": "first.png", "mimeType": "image/png", "buffer": png(640, 400)})
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("button", name="Make the video").click()
    expect(page.get_by_role("alert")).to_have_text("This is required.")
    expect(page.get_by_label("Prompt", exact=True)).to_be_focused()
    page.get_by_label("Prompt", exact=True).fill("sandbox:moderation")
    page.get_by_role("button", name="Equivalent code").click()
    expect(page.get_by_role("dialog")).to_contain_text('image1_file=@"first.png"')
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Make the video").click()
    card = page.get_by_role("article", name="sandbox:moderation")
    expect(card).to_have_attribute("data-status", "failed")
    expect(card).to_contain_text("Not charged")
    visitor.picture("video-failed")
    page.goto(PAGE)
    expect(
        page.get_by_role("combobox", name="Model").locator("option", has_text="Seedance 2.0 · We Token AI · 5 s ≈ ¥")
    ).to_have_count(1)
    card.get_by_role("button", name="Reuse settings").click()
    expect(page.get_by_text("The task's settings and files are filled in.")).to_be_visible()
    again = page.get_by_role("listitem").filter(has_text="first_frame-1.png").locator("img")
    expect(again).to_be_visible()
    expect(again).to_have_js_property("naturalWidth", 640)
    page.get_by_role("button", name="Remove first_frame-1.png").click()
    expect(again).to_have_count(0)
    page.reload()
    expect(page.get_by_text("The task's settings are filled in.")).to_be_visible()
    expect(again).to_have_count(0)  # what was taken out does not come back
    assert list(visitor.axe()) == []
