"""Ark's `content`: texts and media, and which of them may stand together."""

import re
from dataclasses import dataclass
from typing import Final

from yuanjing.sandbox import jsons
from yuanjing.sandbox.video.ark_models import ArkModel
from yuanjing.sandbox.video.ark_problems import ArkRefusedError, invalid, mismatched, missing, mixed

FIRST: Final = "first_frame"
LAST: Final = "last_frame"
IMAGE: Final = "reference_image"
VIDEO: Final = "reference_video"
AUDIO: Final = "reference_audio"

IMAGES_MAX = 9
VIDEOS_MAX = 3
AUDIOS_MAX = 3
_MOST = {FIRST: 1, LAST: 1, IMAGE: IMAGES_MAX, VIDEO: VIDEOS_MAX, AUDIO: AUDIOS_MAX}

ROLES = (FIRST, LAST, IMAGE, VIDEO, AUDIO)
_ROLES = {"image_url": (FIRST, LAST, IMAGE), "video_url": (VIDEO,), "audio_url": (AUDIO,)}
_DATA = re.compile(r"data:([a-z]+)/[a-z0-9.+-]+;base64,[A-Za-z0-9+/\s]+={0,2}\s*\Z")
_WEB = ("http://", "https://")
ASSET: Final = "asset://"


@dataclass(frozen=True, kw_only=True)
class ArkMedia:
    """One picture, video or audio of the request.

    Attributes:
        role: one of Ark's five.
        url: http(s) URL, data URI or `asset://` and the id of an asset.
        name: where it stands in the request, for errors.
    """

    role: str
    url: str
    name: str

    @property
    def kind(self) -> str:
        """`image`, `video` or `audio`."""
        return {VIDEO: "video", AUDIO: "audio"}.get(self.role, "image")

    @property
    def is_asset(self) -> bool:
        """Whether it is named by its id in the account's library."""
        return self.url.startswith(ASSET)


@dataclass(frozen=True, kw_only=True)
class ArkContent:
    """What `content` says.

    Attributes:
        text: all texts, one line each.
        media: in the order of the request.
        draft_task_id: the draft to be made whole, "" without.
    """

    text: str
    media: tuple[ArkMedia, ...]
    draft_task_id: str

    def of(self, *roles: str) -> list[ArkMedia]:
        """The media in one of these roles."""
        return [one for one in self.media if one.role in roles]


def read(value: object, model: ArkModel) -> ArkContent:
    """The content of a request to this model.

    Raises:
        ArkRefusedError: it is not as the service takes it.
    """
    if value is None:
        raise missing("content")
    items = jsons.as_list(value)
    if not items:
        raise invalid("content", "it must be an array with at least one item")
    texts: list[str] = []
    media: list[ArkMedia] = []
    drafts: list[str] = []
    count = sum((jsons.as_object(item) or {}).get("type") == "image_url" for item in items)
    for index, item in enumerate(items):
        name = f"content[{index}]"
        fields = {k: v for k, v in (jsons.as_object(item) or {}).items() if v is not None}
        kind = str(fields.get("type"))
        match kind:
            case "text":
                texts.append(_text(fields, "text", f"{name}.text"))
            case "image_url" | "video_url" | "audio_url":
                media.append(_media(fields, kind, name, is_only_image=count == 1))
            case "draft_task":
                inner = jsons.as_object(fields.get("draft_task")) or {}
                drafts.append(_text(inner, "id", f"{name}.draft_task.id"))
            case _:
                raise invalid(f"{name}.type", "it must be text, image_url, video_url, audio_url or draft_task")
    content = ArkContent(text="\n".join(texts), media=tuple(media), draft_task_id="".join(drafts[:1]))
    _check(content, model, len(drafts))
    return content


def _text(fields: dict[str, object], key: str, name: str) -> str:
    value = fields.get(key)
    if value is None:
        raise missing(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid(name, "it must be a text that is not empty")
    return value


def _media(fields: dict[str, object], kind: str, name: str, *, is_only_image: bool) -> ArkMedia:
    inner = jsons.as_object(fields.get(kind)) or {}
    url = _text(inner, "url", f"{name}.{kind}.url")
    role = fields.get("role")
    if role is None and kind == "image_url" and is_only_image:
        role = FIRST
    if role is None:
        raise missing(f"{name}.role")
    if not isinstance(role, str) or role not in _ROLES[kind]:
        raise invalid(f"{name}.role", f"the value {role!r} is not one of {', '.join(_ROLES[kind])}")
    _check_url(url, kind, f"{name}.{kind}.url")
    return ArkMedia(role=role, url=url, name=f"{name}.{kind}.url")


def _check_url(url: str, kind: str, name: str) -> None:
    if url.startswith((*_WEB, ASSET)):
        return
    family = kind.removesuffix("_url")
    match = _DATA.match(url)
    if kind != "video_url" and match and match[1] == family:
        return
    if kind == "image_url":
        raise ArkRefusedError("InvalidImageURL", "The image URL is neither http(s) nor base64 in lower case.", name)
    forms = "an http(s) URL" if kind == "video_url" else "an http(s) URL or base64 data in lower case"
    raise invalid(name, f"it must be {forms}")


def _check(content: ArkContent, model: ArkModel, drafts: int) -> None:
    """The rules about what may stand together."""
    if drafts:
        _check_draft(content, model, drafts)
        return
    frames, references = content.of(FIRST, LAST), content.of(IMAGE, VIDEO, AUDIO)
    if frames and references:
        raise mixed("first or last frame cannot be mixed with reference media")
    if references and not model.has_references:
        raise mismatched("the model takes no reference media")
    if content.of(LAST) and not content.of(FIRST):
        raise mixed("a last frame needs a first frame")
    for role, most in _MOST.items():
        if len(content.of(role)) > most:
            raise mixed(f"at most {most} item(s) with role {role} are allowed")
    if content.of(AUDIO) and not content.of(IMAGE, VIDEO):
        raise mixed("reference audio needs a reference image or video")
    if not content.text and not content.media:
        raise missing("content.text")


def _check_draft(content: ArkContent, model: ArkModel, drafts: int) -> None:
    if not model.has_draft:
        raise mismatched("the model takes no draft task")
    if drafts > 1 or content.media or content.text:
        raise mixed("a draft task stands alone")
