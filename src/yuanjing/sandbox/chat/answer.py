"""What is answered: text, reasoning and tool calls, cut to the request's limits. Same request, same answer."""

import dataclasses
import re
from dataclasses import dataclass, field
from itertools import islice

from msgspec.structs import replace

from yuanjing.sandbox import jsons, tokens
from yuanjing.sandbox.chat import prose
from yuanjing.sandbox.chat.request import ChatRequest, ToolFunction, chosen_function
from yuanjing.sandbox.chat.schema import example
from yuanjing.sandbox.chat.usage import digest
from yuanjing.sandbox.faults import Asked

_THINKING_NAME = re.compile(r"thinking|reasoner|(?<![a-z0-9])r1(?![a-z0-9])", re.IGNORECASE)
_NOT_SEEDING = frozenset({"stream", "stream_options"})


@dataclass(frozen=True, kw_only=True)
class Call:
    """One tool call; `arguments` are the tokens of a JSON text."""

    id: str
    name: str
    arguments: list[str]

    @property
    def tokens(self) -> int:
        """Output tokens of the call, its name included."""
        return tokens.count(self.name) + len(self.arguments)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One answer, as tokens."""

    index: int
    finish: str
    text: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    calls: list[Call] = field(default_factory=list[Call])

    @property
    def tokens(self) -> int:
        """All output tokens of the choice."""
        return len(self.text) + len(self.reasoning) + sum(call.tokens for call in self.calls)


@dataclass(frozen=True, kw_only=True)
class Habits:
    """Where services differ in what they answer.

    Attributes:
        flavour: the name that the answer tells.
        limit_counts_reasoning: `max_tokens` covers reasoning too (`max_completion_tokens` always does).
        calls_in_parallel: the default of `parallel_tool_calls`.
        heeds_n: several choices can be had.
        thinking_models: the models that reason unless the request says otherwise.
        efforts_off: values of `reasoning_effort` that switch reasoning off.
        tokens_max: the longest answer, all choices together.
        echo_chars_max: how much of the caller's text is repeated.
    """

    flavour: str
    limit_counts_reasoning: bool
    calls_in_parallel: bool
    heeds_n: bool
    thinking_models: frozenset[str]
    efforts_off: frozenset[str]
    tokens_max: int
    echo_chars_max: int


def make(request: ChatRequest, fields: dict[str, object], asked: Asked, habits: Habits) -> list[Choice]:
    """The choices that answer `request`, whose JSON object is `fields`."""
    given = {name: value for name, value in fields.items() if name not in _NOT_SEEDING and value is not None}
    seed = digest(jsons.canonical(given), size=32)
    seen = prose.look(request, fields, habits.flavour, habits.echo_chars_max)
    seen = replace(seen, unknown_words=asked.unknown[: prose.NAMES_MAX])
    count = (request.n or 1) if habits.heeds_n else 1
    habits = dataclasses.replace(habits, tokens_max=habits.tokens_max // count)
    return [_Writer(request, asked, habits, seen, seed, index).choice() for index in range(count)]


def thinks(request: ChatRequest, habits: Habits) -> bool:
    """Whether the model reasons before it answers: as the request says, else as the model does by default."""
    template = request.chat_template_kwargs
    if request.thinking is not None:
        return request.thinking.type != "disabled"
    if request.enable_thinking is not None:
        return request.enable_thinking
    if template is not None and template.enable_thinking is not None:
        return template.enable_thinking
    if request.reasoning_effort is not None:
        return request.reasoning_effort not in habits.efforts_off
    model = request.model or ""
    return model in habits.thinking_models or bool(_THINKING_NAME.search(model))


class _Writer:
    def __init__(  # one value per thing that shapes a choice
        self, request: ChatRequest, asked: Asked, habits: Habits, seen: prose.Seen, seed: bytes, index: int
    ) -> None:
        self._request = request
        self._exact = None if asked.tokens is None else min(asked.tokens, habits.tokens_max)
        self._habits = habits
        self._seen = seen
        self._index = index
        self._seed = digest(seed + index.to_bytes(4, "big"), size=32) if index else seed

    def choice(self) -> Choice:
        """The choice, cut to the request's limits."""
        reasoning = self._reasoning()
        functions = self._wanted_functions()
        if functions:
            return self._calling(reasoning, functions)
        text = self._fitted(tokens.split(self._stopped(self._text(self._exact, len(reasoning)))))
        whole = Choice(index=self._index, finish="stop", text=text, reasoning=reasoning)
        kept = self._room(reasoning)
        if len(reasoning) <= kept[0] and len(text) <= kept[1]:
            return whole
        return Choice(index=self._index, finish="length", text=text[: kept[1]], reasoning=reasoning[: kept[0]])

    def _fitted(self, text: list[str]) -> list[str]:
        return text[: self._habits.tokens_max]

    def _room(self, reasoning: list[str]) -> tuple[int, int]:
        """How many tokens the limits leave for reasoning and for the rest."""
        request, most = self._request, self._habits.tokens_max
        total = request.max_completion_tokens or most
        rest = request.max_tokens or most
        if self._habits.limit_counts_reasoning:
            total = min(total, rest)
        thought = min(len(reasoning), total)
        return thought, min(rest, total - thought)

    def _reasoning(self) -> list[str]:
        if not thinks(self._request, self._habits):
            return []
        pieces = tokens.split(prose.reasoning(self._seen, self._seed, self._index))
        if self._exact is not None:
            pieces = self._filled(pieces, self._exact // 2)
        budget = self._request.thinking_budget
        return pieces if budget is None else pieces[:budget]

    def _text(self, exact: int | None, thought: int) -> str:
        request = self._request
        if exact is not None:
            plain = tokens.split(prose.answer(self._seen, self._seed, self._index))
            return "".join(self._filled(plain, exact - thought))
        wanted = request.response_format
        if wanted is not None and wanted.json_schema is not None and wanted.type == "json_schema":
            return jsons.encode(example(wanted.json_schema.schema or {})).decode()
        if wanted is not None and wanted.type == "json_object":
            return jsons.encode(prose.json_object(self._seen)).decode()
        return prose.answer(self._seen, self._seed, self._index)

    def _filled(self, pieces: list[str], exact: int) -> list[str]:
        more = islice(prose.filler(self._seed, is_chinese=self._seen.is_chinese), max(exact - len(pieces), 0))
        return [*pieces[:exact], *more]

    def _stopped(self, text: str) -> str:
        ends = [text.find(stop) for stop in self._request.stops]
        return text[: min((end for end in ends if end >= 0), default=len(text))]

    def _wanted_functions(self) -> list[ToolFunction]:
        request = self._request
        functions, choice = request.functions, request.tool_choice
        last = (request.messages or [])[-1]
        if not functions or choice == "none" or last.role != "user" or self._exact is not None:
            return []
        name = chosen_function(request)
        if name is not None:
            return [function for function in functions if function.name == name][:1]
        wanted = [function for function in functions if _mentions(last.text, function.name)]
        if not wanted and choice == "required":
            wanted = functions[:1]
        given = request.parallel_tool_calls
        return wanted if (self._habits.calls_in_parallel if given is None else given) else wanted[:1]

    def _calling(self, reasoning: list[str], functions: list[ToolFunction]) -> Choice:
        thought, room = self._room(reasoning)
        is_cut = thought < len(reasoning)
        calls: list[Call] = []
        for place, function in enumerate(functions):
            arguments = tokens.split(jsons.encode(example(function.parameters or {"type": "object"})).decode())
            room -= tokens.count(function.name)
            if room < 0:
                is_cut = True
                break
            is_cut = is_cut or len(arguments) > room
            name = digest(self._seed + place.to_bytes(4, "big"), size=12).hex()
            calls.append(Call(id=f"call_{name}", name=function.name, arguments=arguments[:room]))
            room -= len(calls[-1].arguments)
        return Choice(
            index=self._index,
            finish="length" if is_cut else "tool_calls",
            reasoning=reasoning[:thought],
            calls=calls,
        )


def _mentions(text: str, name: str) -> bool:
    return bool(re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", text, re.IGNORECASE))
