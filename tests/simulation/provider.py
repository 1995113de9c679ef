"""The chat provider behind a simulated network: what it was asked, what it answered, and what it counted.

Gateways reach it over their real connection pool; only sockets are replaced. It speaks the OpenAI protocol, and fails
in the ways of real ones: no connection, refusals, silence, an answer that breaks, one without a count.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.loop import Process, SimulationLoop
from tests.simulation.plan import Plan

_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: {}\r\nx-request-id: {}\r\n"
_FAULTS = ("refuse", "silent", "break", "break", "uncounted", "over")
_BUSY = b'{"error":{"message":"busy","type":"server_error","code":"busy"}}'


@dataclass(kw_only=True)
class Served:
    """One attempt that reached the provider.

    Attributes:
        request: the customer's own number of the request, which travels in its text.
        input_tokens, output_tokens: what the provider counts for the whole answer.
        is_counted: whether it tells so.
        pieces: the answer, one piece for each chunk.
        sent: how many of them have left.
        is_whole: all of it has left.
    """

    id: str
    request: int
    input_tokens: int
    output_tokens: int
    is_counted: bool
    is_stream: bool
    pieces: list[str]
    sent: int = 0
    is_whole: bool = False


@dataclass
class Provider:
    """Both books' channels lead here."""

    loop: SimulationLoop
    plan: Plan
    served: dict[str, Served] = field(default_factory=dict)

    async def connect(self, protocol_factory: Callable[[], Any], *_: object) -> tuple[Any, Any]:
        """What `loop.create_connection` does."""
        await asyncio.sleep(self.plan.delay())
        if self.plan.chance(self.plan.provider_share / 4):
            raise ConnectionRefusedError
        protocol = protocol_factory()
        wire = Wire(self, self.loop.current, protocol)
        protocol.connection_made(wire)
        return wire, protocol

    def serve(self, wire: "Wire", request: bytes) -> None:
        """A request has come in: decide how it goes, and send accordingly."""
        choose, plan = self.plan.choose, self.plan
        body = json.loads(request.partition(b"\r\n\r\n")[2])
        kind = choose.choice(_FAULTS) if plan.chance(plan.provider_share) else ""
        if kind == "refuse":
            head = b"HTTP/1.1 503 Busy\r\ncontent-length: %d\r\n\r\n" % len(_BUSY)
            wire.send(head + _BUSY, plan.delay())
            return
        text = body["messages"][0]["content"]
        most = max(1, body.get("max_tokens") or body.get("max_completion_tokens") or 16)
        served = Served(
            id=f"up-{len(self.served) + 1}",
            request=int(text.split()[0]),
            input_tokens=choose.randint(1, len(text)),
            output_tokens=choose.randint(1, most) if kind != "over" else 50 * most,
            is_counted=kind != "uncounted",
            is_stream=bool(body.get("stream")),
            pieces=[f"<{text.split()[0]}.{len(self.served)}.{n}>" for n in range(choose.randint(1, 4))],
        )
        self.served[served.id] = served
        if kind == "silent":
            return
        if served.is_stream:
            self._stream(wire, served, is_breaking=kind == "break")
        elif kind == "break":
            wire.break_off(plan.delay())
        else:
            self._plain(wire, served)

    def _plain(self, wire: "Wire", served: Served) -> None:
        answer: dict[str, Any] = {
            "id": served.id,
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "".join(served.pieces)},
                    "finish_reason": "stop",
                }
            ],
        }
        if served.is_counted:
            answer["usage"] = _usage(served)
        body = json.dumps(answer)
        head = _HEAD.format("application/json", served.id) + f"content-length: {len(body)}\r\n\r\n"

        def leaves() -> None:
            served.sent, served.is_whole = len(served.pieces), True

        wire.send((head + body).encode(), self._pause(), leaves)

    def _stream(self, wire: "Wire", served: Served, *, is_breaking: bool) -> None:
        head = _HEAD.format("text/event-stream", served.id) + "transfer-encoding: chunked\r\n\r\n"
        after = self.plan.delay()
        wire.send(head.encode(), after)
        broken_at = self.plan.choose.randint(0, len(served.pieces)) if is_breaking else None
        for number, piece in enumerate(served.pieces):
            if number == broken_at:
                wire.break_off(after)
                return
            after += self._pause()

            def leaves(count: int = number + 1) -> None:
                served.sent = count

            wire.send(_chunk(_event({"delta": {"content": piece}})), after, leaves)
        if broken_at is not None:
            wire.break_off(after)
            return
        last = _event({"delta": {}, "finish_reason": "stop"})
        if served.is_counted:
            last += _event(None, usage=_usage(served))
        after += self.plan.delay()

        def leaves_whole() -> None:
            served.is_whole = True

        wire.send(_chunk(last + "data: [DONE]\n\n") + b"0\r\n\r\n", after, leaves_whole)

    def _pause(self) -> float:
        """Between two pieces; now and then so long that the stream gets a watermark."""
        draw = self.plan.choose.random()
        return self.plan.choose.uniform(0.5, 2.0) if draw < 0.15 else self.plan.choose.uniform(0.001, 0.15)


class Wire(asyncio.Transport):
    """The gateway's end of one connection."""

    def __init__(self, provider: Provider, process: Process, protocol: Any) -> None:
        super().__init__()
        self._provider = provider
        self._process = process
        self._protocol = protocol
        self._is_closing = False

    def write(self, data: bytes) -> None:
        if not self._is_closing:
            loop = self._provider.loop
            loop.post(loop.world, self._provider.serve, self, bytes(data), delay=self._provider.plan.delay())

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def send(self, data: bytes, delay: float, leaves: Callable[[], None] = lambda: None) -> None:
        """From the provider to the gateway."""

        def go() -> None:
            if self._process.is_alive and not self._is_closing:
                leaves()
                self._provider.loop.post(self._process, self._receive, data)

        self._provider.loop.post(self._provider.loop.world, go, delay=delay)

    def break_off(self, delay: float) -> None:
        """The provider's end is gone."""
        self._provider.loop.post(self._process, self._lose, ConnectionResetError(), delay=delay)

    def _receive(self, data: bytes) -> None:
        if not self._is_closing:
            self._protocol.data_received(data)

    def _lose(self, error: Exception | None) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._protocol.connection_lost(error)

    def is_closing(self) -> bool:
        return self._is_closing

    def abort(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._provider.loop.call_soon(self._protocol.connection_lost, None)

    close = abort

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Nothing is paused: what was read would only come later."""

    def resume_reading(self) -> None:
        """See `pause_reading`."""


def _usage(served: Served) -> dict[str, int]:
    total = served.input_tokens + served.output_tokens
    return {"prompt_tokens": served.input_tokens, "completion_tokens": served.output_tokens, "total_tokens": total}


def _event(choice: dict[str, Any] | None, **more: Any) -> str:
    choices = [] if choice is None else [{"index": 0, **choice}]
    return f"data: {json.dumps({'id': 'c', 'object': 'chat.completion.chunk', 'choices': choices, **more})}\n\n"


def _chunk(text: str) -> bytes:
    data = text.encode()
    return b"%x\r\n%b\r\n" % (len(data), data)
