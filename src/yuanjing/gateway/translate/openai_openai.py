"""The OpenAI dialect over an OpenAI-compatible provider: everything passes untouched, usage gets its cost."""

from typing import cast

import msgspec
from msgspec import Raw

from yuanjing.domain.dialects import error_object
from yuanjing.gateway.translate import wire
from yuanjing.gateway.translate.wire import AnswerContext, BadAnswerError, Bill

_decode_any = msgspec.json.Decoder(dict[str, object]).decode
_decode_choices = msgspec.json.Decoder(list[dict[str, Raw]]).decode


class OpenAIAnswer:
    """Writes one answer, streamed or plain."""

    def __init__(self, context: AnswerContext) -> None:
        self.context = context
        self._rewrites = context.renames_model or context.renames_reasoning
        self._renamed = b""

    def event(self, data: bytes) -> bytes:
        """One upstream event as bytes for the client; empty if it is kept back.

        Raises:
            BadAnswerError: not a chunk.
            UpstreamRefusedError: an error object.
        """
        context = self.context
        try:
            chunk = wire.decode_chunk(data)
        except msgspec.MsgspecError:
            return self._general(data)
        if not context.id:
            context.id, context.created = chunk.id, chunk.created
        if wire.is_given(chunk.usage):
            wire.check_text(data)
            context.usage_json = bytes(cast("Raw", chunk.usage))
            if not chunk.choices:
                context.usage_chunk = data
                return b""
            data = self._without_usage(data)
        for choice in chunk.choices:
            context.output_bytes += wire.delta_bytes(choice.delta)
            if choice.finish_reason is not None:
                context.finish_reasons += 1
        if self._rewrites:
            data = self._rewritten(data)
        return b"data: " + (data if b"\n" not in data else data.replace(b"\n", b" ")) + b"\n\n"

    def _general(self, data: bytes) -> bytes:
        context = self.context
        wire.check_text(data)
        try:
            loose = wire.decode_loose(data)
        except msgspec.MsgspecError as error:
            raise BadAnswerError("an event that is not a chunk") from error
        loose.raise_refusal(data)
        if loose.choices is None and not wire.is_given(loose.usage):
            raise BadAnswerError("an event without choices")
        if not context.id:
            context.id, context.created = loose.id or "", int(loose.created or 0)
        wire.take_usage(context, loose)
        if not loose.choices and wire.is_given(loose.usage):
            context.usage_chunk = data
            return b""
        has_usage = wire.is_given(loose.usage)
        for choice in loose.choices or ():
            context.output_bytes += generated_bytes(bytes(choice.delta))
            has_usage = has_usage or wire.is_given(choice.usage)
            if choice.finish_reason is not None:
                context.finish_reasons += 1
        if has_usage:
            data = self._without_usage(data)
        if self._rewrites:
            data = self._rewritten(data)
        return b"data: " + data.replace(b"\n", b" ") + b"\n\n"

    def _without_usage(self, data: bytes) -> bytes:
        """A chunk with text whose usage is told at the end, once, with its cost, to clients that asked for it.

        DeepSeek puts usage beside the last text, Moonshot into its choice.
        """
        if self.context.keeps_usage:
            return data
        fields = wire.decode_fields(data)
        fields.pop("usage", None)
        if self.context.includes_usage:
            fields["usage"] = Raw(b"null")
        choices = _decode_choices(fields["choices"])
        for choice in choices:
            choice.pop("usage", None)
        fields["choices"] = Raw(wire.encode(choices))
        return wire.encode(fields)

    def _rewritten(self, data: bytes) -> bytes:
        context = self.context
        if not (context.renames_reasoning and b'"reasoning"' in data):
            if not context.renames_model:
                return data
            fields = wire.decode_fields(data)
            fields["model"] = Raw(wire.encode(context.model))
            return wire.encode(fields)
        whole = _decode_any(data)
        rename_reasoning(whole)
        if context.renames_model:
            whole["model"] = context.model
        return wire.encode(whole)

    def finish(self, bill: Bill) -> bytes:
        """The end of a stream: the usage chunk for clients that asked for it, and `[DONE]`."""
        context = self.context
        if not context.includes_usage:
            return b"data: [DONE]\n\n"
        is_usual = not self._rewrites and b'"choices":[]' in context.usage_chunk
        if is_usual and (priced := wire.with_cost(context, context.usage_chunk, bill)) is not None:
            return b"data: " + priced.replace(b"\n", b" ") + b"\n\ndata: [DONE]\n\n"
        fields: dict[str, Raw]
        if context.usage_chunk:
            fields = wire.decode_fields(context.usage_chunk)
        else:
            fields = {
                "id": Raw(wire.encode(context.id)),
                "object": Raw(b'"chat.completion.chunk"'),
                "created": Raw(b"%d" % context.created),
                "model": Raw(b""),
                "choices": Raw(b"[]"),
            }
        if context.renames_model or not context.usage_chunk:
            fields["model"] = Raw(wire.encode(context.model))
        if bytes(fields.get("choices", b"null")) == b"null":
            fields["choices"] = Raw(b"[]")
        fields["usage"] = Raw(wire.encode(wire.usage_fields(context, bill)))
        return b"data: " + wire.encode(fields).replace(b"\n", b" ") + b"\n\ndata: [DONE]\n\n"

    def read_plain(self, body: bytes) -> None:
        """Take in a whole plain answer.

        Raises:
            BadAnswerError: not a chat completion.
            UpstreamRefusedError: an error object in a 200.
        """
        wire.check_text(body)  # it is passed on as it is
        read_plain(self.context, body)
        if self.context.renames_reasoning:
            whole = _decode_any(body)
            rename_reasoning(whole)
            self._renamed = wire.encode(whole)

    def plain(self, body: bytes, bill: Bill) -> bytes:
        """The plain answer for the client."""
        context = self.context
        if not self._rewrites and (priced := wire.with_cost(context, body, bill)) is not None:
            return priced
        fields = wire.decode_fields(self._renamed or body)
        if context.renames_model:
            fields["model"] = Raw(wire.encode(context.model))
        fields["usage"] = Raw(wire.encode(wire.usage_fields(context, bill)))
        return wire.encode(fields)

    def error_event(self, code: str, message: str) -> bytes:
        """An error inside a stream; the official SDK raises its text."""
        return b"data: " + wire.encode({"error": error_object(code, message)}) + b"\n\n"


def read_plain(context: AnswerContext, body: bytes) -> None:
    """Gather what the bill needs from a plain answer; see `OpenAIAnswer.read_plain`."""
    try:
        loose = wire.decode_loose(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadAnswerError("an answer that is not a chat completion") from error
    loose.raise_refusal(body)
    if not loose.choices:
        raise BadAnswerError("an answer without choices")
    context.id, context.created = loose.id or "", int(loose.created or 0)
    wire.take_usage(context, loose)
    for choice in loose.choices:
        if not wire.is_given(choice.message):
            raise BadAnswerError("a choice without a message")
        if context.usage() is None:  # our own count is needed
            context.output_bytes += generated_bytes(bytes(cast("Raw", choice.message)))


def generated_bytes(raw: bytes) -> int:
    """UTF-8 bytes of what a delta or message generated: texts as they are, structures as their JSON."""
    try:
        fields = wire.decode_fields(raw)
    except msgspec.MsgspecError:
        return len(raw)
    total = 0
    for name, value in fields.items():
        if name == "role" or not wire.is_given(value):
            continue
        raw_value = bytes(value)
        if raw_value.startswith(b'"'):
            total += wire.text_bytes(msgspec.json.decode(raw_value, type=str))
        else:
            total += len(raw_value)
    return total


def rename_reasoning(answer: dict[str, object]) -> None:
    """`reasoning` becomes `reasoning_content` in every delta and message (vLLM, Ollama)."""
    choices = answer.get("choices")
    for choice in cast("list[object]", choices) if isinstance(choices, list) else ():
        if not isinstance(choice, dict):
            continue
        for part in ("delta", "message"):
            inner = cast("dict[str, object]", choice).get(part)
            if isinstance(inner, dict) and "reasoning" in inner:
                fields = cast("dict[str, object]", inner)
                reasoning = fields.pop("reasoning")
                if fields.get("reasoning_content") is None:
                    fields["reasoning_content"] = reasoning
