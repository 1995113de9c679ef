"""Giving an answer: as a stream of events or as one object, with the fault that was asked for."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from yuanjing.sandbox import jsons
from yuanjing.sandbox.asgi import Header, Reply
from yuanjing.sandbox.chat.answer import Choice
from yuanjing.sandbox.chat.flavours.openai import Json
from yuanjing.sandbox.chat.frames import MALFORMED, Cut, Frame, Script, Silence, Step, steps
from yuanjing.sandbox.chat.problems import Problem, RefusedError
from yuanjing.sandbox.chat.wire import EMPTY_LINE, KEEP_ALIVE_COMMENT, Body, Pacer, event, wait
from yuanjing.sandbox.faults import Asked, Fault
from yuanjing.sandbox.journal import Entry

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"
HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
MISSING_BYTES = 100
STREAM_LENGTH = 1 << 31

_KEY_END = re.compile(rb'(?<!\\)":')
_ERRORS = {Fault.ERROR_FIRST, Fault.ERROR_MID}


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One answer on its way.

    Attributes:
        script: what is told.
        asked: the fault.
        reply: where it goes.
        pacer: how fast.
        entry: the journal's record of it.
        headers: of the answer.
        keep_alive_seconds: pause between two signs of life, in flavours that give them.
    """

    script: Script
    asked: Asked
    reply: Reply
    pacer: Pacer
    entry: Entry
    headers: list[Header]
    keep_alive_seconds: float

    async def give(self, *, stream: bool) -> None:
        """Send the answer."""
        if self.asked.fault is Fault.NOT_JSON:
            await self._begin(HTML_TYPE, b"", self.pacer.first_wait(), len(HTML))
            await self.reply.end(HTML)
        elif stream:
            await self._stream()
        else:
            await self._plain()

    async def _begin(self, content_type: str, sign: bytes, seconds: float, length: int | None) -> None:
        """Send the head and wait for the first byte; a flavour that gives signs of life sends the head first."""
        headers = list(self.headers)
        if length is not None:
            headers.append(("content-length", str(length)))
        if self.asked.fault is Fault.GZIP:
            headers.append(("content-encoding", "gzip"))
        if self.asked.fault is Fault.SLOW_FIRST_BYTE:
            seconds += self.asked.number
        if not sign:
            await asyncio.sleep(seconds)
        await self.reply.start(200, content_type, headers)
        if sign:
            await wait(seconds, self.keep_alive_seconds, sign, self.reply)

    async def _stream(self) -> None:
        fault = self.asked.fault
        sign = self._sign(KEEP_ALIVE_COMMENT)
        length = STREAM_LENGTH if fault is Fault.TRUNCATED_LENGTH else None
        await self._begin(STREAM_TYPE, sign, self.pacer.first_wait(), length)
        self.pacer.start()
        body = Body(self.reply, fault)
        for step in steps(self.script, self.asked):
            await self._play(step, body)
        if fault is Fault.TRUNCATED_LENGTH:
            await self.reply.cut()
        await body.end()

    async def _play(self, step: Step, body: Body) -> None:
        if isinstance(step, Silence):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Cut):
            await self.reply.cut()
        else:
            if step.ticks:
                await self.pacer.tick()
            self._note(step)
            if step.data:
                await body.write(event(step.data, self.asked.fault))

    def _note(self, frame: Frame) -> None:
        self.entry.sent_tokens += frame.tokens
        if frame.usage:
            self.entry.report(frame.usage)

    def _sign(self, sign: bytes) -> bytes:
        """The sign of life; bodies whose first byte matters go without."""
        if not self.script.flavour.keeps_alive or self.asked.fault in {Fault.BOM, Fault.GZIP}:
            return b""
        return sign

    async def _plain(self) -> None:
        fault, reply = self.asked.fault, self.reply
        data = self._plain_bytes()
        sign = self._sign(EMPTY_LINE)
        is_open = bool(sign) or fault in {Fault.GZIP, Fault.BOM, Fault.SPLIT_UTF8}
        length = None if is_open else len(data)
        if fault is Fault.TRUNCATED_LENGTH:
            length = len(data) + MISSING_BYTES
        await self._begin(JSON_TYPE, sign, self.pacer.first_wait(self.script.content_frames), length)
        if fault in {Fault.DROP, Fault.STALL}:
            await reply.write(data[: len(data) // 2])
            await asyncio.sleep(self.asked.number)
            await reply.cut()
        if self.script.usage and fault is not Fault.MALFORMED and fault not in _ERRORS:
            self.entry.sent_tokens = sum(choice.tokens for choice in self.script.choices)
            self.entry.report(self.script.usage)
        body = Body(reply, fault)
        await body.write(data)
        if fault is Fault.TRUNCATED_LENGTH:
            await reply.cut()
        await body.end()

    def _plain_bytes(self) -> bytes:
        script, fault = self.script, self.asked.fault
        if fault in _ERRORS:
            refused = RefusedError(Problem.MODERATION)
            return jsons.encode(script.flavour.stream_error(refused, script.head))
        data = jsons.encode(self._completion())
        change = _PLAIN_CHANGES.get(fault) if fault else None
        if change is not None:
            return change(data)
        if fault is Fault.USAGE_TWICE and script.usage:
            half = replace(script.usage, completion=script.usage.completion // 2)
            return b'{"usage":' + jsons.encode(script.flavour.usage(half)) + b"," + data[1:]
        return data

    def _completion(self) -> Json:
        script = self.script
        usage = script.flavour.usage(script.usage) if script.usage else None
        return script.flavour.completion(script.head, [self._choice(choice) for choice in script.choices], usage)

    def _choice(self, choice: Choice) -> Json:
        script = self.script
        text = "".join(choice.text)
        if self.asked.fault is Fault.HUGE_CHUNK and choice.index == 0:
            text += " " * int(self.asked.number)
        logprobs = script.logprobs.of(choice.text) if script.logprobs else None
        return script.flavour.completion_choice(choice, text, logprobs)


def _malformed(data: bytes) -> bytes:
    """`data` broken near its middle: behind the end of a key, where no string can hide it."""
    ends = [match.end() for match in _KEY_END.finditer(data)]
    middle = min(ends, key=lambda end: abs(end - len(data) // 2))
    return data[:middle] + MALFORMED + data[middle:]


_PLAIN_CHANGES: dict[Fault, Callable[[bytes], bytes]] = {
    Fault.MALFORMED: _malformed,
    Fault.DONE_TWICE: lambda data: data + b"\n\n",
    Fault.CRLF: lambda data: msgspec.json.format(data, indent=2).replace(b"\n", b"\r\n"),
    Fault.MULTI_DATA: lambda data: msgspec.json.format(data, indent=2),
}
