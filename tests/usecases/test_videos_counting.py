"""What is charged of a video: the provider's count, whole, and no more than was delivered."""

import datetime as dt
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.usecases.video_market import OFFERS

from yuanjing.domain.artifacts import MediaFacts
from yuanjing.domain.tasks import MediaRole, Size, VideoMeter
from yuanjing.domain.video_offers import CreditRate, Pixels, TokenFormula
from yuanjing.domain.video_pricing import VideoPrice, VideoRate, explain_video, quote_video
from yuanjing.domain.videos import Outcome, TaskMedia, VideoRequest
from yuanjing.usecases.videos.counting import Counted, count_video, task_quote
from yuanjing.usecases.videos.pictures import SMALL_PERCENT

SECONDS, TOKENS, CREDITS = VideoMeter.VIDEO_SECONDS, VideoMeter.VIDEO_TOKENS, VideoMeter.PROVIDER_CREDITS
REQUEST = VideoRequest(model="dream", resolution="720p", ratio="16:9", duration_seconds=5)
CHOSEN = replace(REQUEST, duration_seconds=-1)
CLIP = TaskMedia(role=MediaRole.REFERENCE_VIDEO, artifact_id="a", seconds=Decimal("2.5"))
assert OFFERS[0].video is not None
OFFER = replace(
    OFFERS[0],
    video=replace(
        OFFERS[0].video,
        pixels=(
            Pixels(resolution="720p", ratio="16:9", size=Size(width=1280, height=720)),
            Pixels(resolution="720p", ratio="1:1", size=Size(width=960, height=960)),
            Pixels(resolution="480p", ratio="16:9", size=Size(width=854, height=480)),
            Pixels(resolution="480p", ratio="1:1", size=Size(width=640, height=640)),
            Pixels(resolution="1080p", ratio="16:9", size=Size(width=1920, height=1080)),
            Pixels(resolution="2k", ratio="16:9", size=Size(width=2560, height=1440)),
        ),
        token_formula=TokenFormula(),
        credit_rates=(
            CreditRate(resolution="1080p", is_off_peak=False, credits_per_second=Decimal(4)),
            CreditRate(resolution="720p", is_off_peak=False, credits_per_second=Decimal("2.5")),
            CreditRate(resolution="480p", is_off_peak=False, credits_per_second=Decimal(1)),
        ),
        seconds_when_chosen=15,
    ),
)
FULL_TOKENS = 1280 * 720 * (24 * 5 + 1) // 1024
HALF_TOKENS = 1280 * 720 * 61 // 1024
"""Of 2.5 s: they have a frame more than half of five seconds' have."""


def price_of(meter: VideoMeter) -> VideoPrice:
    """Seconds and tokens have a rate of their own at 1080p and at 480p, and 2k is not sold."""
    nanos = {"1080p": 5, "720p": 3, "480p": 2}
    return VideoPrice(
        id="p",
        offer_id=OFFER.id,
        version=1,
        effective_from=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        rates=tuple(
            VideoRate(meter=meter, amount_nanos=amount, per=1, resolution=tier) for tier, amount in nanos.items()
        ),
    )


def count(  # noqa: PLR0913  # what the provider and the file say
    meter: VideoMeter,
    told: str | None,
    measured: str | None,
    *,
    claimed: str | None = None,
    promised: str | None = None,
    size: tuple[int, int] | None = (1280, 720),
    request: VideoRequest = REQUEST,
) -> Counted:
    price = price_of(meter)
    outcome = Outcome(
        meters={} if told is None else {meter: Decimal(told)},
        promised={} if promised is None else {meter: Decimal(promised)},
        delivered_seconds=None if claimed is None else Decimal(claimed),
    )
    quote = task_quote(OFFER, price, request, quote_video(OFFER, price, request))
    width, height = size or (None, None)
    facts = MediaFacts(
        media_type="video/mp4",
        size_bytes=1,
        width=width,
        height=height,
        seconds=None if measured is None else Decimal(measured),
    )
    return count_video(quote, request, outcome, facts)


def amount(meter: VideoMeter, found: Counted) -> int:
    return explain_video(price_of(meter), found.conditions, found.meters).total_nanos


@pytest.mark.parametrize(
    ("told", "measured", "expected"),
    [
        ("5", "5.04", 5),
        ("5", "4.5", 5),
        ("5", "4.49", 5),
        ("5", "4", 4),
        ("5", "2.6", 3),
        ("5", None, 5),
        ("3", "3.04", 3),
        ("4.2", "5.04", 5),
        ("3.1", "2.9", 3),
        ("7", "3", 3),
        ("7", "7", 7),
        ("0", "5", 0),
    ],
    ids=str,
)
def test_seconds(told: str, measured: str | None, expected: int):
    assert count(SECONDS, told, measured).meters == {SECONDS: expected}


@pytest.mark.parametrize(
    ("told", "measured", "claimed", "expected"),
    [
        (FULL_TOKENS, "5.04", "5", FULL_TOKENS),
        (FULL_TOKENS, "2.5", "5", HALF_TOKENS),
        (FULL_TOKENS, "2.5", None, HALF_TOKENS),
        (HALF_TOKENS, "2.5", "2.5", HALF_TOKENS),
        (HALF_TOKENS, "2.49", "2.5", HALF_TOKENS),
        (HALF_TOKENS, "2.5", "2", HALF_TOKENS),
        (HALF_TOKENS, "2.5", None, HALF_TOKENS),
        (FULL_TOKENS // 2, "2.5", None, FULL_TOKENS // 2),
        (FULL_TOKENS, "2.5", "2.5", HALF_TOKENS),
        (1000, "2.5", "5", -(-1000 * 61 // 121)),
        (FULL_TOKENS + 77, "5.04", "5", FULL_TOKENS + 77),
    ],
    ids=str,
)
def test_tokens(told: int, measured: str, claimed: str | None, expected: int):
    found = count(TOKENS, str(told), measured, claimed=claimed)
    assert found.meters == {TOKENS: expected}
    assert bool(found.cuts) == (expected != told)
    assert found.is_less == (measured != "5.04")


def test_credits_that_are_not_told_are_those_of_the_list_without_its_margin():
    found = count(CREDITS, None, "5.04")
    assert (found.meters, found.is_estimated, found.is_less) == ({CREDITS: 13}, True, False)
    assert count(CREDITS, "12.4", "5.04").meters == {CREDITS: 13}
    assert count(CREDITS, "12.4", "2").meters == {CREDITS: 5}


@pytest.mark.parametrize(
    ("told", "promised", "measured", "expected"),
    [
        ("10", "20", "2.5", 10),
        ("20", "20", "2.5", 10),
        ("15", "20", "2.5", 10),
        ("7", "20", "2.5", 7),
        ("20", "20", "5", 20),
        ("5", None, "2", 5),
        ("6", None, "2", 6),
        ("9", None, "2", 6),
        (None, "20", "5", 13),
        (None, None, "2", 6),
    ],
    ids=str,
)
def test_credits_that_the_provider_has_taken_off_are_not_taken_off_again(
    told: str | None, promised: str | None, measured: str, expected: int
):
    found = count(CREDITS, told, measured, promised=promised)
    assert found.meters == {CREDITS: expected}
    whole = told or "13"
    assert bool(found.cuts) == (expected < Decimal(whole))


@pytest.mark.parametrize(
    ("size", "tier", "expected"),
    [
        ((1280, 720), "720p", {SECONDS: 5, TOKENS: FULL_TOKENS, CREDITS: 13}),
        ((1920, 1080), "720p", {SECONDS: 5, TOKENS: FULL_TOKENS, CREDITS: 13}),
        ((1280, 704), "720p", {SECONDS: 5, TOKENS: FULL_TOKENS, CREDITS: 13}),
        (None, "720p", {SECONDS: 5, TOKENS: FULL_TOKENS, CREDITS: 13}),
        ((960, 540), "480p", {SECONDS: 5, TOKENS: -(-FULL_TOKENS * 9 // 16), CREDITS: 6}),
        ((854, 480), "480p", {SECONDS: 5, TOKENS: -(-854 * 480 * 121 // 1024), CREDITS: 6}),
        ((427, 240), "480p", {SECONDS: 2, TOKENS: -(-427 * 240 * 121 // 1024), CREDITS: 2}),
    ],
    ids=str,
)
def test_a_smaller_picture_is_charged_as_the_tier_that_it_fills(
    size: tuple[int, int] | None, tier: str, expected: dict[VideoMeter, int]
):
    told = {SECONDS: "5", TOKENS: str(FULL_TOKENS), CREDITS: "13"}
    for meter in VideoMeter:
        found = count(meter, told[meter], "5.04", size=size)
        assert (found.meters, found.conditions.resolution) == ({meter: expected[meter]}, tier)
        assert found.is_less == (tier != "720p")


def test_a_provider_that_has_counted_the_smaller_picture_is_not_cut_down_again():
    tokens = 640 * 360 * 121 // 1024
    assert count(TOKENS, str(tokens), "5.04", claimed="5", size=(640, 360)).meters == {TOKENS: tokens}
    assert count(CREDITS, "5", "5.04", promised="13", size=(854, 480)).meters == {CREDITS: 5}


def test_shorter_and_smaller_are_taken_off_both():
    found = count(TOKENS, str(FULL_TOKENS), "2.5", claimed="5", size=(640, 360))
    assert found.meters == {TOKENS: HALF_TOKENS // 4}
    assert count(CREDITS, "100", "2.5", promised="100", size=(854, 480)).meters == {CREDITS: 20}
    assert count(SECONDS, "5", "2.5", size=(427, 240)).meters == {SECONDS: 1}


def test_a_lower_tier_that_is_not_sold_for_less_changes_no_rate():
    asked = replace(REQUEST, resolution="1080p")
    assert count(SECONDS, "5", "5.04", size=(1600, 900), request=asked).conditions.resolution == "720p"
    price = price_of(SECONDS)
    dearer = replace(price, rates=tuple(replace(r, amount_nanos=9 - r.amount_nanos) for r in price.rates))
    quote = task_quote(OFFER, dearer, asked, quote_video(OFFER, dearer, asked))
    assert [tier.resolution for tier in quote.tiers] == ["1080p"]


def test_where_the_ratio_is_open_the_size_of_the_nearest_one_is_meant():
    open_ratio = replace(REQUEST, ratio=None)
    for size in ((960, 960), (1280, 720), (1100, 830), (720, 1280)):
        assert not count(SECONDS, "5", "5.04", size=size, request=open_ratio).is_less, size
    found = count(SECONDS, "5", "5.04", size=(640, 640), request=open_ratio)
    assert (found.meters, found.conditions.resolution) == ({SECONDS: 5}, "480p")
    named = replace(REQUEST, resolution=None, ratio=None, size=Size(width=960, height=960))
    assert count(SECONDS, "5", "5.04", size=(640, 640), request=named).conditions.resolution == "480p"


def test_nothing_is_said_of_pictures_whose_tier_has_no_sizes():
    spec = OFFER.video
    assert spec is not None
    bare = replace(OFFER, video=replace(spec, pixels=()))
    price = price_of(SECONDS)
    assert task_quote(bare, price, REQUEST, quote_video(bare, price, REQUEST)).tiers == ()


@given(
    meter=st.sampled_from(VideoMeter),
    told=st.decimals(min_value=0, max_value=10**6, places=3),
    measured=st.decimals(min_value=Decimal("0.1"), max_value=20, places=3),
    sizes=st.lists(st.tuples(st.integers(2, 3000), st.integers(2, 3000)), min_size=2, max_size=2),
    tier=st.sampled_from(["480p", "720p", "1080p"]),
)
def test_a_picture_never_raises_a_charge_and_one_that_is_large_enough_lowers_none(meter, told, measured, sizes, tier):
    asked = replace(REQUEST, resolution=tier)
    whole = next(entry.size for entry in OFFER.video.pixels if (entry.resolution, entry.ratio) == (tier, "16:9"))
    small, large = sorted(sizes, key=lambda size: size[0] * size[1])
    found = [
        amount(meter, count(meter, str(told), str(measured), size=size, request=asked)) for size in (small, large, None)
    ]
    assert found == sorted(found)
    if 100 * large[0] * large[1] >= (100 - SMALL_PERCENT) * whole.width * whole.height:
        assert found[1] == found[2]


@given(
    meter=st.sampled_from(VideoMeter),
    told=st.decimals(min_value=0, max_value=10**6, places=3),
    measured=st.decimals(min_value=Decimal("0.1"), max_value=20, places=3),
    claimed=st.none() | st.decimals(min_value=0, max_value=20, places=2),
    size=st.tuples(st.integers(2, 3000), st.integers(2, 3000)),
)
def test_the_kept_parts_make_the_count(meter, told, measured, claimed, size):
    found = count(meter, str(told), str(measured), claimed=None if claimed is None else str(claimed), size=size)
    for cut in found.cuts.values():
        assert found.meters[meter] == ceil(cut.whole * cut.share) < ceil(told)
    if not found.cuts:
        assert found.meters[meter] == ceil(told)


def test_a_length_that_the_model_chose_is_what_the_provider_says():
    assert count(SECONDS, "11", "11.04", request=CHOSEN).meters == {SECONDS: 11}
    assert count(SECONDS, "11", "6", request=CHOSEN, claimed="11").meters == {SECONDS: 6}
    assert count(SECONDS, "11", "6", request=CHOSEN).meters == {SECONDS: 6}


def test_clips_that_go_in_are_counted_too():
    with_clip = replace(REQUEST, media=(CLIP,))
    assert count(SECONDS, "7.5", "5.04", request=with_clip).meters == {SECONDS: 8}
    assert count(SECONDS, "7.5", "2.5", request=with_clip).meters == {SECONDS: 5}
    unknown = replace(REQUEST, media=(replace(CLIP, seconds=None),))
    assert count(SECONDS, "20", "5.04", request=unknown).meters == {SECONDS: 20}
    assert count(SECONDS, "20", "1", request=unknown).meters == {SECONDS: 16}


def test_meters_that_the_price_does_not_ask_for_are_left_out():
    price_of_seconds = count(SECONDS, "5", "5")
    assert price_of_seconds.meters.keys() == {SECONDS}


@given(
    told=st.decimals(min_value=0, max_value=10**6, places=3),
    measured=st.decimals(min_value=Decimal("0.1"), max_value=20, places=3),
    meter=st.sampled_from(VideoMeter),
    claimed=st.none() | st.decimals(min_value=0, max_value=20, places=2),
)
def test_never_more_than_was_told_and_never_more_than_the_delivered_part(told, measured, meter, claimed):
    found = count(meter, str(told), str(measured), claimed=None if claimed is None else str(claimed))
    whole = told.to_integral_value(ROUND_CEILING)
    assert 0 <= found.meters[meter] <= whole
    full = count(meter, None, None).meters[meter]
    if measured + Decimal("0.5") < 5:
        frame = Fraction(1, 24) if meter is TOKENS else 0
        assert found.meters[meter] <= full * (Fraction(measured) + 2 * frame) / (5 + frame) + 1
    elif claimed is None and meter is not SECONDS:
        assert found.meters[meter] == whole
