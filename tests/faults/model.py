"""The form of the table of faults: what a provider does wrong, and what must come of it.

Prices and sums here are the tests' own reckoning; nothing of the product is asked what is right.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Self

from tests.support.upstream import Step

CONNECT_SECONDS, FIRST_BYTE_SECONDS, IDLE_SECONDS, PLAIN_SECONDS, TOTAL_SECONDS = 0.3, 0.4, 0.4, 0.6, 1.0
OPTIONS: Mapping[str, float | str] = {
    "connect_seconds": CONNECT_SECONDS,
    "first_byte_seconds": FIRST_BYTE_SECONDS,
    "idle_seconds": IDLE_SECONDS,
    "plain_answer_seconds": PLAIN_SECONDS,
    "total_seconds": TOTAL_SECONDS,
    "answer_bytes_max": 1024 * 1024,
}
"""The limits of the gateway before which the table is played: those of production, in small."""
PATIENT: Mapping[str, float | str] = OPTIONS | {
    name: 10 * limit for name, limit in OPTIONS.items() if isinstance(limit, float)
}
"""The limits where nothing is to be waited for, so that a busy machine is not taken for a slow provider."""
WELL, FAILED, SHUT = "as before", "one failure", "shut"
"""What is thought of the channel afterwards."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What must come of a fault where the provider has no other channel; the same in both dialects.

    Attributes:
        code: of the error that the client is told; empty if its answer is whole.
        status: of the answer. An error with 200 is an event in a stream that has begun.
        text: what of the answer the client gets.
        tokens: input and output that are charged; None if nothing is.
        is_estimated: they are our own count.
        is_retried: another channel gets the request where there is one, and its answer is the client's.
        calls: requests that the provider sees.
        channel: what is thought of it then.
        seconds: the limit of time after which it is over; 0 if there is nothing to wait for.
        retry_after: what the client is told; None if nothing.
        message: the error's text where it is the provider's own.
    """

    code: str = ""
    status: int = 200
    text: str = ""
    tokens: tuple[int, int] | None = None
    is_estimated: bool = False
    is_retried: bool = False
    calls: int = 1
    channel: str = WELL
    seconds: float = 0.0
    retry_after: int | None = None
    message: str = ""

    def but(self, **changes: object) -> Self:
        """The same, but for what is named."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Play:
    """What the provider does with one form of a request, and what must come of it."""

    steps: Sequence[Step]
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row of the table.

    Attributes:
        name: short, and unique.
        group: the part of the table.
        stream, plain: for each form of a request; None if the fault cannot be in it.
        address: makes an address to use instead of the provider's, such as one where nobody listens.
        host: the name of the host is this one instead.
        options: other limits of the gateway.
        is_busy: a first request has taken the only connection that the channel may have.
        sent_max: the most bytes that the provider may get rid of before it is cut.
        comments: at least so many comments tell the client meanwhile that we are there.
    """

    name: str
    group: str
    stream: Play | None
    plain: Play | None
    address: Callable[[ExitStack], str] | None = None
    host: str = ""
    options: Mapping[str, float | str] = field(default_factory=dict[str, float | str])
    is_busy: bool = False
    sent_max: int | None = None
    comments: int = 0


def bill(tokens: tuple[int, int]) -> int:
    """Nano-yuan for so many tokens: 3.2 CNY for a million of input, 12.8 of output."""
    return tokens[0] * 3_200 + tokens[1] * 12_800


# addresses at which nothing can be had


def nobody(_: ExitStack) -> str:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return f"http://127.0.0.1:{unused.getsockname()[1]}/v1"


def black_hole(stack: ExitStack) -> str:
    """A port whose connections never open: its backlog is full and nobody accepts."""
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    for _ in range(8):
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)  # noqa: FBT003  # the socket module's own signature
        filler.connect_ex(listener.getsockname())
    return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def no_tls(stack: ExitStack) -> str:
    """TLS is asked of a port that lets connections in and says nothing."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    return f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
