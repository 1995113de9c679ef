"""What Vidu accepts in a create request, field by field (vidu.md §2 and §7)."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from yuanjing.sandbox import jsons
from yuanjing.sandbox.video.vidu_models import ASPECT_RATIOS, DURATION_DEFAULT, ENDPOINTS, TIERS, durations

PROMPT_CHARS_MAX = 5000
PAYLOAD_CHARS_MAX = 1_048_576
INLINE_BYTES_MAX = 20 * 1024 * 1024
WATERMARK_PLACES = (1, 2, 3, 4)
AMPLITUDES = ("auto", "small", "medium", "large")
AUDIO_TYPES = ("all", "speech_only", "sound_effect_only")

STATUSES = {
    "Unauthorized": 401,
    "Forbidden": 403,
    "TaskNotFound": 404,
    "NotFound": 404,
    "QuotaExceeded": 429,
    "TooManyRequests": 429,
    "InternalServiceFailure": 500,
}


class RefusedError(Exception):
    """The request is refused.

    Attributes:
        status: of HTTP.
        reason: Vidu's word.
        message: a sentence.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = STATUSES.get(reason, 400)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A create request; the fields are Vidu's."""

    endpoint: str
    model: str
    prompt: str
    images: tuple[str, ...]
    duration: int
    seed: int
    aspect_ratio: str | None
    resolution: str
    movement_amplitude: str
    bgm: bool
    audio: bool | None
    off_peak: bool
    watermark: bool
    is_rec: bool
    payload: str
    callback_url: str
    style: str


def read_object(body: bytes) -> dict[str, object]:
    """The body's JSON object without its nulls.

    Raises:
        RefusedError: BadRequest.
    """
    try:
        fields = jsons.as_object(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        fields = None
    if fields is None:
        raise RefusedError("BadRequest", "the request body is not a JSON object")
    return {name: value for name, value in fields.items() if value is not None}


def read(endpoint: str, body: bytes) -> Wanted:
    """Check a create request. Unknown fields are ignored.

    Raises:
        RefusedError: with the reason for the first bad field.
    """
    fields = _Fields(read_object(body))
    rules = ENDPOINTS[endpoint]
    model = fields.text("model", needed=True)
    if model not in rules.models:
        # That the reason is FieldInvalid is assumed.
        raise RefusedError("FieldInvalid", f"model {model} is not supported by {endpoint}")
    prompt = fields.text("prompt", needed=rules.needs_prompt, chars_max=PROMPT_CHARS_MAX)
    images = fields.images(*rules.images)
    if not rules.takes_ratio and "aspect_ratio" in fields.given:
        raise RefusedError("FieldUnwanted", f"aspect_ratio is not a field of {endpoint}")
    fields.one_of("audio_type", AUDIO_TYPES, "all")
    fields.number("wm_position", WATERMARK_PLACES[-1], range(WATERMARK_PLACES[0], WATERMARK_PLACES[-1] + 1))
    least, most = durations(endpoint, model)
    return Wanted(
        endpoint=endpoint,
        model=model,
        prompt=prompt,
        images=images,
        duration=fields.number("duration", max(least, min(DURATION_DEFAULT, most)), range(least, most + 1)),
        seed=fields.number("seed", 0, range(2**32)),
        aspect_ratio=fields.one_of("aspect_ratio", tuple(ASPECT_RATIOS), "16:9") if rules.takes_ratio else None,
        resolution=fields.one_of("resolution", tuple(TIERS), "720p"),
        movement_amplitude=fields.one_of("movement_amplitude", AMPLITUDES, "auto"),
        bgm=fields.flag("bgm") or False,
        audio=fields.flag("audio"),
        off_peak=fields.flag("off_peak") or False,
        watermark=fields.flag("watermark") or False,
        is_rec=fields.flag("is_rec") or False,
        payload=fields.text("payload", chars_max=PAYLOAD_CHARS_MAX),
        callback_url=fields.address("callback_url"),
        style=fields.text("style") or "general",
    )


class _Fields:
    def __init__(self, given: dict[str, object]) -> None:
        self.given = given

    def text(self, name: str, *, needed: bool = False, chars_max: int | None = None) -> str:
        value = self.given.get(name, "")
        if needed and value == "":
            raise RefusedError("FieldLacking", f"{name} is required")
        if not isinstance(value, str) or (chars_max is not None and len(value) > chars_max):
            raise RefusedError("FieldInvalid", f"{name} is not a string of at most {chars_max} characters")
        return value

    def flag(self, name: str) -> bool | None:
        value = self.given.get(name)
        if value is not None and not isinstance(value, bool):
            raise RefusedError("FieldInvalid", f"{name} is not a boolean")
        return value

    def number(self, name: str, default: int, among: range) -> int:
        value = self.given.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value not in among:
            raise RefusedError("FieldInvalid", f"{name} is not an integer from {among.start} to {among.stop - 1}")
        return value

    def one_of(self, name: str, among: tuple[str, ...], default: str) -> str:
        value = self.given.get(name, default)
        if not isinstance(value, str) or value not in among:
            raise RefusedError("FieldInvalid", f"{name} is not one of {', '.join(among)}")
        return value

    def address(self, name: str) -> str:
        text = self.text(name)
        try:
            is_one = not text or urlsplit(text).scheme in {"http", "https"}
        except ValueError:
            is_one = False
        if not is_one:
            raise RefusedError("FieldInvalid", f"{name} is not an http or https address")  # [assumed]
        return text

    def images(self, least: int, most: int) -> tuple[str, ...]:
        if "images" not in self.given and least:
            raise RefusedError("FieldLacking", "images is required")
        images = jsons.as_list(self.given.get("images", []))
        if images is None:
            raise RefusedError("FieldInvalid", "images is not a list")
        if not least <= len(images) <= most:
            raise RefusedError("FieldItemCountOutOfRange", f"images has {len(images)} items, not {least} to {most}")
        texts = tuple(image for image in images if isinstance(image, str) and image)
        if len(texts) != len(images):
            raise RefusedError("FieldInvalid", "images holds something that is no URL")
        if sum(map(_inline_bytes, texts)) > INLINE_BYTES_MAX:
            raise RefusedError("FieldInvalid", f"the images are more than {INLINE_BYTES_MAX} bytes")
        return texts


def _inline_bytes(source: str) -> int:
    """How many bytes a data URI holds, padding included; 0 of another URL."""
    return len(source.partition(",")[2]) * 3 // 4 if source.startswith("data:") else 0
