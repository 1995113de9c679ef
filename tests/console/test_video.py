"""The playground's video, in a real browser against the sandbox."""

import re
import struct
import zlib

from playwright.sync_api import expect

PAGE = "/playground/video"


def png(width: int, height: int) -> bytes:
    """A grey picture."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_video_is_made_and_plays(signed_in):
    visitor = signed_in()
    page = visitor.page
    page.goto(f"{PAGE}?model=viduq3-pro")
    page.get_by_label("时长").fill("2")
    page.get_by_label("分辨率").select_option("540p")
    expect(page.get_by_role("status").filter(has_text="最多")).to_contain_text(re.compile(r"最多¥\d"))
    page.get_by_label("提示词", exact=True).fill("一只小猫在抓老鼠")
    page.get_by_role("button", name="生成视频").click()
    card = page.get_by_role("article", name="一只小猫在抓老鼠")
    expect(card).to_contain_text("冻结 ¥")
    visitor.picture("video-running")
    expect(card).to_have_attribute("data-status", "completed")
    player = card.locator("video")
    expect(player).to_have_attribute("poster", re.compile(r"^/idfile\?path="))
    page.wait_for_function("() => document.querySelector('article video').readyState >= 1")
    assert 1.5 < player.evaluate("it => it.duration") < 2.5
    expect(card).to_contain_text("费用 ¥")
    visitor.picture("video-done")
    assert page.request.get(player.get_attribute("poster")).headers["content-type"] == "image/jpeg"
    page.goto(PAGE)
    card.get_by_role("button", name="复用参数").click()
    expect(page).to_have_url(re.compile(r"from=\d{18}"))
    expect(page.get_by_label("提示词", exact=True)).to_have_value("一只小猫在抓老鼠")
    expect(page.get_by_label("分辨率")).to_have_value("540p")
    expect(page.get_by_label("时长")).to_have_value("2")


def test_files_are_checked_before_they_are_sent(signed_in):
    visitor = signed_in(language="en", theme="dark", width=360)
    page = visitor.page
    page.goto(f"{PAGE}?model=UeYax4591ytnPcr9eumry")
    frame = page.get_by_label("First frame").last
    expect(page.get_by_text("at most 30 MB each").first).to_be_visible()
    frame.set_input_files({"name": "small.png", "mimeType": "image/png", "buffer": png(20, 20)})
    expect(page.get_by_role("alert")).to_contain_text("shorter side at least 300 px")
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
    assert list(visitor.axe()) == []
