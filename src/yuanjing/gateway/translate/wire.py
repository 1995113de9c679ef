"""What all translations of OpenAI-compatible answers share: the fields that are read, and usage made normal.

Sources: the `openai` SDK's types, and the table of differences between compatible providers in the project's facts:
Moonshot puts usage into the finish chunk's choice and cached tokens at its top, DeepSeek counts cache hits apart,
vLLM and Ollama say `reasoning`, errors may be objects, strings or flat.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar, cast

import msgspec
from msgspec import UNSET, Raw, UnsetType

from yuanjing.domain.money import format_amount
from yuanjing.domain.usage import ChatUsage
from yuanjing.kit.text import utf8_length

CURRENCY = "CNY"
T = TypeVar("T")
Count = Annotated[int, msgspec.Meta(ge=0)]


class Delta(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A piece of an answer; anything else in it sends the chunk down the general way."""

    content: str | None = None
    role: str | None = None
    reasoning_content: str | None = None
    tool_calls: Raw | UnsetType = UNSET
    refusal: str | None = None


class Choice(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One of `n` answers in a chunk."""

    delta: Delta
    index: int = 0
    finish_reason: str | None = None
    logprobs: Raw | UnsetType = UNSET


class Chunk(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A chunk as most providers send it."""

    choices: list[Choice]
    id: str = ""
    object: str = ""
    created: int = 0
    model: str = ""
    usage: Raw | UnsetType = UNSET
    system_fingerprint: str | None = None
    service_tier: str | None = None


class PlainMessage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A whole answer's message as most providers send it."""

    content: str | None = None
    role: str = "assistant"
    refusal: None = None
    reasoning_content: None = None


class PlainChoice(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One of `n` whole answers."""

    message: PlainMessage
    index: int = 0
    finish_reason: str | None = None
    logprobs: None = None


class PlainAnswer(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A whole answer as most providers send it; anything else goes the general way."""

    choices: list[PlainChoice]
    id: str = ""
    object: str = ""
    created: int = 0
    model: str = ""
    usage: Raw | UnsetType = UNSET
    system_fingerprint: None = None
    service_tier: None = None


class LooseChoice(msgspec.Struct, gc=False):
    """The parts of a choice that matter to everybody, whatever else it holds."""

    delta: Raw = Raw(b"{}")
    message: Raw | UnsetType = UNSET
    finish_reason: str | None = None
    usage: Raw | UnsetType = UNSET


class LooseAnswer(msgspec.Struct, gc=False):
    """The parts of a chunk or of a plain answer that matter to everybody."""

    choices: list[LooseChoice] | None = None
    id: str | None = None
    created: int | float | None = None
    model: str | None = None
    usage: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET
    object: Raw | UnsetType = UNSET

    def raise_refusal(self, data: bytes) -> None:
        """Raise what an error object means, in an envelope or flat (older vLLM).

        Raises:
            UpstreamRefusedError: `data`, from which this was read, is an error.
        """
        if is_given(self.error):
            raise UpstreamRefusedError(bytes(cast("Raw", self.error)))
        if self.choices is None and self.object is not UNSET and bytes(self.object) == b'"error"':
            raise UpstreamRefusedError(data)


class _Details(msgspec.Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: int | None = None
    cached_tokens: int | None = None


class _UsualDetails(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    cached_tokens: Count | None = None


class _UsualUsage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A usage object that says nothing beyond what every answer's says."""

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: int | None = None
    prompt_tokens_details: _UsualDetails | None = None


class _LooseUsage(msgspec.Struct, gc=False):
    prompt_tokens: Raw = Raw(b"null")
    completion_tokens: Raw = Raw(b"null")
    prompt_tokens_details: Raw = Raw(b"null")
    completion_tokens_details: Raw = Raw(b"null")
    prompt_cache_hit_tokens: Raw = Raw(b"null")
    cached_tokens: Raw = Raw(b"null")


decode_chunk = msgspec.json.Decoder(Chunk).decode
decode_plain = msgspec.json.Decoder(PlainAnswer).decode
decode_loose = msgspec.json.Decoder(LooseAnswer).decode
decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode
_decode_usual_usage = msgspec.json.Decoder(_UsualUsage).decode
_decode_loose_usage = msgspec.json.Decoder(_LooseUsage).decode
_decode_number = msgspec.json.Decoder(int | float | None).decode
_decode_details = msgspec.json.Decoder(_Details | None).decode
encode = msgspec.json.Encoder().encode
_NULLS = (Raw(b"null"), Raw(b""))
_COST = b',"cost":"%b","currency":"' + CURRENCY.encode() + b'"'


class BadAnswerError(Exception):
    """The upstream's bytes are not an answer of its protocol."""


class UpstreamRefusedError(Exception):
    """The upstream answered with an error object inside a 200; `detail` is its JSON."""

    def __init__(self, detail: bytes) -> None:
        super().__init__("the provider reported an error")
        self.detail = detail


class AnswerContext(msgspec.Struct, kw_only=True, gc=False):
    """What a translation must know of the request, and what it gathers from the answer.

    Attributes:
        model: the public name of the model.
        renames_model: the provider knows the model by another name, which customers do not see.
        renames_reasoning: the provider says `reasoning` for `reasoning_content`.
        keeps_usage: the client asked for usage in every chunk (vLLM's `continuous_usage_stats`).
        tokens_max: no honest usage counts more than this.
        usage_json: the provider's last usage object, untouched.
        has_usual_usage: it has no field but those that templates write themselves; known when `usage` was asked for.
        output_bytes: UTF-8 bytes of everything generated, for our own count.
        choices: how many answers were asked for (`n`).
    """

    usage_id: str
    model: str
    renames_model: bool
    renames_reasoning: bool
    includes_usage: bool
    tokens_max: int
    keeps_usage: bool = False
    id: str = ""
    created: int = 0
    usage_json: bytes = b""
    usage_chunk: bytes = b""
    output_bytes: int = 0
    finish_reasons: int = 0
    choices: int = 1
    has_usual_usage: bool = False
    _usage: ChatUsage | None = None
    _usage_of: bytes = b""

    @property
    def is_finished(self) -> bool:
        """Every choice has said why it ended: whole even if `[DONE]` never comes."""
        return self.finish_reasons >= self.choices

    def usage(self) -> ChatUsage | None:
        """The provider's usage made normal, or None if it sent none that can be believed."""
        if self._usage_of is not self.usage_json:
            self._usage_of = self.usage_json
            self._usage = usual_usage(self.usage_json, self.tokens_max)
            self.has_usual_usage = self._usage is not None
            if self._usage is None:
                self._usage = normal_usage(self.usage_json, self.tokens_max)
        return self._usage


class Bill(msgspec.Struct, kw_only=True, gc=False):
    """What an answer costs: the charge, which its end tells the client, and what the platform loses above it."""

    usage: ChatUsage
    charge_nanos: int
    overrun_nanos: int
    is_estimated: bool

    def cost_fields(self) -> dict[str, Raw]:
        """The additions to the usage object, in JSON."""
        fields = {"cost": Raw(encode(format_amount(self.charge_nanos))), "currency": Raw(encode(CURRENCY))}
        if self.is_estimated:
            fields["estimated"] = Raw(b"true")
        return fields


def usual_usage(raw: bytes, tokens_max: int) -> ChatUsage | None:
    """What `normal_usage` makes of a usage object that says nothing unusual; None of any other."""
    try:
        usage = _decode_usual_usage(raw)
    except msgspec.MsgspecError:
        return None
    prompt, completion, details = usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details
    if prompt > tokens_max or completion > tokens_max:
        return None
    read = 0 if details is None else min(details.cached_tokens or 0, prompt)
    return ChatUsage(input_tokens=prompt, output_tokens=completion, cache_read_tokens=read)


def normal_usage(raw: bytes, tokens_max: int) -> ChatUsage | None:
    """A provider's usage object as inclusive buckets; None if it is absent, malformed, negative or incredible."""
    try:
        usage = _decode_usage(raw)
    except msgspec.MsgspecError:
        usage = _salvaged(raw)
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if prompt is None or completion is None:
        return None
    inputs, outputs = usage.prompt_tokens_details, usage.completion_tokens_details
    read = _first(inputs.cached_tokens if inputs else None, usage.prompt_cache_hit_tokens, usage.cached_tokens)
    write = _first(*((inputs.cache_write_tokens, inputs.cache_creation_input_tokens) if inputs else ()))
    reasoning = _first(outputs.reasoning_tokens if outputs else None)
    if min(prompt, completion, read, write, reasoning) < 0 or max(prompt, completion) > tokens_max:
        return None
    read = min(read, prompt)
    return ChatUsage(
        input_tokens=prompt,
        output_tokens=completion,
        cache_read_tokens=read,
        cache_write_tokens=min(write, prompt - read),
        reasoning_tokens=min(reasoning, completion),
    )


def _salvaged(raw: bytes) -> _Usage:
    """What can be read of a usage object in which some fields are not of their types."""
    try:
        loose = _decode_loose_usage(raw)
    except msgspec.MsgspecError:
        return _Usage()
    return _Usage(
        prompt_tokens=_or_none(_decode_count, loose.prompt_tokens),
        completion_tokens=_or_none(_decode_count, loose.completion_tokens),
        prompt_tokens_details=_or_none(_decode_details, loose.prompt_tokens_details),
        completion_tokens_details=_or_none(_decode_details, loose.completion_tokens_details),
        prompt_cache_hit_tokens=_or_none(_decode_count, loose.prompt_cache_hit_tokens),
        cached_tokens=_or_none(_decode_count, loose.cached_tokens),
    )


def _decode_count(raw: bytes) -> int | None:
    """A count; some write 7 as 7.0."""
    number = _decode_number(raw)
    if isinstance(number, float):
        return int(number) if number.is_integer() else None
    return number


def _or_none(decode: Callable[[bytes], T], raw: Raw) -> T | None:
    try:
        return decode(bytes(raw))
    except msgspec.MsgspecError:
        return None


def _first(*values: int | None) -> int:
    for value in values:
        if value is not None:
            return value
    return 0


def is_given(raw: Raw | UnsetType) -> bool:
    """Whether a raw field is there and not null."""
    return raw is not UNSET and raw not in _NULLS


def check_text(data: bytes) -> None:
    """The bytes are UTF-8. msgspec looks only at strings that it makes, not at what it leaves raw.

    Raises:
        BadAnswerError: they are not.
    """
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise BadAnswerError("an answer that is not UTF-8") from error


def text_bytes(text: str | None) -> int:
    """UTF-8 bytes of generated text."""
    return utf8_length(text) if text else 0


def delta_bytes(delta: Delta) -> int:
    """UTF-8 bytes of what a piece of an answer generated."""
    total = 0
    if delta.content:
        total = text_bytes(delta.content)
    if delta.reasoning_content:
        total += text_bytes(delta.reasoning_content)
    if delta.tool_calls is not UNSET:
        total += len(bytes(delta.tool_calls))
    if delta.refusal:
        total += text_bytes(delta.refusal)
    return total


def take_usage(context: AnswerContext, loose: LooseAnswer) -> None:
    """Keep the last usage that is not null: at the top, else in a choice (Moonshot)."""
    if is_given(loose.usage):
        context.usage_json = bytes(cast("Raw", loose.usage))
        return
    for choice in loose.choices or ():
        if is_given(choice.usage):
            context.usage_json = bytes(cast("Raw", choice.usage))


def with_cost(context: AnswerContext, answer: bytes, bill: Bill) -> bytes | None:
    """The answer with the cost put at the end of its usage object, all other bytes as they are.

    None if that cannot be done by bytes alone: our own count, or a usage object that is not there exactly once.
    """
    usage = context.usage_json
    if bill.is_estimated or not usage or (not context.has_usual_usage and b'"cost"' in usage):
        return None
    at = answer.rfind(usage)  # from behind, where it is: a miss goes the general way
    if at < 0 or answer.find(usage, 0, at) >= 0 or not usage.endswith(b"}"):
        return None
    end = at + len(usage) - 1
    return answer[:end] + _COST % format_amount(bill.charge_nanos).encode() + answer[end:]


def usage_fields(context: AnswerContext, bill: Bill) -> dict[str, Raw]:
    """The usage object for clients: the provider's own fields if it sent any, else our count; then the money."""
    fields: dict[str, Raw] = {}
    if context.usage_json and not bill.is_estimated:
        fields.update(decode_fields(context.usage_json))
    else:
        usage = bill.usage
        fields["prompt_tokens"] = Raw(b"%d" % usage.input_tokens)
        fields["completion_tokens"] = Raw(b"%d" % usage.output_tokens)
        fields["total_tokens"] = Raw(b"%d" % (usage.input_tokens + usage.output_tokens))
    fields.update(bill.cost_fields())
    return fields
