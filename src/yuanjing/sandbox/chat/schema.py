"""A small JSON value that satisfies a JSON Schema, for arguments of tools and structured answers."""

import math

from yuanjing.sandbox import jsons

DEPTH_MAX = 12
DEPTH_END = 2 * DEPTH_MAX
VALUES_MAX = 2_000
ITEMS_MAX = 1_000
CHARS_MAX = 10_000

_FORMATS: dict[str, str] = {
    "date": "2026-01-02",
    "date-time": "2026-01-02T03:04:05Z",
    "time": "03:04:05Z",
    "duration": "PT1S",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_INTEGER_FLOAT_MAX = 2**53


def example(schema: dict[str, object], hint: str = "sample") -> object:
    """A value for `schema`; strings show `hint` or the property's name.

    Understands `const enum default type properties required items prefixItems minItems anyOf oneOf allOf
    $ref` and the bounds of numbers and strings; patterns and conditions are not solved. Schemas that ask
    for endless or very large values get null where the limits of this module are passed.
    """
    return _Maker(schema).make(schema, hint, 0)


class _Maker:
    def __init__(self, root: dict[str, object]) -> None:
        self._root = root
        self._values = 0

    def make(self, schema: dict[str, object], hint: str, depth: int) -> object:
        self._values += 1
        if depth > DEPTH_END or self._values > VALUES_MAX:
            return None
        schema = self._flat(schema, depth)
        if "const" in schema:
            return schema["const"]
        choices = jsons.as_list(schema.get("enum"))
        if choices:
            return choices[0]
        if "default" in schema:
            return schema["default"]
        return self._typed(_type_of(schema), schema, hint, depth)

    def _typed(self, kind: str, schema: dict[str, object], hint: str, depth: int) -> object:
        if kind == "object":
            return self._object(schema, hint, depth)
        if kind == "array":
            return self._array(schema, hint, depth)
        if kind in {"integer", "number"}:
            return _number(schema, integer=kind == "integer")
        if kind == "string":
            return _string(schema, hint)
        return False if kind == "boolean" else None

    def _object(self, schema: dict[str, object], hint: str, depth: int) -> dict[str, object]:
        properties = jsons.as_object(schema.get("properties")) or {}
        required = jsons.as_list(schema.get("required"))
        names = list(properties) if required is None else [str(name) for name in required]
        if required is None and depth >= DEPTH_MAX:
            names = []
        return {name: self.make(jsons.as_object(properties.get(name)) or {}, name or hint, depth + 1) for name in names}

    def _array(self, schema: dict[str, object], hint: str, depth: int) -> list[object]:
        first = [jsons.as_object(item) or {} for item in jsons.as_list(schema.get("prefixItems")) or []]
        rest = jsons.as_object(schema.get("items")) or {}
        least = min(int(_bound(schema, "minItems") or 0), ITEMS_MAX)
        wanted = max(least, len(first)) if depth >= DEPTH_MAX else max(least, len(first), 1)
        most = _bound(schema, "maxItems")
        wanted = wanted if most is None else min(wanted, int(most))
        items = [*first, *[rest] * (wanted - len(first))][:wanted]
        return [self.make(item, hint, depth + 1) for item in items]

    def _flat(self, schema: dict[str, object], depth: int) -> dict[str, object]:
        """`schema` with its reference followed and its first alternative merged in."""
        for _ in range(DEPTH_MAX):
            reference = schema.get("$ref")
            if isinstance(reference, str):
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                schema = {**self._resolve(reference), **rest}
                continue
            parts = _alternatives(schema, prefer_null=depth >= DEPTH_MAX)
            if not parts:
                return schema
            schema = {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf", "allOf"}}
            for part in parts:
                schema = _merged(schema, part)
        return schema

    def _resolve(self, reference: str) -> dict[str, object]:
        found: object = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            found = (jsons.as_object(found) or {}).get(name)
        return jsons.as_object(found) or {}


def _alternatives(schema: dict[str, object], *, prefer_null: bool) -> list[dict[str, object]]:
    parts = [jsons.as_object(part) or {} for part in jsons.as_list(schema.get("allOf")) or []]
    for key in ("anyOf", "oneOf"):
        options = [jsons.as_object(option) or {} for option in jsons.as_list(schema.get(key)) or []]
        nulls = [option for option in options if option.get("type") == "null"]
        parts += nulls[:1] if prefer_null and nulls else options[:1]
    return parts


def _merged(one: dict[str, object], other: dict[str, object]) -> dict[str, object]:
    merged = {**one, **other}
    both = jsons.as_object(one.get("properties")), jsons.as_object(other.get("properties"))
    if both[0] and both[1]:
        merged["properties"] = {**both[0], **both[1]}
    needs = jsons.as_list(one.get("required")), jsons.as_list(other.get("required"))
    if needs[0] is not None and needs[1] is not None:
        merged["required"] = list(dict.fromkeys([*needs[0], *needs[1]]))
    return merged


def _type_of(schema: dict[str, object]) -> str:
    kind = schema.get("type")
    kinds = jsons.as_list(kind)
    if kinds:
        return str(kinds[0])
    if isinstance(kind, str):
        return kind
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _bound(schema: dict[str, object], key: str) -> float | None:
    value = schema.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(schema: dict[str, object], *, integer: bool) -> float:
    low, above = _bound(schema, "minimum"), _bound(schema, "exclusiveMinimum")
    high, below = _bound(schema, "maximum"), _bound(schema, "exclusiveMaximum")
    step = _bound(schema, "multipleOf") or (1 if integer else None)
    floor = max((value for value in (low, above) if value is not None), default=None)
    ceiling = min((value for value in (high, below) if value is not None), default=None)
    if floor is None:
        floor = 1.0 if ceiling is None or ceiling > 1 else ceiling - (0 if below is None else step or 1)
    value = floor
    if step:
        value = math.ceil(floor / step) * step
        value += step if above is not None and value <= above else 0
    elif above is not None and value <= above:
        value = (above + ceiling) / 2 if ceiling is not None else above + 1
    return int(value) if integer or (float(value).is_integer() and abs(value) < _INTEGER_FLOAT_MAX) else value


def _string(schema: dict[str, object], hint: str) -> str:
    text = _FORMATS.get(str(schema.get("format", "")), hint)
    least, most = _bound(schema, "minLength"), _bound(schema, "maxLength")
    text = text.ljust(min(int(least or 0), CHARS_MAX), "x")
    return text if most is None else text[: int(most)]
