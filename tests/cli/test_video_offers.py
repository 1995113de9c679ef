"""Offers, prices and usage of videos at the command line."""

import asyncio

import pytest
from tests.support.video_offers import SEEDANCE_R2V, SEEDANCE_T2V, posted_video

from yuanjing.bootstrap.services import open_services
from yuanjing.domain.ledger import Reason, Transfer
from yuanjing.domain.money import Book
from yuanjing.settings import Settings
from yuanjing.usecases import catalog

WAN = "u9HZyfDoqU6uKI6M1BTks"


@pytest.fixture
def shipped(yuanjing):
    assert yuanjing("offer", "import").code == 0


@pytest.mark.usefixtures("shipped")
def test_offers_of_video(yuanjing):
    listed = yuanjing("offer", "list").out
    assert "46.00 / 1,000,000 video_tokens" not in listed  # the first rate is that of the fast model
    assert "0.90 / video_seconds …" in listed
    assert "0.0355 / provider_credits" in listed
    shown = yuanjing("offer", "show", SEEDANCE_R2V)
    assert "image_files (up to 9, optional)" in shown.out
    assert "doubao-seedance-2-0-fast-260128" in shown.out
    assert "RESOLUTION" in shown.out
    several = yuanjing("offer", "show", "doubao-seedance-2-0-260128", "--json")
    assert (several.code, several.error["code"]) == (2, "invalid_input")
    assert SEEDANCE_T2V in several.error["message"]
    document = yuanjing("offer", "show", SEEDANCE_T2V, "--json").document["offer"]
    assert document["models"] == ["doubao-seedance-2-0-260128", "doubao-seedance-2-0-fast-260128"]
    assert document["price"]["rates"][1] == {
        "meter": "video_tokens",
        "rate": "51.00",
        "per": 1_000_000,
        "model": None,
        "resolution": "1080p",
        "audio": None,
        "off_peak": None,
        "video_input": None,
    }
    assert document["parameters"]["properties"]["duration"]["default"] == 5


@pytest.mark.usefixtures("shipped")
def test_prices_of_video_are_set(yuanjing):
    rates = ("--rate", "video_seconds=1.6,resolution=1080p", "--rate", "video_seconds=0.9,audio=yes")
    made = yuanjing("price", "set", WAN, *rates, "--source", "me", "--json").document["price"]
    assert [(rate["rate"], rate["resolution"], rate["audio"]) for rate in made["rates"]] == [
        ("1.60", "1080p", None),
        ("0.90", None, True),
    ]
    assert "tiers" not in made
    listed = yuanjing("price", "list", WAN).out
    assert "version 2 from" in listed
    assert "0.90  video_seconds  any    any         yes    any       any" in listed


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ((), "--tier for chat or --rate for video"),
        (("--tier", "1/1", "--rate", "video_seconds=1"), "--tier for chat or --rate for video"),
        (("--tier", "1/1"), "priced by rates"),
        (("--rate", "seconds=1"), "METER one of video_seconds"),
        (("--rate", "video_seconds=1/0"), "METER=AMOUNT[/PER]"),
        (("--rate", "video_seconds=1/x"), "METER=AMOUNT[/PER]"),
        (("--rate", "video_seconds=much"), "not an amount"),
        (("--rate", "video_seconds=9999999"), "at most one million CNY"),
        (("--rate", "video_seconds=1,audio=loud"), "audio=yes|no"),
        (("--rate", "video_seconds=1,mood=calm"), "model=TEXT"),
        (("--rate", "video_seconds=1,resolution=720p"), "there is no rate of video_seconds"),
        (("--rate", "video_seconds=1,model=zap"), "has no model 'zap'"),
        (("--rate", "provider_credits=1"), "no credits per second are listed"),
        (("--rate", "video_seconds=1") * 101, "at most 100"),
    ],
)
@pytest.mark.usefixtures("shipped")
def test_rates_that_cannot_be_are_refused(yuanjing, terms, words):
    failed = yuanjing("price", "set", WAN, *terms, "--source", "me", "--json")
    assert failed.code == 2
    assert words in failed.error["message"]


@pytest.mark.usefixtures("shipped")
def test_chat_has_no_rates_of_video(yuanjing):
    failed = yuanjing("price", "set", "qwen3-max", "--rate", "video_seconds=1", "--source", "me", "--json")
    assert "no rates of video" in failed.error["message"]


@pytest.mark.usefixtures("shipped")
def test_a_charge_of_a_video_explains_itself(yuanjing):
    async def seed():
        async with open_services(Settings.load()) as services:
            _, (price,) = await catalog.list_prices(services.store, SEEDANCE_T2V)
            posted = posted_video(price)

            def work(tx):
                cause = Transfer(
                    id="settle:1", book=Book.LIVE, reason=Reason.GRANT, amount_nanos=1, debit="grants", credit="revenue"
                )
                tx.ledger.post([cause])
                tx.usages.add_new([posted])

            await services.store.write(work)

    asyncio.run(seed())
    shown = yuanjing("usage", "show", "v" * 21).out
    assert "for      doubao-seedance-2-0-260128, 720p, with sound\n" in shown
    assert "counted  video tokens are width x height x (24 x seconds + 1) / 1,024, rounded down\n" in shown
    assert "108900 video_tokens x 46.00 CNY / 1,000,000 = 5.0094 CNY\n" in shown
    assert "charged  5.0094 CNY\n" in shown
    (line,) = yuanjing("usage", "show", "v" * 21, "--json").document["explanation"]["lines"]
    assert line == {"meter": "video_tokens", "quantity": 108_900, "rate": "46.00", "per": 10**6, "amount": "5.0094"}
    assert "108900 video_tokens" in yuanjing("usage", "list").out
