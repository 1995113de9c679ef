"""Catalogue files that somebody else wrote: what is wrong is named with its line and what to write."""

import pytest

from yuanjing.domain.catalog import OnDisconnect
from yuanjing.usecases.catalog_documents import CatalogError, parse_document

OFFER = """\
[offer]
id = "abcdefghijklmnopqrstu"
model = "m"
operation = "chat"
label = "M"
provider_label = "P"
providers = { p = "up" }

[offer.chat]
context_tokens = 1000
output_tokens_max = 100

[price]
effective_from = 2026-01-01T00:00:00Z
source = "contract 2026-01-01"

[[price.tier]]
input_up_to = 500
input = "1"
output = "2.5"

[[price.tier]]
input = "2"
output = "5"
cache_read = "0.25"
"""
PROVIDER = """\
[[provider]]
id = "p"
label = "P"
label_zh = "P"
protocol = "openai_compatible"
base_url = "https://p.example/v1"
sandbox_path = "/p/v1"
"""


def test_a_complete_file():
    document = parse_document("f.toml", PROVIDER + OFFER)
    (provider,) = document.providers
    assert provider.on_disconnect is OnDisconnect.CANCEL
    (draft,) = document.offers
    assert draft.offer.chat.context_tokens == 1000
    assert draft.line == 8
    assert [(t.input_up_to, t.input_nanos, t.output_nanos, t.cache_read_nanos) for t in draft.price.tiers] == [
        (500, 10**9, 2_500_000_000, None),
        (None, 2 * 10**9, 5 * 10**9, 250_000_000),
    ]
    assert set(draft.offer.parameters["properties"]) >= {"messages", "temperature", "tools"}


def test_what_may_cost_more_is_refused_unless_the_file_says_otherwise():
    limits = parse_document("f", OFFER).offers[0].offer.chat
    assert "service_tier" in limits.refused_fields
    assert "web_search" in limits.refused_tools
    text = OFFER.replace("[price]", 'refused_fields = ["web_search_options"]\nrefused_tools = []\n[price]')
    limits = parse_document("f", text).offers[0].offer.chat
    assert (limits.refused_fields, limits.refused_tools) == (("web_search_options",), ())


def test_parameters_are_the_base_with_changes():
    text = OFFER.replace(
        "[price]",
        '[offer.parameters]\nwithout = ["n"]\n[offer.parameters.properties.temperature]\nmaximum = 1\n'
        '[offer.parameters.properties.mood]\ntype = "string"\n[price]',
    )
    properties = parse_document("f", text).offers[0].offer.parameters["properties"]
    assert "n" not in properties
    assert properties["temperature"]["maximum"] == 1
    assert properties["temperature"]["minimum"] == 0
    assert properties["mood"] == {"type": "string"}


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('id = "abcdefghijklmnopqrstu"', 'id = "short"', 2, "21 characters"),
        ('id = "abcdefghijklmnopqrstu"', "", 1, "`id` is missing"),
        ('operation = "chat"', 'operation = "sing"', 4, "one of chat"),
        ('model = "m"', 'modle = "m"', 3, "`modle` is not known here"),
        ('providers = { p = "up" }', "providers = {}", 7, "add which providers serve it"),
        ("[offer.chat]", "[offer.talk]", 1, "[offer.chat]"),
        ("output_tokens_max = 100", "output_tokens_max = 2000", 11, "above `context_tokens`"),
        ("output_tokens_max = 100", "output_tokens_max = true", 11, "whole number"),
        ("2026-01-01T00:00:00Z", "2026-01-01", 14, "time with its zone"),
        ("contract 2026-01-01", "my head", 15, "must name its date"),
        ('input = "1"', "input = 1.0", 19, "in quotes"),
        ('input = "1"', 'input = "1,5"', 19, "is not an amount"),
        ('input = "1"', 'input = "-1"', 19, "is not an amount"),
        ('input = "1"', 'input = "9000000"', 19, "one million CNY"),
        ('output = "2.5"', "", 17, "`output` is missing"),
        ('input = "2"', 'input_up_to = 400\ninput = "2"', 17, "rising order"),
        ('input = "2"', 'input_up_to = 600\ninput = "2"', 17, "below the model's 1000"),
        ('cache_read = "0.25"', 'cache_raed = "0.25"', 25, "`cache_raed` is not known"),
        ("[price]", "[offer.parameters]\nwithout = ['zap']\n[price]", 14, "'zap'"),
        ("[price]", "[offer.parameters.properties]\nx = 1\n[price]", 14, "table of JSON Schema"),
        ("[price]", "[[offer.parameters]]\n[price]", 13, "must be a table"),
        ("[[price.tier]]", "[[price.teir]]", 13, "at least one [[price.tier]]"),
        ("[price]", "refused_fields = ['max_tokens']\n[price]", 13, "which the platform reads itself"),
        ("[price]", "refused_fields = ['two words']\n[price]", 13, "not 'two words'"),
        ("[price]", "refused_fields = [" + "'a', " * 51 + "]\n[price]", 13, "at most 50 names"),
        ("[price]", "refused_fields = 'service_tier'\n[price]", 13, "list of texts"),
        ("[price]", "refused_tools = ['function']\n[price]", 13, "the client runs those itself"),
        ("[price]", "[offer.parameters.properties.enable_search]\ntype = 'boolean'\n[price]", 13, "`refused_fields`"),
    ],
)
def test_each_mistake_has_its_line_and_advice(old, new, line, words):
    with pytest.raises(CatalogError) as error:
        parse_document("f.toml", OFFER.replace(old, new))
    found = [problem for problem in error.value.problems if words in problem.message]
    assert found, error.value.problems
    assert found[0].line == line
    assert f"f.toml:{line}: " in error.value.message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("https://p.example/v1", "https://p.example/v1/", "without a slash"),
        ("https://p.example/v1", "https://user:pass@p.example", "http(s) address"),
        ("https://p.example/v1", "ftp://p.example", "http(s) address"),
        ("openai_compatible", "soap", "one of openai_compatible"),
        ('id = "p"', 'id = "P P"', "lower-case name"),
        ("[[provider]]", '[[provider]]\nquirks = ["odd"]', "does not know 'odd'"),
        ("[[provider]]", '[[provider]]\non_disconnect = "wait"', "one of cancel, drain"),
    ],
)
def test_mistakes_in_a_provider(old, new, words):
    with pytest.raises(CatalogError, match=r"f\.toml:\d") as error:
        parse_document("f.toml", PROVIDER.replace(old, new))
    assert words in error.value.message


def test_all_mistakes_are_told_at_once():
    with pytest.raises(CatalogError) as error:
        parse_document("f", OFFER.replace('label = "M"', "label = 1").replace('output = "5"', 'output = "x"'))
    assert [problem.line for problem in error.value.problems] == [5, 24]


@pytest.mark.parametrize(
    ("text", "words"), [("", "neither"), ("[price]\nx=1\n", "needs an [offer]"), ("a=", "not TOML")]
)
def test_files_that_are_no_catalogue(text, words):
    with pytest.raises(CatalogError) as error:
        parse_document("f", text)
    assert words in error.value.message
