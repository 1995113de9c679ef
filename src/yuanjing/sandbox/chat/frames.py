"""The events of a stream, in order, and what a fault does to that order. Nothing here waits or sends."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

from yuanjing.sandbox import jsons
from yuanjing.sandbox.chat.answer import Call, Choice
from yuanjing.sandbox.chat.flavours.openai import Flavour, Head, Json
from yuanjing.sandbox.chat.logprobs import Logprobs
from yuanjing.sandbox.chat.problems import Problem, RefusedError
from yuanjing.sandbox.chat.usage import Usage
from yuanjing.sandbox.faults import Asked, Fault

DONE = b"[DONE]"
MALFORMED = b"{not json"


class Kind(Enum):
    """The place of an event in its stream."""

    OPENING = auto()
    CONTENT = auto()
    CLOSING = auto()
    USAGE = auto()
    DONE = auto()
    DISTURBANCE = auto()


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One event; `data` is empty for reasoning that passes unseen.

    Attributes:
        kind: its place in the stream.
        data: the event's data.
        tokens: output tokens in it.
        ticks: it waits for its turn in the pacing.
        usage: the counts that it tells.
    """

    kind: Kind
    data: bytes
    tokens: int = 0
    ticks: bool = False
    usage: Usage | None = None


@dataclass(frozen=True)
class Silence:
    """Send nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Cut:
    """Close the connection without the end of the body."""


Step = Frame | Silence | Cut


@dataclass(frozen=True, kw_only=True)
class Script:
    """All that the events of one answer are made from. `usage` is None if no usage shall be told."""

    flavour: Flavour
    head: Head
    choices: list[Choice]
    usage: Usage | None
    tokens_per_chunk: int
    logprobs: Logprobs | None
    continuous_usage: bool = False
    usage_twice: bool = False

    @property
    def content_frames(self) -> int:
        """About how many content events there will be."""
        return sum(-(-choice.tokens // self.tokens_per_chunk) for choice in self.choices)

    def frames(self) -> Iterator[Frame]:
        """The undisturbed stream; the choices take turns."""
        for choice in self.choices:
            delta = self.flavour.opening(thinking=_shows_reasoning(self.flavour, choice))
            yield Frame(kind=Kind.OPENING, data=self._chunk(choice.index, delta))
        yield from self._taking_turns()
        if self.usage and self.head.wants_usage:
            if self.usage_twice:
                yield self._usage_frame(replace(self.usage, completion=self.usage.completion // 2))
            yield self._usage_frame(self.usage)
        yield Frame(kind=Kind.DONE, data=DONE)

    def _taking_turns(self) -> Iterator[Frame]:
        running = [(choice, self._of_choice(choice)) for choice in self.choices]
        said = closed = 0
        while running:
            ticks = True
            for turn in list(running):
                frame = next(turn[1], None)
                if frame is None:
                    running.remove(turn)
                    closed += 1
                    frame = self._closing(turn[0], is_last=closed == len(self.choices))
                said += frame.tokens
                yield replace(self._continuous(frame, said), ticks=ticks)
                ticks = False

    def _continuous(self, frame: Frame, said: int) -> Frame:
        if not self.continuous_usage or self.usage is None or not frame.data:
            return frame
        usage = replace(self.usage, completion=min(said, self.usage.completion))
        told = jsons.encode(self.flavour.usage(usage))
        return replace(frame, data=frame.data[:-1] + b',"usage":' + told + b"}", usage=usage)

    def _of_choice(self, choice: Choice) -> Iterator[Frame]:
        flavour, thinking = self.flavour, _shows_reasoning(self.flavour, choice)
        for pieces in _groups(choice.reasoning, self.tokens_per_chunk):
            data = self._chunk(choice.index, flavour.reasoning_delta("".join(pieces))) if thinking else b""
            yield Frame(kind=Kind.CONTENT, data=data, tokens=len(pieces))
        for pieces in _groups(choice.text, self.tokens_per_chunk):
            delta = flavour.text_delta("".join(pieces), thinking=thinking)
            logprobs = self.logprobs.of(pieces) if self.logprobs else None
            data = self._chunk(choice.index, delta, logprobs=logprobs)
            yield Frame(kind=Kind.CONTENT, data=data, tokens=len(pieces))
        for place, call in enumerate(choice.calls):
            yield from self._of_call(choice.index, place, call)

    def _of_call(self, index: int, place: int, call: Call) -> Iterator[Frame]:
        flavour, named = self.flavour, call.tokens - len(call.arguments)
        if flavour.calls_whole:
            data = self._chunk(index, flavour.call_opening(place, call, "".join(call.arguments)))
            yield Frame(kind=Kind.CONTENT, data=data, tokens=call.tokens)
            return
        yield Frame(kind=Kind.CONTENT, data=self._chunk(index, flavour.call_opening(place, call, "")), tokens=named)
        for pieces in _groups(call.arguments, self.tokens_per_chunk):
            data = self._chunk(index, flavour.call_delta(place, "".join(pieces)))
            yield Frame(kind=Kind.CONTENT, data=data, tokens=len(pieces))

    def _closing(self, choice: Choice, *, is_last: bool) -> Frame:
        flavour, usage = self.flavour, self.usage if is_last and self.flavour.usage_in_finish else None
        delta = flavour.closing(thinking=_shows_reasoning(flavour, choice))
        entry = flavour.chunk_choice(choice.index, delta, choice.finish, None)
        told = flavour.usage(usage) if usage else None
        if told and flavour.usage_in_finish == "choice":
            entry["usage"], told = told, None
        return Frame(kind=Kind.CLOSING, data=jsons.encode(flavour.chunk(self.head, [entry], told)), usage=usage)

    def _usage_frame(self, usage: Usage) -> Frame:
        chunk = self.flavour.chunk(self.head, [], self.flavour.usage(usage))
        return Frame(kind=Kind.USAGE, data=jsons.encode(chunk), usage=usage)

    def _chunk(self, index: int, delta: Json, *, logprobs: Json | None = None) -> bytes:
        entry = self.flavour.chunk_choice(index, delta, None, logprobs)
        return jsons.encode(self.flavour.chunk(self.head, [entry], None))


def steps(script: Script, asked: Asked) -> Iterator[Step]:
    """The stream of `script` as the fault of `asked` leaves it."""
    if asked.fault is Fault.ERROR_FIRST:
        yield _error(script)
        return
    strike = max(script.content_frames // 2, 1)
    seen = 0
    pending = True
    for frame in script.frames():
        if pending and frame.kind is not Kind.OPENING and (seen >= strike or frame.kind is not Kind.CONTENT):
            pending = False
            yield from _disturbance(script, asked)
            if asked.fault is Fault.ERROR_MID:
                return
        seen += frame.kind is Kind.CONTENT
        if frame.kind is Kind.DONE and asked.fault is Fault.NO_DONE:
            continue
        yield frame
        if frame.kind is Kind.DONE and asked.fault is Fault.DONE_TWICE:
            yield frame


def _disturbance(script: Script, asked: Asked) -> Iterator[Step]:
    if asked.fault is Fault.DROP:
        yield Cut()
    elif asked.fault is Fault.STALL:
        yield Silence(asked.number)
        yield Cut()
    elif asked.fault is Fault.MALFORMED:
        yield Frame(kind=Kind.DISTURBANCE, data=MALFORMED)
    elif asked.fault is Fault.ERROR_MID:
        yield _error(script)
    elif asked.fault is Fault.HUGE_CHUNK:
        choice = script.choices[0]
        delta = script.flavour.text_delta(" " * int(asked.number), thinking=_shows_reasoning(script.flavour, choice))
        entry = script.flavour.chunk_choice(choice.index, delta, None, None)
        yield Frame(kind=Kind.DISTURBANCE, data=jsons.encode(script.flavour.chunk(script.head, [entry], None)))


def _error(script: Script) -> Frame:
    refused = RefusedError(Problem.MODERATION)
    return Frame(kind=Kind.DISTURBANCE, data=jsons.encode(script.flavour.stream_error(refused, script.head)))


def _shows_reasoning(flavour: Flavour, choice: Choice) -> bool:
    return bool(choice.reasoning) and flavour.reasoning_field is not None


def _groups(pieces: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(pieces), size):
        yield pieces[start : start + size]
