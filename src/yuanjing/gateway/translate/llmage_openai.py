"""The seed's dialect over an OpenAI-compatible provider: its printed keys, order and spacing, written by templates.

The forms are those of the published samples: printed keys first, additions last, `", "` and `": "` between them, text
in a stream escaped to ASCII, in a plain answer not.
"""

import json
from json.encoder import encode_basestring_ascii
from typing import cast

import msgspec
from msgspec import UNSET, Raw

from yuanjing.domain.dialects import error_object
from yuanjing.domain.money import format_amount
from yuanjing.gateway.translate import openai_openai, wire
from yuanjing.gateway.translate.wire import AnswerContext, BadAnswerError, Bill

_decode_any = msgspec.json.Decoder(dict[str, object]).decode
_PLAIN = (
    b'{"id": %b, "object": "chat.completion", "created": %d, "choices": [%b], "model": %b, "reasoning_content": null, '
    b'"content": %b, "finish": "1", "usage": %b, "llmusageid": "%b"}'
)
_CHUNK_KEYS = ("id", "object", "created", "choices", "model", "usage")


class LlmageAnswer:
    """Writes one answer, streamed or plain."""

    def __init__(self, context: AnswerContext) -> None:
        self.context = context
        self._begun: set[int] = set()
        self._before = ""
        self._between = ""
        self._model = context.model
        self._whole: dict[str, object] = {}
        self._usual: wire.PlainAnswer | None = None

    def event(self, data: bytes) -> bytes:
        """One upstream event as bytes for the client; see `OpenAIAnswer.event`."""
        context = self.context
        try:
            chunk = wire.decode_chunk(data)
        except msgspec.MsgspecError:
            return self._general(data)
        if not self._before and (chunk.id or chunk.choices):  # what comes before the answer may be without an id
            self._begin(chunk.id, chunk.created, chunk.model)
        if wire.is_given(chunk.usage):
            wire.check_text(data)
            context.usage_json = bytes(cast("Raw", chunk.usage))
        if not chunk.choices:
            return b""
        choice = chunk.choices[0]
        delta = choice.delta
        if (
            len(chunk.choices) > 1
            or choice.index
            or delta.tool_calls is not UNSET
            or delta.refusal is not None
            or wire.is_given(choice.logprobs)
            or chunk.system_fingerprint is not None
            or chunk.service_tier is not None
            or delta.reasoning_content is not None
        ):
            return self._general(data)
        return self._written(delta.content or "", choice.finish_reason)

    def _written(self, text: str, finish_reason: str | None) -> bytes:
        """The usual chunk, by template."""
        escaped = encode_basestring_ascii(text)
        if text:
            self.context.output_bytes += wire.text_bytes(text)
        if not self._begun:
            self._begun.add(0)
            choice = f'{{"logprobs": null, "index": 0, "delta": {{"content": {escaped}, "role": "assistant"}}'
        else:
            choice = f'{{"delta": {{"content": {escaped}, "role": null}}, "index": 0'
        if finish_reason is not None:
            self.context.finish_reasons += 1
            choice += f', "finish_reason": {encode_basestring_ascii(finish_reason)}'
        return (
            f'data: {self._before}[{choice}}}]{self._between}, "reasoning_content": null, "content": {escaped}, '
            f'"finish": "0", "llmusageid": "{self.context.usage_id}"}}\n\n'
        ).encode("ascii")

    def _begin(self, chunk_id: str, created: int, model: str) -> None:
        context = self.context
        context.id, context.created = chunk_id, created
        self._model = context.model if context.renames_model or not model else model
        self._before = (
            f'{{"id": {encode_basestring_ascii(chunk_id)}, "object": "chat.completion.chunk", '
            f'"created": {created}, "choices": '
        )
        self._between = f', "model": {encode_basestring_ascii(self._model)}'

    def _general(self, data: bytes) -> bytes:
        """Any chunk: decoded whole, put into order, written by the JSON encoder."""
        context = self.context
        try:
            loose = wire.decode_loose(data)
            whole = _decode_any(data)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise BadAnswerError("an event that is not a chunk") from error
        loose.raise_refusal(data)
        if loose.choices is None and not wire.is_given(loose.usage):
            raise BadAnswerError("an event without choices")
        if not self._before and (loose.id or loose.choices):
            self._begin(loose.id or "", int(loose.created or 0), loose.model or "")
        wire.take_usage(context, loose)
        if not loose.choices:
            return b""
        for choice in loose.choices:
            context.output_bytes += openai_openai.generated_bytes(bytes(choice.delta))
            if choice.finish_reason is not None:
                context.finish_reasons += 1
        openai_openai.rename_reasoning(whole)
        return self._ordered(whole)

    def _ordered(self, whole: dict[str, object]) -> bytes:
        choices = [self._choice(c) for c in _objects(whole.get("choices"))]
        first = _object(next((c.get("delta") for c in choices if c.get("index") == 0), None))
        answer: dict[str, object] = {
            "id": self.context.id,
            "object": "chat.completion.chunk",
            "created": self.context.created,
            "choices": choices,
            "model": self._model,
            "reasoning_content": first.get("reasoning_content"),
            "content": first.get("content") or "",
            "finish": "0",
            "llmusageid": self.context.usage_id,
        }
        answer.update({k: v for k, v in whole.items() if k not in _CHUNK_KEYS and v is not None})
        return b"data: " + json.dumps(answer).encode("ascii") + b"\n\n"

    def _choice(self, choice: dict[str, object]) -> dict[str, object]:
        raw_index = choice.get("index")
        index = raw_index if isinstance(raw_index, int) else 0
        source = _object(choice.get("delta"))
        is_first = index not in self._begun
        self._begun.add(index)
        delta: dict[str, object] = {
            "content": source.get("content") or "",
            "role": "assistant" if is_first else None,
        }
        delta.update({k: v for k, v in source.items() if k not in delta and v is not None})
        result: dict[str, object] = {}
        if is_first:
            result = {"logprobs": choice.get("logprobs"), "index": index, "delta": delta}
        else:
            result = {"delta": delta, "index": index}
        if choice.get("finish_reason") is not None:
            result["finish_reason"] = choice["finish_reason"]
        result.update({k: v for k, v in choice.items() if k not in result and k != "usage" and v is not None})
        return result

    def finish(self, bill: Bill) -> bytes:
        """The end of a stream: the usage chunk, always, and `[DONE]`."""
        if not self._before:
            self._begin("", 0, "")
        usage = _usage_json(self.context, bill, is_stream=True)
        chunk = (
            f'data: {self._before}[]{self._between}, "finish": "1", "usage": {usage}, '
            f'"llmusageid": "{self.context.usage_id}"}}\n\ndata: [DONE]\n\n'
        )
        return chunk.encode("ascii")

    def read_plain(self, body: bytes) -> None:
        """See `OpenAIAnswer.read_plain`; the usual answer is decoded once, for its template."""
        wire.check_text(body)
        try:
            usual = wire.decode_plain(body)
        except (msgspec.MsgspecError, RecursionError):
            openai_openai.read_plain(self.context, body)
            self._whole = _decode_any(body)
            return
        if not usual.choices:
            raise BadAnswerError("an answer without choices")
        context = self.context
        context.id, context.created = usual.id, usual.created
        if wire.is_given(usual.usage):
            context.usage_json = bytes(cast("Raw", usual.usage))
        if context.usage() is None:
            context.output_bytes = sum(wire.text_bytes(c.message.content) for c in usual.choices)
        self._usual = usual

    def plain(self, body: bytes, bill: Bill) -> bytes:  # noqa: ARG002  # read already; the other dialect passes it on
        """The plain answer: the provider's, in the printed order, with the texts copied to the top."""
        context = self.context
        if self._usual is not None:
            return self._usual_plain(self._usual, bill)
        whole = self._whole
        openai_openai.rename_reasoning(whole)
        choices = [_plain_choice(c) for c in _objects(whole.get("choices"))]
        message = _object(choices[0].get("message")) if choices else {}
        model = whole.get("model")
        answer: dict[str, object] = {
            "id": context.id,
            "object": whole.get("object") or "chat.completion",
            "created": context.created,
            "choices": choices,
            "model": context.model if context.renames_model or not isinstance(model, str) else model,
            "reasoning_content": message.get("reasoning_content"),
            "content": message.get("content") or "",
            "finish": "1",
            "usage": _usage(context, bill, is_stream=False),
            "llmusageid": context.usage_id,
        }
        answer.update({k: v for k, v in whole.items() if k not in answer and v is not None})
        return json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogatepass")

    def _usual_plain(self, usual: wire.PlainAnswer, bill: Bill) -> bytes:
        """The usual plain answer, by template."""
        context, encode = self.context, wire.encode  # which escapes as `json` does, several times as fast
        first = encode(usual.choices[0].message.content or "")
        choices: list[bytes] = []
        for choice in usual.choices:
            content = encode(choice.message.content or "") if choices else first
            choices.append(
                b'{"finish_reason": %b, "index": %d, "message": {"content": %b, "role": %b}}'
                % (encode(choice.finish_reason), choice.index, content, encode(choice.message.role))
            )
        model = context.model if context.renames_model or not usual.model else usual.model
        return _PLAIN % (
            encode(usual.id),
            usual.created,
            b", ".join(choices),
            encode(model),
            first,
            _usage_json(context, bill, is_stream=False).encode(),
            context.usage_id.encode(),
        )

    def error_event(self, code: str, message: str) -> bytes:
        """An error inside a stream: the object form, whose text SDKs show."""
        return b"data: " + json.dumps({"error": error_object(code, message)}).encode("ascii") + b"\n\n"


def _plain_choice(choice: dict[str, object]) -> dict[str, object]:
    source = _object(choice.get("message"))
    message: dict[str, object] = {
        "content": source.get("content") or "",
        "role": source.get("role") or "assistant",
    }
    message.update({k: v for k, v in source.items() if k not in message and v is not None})
    result: dict[str, object] = {
        "finish_reason": choice.get("finish_reason"),
        "index": choice.get("index", 0),
        "message": message,
    }
    result.update({k: v for k, v in choice.items() if k not in result and k != "usage" and v is not None})
    return result


def _usage_json(context: AnswerContext, bill: Bill, *, is_stream: bool) -> str:
    """The usage object as it is written: the usual one by template."""
    if bill.is_estimated or not context.has_usual_usage:
        return json.dumps(_usage(context, bill, is_stream=is_stream), ensure_ascii=is_stream)
    usage = bill.usage
    given, made = f'"prompt_tokens": {usage.input_tokens}', f'"completion_tokens": {usage.output_tokens}'
    cached = f'"prompt_tokens_details": {{"cached_tokens": {usage.cache_read_tokens}}}'
    total = f'"total_tokens": {usage.input_tokens + usage.output_tokens}'
    counts = f"{total}, {made}, {given}, {cached}" if is_stream else f"{made}, {given}, {cached}, {total}"
    return f'{{{counts}, "cost": "{format_amount(bill.charge_nanos)}", "currency": "{wire.CURRENCY}"}}'


def _usage(context: AnswerContext, bill: Bill, *, is_stream: bool) -> dict[str, object]:
    """The usage object in the printed order of the stream or of the plain sample, additions last."""
    given = {k: msgspec.json.decode(bytes(v)) for k, v in wire.usage_fields(context, bill).items()}
    usage = bill.usage
    total = usage.input_tokens + usage.output_tokens
    details = given.get("prompt_tokens_details")
    cached: dict[str, object] = {"cached_tokens": usage.cache_read_tokens}
    if isinstance(details, dict):
        cached.update({k: v for k, v in cast("dict[str, object]", details).items() if k != "cached_tokens"})
    printed: dict[str, object]
    if is_stream:
        printed = {
            "total_tokens": total,
            "completion_tokens": usage.output_tokens,
            "prompt_tokens": usage.input_tokens,
            "prompt_tokens_details": cached,
        }
    else:
        printed = {
            "completion_tokens": usage.output_tokens,
            "prompt_tokens": usage.input_tokens,
            "prompt_tokens_details": cached,
            "total_tokens": total,
        }
    printed.update({k: v for k, v in given.items() if k not in printed and v is not None})
    return printed


def _object(value: object) -> dict[str, object]:
    """A JSON object; empty if it is none."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _objects(values: object) -> list[dict[str, object]]:
    """The JSON objects of a list, whatever else a provider put into it."""
    if not isinstance(values, list):
        return []
    return [cast("dict[str, object]", v) for v in cast("list[object]", values) if isinstance(v, dict)]
