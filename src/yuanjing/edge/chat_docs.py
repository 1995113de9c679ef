"""The hot routes in the API's description, by hand: they are served below ASGI, where nothing can be generated.

Only what the platform itself reads is described; every other field passes through to the provider untouched.
"""

import json
from collections.abc import Mapping
from typing import cast

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.idempotency import REPLAYED_HEADER
from yuanjing.edge.auth import SCHEME_NAME
from yuanjing.edge.chat_samples import LLMAGE_ANSWER, LLMAGE_STREAM, OPENAI_ANSWER, OPENAI_STREAM
from yuanjing.edge.error_docs import KEY_CODES, Json, Sample, error_responses
from yuanjing.edge.idempotency_docs import IDEMPOTENCY_KEY, REPLAYED

HOT_ROUTES: Mapping[str, Dialect] = {
    "/v1/chat/completions": Dialect.OPENAI,
    "/llmage/v1/chat/completions": Dialect.LLMAGE,
}
HOT_CODES = (
    *KEY_CODES,
    "missing_required_parameter",
    "invalid_parameter",
    "invalid_json",
    "invalid_request",
    "content_policy_violation",
    "context_length_exceeded",
    "model_not_allowed",
    "model_not_found",
    "request_timeout",
    "request_too_large",
    "idempotency_in_progress",
    "idempotency_mismatch",
    "answer_not_kept",
    "insufficient_balance",
    "budget_exceeded",
    "budget_held",
    "rate_limit_exceeded",
    "headers_too_large",
    "provider_bad_answer",
    "provider_unavailable",
    "overloaded",
    "shutting_down",
    "provider_timeout",
)
_TOKENS_MAX = 2**31 - 1
OPENAI_SAMPLES: Mapping[str, Sample] = {
    "missing_required_parameter": ("Missing required parameter: messages", "messages"),
    "invalid_parameter": (f"'max_tokens' must be at least 1 and at most {_TOKENS_MAX}", "max_tokens"),
}
"""What this dialect says in other words than the rest of the API."""


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _count(text: str) -> Json:
    return {"type": ["integer", "null"], "minimum": 1, "maximum": _TOKENS_MAX, "description": text}


_CONTENT: Json = {
    "description": "A text, or a list of parts.",
    "oneOf": [
        {"type": "string"},
        {"type": "null"},
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"type": "string", "examples": ["text", "image_url"]},
                    "text": {"type": ["string", "null"]},
                    "image_url": {
                        "oneOf": [
                            {"type": "object", "properties": {"url": {"type": "string"}}},
                            {"type": ["string", "null"]},
                        ]
                    },
                },
            },
        },
    ],
}
_MESSAGES: Json = {
    "type": "array",
    "minItems": 1,
    "description": "The conversation so far.",
    "items": {
        "type": "object",
        "properties": {
            "role": {"description": "Who speaks, e.g. `system`, `user`, `assistant`, `tool`."},
            "content": _CONTENT,
        },
    },
}
_SHARED: Json = {
    "max_tokens": _count("The longest answer; together with the price it bounds what is held."),
    "max_completion_tokens": _count("The same by its newer name; if both are given, what the larger allows is held."),
    "n": _count("How many answers; each offer has a limit."),
    "stream_options": {
        "type": ["object", "null"],
        "properties": {
            "include_usage": {"type": ["boolean", "null"], "description": "End with a usage chunk."},
            "continuous_usage_stats": {"description": "If true, the provider's usage stays in the other chunks too."},
        },
    },
}
_USAGE: Json = {
    "type": "object",
    "required": ["prompt_tokens", "completion_tokens", "total_tokens", "cost", "currency"],
    "properties": {
        "prompt_tokens": {"type": "integer"},
        "completion_tokens": {"type": "integer"},
        "total_tokens": {"type": "integer"},
        "prompt_tokens_details": {
            "type": ["object", "null"],
            "properties": {"cached_tokens": {"type": ["integer", "null"]}},
        },
        "cost": {"type": "string", "description": "What was charged, as a decimal string.", "examples": ["0.0008672"]},
        "currency": {"type": "string", "const": "CNY"},
        "estimated": {"type": "boolean", "description": "True if the provider sent no usage and we counted ourselves."},
    },
}
_LLMAGE_KEYS: Json = {
    "reasoning_content": {"type": ["string", "null"]},
    "content": {"type": "string"},
    "finish": {"type": "string", "enum": ["0", "1"], "description": "`1` on the last chunk and on a plain answer."},
    "llmusageid": {"type": "string", "description": "The id of the usage record, the same as `x-yuanjing-usage-id`."},
}


def _answer(kind: str, part: str, text: str, more: Json) -> Json:
    return {
        "type": "object",
        "description": text,
        "required": ["id", "object", "created", "choices", "model"],
        "properties": {
            "id": {"type": "string"},
            "object": {"type": "string", "examples": [kind]},
            "created": {"type": "integer", "description": "Unix seconds."},
            "choices": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "index": {"type": "integer"},
                        part: {"type": "object"},
                        "finish_reason": {"type": ["string", "null"]},
                    },
                },
            },
            "model": {"type": "string"},
            **more,
        },
    }


COMPONENTS: Mapping[str, Json] = {
    "Usage": _USAGE,
    "ChatRequest": {
        "type": "object",
        "description": "A chat request as OpenAI defines it; fields not named here reach the provider untouched.",
        "required": ["model", "messages"],
        "properties": {
            "model": {"type": "string", "minLength": 1, "description": "Model name, alias or llmid."},
            "messages": _MESSAGES,
            "stream": {"type": ["boolean", "null"]},
            **_SHARED,
        },
    },
    "LlmageChatRequest": {
        "type": "object",
        "description": "The seed's chat request, or OpenAI's messages; other fields reach the provider untouched.",
        "allOf": [
            {"anyOf": [{"required": ["model"]}, {"required": ["llmid"]}]},
            {"anyOf": [{"required": ["prompt"]}, {"required": ["messages"]}]},
        ],
        "properties": {
            "model": {"type": "string", "description": "Model name, alias or llmid."},
            "llmid": {"type": ["string", "null"], "description": "In place of `model`."},
            "prompt": {"type": "string", "minLength": 1, "description": "What the user says; after `messages`."},
            "sys_prompt": {"type": ["string", "null"], "description": "The system's instruction; comes first."},
            "messages": _MESSAGES,
            "stream": {
                "oneOf": [
                    {"type": ["boolean", "null"]},
                    {"enum": ["true", "false", "1", "0", "Y", "N", "yes", "no", "on", "off", 1, 0]},
                ]
            },
            **_SHARED,
        },
    },
    "ChatCompletion": _answer("chat.completion", "message", "A plain answer.", {"usage": _ref("Usage")}),
    "ChatCompletionChunk": _answer(
        "chat.completion.chunk",
        "delta",
        "The data of one event. The last but `[DONE]` carries `usage` if it was asked for.",
        {"usage": {"oneOf": [_ref("Usage"), {"type": "null"}]}},
    ),
    "LlmageChatCompletion": _answer(
        "chat.completion", "message", "A plain answer.", {**_LLMAGE_KEYS, "usage": _ref("Usage")}
    ),
    "LlmageChatCompletionChunk": _answer(
        "chat.completion.chunk",
        "delta",
        "The data of one event. The last but `[DONE]` has `finish` `1`, no choices, and always `usage`.",
        {**_LLMAGE_KEYS, "usage": _ref("Usage")},
    ),
}

_NAMES = {
    Dialect.OPENAI: ("ChatRequest", "ChatCompletion", "ChatCompletionChunk"),
    Dialect.LLMAGE: ("LlmageChatRequest", "LlmageChatCompletion", "LlmageChatCompletionChunk"),
}
_ANSWERS = {Dialect.OPENAI: (OPENAI_ANSWER, OPENAI_STREAM), Dialect.LLMAGE: (LLMAGE_ANSWER, LLMAGE_STREAM)}
_REQUESTS: Mapping[Dialect, Json] = {
    Dialect.OPENAI: {
        "plain": {"value": {"model": "qwen3-max", "messages": [{"role": "user", "content": "你是谁"}]}},
        "stream": {
            "value": {
                "model": "qwen3-max",
                "messages": [{"role": "user", "content": "你是谁"}],
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        },
    },
    Dialect.LLMAGE: {
        "plain": {"value": {"model": "qwen3-max", "prompt": "你是谁"}},
        "stream": {"value": {"model": "qwen3-max", "prompt": "你是谁", "sys_prompt": "Be brief.", "stream": True}},
    },
}
_OPERATIONS = {
    Dialect.OPENAI: ("create_chat_completion", "Chat in OpenAI's dialect", "chat"),
    Dialect.LLMAGE: ("create_llmage_chat_completion", "Chat in the seed's dialect", "llmage"),
}
_DESCRIPTION = (
    "The most that the request can cost is held before it reaches a provider, and what it has used is charged before "
    "its answer ends. A stream that breaks ends with an error event and without `[DONE]`: `[DONE]` means complete and "
    "charged. A silent stream gets a comment every 15 seconds."
)
_HEADERS: Json = {
    "x-request-id": {"description": "Our id of this request.", "schema": {"type": "string"}},
    "x-yuanjing-usage-id": {"description": "The id of the usage record.", "schema": {"type": "string"}},
    REPLAYED_HEADER: REPLAYED,
    "x-yuanjing-max-tokens-clamped": {
        "description": "The longest answer that the balance could pay, where it was less than what was asked for.",
        "schema": {"type": "integer"},
    },
}


def hot_operation(dialect: Dialect) -> Json:
    """The description of one chat route."""
    request, answer, chunk = _NAMES[dialect]
    plain, stream = _ANSWERS[dialect]
    operation_id, summary, tag = _OPERATIONS[dialect]
    content: Json = {
        "application/json": {"schema": _ref(answer), "examples": {"plain": {"value": json.loads(plain)}}},
        "text/event-stream": {
            "schema": {
                "type": "string",
                "description": f"Events of one `data:` line each: a {chunk}, or at the end `[DONE]`.",
                "x-event-schema": _ref(chunk),
            },
            "examples": {"stream": {"value": stream}},
        },
    }
    ok: Json = {"description": "The answer, plain or streamed.", "headers": _HEADERS, "content": content}
    samples = OPENAI_SAMPLES if dialect is Dialect.OPENAI else None
    responses = error_responses(dialect, *HOT_CODES, samples=samples)
    errors = cast("Json", {str(status): what for status, what in responses.items()})
    return {
        "operationId": operation_id,
        "summary": summary,
        "description": _DESCRIPTION,
        "tags": [tag],
        "security": [{SCHEME_NAME: []}],
        "parameters": [IDEMPOTENCY_KEY],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref(request), "examples": _REQUESTS[dialect]}},
        },
        "responses": {"200": ok, **errors},
    }
