"""Files of video offers that somebody else wrote: what is wrong is named with its line and what to write."""

import re
from pathlib import Path

import pytest

from yuanjing.domain.tasks import MediaRole, Size, VideoMeter
from yuanjing.usecases.catalog_documents import CatalogError, parse_document

OFFER = """\
[offer]
id = "abcdefghijklmnopqrstu"
model = "m"
operation = "image_to_video"
label = "M"
provider_label = "P"
providers = { p = "m" }

[offer.video]
family = "f"
seconds_when_chosen = 12
expected_seconds = 75
input_seconds_max = 9
expires_after_seconds = 7200
extras = { service_tier = "default" }
needs_any_of = ["first_frame"]

[offer.video.pixels."720p"]
"16:9" = "1280*720"
"1:1" = "960x960"

[offer.video.tokens]
frame_rate = 24
extra_frames = 1
divisor = 1024

[[offer.video.model]]
name = "m"
aliases = ["old-m"]

[[offer.video.model]]
name = "n"
required = ["first_frame"]

[offer.video.model.properties.duration]
maximum = 8

[[offer.video.model.case]]
roles = ["last_frame"]

[offer.video.model.case.properties.duration]
maximum = 6

[[offer.video.media]]
field = "image1_file"
like = "wan_image"
side_min = 100
takes_assets = true

[[offer.video.media]]
field = "image2_file"
media_types = ["image/png"]
size_bytes_max = 1000
aspect_min = "0.5"

[[offer.video.credit]]
resolution = "720p"
normal = "2.5"
off_peak = "1"

[offer.parameters]
with = ["watermark"]

[offer.parameters.properties.resolution]
enum = ["480p", "720p"]
default = "720p"
x-rewrites = { "480p" = "720p" }

[offer.parameters.properties.ratio]
enum = ["adaptive", "16:9", "1:1"]
x-omit = ["adaptive"]

[offer.parameters.properties.duration]
minimum = 2
maximum = 12
default = 5

[offer.parameters.properties.mood]
type = "string"
enum = ["calm", "wild"]
x-extra = "mood_name"

[price]
effective_from = 2026-01-01T00:00:00Z
source = "contract 2026-01-01"

[[price.rate]]
meter = "video_tokens"
model = "n"
amount = "10"
per = 1000000

[[price.rate]]
meter = "video_tokens"
amount = "20"
per = 1000000
"""
PROVIDER = """\
[[provider]]
id = "p"
label = "P"
label_zh = "P"
protocol = "ark"
base_url = "https://p.example"
sandbox_path = ""

[provider.video]
tasks_max = 7
"""


def line_of(text, place):
    return text[: text.index(place)].count("\n") + 1


def test_a_complete_file():
    document = parse_document("f.toml", PROVIDER + OFFER)
    (provider,), (draft,) = document.providers, document.offers
    assert (provider.sandbox_path, provider.video.tasks_max, provider.video.poll_max_seconds) == ("", 7, 15)
    spec, properties = draft.offer.video, draft.offer.parameters["properties"]
    assert (spec.family, spec.seconds_when_chosen, spec.input_seconds_max, spec.expected_seconds) == ("f", 12, 9, 75)
    assert (spec.expires_after_seconds, spec.extras) == (7200, {"service_tier": "default"})
    assert spec.needs_any_of == (MediaRole.FIRST_FRAME,)
    assert [(p.resolution, p.ratio, p.size) for p in spec.pixels] == [
        ("720p", "16:9", Size(width=1280, height=720)),
        ("720p", "1:1", Size(width=960, height=960)),
    ]
    assert (spec.models[0].aliases, spec.models[1].required) == (("old-m",), (MediaRole.FIRST_FRAME,))
    assert spec.models[1].cases[0].roles == (MediaRole.LAST_FRAME,)
    first, last = spec.media
    assert (first.side_min, first.side_max, first.size_bytes_max) == (100, 8000, 20 * 1024**2)
    assert (first.takes_assets, last.takes_assets) == (True, False)
    assert (last.media_types, last.side_min, str(last.aspect_min)) == (("image/png",), None, "0.5")
    assert [(rate.is_off_peak, str(rate.credits_per_second)) for rate in spec.credit_rates] == [
        (False, "2.5"),
        (True, "1"),
    ]
    assert draft.price.tiers == ()
    assert [(r.meter, r.amount_nanos, r.per, r.model) for r in draft.price.rates] == [
        (VideoMeter.VIDEO_TOKENS, 10 * 10**9, 10**6, "n"),
        (VideoMeter.VIDEO_TOKENS, 20 * 10**9, 10**6, None),
    ]
    assert list(properties) == [
        *(
            "llmid",
            "model",
            "prompt",
            "image1_file",
            "image2_file",
            "resolution",
            "ratio",
            "duration",
            "watermark",
            "mood",
        ),
    ]
    assert properties["model"]["enum"] == ["m", "n"]
    assert "first_frame" in properties["image1_file"]["x-aliases"]
    assert draft.offer.names == ("abcdefghijklmnopqrstu", "m", "n")


MOOD, TIER = "[offer.parameters.properties.mood]", "[offer.parameters.properties.resolution]"
RATE = 'meter = "video_tokens"\namount = "20"'
PIXELS = '[offer.video.pixels."720p"]\n"16:9" = "1280*720"\n"1:1" = "960x960"\n'
MISTAKES = [
    ('operation = "image_to_video"', 'operation = "chat"', "[offer]", "[offer.chat]"),
    ('family = "f"', "", "[offer.video]", "`family` is missing"),
    ('family = "f"', 'family = "f"\nfamliy = "x"', "famliy", "`famliy` is not known here"),
    ('family = "f"', 'family = "f"\nstrategy = "x"', "strategy", "needs [offer.video.strategies]"),
    ('"first_frame"]\n\n', '"front"]\n\n', "needs_any_of", "knows first_frame"),
    ('required = ["first_frame"]', 'required = ["front"]', "required", "knows first_frame"),
    ('"16:9" = "1280*720"', '"16:9" = "wide"', '"16:9" = "wide"', 'a size like "1280*720"'),
    ('[offer.video.pixels."720p"]', "[offer.video.pixel]", "[offer.video.pixel]", "`pixel` is not known"),
    (PIXELS, 'pixels = "zap"\n', "pixels =", "or one of seedance"),
    (PIXELS, "pixels.720p = 1\n", "pixels.720p", "`720p` must be a table"),
    ("divisor = 1024", "divisor = 0", "divisor", "from 1 to"),
    ('name = "m"', 'name = "x"', "[[offer.video.model]]", "must be the offer's `model`, 'm'"),
    ('name = "n"', 'name = "m"', "[[offer.video.model]]", "a name of its own"),
    ("maximum = 8", "maximum = 8\n[offer.video.model.properties]\nx = 1", "x = 1", "must be a table of JSON Schema"),
    ('field = "image1_file"', 'field = "picture"', 'field = "picture"', "must be one of image1_file"),
    ('like = "wan_image"', 'like = "wan"', 'like = "wan"', "must be one of ark_image"),
    ("size_bytes_max = 1000", "", '[[offer.video.media]]\nfield = "image2', "`media_types` and `size_bytes_max`"),
    ('aspect_min = "0.5"', "aspect_min = 0.5", "aspect_min", "in quotes"),
    ('aspect_min = "0.5"', 'aspect_min = "-1"', "aspect_min", "in quotes"),
    ('normal = "2.5"\noff_peak = "1"', "", "[[offer.video.credit]]", "add `normal`"),
    ('with = ["watermark"]', 'with = ["glitter"]', "with =", "does not know 'glitter'"),
    ('enum = ["480p", "720p"]', 'enum = ["480p", "720p", "1080p"]', TIER, "a tier of `pixels`"),
    ('enum = ["480p", "720p"]', "", TIER, "needs an `enum`"),
    ('default = "720p"', 'default = "4k"', TIER, "does not allow itself"),
    ('x-omit = ["adaptive"]', 'x-omit = ["free"]', "[offer.parameters.properties.ratio]", "'free'"),
    ('{ "480p" = "720p" }', '{ "480p" = "4k" }', TIER, "'4k'"),
    ("minimum = 2", 'minimum = "two"', "[offer.parameters.properties.duration]", "is no JSON Schema"),
    ('x-extra = "mood_name"', "", MOOD, "needs `x-extra`"),
    (MOOD, f"[offer.parameters.properties]\nsize = 1\n{MOOD}", "size = 1", "must be a table of JSON Schema"),
    ('meter = "video_tokens"\nmodel', 'meter = "tokens"\nmodel', 'meter = "tokens"', "one of video_seconds"),
    ('amount = "10"', "amount = 10", "amount = 10", "in quotes"),
    ('amount = "10"', 'amount = "ten"', 'amount = "ten"', "is not an amount"),
    ("per = 1000000\n\n", "per = 0\n\n", "per = 0", "from 1 to"),
    ('model = "n"\namount', 'model = "x"\namount', "[[price.rate]]", "has no model 'x'; it has m, n"),
    (RATE, RATE.replace("amount", 'resolution = "480p"\namount'), "[[price.rate]]", "no rate of video_tokens"),
    (RATE, RATE.replace("amount", "audio = false\namount"), "[[price.rate]]", "no rate of video_tokens"),
    ("[[price.rate]]", "[[price.tier]]", "[price]", "at least one [[price.rate]]"),
    ("[[price.rate]]", "[[price.tier]]", "[[price.tier]]", "`tier` is not known here"),
    ('"1:1" = "960x960"', "", "[[price.rate]]", "cannot be counted for 720p 1:1"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "words"), MISTAKES)
def test_each_mistake_has_its_line_and_advice(old, new, place, words):
    text = OFFER.replace(old, new)
    assert text != OFFER
    with pytest.raises(CatalogError) as error:
        parse_document("f.toml", text)
    found = [problem for problem in error.value.problems if words in problem.message]
    assert found, error.value.problems
    if words != "not TOML":
        assert found[0].line == line_of(text, place)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[provider.video]\ntasks_max = 7\n", "", "`video` is missing"),
        ('"ark"', '"openai_compatible"', "is for the protocols dashscope, ark, vidu"),
        ("tasks_max = 7", "tasks_max = 0", "from 1 to"),
        ("tasks_max = 7", "poll_min_seconds = 2\npoll_max_seconds = 1", "must not be below `poll_min_seconds`"),
        ("tasks_max = 7", "task_max = 7", "`task_max` is not known"),
    ],
)
def test_mistakes_in_a_provider(old, new, words):
    with pytest.raises(CatalogError, match=r"f\.toml:\d") as error:
        parse_document("f.toml", PROVIDER.replace(old, new))
    assert words in error.value.message


def test_sizes_must_belong_to_a_tier():
    text = OFFER.replace(TIER, "[offer.parameters.properties.size]").replace(
        'enum = ["480p", "720p"]\ndefault = "720p"\nx-rewrites = { "480p" = "720p" }',
        'enum = ["1280*720", "1280*721"]\ndefault = "1280*720"',
    )
    with pytest.raises(CatalogError, match="every `size`, as it is sent, must be in `pixels`"):
        parse_document("f.toml", text)


def test_a_chat_offer_has_no_rates_and_a_video_no_tiers():
    with pytest.raises(CatalogError, match="`rate` is not known here"):
        parse_document(
            "f.toml",
            OFFER.replace("image_to_video", "chat").replace(
                'family = "f"', 'family = "f"\n[offer.chat]\ncontext_tokens = 10\noutput_tokens_max = 1'
            ),
        )


def test_the_documented_examples_are_files():
    text = (Path(__file__).parents[2] / "docs" / "reference" / "catalog.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    offers = [block for block in blocks if block.startswith("[offer]")]
    assert len(offers) == 2
    chat, video = (parse_document("f.toml", block).offers[0] for block in offers)
    assert (chat.offer.video, video.offer.chat) == (None, None)
    assert [model.name for model in video.offer.video.models][1] == "doubao-seedance-2-0-fast-260128"
    (limits,) = [block for block in blocks if block.startswith("[provider.video]")]
    parse_document("f.toml", PROVIDER.replace("[provider.video]\ntasks_max = 7\n", limits))
