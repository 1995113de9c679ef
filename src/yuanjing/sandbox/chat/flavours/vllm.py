"""vLLM: `reasoning`, integer error codes, optional keys with a bare string as the error."""

from typing import ClassVar

from yuanjing.sandbox.chat.flavours.openai import Flavour, Head, Json, KeyPolicy, without_usage
from yuanjing.sandbox.chat.problems import Problem, RefusedError, Row
from yuanjing.sandbox.chat.request import Strictness
from yuanjing.sandbox.chat.usage import Usage

_BASE = Flavour.problems


class Vllm(Flavour):
    """vLLM: `reasoning`, integer error codes, optional keys with a bare string as the error."""

    name: ClassVar[str] = "vllm"
    bases: ClassVar[tuple[str, ...]] = ("/vllm/v1",)
    keys: ClassVar[KeyPolicy] = KeyPolicy.OPTIONAL
    strictness: ClassVar[Strictness] = Strictness(refuses_loose_tool_messages=False)
    reasoning_field: ClassVar[str | None] = "reasoning"
    continuous_usage: ClassVar[bool] = True
    request_id_header: ClassVar[str] = ""
    completion_extras: ClassVar[Json] = {"service_tier": None, "system_fingerprint": None, "prompt_logprobs": None}
    message_extras: ClassVar[Json] = {}
    models: ClassVar[tuple[str, ...]] = ("Qwen/Qwen3-32B", "deepseek-ai/DeepSeek-R1-0528")
    thinking_models: ClassVar[frozenset[str]] = frozenset({"Qwen/Qwen3-32B"})
    input_tokens_max: ClassVar[dict[str, int]] = {"Qwen/Qwen3-32B": 40_960, "deepseek-ai/DeepSeek-R1-0528": 163_840}
    owner: ClassVar[str] = "vllm"
    problems: ClassVar[dict[Problem, Row]] = {
        **_BASE,
        Problem.INVALID: Row(400, "BadRequestError", 400, "{}"),
        Problem.MISSING: Row(400, "BadRequestError", 400, "Field required: {}"),
        Problem.UNKNOWN_MODEL: Row(404, "NotFoundError", 404, "The model `{}` does not exist."),
        Problem.TOO_LONG: Row(
            400,
            "BadRequestError",
            400,
            "This model's maximum context length is {0} tokens. However, your request has {1} input tokens. "
            "Please reduce the length of the input messages.",
        ),
        Problem.PAYMENT: Row(402, "PaymentRequired", 402, "Payment is required."),
        Problem.NO_MONEY: Row(402, "PaymentRequired", 402, "Payment is required."),
        Problem.RATE_LIMIT: Row(429, "TooManyRequests", 429, "Too many requests."),
        Problem.SERVER_ERROR: Row(500, "InternalServerError", 500, "Internal server error."),
        Problem.UNAVAILABLE: Row(503, "ServiceUnavailable", 503, "The server is overloaded."),
        Problem.MODERATION: Row(500, "InternalServerError", 500, "The engine stopped."),
    }

    def error(self, refused: RefusedError, request_id: str) -> tuple[int, Json]:
        """See `Flavour.error`."""
        if refused.problem in {Problem.BAD_KEY, Problem.NO_KEY}:
            return 401, {"error": "Unauthorized"}
        return super().error(refused, request_id)

    def usage(self, usage: Usage) -> Json:
        """See `Flavour.usage`."""
        return {
            "prompt_tokens": usage.prompt,
            "total_tokens": usage.total,
            "completion_tokens": usage.completion,
            "prompt_tokens_details": {"cached_tokens": usage.cached} if usage.cached else None,
        }

    def chunk(self, head: Head, choices: list[Json], usage: Json | None) -> Json:
        """See `Flavour.chunk`."""
        chunk: Json = {
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": head.model,
            "choices": choices,
            "usage": usage,
        }
        return without_usage(chunk)

    def opening(self, *, thinking: bool) -> Json:  # noqa: ARG002  # the same with and without
        """See `Flavour.opening`."""
        return {"role": "assistant", "content": ""}

    def closing(self, *, thinking: bool) -> Json:
        """See `Flavour.closing`."""
        return self.text_delta("", thinking=thinking)
