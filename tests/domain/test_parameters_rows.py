"""Every row of the published catalogue: its defaults, each value that its field table lists, and bad ones."""

import pytest
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
    WETOKEN_I2V,
    WETOKEN_R2V,
    WETOKEN_T2V,
    resolve,
)

from yuanjing.domain.parameters import ParameterError
from yuanjing.domain.tasks import Size

DOUBAO, DREAMINA = "doubao-seedance-2-0-260128", "dreamina-seedance-2-0-260128"
DOUBAO_FAST, DREAMINA_FAST = "doubao-seedance-2-0-fast-260128", "dreamina-seedance-2-0-fast-260128"
SEEDANCE15 = "doubao-seedance-1-5-pro-251215"
HD = Size(width=1920, height=1080)
FRAME = {"image1_file": FILE}
REFERENCE = {"image_files": [FILE]}
RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
TIERS = ("480p", "720p", "1080p")

# What must be given, and what comes out of it: model, resolution, size, ratio, duration, sound, off-peak, watermark.
DEFAULTS = {
    HAPPYHORSE_T2V: ({}, ("happyhorse-1.0-t2v", "720p", None, None, 5, None, False, False)),
    WAN_T2V: ({}, ("wan2.6-t2v", None, HD, None, 15, None, False, False)),
    SEEDANCE_T2V: ({}, (DOUBAO, "720p", None, "adaptive", 5, True, False, False)),
    SEEDANCE15_T2V: ({}, (SEEDANCE15, "1080p", None, None, 12, True, False, False)),
    WETOKEN_T2V: ({}, (DREAMINA, "720p", None, "adaptive", 5, True, False, False)),
    VIDU_T2V: ({}, ("viduq3-pro", "1080p", None, "16:9", 10, None, False, False)),
    HAPPYHORSE_I2V: (FRAME, ("happyhorse-1.0-i2v", "720p", None, None, 5, None, False, False)),
    WAN_PICTURES: (FRAME, ("wan2.6-r2v", None, HD, None, 10, None, False, False)),
    SEEDANCE_I2V: (FRAME, (DOUBAO, "720p", None, "adaptive", 5, True, False, False)),
    SEEDANCE15_I2V: ({}, (SEEDANCE15, "1080p", None, None, 12, True, False, False)),
    WETOKEN_I2V: (FRAME, (DREAMINA, "720p", None, "adaptive", 5, True, False, False)),
    VIDU_I2V: (FRAME, ("viduq3-pro", "1080p", None, None, 10, None, False, False)),
    HAPPYHORSE_R2V: (REFERENCE, ("happyhorse-1.0-r2v", "1080p", None, None, 12, None, False, False)),
    SEEDANCE_R2V: (REFERENCE, (DOUBAO, "1080p", None, None, 12, True, False, False)),
    WETOKEN_R2V: (REFERENCE, (DREAMINA, "1080p", None, None, 12, True, False, False)),
}


@pytest.mark.parametrize("llmid", DEFAULTS)
def test_defaults_are_those_of_the_row(llmid):
    needed, expected = DEFAULTS[llmid]
    found = resolve(llmid, prompt="一只猫", **needed)
    asked = found.request
    assert (found.offer.id, found.requested.id, found.warnings) == (llmid, llmid, ())
    assert asked.prompt == "一只猫"
    assert (
        asked.model,
        asked.resolution,
        asked.size,
        asked.ratio,
        asked.duration_seconds,
        asked.audio,
        asked.off_peak,
        asked.watermark,
    ) == expected
    assert (asked.negative_prompt, asked.seed, asked.extras, asked.media) == ("", None, {}, ())


def test_all_fifteen_rows_are_here():
    assert len(DEFAULTS) == 15
    assert set(DEFAULTS) < set(OFFERS)


SIZES = ("1280*720", "720*1280", "960*960", "1088*832", "832*1088")
HD_SIZES = ("1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632")
OLD_SIZES = {"832*480": "1280*720", "480*832": "720*1280", "624*624": "960*960"}
HORSE = [("resolution", tier, tier) for tier in ("720p", "1080p")]
HORSE += [("resolution", f"{tier}P", f"{tier}p") for tier in (720, 1080)]
HORSE += [("duration_seconds", 3, 3), ("duration_seconds", "15", 15), ("seed", 2**31 - 1, 2**31 - 1)]
SEEDANCE = [("resolution", tier, tier) for tier in TIERS] + [("ratio", ratio, ratio) for ratio in ("adaptive", *RATIOS)]
SEEDANCE += [("duration_seconds", seconds, seconds) for seconds in (-1, 4, 12, 15)] + [("audio", False, False)]
SEEDANCE15_VALUES = [value for value in SEEDANCE if value[1] != 15] + [("ratio", "keep_ratio", "adaptive")]
SEEDANCE15_VALUES += [("seed", -1, -1), ("seed", 2**32 - 1, 2**32 - 1)]
VIDU = [("resolution", tier, tier) for tier in ("540p", "720p", "1080p")]
VIDU_RATIOS = ("16:9", "9:16", "4:3", "3:4", "1:1")
VIDU += [("duration_seconds", 1, 1), ("duration_seconds", 16, 16), ("off_peak", "Y", True), ("off_peak", "N", False)]
WAN = [("size", size, size) for size in (*SIZES, *HD_SIZES)] + [("size", *pair) for pair in OLD_SIZES.items()]
WAN += [("duration_seconds", seconds, seconds) for seconds in (2, 5, 10)] + [("negative_prompt", "雨", "雨")]
ADAPTIVE = [("ratio", "adaptive", None)]
GOOD = {
    HAPPYHORSE_T2V: HORSE + ADAPTIVE + [("ratio", ratio, ratio) for ratio in RATIOS] + [("resolution", "480p", "720p")],
    WAN_T2V: [*WAN, ("duration_seconds", 15, 15)],
    SEEDANCE_T2V: [*SEEDANCE, ("model", DOUBAO_FAST, DOUBAO_FAST)],
    SEEDANCE15_T2V: SEEDANCE15_VALUES,
    WETOKEN_T2V: [*SEEDANCE, ("model", DREAMINA_FAST, DREAMINA_FAST), ("model", DOUBAO_FAST, DREAMINA_FAST)],
    VIDU_T2V: VIDU + [("ratio", ratio, ratio) for ratio in VIDU_RATIOS],
    HAPPYHORSE_I2V: HORSE,
    WAN_PICTURES: WAN,
    SEEDANCE_I2V: [*SEEDANCE, ("model", DOUBAO_FAST, DOUBAO_FAST)],
    SEEDANCE15_I2V: SEEDANCE15_VALUES,
    WETOKEN_I2V: [*SEEDANCE, ("model", DOUBAO, DREAMINA)],
    VIDU_I2V: [*VIDU, ("model", "viduq3-pro", "viduq3-pro")] + [("ratio", ratio, None) for ratio in VIDU_RATIOS],
    HAPPYHORSE_R2V: HORSE + ADAPTIVE + [("ratio", ratio, ratio) for ratio in RATIOS],
    SEEDANCE_R2V: [*SEEDANCE, ("model", DOUBAO, DOUBAO)],
    WETOKEN_R2V: [*SEEDANCE, ("model", DREAMINA, DREAMINA)],
}
NAMES = {"duration_seconds": "duration", "audio": "generate_audio"}
good = [(llmid, *case) for llmid, cases in GOOD.items() for case in cases]


@pytest.mark.parametrize(("llmid", "attribute", "given", "expected"), good, ids=str)
def test_each_listed_value_is_taken(llmid, attribute, given, expected):
    needed, _ = DEFAULTS[llmid]
    asked = resolve(llmid, prompt="p", **needed, **{NAMES.get(attribute, attribute): given}).request
    found = getattr(asked, attribute)
    assert (f"{found.width}*{found.height}" if isinstance(found, Size) else found) == expected


BAD = {
    HAPPYHORSE_T2V: [("resolution", "540p"), ("ratio", "16:10"), ("duration", 2), ("duration", 16), ("duration", -1)],
    WAN_T2V: [("size", "1920*1079"), ("size", "1920"), ("duration", 1), ("duration", 16), ("shot_type", "none")],
    SEEDANCE_T2V: [("resolution", "540p"), ("duration", 3), ("duration", 16), ("duration", 0), ("duration", -2)],
    SEEDANCE15_T2V: [("ratio", "9:21"), ("radio", "9:21"), ("duration", 13), ("duration", 3), ("resolution", "4k")],
    WETOKEN_T2V: [("resolution", "4k"), ("duration", 16), ("ratio", "keep_ratio")],
    VIDU_T2V: [("resolution", "480p"), ("ratio", "21:9"), ("ratio", "adaptive"), ("duration", 0), ("duration", 17)],
    HAPPYHORSE_I2V: [("resolution", "4k"), ("duration", 2), ("duration", 16)],
    WAN_PICTURES: [("size", "832*481"), ("duration", 11), ("duration", 15), ("duration", 1)],
    SEEDANCE_I2V: [("resolution", "4k"), ("duration", 3), ("ratio", "9:21")],
    SEEDANCE15_I2V: [("ratio", "9:21"), ("duration", 15), ("camera_fixed", "perhaps")],
    WETOKEN_I2V: [("resolution", "4k"), ("duration", 16), ("generate_audio", "loud")],
    VIDU_I2V: [("resolution", "480p"), ("ratio", "21:9"), ("duration", 17), ("off_peak", "night")],
    HAPPYHORSE_R2V: [("ratio", "16:10"), ("duration", 16), ("resolution", "4k")],
    SEEDANCE_R2V: [("ratio", "keep_ratio"), ("duration", 16), ("resolution", "4k")],
    WETOKEN_R2V: [("ratio", "9:21"), ("duration", 2), ("resolution", "8k")],
}
_ANYWHERE = [("duration", "abc"), ("duration", "5.5"), ("duration", 5.5), ("duration", True), ("duration", "9" * 5000)]
_ANYWHERE += [("duration", 2**64), ("duration", -(2**70)), ("duration", float("nan")), ("duration", float("inf"))]
_ANYWHERE += [("duration", {"a": 1}), ("duration", [[1]]), ("watermark", "perhaps"), ("watermark", 2), ("prompt", 5)]
_ANYWHERE += [("prompt", {"text": "x"}), ("prompt", "x" * 1_000_000), ("prompt", "a\0b"), ("prompt", "\ud800")]
_ANYWHERE += [("prompt", FILE), ("duration", FILE)]
bad = [(llmid, *case) for llmid, cases in BAD.items() for case in (*cases, *_ANYWHERE)]


@pytest.mark.parametrize(("llmid", "name", "value"), bad, ids=lambda value: repr(value)[:30])
def test_each_bad_value_is_refused_by_name(llmid, name, value):
    needed, _ = DEFAULTS[llmid]
    with pytest.raises(ParameterError) as error:
        resolve(llmid, **{"prompt": "p", **needed, name: value})
    assert error.value.code == "invalid_parameter"
    assert error.value.param == name
    assert error.value.message.startswith(f"Invalid parameter: {name}; ")
    assert len(error.value.message) < 300


def test_advice_says_what_to_write():
    for llmid, name, value, words in (
        (HAPPYHORSE_T2V, "duration", 2, "a whole number from 3 to 15"),
        (SEEDANCE_T2V, "duration", 16, "4 to 15, or -1 to let the model choose"),
        (VIDU_T2V, "off_peak", "?", "Y or N"),
        (VIDU_T2V, "resolution", "480p", "one of 540p, 720p, 1080p"),
        (WAN_T2V, "prompt", "x" * 1501, "a text of at most 1500 characters"),
        (WAN_T2V, "watermark", "?", "true or false"),
    ):
        with pytest.raises(ParameterError) as error:
            resolve(llmid, **{"prompt": "p", name: value})
        assert error.value.message == f"Invalid parameter: {name}; {words}"


def test_fast_makes_no_1080p():
    for llmid, model, needed in (
        (SEEDANCE_T2V, DOUBAO_FAST, {}),
        (WETOKEN_I2V, DREAMINA_FAST, FRAME),
        (SEEDANCE_R2V, DOUBAO_FAST, REFERENCE),
    ):
        assert resolve(llmid, prompt="p", model=model, **needed).request.resolution == "720p"
        with pytest.raises(ParameterError, match="Invalid parameter: resolution; one of 480p, 720p"):
            resolve(llmid, prompt="p", model=model, resolution="1080p", **needed)


def test_viduq2_turbo_is_shorter_and_needs_a_picture():
    def asked(**values):
        return resolve(VIDU_I2V, prompt="p", model="viduq2-turbo", **values).request.duration_seconds

    assert asked(image_file1=FILE) == 10
    assert asked(image_file1=FILE, image_file2=FILE) == 8
    assert asked(image_file1=FILE, duration=9) == 9
    for values in ({"image_file1": FILE, "duration": 11}, {"image_file1": FILE, "image_file2": FILE, "duration": 9}):
        with pytest.raises(ParameterError, match="Invalid parameter: duration"):
            asked(**values)
    with pytest.raises(ParameterError, match=r"^Missing required parameter: image_file1$"):
        asked()
