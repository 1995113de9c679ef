"""Ark's create request, read as strictly as the service reads it. An explicit null means "not given"."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from yuanjing.sandbox import jsons
from yuanjing.sandbox.video import ark_content
from yuanjing.sandbox.video.ark_content import ArkContent
from yuanjing.sandbox.video.ark_models import ADAPTIVE, RATIOS, ArkModel, ArkService
from yuanjing.sandbox.video.ark_problems import ArkRefusedError, invalid, missing, unsupported

DEFAULT_EXPIRES_SECONDS = 172_800
EXPIRES_MIN_SECONDS = 3_600
EXPIRES_MAX_SECONDS = 259_200
PRIORITY_MAX = 9
SAFETY_IDENTIFIER_MAX = 64
DURATION_CHOSEN = -1

_FIELDS = frozenset({
    "model", "content", "resolution", "ratio", "duration", "frames", "seed", "camera_fixed", "watermark",
    "generate_audio", "return_last_frame", "draft", "service_tier", "execution_expires_after", "callback_url",
    "safety_identifier", "priority", "tools", "output_format", "omni_reference_task_type",
})  # fmt: skip
_FLAG = re.compile(r"\s--(rs|rt|dur|resolution|ratio|duration)\s+(\S+)")
_FLAG_FIELDS = {"rs": "resolution", "rt": "ratio", "dur": "duration"}


@dataclass(frozen=True, kw_only=True)
class ArkAsk:
    """A request that Ark accepts; the values are those used, defaults filled in.

    Attributes:
        duration: seconds, -1 if the model chooses.
        seed: None if the service chooses.
        priority: None for a model without it.
    """

    model: str
    content: ArkContent
    resolution: str
    ratio: str
    duration: int
    generate_audio: bool
    watermark: bool
    seed: int | None
    return_last_frame: bool
    draft: bool
    service_tier: str
    execution_expires_after: int
    callback_url: str
    safety_identifier: str
    priority: int | None
    tools: tuple[str, ...]


def decode(body: bytes) -> dict[str, object]:
    """The body's fields without nulls.

    Raises:
        ArkRefusedError: it is no JSON object.
    """
    try:
        fields = jsons.as_object(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        fields = None
    if fields is None:
        raise ArkRefusedError("InvalidParameter", "The request body is not a JSON object.")
    return {name: value for name, value in fields.items() if value is not None}


def read(fields: Mapping[str, object], service: ArkService) -> ArkAsk:
    """The request as it is accepted.

    Raises:
        ArkRefusedError: the service refuses it.
    """
    name, model = _model(fields, service)
    for field in fields:
        if field not in _FIELDS:  # [assumed]: a field that no page knows is refused
            raise invalid(field, "the parameter is not known")
    content = ark_content.read(fields.get("content"), model)
    fields = {**_flags(content.text, model), **fields}
    reader = _Reader(fields, name)
    _refuse_unsupported(reader, model)
    _check_others(reader)
    ask = ArkAsk(
        model=name,
        content=content,
        resolution=reader.one_of("resolution", model.resolutions, "720p"),
        ratio=reader.one_of("ratio", (*RATIOS, ADAPTIVE), ADAPTIVE),
        duration=reader.duration(model),
        generate_audio=reader.flag("generate_audio", default=True),
        watermark=reader.flag("watermark"),
        seed=_seed(reader, service),
        return_last_frame=reader.flag("return_last_frame"),
        draft=reader.flag("draft"),
        service_tier=reader.one_of("service_tier", ("default", "flex"), "default"),
        execution_expires_after=reader.integer(
            "execution_expires_after", EXPIRES_MIN_SECONDS, EXPIRES_MAX_SECONDS, DEFAULT_EXPIRES_SECONDS
        ),
        callback_url=reader.callback(),
        safety_identifier=reader.text("safety_identifier", SAFETY_IDENTIFIER_MAX),
        priority=reader.integer("priority", 0, PRIORITY_MAX, 0) if model.has_priority else None,
        tools=_tools(reader, content),
    )
    _check_draft(ask, fields)
    return ask


class _Reader:
    """Typed access to the body's fields."""

    def __init__(self, fields: Mapping[str, object], model: str) -> None:
        self.fields = fields
        self.model = model

    def one_of(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.fields.get(name, default)
        if not isinstance(value, str) or value not in allowed:
            raise invalid(name, f"the value {value!r} is not one of {', '.join(allowed)} for model {self.model}")
        return value

    def integer(self, name: str, least: int, most: int, default: int) -> int:
        value = self.fields.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise invalid(name, f"it must be an integer from {least} to {most}")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.fields.get(name, default)
        if not isinstance(value, bool):
            raise invalid(name, "it must be true or false")
        return value

    def text(self, name: str, chars_max: int) -> str:
        value = self.fields.get(name, "")
        if not isinstance(value, str) or len(value) > chars_max:
            raise invalid(name, f"it must be a text of at most {chars_max} characters")
        return value

    def duration(self, model: ArkModel) -> int:
        value = self.fields.get("duration")
        if value == DURATION_CHOSEN and not isinstance(value, bool) and isinstance(value, int):
            return DURATION_CHOSEN
        return self.integer("duration", model.seconds_min, model.seconds_max, 5)

    def callback(self) -> str:
        value = self.text("callback_url", 2048)
        if value and not value.startswith(("http://", "https://")):
            raise invalid("callback_url", "it must be an http(s) URL")
        return value


def _model(fields: Mapping[str, object], service: ArkService) -> tuple[str, ArkModel]:
    name = fields.get("model")
    if name is None:
        raise missing("model")
    if not isinstance(name, str):
        raise invalid("model", "it must be a text")
    model = service.model(name)
    if model is None:
        text = f"The model or endpoint {name} does not exist or you do not have access to it."
        raise ArkRefusedError("InvalidEndpointOrModel.NotFound", text, "model")
    return name, model


def _flags(text: str, model: ArkModel) -> dict[str, object]:
    """The older form, `--rs 720p --rt 16:9 --dur 5` in the prompt: read, but what is not known is ignored."""
    found: dict[str, object] = {}
    for match in _FLAG.finditer(text):
        flag, value = str(match[1]), str(match[2])
        field = _FLAG_FIELDS.get(flag, flag)
        if field == "duration":
            if value.isdecimal() and model.seconds_min <= int(value) <= model.seconds_max:
                found[field] = int(value)
        elif value in (model.resolutions if field == "resolution" else (*RATIOS, ADAPTIVE)):
            found[field] = value
    return found


def _refuse_unsupported(reader: _Reader, model: ArkModel) -> None:
    """Fields that the model does not have, unless they say what holds anyway."""
    lacking = {
        "seed": not model.has_seed,
        "camera_fixed": not model.has_camera,
        "draft": not model.has_draft and reader.fields.get("draft") is not False,
        "service_tier": not model.has_flex and reader.fields.get("service_tier") == "flex",
        "priority": not model.has_priority,
        "tools": not model.has_search,
        "output_format": not model.has_output_format,
        "omni_reference_task_type": not model.has_output_format,
        "frames": True,  # only Seedance 1.0 has it
    }
    for name, lacks in lacking.items():
        if lacks and name in reader.fields:
            raise unsupported(name, reader.model)


def _check_others(reader: _Reader) -> None:
    """Fields whose value changes nothing here."""
    reader.flag("camera_fixed")
    reader.text("output_format", 32)
    reader.text("omni_reference_task_type", 64)


def _seed(reader: _Reader, service: ArkService) -> int | None:
    seed = reader.integer("seed", -1, service.seed_max, -1)
    return None if seed < 0 else seed


def _tools(reader: _Reader, content: ArkContent) -> tuple[str, ...]:
    given = jsons.as_list(reader.fields.get("tools", []))
    types = [cast("object", (jsons.as_object(tool) or {}).get("type")) for tool in given or []]
    if given is None or any(kind != "web_search" for kind in types):
        raise invalid("tools", "it must be an array of tools with type web_search")
    if types and content.media:
        raise invalid("tools", "web_search is for text-only input")
    return tuple(str(kind) for kind in types)


def _check_draft(ask: ArkAsk, fields: Mapping[str, object]) -> None:
    if not ask.draft:
        return
    if ask.resolution != "480p":  # without a resolution the default holds, so it has to be given [assumed]
        raise invalid("resolution" if "resolution" in fields else "draft", "a draft is of 480p only")
    if ask.return_last_frame:
        raise invalid("return_last_frame", "a draft has no last frame")
    if ask.service_tier == "flex":
        raise invalid("service_tier", "a draft cannot be flex")
