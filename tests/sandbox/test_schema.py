import json

import jsonschema_rs
import pytest

from yuanjing.sandbox.chat.schema import example

SCHEMAS = [
    {},
    {"type": "object"},
    {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]},
    {"type": "object", "properties": {"unit": {"enum": ["c", "f"]}, "on": {"const": True}, "d": {"default": 3}}},
    {"type": "array", "items": {"type": "number", "minimum": 2.5, "exclusiveMaximum": 3}, "minItems": 3},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}], "items": False},
    {"type": "integer", "exclusiveMinimum": 10, "multipleOf": 4},
    {"type": "integer", "maximum": -3},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "number", "exclusiveMaximum": 0},
    {"type": "string", "minLength": 12, "maxLength": 14},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "uuid"},
    {"type": ["boolean", "null"]},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}}, "required": ["b"]},
        ]
    },
    {
        "$defs": {"step": {"type": "object", "properties": {"say": {"type": "string"}}, "required": ["say"]}},
        "type": "object",
        "properties": {"steps": {"type": "array", "items": {"$ref": "#/$defs/step"}}},
        "required": ["steps"],
    },
    {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                "required": ["next"],
            }
        },
        "$ref": "#/$defs/node",
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: json.dumps(schema)[:60])
def test_the_example_is_valid(schema):
    value = example(schema)
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(value)
    assert json.loads(json.dumps(value)) == value


def test_endless_and_huge_schemas_end():
    both = {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]}
    assert set(example(both)) == {"a", "b"}
    assert len(example({"type": "array", "items": {"type": "integer"}, "minItems": 10**9})) == 1000
    assert len(example({"type": "string", "minLength": 10**9})) == 10_000
    assert example({"$ref": "#"}) == "sample"
