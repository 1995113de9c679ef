"""The field tables of the published API, row by row, and what the provider must be asked for each value.

Written from the seed and its mapping to the providers, not from our catalogue, so that the one checks the other.
Expected bodies are written flat: model and parameters under the provider's own names, without prompt and files.
"""

from dataclasses import dataclass, field

Fields = dict[str, object]

RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
WAN_SIZES = {
    "832*480": "1280*720",
    "480*832": "720*1280",
    "624*624": "960*960",
    **{
        size: size
        for size in (
            "1280*720", "720*1280", "960*960", "1088*832", "832*1088", "1920*1080", "1080*1920", "1440*1440",
            "1632*1248", "1248*1632",
        )
    },
}  # fmt: skip
FAST_DOUBAO, FAST_DREAMINA = "doubao-seedance-2-0-fast-260128", "dreamina-seedance-2-0-fast-260128"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One llmid.

    Attributes:
        files: fields of the files that its table has, each given once by default.
        path: the end of the provider's path.
        defaults: what is asked of the provider when only the prompt and the files are given.
        roles: what the files are for, in the provider's words.
        good: fields, and how the body then differs from the defaults.
        bad: fields that are refused, with the parameter that the error names.
        missing: which file is complained about if none is given; empty if text alone will do.
    """

    llmid: str
    files: tuple[str, ...] = ()
    path: str
    defaults: Fields
    roles: tuple[str, ...] = ()
    good: list[tuple[Fields, Fields]] = field(default_factory=list)
    bad: list[tuple[Fields, str]] = field(default_factory=list)
    missing: str = ""


def values(name: str, key: str, *given: object) -> list[tuple[Fields, Fields]]:
    """Values that reach the provider as they are."""
    return [({name: value}, {key: value}) for value in given]


def _bad(name: str, *given: object) -> list[tuple[Fields, str]]:
    return [({name: value}, name) for value in given]


def _happyhorse(llmid: str, kind: str, defaults: Fields, **more: object) -> Row:
    good = [
        ({"resolution": "1080p"}, {"resolution": "1080P"}),
        ({"resolution": "720P"}, {"resolution": "720P"}),
        *values("duration", "duration", 3, 15),
        ({"duration": "7"}, {"duration": 7}),
        *more.pop("good", []),  # type: ignore[misc]
    ]
    bad = [*_bad("resolution", "540p", "4k"), *_bad("duration", 2, 16, "x", 5.5), *more.pop("bad", [])]  # type: ignore[misc]
    model = f"happyhorse-1.0-{kind}"
    return Row(
        llmid=llmid,
        path="/video-synthesis",
        defaults={"model": model, "watermark": False, **defaults},
        good=good,
        bad=bad,
        **more,  # type: ignore[arg-type]
    )


def _seedance_2(llmid: str, brand: str, defaults: Fields, **more: object) -> Row:
    standard, fast = f"{brand}-seedance-2-0-260128", f"{brand}-seedance-2-0-fast-260128"
    good = [
        ({"model": standard}, {}),
        ({"model": FAST_DOUBAO}, {"model": fast, "resolution": "720p"}),
        ({"model": FAST_DREAMINA, "resolution": "480p"}, {"model": fast, "resolution": "480p"})
        if brand == "dreamina"
        else ({"model": FAST_DOUBAO, "resolution": "480p"}, {"model": fast, "resolution": "480p"}),
        *values("resolution", "resolution", "480p", "720p", "1080p"),
        ({"resolution": "720P"}, {"resolution": "720p"}),
        *values("ratio", "ratio", "adaptive", *RATIOS),
        *values("duration", "duration", 4, 15, -1),
        ({"duration": "6"}, {"duration": 6}),
        *more.pop("good", []),  # type: ignore[misc]
    ]
    bad = [
        *_bad("resolution", "540p"),
        *_bad("ratio", "9:21", "keep_ratio", "wide"),
        *_bad("duration", 3, 16, "x", 0),
        ({"model": FAST_DOUBAO, "resolution": "1080p"}, "resolution"),
        *more.pop("bad", []),  # type: ignore[misc]
    ]
    sent = {"model": standard, "generate_audio": True, "watermark": False, **defaults}
    return Row(llmid=llmid, path="/contents/generations/tasks", defaults=sent, good=good, bad=bad, **more)  # type: ignore[arg-type]


def _seedance_15(llmid: str, **more: object) -> Row:
    good = [
        *values("radio", "ratio", "adaptive", *RATIOS),
        ({"radio": "keep_ratio"}, {"ratio": "adaptive"}),
        ({"ratio": "4:3", "radio": "1:1"}, {"ratio": "4:3"}),
        *values("resolution", "resolution", "480p", "720p", "1080p"),
        *values("duration", "duration", 4, 12, -1),
    ]
    bad = [*_bad("radio", "9:21", "wide"), *_bad("resolution", "540p"), *_bad("duration", 3, 13)]
    return Row(
        llmid=llmid,
        path="/contents/generations/tasks",
        defaults={
            "model": "doubao-seedance-1-5-pro-251215",
            "resolution": "1080p",
            "duration": 12,
            "generate_audio": True,
            "watermark": False,
        },
        good=good,
        bad=bad,
        **more,  # type: ignore[arg-type]
    )


_YES_NO = [
    ({"off_peak": given}, {"off_peak": sent})
    for given, sent in (("Y", True), ("N", False), ("yes", True), ("true", True), ("0", False), (True, True))
]
_VIDU_GOOD = [
    *values("duration", "duration", 1, 16),
    *values("resolution", "resolution", "540p", "720p", "1080p"),
    *_YES_NO,
]
_VIDU_BAD = [*_bad("duration", 0, 17), *_bad("resolution", "480p"), *_bad("off_peak", "maybe")]
_FRAMES = ("image1_file", "image2_file")
_ROLES = ("first_frame", "last_frame")
_REFERENCE = ("reference_image",)
_20_DEFAULTS: Fields = {"resolution": "720p", "ratio": "adaptive", "duration": 5}
_20_R2V_DEFAULTS: Fields = {"resolution": "1080p", "duration": 12}
_ALL_RATIOS = values("ratio", "ratio", *RATIOS)
_WAN_GOOD = [
    *[({"size": given}, {"size": sent}) for given, sent in WAN_SIZES.items()],
    ({"size": "1280x720"}, {"size": "1280*720"}),
    *values("negative_prompt", "negative_prompt", "blurred"),
]
_WAN_BAD = [*_bad("size", "100*100", "wide"), *_bad("duration", 1, "x"), *_bad("negative_prompt", "x" * 501)]

ROWS = {
    "happyhorse t2v": _happyhorse(
        "o5vfXYD5BURJWRTWpopE5",
        "t2v",
        {"resolution": "720P", "duration": 5},
        good=[
            ({"resolution": "480p"}, {"resolution": "720P"}),
            ({"ratio": "adaptive"}, {}),
            *_ALL_RATIOS,
        ],
        bad=_bad("ratio", "2:1"),
    ),
    "happyhorse i2v": _happyhorse(
        "7y7kfYM0Xasizyi37WvAZ",
        "i2v",
        {"resolution": "720P", "duration": 5},
        files=("image1_file",),
        roles=("first_frame",),
        good=[({"ratio": "16:9"}, {})],
        missing="image1_file",
    ),
    "happyhorse r2v": _happyhorse(
        "6o9n_7u2K927hNlD8_72f",
        "r2v",
        {"resolution": "1080P", "duration": 12},
        files=("image_files",),
        roles=_REFERENCE,
        good=_ALL_RATIOS,
        bad=_bad("ratio", "2:1"),
        missing="image_files",
    ),
    "wan t2v": Row(
        llmid="u9HZyfDoqU6uKI6M1BTks",
        path="/video-synthesis",
        defaults={"model": "wan2.6-t2v", "size": "1920*1080", "duration": 15, "watermark": False},
        good=[*_WAN_GOOD, *values("duration", "duration", 2, 5, 10, 15)],
        bad=[*_WAN_BAD, *_bad("duration", 16)],
    ),
    "wan i2v": Row(
        llmid="x4HksKp9mXR1Yv60mw6Py",
        files=("image_file1", "image_file2"),
        path="/video-synthesis",
        defaults={"model": "wan2.6-r2v", "size": "1920*1080", "duration": 10, "watermark": False},
        roles=("reference", "reference"),
        good=[*_WAN_GOOD, *values("duration", "duration", 2, 5, 10)],
        bad=[*_WAN_BAD, *_bad("duration", 15)],
        missing="image_file1",
    ),
    "seedance 2.0 t2v": _seedance_2("YjjGgxO_Xma8PWsMjJvps", "doubao", _20_DEFAULTS),
    "dreamina t2v": _seedance_2("TWay-xd0p0pkEX-_Kuhto", "dreamina", _20_DEFAULTS),
    "seedance 2.0 i2v": _seedance_2("UeYax4591ytnPcr9eumry", "doubao", _20_DEFAULTS, files=_FRAMES, roles=_ROLES),
    "dreamina i2v": _seedance_2("tb0VSY6WeyGbzaolU1_qE", "dreamina", _20_DEFAULTS, files=_FRAMES, roles=_ROLES),
    "seedance 2.0 r2v": _seedance_2(
        "dmPXF65TD1riKj9KaxLmg",
        "doubao",
        _20_R2V_DEFAULTS,
        files=("image_files",),
        roles=_REFERENCE,
        missing="image_files",
    ),
    "dreamina r2v": _seedance_2(
        "nVbH7lEO51soqTbLGIHE_",
        "dreamina",
        _20_R2V_DEFAULTS,
        files=("image_files",),
        roles=_REFERENCE,
        missing="image_files",
    ),
    "seedance 1.5 t2v": _seedance_15("CrEMkFQfRCmbmopZsCqLj"),
    "seedance 1.5 i2v": _seedance_15("7RTOJD6K8A7RXCMG4GnQ9", files=("image_file1", "image_file2"), roles=_ROLES),
    "vidu t2v": Row(
        llmid="r0ill7L0s6PtBS8mkmg-7",
        path="/ent/v2/text2video",
        defaults={
            "model": "viduq3-pro",
            "duration": 10,
            "aspect_ratio": "16:9",
            "resolution": "1080p",
            "off_peak": False,
        },
        good=[
            *_VIDU_GOOD,
            *values("ratio", "aspect_ratio", "16:9", "9:16", "4:3", "3:4", "1:1"),
            ({"radio": "1:1"}, {"aspect_ratio": "1:1"}),
        ],
        bad=[*_VIDU_BAD, *_bad("ratio", "21:9", "adaptive")],
    ),
    "vidu i2v": Row(
        llmid="FK_h7FLYnosv2TkMN4ATC",
        files=("image_file1", "image_file2"),
        path="/ent/v2/start-end2video",
        defaults={"model": "viduq3-pro", "duration": 10, "resolution": "1080p", "off_peak": False},
        roles=("image", "image"),
        good=[
            *_VIDU_GOOD,
            ({"ratio": "4:3"}, {}),
            ({"model": "viduq2-turbo"}, {"model": "viduq2-turbo", "duration": 8}),
            ({"model": "viduq2-turbo", "duration": 5}, {"model": "viduq2-turbo", "duration": 5}),
        ],
        bad=[*_VIDU_BAD, *_bad("ratio", "21:9"), ({"model": "viduq2-turbo", "duration": 9}, "duration")],
    ),
}

_DASHSCOPE_INPUT = ("prompt", "media", "reference_urls")
_NOT_PARAMETERS = {
    "content", "safety_identifier", "callback_url", "execution_expires_after", "prompt", "images", "payload"
}  # fmt: skip


def flat(body: dict[str, object]) -> Fields:
    """Model and parameters of a provider's request, without what is told of prompt, files and ourselves."""
    if "input" in body:
        inner = {name: value for name, value in body["input"].items() if name not in _DASHSCOPE_INPUT}  # type: ignore[attr-defined]
        return {"model": body["model"], **inner, **body["parameters"]}  # type: ignore[dict-item]
    return {name: value for name, value in body.items() if name not in _NOT_PARAMETERS}


def roles_in(body: dict[str, object]) -> tuple[str, ...]:
    """What the files of a provider's request are for."""
    if "input" in body:
        given: dict[str, list] = body["input"]  # type: ignore[assignment]
        references = ["reference" for _ in given.get("reference_urls", ())]
        return (*(item["type"] for item in given.get("media", ())), *references)
    if "content" in body:
        return tuple(item["role"] for item in body["content"] if "role" in item)  # type: ignore[attr-defined]
    return tuple("image" for _ in body.get("images", ()))  # type: ignore[attr-defined]
