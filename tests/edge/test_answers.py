"""What the cold routes answer, exactly."""

import json
import re

import httpx2
import pytest
from tests.edge.platform import FLAT, LLMID, OTHER_LLMID, VIDEO_LLMID, Platform

from yuanjing.domain.identity import KeyLimits
from yuanjing.domain.ledger import grant
from yuanjing.domain.money import Book
from yuanjing.usecases.catalog import set_price

ENABLED_FROM = 1780272000
NOW = 1793491200
TEXT = (
    "CNY per million tokens: up to 1,000 input tokens: input 2.50, cached input 0.50, output 10.00; "
    "above 1,000 input tokens: input 4.00, output 16.00"
)
TEXT_ZH = (
    "元/百万 tokens：输入不超过 1,000 tokens：输入 2.50，缓存命中 0.50，输出 10.00；"  # noqa: RUF001  # Chinese has its own punctuation
    "输入超过 1,000 tokens：输入 4.00，输出 16.00"  # noqa: RUF001  # the same
)
TIERS = [
    {
        "input_above": 0,
        "input_up_to": 1000,
        "input": "2.50",
        "cache_read": "0.50",
        "cache_write": "2.50",
        "output": "10.00",
    },
    {
        "input_above": 1000,
        "input_up_to": None,
        "input": "4.00",
        "cache_read": "4.00",
        "cache_write": "4.00",
        "output": "16.00",
    },
]
MODEL = {
    "id": "qwen3-max",
    "object": "model",
    "created": ENABLED_FROM,
    "owned_by": "Alibaba Cloud",
    "yuanjing": {
        "llmid": LLMID,
        "provider": "Alibaba Cloud",
        "label": "Qwen3-Max",
        "aliases": ["qwen-max"],
        "capabilities": ["stream", "tools"],
        "context_tokens": 2000,
        "output_tokens_max": 500,
        "price_text": TEXT,
        "price_text_zh": TEXT_ZH,
    },
}


async def test_models_are_the_chat_offers_that_can_be_bought_now(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/v1/models")
    body = answer.json()
    assert answer.status_code == 200
    assert (list(body), body["object"]) == (["object", "data"], "list")
    assert [m["id"] for m in body["data"]] == ["org/other:1", "qwen3-max"]
    assert json.dumps(body["data"][1]) == json.dumps(MODEL)  # the order of keys counts
    assert body["data"][0]["created"] == 0
    assert body["data"][0]["yuanjing"]["price_text"] == "CNY per million tokens: input 1.23456789, output 0.00"


async def test_a_model_is_found_by_name_alias_and_llmid(client: httpx2.AsyncClient) -> None:
    for name in ("qwen3-max", "qwen-max", LLMID):
        answer = await client.get(f"/v1/models/{name}")
        assert (answer.status_code, answer.json()) == (200, MODEL)
    for path in ("/v1/models/org/other:1", "/v1/models/org%2Fother%3A1"):
        assert (await client.get(path)).json()["id"] == "org/other:1"


async def test_what_cannot_be_bought_does_not_exist(client: httpx2.AsyncClient) -> None:
    for name in ("nope", "not-yet", "without-price", "wan2.6-t2v", ""):
        answer = await client.get(f"/v1/models/{name}")
        assert answer.status_code == 404
        assert answer.json() == {
            "error": {
                "message": f"The model '{name}' does not exist; see GET /v1/models",
                "type": "invalid_request_error",
                "param": "model",
                "code": "model_not_found",
            }
        }


@pytest.mark.parametrize("name", ["qwen-max", LLMID])
async def test_a_key_sees_only_the_models_that_it_may_use(platform: Platform, name: str) -> None:
    _, key = await platform.make_key(limits=KeyLimits(models=(name,)))
    async with platform.client(key=key) as client:
        assert [m["id"] for m in (await client.get("/v1/models")).json()["data"]] == ["qwen3-max"]
        assert [m["id"] for m in (await client.get("/llmage/v1/models")).json()["data"]] == ["qwen3-max"]
        assert (await client.get("/v1/models/qwen-max")).status_code == 200
        refused = await client.get("/v1/models/org/other:1")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_allowed")


async def test_llmage_models_have_parameters_and_price(client: httpx2.AsyncClient) -> None:
    body = (await client.get("/llmage/v1/models")).json()
    assert [m["id"] for m in body["data"]] == ["org/other:1", "qwen3-max", "wan2.6-t2v"]
    assert json.dumps(body["data"][1]) == json.dumps(
        {
            "id": "qwen3-max",
            "object": "model",
            "created": ENABLED_FROM,
            "owned_by": "Alibaba Cloud",
            "llmid": LLMID,
            "model": "qwen3-max",
            "provider": "Alibaba Cloud",
            "operation": "chat",
            "label": "Qwen3-Max",
            "description": "A model.",
            "description_zh": "一个模型。",
            "aliases": ["qwen-max"],
            "capabilities": ["stream", "tools"],
            "context_tokens": 2000,
            "output_tokens_max": 500,
            "parameters": {"type": "object", "required": ["model"]},
            "price": {
                "version": 1,
                "effective_from": NOW,
                "currency": "CNY",
                "unit": "million_tokens",
                "tiers": TIERS,
                "source": "A list of 2026-10-31",
            },
            "price_text": TEXT,
            "price_text_zh": TEXT_ZH,
        }
    )


async def test_llmage_models_can_be_filtered(client: httpx2.AsyncClient) -> None:
    async def ids(query: str) -> list[str]:
        answer = await client.get(f"/llmage/v1/models?{query}")
        assert answer.status_code == 200
        return [m["llmid"] for m in answer.json()["data"]]

    assert await ids("operation=text_to_video") == [VIDEO_LLMID]
    assert await ids("provider=deepSEEK") == [OTHER_LLMID]
    assert await ids("operation=chat&provider=Alibaba%20Cloud&color=red") == [LLMID]
    assert await ids("provider=nobody") == []
    assert await ids("operation=&provider=") == [OTHER_LLMID, LLMID, VIDEO_LLMID]


async def test_pricing(client: httpx2.AsyncClient) -> None:
    for name in ("qwen3-max", "qwen-max", LLMID):
        answer = await client.get("/llmage/v1/pricing", params={"model": name})
        body = answer.json()
        assert answer.status_code == 200
        assert list(body)[:5] == ["ppid", "name", "pricing_type", "display_text", "items"]
        assert re.fullmatch(r"price_\w{26}", body.pop("ppid"))
        assert body == {
            "name": "qwen3-max",
            "pricing_type": "token",
            "display_text": TEXT,
            "items": [
                {"meter": meter, "input_above": above, "input_up_to": up_to, "rate": rate}
                for above, up_to, rates in (
                    (0, 1000, ("2.50", "0.50", "2.50", "10.00")),
                    (1000, None, ["4.00"] * 3 + ["16.00"]),
                )
                for meter, rate in zip(
                    ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"), rates, strict=True
                )
            ],
            "display_text_zh": TEXT_ZH,
            "llmid": LLMID,
            "currency": "CNY",
            "unit": "million_tokens",
            "tiers": TIERS,
            "version": 1,
            "effective_from": NOW,
            "source": "A list of 2026-10-31",
        }


async def test_pricing_is_that_in_force(platform: Platform, client: httpx2.AsyncClient) -> None:
    later = platform.clock.now().replace(day=2)
    await set_price(platform.store, platform.clock, "qwen3-max", terms=FLAT, source="new", effective_from=later)
    assert (await client.get("/llmage/v1/pricing?model=qwen3-max")).json()["version"] == 1
    platform.clock.advance(86_400)
    assert (await client.get("/llmage/v1/pricing?model=qwen3-max")).json()["version"] == 2


async def test_balance_is_that_of_the_keys_book(platform: Platform, client: httpx2.AsyncClient) -> None:
    assert (await client.get("/llmage/v1/balance")).text == (
        '{"object":"balance","book":"test","currency":"CNY","available":"100.00","held":"0.00","promotion":"0.00",'
        f'"as_of":{NOW}}}'
    )
    gift = grant(Book.LIVE, platform.customer.id, 12_345_678_901, cause="c", note="")
    await platform.store.write(lambda tx: tx.ledger.post([gift]))
    _, key = await platform.make_key(book=Book.LIVE)
    async with platform.client(key=key) as live:
        body = (await live.get("/llmage/v1/balance")).json()
    assert (body["book"], body["available"]) == ("live", "12.345678901")


async def test_wrong_parameters_are_named(client: httpx2.AsyncClient) -> None:
    for path, text in (
        ("/llmage/v1/models?operation=singing", "Invalid parameter: operation"),
        (f"/llmage/v1/models?provider={'x' * 201}", "Invalid parameter: provider"),
        ("/llmage/v1/pricing", "Missing required parameter: model"),
        ("/llmage/v1/pricing?model=", "Missing required parameter: model"),
        (f"/llmage/v1/pricing?model={'x' * 201}", "Invalid parameter: model"),
    ):
        answer = await client.get(path)
        assert (answer.status_code, answer.text) == (400, f'{{"error": "{text}"}}')
    unknown = await client.get("/llmage/v1/pricing?model=nope")
    assert unknown.status_code == 404
    assert unknown.json() == {"error": "The model 'nope' does not exist; see GET /llmage/v1/models"}
