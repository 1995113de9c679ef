"""Counting what a request and its answer cost, by the token rule."""

import hashlib
from dataclasses import dataclass, replace

from yuanjing.sandbox import jsons, tokens
from yuanjing.sandbox.chat.request import ChatMessage, ChatRequest
from yuanjing.sandbox.faults import Fault

HUGE_TOKENS = 10**12


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The counts of one answer; cached and created are part of prompt, reasoning of completion."""

    prompt: int
    completion: int
    reasoning: int = 0
    cached: int = 0
    created: int = 0
    is_explicit: bool = False

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion

    def distorted(self, fault: Fault | None) -> "Usage":
        """The counts as `fault` wants them told."""
        if fault is Fault.USAGE_NEGATIVE:
            return replace(self, prompt=-self.prompt, completion=-self.completion, cached=-self.cached)
        if fault is Fault.USAGE_HUGE:
            return replace(self, prompt=HUGE_TOKENS, completion=HUGE_TOKENS)
        return self


def message_pieces(message: ChatMessage) -> list[str]:
    """The message as the model sees it: one piece per token, attachments by their content's hash."""
    pieces = [f"<{message.role}>", *["<>"] * (tokens.MESSAGE_OVERHEAD_TOKENS - 1)]
    for text in (message.name, message.text):
        pieces += tokens.split(text or "")
    for call in message.tool_calls or []:
        function = call.function
        pieces += tokens.split((function and function.name) or "")
        pieces += tokens.split((function and function.arguments) or "")
    for part in message.attachments:
        pieces += [f"<{part.type}:{hash_text(part.image_url)}>"] * tokens.IMAGE_TOKENS
    return pieces


def tools_pieces(request: ChatRequest, fields: dict[str, object]) -> list[str]:
    """The offered tools as the model sees them: their JSON, compact."""
    return tokens.split(jsons.encode(fields["tools"]).decode()) if request.tools else []


def hash_text(value: object) -> str:
    """A short name for `value` that is the same for equal values."""
    return digest(jsons.canonical(value)).hex()


def digest(data: bytes, *, size: int = 16) -> bytes:
    """A hash of `data` that is the same in every process."""
    return hashlib.blake2b(data, digest_size=size).digest()
