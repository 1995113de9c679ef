"""Alibaba Model Studio, compatible mode: its order of keys, its nulls, `request_id` in errors."""

import uuid
from typing import ClassVar

from yuanjing.sandbox.chat.answer import Call, Choice
from yuanjing.sandbox.chat.flavours.openai import Flavour, Head, Json, without_usage
from yuanjing.sandbox.chat.problems import Problem, RefusedError, Row
from yuanjing.sandbox.chat.request import Strictness
from yuanjing.sandbox.chat.usage import Usage

_INVALID = "invalid_request_error"
_BASE = Flavour.problems


class DashScope(Flavour):
    """Alibaba Model Studio, compatible mode: its order of keys, its nulls, `request_id` in errors."""

    name: ClassVar[str] = "dashscope"
    bases: ClassVar[tuple[str, ...]] = ("/compatible-mode/v1",)
    strictness: ClassVar[Strictness] = Strictness(
        n_max=4, top_logprobs_max=5, wants_word_json=True, passes_over=frozenset({"max_completion_tokens"})
    )
    reasoning_field: ClassVar[str | None] = "reasoning_content"
    limit_counts_reasoning: ClassVar[bool] = False
    calls_in_parallel: ClassVar[bool] = False
    completion_extras: ClassVar[Json] = {}
    message_extras: ClassVar[Json] = {}
    models: ClassVar[tuple[str, ...]] = ("qwen3-max", "qwen-plus", "qwen-flash", "qwen3-235b-a22b-thinking-2507")
    thinking_models: ClassVar[frozenset[str]] = frozenset()
    input_tokens_max: ClassVar[dict[str, int]] = {
        "qwen3-max": 258_048,
        "qwen3-vl-plus": 260_096,
        "qwen-flash": 997_952,
        "qwen-plus": 997_952,
    }
    owner: ClassVar[str] = "system"
    problems: ClassVar[dict[Problem, Row]] = {
        **_BASE,
        Problem.NO_KEY: Row(401, _INVALID, "invalid_api_key", "You didn't provide an API key."),
        Problem.BAD_KEY: Row(401, _INVALID, "invalid_api_key", "Incorrect API key provided."),
        Problem.INVALID: Row(400, _INVALID, "invalid_parameter_error", "{}"),
        Problem.MISSING: Row(400, _INVALID, "invalid_parameter_error", "Required parameter '{}' missing."),
        Problem.TOO_LONG: Row(
            400,
            _INVALID,
            "invalid_parameter_error",
            "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, {0}]",
        ),
        Problem.NO_MONEY: Row(
            400, "Arrearage", "Arrearage", "Access denied, please make sure your account is in good standing."
        ),
        Problem.RATE_LIMIT: Row(
            429, "limit_requests", "limit_requests", "You exceeded your current requests list. Please try again later."
        ),
        Problem.SERVER_ERROR: Row(500, "internal_error", "internal_error", "An internal error has occurred."),
        Problem.UNAVAILABLE: Row(503, "service_unavailable", "ModelUnavailable", "The model is not available now."),
        Problem.MODERATION: Row(
            400,
            "data_inspection_failed",
            "data_inspection_failed",
            "Output data may contain inappropriate content.",
        ),
    }

    def new_id(self) -> str:
        """See `Flavour.new_id`."""
        return f"chatcmpl-{uuid.uuid4()}"

    def new_request_id(self) -> str:
        """See `Flavour.new_request_id`."""
        return str(uuid.uuid4())

    def error(self, refused: RefusedError, request_id: str) -> tuple[int, Json]:
        """See `Flavour.error`."""
        row = self.problems[refused.problem]
        text = row.say(refused)
        error = {"code": row.code, "message": text, "param": None, "type": row.type}
        return row.status, {"error": error, "request_id": request_id}

    def stream_error(self, refused: RefusedError, head: Head) -> Json:
        """See `Flavour.stream_error`."""
        body = self.error(refused, head.request_id)[1]
        return {"error": body["error"], "id": head.id, "request_id": head.request_id}

    def usage(self, usage: Usage) -> Json:
        """See `Flavour.usage`."""
        prompt: Json = {"cached_tokens": usage.cached}
        if usage.is_explicit:
            prompt["cache_creation"] = {"ephemeral_5m_input_tokens": usage.created}
            prompt["cache_creation_input_tokens"] = usage.created
            prompt["cache_type"] = "ephemeral"
        told: Json = {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.total,
        }
        if usage.reasoning:
            rest = usage.completion - usage.reasoning
            told["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning, "text_tokens": rest}
        return {**told, "prompt_tokens_details": prompt}

    def chunk(self, head: Head, choices: list[Json], usage: Json | None) -> Json:
        """See `Flavour.chunk`; `usage` is null in all other chunks."""
        return {
            "choices": choices,
            "object": "chat.completion.chunk",
            "usage": usage,
            "created": head.created,
            "system_fingerprint": None,
            "model": head.model,
            "id": head.id,
        }

    def chunk_choice(self, index: int, delta: Json, finish: str | None, logprobs: Json | None) -> Json:
        """See `Flavour.chunk_choice`; the first chunk has another order of keys than the others."""
        if "role" in delta:
            return {"delta": delta, "index": index, "logprobs": logprobs, "finish_reason": finish}
        return {"finish_reason": finish, "delta": delta, "index": index, "logprobs": logprobs}

    def opening(self, *, thinking: bool) -> Json:
        """See `Flavour.opening`."""
        if thinking:
            return {"content": None, "role": "assistant", "reasoning_content": ""}
        return {"content": "", "role": "assistant"}

    def text_delta(self, text: str, *, thinking: bool) -> Json:
        """See `Flavour.text_delta`."""
        return {"content": text, "reasoning_content": None} if thinking else {"content": text}

    def reasoning_delta(self, text: str) -> Json:
        """See `Flavour.reasoning_delta`."""
        return {"content": None, "reasoning_content": text}

    def closing(self, *, thinking: bool) -> Json:
        """See `Flavour.closing`."""
        return self.text_delta("", thinking=thinking)

    def call_opening(self, place: int, call: Call, arguments: str) -> Json:
        """See `Flavour.call_opening`."""
        return {"content": None, **super().call_opening(place, call, arguments)}

    def call_delta(self, place: int, arguments: str) -> Json:
        """See `Flavour.call_delta`; id and type come again, the id empty."""
        entry = {"function": {"arguments": arguments}, "index": place, "id": "", "type": "function"}
        return {"content": None, "tool_calls": [entry]}

    def completion(self, head: Head, choices: list[Json], usage: Json | None) -> Json:
        """See `Flavour.completion`."""
        whole: Json = {
            "choices": choices,
            "object": "chat.completion",
            "usage": usage,
            "created": head.created,
            "system_fingerprint": None,
            "model": head.model,
            "id": head.id,
        }
        return without_usage(whole)

    def completion_choice(self, choice: Choice, text: str, logprobs: Json | None) -> Json:
        """See `Flavour.completion_choice`."""
        message = self.message(choice, text)
        message["content"] = text
        return {"message": message, "finish_reason": choice.finish, "index": choice.index, "logprobs": logprobs}
