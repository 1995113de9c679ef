"""A wire flavour: how one service writes its answers. The base is OpenAI's own; the others differ from it."""

import secrets
import uuid
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar

from yuanjing.sandbox.chat.answer import Call, Choice
from yuanjing.sandbox.chat.problems import Problem, RefusedError, Row
from yuanjing.sandbox.chat.request import Strictness
from yuanjing.sandbox.chat.usage import Usage

Json = dict[str, object]


class KeyPolicy(Enum):
    """What a flavour does about credentials."""

    REQUIRED = auto()
    OPTIONAL = auto()
    IGNORED = auto()


@dataclass(frozen=True, kw_only=True)
class Head:
    """What all chunks of one answer share. `wants_usage`: the stream's usage was asked for."""

    id: str
    request_id: str
    created: int
    model: str
    wants_usage: bool = False


_INVALID = "invalid_request_error"


class Flavour:
    """OpenAI's wire format, and what the others change of it.

    Attributes:
        name: the flavour's word in paths, journal and docs.
        bases: path prefixes before `/chat/completions` and `/models`.
        keys: what happens to credentials.
        strictness: what is refused.
        problems: the words of refusal.
        reasoning_field: where reasoning is shown; None if it is counted but hidden.
        limit_counts_reasoning: `max_tokens` covers reasoning.
        calls_in_parallel: the default of `parallel_tool_calls`.
        calls_whole: a tool call comes in one event.
        role_in_all: every delta carries the role.
        keeps_alive: comments before a stream's first event, empty lines before a plain answer.
        usage_in_finish: the last finish chunk carries the usage unasked, as `chunk` or in its `choice`.
        continuous_usage: heeds `stream_options.continuous_usage_stats`.
        request_id_header: where the request id is told; "" for nowhere.
        completion_extras: what else a plain answer has.
        message_extras: what else its message has.
        models: examples for the model list; every other name is accepted too.
        thinking_models: those that reason unless the request says otherwise.
        efforts_off: values of `reasoning_effort` that switch reasoning off.
        input_tokens_max: the longest input of a model; one that is not here has no limit.
    """

    name: ClassVar[str] = "openai"
    bases: ClassVar[tuple[str, ...]] = ("/v1", "/openai/v1")
    keys: ClassVar[KeyPolicy] = KeyPolicy.REQUIRED
    strictness: ClassVar[Strictness] = Strictness(refuses_two_limits=True, wants_word_json=True)
    reasoning_field: ClassVar[str | None] = None
    limit_counts_reasoning: ClassVar[bool] = True
    calls_in_parallel: ClassVar[bool] = True
    calls_whole: ClassVar[bool] = False
    role_in_all: ClassVar[bool] = False
    keeps_alive: ClassVar[bool] = False
    usage_in_finish: ClassVar[str] = ""
    continuous_usage: ClassVar[bool] = False
    request_id_header: ClassVar[str] = "x-request-id"
    completion_extras: ClassVar[Json] = {"service_tier": "default", "system_fingerprint": "fp_sandbox"}
    message_extras: ClassVar[Json] = {"refusal": None, "annotations": []}
    models: ClassVar[tuple[str, ...]] = ("gpt-5.1", "gpt-5-mini", "gpt-4.1")
    thinking_models: ClassVar[frozenset[str]] = frozenset({"gpt-5-mini"})
    efforts_off: ClassVar[frozenset[str]] = frozenset({"none"})
    input_tokens_max: ClassVar[dict[str, int]] = {
        "gpt-5.6-luna": 1_050_000,
        "gpt-5.6-terra": 1_050_000,
        "gpt-5.1": 272_000,
        "gpt-5-mini": 272_000,
        "gpt-4.1": 1_047_576,
    }
    owner: ClassVar[str] = "openai"
    problems: ClassVar[dict[Problem, Row]] = {
        Problem.NO_KEY: Row(401, _INVALID, None, "You didn't provide an API key."),
        Problem.BAD_KEY: Row(401, _INVALID, "invalid_api_key", "Incorrect API key provided: {}."),
        Problem.INVALID: Row(400, _INVALID, "invalid_value", "{}"),
        Problem.MISSING: Row(400, _INVALID, "missing_required_parameter", "Missing required parameter: '{}'."),
        Problem.UNKNOWN_MODEL: Row(
            404, _INVALID, "model_not_found", "The model `{}` does not exist or you do not have access to it."
        ),
        Problem.TOO_LONG: Row(
            400,
            _INVALID,
            "context_length_exceeded",
            "This model's maximum context length is {0} tokens. However, your messages resulted in {1} tokens.",
        ),
        Problem.PAYMENT: Row(402, "billing_error", "payment_required", "Payment is required."),
        Problem.NO_MONEY: Row(
            429,
            "insufficient_quota",
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        Problem.RATE_LIMIT: Row(429, "requests", "rate_limit_exceeded", "Rate limit reached. Please try again in 1s."),
        Problem.SERVER_ERROR: Row(
            500, "server_error", None, "The server had an error while processing your request. Sorry about that!"
        ),
        Problem.UNAVAILABLE: Row(503, "service_unavailable_error", None, "The engine is currently overloaded."),
        Problem.MODERATION: Row(400, _INVALID, "content_policy_violation", "The output was stopped by a filter."),
        Problem.TOO_LARGE: Row(413, _INVALID, None, "The request body is larger than {} bytes."),
        Problem.NO_ROUTE: Row(404, _INVALID, "unknown_url", "Invalid URL ({})."),
        Problem.WRONG_METHOD: Row(405, _INVALID, "method_not_supported", "Not allowed to {} here."),
    }

    def new_id(self) -> str:
        """A fresh id of an answer."""
        return f"chatcmpl-{secrets.token_hex(14)}"

    def new_request_id(self) -> str:
        """A fresh id of a request."""
        return f"req_{uuid.uuid4().hex}"

    def error(self, refused: RefusedError, request_id: str) -> tuple[int, Json]:  # noqa: ARG002  # others tell it
        """HTTP status and body for a refusal."""
        row = self.problems[refused.problem]
        return row.status, {
            "error": {
                "message": row.say(refused),
                "type": row.type,
                "param": refused.param,
                "code": row.code,
            }
        }

    def stream_error(self, refused: RefusedError, head: Head) -> Json:
        """The data of an error event in a stream."""
        return self.error(refused, head.request_id)[1]

    def usage(self, usage: Usage) -> Json:
        """The usage object."""
        return {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.total,
            "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": usage.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    # Streams.

    def chunk(self, head: Head, choices: list[Json], usage: Json | None) -> Json:
        """One chunk object."""
        chunk: Json = {
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": head.model,
            "service_tier": "default",
            "system_fingerprint": "fp_sandbox",
            "choices": choices,
        }
        if head.wants_usage:
            chunk["usage"] = usage
        return chunk

    def chunk_choice(self, index: int, delta: Json, finish: str | None, logprobs: Json | None) -> Json:
        """One entry of a chunk's `choices`."""
        if self.role_in_all:
            delta = {"role": "assistant", **delta}
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}

    def opening(self, *, thinking: bool) -> Json:  # noqa: ARG002  # others need it
        """The first delta of a choice."""
        return {"role": "assistant", "content": "", "refusal": None}

    def text_delta(self, text: str, *, thinking: bool) -> Json:  # noqa: ARG002  # others need it
        """A delta with answer text; `thinking`: reasoning came before."""
        return {"content": text}

    def reasoning_delta(self, text: str) -> Json:
        """A delta with reasoning, for flavours that show it."""
        assert self.reasoning_field is not None
        return {self.reasoning_field: text}

    def closing(self, *, thinking: bool) -> Json:  # noqa: ARG002  # others need it
        """The last delta of a choice."""
        return {}

    def call_opening(self, place: int, call: Call, arguments: str) -> Json:
        """The delta that opens a tool call."""
        function = {"name": call.name, "arguments": arguments}
        return {"tool_calls": [{"index": place, "id": call.id, "type": "function", "function": function}]}

    def call_delta(self, place: int, arguments: str) -> Json:
        """A delta with the next piece of a tool call's arguments."""
        return {"tool_calls": [{"index": place, "function": {"arguments": arguments}}]}

    # Plain answers.

    def completion(self, head: Head, choices: list[Json], usage: Json | None) -> Json:
        """The whole object; without the key `usage` if it is None."""
        whole: Json = {
            "id": head.id,
            "object": "chat.completion",
            "created": head.created,
            "model": head.model,
            "choices": choices,
            "usage": usage,
            **self.completion_extras,
        }
        return without_usage(whole)

    def completion_choice(self, choice: Choice, text: str, logprobs: Json | None) -> Json:
        """One entry of the object's `choices`."""
        return {
            "index": choice.index,
            "message": self.message(choice, text),
            "logprobs": logprobs,
            "finish_reason": choice.finish,
        }

    def message(self, choice: Choice, text: str) -> Json:
        """The message of a plain answer."""
        message: Json = {
            "role": "assistant",
            "content": None if choice.calls and not text else text,
            **self.message_extras,
        }
        if choice.reasoning and self.reasoning_field:
            message[self.reasoning_field] = "".join(choice.reasoning)
        if choice.calls:
            message["tool_calls"] = calls_json(choice.calls)
        return message


def calls_json(calls: list[Call]) -> list[Json]:
    """Tool calls as a plain answer shows them."""
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": "".join(call.arguments)}}
        for call in calls
    ]


def without_usage(whole: Json) -> Json:
    """`whole` without its usage if that is None."""
    return {key: value for key, value in whole.items() if key != "usage" or value is not None}
