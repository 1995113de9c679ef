"""What one answer costs: the prompt by the token rule, less what is cached, and the answer's own tokens."""

from yuanjing.sandbox.chat.answer import Choice
from yuanjing.sandbox.chat.cache import EXPLICIT_LEAST_TOKENS, PrefixCache
from yuanjing.sandbox.chat.request import ChatMessage, ChatRequest
from yuanjing.sandbox.chat.usage import Usage, message_pieces, tools_pieces


class Prompt:
    """A request's input, cut into tokens; `marked` are those up to the last explicit cache mark."""

    def __init__(self, request: ChatRequest, fields: dict[str, object]) -> None:
        pieces = tools_pieces(request, fields)
        marked = 0
        for message in request.messages or []:
            pieces += message_pieces(message)
            if _is_marked(message):
                marked = len(pieces)
        self.pieces = pieces
        self.marked = marked

    @property
    def tokens(self) -> int:
        """How many tokens it has."""
        return len(self.pieces)


class Counter:
    """Counts requests; knows what was sent before."""

    def __init__(self, cache: PrefixCache) -> None:
        self._cache = cache

    def count(self, prompt: Prompt, choices: list[Choice], owner: str) -> Usage:
        """The usage of `choices`; the prompt counts as sent by `owner` from now on."""
        pieces, marked = prompt.pieces, prompt.marked
        completion = sum(choice.tokens for choice in choices)
        reasoning = sum(len(choice.reasoning) for choice in choices)
        if marked >= EXPLICIT_LEAST_TOKENS:
            hit = self._cache.explicit(owner, pieces[:marked])
            return Usage(
                prompt=len(pieces),
                completion=completion,
                reasoning=reasoning,
                cached=marked if hit else 0,
                created=0 if hit else marked,
                is_explicit=True,
            )
        cached = self._cache.implicit(owner, pieces)
        return Usage(prompt=len(pieces), completion=completion, reasoning=reasoning, cached=cached)


def _is_marked(message: ChatMessage) -> bool:
    if isinstance(message.content, str):
        return False
    return any((part.cache_control or {}).get("type") == "ephemeral" for part in message.content or [])
