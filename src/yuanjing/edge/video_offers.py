"""From the names that other APIs use to the fields that offers of video know."""

from collections.abc import Mapping, Sequence
from typing import cast

from yuanjing.domain.catalog import Offer, Operation
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.parameters import Fields
from yuanjing.domain.parameters.values import invalid, is_empty, missing

CATEGORIES: Mapping[str, Operation] = {
    "t2v": Operation.TEXT_TO_VIDEO,
    "i2v": Operation.IMAGE_TO_VIDEO,
    "r2v": Operation.REFERENCE_TO_VIDEO,
    "ref2v": Operation.REFERENCE_TO_VIDEO,
    "文生视频": Operation.TEXT_TO_VIDEO,
    "图生视频": Operation.IMAGE_TO_VIDEO,
    "参考生视频": Operation.REFERENCE_TO_VIDEO,
}
"""The original platform's categories of video, its older Chinese names among them."""

_FIRST_FRAME, _REFERENCES = "image1_file", "image_files"
_PICTURES = frozenset({_FIRST_FRAME, "image_file1", _REFERENCES})
"""What offers call the pictures that a reference may become."""
_NUMBER_MAX = 10**18
_REFERENCE = "input_reference"
_INPUT_REFERENCE = (_REFERENCE, f"{_REFERENCE}[image_url]")
_REFERENCE_ADVICE = "a file, or an object with an image_url"


def from_category(fields: Fields, offers: Sequence[Offer]) -> Fields:
    """The fields of `/llmage/v1/video/generations`: model and category choose the offer; one video at a time.

    Raises:
        ParameterError: no model, an unknown category, one that the model does not have, or more than one video.
    """
    made = {name: values for name, values in fields.items() if name not in {"catelogid", "image_url", "n"}}
    if text_of(fields, "n") not in {"", "1"}:
        raise invalid("n", "one video at a time")
    named = _named(text_of(fields, "llmid") or text_of(fields, "model"), offers)
    category = text_of(fields, "catelogid")
    if category and named and not text_of(fields, "llmid"):
        operation = CATEGORIES.get(category.lower())
        if operation is None:
            raise invalid("catelogid", f"one of {', '.join(CATEGORIES)}")
        named = [offer for offer in named if offer.operation is operation]
        if not named:
            raise invalid("catelogid", "this model has no such category; see GET /llmage/v1/models")
        made["llmid"] = [named[0].id]
    return _with_pictures(made, named, fields.get("image_url", ()))


def from_openai(fields: Fields, offers: Sequence[Offer]) -> Fields:
    """The fields of `/v1/videos`: the reference becomes what the offer takes.

    That is a reference image where the model makes videos from references only, and else the first frame.

    Raises:
        ParameterError: no model, or a reference that is neither a file nor an address.
    """
    for name, values in fields.items():
        is_unknown = name.startswith(f"{_REFERENCE}[") and name not in _INPUT_REFERENCE
        if is_unknown and not all(map(is_empty, values)):
            raise invalid(_REFERENCE, _REFERENCE_ADVICE)
    made = {name: values for name, values in fields.items() if name not in _INPUT_REFERENCE}
    named = _named(text_of(fields, "llmid") or text_of(fields, "model"), offers)
    pictures = [_picture(value) for name in _INPUT_REFERENCE for value in fields.get(name, ())]
    return _with_pictures(made, named, pictures)


def name_reference(error: YuanjingError, fields: Fields) -> None:
    """Let an error about a picture that these fields of `/v1/videos` do not name speak of the reference instead.

    That is the only name that OpenAI's clients know.
    """
    name = error.param
    if name is None or name not in _PICTURES or name in fields:
        return
    if error.code == "missing_required_parameter" or any(used in fields for used in _INPUT_REFERENCE):
        error.message = error.message.replace(name, _REFERENCE)
        error.param = _REFERENCE


def text_of(fields: Fields, name: str) -> str:
    """A field's first value as text, without blanks around it; a number may stand for its digits."""
    value = next(iter(fields.get(name, ())), "")
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _NUMBER_MAX:
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def _named(name: str, offers: Sequence[Offer]) -> list[Offer]:
    """The offers that a name means; none if there is no such name, which is told when the task is to be made."""
    if not name:
        raise missing("model")
    return [offer for offer in offers if offer.video is not None and name in offer.names]


def _with_pictures(fields: dict[str, Sequence[object]], named: Sequence[Offer], pictures: Sequence[object]) -> Fields:
    """The fields and pictures whose use these offers decide; empty ones are not given."""
    found = [picture for picture in pictures if picture not in ("", None)]
    if found:
        takes_references = bool(named) and all(offer.operation is Operation.REFERENCE_TO_VIDEO for offer in named)
        name = _REFERENCES if takes_references else _FIRST_FRAME
        fields[name] = [*fields.get(name, ()), *found]
    return fields


def _picture(value: object) -> object:
    """An `input_reference`: a file, a text, or OpenAI's object with an address."""
    if not isinstance(value, Mapping):
        return value
    url = cast("Mapping[str, object]", value).get("image_url")
    if not isinstance(url, str) or not url:
        raise invalid(_REFERENCE, _REFERENCE_ADVICE)
    return url
