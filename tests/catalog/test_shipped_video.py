"""The video part of the catalogue that comes with the program."""

import datetime as dt
import importlib.resources
import re
from decimal import Decimal

import jsonschema_rs
import pytest
from tests.support.video_offers import DRAFTS, FILE, OFFERS, SEEDANCE_I2V, WAN_PICTURES, resolve

from yuanjing.domain.catalog import Operation
from yuanjing.domain.tasks import MediaRole, Size
from yuanjing.domain.video_pricing import VideoPrice, conditions_of
from yuanjing.usecases.catalog_documents import VIDEO_PROTOCOLS, parse_document, shipped_documents
from yuanjing.usecases.price_documents import check_rates

TODAY = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
PROVIDERS = {p.id: p for document in shipped_documents() for p in document.providers if p.video is not None}
by_id = pytest.mark.parametrize("offer", OFFERS.values(), ids=lambda offer: offer.id)
TEXT, IMAGE, REFERENCE = Operation.TEXT_TO_VIDEO, Operation.IMAGE_TO_VIDEO, Operation.REFERENCE_TO_VIDEO
DOUBAO = ("doubao-seedance-2-0-260128", "doubao-seedance-2-0-fast-260128")
DREAMINA = ("dreamina-seedance-2-0-260128", "dreamina-seedance-2-0-fast-260128")
SEEDANCE15 = ("doubao-seedance-1-5-pro-251215",)

# Facts, seed-mapping §1: label, operation, models with the default first, provider rows.
PUBLISHED = {
    "o5vfXYD5BURJWRTWpopE5": ("Alibaba Cloud", TEXT, ("happyhorse-1.0-t2v",), {"dashscope-video"}),
    "u9HZyfDoqU6uKI6M1BTks": ("Tongyi Wanxiang", TEXT, ("wan2.6-t2v",), {"dashscope-video"}),
    "YjjGgxO_Xma8PWsMjJvps": ("Doubao", TEXT, DOUBAO, {"ark-video"}),
    "CrEMkFQfRCmbmopZsCqLj": ("Doubao", TEXT, SEEDANCE15, {"ark-video"}),
    "TWay-xd0p0pkEX-_Kuhto": ("We Token AI", TEXT, DREAMINA, {"wetoken", "byteplus"}),
    "r0ill7L0s6PtBS8mkmg-7": ("vidu", TEXT, ("viduq3-pro",), {"vidu"}),
    "7y7kfYM0Xasizyi37WvAZ": ("Alibaba Cloud", IMAGE, ("happyhorse-1.0-i2v",), {"dashscope-video"}),
    "x4HksKp9mXR1Yv60mw6Py": ("Tongyi Wanxiang", IMAGE, ("wan2.6-r2v",), {"dashscope-video"}),
    "UeYax4591ytnPcr9eumry": ("Doubao", IMAGE, DOUBAO, {"ark-video"}),
    "7RTOJD6K8A7RXCMG4GnQ9": ("Doubao", IMAGE, SEEDANCE15, {"ark-video"}),
    "tb0VSY6WeyGbzaolU1_qE": ("We Token AI", IMAGE, DREAMINA, {"wetoken", "byteplus"}),
    "FK_h7FLYnosv2TkMN4ATC": ("vidu", IMAGE, ("viduq3-pro", "viduq2-turbo"), {"vidu"}),
    "6o9n_7u2K927hNlD8_72f": ("Alibaba Cloud", REFERENCE, ("happyhorse-1.0-r2v",), {"dashscope-video"}),
    "dmPXF65TD1riKj9KaxLmg": ("Doubao", REFERENCE, DOUBAO, {"ark-video"}),
    "nVbH7lEO51soqTbLGIHE_": ("We Token AI", REFERENCE, DREAMINA, {"wetoken", "byteplus"}),
}
ADDED = {"happyhorse-1.1-t2v", "wan2.7-i2v", "viduq3-turbo"}


def test_the_published_models_are_there_and_three_more():
    found = {
        offer.id: (
            offer.provider_label,
            offer.operation,
            tuple(m.name for m in offer.video.models),
            set(offer.providers),
        )
        for offer in OFFERS.values()
    }
    assert {id_: found[id_] for id_ in PUBLISHED} == PUBLISHED
    assert {offer.model for offer in OFFERS.values() if offer.id not in PUBLISHED} == ADDED


def test_the_added_models_are_data_only():
    package = importlib.resources.files("yuanjing")
    folders = ["adapters", "bootstrap", "cli", "domain", "edge", "gateway", "kit", "ports", "usecases", "worker"]
    files = [file for name in folders for file in (package / name).rglob("*.py")]
    assert len(files) > 100
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not [name for name in ADDED if name in text], file
    for name, values in (
        ("happyhorse-1.1-t2v", {}),
        ("wan2.7-i2v", {"image": FILE}),
        ("viduq3-turbo", {"image": FILE}),
    ):
        found = resolve(model=name, prompt="p", **values)
        assert (found.offer.model, found.request.model, found.warnings) == (name, name, ())


def test_providers_of_video_say_how_they_want_to_be_asked():
    assert {p.id: (p.protocol, p.sandbox_path) for p in PROVIDERS.values()} == {
        "dashscope-video": ("dashscope", "/api/v1"),
        "ark-video": ("ark", "/api/v3"),
        "byteplus": ("ark", "/byteplus/api/v3"),
        "wetoken": ("ark", "/byteplus/api/v3"),
        "vidu": ("vidu", ""),
    }
    assert {p.protocol for p in PROVIDERS.values()} == set(VIDEO_PROTOCOLS)
    for provider in PROVIDERS.values():
        limits = provider.video
        assert limits.poll_min_seconds <= limits.poll_max_seconds
        assert limits.off_peak_deadline_seconds >= 49 * 3600
        assert limits.result_seconds == 86_400


@by_id
def test_an_offer_can_be_sold(offer):
    price = DRAFTS[offer.id].price
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{20}", offer.id), "an id that begins with - looks like an option"
    assert offer.is_enabled(TODAY)
    assert price.effective_from < TODAY
    assert len(price.source) <= 300
    assert offer.operation.value in offer.capabilities
    assert set(offer.providers) <= set(PROVIDERS)
    assert offer.description
    assert offer.description_zh
    assert check_rates(offer, price.rates) == []
    assert all(offer.video.rule(role) is None or offer.operation is not TEXT for role in MediaRole)


@by_id
def test_its_parameters_are_a_schema_that_says_what_is_accepted(offer):
    schema = offer.parameters
    jsonschema_rs.meta.validate(schema)
    validator = jsonschema_rs.validator_for(schema)
    files = {
        rule.field: ["x"] if schema["properties"][rule.field]["type"] == "array" else "x"
        for rule in offer.video.media
        if rule.is_required or rule.role in offer.video.needs_any_of
    }
    assert validator.is_valid({"llmid": offer.id, "prompt": "p", **files})
    assert validator.is_valid({"model": offer.video.models[-1].name, "prompt": "p", "image_file1": "x", **files})
    assert not validator.is_valid({"prompt": "p", **files})
    assert not validator.is_valid({"llmid": "x", "prompt": "p", **files})
    assert not validator.is_valid({"llmid": offer.id, **files})
    assert not validator.is_valid({"llmid": offer.id, "prompt": "p", "duration": 17, **files})
    if files:
        assert not validator.is_valid({"llmid": offer.id, "prompt": "p"})
    for name, parameter in schema["properties"].items():
        assert parameter["x-label"]
        assert parameter["x-label-zh"]
        assert "default" not in parameter or jsonschema_rs.is_valid(parameter, parameter["default"]), name
    assert schema["x-order"] == list(schema["properties"])


def test_what_is_special_about_a_model_is_in_the_schema():
    schema = jsonschema_rs.validator_for(OFFERS[SEEDANCE_I2V].parameters)
    fast = {"model": DOUBAO[1], "prompt": "p"}
    assert schema.is_valid({**fast, "resolution": "720p"})
    assert not schema.is_valid({**fast, "resolution": "1080p"})
    assert schema.is_valid({"model": DOUBAO[0], "prompt": "p", "resolution": "1080p"})
    assert not schema.is_valid({**fast, "image2_file": "x"})
    assert schema.is_valid({**fast, "image2_file": "x", "image1_file": "x"})
    vidu = jsonschema_rs.validator_for(OFFERS["FK_h7FLYnosv2TkMN4ATC"].parameters)
    turbo = {"model": "viduq2-turbo", "prompt": "p", "image_file1": "x"}
    assert vidu.is_valid({**turbo, "duration": 10})
    assert not vidu.is_valid({**turbo, "duration": 10, "image_file2": "x"})
    assert not vidu.is_valid({"model": "viduq2-turbo", "prompt": "p"})
    assert vidu.is_valid({"model": "viduq3-pro", "prompt": "p", "duration": 16})


def test_files_have_the_limits_of_the_facts():
    def rule(llmid, role):
        return OFFERS[llmid].video.rule(role)

    frame = rule("7y7kfYM0Xasizyi37WvAZ", MediaRole.FIRST_FRAME)
    assert (frame.field, frame.is_required, frame.count_max, frame.side_min) == ("image1_file", True, 1, 300)
    assert (frame.aspect_min, frame.aspect_max, frame.size_bytes_max) == (Decimal("0.4"), Decimal("2.5"), 20 * 1024**2)
    ark = rule("dmPXF65TD1riKj9KaxLmg", MediaRole.REFERENCE_IMAGE)
    assert (ark.count_max, ark.side_min, ark.side_max, ark.is_required) == (9, 300, 6000, False)
    assert ark.size_bytes_max < 30 * 1024**2
    clip = rule("dmPXF65TD1riKj9KaxLmg", MediaRole.REFERENCE_VIDEO)
    assert (clip.count_max, clip.seconds_max, clip.seconds_total_max) == (3, 15, 15)
    assert rule("6o9n_7u2K927hNlD8_72f", MediaRole.REFERENCE_IMAGE).side_min == 400
    assert rule("x4HksKp9mXR1Yv60mw6Py", MediaRole.LAST_FRAME).field == "image_file2"
    assert rule("FK_h7FLYnosv2TkMN4ATC", MediaRole.FIRST_FRAME).aspect_max == 4


@by_id
def test_sizes_are_even_and_of_their_ratio(offer):
    for entry in offer.video.pixels:
        across, down = map(int, entry.ratio.split(":"))
        assert entry.size.width % 2 == entry.size.height % 2 == 0
        assert entry.size.width / entry.size.height == pytest.approx(across / down, rel=0.04)


def _wan(strategy):
    text = (importlib.resources.files("yuanjing") / "catalog" / "offers" / "wan2.6-r2v.toml").read_text(
        encoding="utf-8"
    )
    (draft,) = parse_document("f", text.replace('strategy = "literal"', f'strategy = "{strategy}"')).offers
    return draft


def test_the_wan_row_has_two_strategies_as_data():
    literal, frames = _wan("literal"), _wan("frames")
    assert literal.offer == OFFERS[WAN_PICTURES]
    assert (literal.offer.video.form, literal.offer.providers) == ("reference_urls", {"dashscope-video": "wan2.6-r2v"})
    assert (frames.offer.video.form, frames.offer.providers) == ("", {"dashscope-video": "wan2.7-i2v"})
    assert "shot_type" in literal.offer.parameters["properties"]
    assert "shot_type" not in frames.offer.parameters["properties"]
    from yuanjing.domain.parameters import resolve_video  # noqa: PLC0415  # beside its one use

    given = {"llmid": [WAN_PICTURES], "prompt": ["p"], "image_file1": [FILE], "size": ["720x1280"]}
    by_subject = resolve_video(given, [literal.offer]).request
    by_frame = resolve_video(given, [frames.offer]).request
    assert (by_subject.size, by_subject.resolution) == (Size(width=720, height=1280), None)
    assert (by_subject.model, by_subject.duration_seconds) == ("wan2.6-r2v", 10)
    assert (by_frame.size, by_frame.resolution) == (None, "720p")
    assert (by_frame.model, by_frame.duration_seconds) == ("wan2.6-r2v", 15)
    assert conditions_of(literal.offer, by_subject).resolution == conditions_of(frames.offer, by_frame).resolution


def test_prices_name_where_they_are_from():
    sources = {offer.provider_label: DRAFTS[offer.id].price.source for offer in OFFERS.values()}
    assert "0.005 USD" in sources["vidu"]
    assert "7.10 CNY per USD" in sources["vidu"]
    assert "7.10 CNY per USD" in sources["We Token AI"]
    for draft in DRAFTS.values():
        assert not isinstance(draft.price, VideoPrice)
        assert re.search(r"20\d\d-\d\d-\d\d", draft.price.source)
