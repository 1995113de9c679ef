"""How requests are written, which offer they mean, and what no request may do: anything but a named refusal."""

import dataclasses

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
    WETOKEN_I2V,
    WETOKEN_T2V,
    fields,
    resolve,
)

from yuanjing.domain.artifacts import IncomingFile
from yuanjing.domain.parameters import ParameterError, resolve_video
from yuanjing.domain.tasks import MediaRole, Size

FIRST, LAST = MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME
OTHER = dataclasses.replace(FILE, name="b.jpg")
URL = "https://example.com/a.png"


def refused(*arguments, **values):
    with pytest.raises(ParameterError) as error:
        resolve(*arguments, **values)
    return error.value.code, error.value.message


class TestTheSeedsExamples:
    """Facts, seed-mapping §10: what the adapters are asked for."""

    def test_text_to_video(self):
        found = resolve(SEEDANCE15_T2V, prompt="小猫在抓老鼠", duration=5, ratio="16:9", resolution="480p")
        asked = found.request
        assert (asked.model, asked.resolution, asked.ratio) == ("doubao-seedance-1-5-pro-251215", "480p", "16:9")
        assert (asked.duration_seconds, asked.audio, asked.watermark, found.media) == (5, True, False, ())

    def test_happyhorse_with_the_llmid_of_text_to_video_and_a_picture(self):
        found = resolve(HAPPYHORSE_T2V, prompt="一起来调科目三", duration="15", resolution="720P", image1_file=FILE)
        assert (found.requested.id, found.offer.id) == (HAPPYHORSE_T2V, HAPPYHORSE_I2V)
        asked = found.request
        assert (asked.model, asked.resolution, asked.duration_seconds) == ("happyhorse-1.0-i2v", "720p", 15)
        assert (asked.ratio, asked.audio, asked.watermark) == (None, None, False)
        assert [(item.role, item.field, item.value) for item in found.media] == [(FIRST, "image1_file", FILE)]
        assert found.warnings == (f"llmid {HAPPYHORSE_T2V} takes no such files; llmid {HAPPYHORSE_I2V} is used",)

    def test_seedance_1_5_with_another_model_and_two_first_frames(self):
        found = resolve(
            SEEDANCE15_T2V,
            model="dreamina-seedance-2-0-260128",
            prompt="从图片1到图片2丝滑转换",
            duration="5",
            ratio="16:9",
            resolution="480p",
            image1_file=[FILE, OTHER],
        )
        assert found.offer.id == SEEDANCE15_I2V
        assert found.request.model == "doubao-seedance-1-5-pro-251215"
        assert [(item.role, item.value) for item in found.media] == [(FIRST, FILE), (LAST, OTHER)]
        assert [warning for warning in found.warnings if "has no model dreamina-seedance-2-0-260128" in warning]

    def test_references(self):
        found = resolve(
            SEEDANCE_R2V,
            model="doubao-seedance-2-0-260128",
            image_files=[FILE, OTHER],
            prompt="平滑过度从第一张图片到第二张图片",
            ratio="4:3",
            resolution="720p",
            duration="4",
        )
        asked = found.request
        assert (asked.resolution, asked.ratio, asked.duration_seconds, asked.audio) == ("720p", "4:3", 4, True)
        assert [item.value for item in found.media] == [FILE, OTHER]
        assert {item.role for item in found.media} == {MediaRole.REFERENCE_IMAGE}

    def test_vidu(self):
        asked = resolve(VIDU_T2V, prompt="p", duration=1, resolution="540p").request
        assert (asked.model, asked.duration_seconds, asked.ratio, asked.resolution, asked.off_peak) == (
            "viduq3-pro",
            1,
            "16:9",
            "540p",
            False,
        )


class TestWriting:
    @pytest.mark.parametrize("name", ["ratio", "radio", "aspect_ratio"])
    def test_a_ratio_has_three_names(self, name):
        assert resolve(SEEDANCE_T2V, prompt="p", **{name: "9:16"}).request.ratio == "9:16"

    def test_the_first_name_that_is_not_empty_wins(self):
        assert (
            resolve(SEEDANCE_T2V, prompt="p", ratio=["", None], radio="4:3", aspect_ratio="1:1").request.ratio == "4:3"
        )
        assert resolve(SEEDANCE_T2V, prompt="p", ratio="16:9", radio="4:3").request.ratio == "16:9"
        assert resolve(SEEDANCE_T2V, prompt=["", "p"], ratio="  ").request.ratio == "adaptive"

    @pytest.mark.parametrize("value", ["16:9", " 16:9 ", "16\uff1a9"])
    def test_a_ratio_may_come_from_a_chinese_keyboard(self, value):
        assert resolve(SEEDANCE_T2V, prompt="p", ratio=value).request.ratio == "16:9"

    @pytest.mark.parametrize("value", ["1080", 1080, "1080p", "1080P", " 1080P"], ids=repr)
    def test_a_resolution_is_a_number_with_or_without_p(self, value):
        assert resolve(SEEDANCE_T2V, prompt="p", resolution=value).request.resolution == "1080p"

    @pytest.mark.parametrize("value", ["1280*720", "1280x720", "1280X720", "1280 \u00d7 720"])
    def test_a_size_has_any_sign_of_multiplication(self, value):
        assert resolve(WAN_T2V, prompt="p", size=value).request.size == Size(width=1280, height=720)

    @pytest.mark.parametrize("value", [7, "7", " 7 ", "7s", "7 S", "7 seconds", "7秒", 7.0, "7.0", "+7"], ids=repr)
    @pytest.mark.parametrize("name", ["duration", "seconds"])
    def test_a_duration_is_a_number_in_many_forms(self, name, value):
        assert resolve(HAPPYHORSE_T2V, prompt="p", **{name: value}).request.duration_seconds == 7

    @pytest.mark.parametrize("value", ["Y", "y", "yes", "TRUE", "1", 1, True, "on"], ids=repr)
    def test_off_peak_is_said_in_many_ways(self, value):
        assert resolve(VIDU_T2V, prompt="p", off_peak=value).request.off_peak is True

    @pytest.mark.parametrize("value", ["N", "no", "False", "0", 0, False, "", None], ids=repr)
    def test_and_so_is_that_it_is_not(self, value):
        assert resolve(VIDU_T2V, prompt="p", off_peak=value).request.off_peak is False

    def test_parameters_that_only_some_have_travel_by_the_providers_names(self):
        asked = resolve(WAN_T2V, prompt="p", prompt_extend="false", shot_type="MULTI", seed="7").request
        assert (asked.extras, asked.seed) == ({"prompt_extend": False, "shot_type": "multi"}, 7)
        assert resolve(SEEDANCE15_T2V, prompt="p", camera_fixed=1).request.extras == {"camera_fixed": True}

    def test_what_is_not_known_is_ignored_and_told(self):
        found = resolve(HAPPYHORSE_T2V, prompt="p", negative_prompt="rain", transno="7", empty="")
        assert found.request.negative_prompt == ""
        assert found.warnings == ("ignored: negative_prompt, transno",)
        many = resolve(HAPPYHORSE_T2V, prompt="p", **{f"a{n}": 1 for n in range(9)}, **{"猫 \n": 1})
        assert many.warnings == ("ignored: a0, a1, a2, a3, a4, others",)
        assert resolve(HAPPYHORSE_T2V, prompt="p", **{"猫\n": 1}).warnings == ("ignored: (not a name)",)

    def test_rewritten_values_are_told(self):
        found = resolve(HAPPYHORSE_T2V, prompt="p", resolution="480p")
        assert found.warnings == ("resolution 480p is not made by happyhorse-1.0-t2v; 720p is used",)
        found = resolve(WAN_T2V, prompt="p", size="832*480")
        assert found.warnings == ("size 832*480 is not made by wan2.6-t2v; 1280*720 is used",)

    def test_a_size_stands_for_tier_and_ratio_where_there_is_none(self):
        def asked(llmid, size, **values):
            found = resolve(llmid, prompt="p", size=size, **values)
            return found.request.resolution, found.request.ratio, found.request.size, len(found.warnings)

        assert asked(SEEDANCE_T2V, "1280x720") == ("720p", "16:9", None, 0)
        assert asked(SEEDANCE_T2V, "720x1280") == ("720p", "9:16", None, 0)
        assert asked(SEEDANCE_T2V, "1024x1792") == ("1080p", "9:16", None, 1)
        assert asked(HAPPYHORSE_I2V, "1280x720", image1_file=FILE) == ("720p", None, None, 1)
        assert asked(SEEDANCE_T2V, "1280x720", ratio="16:9") == ("720p", "16:9", None, 0)
        assert asked(SEEDANCE_T2V, "1280x720", ratio="1:1") == ("720p", "1:1", None, 1)
        assert asked(SEEDANCE_T2V, "1280x720", resolution="480p") == ("480p", "adaptive", None, 1)
        assert refused(SEEDANCE_T2V, prompt="p", size="big") == (
            "invalid_parameter",
            "Invalid parameter: size; such as 1280x720",
        )

    @pytest.mark.parametrize("llmid", [HAPPYHORSE_I2V, WAN_PICTURES, VIDU_I2V])
    @pytest.mark.parametrize(("size", "tier"), [("720x1280", "720p"), ("1920x1080", "1080p")])
    def test_that_a_picture_decides_the_shape_is_told(self, llmid, size, tier):
        offer = OFFERS[llmid]
        framing = dataclasses.replace(offer, video=dataclasses.replace(offer.video, sends_tier=llmid == WAN_PICTURES))

        def resolved(**values):
            return resolve_video(fields(llmid=llmid, prompt="p", image1_file=FILE, **values), [framing])

        found = resolved(size=size)
        assert (found.request.resolution, found.request.ratio, found.request.size) == (tier, None, None)
        assert found.warnings == (f"size {size}: only its tier {tier} is used, the picture decides the shape",)
        assert resolved().warnings == ()

    def test_a_size_that_is_not_used_is_told(self):
        """The other way round, where a model knows sizes only, a tier is told as ignored too."""

        def warnings(llmid, **values):
            return resolve(llmid, prompt="p", **values).warnings

        assert warnings(SEEDANCE15_T2V, size="1920x1080", resolution="480p") == ("ignored: size",)
        assert warnings(SEEDANCE15_T2V, size="1920x1080", resolution="480p", mood=1) == ("ignored: size, mood",)
        assert warnings(SEEDANCE15_T2V, size="", resolution="480p") == ()
        assert warnings(SEEDANCE_T2V, size="1280x720", ratio="1:1") == ("size 1280x720 is made as 720p 1:1",)
        assert warnings(WAN_T2V, size="1280*720", resolution="720p") == ("ignored: resolution",)

    def test_a_size_means_nothing_where_no_sizes_are_known(self):
        offer = OFFERS[SEEDANCE_T2V]
        bare = dataclasses.replace(offer, video=dataclasses.replace(offer.video, pixels=()))
        found = resolve_video(fields(llmid=SEEDANCE_T2V, prompt="p", size="1280x720"), [bare])
        assert (found.request.resolution, found.request.ratio, found.warnings) == (
            "720p",
            "adaptive",
            ("ignored: size",),
        )

    def test_a_parameter_of_ones_own_may_be_any_number(self):
        offer = OFFERS[SEEDANCE_T2V]
        mood = {"type": ["number", "null"], "minimum": 0, "maximum": 2, "x-extra": "mood_level"}
        properties = {**offer.parameters["properties"], "mood": mood}
        own = dataclasses.replace(offer, parameters={**offer.parameters, "properties": properties})

        def extras(value):
            return resolve_video(fields(llmid=SEEDANCE_T2V, prompt="p", mood=value), [own]).request.extras

        assert [extras(value) for value in (1, "1.5", " 2 ", 0.25, None)] == [
            {"mood_level": 1.0},
            {"mood_level": 1.5},
            {"mood_level": 2.0},
            {"mood_level": 0.25},
            {},
        ]
        for value in (True, "x", 3, float("nan"), 2**80, "9" * 99, [[1]]):
            with pytest.raises(ParameterError, match="Invalid parameter: mood; a number from 0 to 2"):
                extras(value)


class TestWhichOffer:
    @pytest.mark.parametrize(
        ("model", "files", "llmid"),
        [
            ("doubao-seedance-2-0-260128", {}, SEEDANCE_T2V),
            ("doubao-seedance-2-0-260128", {"image1_file": FILE}, SEEDANCE_I2V),
            ("doubao-seedance-2-0-260128", {"image_files": FILE}, SEEDANCE_R2V),
            ("doubao-seedance-2-0-260128", {"video_files": FILE, "image_files": FILE}, SEEDANCE_R2V),
            ("doubao-seedance-2-0-fast-260128", {"image2_file": FILE, "image1_file": FILE}, SEEDANCE_I2V),
            ("dreamina-seedance-2-0-260128", {}, WETOKEN_T2V),
            ("dreamina-seedance-2-0-fast-260128", {"image": FILE}, WETOKEN_I2V),
            ("happyhorse-1.0-r2v", {"image_files": FILE}, HAPPYHORSE_R2V),
            ("happyhorse-1.0-t2v", {"image_files": FILE}, HAPPYHORSE_R2V),
            ("viduq3-turbo", {}, "CjYtLEOrFXwbIAWdMzoWm"),
            ("viduq2-turbo", {"image1_file": FILE}, VIDU_I2V),
            ("seedance-1-5-pro-251215", {}, SEEDANCE15_T2V),
            (SEEDANCE_T2V, {}, SEEDANCE_T2V),
        ],
    )
    def test_without_an_llmid_model_and_files_choose(self, model, files, llmid):
        found = resolve(model=model, prompt="p", **files)
        assert found.offer.id == llmid
        expected = model if model in {m.name for m in found.offer.video.models} else found.offer.video.models[0].name
        assert found.request.model == expected

    @pytest.mark.parametrize(
        ("llmid", "files", "runs"),
        [
            (HAPPYHORSE_T2V, {"first_frame": URL}, HAPPYHORSE_I2V),
            (HAPPYHORSE_T2V, {"images": [URL]}, HAPPYHORSE_R2V),
            (SEEDANCE_T2V, {"image1_file": URL}, SEEDANCE_I2V),
            (SEEDANCE_T2V, {"audio_files": URL, "video_files": URL}, SEEDANCE_R2V),
            (WETOKEN_T2V, {"image1_file": URL}, WETOKEN_I2V),
            (SEEDANCE15_T2V, {"image_file1": URL}, SEEDANCE15_I2V),
            (VIDU_T2V, {"image1_file": URL}, VIDU_I2V),
            (WAN_T2V, {"image1_file": URL}, WAN_PICTURES),
        ],
    )
    def test_text_to_video_with_files_is_done_by_the_sibling(self, llmid, files, runs):
        found = resolve(llmid, prompt="p", **files)
        assert (found.requested.id, found.offer.id) == (llmid, runs)
        assert f"llmid {runs} is used" in found.warnings[0]

    def test_the_sibling_is_of_the_same_label_and_family_and_must_be_allowed(self):
        offers = [offer for offer in OFFERS.values() if offer.id != SEEDANCE_I2V]
        with pytest.raises(ParameterError, match="Unsupported parameter: image1_file"):
            resolve_video(fields(llmid=SEEDANCE_T2V, prompt="p", image1_file=FILE), offers)

    def test_pictures_are_not_needed_where_the_row_makes_videos_from_a_text_too(self):
        for llmid in (SEEDANCE_I2V, WETOKEN_I2V, SEEDANCE15_I2V, VIDU_I2V):
            found = resolve(llmid, prompt="p")
            assert (found.offer.id, found.media) == (llmid, ())

    def test_names_that_are_missing_or_unknown(self):
        assert refused(prompt="p") == ("missing_required_parameter", "Missing required parameter: llmid")
        assert refused("x" * 21, prompt="p") == ("unknown_llmid", "Unknown llmid")
        assert refused(model="sora-9")[0] == "model_not_found"
        assert refused(model="x" * 300) == ("invalid_parameter", "Invalid parameter: model; a name")
        assert refused(llm_id=["", 7])[1] == "Invalid parameter: llm_id; a name"
        assert resolve(llm_id=f" {SEEDANCE_T2V} ", prompt="p").offer.id == SEEDANCE_T2V

    def test_chat_offers_make_no_videos(self):
        chat = dataclasses.replace(OFFERS[SEEDANCE_T2V], video=None)
        with pytest.raises(ParameterError, match="Unknown llmid"):
            resolve_video(fields(llmid=SEEDANCE_T2V, prompt="p"), [chat])

    def test_the_offer_wins_over_a_foreign_model(self):
        found = resolve(SEEDANCE_T2V, prompt="p", model="viduq3-pro")
        assert found.request.model == "doubao-seedance-2-0-260128"
        assert found.warnings == (f"llmid {SEEDANCE_T2V} has no model viduq3-pro; doubao-seedance-2-0-260128 is used",)
        assert "(not a name)" in resolve(SEEDANCE_T2V, prompt="p", model="ü").warnings[0]


class TestFiles:
    def test_missing_parameters_are_told_in_the_order_of_the_seed(self):
        def message(llmid, **values):
            return refused(llmid, **values)[1]

        assert message(HAPPYHORSE_I2V) == "Missing required parameter: prompt"
        assert message(HAPPYHORSE_I2V, prompt="p") == "Missing required parameter: image1_file"
        assert message(WAN_PICTURES, prompt="p") == "Missing required parameter: image_file1"
        assert message(HAPPYHORSE_R2V, prompt="p") == "Missing required parameter: image_files"
        assert message(SEEDANCE_R2V, prompt="p") == "Missing required parameter: image_files"
        assert message(SEEDANCE_R2V, prompt="p", audio_files=URL) == "Missing required parameter: image_files"
        assert message(SEEDANCE_I2V, prompt="p", image2_file=URL) == "Missing required parameter: image1_file"
        assert message(VIDU_I2V, prompt="p", image2_file=URL) == "Missing required parameter: image_file1"
        assert resolve(SEEDANCE_R2V, prompt="p", video_files=URL).offer.id == SEEDANCE_R2V

    def test_files_that_the_model_cannot_use_are_refused(self):
        for llmid, values, name in (
            (HAPPYHORSE_I2V, {"image1_file": URL, "image2_file": URL}, "image2_file"),
            (HAPPYHORSE_I2V, {"image1_file": [URL, URL]}, "image2_file"),
            (HAPPYHORSE_R2V, {"image_files": URL, "video_files": URL}, "video_files"),
            (HAPPYHORSE_R2V, {"image_files": URL, "audios": URL}, "audio_files"),
            (SEEDANCE_R2V, {"image_files": URL, "image1_file": URL}, "image1_file"),
            (VIDU_T2V, {"image_files": URL}, "image_files"),
            (SEEDANCE_I2V, {"image1_file": URL, "image_files": URL}, "image_files"),
        ):
            assert refused(llmid, prompt="p", **values) == (
                "unsupported_parameter",
                f"Unsupported parameter: {name}",
            )

    @pytest.mark.parametrize(
        "name", ["image1_file", "image_file1", "image1", "first_frame", "first_frame_image", "image"]
    )
    def test_a_first_frame_has_many_names_and_one_in_errors(self, name):
        found = resolve(SEEDANCE_I2V, prompt="p", **{name: f" {URL} "})
        assert [(item.role, item.field, item.value) for item in found.media] == [(FIRST, "image1_file", URL)]
        assert resolve(VIDU_I2V, prompt="p", **{name: URL}).media[0].field == "image_file1"

    @pytest.mark.parametrize("name", ["image2_file", "image_file2", "image2", "last_frame", "last_frame_image"])
    def test_so_has_a_last_frame(self, name):
        found = resolve(SEEDANCE_I2V, prompt="p", image=URL, **{name: FILE})
        assert [(item.role, item.value) for item in found.media] == [(FIRST, URL), (LAST, FILE)]

    @pytest.mark.parametrize("name", ["image_files", "image_files[]", "images", "reference_images"])
    @pytest.mark.parametrize("value", [[URL, FILE], [[URL, FILE]], [URL, [FILE]]])
    def test_references_come_repeated_or_as_a_list(self, name, value):
        assert [item.value for item in resolve(SEEDANCE_R2V, prompt="p", **{name: value}).media] == [URL, FILE]

    def test_a_list_may_be_written_as_json(self):
        text = f'["{URL}", "{URL}?2"]'
        assert [m.value for m in resolve(SEEDANCE_R2V, prompt="p", image_files=text).media] == [URL, f"{URL}?2"]
        for broken in ("[", "[" * 100_000, '["a"', "[1]", "[null, {}]"):
            code, message = refused(SEEDANCE_R2V, prompt="p", image_files=broken)
            assert (code, message.partition(";")[0]) == ("invalid_parameter", "Invalid parameter: image_files")
        refusal = refused(SEEDANCE_R2V, prompt="p", image_files="[" + "[]," * 50_000 + "[]]")
        assert refusal == ("invalid_parameter", "Invalid parameter: image_files; at most 64 files")
        assert refused(SEEDANCE_R2V, prompt="p", image_files="[" + "[]," * 49_000 + "[]]") != refusal  # it is decoded

    def test_of_several_names_the_first_with_a_value_counts(self):
        found = resolve(SEEDANCE_I2V, prompt="p", image=[URL, FILE], image1_file=["", OTHER])
        assert [(item.role, item.value) for item in found.media] == [(FIRST, OTHER)]

    def test_references_are_numbered_pictures_first(self):
        found = resolve(SEEDANCE_R2V, prompt="p", audio_files="c", video_files=["b"], image_files=["a1", "a2"])
        assert [item.value for item in found.media] == ["a1", "a2", "b", "c"]

    def test_too_many_are_refused_with_the_limit(self):
        for llmid, values, words in (
            (SEEDANCE_R2V, {"image_files": [URL] * 10}, "image_files; at most 9 files"),
            (SEEDANCE_R2V, {"image_files": [URL] * 1000}, "image_files; at most 64 files"),
            (SEEDANCE_R2V, {"video_files": [URL] * 4}, "video_files; at most 3 files"),
            (HAPPYHORSE_R2V, {"image_files": [URL] * 10}, "image_files; at most 9 files"),
            (SEEDANCE_I2V, {"image1_file": [URL] * 3}, "image1_file; at most 1 file"),
        ):
            assert refused(llmid, prompt="p", **values) == ("invalid_parameter", f"Invalid parameter: {words}")
        assert len(resolve(SEEDANCE_R2V, prompt="p", image_files=[URL] * 9).media) == 9

    def test_a_text_longer_than_the_largest_file_is_refused_at_once(self):
        text = "A" * (2 * 20 * 1024 * 1024 + 2000)
        assert refused(HAPPYHORSE_I2V, prompt="p", image1_file=text)[1] == (
            "Invalid parameter: image1_file; at most 20971520 bytes"
        )

    def test_an_open_file_input_of_a_form_is_no_file(self):
        nothing = IncomingFile(name="", size_bytes=0, place=FILE.place)
        assert resolve(SEEDANCE_I2V, prompt="p", image1_file=[nothing, ""]).media == ()


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | st.text(max_size=40)
    | st.just("\ud800")
    | st.just("y" * 200_000)
    | st.just(FILE)
    | st.sampled_from(["16:9", "720p", "1080P", "[", "[[", "{}", "1e400", "-1", "\u0663", "\uff15", "0x10", URL]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CODES = {
    "missing_required_parameter",
    "invalid_parameter",
    "unsupported_parameter",
    "unknown_llmid",
    "model_not_found",
}
NAMES = sorted(
    {name for offer in OFFERS.values() for name in offer.parameters["properties"]} | {"radio", "images", "x"}
)


@given(
    named=st.one_of(
        st.fixed_dictionaries({"llmid": st.sampled_from([[id_] for id_ in OFFERS])}),
        st.fixed_dictionaries({"model": st.sampled_from([[offer.model] for offer in OFFERS.values()])}),
        st.just({}),
    ),
    junk=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=10), st.lists(JUNK, max_size=3), max_size=6),
)
def test_whatever_comes_is_resolved_or_refused(named, junk):
    found, refusal = None, None
    try:
        found = resolve_video({"prompt": ["p"], **junk, **named}, list(OFFERS.values()))
    except ParameterError as error:
        refusal = error
    if refusal is not None:
        assert refusal.code in CODES
        assert len(refusal.message) < 500
    else:
        assert all(warning.isascii() and warning.isprintable() for warning in found.warnings)
        assert found.request.prompt.encode().decode() == found.request.prompt
