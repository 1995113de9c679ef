"""Which models Volcengine Ark and BytePlus ModelArk have and what each takes, as data, from their pages in 2026.

[assumed] marks what no page says.
"""

from dataclasses import dataclass

RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
ADAPTIVE = "adaptive"
RESOLUTIONS = ("480p", "720p", "1080p", "4k")
FPS = 24
SEED_MAX = 2**32 - 1
SEED_MAX_BYTEPLUS = 2**31 - 1
CHOSEN_SECONDS = 5
"""What a model makes of duration -1, "the model chooses" [assumed]."""
CHOSEN_RATIO = "16:9"
"""What a model makes of `adaptive` without a picture [assumed]."""

PIXELS: dict[str, dict[str, tuple[int, int]]] = {
    "480p": {
        "16:9": (864, 496),
        "4:3": (752, 560),
        "1:1": (640, 640),
        "3:4": (560, 752),
        "9:16": (496, 864),
        "21:9": (992, 432),
    },
    "720p": {
        "16:9": (1280, 720),
        "4:3": (1112, 834),
        "1:1": (960, 960),
        "3:4": (834, 1112),
        "9:16": (720, 1280),
        "21:9": (1470, 630),
    },
    "1080p": {
        "16:9": (1920, 1080),
        "4:3": (1664, 1248),
        "1:1": (1440, 1440),
        "3:4": (1248, 1664),
        "9:16": (1080, 1920),
        "21:9": (2206, 946),
    },
    "4k": {
        "16:9": (3840, 2160),
        "4:3": (3326, 2494),
        "1:1": (2880, 2880),
        "3:4": (2494, 3326),
        "9:16": (2160, 3840),
        "21:9": (4398, 1886),
    },
}
"""Width and height by resolution and ratio, for Seedance 2.0 and 1.5 pro."""


@dataclass(frozen=True, kw_only=True)
class ArkModel:
    """What one model takes.

    Attributes:
        resolutions: accepted values of `resolution`.
        seconds_min: shortest `duration`.
        seconds_max: longest `duration`; -1 is accepted beside the range.
        has_references: takes references: images, videos, audios.
        has_seed: takes `seed` (a seed comes back in any case).
        has_camera: takes `camera_fixed`.
        has_draft: takes `draft` and `draft_task` items.
        has_flex: takes `service_tier` flex.
        has_priority: takes `priority`.
        has_search: takes `tools`.
        has_output_format: takes `output_format` and `omni_reference_task_type`.
    """

    resolutions: tuple[str, ...]
    seconds_min: int
    seconds_max: int
    has_references: bool
    has_seed: bool = False
    has_camera: bool = False
    has_draft: bool = False
    has_flex: bool = False
    has_priority: bool = False
    has_search: bool = False
    has_output_format: bool = False


SEEDANCE_2 = ArkModel(
    resolutions=RESOLUTIONS,
    seconds_min=4,
    seconds_max=15,
    has_references=True,
    has_priority=True,
    has_search=True,
)
"""Whether 2.0 refuses or ignores `seed` and `camera_fixed` is [assumed]: refuses."""

SEEDANCE_2_FAST = ArkModel(
    resolutions=("480p", "720p"),
    seconds_min=4,
    seconds_max=15,
    has_references=True,
    has_priority=True,
    has_search=True,
)

SEEDANCE_1_5_PRO = ArkModel(
    resolutions=("480p", "720p", "1080p"),
    seconds_min=4,
    seconds_max=12,
    has_references=False,
    has_seed=True,
    has_camera=True,
    has_draft=True,
    has_flex=True,
)

SEEDANCE_2_5 = ArkModel(
    resolutions=RESOLUTIONS,
    seconds_min=4,
    seconds_max=15,
    has_references=True,
    has_priority=True,
    has_search=True,
    has_output_format=True,
)
"""Everything but `has_output_format` is [assumed] to be as in 2.0."""


@dataclass(frozen=True, kw_only=True)
class ArkService:
    """One of the two services that speak this protocol.

    Attributes:
        name: the flavour in the journal.
        base: path before the calls.
        models: by id.
        seed_max: largest `seed`.
        watermark: the text that `watermark` puts into the picture.
    """

    name: str
    base: str
    models: dict[str, ArkModel]
    seed_max: int
    watermark: str

    def model(self, name: str) -> ArkModel | None:
        """The model of this name; an endpoint (`ep-…`) stands for Seedance 2.0 [assumed]."""
        return SEEDANCE_2 if name.startswith("ep-") else self.models.get(name)


VOLCENGINE = ArkService(
    name="ark-video",
    base="/api/v3",
    models={
        "doubao-seedance-2-0-260128": SEEDANCE_2,
        "doubao-seedance-2-0-fast-260128": SEEDANCE_2_FAST,
        "doubao-seedance-2-0-mini": SEEDANCE_2_FAST,
        "doubao-seedance-2-5-260628": SEEDANCE_2_5,
        "doubao-seedance-1-5-pro-251215": SEEDANCE_1_5_PRO,
    },
    seed_max=SEED_MAX,
    watermark="AI生成",
)

BYTEPLUS = ArkService(
    name="byteplus-video",
    base="/byteplus/api/v3",
    models={
        "dreamina-seedance-2-0-260128": SEEDANCE_2,
        "dreamina-seedance-2-0-fast-260128": SEEDANCE_2_FAST,
        "dreamina-seedance-2-0-mini": SEEDANCE_2_FAST,  # this id is [assumed]; the page has the price only
        "dreamina-seedance-2-5-260628": SEEDANCE_2_5,
        "seedance-1-5-pro-251215": SEEDANCE_1_5_PRO,
    },
    seed_max=SEED_MAX_BYTEPLUS,
    watermark="AI Generated",
)

SERVICES = (VOLCENGINE, BYTEPLUS)
