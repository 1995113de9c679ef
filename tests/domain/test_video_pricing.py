"""Prices of video: the published holds to the fen, and ceiling and charge for everything that is admitted."""

import dataclasses
import datetime as dt
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.video_offers import (
    FILE,
    HAPPYHORSE_I2V,
    HAPPYHORSE_R2V,
    HAPPYHORSE_T2V,
    OFFERS,
    SEEDANCE15_I2V,
    SEEDANCE15_T2V,
    SEEDANCE_I2V,
    SEEDANCE_R2V,
    SEEDANCE_T2V,
    VIDU_I2V,
    VIDU_T2V,
    WAN_PICTURES,
    WAN_T2V,
    WETOKEN_R2V,
    WETOKEN_T2V,
    price_of,
    resolve,
)

from yuanjing.domain.tasks import MediaRole, VideoMeter
from yuanjing.domain.usage import COUNT_MAX
from yuanjing.domain.video_combinations import admissible_requests, price_gaps
from yuanjing.domain.video_pricing import (
    NoRateError,
    VideoPrice,
    VideoRate,
    conditions_from_text,
    conditions_of,
    conditions_to_text,
    explain_video,
    quote_video,
    sizes_of,
)
from yuanjing.domain.videos import RateConditions, TaskMedia

SECONDS, TOKENS, CREDITS = VideoMeter.VIDEO_SECONDS, VideoMeter.VIDEO_TOKENS, VideoMeter.PROVIDER_CREDITS
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ANYTHING = RateConditions(model="m", resolution="", has_audio=True, is_off_peak=False, has_video_input=False)
ADMISSIBLE = [(offer, request) for offer in OFFERS.values() for request in admissible_requests(offer)]
FAST, FAST_BYTEPLUS = "doubao-seedance-2-0-fast-260128", "dreamina-seedance-2-0-fast-260128"


def clip(seconds):
    return TaskMedia(role=MediaRole.REFERENCE_VIDEO, artifact_id="art_1", seconds=seconds)


def quoted(llmid, *clips, **values):
    found = resolve(llmid, prompt="p", **values)
    request = dataclasses.replace(found.request, media=clips)
    return quote_video(found.offer, price_of(found.offer), request)


def yuan(text):
    return int(Decimal(text) * 10**9)


# Facts, seed-mapping §4 and §10: what is asked, the meter's count, the ceiling in CNY.
HOLDS = [
    (HAPPYHORSE_T2V, {}, 5, "4.5"),
    (HAPPYHORSE_I2V, {"image1_file": FILE}, 5, "4.5"),
    (HAPPYHORSE_I2V, {"image1_file": FILE, "duration": 15}, 15, "13.5"),
    (HAPPYHORSE_R2V, {"image_files": FILE}, 12, "19.2"),
    (WAN_T2V, {}, 15, "15"),
    (WAN_T2V, {"size": "1280*720", "duration": 5}, 5, "3"),
    (WAN_PICTURES, {"image_file1": FILE}, 10, "10"),
    (SEEDANCE_T2V, {"ratio": "16:9"}, 108_900, "5.0094"),
    (SEEDANCE_T2V, {"ratio": "16:9", "model": FAST}, 108_900, "4.0293"),
    (SEEDANCE_T2V, {}, 109_586, "5.040956"),
    (SEEDANCE_I2V, {"image1_file": FILE, "resolution": "480p"}, 50_638, "2.329348"),
    (SEEDANCE_R2V, {"image_files": FILE}, 588_971, "30.037521"),
    (SEEDANCE_R2V, {"image_files": FILE, "ratio": "4:3", "resolution": "720p", "duration": 4}, 87_850, "4.0411"),
    (WETOKEN_T2V, {"ratio": "16:9"}, 108_900, "5.41233"),
    (WETOKEN_T2V, {"ratio": "16:9", "model": FAST_BYTEPLUS}, 108_900, "4.329864"),
    (WETOKEN_R2V, {"image_files": FILE}, 588_971, "32.19904457"),
    (SEEDANCE15_T2V, {}, 588_971, "9.423536"),
    (SEEDANCE15_I2V, {"generate_audio": False}, 588_971, "4.711768"),
    (SEEDANCE15_T2V, {"resolution": "480p", "ratio": "16:9", "duration": 5}, 50_638, "0.810208"),
    (VIDU_T2V, {}, 360, "12.78"),
    (VIDU_T2V, {"resolution": "540p", "duration": 1}, 15, "0.5325"),
    (VIDU_T2V, {"off_peak": "Y"}, 180, "6.39"),
    (VIDU_I2V, {"image_file1": FILE, "image_file2": FILE, "model": "viduq2-turbo"}, 288, "10.224"),
]


@pytest.mark.parametrize(("llmid", "values", "count", "ceiling"), HOLDS)
def test_holds_are_the_published_ones(llmid, values, count, ceiling):
    found = quoted(llmid, **values)
    assert list(found.meters.values()) == [count]
    assert found.charge.total_nanos == yuan(ceiling)


def test_the_token_table_of_the_provider():
    table = {  # seed-mapping §10 f: seconds → tokens
        ("480p", "16:9"): {4: 40_594, 5: 50_638, 10: 100_858, 12: 120_946, 15: 151_078},
        ("720p", "16:9"): {4: 87_300, 5: 108_900, 10: 216_900, 12: 260_100, 15: 324_900},
        ("720p", "4:3"): {4: 87_850, 5: 109_586, 10: 218_266, 12: 261_739, 15: 326_947},
        ("720p", "21:9"): {4: 87_726, 5: 109_431, 10: 217_959, 12: 261_370, 15: 326_486},
        ("1080p", "16:9"): {4: 196_425, 5: 245_025, 10: 488_025, 12: 585_225, 15: 731_025},
        ("1080p", "4:3"): {4: 196_716, 5: 245_388, 10: 488_748, 12: 586_092, 15: 732_108},
        ("1080p", "21:9"): {4: 197_682, 5: 246_593, 10: 491_149, 12: 588_971, 15: 735_705},
    }
    for (resolution, ratio), row in table.items():
        for seconds, tokens in row.items():
            found = quoted(SEEDANCE_T2V, resolution=resolution, ratio=ratio, duration=seconds)
            assert found.meters == {TOKENS: tokens}


def test_a_length_that_the_model_chooses_is_held_at_its_longest():
    assert quoted(SEEDANCE_T2V, duration=-1, ratio="16:9").meters == {TOKENS: 324_900}
    assert quoted(SEEDANCE15_T2V, duration=-1, ratio="16:9", resolution="720p").meters == {TOKENS: 260_100}


def test_clips_that_go_in_count_and_change_the_rate():
    def tokens(*clips):
        return quoted(SEEDANCE_R2V, *clips, video_files=FILE, resolution="720p", ratio="16:9", duration=4)

    known = tokens(clip(Decimal(4)))
    assert known.conditions.has_video_input
    assert (known.meters, known.charge.total_nanos) == ({TOKENS: 173_700}, yuan("4.8636"))
    assert tokens(clip(Decimal("3.2"))).meters == known.meters  # whole seconds, rounded up
    assert tokens(clip(Decimal("1.5")), clip(Decimal("2.5"))).meters == known.meters
    assert tokens(clip(Decimal(1)), clip(None)).meters == {TOKENS: 1280 * 720 * (24 * 19 + 1) // 1024}
    assert quoted(SEEDANCE_R2V, clip(Decimal(2)), video_files=FILE).charge.lines[0].amount_nanos == yuan("31")
    assert quoted(SEEDANCE_R2V, clip(Decimal(2)), video_files=FILE, model=FAST).charge.lines[0].amount_nanos == yuan(
        "22"
    )


@pytest.mark.parametrize("offer", OFFERS.values(), ids=lambda offer: offer.id)
def test_everything_that_is_admitted_has_a_price(offer):
    requests = list(admissible_requests(offer))
    assert len(requests) >= 2
    assert price_gaps(offer, price_of(offer)) == []
    for request in requests:
        found = quote_video(offer, price_of(offer), request)
        assert found.charge.total_nanos > 0
        assert found.conditions == conditions_of(offer, request)


@given(st.data())
def test_no_charge_within_the_quote_is_above_the_ceiling(data):
    offer, request = data.draw(st.sampled_from(ADMISSIBLE), label="request")
    price = price_of(offer)
    found = quote_video(offer, price, request)
    meters = {meter: data.draw(st.integers(0, most), label=meter) for meter, most in found.meters.items()}
    charge = explain_video(price, found.conditions, meters)
    assert 0 <= charge.total_nanos <= found.charge.total_nanos
    by_rate = Fraction(0)
    for meter, count in meters.items():
        rate = next(rate for rate in price.rates if rate.meter is meter and rate.holds(found.conditions))
        by_rate += Fraction(count) * Fraction(rate.amount_nanos, rate.per)
    assert charge.total_nanos == math.ceil(by_rate)
    assert sum((line.exact_nanos for line in charge.lines), Fraction(0)) == by_rate


rates = st.builds(
    VideoRate,
    meter=st.sampled_from(VideoMeter),
    amount_nanos=st.integers(0, 10**15),
    per=st.integers(1, 10**9),
    resolution=st.sampled_from([None, "", "720p"]),
    has_audio=st.sampled_from([None, True]),
)


@given(st.lists(rates, min_size=1, max_size=6), st.dictionaries(st.sampled_from(VideoMeter), st.integers(0, COUNT_MAX)))
def test_a_charge_is_the_exact_sum_rounded_up_once(given_rates, meters):
    price = VideoPrice(id="p", offer_id="o", version=1, effective_from=START, rates=tuple(given_rates))
    fitting = {}
    for rate in given_rates:
        if rate.holds(ANYTHING):
            fitting.setdefault(rate.meter, rate)
    if {rate.meter for rate in given_rates} - set(fitting):
        with pytest.raises(NoRateError, match="there is no rate of"):
            explain_video(price, ANYTHING, meters)
        return
    exact = sum(Fraction(meters.get(m, 0)) * r.amount_nanos / r.per for m, r in fitting.items())
    assert explain_video(price, ANYTHING, meters).total_nanos == math.ceil(exact)


def test_meters_that_a_price_does_not_know_cost_nothing():
    rate = VideoRate(meter=SECONDS, amount_nanos=yuan("0.9"), per=1)
    price = VideoPrice(id="p", offer_id="o", version=1, effective_from=START, rates=(rate,))
    charge = explain_video(price, ANYTHING, {SECONDS: 5, TOKENS: 10**6, CREDITS: 0})
    assert [(line.meter, line.quantity) for line in charge.lines] == [(SECONDS, 5)]
    assert explain_video(price, ANYTHING, {}).total_nanos == 0


def test_gaps_are_told_in_sentences():
    offer = OFFERS[SEEDANCE_T2V]
    price = price_of(offer)
    only_hd = dataclasses.replace(price, rates=tuple(dataclasses.replace(r, resolution="1080p") for r in price.rates))
    gaps = price_gaps(offer, only_hd)
    assert 1 <= len(gaps) <= 5
    assert "there is no rate of video_tokens" in gaps[0]
    bare = dataclasses.replace(offer, video=dataclasses.replace(offer.video, pixels=offer.video.pixels[:1]))
    assert any("video tokens cannot be counted for 480p" in gap for gap in price_gaps(bare, price))
    assert sizes_of(bare.video.pixels, "1080p", "16:9") == []
    by_credit = dataclasses.replace(price, rates=(VideoRate(meter=CREDITS, amount_nanos=1, per=1),))
    assert "no credits per second are listed" in price_gaps(offer, by_credit)[0]


@given(
    st.builds(
        RateConditions,
        model=st.text(),
        resolution=st.text(),
        has_audio=st.booleans(),
        is_off_peak=st.booleans(),
        has_video_input=st.booleans(),
    )
)
def test_conditions_come_back_from_a_usage_record(conditions):
    texts = conditions_to_text(conditions)
    assert conditions_from_text({**texts, "task_id": "1"}) == conditions
    for name in texts:
        with pytest.raises(ValueError, match="lack"):
            conditions_from_text({key: text for key, text in texts.items() if key != name})
    with pytest.raises(ValueError, match="perhaps"):
        conditions_from_text({**texts, "has_audio": "perhaps"})


def test_sound_that_is_left_to_the_provider_counts_as_sound():
    found = resolve(VIDU_T2V, prompt="p")
    assert conditions_of(found.offer, found.request).has_audio
    silent = resolve(SEEDANCE15_T2V, prompt="p", generate_audio="no")
    assert not conditions_of(silent.offer, silent.request).has_audio


def test_impossible_rates_cannot_be_made():
    for changes in ({"amount_nanos": -1}, {"per": 0}, {"amount_nanos": 10**16}):
        with pytest.raises(AssertionError):
            VideoRate(**({"meter": SECONDS, "amount_nanos": 1, "per": 1} | changes))
    with pytest.raises(AssertionError):
        VideoPrice(id="p", offer_id="o", version=1, effective_from=START, rates=())
