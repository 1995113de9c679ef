"""Ark's tokens: every measured sample, and the table that the rest of the project counts by."""

import pytest

from yuanjing.sandbox.video import ark_tokens
from yuanjing.sandbox.video.ark_models import PIXELS, RATIOS, RESOLUTIONS

TABLE = {
    ("480p", "16:9"): (40_594, 50_638, 100_858, 120_946, 151_078),
    ("720p", "16:9"): (87_300, 108_900, 216_900, 260_100, 324_900),
    ("720p", "4:3"): (87_850, 109_586, 218_266, 261_739, 326_947),
    ("720p", "21:9"): (87_726, 109_431, 217_959, 261_370, 326_486),
    ("1080p", "16:9"): (196_425, 245_025, 488_025, 585_225, 731_025),
    ("1080p", "4:3"): (196_716, 245_388, 488_748, 586_092, 732_108),
    ("1080p", "21:9"): (197_682, 246_593, 491_149, 588_971, 735_705),
}


@pytest.mark.parametrize(("shape", "tokens"), TABLE.items(), ids=[" ".join(shape) for shape in TABLE])
def test_the_table(shape, tokens):
    width, height = ark_tokens.size(*shape)
    assert tuple(ark_tokens.count(width, height, seconds) for seconds in (4, 5, 10, 12, 15)) == tokens


def test_measured_samples():
    assert ark_tokens.count(1280, 720, 5) == 108_900
    assert ark_tokens.count(864, 496, 4) == 40_594
    assert ark_tokens.count(1920, 1088, 5) == 246_840
    assert ark_tokens.count(1280, 720, 4, 4) == 173_700


def test_clips_of_no_whole_number_of_frames_lose_the_rest():
    assert ark_tokens.count(1280, 720, 4, 4.03) == 173_700
    assert ark_tokens.count(1280, 720, 4, 4.05) == 174_600


def test_drafts():
    assert ark_tokens.count_draft(50_638, has_audio=False) == 35_446
    assert ark_tokens.count_draft(50_638, has_audio=True) == 30_382


def test_the_pixel_table_is_whole_and_even():
    assert set(PIXELS) == set(RESOLUTIONS)
    for sizes in PIXELS.values():
        assert set(sizes) == set(RATIOS)
        for ratio, (width, height) in sizes.items():
            across, down = map(int, ratio.split(":"))
            assert width % 2 == height % 2 == 0
            assert width / height == pytest.approx(across / down, rel=0.03)


def test_the_largest_of_a_tier_is_what_a_careful_hold_takes():
    assert max(w * h for w, h in PIXELS["480p"].values()) == 428_544
    assert max(w * h for w, h in PIXELS["720p"].values()) == 927_408
    assert max(w * h for w, h in PIXELS["1080p"].values()) == 2_086_876


@pytest.mark.parametrize(
    ("width", "height", "ratio"),
    [
        (1000, 1000, "1:1"),
        (4000, 3000, "4:3"),
        (1080, 1920, "9:16"),
        (2000, 900, "21:9"),
        (700, 1000, "3:4"),
        (16, 9, "16:9"),
    ],
)
def test_adaptive_takes_the_nearest_ratio(width, height, ratio):
    assert ark_tokens.nearest_ratio(width, height) == ratio
