"""DeepSeek: keep-alive comments, cache hits and misses, usage in the last content chunk too."""

import uuid
from typing import ClassVar

from yuanjing.sandbox.chat.answer import Choice
from yuanjing.sandbox.chat.flavours.openai import Flavour, Head, Json, without_usage
from yuanjing.sandbox.chat.problems import Problem, Row
from yuanjing.sandbox.chat.request import Strictness
from yuanjing.sandbox.chat.usage import Usage

_INVALID = "invalid_request_error"
_BASE = Flavour.problems


class DeepSeek(Flavour):
    """DeepSeek: keep-alive comments, cache hits and misses, usage in the last content chunk too."""

    name: ClassVar[str] = "deepseek"
    bases: ClassVar[tuple[str, ...]] = ("/deepseek/v1", "/deepseek")
    strictness: ClassVar[Strictness] = Strictness(n_max=None, passes_over=frozenset({"max_completion_tokens"}))
    reasoning_field: ClassVar[str | None] = "reasoning_content"
    keeps_alive: ClassVar[bool] = True
    usage_in_finish: ClassVar[str] = "chunk"
    request_id_header: ClassVar[str] = "x-ds-trace-id"
    completion_extras: ClassVar[Json] = {"system_fingerprint": "fp_sandbox"}
    message_extras: ClassVar[Json] = {}
    models: ClassVar[tuple[str, ...]] = ("deepseek-v4-flash", "deepseek-v4-pro", "deepseek-chat", "deepseek-reasoner")
    thinking_models: ClassVar[frozenset[str]] = frozenset({"deepseek-v4-flash", "deepseek-v4-pro"})
    input_tokens_max: ClassVar[dict[str, int]] = dict.fromkeys(models, 1_000_000)
    owner: ClassVar[str] = "deepseek"
    problems: ClassVar[dict[Problem, Row]] = {
        **_BASE,
        Problem.NO_KEY: Row(401, "authentication_error", _INVALID, "Authentication Fails (no API key)"),
        Problem.BAD_KEY: Row(
            401, "authentication_error", _INVALID, "Authentication Fails, Your api key: {} is invalid"
        ),
        Problem.INVALID: Row(422, _INVALID, _INVALID, "{}"),
        Problem.MISSING: Row(400, _INVALID, _INVALID, "missing field `{}`"),
        Problem.UNKNOWN_MODEL: Row(400, _INVALID, _INVALID, "Model Not Exist"),
        Problem.TOO_LONG: Row(
            400,
            _INVALID,
            _INVALID,
            "This model's maximum context length is {0} tokens. However, you requested {1} tokens. "
            "Please reduce the length of the messages or completion.",
        ),
        Problem.PAYMENT: Row(402, "unknown_error", _INVALID, "Insufficient Balance"),
        Problem.NO_MONEY: Row(402, "unknown_error", _INVALID, "Insufficient Balance"),
        Problem.RATE_LIMIT: Row(429, "rate_limit_error", "rate_limit", "Rate Limit Reached"),
    }

    def new_id(self) -> str:
        """See `Flavour.new_id`."""
        return str(uuid.uuid4())

    def usage(self, usage: Usage) -> Json:
        """See `Flavour.usage`."""
        told: Json = {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.total,
            "prompt_cache_hit_tokens": usage.cached,
            "prompt_cache_miss_tokens": usage.prompt - usage.cached,
        }
        if usage.reasoning:
            told["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
        return told

    def chunk(self, head: Head, choices: list[Json], usage: Json | None) -> Json:
        """See `Flavour.chunk`."""
        chunk: Json = {
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": head.model,
            "system_fingerprint": "fp_sandbox",
            "choices": choices,
            "usage": usage,
        }
        return without_usage(chunk)

    def opening(self, *, thinking: bool) -> Json:
        """See `Flavour.opening`."""
        if thinking:
            return {"role": "assistant", "content": None, "reasoning_content": ""}
        return {"role": "assistant", "content": ""}

    def text_delta(self, text: str, *, thinking: bool) -> Json:
        """See `Flavour.text_delta`."""
        return {"content": text, "reasoning_content": None} if thinking else {"content": text}

    def reasoning_delta(self, text: str) -> Json:
        """See `Flavour.reasoning_delta`."""
        return {"content": None, "reasoning_content": text}

    def closing(self, *, thinking: bool) -> Json:
        """See `Flavour.closing`."""
        return self.text_delta("", thinking=thinking)

    def completion_choice(self, choice: Choice, text: str, logprobs: Json | None) -> Json:
        """See `Flavour.completion_choice`."""
        message = self.message(choice, text)
        message["content"] = text
        return {"index": choice.index, "message": message, "logprobs": logprobs, "finish_reason": choice.finish}
