"""Ollama: role in every chunk, `reasoning`, whole tool calls, no cached tokens, no keys."""

import secrets
from typing import ClassVar

from yuanjing.sandbox.chat.flavours.openai import Flavour, Head, Json, KeyPolicy, without_usage
from yuanjing.sandbox.chat.problems import Problem, Row
from yuanjing.sandbox.chat.request import Strictness
from yuanjing.sandbox.chat.usage import Usage

_INVALID = "invalid_request_error"
_BASE = Flavour.problems


class Ollama(Flavour):
    """Ollama: role in every chunk, `reasoning`, whole tool calls, no cached tokens, no keys."""

    name: ClassVar[str] = "ollama"
    bases: ClassVar[tuple[str, ...]] = ("/ollama/v1",)
    keys: ClassVar[KeyPolicy] = KeyPolicy.IGNORED
    strictness: ClassVar[Strictness] = Strictness(
        n_max=None,
        refuses_lone_stream_options=False,
        refuses_lone_tool_choice=False,
        refuses_loose_tool_messages=False,
    )
    reasoning_field: ClassVar[str | None] = "reasoning"
    calls_whole: ClassVar[bool] = True
    role_in_all: ClassVar[bool] = True
    request_id_header: ClassVar[str] = ""
    completion_extras: ClassVar[Json] = {"system_fingerprint": "fp_ollama"}
    message_extras: ClassVar[Json] = {}
    models: ClassVar[tuple[str, ...]] = ("qwen3:8b", "deepseek-r1:8b", "llama3.2:3b")
    thinking_models: ClassVar[frozenset[str]] = frozenset({"qwen3:8b"})
    input_tokens_max: ClassVar[dict[str, int]] = {}
    owner: ClassVar[str] = "library"
    problems: ClassVar[dict[Problem, Row]] = {
        **_BASE,
        Problem.BAD_KEY: Row(401, "api_error", None, "unauthorized"),
        Problem.INVALID: Row(400, _INVALID, None, "{}"),
        Problem.MISSING: Row(400, _INVALID, None, "{} is required"),
        Problem.UNKNOWN_MODEL: Row(404, "not_found_error", None, "model '{}' not found"),
        Problem.TOO_LONG: Row(400, "api_error", None, "prompt too long; exceeded max context length"),
        Problem.PAYMENT: Row(402, "api_error", None, "payment required"),
        Problem.NO_MONEY: Row(402, "api_error", None, "payment required"),
        Problem.RATE_LIMIT: Row(429, "api_error", None, "too many requests"),
        Problem.SERVER_ERROR: Row(500, "api_error", None, "internal server error"),
        Problem.UNAVAILABLE: Row(503, "api_error", None, "server busy, please try again"),
        Problem.MODERATION: Row(500, "api_error", None, "the runner stopped"),
    }

    def new_id(self) -> str:
        """See `Flavour.new_id`."""
        return f"chatcmpl-{secrets.randbelow(1000)}"

    def usage(self, usage: Usage) -> Json:
        """See `Flavour.usage`."""
        return {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.total,
        }

    def chunk(self, head: Head, choices: list[Json], usage: Json | None) -> Json:
        """See `Flavour.chunk`."""
        chunk: Json = {
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": head.model,
            "system_fingerprint": "fp_ollama",
            "choices": choices,
            "usage": usage,
        }
        return without_usage(chunk)

    def opening(self, *, thinking: bool) -> Json:  # noqa: ARG002  # the same with and without
        """See `Flavour.opening`."""
        return {"role": "assistant", "content": ""}

    def chunk_choice(self, index: int, delta: Json, finish: str | None, logprobs: Json | None) -> Json:
        """See `Flavour.chunk_choice`."""
        delta = {"role": "assistant", "content": "", **delta}
        choice: Json = {"index": index, "delta": delta, "finish_reason": finish}
        return choice if logprobs is None else {**choice, "logprobs": logprobs}
