"""From a request's fields to the offer that runs and what it is asked for."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from yuanjing.domain.catalog import Offer, Operation
from yuanjing.domain.parameters.files import check_files, find_files
from yuanjing.domain.parameters.reading import Reading
from yuanjing.domain.parameters.spec import role_names
from yuanjing.domain.parameters.values import Fields, MediaValue, ParameterError, given, invalid, missing
from yuanjing.domain.tasks import MediaRole
from yuanjing.domain.video_offers import VideoModel, VideoSpec
from yuanjing.domain.videos import VideoRequest

LLMID_NAMES = ("llmid", "llm_id")
MODEL_NAMES = ("model",)

_NAME_LENGTH_MAX = 200
_SHOWN = re.compile(r"[A-Za-z0-9._:/\[\]-]{1,60}")
_SHOWN_MAX = 5
_FRAMES = frozenset({MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME})


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedVideo:
    """A request that its offer can take.

    Attributes:
        offer: the one that runs, and is charged.
        requested: the one that was asked for.
        request: with every default filled in; its files are not in it yet.
        media: the files, in the order in which prompts number them.
        warnings: what is done differently from what was asked for, in ASCII, for a header.
    """

    offer: Offer
    requested: Offer
    request: VideoRequest
    media: tuple[MediaValue, ...]
    warnings: tuple[str, ...]


def resolve_video(fields: Fields, offers: Sequence[Offer]) -> ResolvedVideo:
    """What the fields ask for.

    Args:
        fields: what came; unknown ones are ignored, with a warning.
        offers: those that can be used now, and that the caller may use.

    Raises:
        ParameterError: what to change; nothing but that is raised, whatever comes.
    """
    videos = [offer for offer in offers if offer.video is not None]
    llmid, model_name = _name(fields, LLMID_NAMES), _name(fields, MODEL_NAMES)
    asked = _asked(videos, llmid, model_name)
    names = role_names(asked[0])
    files = find_files(fields, names)
    requested = _fitting(asked, files)
    offer = _running(requested, files, videos)
    model, warnings = _chosen(offer, requested, model_name)
    reading = Reading(fields, offer, model, files)
    reading.check_required()
    media = check_files(_spec(offer), model, files, names)
    request = reading.request()
    warnings += [*reading.warnings, *_ignored(fields, {*LLMID_NAMES, *MODEL_NAMES, *reading.known_names})]
    return ResolvedVideo(
        offer=offer, requested=requested, request=request, media=media, warnings=tuple(dict.fromkeys(warnings))
    )


def _name(fields: Fields, names: Sequence[str]) -> str:
    """A name that the fields give; empty if they give none."""
    for used, value in given(fields, names):
        if not isinstance(value, str) or len(value) > _NAME_LENGTH_MAX:
            raise invalid(used, "a name")
        return value.strip()
    return ""


def _asked(videos: Sequence[Offer], llmid: str, model_name: str) -> list[Offer]:
    """The offers that the names mean, at least one."""
    if llmid:
        found = [offer for offer in videos if offer.id == llmid]
        if not found:
            raise ParameterError("unknown_llmid", "Unknown llmid", param="llmid")
        return found
    if not model_name:
        raise missing("llmid")
    found = [offer for offer in videos if model_name in offer.names]
    found = found or [offer for offer in videos if _find_model(offer, model_name) is not None]
    if not found:
        message = f"The model '{_shown(model_name)}' makes no videos; see GET /llmage/v1/models"
        raise ParameterError("model_not_found", message, param="model")
    return found


def _wanted(roles: Collection[MediaRole]) -> Operation:
    """What files of these roles are for."""
    if not roles:
        return Operation.TEXT_TO_VIDEO
    return Operation.IMAGE_TO_VIDEO if _FRAMES.issuperset(roles) else Operation.REFERENCE_TO_VIDEO


def _fitting(asked: Sequence[Offer], roles: Collection[MediaRole]) -> Offer:
    """The one that is meant for such files, else one that can do so too, else any."""
    wanted = _wanted(roles)
    return min(
        asked, key=lambda offer: (offer.operation is not wanted, wanted.value not in offer.capabilities, offer.id)
    )


def _running(requested: Offer, roles: Collection[MediaRole], videos: Sequence[Offer]) -> Offer:
    """The offer that runs: text to video that gets files is done by the sibling that takes them, if there is one."""
    spec = _spec(requested)
    if requested.operation is not Operation.TEXT_TO_VIDEO or all(spec.rule(role) for role in roles):
        return requested
    siblings = [
        offer
        for offer in videos
        if offer.provider_label == requested.provider_label
        and _spec(offer).family == spec.family
        and offer.operation is _wanted(roles)
    ]
    return min(siblings, key=lambda offer: offer.id, default=requested)


def _chosen(offer: Offer, requested: Offer, model_name: str) -> tuple[VideoModel, list[str]]:
    """The model that runs. The offer is what was bought: a name of another model is passed over."""
    warnings: list[str] = []
    if offer is not requested:
        warnings.append(f"llmid {requested.id} takes no such files; llmid {offer.id} is used")
    model = _find_model(offer, model_name) if model_name else None
    if model is None:
        model = _spec(offer).models[0]
        is_known = model_name in {*offer.names, *requested.names} or _find_model(requested, model_name) is not None
        if model_name and not is_known:
            warnings.append(f"llmid {offer.id} has no model {_shown(model_name)}; {model.name} is used")
    return model, warnings


def _find_model(offer: Offer, name: str) -> VideoModel | None:
    return next((model for model in _spec(offer).models if name in (model.name, *model.aliases)), None)


def _ignored(fields: Fields, known: Collection[str]) -> list[str]:
    names = [name for name in fields if name not in known and any(given(fields, (name,)))]
    shown = [_shown(name) for name in names[:_SHOWN_MAX]]
    if len(names) > _SHOWN_MAX:
        shown.append("others")
    return [f"ignored: {', '.join(shown)}"] if shown else []


def _shown(name: str) -> str:
    """The name if it is fit for a header, else words for it."""
    return name if _SHOWN.fullmatch(name) else "(not a name)"


def _spec(offer: Offer) -> VideoSpec:
    assert offer.video is not None, offer.id
    return offer.video
