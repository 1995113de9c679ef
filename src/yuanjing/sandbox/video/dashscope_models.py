"""Which video models Alibaba Cloud Model Studio has and what each takes, as data; from its pages and SDK in 2026.

[assumed] marks what no page says.
"""

import math
from dataclasses import dataclass, field, replace

VIDEO_PATH = "/services/aigc/video-generation/video-synthesis"
IMAGE2VIDEO_PATH = "/services/aigc/image2video/video-synthesis"

RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "4:5", "5:4", "9:21", "21:9")
SIZES_720P = ("1280*720", "720*1280", "960*960", "1088*832", "832*1088")
SIZES_1080P = ("1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632")
TIER_PIXELS = {"480P": 832 * 480, "720P": 1280 * 720, "1080P": 1920 * 1080}
"""Pixels of a tier: those of its 16:9 picture."""

SEED_MAX = 2_147_483_647
FPS = 24
MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Media of one kind that a model takes.

    Attributes:
        role: what they are for, in the words of `wish.Role`.
        least: how many there must be.
        most: how many there may be.
        allows_data: whether a data URI is accepted beside http(s) and oss.
    """

    role: str
    least: int = 0
    most: int = 1
    allows_data: bool = True


@dataclass(frozen=True, kw_only=True)
class ImageLimits:
    """What pictures must be.

    Attributes:
        short_side_min: in pixels.
        long_side_max: in pixels.
        ratio_max: long side by short side, both ways; 0 without a limit.
        formats: Pillow's names in lower case.
        bytes_max: size of the file.
        opaque: formats whose pictures may not be seen through.
    """

    short_side_min: int = 240
    long_side_max: int = 8000
    ratio_max: float = 0.0
    formats: tuple[str, ...] = ("jpeg", "png", "bmp", "webp")
    bytes_max: int = 20 * MIB
    opaque: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class VideoLimits:
    """What videos and sounds of the input must be: seconds, and bytes of the file."""

    seconds_min: float
    seconds_max: float
    bytes_max: int
    formats: tuple[str, ...]


REFERENCE_VIDEO = VideoLimits(seconds_min=1, seconds_max=30, bytes_max=100 * MIB, formats=("mp4", "mov"))
REFERENCE_VIDEOS_MAX = 3
SLACK_SECONDS = 0.05
"""A file of three seconds is often some milliseconds off them [assumed]."""
AUDIO = VideoLimits(seconds_min=3, seconds_max=30, bytes_max=15 * MIB, formats=("wav", "mp3"))


@dataclass(frozen=True, kw_only=True)
class DashModel:
    """What one model takes.

    Attributes:
        path: of the submit call, under the base.
        prompt_chars_max: longest prompt; longer is cut if `cuts_prompt`, else refused.
        needs_prompt: whether `input.prompt` is required.
        cuts_prompt: whether a prompt that is too long is cut; Chinese characters then count two.
        media: slots of `input.media` by item type; empty for models that have no such field.
        fields: slots of other input fields that hold a URL (or, `reference_urls`, several) by name.
        aliases: older names of fields, by the field; they count only without it.
        references_max: images and videos together in `reference_urls`.
        inputs: further input fields.
        resolutions: values of `parameters.resolution`; empty for a model without it.
        sizes: values of `parameters.size`; empty for a model without it.
        ratios: values of `parameters.ratio`; empty for a model without it.
        seconds_min: shortest `parameters.duration`.
        seconds_max: longest.
        parameters: further parameters.
        watermark: the text of the watermark.
        has_watermark: default of `parameters.watermark`.
        has_audio: whether the video has sound [assumed].
        can_mute: whether `parameters.audio` is taken.
        tells_size: whether usage has `size`.
        images: what pictures must be.
    """

    path: str = VIDEO_PATH
    prompt_chars_max: int = 1500
    needs_prompt: bool = False
    cuts_prompt: bool = False
    media: dict[str, Slot] = field(default_factory=dict[str, Slot])
    fields: dict[str, Slot] = field(default_factory=dict[str, Slot])
    aliases: dict[str, str] = field(default_factory=dict[str, str])
    references_max: int = 0
    inputs: frozenset[str] = frozenset()
    resolutions: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    ratios: tuple[str, ...] = ()
    seconds_min: int = 2
    seconds_max: int = 15
    parameters: frozenset[str] = frozenset()
    watermark: str = "AI生成"
    has_watermark: bool = False
    has_audio: bool = True
    can_mute: bool = False
    tells_size: bool = False
    images: ImageLimits = ImageLimits()

    @property
    def takes(self) -> frozenset[str]:
        """All input fields and parameters that it knows by name, as `input.x` and `parameters.x`."""
        inputs = {"prompt", *self.inputs, *self.fields, *self.aliases.values(), *(["media"] if self.media else [])}
        parameters = {"duration", "watermark", "seed", *self.parameters}
        lists = (("resolution", self.resolutions), ("size", self.sizes), ("ratio", self.ratios))
        parameters |= {name for name, values in lists if values}
        parameters |= {"audio"} if self.can_mute else set()
        return frozenset({f"input.{name}" for name in inputs} | {f"parameters.{name}" for name in parameters})


_HORSE = DashModel(
    prompt_chars_max=5000,
    cuts_prompt=True,
    resolutions=("720P", "1080P"),
    seconds_min=3,
    watermark="Happy Horse",
    has_watermark=True,
)
HORSE_T2V = replace(_HORSE, needs_prompt=True, ratios=RATIOS)
HORSE_I2V = replace(
    _HORSE,
    media={"first_frame": Slot(role="first_frame", least=1)},
    images=ImageLimits(short_side_min=300, long_side_max=100_000, ratio_max=2.5, formats=("jpeg", "png", "webp")),
)
HORSE_R2V = replace(
    _HORSE,
    needs_prompt=True,
    ratios=RATIOS,
    media={"reference_image": Slot(role="reference_image", least=1, most=9)},
    images=ImageLimits(short_side_min=400, long_side_max=100_000, formats=("jpeg", "png", "webp")),
)

_WAN_EXTRAS = frozenset({"prompt_extend", "shot_type"})
_AUDIO = {"audio_url": Slot(role="reference_audio", allows_data=False)}
WAN26_T2V = DashModel(
    needs_prompt=True,
    inputs=frozenset({"negative_prompt"}),
    fields=_AUDIO,
    sizes=SIZES_1080P + SIZES_720P,
    parameters=_WAN_EXTRAS,
    tells_size=True,
)
WAN26_I2V = DashModel(
    inputs=frozenset({"negative_prompt", "template"}),
    fields={"img_url": Slot(role="first_frame", least=1), **_AUDIO},
    resolutions=("720P", "1080P"),
    parameters=_WAN_EXTRAS,
    images=ImageLimits(opaque=("png",)),
)
WAN26_R2V = DashModel(
    needs_prompt=True,
    inputs=frozenset({"negative_prompt"}),
    fields={"reference_urls": Slot(role="reference_image", least=1, most=5, allows_data=False)},
    aliases={"reference_urls": "reference_video_urls"},
    references_max=5,
    sizes=SIZES_1080P + SIZES_720P,
    seconds_max=10,
    parameters=frozenset({"shot_type"}),
    tells_size=True,
)
"""That data URIs are refused is [assumed]: the page names only http(s) and oss."""

WAN27_I2V = DashModel(
    inputs=frozenset({"negative_prompt"}),
    media={
        "first_frame": Slot(role="first_frame", least=1),
        "last_frame": Slot(role="last_frame"),
        "driving_audio": Slot(role="reference_audio"),
    },
    resolutions=("720P", "1080P"),
    parameters=frozenset({"prompt_extend"}),
)
"""Everything but the types of media is [assumed] to be as in wan2.6-i2v."""

WAN22_KF2V = DashModel(
    path=IMAGE2VIDEO_PATH,
    inputs=frozenset({"negative_prompt", "template"}),
    fields={"first_frame_url": Slot(role="first_frame", least=1), "last_frame_url": Slot(role="last_frame", least=1)},
    resolutions=("480P", "720P", "1080P"),
    seconds_min=5,
    seconds_max=5,
    parameters=frozenset({"prompt_extend"}),
    has_audio=False,
)
"""Everything but path and the two frames is [assumed]."""

MODELS: dict[str, DashModel] = {
    "happyhorse-1.0-t2v": HORSE_T2V,
    "happyhorse-1.0-i2v": HORSE_I2V,
    "happyhorse-1.0-r2v": HORSE_R2V,
    "happyhorse-1.1-t2v": HORSE_T2V,
    "happyhorse-1.1-i2v": HORSE_I2V,
    "happyhorse-1.1-r2v": HORSE_R2V,
    "wan2.6-t2v": WAN26_T2V,
    "wan2.6-i2v": WAN26_I2V,
    "wan2.6-i2v-flash": replace(WAN26_I2V, can_mute=True),
    "wan2.6-r2v": WAN26_R2V,
    "wan2.6-r2v-flash": replace(WAN26_R2V, can_mute=True),
    "wan2.7-i2v": WAN27_I2V,
    "wan2.2-kf2v-flash": WAN22_KF2V,
}

NAMES = frozenset(name for model in MODELS.values() for name in model.takes)
"""Every name that any model knows: one that a model does not have is refused, names outside are ignored [assumed]."""


def size_of(tier: str, width: float, height: float) -> tuple[int, int]:
    """The even size that is nearest to the pixels of a tier in the ratio of `width` to `height` [assumed]."""
    pixels = TIER_PIXELS[tier]
    across = math.sqrt(pixels * width / height)
    return 2 * round(across / 2), 2 * round(pixels / across / 2)


def tier_of(width: int, height: int) -> int:
    """`usage.SR` of a size: 480, 720 or 1080."""
    return min((480, 720, 1080), key=lambda tier: abs(TIER_PIXELS[f"{tier}P"] - width * height))
