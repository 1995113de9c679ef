"""DashScope's submit request: what is refused at once, what makes a task that fails, and what is used.

An explicit null means "not given", as the SDK sends it. The SDK also adds `input.extend_prompt` and `input.function`
to every request, so input fields that no model has are ignored.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from yuanjing.sandbox import jsons
from yuanjing.sandbox.video import dashscope_models as models
from yuanjing.sandbox.video.dashscope_models import DashModel, Slot
from yuanjing.sandbox.video.dashscope_problems import DashRefusedError
from yuanjing.sandbox.video.wish import FailedError, Failure, FailureKind, Kind, Media, Role

PROMPT_MAX_NEGATIVE = 500
SECONDS_DEFAULT = 5
RATIO_DEFAULT = "16:9"
OSS = "oss://"

_WEB = ("http://", "https://")
_DATA = re.compile(r"data:(image|audio)/[A-Za-z0-9.+-]+;base64,")
_WIDE = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_VIDEO_FILE = re.compile(r"\.(mp4|mov)(\?|\Z)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class DashAsk:
    """A request whose values are those used, defaults filled in.

    Attributes:
        model: the model's name.
        row: what it takes.
        original: the prompt as given.
        prompt: the prompt as used.
        media: not yet fetched; the kind of a reference is a guess from its URL.
        tier: value of `resolution`; "" for a model with `size`.
        size: value of `size`; "" for a model with `resolution`.
        ratio: value of `ratio`; "" for a model without it.
        lines: parameters to be shown in the picture.
    """

    model: str
    row: DashModel
    original: str
    prompt: str
    media: tuple[Media, ...]
    tier: str
    size: str
    ratio: str
    seconds: int
    has_watermark: bool
    has_audio: bool
    seed: int | None
    lines: tuple[tuple[str, str], ...]


def decode(body: bytes) -> dict[str, object]:
    """The body's fields without nulls.

    Raises:
        DashRefusedError: it is no JSON object.
    """
    try:
        fields = jsons.as_object(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        fields = None
    if fields is None:
        raise DashRefusedError("InvalidParameter", "Request body format invalid.")
    return _without_nulls(fields)


def model_of(fields: Mapping[str, object], path: str) -> tuple[str, DashModel]:
    """The model's name and row, if this call has it.

    Raises:
        DashRefusedError: there is no such model; one of the few errors that DashScope tells at once.
    """
    name = fields.get("model")
    row = models.MODELS.get(name) if isinstance(name, str) else None
    if row is None or row.path != path:
        raise DashRefusedError("InvalidParameter", "Model not exist.")
    return str(name), row


def prompt_of(fields: Mapping[str, object]) -> str:
    """The prompt, "" without a usable one; for the magic words in it."""
    prompt = (jsons.as_object(fields.get("input")) or {}).get("prompt")
    return prompt if isinstance(prompt, str) else ""


def invalid(text: str, code: str = "") -> FailedError:
    """The failure of a task whose input is not valid."""
    return FailedError(Failure(kind=FailureKind.INVALID, text=text, code=code))


def read(fields: Mapping[str, object], name: str, row: DashModel, *, resolves_oss: bool) -> DashAsk:
    """The request as it is used; `resolves_oss` says whether the header for oss:// was there.

    Raises:
        FailedError: it is accepted, and the task then fails.
    """
    inputs, parameters = _part(fields, "input"), _part(fields, "parameters")
    for part, given in (("input", inputs), ("parameters", parameters)):
        for field in given:
            if f"{part}.{field}" in models.NAMES - row.takes:
                raise invalid(f"The parameter {part}.{field} is not supported by model {name}.")
    original = _prompt(inputs, row)
    _texts(inputs)
    media = _media(inputs, row, resolves_oss=resolves_oss)
    reader = _Parameters(parameters)
    return DashAsk(
        model=name,
        row=row,
        original=original,
        prompt=_cut(original, row.prompt_chars_max) if row.cuts_prompt else original,
        media=media,
        tier=reader.one_of("resolution", row.resolutions, "1080P"),
        size=reader.one_of("size", row.sizes, "1920*1080"),
        ratio=reader.one_of("ratio", row.ratios, RATIO_DEFAULT),
        seconds=reader.integer("duration", row.seconds_min, row.seconds_max, SECONDS_DEFAULT),
        has_watermark=reader.flag("watermark", default=row.has_watermark),
        has_audio=row.has_audio and reader.flag("audio", default=True),
        seed=reader.integer("seed", 0, models.SEED_MAX, -1) if "seed" in parameters else None,
        lines=reader.extras(inputs),
    )


class _Parameters:
    """Typed access to `parameters`."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self.fields = fields

    def one_of(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        if not allowed:
            return ""
        value = self.fields.get(name, default)
        if not isinstance(value, str) or value not in allowed:
            raise invalid(f"The {name} is not valid {value}")
        return value

    def integer(self, name: str, least: int, most: int, default: int) -> int:
        value = self.fields.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise invalid(f"The {name} is not valid {value}, it must be an integer in [{least}, {most}]")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.fields.get(name, default)
        if not isinstance(value, bool):
            raise invalid(f"The {name} is not valid {value}, it must be a bool")
        return value

    def extras(self, inputs: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
        """The parameters that change nothing here; `multi` needs `prompt_extend`."""
        extends = self.flag("prompt_extend", default=True)
        if self.one_of("shot_type", ("single", "multi"), "single") == "multi" and not extends:
            raise invalid("The shot_type is not valid multi, it needs prompt_extend true")
        shown = {name: inputs[name] for name in ("negative_prompt", "template") if name in inputs}
        shown |= {name: self.fields[name] for name in ("prompt_extend", "shot_type") if name in self.fields}
        return tuple((name, str(value)) for name, value in shown.items())


def _without_nulls(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _part(fields: Mapping[str, object], name: str) -> dict[str, object]:
    part = jsons.as_object(fields.get(name, {}))
    if part is None:
        raise invalid(f"The {name} is not valid, it must be an object")
    return _without_nulls(part)


def _prompt(inputs: Mapping[str, object], row: DashModel) -> str:
    prompt = inputs.get("prompt", "")
    if not isinstance(prompt, str):
        raise invalid("The prompt is not valid, it must be a str")
    if not prompt and row.needs_prompt:
        raise invalid("Field required: input.prompt")
    if not row.cuts_prompt and len(prompt) > row.prompt_chars_max:
        # The page gives the limit without saying whether a longer prompt is cut: refusing is [assumed].
        raise invalid(f"The prompt is not valid, it must be at most {row.prompt_chars_max} characters")
    return prompt


def _cut(prompt: str, chars_max: int) -> str:
    """As much of the prompt as is used; Chinese characters count two."""
    weight = 0
    for index, char in enumerate(prompt):
        weight += 2 if _WIDE.match(char) else 1
        if weight > chars_max:
            return prompt[:index]
    return prompt


def _texts(inputs: Mapping[str, object]) -> None:
    for name in ("negative_prompt", "template"):
        value = inputs.get(name, "")
        if not isinstance(value, str) or len(value) > PROMPT_MAX_NEGATIVE:
            raise invalid(f"The {name} is not valid, it must be a str of at most {PROMPT_MAX_NEGATIVE} characters")


def _media(inputs: Mapping[str, object], row: DashModel, *, resolves_oss: bool) -> tuple[Media, ...]:
    found: list[Media] = []
    for field, slot in row.fields.items():
        value = inputs.get(field, inputs.get(row.aliases.get(field, "")))
        urls = [value] if field != "reference_urls" and value is not None else jsons.as_list(value) or []
        if len(urls) < slot.least:
            raise invalid(f"Field required: input.{field}")
        if len(urls) > slot.most:
            raise invalid(f"The {field} is not valid, at most {slot.most} are allowed")
        found += [_one(url, slot, f"input.{field}", resolves_oss=resolves_oss) for url in urls]
    if row.media:
        found += _items(inputs, row, resolves_oss=resolves_oss)
    videos = sum(one.kind is Kind.VIDEO for one in found)
    if row.references_max and videos > models.REFERENCE_VIDEOS_MAX:
        raise invalid(f"The reference_urls is not valid, at most {models.REFERENCE_VIDEOS_MAX} videos are allowed")
    return tuple(found)


def _items(inputs: Mapping[str, object], row: DashModel, *, resolves_oss: bool) -> list[Media]:
    """The media of `input.media`, in their order."""
    items = [jsons.as_object(item) or {} for item in jsons.as_list(inputs.get("media")) or []]
    types = [item.get("type") for item in items]
    for kind in types:
        if kind not in row.media:
            raise invalid(f"The media type is not valid {kind}")
    for kind, slot in row.media.items():
        if types.count(kind) < slot.least:
            raise invalid(f"Field required: input.media, {kind}")
        if types.count(kind) > slot.most:
            raise invalid(f"The media is not valid, at most {slot.most} {kind} allowed")
    return [
        _one(item.get("url"), row.media[str(item["type"])], "input.media.url", resolves_oss=resolves_oss)
        for item in items
    ]


def _one(url: object, slot: Slot, name: str, *, resolves_oss: bool) -> Media:
    if not isinstance(url, str) or not url:
        raise invalid(f"Field required: {name}")
    role = Role(slot.role)
    kind = Kind.AUDIO if role is Role.REFERENCE_AUDIO else Kind.IMAGE
    if name == "input.reference_urls" and _VIDEO_FILE.search(url):
        role, kind = Role.REFERENCE_VIDEO, Kind.VIDEO
    if url.startswith(OSS):
        if not resolves_oss:
            raise invalid(f"The {name} is not valid, an oss:// URL needs X-DashScope-OssResourceResolve: enable")
    elif not url.startswith(_WEB):
        match = _DATA.match(url)
        if not slot.allows_data or not match or match[1] != kind:
            raise invalid(f"The {name} is not valid, it must be a URL that the model accepts")
    return Media(role=role, kind=kind, source=url)
