"""The model square and a model's page, for who has no account yet."""

import json
import os
import re
import subprocess
from urllib.parse import unquote

from playwright.sync_api import expect
from tests.support.video_api import picture

CHAT, VIDEO = "VaKNrpZ37Ybrg5DWGio6b", "7y7kfYM0Xasizyi37WvAZ"
CODES = {
    CHAT: "choices",
    f"{CHAT}?dialect=llmage": "llmusageid",
    VIDEO: "taskid",
    f"{VIDEO}?dialect=openai": "seconds",
    f"{VIDEO}?dialect=generations": "taskid",
}
"""What the answer has to each of the requests that are shown."""


def test_a_stranger_finds_a_model_and_how_it_is_called(visit):
    visitor = visit(language="en")
    page = visitor.page
    page.goto("/models?operation=text_to_video")
    page.get_by_role("link", name="Wan 2.6", exact=True).wait_for()
    everything = page.get_by_role("listitem").count()
    page.get_by_label("Search models").fill("wan 2.6")
    page.get_by_text("1 found").wait_for()
    assert page.get_by_role("listitem").count() < everything
    assert "q=wan" in page.url
    assert "operation=text_to_video" in page.url
    page.get_by_role("link", name="Wan 2.6", exact=True).click()

    page.get_by_role("heading", name="Wan 2.6").wait_for()
    prices = page.get_by_role("region", name="Price").get_by_role("row")
    expect(prices).to_have_count(3)
    assert ["¥0.60" in one for one in prices.all_inner_texts()][1:] == [True, False]
    expect(page.get_by_role("row", name="size")).to_contain_text("1440*1440")
    page.get_by_role("group", name="Dialect").get_by_role("button", name="OpenAI").click()
    page.get_by_role("group", name="Language").get_by_role("button", name="Python").click()
    page.get_by_text(f'"{visitor.url}/v1/videos"').wait_for()
    assert "dialect=openai" in page.url
    assert "code=python" in page.url
    page.reload()
    page.get_by_text(f'"{visitor.url}/v1/videos"').wait_for()
    visitor.picture("model-en")
    page.get_by_role("link", name="Try it").click()
    page.wait_for_url(lambda url: "/playground/video" in unquote(url))  # by way of signing in


def test_what_is_being_written_is_left_alone(visit):
    """Chinese comes by an input method, and people write in the middle, too; the address follows when they rest."""
    page = visit().page
    page.goto("/models")
    search = page.get_by_label("搜索模型")
    search.click()
    keys = page.context.new_cdp_session(page)
    for text in ("s", "sh", "shi", "shi p", "shi pin"):
        keys.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
        page.wait_for_timeout(100)
    page.wait_for_timeout(400)
    assert "q=" not in page.url
    keys.send("Input.insertText", {"text": "视频"})
    page.wait_for_url("**/models?q=%E8%A7%86%E9%A2%91")
    expect(search).to_have_value("视频")
    search.fill("seedance")
    page.wait_for_url("**/models?q=seedance")
    search.press("Home")
    search.press_sequentially("vidu ", delay=150)
    page.wait_for_url("**/models?q=vidu+seedance")
    expect(search).to_have_value("vidu seedance")


def test_models_are_compared_by_price(visit):
    page = visit(language="en", width=2560).page
    page.goto("/models?operation=text_to_video&provider=Nope")
    cards = page.get_by_role("listitem").filter(has=page.get_by_role("heading"))
    expect(cards.filter(has_text="5 s 720p ≈ ¥3.00")).to_have_count(1)  # the unknown provider filters nothing
    page.get_by_label("Order").select_option("price")
    expect(page).to_have_url(re.compile("sort=price"))
    expect(cards.first).to_contain_text("Seedance 1.5 Pro")
    amounts = [float(one) for one in re.findall(r"≈ ¥([0-9.]+)", " ".join(cards.all_inner_texts()))]
    assert amounts == sorted(amounts)
    assert len(amounts) > 5
    places = cards.evaluate_all("cards => cards.map((card) => card.getBoundingClientRect().toJSON())")
    first = [one for one in places if one["y"] == places[0]["y"]]
    assert len(first) == 4  # a wall shows more of them
    assert first[-1]["right"] - first[0]["left"] > 1600


def test_filters_that_leave_nothing_can_be_cleared(visit):
    page = visit().page
    page.goto("/models?q=there-is-no-such-model")
    page.get_by_role("button", name="清除条件").click()
    page.get_by_role("link", name="Qwen3 Max").wait_for()
    assert page.url.endswith("/models")


def test_a_model_that_is_not_sold_is_told_so(visit):
    visitor = visit()
    visitor.expected.append("404: GET")
    visitor.page.goto("/models/nothing")
    visitor.page.get_by_text("没有这个模型").wait_for()
    visitor.page.get_by_role("link", name="全部模型").last.click()
    visitor.page.get_by_role("link", name="Qwen3 Max").wait_for()


def test_the_code_of_a_model_runs(visit, platform, tmp_path):
    page = visit(language="en").page
    (tmp_path / "first.jpg").write_bytes(picture())
    for place, field in CODES.items():
        page.goto(f"/models/{place}")
        text = page.locator("pre").first.inner_text()
        done = subprocess.run(  # noqa: S603  # what the page shows
            ["bash", "-c", text],  # noqa: S607  # as a reader has it
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "YUANJING_API_KEY": platform.key},  # noqa: TID251  # for a child process
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert field in json.loads(done.stdout), place
    page.goto(f"/models/{CHAT}")
    expect(page.locator("pre").nth(1)).to_contain_text('"stream": true')
