"""Moonshot (Kimi): usage inside the finish chunk's choice, cached tokens at its top, no error code."""

from typing import ClassVar

from yuanjing.sandbox.chat.flavours.openai import Flavour, Head, Json, without_usage
from yuanjing.sandbox.chat.problems import Problem, RefusedError, Row
from yuanjing.sandbox.chat.request import Strictness
from yuanjing.sandbox.chat.usage import Usage

_INVALID = "invalid_request_error"
_BASE = Flavour.problems


class Moonshot(Flavour):
    """Moonshot (Kimi): usage inside the finish chunk's choice, cached tokens at its top, no error code."""

    name: ClassVar[str] = "moonshot"
    bases: ClassVar[tuple[str, ...]] = ("/moonshot/v1",)
    strictness: ClassVar[Strictness] = Strictness(n_max=5, refuses_lone_stream_options=False)
    reasoning_field: ClassVar[str | None] = "reasoning_content"
    usage_in_finish: ClassVar[str] = "choice"
    request_id_header: ClassVar[str] = "msh-request-id"
    completion_extras: ClassVar[Json] = {}
    message_extras: ClassVar[Json] = {}
    models: ClassVar[tuple[str, ...]] = ("kimi-k2.6", "kimi-k2.5", "kimi-k2-thinking", "moonshot-v1-8k")
    thinking_models: ClassVar[frozenset[str]] = frozenset({"kimi-k2.6", "kimi-k2.5"})
    input_tokens_max: ClassVar[dict[str, int]] = {
        "kimi-k2.6": 262_144,
        "kimi-k2.5": 262_144,
        "kimi-k2-thinking": 262_144,
        "moonshot-v1-8k": 8_192,
    }
    owner: ClassVar[str] = "moonshot"
    problems: ClassVar[dict[Problem, Row]] = {
        **_BASE,
        Problem.NO_KEY: Row(401, "invalid_authentication_error", None, "Invalid Authentication"),
        Problem.BAD_KEY: Row(401, "invalid_authentication_error", None, "Invalid Authentication"),
        Problem.INVALID: Row(400, _INVALID, None, "Invalid request: {}"),
        Problem.MISSING: Row(400, _INVALID, None, "Invalid request: {} is required"),
        Problem.UNKNOWN_MODEL: Row(
            404, "resource_not_found_error", None, "Not found the model {} or Permission denied"
        ),
        Problem.TOO_LONG: Row(
            400, _INVALID, None, "Invalid request: Your request exceeded model token limit: {0} (requested: {1})"
        ),
        Problem.NO_MONEY: Row(
            429,
            "exceeded_current_quota_error",
            None,
            "Your account is not active, exceeded current quota, please check your plan and billing details",
        ),
        Problem.RATE_LIMIT: Row(429, "rate_limit_reached_error", None, "Rate limit reached, try again after 1 seconds"),
        Problem.UNAVAILABLE: Row(503, "engine_overloaded_error", None, "The engine is currently overloaded"),
        Problem.MODERATION: Row(400, "content_filter", None, "The output was considered high risk"),
    }

    def error(self, refused: RefusedError, request_id: str) -> tuple[int, Json]:  # noqa: ARG002  # not told here
        """See `Flavour.error`."""
        row = self.problems[refused.problem]
        return row.status, {"error": {"message": row.say(refused), "type": row.type}}

    def usage(self, usage: Usage) -> Json:
        """See `Flavour.usage`."""
        return {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.total,
            "cached_tokens": usage.cached,
        }

    def chunk(self, head: Head, choices: list[Json], usage: Json | None) -> Json:
        """See `Flavour.chunk`."""
        chunk: Json = {
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": head.model,
            "choices": choices,
            "system_fingerprint": "fpv0_sandbox",
            "usage": usage,
        }
        return without_usage(chunk)

    def chunk_choice(self, index: int, delta: Json, finish: str | None, logprobs: Json | None) -> Json:
        """See `Flavour.chunk_choice`."""
        choice: Json = {"index": index, "delta": delta, "finish_reason": finish}
        return choice if logprobs is None else {**choice, "logprobs": logprobs}

    def opening(self, *, thinking: bool) -> Json:  # noqa: ARG002  # the same with and without
        """See `Flavour.opening`."""
        return {"role": "assistant", "content": ""}
