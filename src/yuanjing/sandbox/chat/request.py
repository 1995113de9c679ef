"""The chat request, read as strictly as the real services read it. An explicit null means "not given"."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from yuanjing.sandbox import jsons
from yuanjing.sandbox.chat.problems import Problem, RefusedError

UNKNOWN_MODEL_PREFIX = "unknown-"
STOPS_MAX = 4
NOT_ECHOED = frozenset({"model", "messages", "stream", "stream_options", "tools"})

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Positive = Annotated[int, Meta(ge=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]


class ContentPart(Struct, kw_only=True):
    """One part of a message's content."""

    type: str
    text: str | None = None
    image_url: dict[str, object] | str | None = None
    cache_control: dict[str, object] | None = None


class FunctionCall(Struct, kw_only=True):
    """The function that an assistant called earlier."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(Struct, kw_only=True):
    """A call in the history."""

    id: str | None = None
    function: FunctionCall | None = None


class ChatMessage(Struct, kw_only=True):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """All text of the message."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or [] if part.text)

    @property
    def attachments(self) -> list[ContentPart]:
        """The parts that are no text: images, audio, files."""
        return [] if isinstance(self.content, str) else [p for p in self.content or [] if p.type != "text"]


class ToolFunction(Struct, kw_only=True):
    """A function that the model may call."""

    name: str
    parameters: dict[str, object] | None = None


class Tool(Struct, kw_only=True):
    """A tool that is offered."""

    type: str
    function: ToolFunction | None = None


class StreamOptions(Struct, kw_only=True):
    """What a stream should carry."""

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


class JsonSchema(Struct, kw_only=True):
    """The wanted shape of a structured answer."""

    name: str
    schema: dict[str, object] | None = None


class ResponseFormat(Struct, kw_only=True):
    """The wanted kind of answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Thinking(Struct, kw_only=True):
    """Whether to think before the answer."""

    type: Literal["enabled", "disabled", "auto"]


class TemplateOptions(Struct, kw_only=True):
    """What vLLM hands to the model's chat template; Qwen's knows this switch."""

    enable_thinking: bool | None = None


class ChatRequest(Struct, kw_only=True):
    """The fields that the sandbox acts on; all others are accepted and named in the answer."""

    model: str | None = None
    messages: list[ChatMessage] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    n: Positive | None = None
    stop: str | list[str] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0)] | None = None
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | dict[str, object] | None = None
    parallel_tool_calls: bool | None = None
    enable_thinking: bool | None = None
    thinking_budget: Annotated[int, Meta(ge=0)] | None = None
    thinking: Thinking | None = None
    chat_template_kwargs: TemplateOptions | None = None
    reasoning_effort: Effort | None = None

    @property
    def includes_usage(self) -> bool:
        """Whether the stream's usage was asked for."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def stops(self) -> list[str]:
        """The stop texts, empty ones left out."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in given if text]

    @property
    def functions(self) -> list[ToolFunction]:
        """The functions that are offered."""
        return [tool.function for tool in self.tools or [] if tool.function]

    @property
    def last_user_text(self) -> str:
        """The text of the last user message."""
        for message in reversed(self.messages or []):
            if message.role == "user":
                return message.text
        return ""


class Strictness(Struct, frozen=True, kw_only=True):
    """Where the services differ in what they refuse, and in what they pass over.

    `n_max` is the most choices, None if `n` is ignored; `passes_over` are fields that the service does not know.
    """

    n_max: int | None = 128
    top_logprobs_max: int = 20
    refuses_lone_stream_options: bool = True
    refuses_two_limits: bool = False
    refuses_lone_tool_choice: bool = True
    refuses_loose_tool_messages: bool = True
    wants_word_json: bool = False
    passes_over: frozenset[str] = frozenset()


def decode(body: bytes) -> dict[str, object]:
    """The request's JSON object.

    Raises:
        RefusedError: the body is no JSON object.
    """
    try:
        fields = jsons.as_object(msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError) as error:
        raise RefusedError(Problem.INVALID, f"We could not parse the JSON body of your request: {error}") from None
    if fields is None:
        raise RefusedError(Problem.INVALID, "The body of your request must be a JSON object.")
    return fields


def read(fields: dict[str, object], strictness: Strictness) -> tuple[ChatRequest, str, list[ChatMessage]]:
    """The request, its model and its messages.

    Raises:
        RefusedError: it misses something or breaks a rule.
    """
    heeded = {name: value for name, value in fields.items() if name not in strictness.passes_over}
    try:
        request = msgspec.convert(heeded, ChatRequest, strict=True)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        param = path.rstrip("`").lstrip(".") or None
        raise RefusedError(Problem.INVALID, f"Invalid value for '{param}': {text}.", param) from None
    if not request.model:
        raise RefusedError(Problem.MISSING, "model", "model")
    if request.messages is None:
        raise RefusedError(Problem.MISSING, "messages", "messages")
    if request.model.startswith(UNKNOWN_MODEL_PREFIX):
        raise RefusedError(Problem.UNKNOWN_MODEL, request.model, "model")
    _check_messages(request.messages, strictness)
    _check_parameters(request, strictness)
    _check_tools(request, strictness)
    return request, request.model, request.messages


def _refuse(text: str, param: str) -> RefusedError:
    return RefusedError(Problem.INVALID, text, param)


def _check_messages(messages: list[ChatMessage], strictness: Strictness) -> None:
    if not messages:
        raise _refuse("Invalid 'messages': empty array, at least one message is needed.", "messages")
    open_calls: set[str | None] = set()
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message.content is None and not message.tool_calls:
            raise _refuse(f"Invalid value for 'content' of {where}: expected a string, got null.", where)
        open_calls |= {call.id for call in message.tool_calls or []}
        if message.role == "tool" and strictness.refuses_loose_tool_messages:
            if not message.tool_call_id:
                raise RefusedError(Problem.MISSING, f"{where}.tool_call_id", f"{where}.tool_call_id")
            if message.tool_call_id not in open_calls:
                raise _refuse(
                    f"{where} with role 'tool' must be a response to a preceding message with 'tool_calls'.", where
                )


def _check_parameters(request: ChatRequest, strictness: Strictness) -> None:
    if strictness.n_max is not None and (request.n or 1) > strictness.n_max:
        raise _refuse(f"Invalid 'n': must be between 1 and {strictness.n_max}.", "n")
    if strictness.refuses_lone_stream_options and request.stream_options and not request.stream:
        raise _refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    if strictness.refuses_two_limits and request.max_tokens and request.max_completion_tokens:
        raise _refuse("Setting 'max_tokens' and 'max_completion_tokens' at once is not supported.", "max_tokens")
    if request.top_logprobs and not request.logprobs:
        raise _refuse("'logprobs' must be true when 'top_logprobs' is set.", "top_logprobs")
    if (request.top_logprobs or 0) > strictness.top_logprobs_max:
        raise _refuse(f"'top_logprobs' must be at most {strictness.top_logprobs_max}.", "top_logprobs")
    if len(request.stops) > STOPS_MAX:
        raise _refuse(f"Invalid 'stop': at most {STOPS_MAX} texts.", "stop")
    _check_format(request, strictness)


def _check_format(request: ChatRequest, strictness: Strictness) -> None:
    wanted = request.response_format
    if wanted is None:
        return
    if wanted.type == "json_schema" and wanted.json_schema is None:
        raise RefusedError(Problem.MISSING, "response_format.json_schema", "response_format.json_schema")
    if wanted.type == "json_object" and strictness.wants_word_json:
        said = any("json" in message.text.lower() for message in request.messages or [])
        if not said:
            raise _refuse(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
                "messages",
            )


def _check_tools(request: ChatRequest, strictness: Strictness) -> None:
    for index, tool in enumerate(request.tools or []):
        if tool.type == "function" and (tool.function is None or not tool.function.name):
            raise RefusedError(Problem.MISSING, f"tools[{index}].function", f"tools[{index}].function")
    if request.tool_choice is None:
        return
    if not request.tools:
        if strictness.refuses_lone_tool_choice:
            raise _refuse("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
        return
    name = chosen_function(request)
    if name is not None and name not in {function.name for function in request.functions}:
        raise _refuse(f"Tool choice '{name}' not found in 'tools'.", "tool_choice")


def chosen_function(request: ChatRequest) -> str | None:
    """The function that `tool_choice` names, if it names one; "" if it names none in a wrong shape."""
    if not isinstance(request.tool_choice, dict):
        return None
    function = jsons.as_object(request.tool_choice.get("function"))
    return str((function or {}).get("name", ""))
