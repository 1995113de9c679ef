"""Any number of 64 bits as a price: stored exactly as it is written, or refused (goal L14)."""

import itertools
from importlib.resources import files

import pytest

from yuanjing.domain.money import format_amount, parse_amount
from yuanjing.domain.pricing import RATE_NANOS_MAX
from yuanjing.usecases.catalog_documents import CatalogError, parse_document

MOST = format_amount(RATE_NANOS_MAX)
LAWFUL = ("0", "0.000000001", "0.1", "999999.999999999", "1000000", MOST)
REFUSED = (
    "-1",
    "-0",
    "+1",
    "1000000.000000001",
    "1000001",
    str(2**31 * 10**9),
    str(2**63 - 1),
    str(2**63),
    str(2**64),
    str(-(2**63)),
    "9" * 400,
    "0.0000000001",
    "1e3",
    "1e-9",
    "nan",
    "inf",
    "0x10",
    "1_000",
    "1,000",
    "\u0661",
    "1 0",
    ".5",
    "5.",
)
OFFERS = files("yuanjing.catalog") / "offers"
WAN = "u9HZyfDoqU6uKI6M1BTks"
START = "effective_from = 2026-01-01T00:00:00+08:00"


@pytest.fixture
def shipped(yuanjing):
    assert yuanjing("offer", "import").code == 0


@pytest.mark.usefixtures("shipped")
def test_rates_of_chat_by_command(yuanjing):
    def set_(text):
        return yuanjing("price", "set", "qwen3-max", "--tier", text, "--source", "x, 2026-01-01", "--json")

    for text in LAWFUL:
        found = set_(f"{text}/{text}/{text}/{text}")
        assert found.code == 0, (text, found.err)
        (tier,) = found.document["price"]["tiers"]
        assert {parse_amount(tier[name]) for name in ("input", "output", "cache_read", "cache_write")} == {
            parse_amount(text)
        }
    before = yuanjing("price", "list", "qwen3-max", "--json").document["prices"]
    for number, text in enumerate(REFUSED):
        rates = ["1", "1", "1", "1"]
        rates[number % 4] = text
        found = set_("/".join(rates))
        assert (found.code, found.out) == (2, ""), text
    for bound in ("0", "-1", str(10**12), str(2**63), str(2**64), "1e3", "9" * 400, "x"):
        assert set_(f"{bound}:1/1").code == 2, bound
    assert yuanjing("price", "list", "qwen3-max", "--json").document["prices"] == before


@pytest.mark.usefixtures("shipped")
def test_rates_of_videos_by_command(yuanjing):
    def set_(text):
        return yuanjing("price", "set", WAN, "--rate", text, "--source", "x, 2026-01-01", "--json")

    for text, per in itertools.product(LAWFUL[:4], ("1", "1000000000")):
        found = set_(f"video_seconds={text}/{per}")
        assert found.code == 0, (text, found.err)
        (rate,) = found.document["price"]["rates"]
        assert (parse_amount(rate["rate"]), rate["per"]) == (parse_amount(text), int(per))
    for text in REFUSED:
        found = set_(f"video_seconds={text}")
        assert (found.code, found.out) == (2, ""), text
    for per in ("0", "-1", str(10**9 + 1), str(2**63), str(2**64), "9" * 400, "1.5", "x"):
        assert set_(f"video_seconds=1/{per}").code == 2, per


@pytest.mark.parametrize("kind", ["chat", "video"])
def test_rates_in_catalogue_files(kind):
    """As texts, and as the numbers that a hasty operator writes: those are refused, as they may be fractions."""
    values = [f'"{text}"' for text in REFUSED] + ["-1", "1", str(2**63 - 1), "1.5", "1e300", "inf", "true", "[]"]
    for number, value in enumerate(["", *values]):
        name = ("input", "output", "cache_read", "cache_write")[number % 4]
        rates = {"input": '"1"', "output": '"1"'} | ({name: value} if value else {})
        tier = ["[[price.tier]]", *(f"{key} = {one}" for key, one in rates.items())]
        rate = ["[[price.rate]]", 'meter = "video_seconds"', f"amount = {value or rates['input']}"]
        text = offer_of(kind, tier if kind == "chat" else rate)
        if not value:
            assert len(parse_document("offer.toml", text).offers) == 1
            continue
        with pytest.raises(CatalogError):
            parse_document("offer.toml", text)


def offer_of(kind, price):
    """A shipped file with another price."""
    mark = {"chat": 'model = "qwen3-max"', "video": f'id = "{WAN}"'}[kind]
    texts = (file.read_text(encoding="utf-8") for file in OFFERS.iterdir() if file.name.endswith(".toml"))
    text = next(one for one in texts if mark in one)
    return "\n".join([text.partition("[price]")[0], "[price]", START, 'source = "x, 2026-01-01"', *price, ""])
