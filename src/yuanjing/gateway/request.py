"""A chat request as it came: the fields that we read, what bounds its cost, and the body for a provider.

Only the fields that matter to admission are decoded; everything else stays as the bytes that the client wrote.
"""

import msgspec
from msgspec import UNSET, Raw, UnsetType

from yuanjing.domain.catalog import ChatLimits
from yuanjing.domain.dialects import Dialect
from yuanjing.kit.text import utf8_length

TOKENS_MAX = 2**31 - 1
_TRUE_WORDS = frozenset({"true", "1", "y", "yes", "on"})
_FALSE_WORDS = frozenset({"false", "0", "n", "no", "off", ""})
_TEXT_PARTS = frozenset({"text", "refusal", "input_text"})
_GROWING_FIELDS = frozenset(
    {"enable_search", "search_options", "web_search_options", "enable_code_interpreter", "prediction"}
)
"""Fields with which a provider may put more into the input than the request carries."""
_FUNCTIONS = frozenset({"function"})
_IDLE_VALUES = frozenset({b"false", b"null", b'"auto"', b'"default"'})
"""With these a field asks for nothing but what is done anyway."""


class RequestError(Exception):
    """The request cannot be admitted; `code` is one of `domain.dialects.ERRORS`."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None
    continuous_usage_stats: object = None


class _Known(msgspec.Struct, gc=False):
    model: str | None = None
    messages: Raw | UnsetType = UNSET
    stream: bool | int | str | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    prompt: Raw | UnsetType = UNSET
    sys_prompt: Raw | UnsetType = UNSET
    llmid: Raw | UnsetType = UNSET


class _ImageUrl(msgspec.Struct, gc=False):
    url: str = ""


class _Part(msgspec.Struct, gc=False):
    type: str = "text"
    text: str | None = None
    image_url: _ImageUrl | str | None = None


class _Tool(msgspec.Struct, gc=False):
    type: str = "function"


class _Message(msgspec.Struct, gc=False):
    content: Raw = Raw(b"null")


_decode_known = msgspec.json.Decoder(_Known).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_messages = msgspec.json.Decoder(list[_Message]).decode
_decode_tools = msgspec.json.Decoder(list[_Tool] | None).decode
_decode_parts = msgspec.json.Decoder(list[_Part]).decode
_decode_text = msgspec.json.Decoder(str).decode
encode = msgspec.json.Encoder().encode
_OPENAI = Dialect.OPENAI
_NULL = Raw(b"null")


class ChatRequest:
    """What admission and routing need to know of one request."""

    __slots__ = (
        "dialect",
        "fields",
        "images",
        "includes_usage",
        "input_is_unbounded",
        "is_stream",
        "keeps_usage",
        "max_tokens",
        "message_count",
        "model",
        "n",
        "text_bytes",
        "token_limits",
        "tool_types",
    )

    def __init__(self, dialect: Dialect, body: bytes) -> None:
        """Read a body.

        Raises:
            RequestError: not JSON, a field missing or of the wrong type; the message says what to change.
        """
        self.dialect = dialect
        known = self._read(body)
        self.model = self._model(known)
        self.is_stream = known.stream is True or (known.stream is not None and _truth(dialect, known.stream))
        options = known.stream_options
        self.includes_usage = options is not None and options.include_usage is True
        self.keeps_usage = options is not None and options.continuous_usage_stats is True
        self.n = 1 if known.n is None else known.n
        self.token_limits: dict[str, int] = {}
        if known.max_tokens is not None:
            self.token_limits["max_tokens"] = known.max_tokens
        if known.max_completion_tokens is not None:
            self.token_limits["max_completion_tokens"] = known.max_completion_tokens
        self.max_tokens = max(self.token_limits.values()) if self.token_limits else None
        self._messages(known)
        for name, value in self.token_limits.items():
            if not 1 <= value <= TOKENS_MAX:
                raise self._out_of_range(name)
        if not 1 <= self.n <= TOKENS_MAX:
            raise self._out_of_range("n")
        self.text_bytes = len(body)
        self.images = self.message_count = 0
        self.input_is_unbounded = False
        if not _GROWING_FIELDS.isdisjoint(self.fields):
            self._check_growing()
        self.tool_types: frozenset[str] = frozenset()
        if "tools" in self.fields:
            self._check_tools()
        self._count_messages()

    def _model(self, known: _Known) -> str:
        """What is asked for; the seed's dialect may name it by `llmid`, which in the other is an unknown field."""
        if known.model:
            return known.model
        if self.dialect is Dialect.LLMAGE and known.llmid is not UNSET and bytes(known.llmid) not in (b"null", b'""'):
            try:
                return _decode_text(bytes(known.llmid))
            except msgspec.MsgspecError as error:
                raise RequestError("invalid_parameter", "Invalid parameter: llmid", "llmid") from error
        raise _missing("model")

    def _read(self, body: bytes) -> _Known:
        try:
            if not body.isascii():
                body.decode()  # fields that nobody decodes must be UTF-8 too
            known = _decode_known(body)
            self.fields = _decode_fields(body)
        except msgspec.ValidationError as error:
            raise self._invalid(str(error)) from error
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            message = "The request body is not valid JSON; send a JSON object with Content-Type: application/json"
            raise RequestError("invalid_json", message) from error
        return known

    def _invalid(self, text: str) -> RequestError:
        reason, _, path = text.partition(" - at `$.")
        param = path.rstrip("`").partition(".")[0].partition("[")[0]
        if not param:
            return RequestError("invalid_json", "The request body must be a JSON object")
        if self.dialect is Dialect.LLMAGE:
            return RequestError("invalid_parameter", f"Invalid parameter: {param}", param)
        return RequestError(
            "invalid_parameter", f"Invalid value for '{param}': {reason[:1].lower()}{reason[1:]}", param
        )

    def _invalid_messages(self, error: msgspec.ValidationError) -> RequestError:
        reason, _, _ = str(error).partition(" - at `")
        return self._invalid(f"{reason} - at `$.messages`")

    def _messages(self, known: _Known) -> None:
        """The messages that go upstream: the client's, with the seed's prompts put around them."""
        fields = self.fields
        has_messages = known.messages is not UNSET and known.messages != _NULL
        if self.dialect is _OPENAI:
            if not has_messages:
                raise _missing("messages")
            return
        prompt = self._prompt("prompt", known.prompt)
        system = self._prompt("sys_prompt", known.sys_prompt)
        if prompt is None and not has_messages:
            raise _missing("prompt")
        fields.pop("llmid", None)
        if prompt is None and system is None:
            return
        parts = [b'{"role":"system","content":' + system + b"}"] if system is not None else []
        if has_messages:
            inner = bytes(fields["messages"]).strip()
            if not inner.startswith(b"["):
                raise RequestError("invalid_parameter", "Invalid parameter: messages", "messages")
            if inside := inner[1:-1].strip():
                parts.append(inside)
        if prompt is not None:
            parts.append(b'{"role":"user","content":' + prompt + b"}")
        fields["messages"] = Raw(b"[" + b",".join(parts) + b"]")

    def _prompt(self, name: str, raw: Raw | UnsetType) -> bytes | None:
        """A prompt's JSON string; None if it is absent or empty."""
        self.fields.pop(name, None)
        if raw is UNSET:
            return None
        text = bytes(raw)
        if text in (b"null", b'""'):
            return None
        if text.startswith(b"["):
            try:
                _decode_parts(text)
            except msgspec.ValidationError as error:
                raise RequestError("invalid_parameter", f"Invalid parameter: {name}", name) from error
        elif not text.startswith(b'"'):
            raise RequestError("invalid_parameter", f"Invalid parameter: {name}", name)
        return text

    def _out_of_range(self, name: str) -> RequestError:
        message = f"'{name}' must be at least 1 and at most {TOKENS_MAX}"
        if self.dialect is Dialect.LLMAGE:
            message = f"Invalid parameter: {name}"
        return RequestError("invalid_parameter", message, name)

    def _check_growing(self) -> None:
        for name in _GROWING_FIELDS:
            if name in self.fields and bytes(self.fields[name]) not in (b"false", b"null"):
                self.input_is_unbounded = True

    def _check_tools(self) -> None:
        """Tools that a provider runs itself put their results into the input."""
        try:
            tools = _decode_tools(self.fields["tools"])
        except msgspec.ValidationError:
            tools = [_Tool(type="unknown")]
        self.tool_types = frozenset(tool.type for tool in tools or ())
        if not self.tool_types <= _FUNCTIONS:
            self.input_is_unbounded = True

    def _count_messages(self) -> None:
        try:
            messages = _decode_messages(self.fields["messages"])
        except msgspec.ValidationError as error:
            raise self._invalid_messages(error) from error
        if not messages:
            raise self._invalid("Expected at least one message, with a role and content - at `$.messages`")
        self.message_count = len(messages)
        for message in messages:
            content = bytes(message.content)
            if content.startswith(b"["):
                self._count_parts(content)
            elif not content.startswith((b'"', b"null")):
                raise self._invalid("Expected a string or an array of parts - at `$.messages`")

    def _count_parts(self, content: bytes) -> None:
        try:
            parts = _decode_parts(content)
        except msgspec.ValidationError as error:
            raise self._invalid_messages(error) from error
        for part in parts:
            if part.type == "image_url" or part.image_url is not None:
                self.images += 1
                image = part.image_url
                url = image.url if isinstance(image, _ImageUrl) else image or ""
                if url.startswith("data:"):
                    self.text_bytes -= len(url)
            elif part.type not in _TEXT_PARTS:
                self.input_is_unbounded = True

    def refuse(self, fields: frozenset[str], tools: frozenset[str]) -> None:
        """Refuse what an offer does not have: fields that ask for something, and tools of these types.

        Raises:
            RequestError: one of them is there; the message says why it is not offered.
        """
        if not fields.isdisjoint(self.fields):
            for name in sorted(fields & self.fields.keys()):
                if bytes(self.fields[name]) not in _IDLE_VALUES:
                    raise self._not_offered(name, f"'{name}' is not offered with this model")
        if self.tool_types and not tools.isdisjoint(self.tool_types):
            kind = min(tools & self.tool_types)
            raise self._not_offered("tools", f"'tools' of type '{kind}' are not offered with this model")

    def _not_offered(self, name: str, what: str) -> RequestError:
        text = f"{what}: the provider charges more for it, which the price does not cover; leave it out"
        if self.dialect is Dialect.LLMAGE:
            return RequestError("invalid_parameter", f"Invalid parameter: {name}; {text}", name)
        return RequestError("invalid_parameter", text, name)

    def prompt_bytes(self) -> int:
        """UTF-8 bytes of the messages' texts and of the tools offered: what our own count of the input starts from."""
        total = sum(len(bytes(self.fields[name])) for name in ("tools", "functions") if name in self.fields)
        for message in _decode_messages(self.fields["messages"]):
            content = bytes(message.content)
            if content.startswith(b'"'):
                total += utf8_length(_decode_text(content))
            elif content.startswith(b"["):
                total += sum(utf8_length(part.text or "") for part in _decode_parts(content))
        return total

    def input_tokens_max(self, limits: ChatLimits) -> int:
        """The most tokens that the provider can count as input; byte-level tokenizers never make more than bytes."""
        if self.input_is_unbounded:
            return limits.context_tokens
        bound = (
            self.text_bytes
            + limits.template_tokens_per_request
            + limits.template_tokens_per_message * self.message_count
            + limits.image_tokens_max * self.images
        )
        return min(bound, limits.context_tokens)

    def output_tokens_max(self, limits: ChatLimits) -> int:
        """The most tokens that the provider can count as output of one choice, reasoning included."""
        asked = limits.output_tokens_max if self.max_tokens is None else min(self.max_tokens, limits.output_tokens_max)
        return asked + limits.reasoning_tokens_max

    def upstream_body(self, upstream_model_json: bytes, clamp_to: int | None, limit_field: str | None) -> bytes:
        """The body for a provider: its model name, our wish for usage, a clamped maximum; all else as it came.

        `limit_field` is the one field for the longest answer that the provider knows, None if it knows both of them:
        one that it passes over would leave the answer unbounded, and what it makes then is more than was set aside.
        """
        fields = dict(self.fields)
        fields["model"] = Raw(upstream_model_json)
        if self.is_stream:
            fields["stream"] = Raw(b"true")
            fields["stream_options"] = self._stream_options()
        elif "stream" in fields:
            fields["stream"] = Raw(b"false")
        if self.token_limits or clamp_to is not None:
            self._limit_output(fields, clamp_to, limit_field)
        return encode(fields)

    def _limit_output(self, fields: dict[str, Raw], clamp_to: int | None, limit_field: str | None) -> None:
        limits = self.token_limits
        if limits and limit_field is not None and limits.keys() != {limit_field}:
            for name in limits:
                del fields[name]
            limits = {limit_field: limits.get(limit_field) or max(limits.values())}
            fields[limit_field] = Raw(b"%d" % limits[limit_field])
        if clamp_to is not None:
            for name, value in (limits or {limit_field or "max_tokens": clamp_to}).items():
                fields[name] = Raw(b"%d" % min(value, clamp_to))

    def _stream_options(self) -> Raw:
        given = self.fields.get("stream_options")
        if given is None or self.includes_usage or bytes(given) == b"null":
            return Raw(b'{"include_usage":true}') if given is None or not self.includes_usage else given
        options = _decode_fields(given)
        options["include_usage"] = Raw(b"true")
        return Raw(encode(options))


def token_limit_field(quirks: tuple[str, ...]) -> str | None:
    """The field for the longest answer that a provider with these quirks knows; None if it knows both."""
    if "either_token_limit" in quirks:
        return None
    return "max_completion_tokens" if "max_completion_tokens" in quirks else "max_tokens"


def _truth(dialect: Dialect, value: int | str) -> bool:
    """A switch; the seed's dialect takes its words and numbers too."""
    if value is False:
        return False
    if dialect is Dialect.LLMAGE:
        word = str(value).strip().lower()
        if word in _TRUE_WORDS:
            return True
        if word in _FALSE_WORDS:
            return False
        raise RequestError("invalid_parameter", "Invalid parameter: stream", "stream")
    raise RequestError("invalid_parameter", "Invalid value for 'stream': expected `bool`", "stream")


def _missing(name: str) -> RequestError:
    return RequestError("missing_required_parameter", f"Missing required parameter: {name}", name)
