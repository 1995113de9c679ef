"""The chat simulator: from a request to its answer."""

from yuanjing.kit.clock import Clock
from yuanjing.sandbox import faults
from yuanjing.sandbox.asgi import Header, Reply, Request
from yuanjing.sandbox.chat import answer
from yuanjing.sandbox.chat import request as requests
from yuanjing.sandbox.chat.answer import Habits
from yuanjing.sandbox.chat.cache import PrefixCache
from yuanjing.sandbox.chat.counting import Counter, Prompt
from yuanjing.sandbox.chat.delivery import HTML, HTML_TYPE, Delivery
from yuanjing.sandbox.chat.flavours import FLAVOURS
from yuanjing.sandbox.chat.flavours.openai import Flavour, Head, Json, KeyPolicy
from yuanjing.sandbox.chat.frames import Script
from yuanjing.sandbox.chat.logprobs import Logprobs
from yuanjing.sandbox.chat.problems import STATUS_FAULTS, Problem, RefusedError
from yuanjing.sandbox.chat.request import ChatMessage, ChatRequest
from yuanjing.sandbox.chat.wire import Pacer
from yuanjing.sandbox.faults import Asked, Fault
from yuanjing.sandbox.journal import Entry
from yuanjing.sandbox.options import SandboxOptions

CHAT = "/chat/completions"
MODELS = "/models"
UNKNOWN_INPUT_TOKENS_MAX = 32_768
"""What a model of which nothing is known says of its context if `too-long` is asked for."""
RETRY_AFTER: tuple[Header, ...] = (("retry-after", "1"),)


class ChatSimulator:
    """Answers chat completions and model lists in every flavour."""

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        cache = PrefixCache(clock, seconds=options.cache_seconds, blocks_max=options.cache_blocks_max)
        self._counter = Counter(cache)
        bases = [(base, flavour) for flavour in FLAVOURS for base in flavour.bases]
        self._bases = sorted(bases, key=lambda pair: -len(pair[0]))

    async def handle(self, request: Request, reply: Reply, entry: Entry) -> bool:
        """Answer if the path is one of chat's; whether it is."""
        for base, flavour in self._bases:
            rest = request.path.removeprefix(base)
            if request.path.startswith(base) and (rest in {CHAT, MODELS} or rest.startswith(MODELS + "/")):
                entry.flavour = flavour.name
                await self._answer(flavour, rest, request, reply, entry)
                return True
        return False

    async def refuse_path(self, request: Request, reply: Reply) -> None:
        """Answer a path that nobody has."""
        status, body = FLAVOURS[0].error(RefusedError(Problem.NO_ROUTE, f"{request.method} {request.path}"), "")
        await reply.json(status, body)

    async def _answer(self, flavour: Flavour, rest: str, request: Request, reply: Reply, entry: Entry) -> None:
        entry.request_id = flavour.new_request_id()
        headers: list[Header] = []
        if flavour.request_id_header:
            headers.append((flavour.request_id_header, entry.request_id))
        try:
            asked = self._admit(flavour, rest, request, entry)
            if rest == CHAT:
                await self._chat(flavour, request, reply, entry, (asked, headers))
            else:
                await self._models(flavour, rest, reply, asked, headers)
        except RefusedError as refused:
            status, body = flavour.error(refused, entry.request_id)
            extra = RETRY_AFTER if refused.problem is Problem.RATE_LIMIT else ()
            await reply.json(status, body, [*headers, *extra])

    def _admit(self, flavour: Flavour, rest: str, request: Request, entry: Entry) -> Asked:
        """What the credential asks for; refuses wrong methods, credentials and sizes."""
        method = "POST" if rest == CHAT else "GET"
        if request.method != method:
            raise RefusedError(Problem.WRONG_METHOD, request.method)
        credential = request.credential
        entry.credential = (credential or "")[-4:]
        asked = faults.of_credential(credential or "", self._options.credentials)
        if flavour.keys is not KeyPolicy.IGNORED:
            if credential == "" or (credential is None and flavour.keys is KeyPolicy.REQUIRED):
                raise RefusedError(Problem.NO_KEY)
            if credential is not None and asked is None:
                raise RefusedError(Problem.BAD_KEY, f"****{entry.credential}")
        if request.is_too_large:
            raise RefusedError(Problem.TOO_LARGE, str(self._options.body_bytes_max))
        return asked or Asked()

    async def _models(self, flavour: Flavour, rest: str, reply: Reply, asked: Asked, headers: list[Header]) -> None:
        if asked.fault in STATUS_FAULTS:
            raise _refused_by(asked.fault)
        if asked.fault is Fault.NOT_JSON:
            await reply.whole(200, HTML_TYPE, HTML, headers)
            return
        name = rest.removeprefix(MODELS).removeprefix("/")
        if name.startswith(requests.UNKNOWN_MODEL_PREFIX):
            raise RefusedError(Problem.UNKNOWN_MODEL, name, "model")
        body = (
            _model(flavour, name) if name else {"object": "list", "data": [_model(flavour, m) for m in flavour.models]}
        )
        await reply.json(200, body, headers)

    async def _chat(
        self, flavour: Flavour, request: Request, reply: Reply, entry: Entry, given: tuple[Asked, list[Header]]
    ) -> None:
        if len(request.body) <= self._options.journal_body_bytes_max:
            entry.body = request.body
        fields = requests.decode(request.body)
        entry.model = str(fields["model"]) if fields.get("model") is not None else None
        wanted, model, messages = requests.read(fields, flavour.strictness)
        _note(entry, wanted, messages)
        asked = self._bounded(faults.merge(given[0], faults.parse(wanted.last_user_text)))
        entry.fault = asked.fault
        if asked.fault in STATUS_FAULTS:
            raise _refused_by(asked.fault)
        owner = f"{request.credential}\n{model}"
        delivery = Delivery(
            script=self._script(flavour, wanted, fields, asked, (entry, owner)),
            asked=asked,
            reply=reply,
            pacer=Pacer(self._options, self._clock),
            entry=entry,
            headers=given[1],
            keep_alive_seconds=self._options.keep_alive_seconds,
        )
        await delivery.give(stream=bool(wanted.stream))

    def _script(
        self, flavour: Flavour, wanted: ChatRequest, fields: dict[str, object], asked: Asked, whose: tuple[Entry, str]
    ) -> Script:
        entry, owner = whose
        prompt = Prompt(wanted, fields)
        _check_length(flavour, wanted.model or "", prompt.tokens, asked.fault)
        choices = answer.make(wanted, fields, asked, self._habits(flavour))
        usage = self._counter.count(prompt, choices, owner).distorted(asked.fault)
        options = wanted.stream_options
        return Script(
            flavour=flavour,
            head=Head(
                id=flavour.new_id(),
                request_id=entry.request_id,
                created=int(self._clock.unix()),
                model=wanted.model or "",
                wants_usage=wanted.includes_usage,
            ),
            choices=choices,
            usage=None if asked.fault is Fault.NO_USAGE else usage,
            tokens_per_chunk=self._options.tokens_per_chunk,
            logprobs=Logprobs(wanted.top_logprobs or 0) if wanted.logprobs else None,
            continuous_usage=flavour.continuous_usage and bool(options and options.continuous_usage_stats),
            usage_twice=asked.fault is Fault.USAGE_TWICE,
        )

    def _habits(self, flavour: Flavour) -> Habits:
        return Habits(
            flavour=flavour.name,
            limit_counts_reasoning=flavour.limit_counts_reasoning,
            calls_in_parallel=flavour.calls_in_parallel,
            heeds_n=flavour.strictness.n_max is not None,
            thinking_models=flavour.thinking_models,
            efforts_off=flavour.efforts_off,
            tokens_max=self._options.output_tokens_max,
            echo_chars_max=self._options.echo_chars_max,
        )

    def _bounded(self, asked: Asked) -> Asked:
        """`asked` with its number within what the sandbox allows."""
        options = self._options
        most = options.huge_bytes_max if asked.fault is Fault.HUGE_CHUNK else options.fault_wait_max_seconds
        return Asked(fault=asked.fault, number=min(asked.number, most), tokens=asked.tokens, unknown=asked.unknown)


def _refused_by(fault: Fault | None) -> RefusedError:
    assert fault is not None
    return RefusedError(STATUS_FAULTS[fault], "****")


def _check_length(flavour: Flavour, model: str, tokens: int, fault: Fault | None) -> None:
    """Refuse an input that is longer than the model's context, or that is to count as if it were.

    Raises:
        RefusedError: it is.
    """
    most = flavour.input_tokens_max.get(model)
    if fault is Fault.TOO_LONG:
        most = UNKNOWN_INPUT_TOKENS_MAX if most is None else most
        tokens += most
    if most is not None and tokens > most:
        raise RefusedError(Problem.TOO_LONG, str(most), "messages", more=str(tokens))


def _note(entry: Entry, wanted: ChatRequest, messages: list[ChatMessage]) -> None:
    entry.stream = bool(wanted.stream)
    entry.include_usage = wanted.includes_usage
    entry.messages = len(messages)


def _model(flavour: Flavour, name: str) -> Json:
    return {"id": name, "object": "model", "created": 1767225600, "owned_by": flavour.owner}
