"""What is sold, told to who has no key."""

from tests.edge.platform import FREE_LLMID, FUTURE_LLMID, LLMID, OTHER_LLMID, Platform
from tests.support.signin import Browser

from yuanjing.usecases.catalog import import_catalog
from yuanjing.usecases.catalog_documents import shipped_documents

HORSE = "7y7kfYM0Xasizyi37WvAZ"


async def test_anybody_sees_what_can_be_bought_and_nothing_else(browser: Browser):
    answer = await browser.client.get("/api/models")
    assert answer.status_code == 200
    found = {one["llmid"]: one for one in answer.json()["data"]}
    assert set(found) >= {LLMID, OTHER_LLMID}
    assert not {FUTURE_LLMID, FREE_LLMID} & set(found)


async def test_a_model_tells_its_limits_and_its_price(browser: Browser):
    found = (await browser.client.get(f"/api/models/{LLMID}")).json()
    assert (found["model"], found["operation"], found["description_zh"]) == ("qwen3-max", "chat", "一个模型。")
    assert found["enabled_from"] == "2026-06-01T00:00:00Z"
    assert found["enabled_until"] is None
    assert found["chat"]["context_tokens"] == 2_000
    assert found["video"] is None
    assert found["price"]["rates"] == []
    assert [(tier["input_up_to"], tier["input"], tier["output"]) for tier in found["price"]["tiers"]] == [
        (1000, "2.50", "10.00"),
        (None, "4.00", "16.00"),
    ]
    assert "2.50" in found["price_text_zh"]


async def test_it_is_the_same_as_a_key_is_told(platform: Platform, browser: Browser):
    async with platform.client() as client:
        told = {one["llmid"]: one for one in (await client.get("/llmage/v1/models")).json()["data"]}
    found = {one["llmid"]: one for one in (await browser.client.get("/api/models")).json()["data"]}
    assert set(found) == set(told)
    for llmid, one in found.items():
        assert one["parameters"] == told[llmid]["parameters"]
        assert one["price_text"] == told[llmid]["price_text"]


async def test_what_cannot_be_bought_is_not_found(browser: Browser):
    for llmid in (FUTURE_LLMID, FREE_LLMID, "x", "qwen3-max"):
        answer = await browser.client.get(f"/api/models/{llmid}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


async def test_models_of_videos_have_rates_files_and_sizes(platform: Platform, browser: Browser):
    given = [(document, draft.offer) for document in shipped_documents() for draft in document.offers]
    own = [document for document in shipped_documents() if document.providers]
    shipped = own + [document for document, offer in given if offer.id == HORSE]
    await import_catalog(platform.store, platform.clock, shipped)
    horse = (await browser.client.get(f"/api/models/{HORSE}")).json()
    assert horse["chat"] is None
    assert horse["price"]["tiers"] == []
    assert [(rate["meter"], rate["resolution"]) for rate in horse["price"]["rates"]] == [
        ("video_seconds", "720p"),
        ("video_seconds", "1080p"),
    ]
    assert [(one["field"], one["is_required"]) for one in horse["video"]["media"]] == [("image1_file", True)]
    assert horse["video"]["examples"] == [
        {"model": "happyhorse-1.0-i2v", "resolution": "720p", "seconds": 5, "amount": "4.50"},
        {"model": "happyhorse-1.0-i2v", "resolution": "1080p", "seconds": 5, "amount": "8.00"},
    ]
    assert horse["video"]["expected_seconds"] == 120
    assert horse["video"]["under_way_max"] == platform.parts.videos.under_way_max == 1000
    assert horse["video"]["sizes"]["720p"]
