"""What customers are told about models that make videos, and what they cost."""

from dataclasses import replace

import httpx2
import jsonschema_rs
from tests.edge.platform import Platform

from yuanjing.usecases.catalog import import_catalog
from yuanjing.usecases.catalog_documents import shipped_documents

HORSE, SEEDANCE_I2V, SEEDANCE_R2V = "o5vfXYD5BURJWRTWpopE5", "UeYax4591ytnPcr9eumry", "dmPXF65TD1riKj9KaxLmg"
SEEDANCE = "doubao-seedance-2-0-260128"
TEXT = "CNY per second: 0.90 at 720p, 1.60 at 1080p"
TEXT_ZH = "元/秒：0.90（720p），1.60（1080p）"  # noqa: RUF001  # Chinese has its own punctuation
RATES = [
    {
        "meter": "video_seconds",
        "rate": rate,
        "per": 1,
        "model": None,
        "resolution": resolution,
        "audio": None,
        "off_peak": None,
        "video_input": None,
    }
    for rate, resolution in (("0.90", "720p"), ("1.60", "1080p"))
]


async def _with_catalog(platform: Platform) -> None:
    """The shipped models instead of the test's own, whose names they have."""

    def clear(tx) -> None:
        for offer in tx.catalog.offers():
            tx.catalog.save_offer(replace(offer, model=offer.id))

    await platform.store.write(clear)
    shipped = [document for document in shipped_documents() if not any(d.offer.chat for d in document.offers)]
    await import_catalog(platform.store, platform.clock, shipped)


async def _listed(client: httpx2.AsyncClient, query: str = "") -> dict[str, dict]:
    answer = await client.get(f"/llmage/v1/models?{query}")
    assert answer.status_code == 200
    return {model["llmid"]: model for model in answer.json()["data"]}


async def test_models_have_schema_files_sizes_and_price(platform: Platform, client: httpx2.AsyncClient) -> None:
    await _with_catalog(platform)
    models = await _listed(client)
    horse = models[HORSE]
    assert (horse["model"], horse["provider"], horse["operation"]) == (
        "happyhorse-1.0-t2v",
        "Alibaba Cloud",
        "text_to_video",
    )
    assert (horse["price_text"], horse["price_text_zh"]) == (TEXT, TEXT_ZH)
    assert horse["price"]["rates"] == RATES
    assert (horse["price"]["currency"], horse["price"]["version"]) == ("CNY", 1)
    jsonschema_rs.meta.validate(horse["parameters"])
    assert horse["parameters"]["properties"]["duration"]["default"] == 5
    assert horse["video"]["sizes"]["720p"]["16:9"] == "1280x720"
    assert (horse["video"]["models"], horse["video"]["media"]) == (["happyhorse-1.0-t2v"], [])
    references = models[SEEDANCE_R2V]["video"]
    assert references["models"] == [SEEDANCE, "doubao-seedance-2-0-fast-260128"]
    assert references["needs_any_of"] == ["image_files", "video_files"]
    clips = references["media"][1]
    assert clips == {
        "field": "video_files",
        "role": "reference_video",
        "is_required": False,
        "count_max": 3,
        "media_types": ["video/mp4", "video/quicktime"],
        "size_bytes_max": 209_715_200,
        "side_min": None,
        "side_max": None,
        "aspect_min": None,
        "aspect_max": None,
        "seconds_min": "1.8",
        "seconds_max": "15",
        "seconds_total_max": "15",
        "takes_assets": False,
    }
    assert "with clips as input" in models[SEEDANCE_R2V]["price_text"]
    assert all(
        ("video" in model) == (model["operation"] != "chat")
        for model in models.values()
        if model["id"] != model["llmid"]
    )


async def test_filters_by_operation_and_provider(platform: Platform, client: httpx2.AsyncClient) -> None:
    await _with_catalog(platform)
    doubao = await _listed(client, "operation=text_to_video&provider=doubao")
    assert {model["operation"] for model in doubao.values()} == {"text_to_video", "image_to_video"}
    assert SEEDANCE_I2V in doubao, "it makes videos from a text alone, too"
    assert set(await _listed(client, "operation=reference_to_video&provider=Alibaba%20Cloud")) == {
        "6o9n_7u2K927hNlD8_72f"
    }
    assert not await _listed(client, "operation=chat&provider=doubao")


async def test_pricing_of_a_video(platform: Platform, client: httpx2.AsyncClient) -> None:
    await _with_catalog(platform)
    body = (await client.get("/llmage/v1/pricing?model=happyhorse-1.0-t2v")).json()
    assert list(body)[:5] == ["ppid", "name", "pricing_type", "display_text", "items"]
    assert (body["llmid"], body["pricing_type"], body["items"]) == (HORSE, "second", RATES)
    assert (body["display_text"], body["display_text_zh"]) == (TEXT, TEXT_ZH)
    vidu = (await client.get("/llmage/v1/pricing?model=viduq3-pro")).json()
    assert vidu["display_text"] == "CNY per credit of the provider: 0.0355"
    assert vidu["display_text_zh"] == "元/供应商积分：0.0355"  # noqa: RUF001  # Chinese has its own punctuation
    tokens = (await client.get("/llmage/v1/pricing?model=doubao-seedance-1-5-pro-251215")).json()
    assert tokens["display_text"] == "CNY per million video tokens: 16.00 with sound, 8.00 without sound"
    assert "百万视频 tokens" in tokens["display_text_zh"]


async def test_a_model_of_several_operations(platform: Platform, client: httpx2.AsyncClient) -> None:
    await _with_catalog(platform)

    async def llmid(query: str) -> object:
        return (await client.get(f"/llmage/v1/pricing?{query}")).json().get("llmid")

    assert await llmid(f"model={SEEDANCE}") == "YjjGgxO_Xma8PWsMjJvps"
    assert await llmid(f"model={SEEDANCE}&operation=reference_to_video") == SEEDANCE_R2V
    assert await llmid(f"model={SEEDANCE_I2V}") == SEEDANCE_I2V
    assert await llmid("model=doubao-seedance-2-0-fast-260128") == "YjjGgxO_Xma8PWsMjJvps"
    assert (await client.get(f"/llmage/v1/pricing?model={SEEDANCE}&operation=chat")).status_code == 404
    assert (await client.get(f"/v1/models/{SEEDANCE}")).status_code == 404
    assert SEEDANCE not in {model["id"] for model in (await client.get("/v1/models")).json()["data"]}
