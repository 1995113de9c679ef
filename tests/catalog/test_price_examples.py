"""About what a video costs, as the shipped catalogue has it."""

from dataclasses import replace

import pytest
from tests.support.video_offers import DRAFTS, OFFERS

from yuanjing.domain.money import format_amount
from yuanjing.domain.video_examples import price_examples
from yuanjing.domain.video_pricing import VideoPrice


def price_of(offer_id: str) -> VideoPrice:
    draft = DRAFTS[offer_id].price
    return VideoPrice(
        id="price_1", offer_id=offer_id, version=1, effective_from=draft.effective_from, rates=draft.rates
    )


WAN, SEEDANCE, VIDU, HORSE_REFERENCES = (
    "u9HZyfDoqU6uKI6M1BTks",
    "YjjGgxO_Xma8PWsMjJvps",
    "r0ill7L0s6PtBS8mkmg-7",
    "6o9n_7u2K927hNlD8_72f",
)


@pytest.mark.parametrize("offer", OFFERS.values(), ids=lambda offer: offer.id)
def test_every_offer_has_one_for_each_tier_that_it_makes(offer):
    found = price_examples(offer, price_of(offer.id))
    assert found
    assert [one.amount_nanos for one in found] == sorted(one.amount_nanos for one in found)
    assert len({one.resolution for one in found}) == len(found)
    assert {one.seconds for one in found} == {5}
    assert {one.model for one in found} == {offer.video.models[0].name}
    assert all(one.amount_nanos > 0 for one in found)


def test_they_are_made_of_the_price_whatever_it_counts():
    def told(offer_id: str) -> list[tuple[str, str]]:
        found = price_examples(OFFERS[offer_id], price_of(offer_id))
        return [(one.resolution, format_amount(one.amount_nanos)) for one in found]

    assert told(WAN) == [("720p", "3.00"), ("1080p", "5.00")]
    assert told(HORSE_REFERENCES)[0] == ("720p", "4.50")
    assert told(SEEDANCE)[1] == ("720p", "5.0094"), "1280 * 720 * 121 / 1024 tokens"
    assert told(VIDU)[0] == ("540p", "1.775"), "10 credits a second, without the margin of a ceiling"


def test_what_has_no_rate_has_no_example():
    price = price_of(WAN)
    without = replace(price, rates=tuple(rate for rate in price.rates if rate.resolution != "1080p"))
    assert [one.resolution for one in price_examples(OFFERS[WAN], without)] == ["720p"]


def test_a_length_that_cannot_be_asked_for_is_not_told():
    offer = OFFERS[WAN]
    for duration, seconds in (({"enum": [-1, 8, 12]}, 8), ({"minimum": 6, "maximum": 9}, 6), ({"maximum": 3}, 3)):
        properties = {**offer.parameters["properties"], "duration": duration}
        other = replace(offer, parameters={**offer.parameters, "properties": properties})
        assert {one.seconds for one in price_examples(other, price_of(WAN))} == {seconds}
