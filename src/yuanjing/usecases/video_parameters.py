"""An offer of video's parameter spec: the shared parameters that its file names, with the file's changes.

It is a JSON Schema. What is special about single models, or about some files, is in it too (`allOf`), so that it alone
tells a client what is accepted.
"""

from collections.abc import Iterator, Mapping, Sequence

from yuanjing.domain.parameters.reading import FIELDS, LLMID, MODEL, PROMPT, RATIO, RESOLUTION, SIZE
from yuanjing.domain.parameters.spec import ROLE_NAMES, keywords_in, table_in
from yuanjing.domain.parameters.values import Keywords, listed, read_size, texts
from yuanjing.domain.tasks import MediaRole
from yuanjing.domain.video_offers import Changes, VideoModel, VideoSpec
from yuanjing.kit.tomlfile import Table
from yuanjing.usecases.video_documents import Strategy, known_properties, shared

ALWAYS = (LLMID, MODEL, PROMPT)
_OPEN = (RESOLUTION, RATIO, SIZE)
"""What prices and tables depend on: their values must be listed."""

Schema = dict[str, object]


def read_parameters(table: Table, offer_id: str, spec: VideoSpec, strategy: Strategy) -> Schema:
    """`[offer.parameters]` of an offer of video."""
    named = table.texts("with")
    changes = _read_own_changes(table)
    known = known_properties()
    for name in named:
        if name not in known:
            table.report(f"`with` does not know {name!r}; known are: {', '.join(known)}", "with")
    rules = {rule.field: rule for rule in spec.media}
    wanted = {*ALWAYS, *named, *changes, *rules} - set(strategy.without)
    order = [*(name for name in known if name in wanted), *(name for name in changes if name not in known)]
    names = role_names()
    properties: dict[str, Keywords] = {}
    for name in order:
        keywords = {**known.get(name, {}), **changes.get(name, {}), **strategy.properties.get(name, {})}
        rule = rules.get(name)
        if rule is not None:
            keywords["x-aliases"] = [alias for alias in names[rule.role] if alias != name]
            if keywords.get("type") == "array":
                keywords["maxItems"] = rule.count_max
        properties[name] = keywords
    models = [model.name for model in spec.models]
    properties[LLMID] = {**properties[LLMID], "const": offer_id}
    properties[MODEL] = {**properties[MODEL], "enum": models, "default": models[0]}
    _check(table, properties, spec)
    table.finish()
    base = shared("video")
    required = [*texts(base.get("required")), *(rule.field for rule in spec.media if rule.is_required)]
    conditions = [*_model_conditions(spec), *_file_conditions(spec)]
    return {
        **base,
        "required": required,
        "anyOf": [{"required": [LLMID]}, {"required": [MODEL]}],
        **({"allOf": conditions} if conditions else {}),
        "x-order": order,
        "properties": properties,
    }


def role_names() -> Mapping[MediaRole, list[str]]:
    """Under which names files of each role come."""
    names = table_in(shared("video").get(ROLE_NAMES))
    return {role: texts(names.get(role.value)) for role in MediaRole}


def _read_own_changes(table: Table) -> Changes:
    changes = table.table("properties")
    if changes is None:
        return {}
    for name, change in changes.raw.items():
        if not isinstance(change, dict):
            changes.report(f"`{name}` must be a table of JSON Schema keywords", name)
    return keywords_in(changes.raw)


def _model_conditions(spec: VideoSpec) -> Iterator[Schema]:
    """What is special about a model."""
    fields = {rule.role: rule.field for rule in spec.media}
    for model in spec.models:
        is_it = _if_model(model, is_default=model is spec.models[0])
        if model.properties:
            yield {"if": is_it, "then": {"properties": model.properties}}
        if model.required:
            yield {"if": is_it, "then": {"required": [fields[role] for role in model.required if role in fields]}}
        for case in model.cases:
            given = {"required": [fields[role] for role in case.roles if role in fields]}
            yield {"if": {"allOf": [is_it, given]}, "then": {"properties": case.properties}}


def _if_model(model: VideoModel, *, is_default: bool) -> Schema:
    chosen: Schema = {"properties": {MODEL: {"const": model.name}}}
    return chosen if is_default else {**chosen, "required": [MODEL]}


def _file_conditions(spec: VideoSpec) -> Iterator[Schema]:
    """Which files need others."""
    fields = {rule.role: rule.field for rule in spec.media}
    if spec.needs_any_of:
        yield {"anyOf": [{"required": [fields[role]]} for role in spec.needs_any_of if role in fields]}
    first, last = fields.get(MediaRole.FIRST_FRAME), fields.get(MediaRole.LAST_FRAME)
    if first and last:
        yield {"dependentRequired": {last: [first]}}


def _check(table: Table, properties: Mapping[str, Keywords], spec: VideoSpec) -> None:
    """What a file may get wrong about parameters, each at its line."""
    view = table.table("properties") or table
    tiers = {entry.resolution for entry in spec.pixels}
    sizes = {entry.size for entry in spec.pixels}
    for name, keywords in properties.items():
        for problem in _problems(name, keywords):
            view.report(f"`{name}` {problem}", name)
        asked = _asked(keywords)
        if name == RESOLUTION and any(value not in tiers for value in asked):
            view.report(f"every `resolution` must be a tier of `pixels`: {', '.join(sorted(tiers))}", name)
        if name == SIZE and any(read_size(value) not in sizes for value in asked):
            view.report("every `size`, as it is sent, must be in `pixels`", name)


def _asked(keywords: Keywords) -> list[object]:
    """What the provider is told of the values that are listed."""
    rewrites = table_in(keywords.get("x-rewrites"))
    omitted = listed(keywords.get("x-omit"))
    return [rewrites.get(str(value), value) for value in listed(keywords.get("enum")) if value not in omitted]


def _problems(name: str, keywords: Keywords) -> Iterator[str]:
    values = listed(keywords.get("enum"))
    if name not in FIELDS and name not in ALWAYS and not {"x-role", "x-extra"} & keywords.keys():
        yield "needs `x-extra`, the provider's name for it"
    if name in _OPEN and not values:
        yield "needs an `enum` of what it can be"
    if not _is_schema(keywords):
        yield "is no JSON Schema"
        return
    if "default" in keywords and not _is_valid(keywords, keywords["default"]):
        yield "has a `default` that it does not allow itself"
    known: Sequence[object] = [*table_in(keywords.get("x-rewrites")).values(), *listed(keywords.get("x-omit"))]
    strange = [value for value in (*known, *table_in(keywords.get("x-rewrites"))) if value not in values]
    if strange:
        yield f"names {strange[0]!r} in `x-rewrites` or `x-omit`, which is not in its `enum`"


def _is_schema(keywords: Keywords) -> bool:
    from jsonschema_rs import meta  # noqa: PLC0415  # its library is read when a catalogue is

    return meta.is_valid(dict(keywords))


def _is_valid(keywords: Keywords, value: object) -> bool:
    from jsonschema_rs import is_valid  # noqa: PLC0415  # the same

    return is_valid(dict(keywords), value)
