"""Volcengine Ark: code first in errors, the request id in their text, the role in every delta."""

import secrets
from typing import ClassVar

from yuanjing.sandbox.chat.flavours.openai import Flavour, Head, Json
from yuanjing.sandbox.chat.problems import Problem, RefusedError, Row
from yuanjing.sandbox.chat.request import Strictness
from yuanjing.sandbox.chat.usage import Usage

_BASE = Flavour.problems


class Ark(Flavour):
    """Volcengine Ark: code first in errors, the request id in their text, the role in every delta."""

    name: ClassVar[str] = "ark"
    bases: ClassVar[tuple[str, ...]] = ("/api/v3",)
    strictness: ClassVar[Strictness] = Strictness(n_max=1, refuses_lone_stream_options=False)
    reasoning_field: ClassVar[str | None] = "reasoning_content"
    limit_counts_reasoning: ClassVar[bool] = False
    role_in_all: ClassVar[bool] = True
    request_id_header: ClassVar[str] = "X-Request-Id"
    completion_extras: ClassVar[Json] = {"service_tier": "default"}
    message_extras: ClassVar[Json] = {}
    models: ClassVar[tuple[str, ...]] = (
        "doubao-seed-1-8-251228",
        "doubao-seed-1-6-251015",
        "doubao-seed-1-6-flash-250828",
    )
    thinking_models: ClassVar[frozenset[str]] = frozenset(
        {"doubao-seed-1-8-251228", "doubao-seed-1-6-251015", "doubao-seed-1-6-flash-250828"}
    )
    efforts_off: ClassVar[frozenset[str]] = frozenset({"none", "minimal"})
    input_tokens_max: ClassVar[dict[str, int]] = dict.fromkeys(thinking_models, 262_144)
    owner: ClassVar[str] = "volcengine"
    problems: ClassVar[dict[Problem, Row]] = {
        **_BASE,
        Problem.NO_KEY: Row(401, "Unauthorized", "AuthenticationError", "The API key in the request is missing."),
        Problem.BAD_KEY: Row(401, "Unauthorized", "AuthenticationError", "The API key doesn't exist."),
        Problem.INVALID: Row(400, "BadRequest", "InvalidParameter", "A parameter in the request is not valid: {}"),
        Problem.MISSING: Row(400, "BadRequest", "MissingParameter", "The required parameter `{}` is missing."),
        Problem.UNKNOWN_MODEL: Row(
            404, "NotFound", "InvalidEndpointOrModel.NotFound", "The model or endpoint {} does not exist."
        ),
        Problem.TOO_LONG: Row(
            400, "BadRequest", "InvalidParameter", "Total tokens of image and text exceed max message tokens."
        ),
        Problem.PAYMENT: Row(402, "Forbidden", "PaymentRequired", "Payment is required."),
        Problem.NO_MONEY: Row(403, "Forbidden", "AccountOverdueError", "The account has an overdue balance."),
        Problem.RATE_LIMIT: Row(
            429, "TooManyRequests", "RateLimitExceeded.EndpointRPMExceeded", "The requests per minute are exceeded."
        ),
        Problem.SERVER_ERROR: Row(500, "InternalServerError", "InternalServiceError", "The service failed inside."),
        Problem.UNAVAILABLE: Row(503, "ServiceUnavailable", "ServerOverloaded", "The service is overloaded."),
        Problem.MODERATION: Row(
            400, "BadRequest", "OutputTextSensitiveContentDetected", "The output text may be sensitive."
        ),
    }

    def new_id(self) -> str:
        """See `Flavour.new_id`."""
        return self.new_request_id()

    def new_request_id(self) -> str:
        """See `Flavour.new_request_id`."""
        return f"021{secrets.token_hex(25)}"

    def error(self, refused: RefusedError, request_id: str) -> tuple[int, Json]:
        """See `Flavour.error`."""
        row = self.problems[refused.problem]
        text = f"{row.say(refused)} Request id: {request_id}"
        return row.status, {
            "error": {"code": row.code, "message": text, "param": refused.param or "", "type": row.type}
        }

    def usage(self, usage: Usage) -> Json:
        """See `Flavour.usage`."""
        return {
            "completion_tokens": usage.completion,
            "prompt_tokens": usage.prompt,
            "total_tokens": usage.total,
            "prompt_tokens_details": {"cached_tokens": usage.cached},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
        }

    def chunk(self, head: Head, choices: list[Json], usage: Json | None) -> Json:
        """See `Flavour.chunk`; `usage` is null in all other chunks."""
        return {
            "choices": choices,
            "created": head.created,
            "id": head.id,
            "model": head.model,
            "service_tier": "default",
            "object": "chat.completion.chunk",
            "usage": usage,
        }

    def chunk_choice(self, index: int, delta: Json, finish: str | None, logprobs: Json | None) -> Json:
        """See `Flavour.chunk_choice`; fields without a value are left out."""
        choice: Json = {"delta": {"role": "assistant", **delta}, "index": index}
        if finish is not None:
            choice["finish_reason"] = finish
        if logprobs is not None:
            choice["logprobs"] = logprobs
        return choice

    def opening(self, *, thinking: bool) -> Json:
        """See `Flavour.opening`."""
        return {"content": "", "reasoning_content": ""} if thinking else {"content": ""}

    def reasoning_delta(self, text: str) -> Json:
        """See `Flavour.reasoning_delta`."""
        return {"content": "", "reasoning_content": text}

    def closing(self, *, thinking: bool) -> Json:
        """See `Flavour.closing`."""
        return self.text_delta("", thinking=thinking)
