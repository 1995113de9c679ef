"""Parameter specs: an offer's JSON Schema, with what its models and the given files change in it."""

import functools
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, cast

from yuanjing.domain.catalog import Offer
from yuanjing.domain.parameters.values import Keywords, listed, texts
from yuanjing.domain.tasks import MediaRole
from yuanjing.domain.video_offers import VideoModel

if TYPE_CHECKING:
    import jsonschema_rs

ROLE_NAMES = "x-media"
"""The keyword that says under which names files of each role come, those included that the offer does not take."""


def properties_of(offer: Offer, model: VideoModel, roles: Collection[MediaRole]) -> Mapping[str, Keywords]:
    """The properties of the spec as they are for a model and with files of these roles."""
    base = keywords_in(offer.parameters.get("properties"))
    layers = [model.properties, *(case.properties for case in model.cases if set(case.roles) <= set(roles))]
    return {name: _merged(keywords, [layer.get(name, {}) for layer in layers]) for name, keywords in base.items()}


def _merged(keywords: Keywords, changes: Iterable[Keywords]) -> Keywords:
    merged = dict(keywords)
    for change in changes:
        merged.update(change)
    return merged


def keywords_in(value: object) -> Mapping[str, Keywords]:
    """A table of tables; what is none is left out."""
    return {name: cast("Keywords", item) for name, item in table_in(value).items() if isinstance(item, Mapping)}


def table_in(value: object) -> Mapping[str, object]:
    """A table; an empty one if it is none."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def names_of(name: str, keywords: Keywords) -> tuple[str, ...]:
    """Under which names a parameter comes, its own first."""
    return (name, *texts(keywords.get("x-aliases")))


def outcome(keywords: Keywords, value: object) -> object | None:
    """What the provider is asked when a request says this; None if it is not told."""
    if value in listed(keywords.get("x-omit")):
        return None
    return table_in(keywords.get("x-rewrites")).get(value, value) if isinstance(value, str) else value


def role_names(offer: Offer) -> Mapping[MediaRole, tuple[str, ...]]:
    """Under which names files of each role come, the one that errors use first."""
    items = table_in(offer.parameters.get(ROLE_NAMES))
    return {role: tuple(texts(items.get(role.value))) for role in MediaRole}


def problem_with(
    offer: Offer, model: VideoModel, roles: Collection[MediaRole], instance: Mapping[str, object]
) -> str | None:
    """The name of the first parameter that the spec does not allow; None if all is well."""
    validator = _validator(_Same(offer), model.name, frozenset(roles))
    names = [str(error.instance_path[0]) if error.instance_path else "" for error in validator.iter_errors(instance)]
    if not names:
        return None
    order = list(properties_of(offer, model, roles))
    return min(names, key=lambda name: order.index(name) if name in order else len(order))


class _Same:
    """An offer as a key: itself rather than its like, since to compare all of it would cost more than is saved."""

    def __init__(self, offer: Offer) -> None:
        self.offer = offer

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.offer is other.offer

    def __hash__(self) -> int:
        return id(self.offer)


@functools.lru_cache(maxsize=512)
def _validator(key: _Same, model_name: str, roles: frozenset[MediaRole]) -> "jsonschema_rs.Validator":
    import jsonschema_rs  # noqa: PLC0415  # its library is read when a video is first asked for

    spec = key.offer.video
    assert spec is not None, key.offer.id
    model = next(model for model in spec.models if model.name == model_name)
    return jsonschema_rs.validator_for({**key.offer.parameters, "properties": properties_of(key.offer, model, roles)})
