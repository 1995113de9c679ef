import dataclasses
import datetime as dt

import pytest

from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.pricing import ChatTier
from yuanjing.ports.store import Topic
from yuanjing.usecases.catalog import get_offer, import_catalog, list_offers, list_prices, load_directory, set_price
from yuanjing.usecases.catalog_documents import CatalogError, parse_document, shipped_documents

TIER = ChatTier(input_up_to=None, input_nanos=1, output_nanos=2)
PROVIDER = """
[[provider]]
id = "p"
label = "P"
label_zh = "P"
protocol = "openai_compatible"
base_url = "https://p.example/v1"
sandbox_path = "/p/v1"
"""


def offer_text(model="m", number=1, rate="1", source="list 2026-01-01", start="2026-01-01T00:00:00Z", extra=""):
    return f"""
[offer]
id = "offer{number:016d}"
model = "{model}"
operation = "chat"
label = "M"
provider_label = "P"
providers = {{ p = "up" }}
{extra}
[offer.chat]
context_tokens = 1000
output_tokens_max = 100
[price]
effective_from = {start}
source = "{source}"
[[price.tier]]
input = "{rate}"
output = "2"
"""


def read(*texts):
    return [parse_document(f"f{number}.toml", text) for number, text in enumerate(texts)]


async def test_importing_again_changes_nothing(store, clock, signals):
    first = await import_catalog(store, clock, shipped_documents())
    assert "qwen3-max" in first.offers
    assert ("qwen3-max", 1) in first.prices
    before = await load_directory(store)
    again = await import_catalog(store, clock, shipped_documents())
    assert not again.is_changed
    assert await load_directory(store) == before
    assert await signals() == [(Topic.CATALOG, "")]


async def test_a_changed_price_is_a_new_version_and_the_old_one_stays(store, clock):
    await import_catalog(store, clock, read(PROVIDER, offer_text()))
    report = await import_catalog(store, clock, read(offer_text(rate="3", source="list 2026-06-01")))
    assert (report.providers, report.offers, report.prices) == ((), (), (("m", 2),))
    _, prices = await list_prices(store, "m")
    assert [price.tiers[0].input_nanos for price in prices] == [10**9, 3 * 10**9]
    assert (await get_offer(store, clock, "m")).price == prices[1]


async def test_a_price_that_an_operator_has_set_survives_the_next_import(store, clock):
    await import_catalog(store, clock, read(PROVIDER, offer_text()))
    mine = await set_price(store, clock, "m", terms=[TIER], source="mine")
    assert not (await import_catalog(store, clock, read(offer_text()))).is_changed
    assert (await get_offer(store, clock, "m")).price == mine


async def test_an_imported_price_never_begins_before_an_earlier_version(store, clock):
    await import_catalog(store, clock, read(PROVIDER, offer_text()))
    mine = await set_price(store, clock, "m", terms=[TIER], source="mine")
    await import_catalog(store, clock, read(offer_text(rate="9", source="list 2026-01-02")))
    _, prices = await list_prices(store, "m")
    assert [price.effective_from for price in prices] == sorted(price.effective_from for price in prices)
    assert prices[-1].effective_from == mine.effective_from
    assert (await get_offer(store, clock, "m")).price == prices[-1]


async def test_a_future_price_waits_for_its_time(store, clock):
    await import_catalog(store, clock, read(PROVIDER, offer_text(start="2026-12-01T00:00:00+08:00")))
    assert (await get_offer(store, clock, "m")).price is None
    clock.advance(30 * 86_400 - 8 * 3600 - 1)
    assert (await get_offer(store, clock, "m")).price is None
    clock.advance(1)
    assert (await get_offer(store, clock, "m")).price is not None


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([offer_text()], "f0.toml:2: there is no provider 'p'"),
        ([PROVIDER, PROVIDER], "f1.toml:1: provider p is in f0.toml already"),
        ([PROVIDER, offer_text(), offer_text()], "f2.toml:2: offer offer"),
        ([PROVIDER, offer_text(), offer_text(number=2)], "f2.toml:2: the name 'm' belongs to"),
        ([PROVIDER, offer_text(), offer_text("n", 2, extra='aliases = ["m"]')], "the name 'm' belongs to"),
    ],
)
async def test_files_that_do_not_fit_together_change_nothing(store, clock, texts, words):
    with pytest.raises(CatalogError) as error:
        await import_catalog(store, clock, read(*texts))
    assert words in error.value.message
    directory = await load_directory(store)
    assert not directory.providers
    assert not directory.offers


async def test_a_name_may_move_when_both_offers_are_imported(store, clock):
    await import_catalog(store, clock, read(PROVIDER, offer_text("a", 1), offer_text("b", 2)))
    with pytest.raises(CatalogError):
        await import_catalog(store, clock, read(offer_text("b", 1)))
    await import_catalog(store, clock, read(offer_text("b", 1), offer_text("a", 2)))
    assert (await get_offer(store, clock, "b")).offer.id.endswith("1")


async def test_disabled_offers_are_listed_on_demand(store, clock):
    await import_catalog(store, clock, read(PROVIDER, offer_text(), offer_text("off", 2, extra="enabled = false")))
    assert [info.offer.model for info in await list_offers(store, clock)] == ["m"]
    found = {info.offer.model: info.is_enabled for info in await list_offers(store, clock, with_disabled=True)}
    assert found == {"m": True, "off": False}


@pytest.mark.parametrize("name", ["deepseek-v4-flash", "deepseek-chat", "OxxMmllMnrdo6i2fWzqYy"])
async def test_an_offer_has_several_names(catalog_store, clock, name):
    assert (await get_offer(catalog_store, clock, name)).offer.model == "deepseek-v4-flash"


async def test_unknown_offers_are_not_found(store, clock):
    with pytest.raises(NotFoundError):
        await get_offer(store, clock, "x")
    with pytest.raises(NotFoundError):
        await list_prices(store, "x")
    with pytest.raises(NotFoundError):
        await set_price(store, clock, "x", terms=[TIER], source="s")


async def test_setting_a_price_tells_the_gateways(catalog_store, clock, signals):
    price = await set_price(catalog_store, clock, "qwen3-max", terms=[TIER], source=" contract ")
    assert (price.version, price.source, price.effective_from) == (2, "contract", clock.now())
    assert (await signals())[-1] == (Topic.CATALOG, "")
    later = clock.now() + dt.timedelta(days=1)
    future = await set_price(catalog_store, clock, "qwen3-max", terms=[TIER], source="s", effective_from=later)
    assert (await get_offer(catalog_store, clock, "qwen3-max")).price == price
    clock.advance(86_400)
    assert (await get_offer(catalog_store, clock, "qwen3-max")).price == future


@pytest.mark.parametrize(
    ("tiers", "source", "days"),
    [
        ([], "s", 0),
        ([TIER] * 2, "s", 0),
        ([TIER, dataclasses.replace(TIER, input_up_to=5)], "s", 0),
        ([dataclasses.replace(TIER, input_up_to=1000)], "s", 0),
        ([TIER], "  ", 0),
        ([TIER], "s", -365),
    ],
)
async def test_prices_that_cannot_be_applied_are_refused(catalog_store, clock, tiers, source, days):
    start = clock.now() + dt.timedelta(days=days)
    with pytest.raises(InvalidInputError):
        await set_price(catalog_store, clock, "qwen3-max", terms=tiers, source=source, effective_from=start)
    assert len((await list_prices(catalog_store, "qwen3-max"))[1]) == 1
