"""The catalogue that comes with the program."""

import datetime as dt
import importlib.resources
import re

import jsonschema_rs
import pytest

from yuanjing.domain.money import NANOS_PER_YUAN
from yuanjing.domain.pricing import ChatPrice, tier_for
from yuanjing.sandbox.chat.flavours import FLAVOURS
from yuanjing.usecases.catalog_documents import parse_document, shipped_documents, shipped_names

DOCUMENTS = shipped_documents()
DRAFTS = [draft for document in DOCUMENTS for draft in document.offers if draft.offer.chat]
PROVIDERS = {provider.id: provider for document in DOCUMENTS for provider in document.providers}
CHAT_PROVIDERS = {provider.id: provider for provider in PROVIDERS.values() if provider.video is None}
by_model = pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.offer.model)


def test_the_names_alone_are_those_of_the_files():
    names = shipped_names()
    assert names.providers == tuple(PROVIDERS)
    assert names.offers == {draft.offer.id: draft.offer.model for document in DOCUMENTS for draft in document.offers}


def test_the_promised_providers_are_there_with_a_place_in_the_sandbox():
    assert {provider.id: provider.sandbox_path for provider in CHAT_PROVIDERS.values()} == {
        "dashscope": "/compatible-mode/v1",
        "ark": "/api/v3",
        "openai": "/openai/v1",
        "deepseek": "/deepseek/v1",
        "moonshot": "/moonshot/v1",
        "vllm": "/vllm/v1",
        "ollama": "/ollama/v1",
    }
    assert PROVIDERS["dashscope"].on_disconnect == "drain"


def test_ids_and_names_are_unique():
    names = [name for draft in DRAFTS for name in (draft.offer.id, draft.offer.model, *draft.offer.aliases)]
    assert len(names) == len(set(names))


@by_model
def test_an_offer_can_be_sold(draft):
    offer = draft.offer
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{20}", offer.id), "an id that begins with - looks like an option"
    assert offer.is_enabled(dt.datetime(2026, 11, 23, tzinfo=dt.UTC))
    assert draft.price is not None
    assert draft.price.effective_from < dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    assert offer.chat is not None
    assert set(offer.providers) <= set(CHAT_PROVIDERS)
    assert offer.description
    assert offer.description_zh


@by_model
def test_its_prices_are_plausible(draft):
    for tier in draft.price.tiers:
        assert 0 < tier.input_nanos <= tier.output_nanos <= 200 * NANOS_PER_YUAN
        assert tier.cache_read < tier.input_nanos <= tier.cache_write


@by_model
def test_its_parameters_are_a_schema_that_takes_ordinary_requests(draft):
    schema = draft.offer.parameters
    jsonschema_rs.meta.validate(schema)
    validator = jsonschema_rs.validator_for(schema)
    message = [{"role": "user", "content": "hi"}]
    assert validator.is_valid({"model": "m", "messages": message, "temperature": 0.5, "anything": {"else": 1}})
    assert validator.is_valid({"model": "m", "prompt": "hi", "stream": "true"})
    assert not validator.is_valid({"model": "m"})
    assert not validator.is_valid({"model": "m", "prompt": "hi", "temperature": 3})
    assert not validator.is_valid({"model": "m", "prompt": "hi", "max_tokens": 0})
    for parameter in schema["properties"].values():
        assert parameter["x-label"]
        assert parameter["x-label-zh"]


CHARGED_APART = {
    "dashscope": {"enable_search", "search_options", "web_search_options", "enable_code_interpreter"},
    "openai": {"service_tier", "web_search_options"},
    "ark": {"service_tier"},
}


@by_model
def test_it_does_not_sell_what_no_price_covers(draft):
    limits, offer = draft.offer.chat, draft.offer
    for provider in offer.providers:
        assert CHARGED_APART.get(provider, set()) <= set(limits.refused_fields)
    if "moonshot" in offer.providers:
        assert "builtin_function" in limits.refused_tools
    assert not set(limits.refused_fields) & set(offer.parameters["properties"])
    assert not any("search" in capability for capability in offer.capabilities)


def test_qwen3_max_costs_what_its_provider_says():
    (draft,) = [draft for draft in DRAFTS if draft.offer.model == "qwen3-max"]
    rates = [
        (t.input_up_to, *(r // 1_000_000 for r in (t.input_nanos, t.output_nanos, t.cache_read, t.cache_write)))
        for t in draft.price.tiers
    ]
    assert rates == [
        (32_768, 2500, 10_000, 500, 3125),
        (131_072, 4000, 16_000, 800, 5000),
        (262_144, 7000, 28_000, 1400, 8750),
    ]
    assert (draft.offer.chat.context_tokens, draft.offer.chat.output_tokens_max) == (262_144, 65_536)
    assert draft.offer.providers == {"dashscope": "qwen3-max"}


def test_qwen_plus_is_sold_without_the_thinking_that_costs_more():
    (draft,) = [draft for draft in DRAFTS if draft.offer.model == "qwen-plus"]
    rates = [
        (t.input_up_to, *(r // 1_000_000 for r in (t.input_nanos, t.output_nanos, t.cache_read, t.cache_write)))
        for t in draft.price.tiers
    ]
    assert rates == [
        (131_072, 800, 2000, 160, 1000),
        (262_144, 2400, 20_000, 480, 3000),
        (None, 4800, 48_000, 960, 6000),
    ]
    assert {"enable_thinking", "thinking_budget", "reasoning_effort"} <= set(draft.offer.chat.refused_fields)
    assert draft.offer.chat.reasoning_tokens_max == 0
    assert "reasoning" not in draft.offer.capabilities


@by_model
def test_the_sandbox_knows_the_model_and_its_limit(draft):
    flavours = {base: flavour for flavour in FLAVOURS for base in flavour.bases}
    for provider, model in draft.offer.providers.items():
        flavour = flavours[PROVIDERS[provider].sandbox_path]
        assert 0 < flavour.input_tokens_max[model] <= draft.offer.chat.context_tokens


def test_the_examples_can_be_imported_and_are_disabled():
    folder = importlib.resources.files("yuanjing") / "catalog" / "examples"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    assert [file.name for file in files] == ["ollama.toml", "vllm.toml"]
    for file in files:
        (draft,) = parse_document(file.name, file.read_text(encoding="utf-8")).offers
        assert not draft.offer.is_enabled(dt.datetime(2026, 11, 23, tzinfo=dt.UTC))


def test_a_tier_applies_up_to_its_bound():
    (draft,) = [draft for draft in DRAFTS if draft.offer.model == "gpt-5.6-terra"]
    price = _price(draft)
    assert tier_for(price, 272_000) is price.tiers[0]
    assert tier_for(price, 272_001) is price.tiers[1]


def _price(draft):
    return ChatPrice(
        id="p", offer_id=draft.offer.id, version=1, effective_from=draft.price.effective_from, tiers=draft.price.tiers
    )
