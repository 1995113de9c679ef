"""Errors in the API's description: which statuses a route answers, each with one example per code."""

import json
from collections.abc import Iterable, Mapping
from typing import cast

from yuanjing.domain.dialects import ERRORS, Dialect, error_body, error_headers

KEY_CODES = ("invalid_api_key", "ip_not_allowed", "store_unavailable")
"""What every route that needs a key may answer."""

Json = dict[str, object]

SCHEMAS: Mapping[Dialect, str] = {
    Dialect.OPENAI: "Error",
    Dialect.LLMAGE: "LlmageError",
    Dialect.CONSOLE: "ConsoleError",
}
_HEADERS: Mapping[str, Json] = {
    "x-request-id": {"description": "Our id of this request.", "schema": {"type": "string"}},
    "www-authenticate": {
        "description": "How to show who calls: by a key, or by the cookie of a session.",
        "schema": {"type": "string", "enum": ["Bearer", "Cookie"]},
    },
    "retry-after": {"description": "Seconds after which trying again can help.", "schema": {"type": "integer"}},
    "x-should-retry": {
        "description": "`false` where trying again cannot help.",
        "schema": {"type": "string", "const": "false"},
    },
}
Sample = tuple[str, str | None]
"""The message of an example, and the parameter that it is about."""
_SAMPLES: Mapping[str, Sample] = {
    "missing_required_parameter": ("Missing required parameter: prompt", "prompt"),
    "invalid_parameter": ("Invalid parameter: max_tokens", "max_tokens"),
    "undeliverable_files": (
        (
            "The provider of this model cannot be given these files by this platform as it is set up now; "
            "where the model takes addresses, give them by public ones of your own"
        ),
        None,
    ),
    "model_not_found": ("The model 'qwen4' does not exist; see GET {models}", "model"),
}
_MODELS: Mapping[Dialect, str] = {Dialect.OPENAI: "/v1/models", Dialect.LLMAGE: "/llmage/v1/models"}

COMPONENTS: Mapping[str, Json] = {
    "Error": {
        "type": "object",
        "description": "An error in OpenAI's shape. docs/reference/errors.md lists the codes.",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": "string"},
                },
            }
        },
    },
    "ConsoleError": {
        "type": "object",
        "description": "An error in the console's shape.",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "param"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "param": {"type": ["string", "null"]},
                },
            }
        },
    },
    "LlmageError": {
        "type": "object",
        "description": "An error in the seed's shape: one text.",
        "required": ["error"],
        "properties": {"error": {"type": "string"}},
    },
}


def error_responses(
    dialect: Dialect, *codes: str, samples: Mapping[str, Sample] | None = None
) -> dict[int | str, Json]:
    """The error answers of a route by status, with its own samples; a bug's, which any route may give, is added."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*codes, "internal_error")):
        by_status.setdefault(ERRORS[code].status, []).append(code)
    return {status: _response(dialect, names, samples or {}) for status, names in sorted(by_status.items())}


def restore_examples(dialect: Dialect, responses: Mapping[str, Json]) -> None:
    """Put the examples in once more: FastAPI leaves out every null of what a route says about itself."""
    for response in responses.values():
        content = cast("Mapping[str, Json]", response.get("content", {}))
        examples = cast("Mapping[str, Json]", content.get("application/json", {}).get("examples", {}))
        for code, example in examples.items():
            example["value"] = _example(dialect, code, {})


def _response(dialect: Dialect, codes: Iterable[str], samples: Mapping[str, Sample]) -> Json:
    names = list(codes)
    possible = {header for name in names for header, _ in error_headers(name)}
    wanted = ["x-request-id", *(header for header in _HEADERS if header in possible)]
    return {
        "description": ", ".join(f"`{name}`" for name in names),
        "headers": {name: _HEADERS[name] for name in wanted},
        "content": {
            "application/json": {
                "schema": {"$ref": f"#/components/schemas/{SCHEMAS[dialect]}"},
                "examples": {name: {"value": _example(dialect, name, samples)} for name in names},
            }
        },
    }


def _example(dialect: Dialect, code: str, samples: Mapping[str, Sample]) -> object:
    row = ERRORS[code]
    usual = _SAMPLES.get(code, (row.llmage or code.replace("_", " ").capitalize(), None))
    message, param = samples.get(code, usual)
    return json.loads(error_body(dialect, code, message.format(models=_MODELS.get(dialect, "")), param))
