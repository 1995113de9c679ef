"""What an exchange is billed: the provider's usage if it sent any that can be believed, else our own count."""

from dataclasses import dataclass

from yuanjing.domain.catalog import ChatLimits
from yuanjing.domain.usage import ChatUsage
from yuanjing.gateway.request import ChatRequest
from yuanjing.gateway.translate.wire import AnswerContext

USAGE_TOKENS_FACTOR = 4
"""A provider that counts more than this many context windows is not believed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """The most tokens of a request, from which its ceiling was made."""

    input_tokens: int
    output_tokens: int


def estimated_tokens(request: ChatRequest, limits: ChatLimits) -> int:
    """About how many tokens of input a request has, for the limit of tokens a minute."""
    return max(1, request.text_bytes // limits.bytes_per_token)


def own_count(request: ChatRequest, context: AnswerContext, limits: ChatLimits, bounds: Bounds) -> ChatUsage:
    """UTF-8 bytes of what went in and of what came out, divided by the offer's `bytes_per_token`, rounded up.

    Never above the bounds of the ceiling, so that an estimate never makes an overrun.
    """
    per_token = limits.bytes_per_token
    return ChatUsage(
        input_tokens=min(-(-request.prompt_bytes() // per_token), bounds.input_tokens),
        output_tokens=min(-(-context.output_bytes // per_token), bounds.output_tokens),
    )
