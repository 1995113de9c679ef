"""Clients that leave at any byte of any answer: what they pay is known beforehand, to the nano.

The provider sends so many bytes of its answer and waits; the client leaves when it has seen all that they bring; then
the provider goes on. So what has been received is certain, and the bill is not a matter of time.
"""

import random
import socket
import threading
import time
from bisect import bisect_right
from dataclasses import dataclass, field

import pytest
from tests.faults.model import bill
from tests.support.rawclient import LLMAGE, OPENAI, RawClient, chat_body, post
from tests.support.rig import Rig, rig
from tests.support.upstream import DONE, END, STREAM_HEAD, Conn, chunk, event, plain, usage_event

CUTS, SOAK_CUTS = 2_500, 50_000
"""For each of the two policies."""
PROMPT = "how many?"
PROMPT_TOKENS = 3
"""Nine bytes, three for a token."""
LEAVE = (RawClient.close, RawClient.reset, RawClient.half_close)


@dataclass
class Visit:
    """One request: what the provider answers, and where it waits.

    Attributes:
        ends: where in the answer's bytes each event of text is complete.
        sizes: bytes of text after each of them, all together.
        head: where the answer's head is complete.
    """

    is_stream: bool
    wire: bytes
    usage: tuple[int, int]
    cut: int
    head: int
    ends: list[int] = field(default_factory=list[int])
    sizes: list[int] = field(default_factory=list[int])
    has_sent: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)

    @property
    def events(self) -> int:
        """Events that are complete where the provider waits."""
        return bisect_right(self.ends, self.cut)

    @property
    def is_accepted(self) -> bool:
        return self.cut >= self.head

    def cancelled(self) -> int | None:
        """What leaving there costs by the written rule: bytes of UTF-8, three for a token, rounded up."""
        if not self.is_stream:
            return bill((PROMPT_TOKENS, 0))  # nothing is seen of a plain answer before it is whole
        if not self.is_accepted:
            return None
        size = self.sizes[self.events - 1] if self.events else 0
        return bill((PROMPT_TOKENS, -(-size // 3)))


def visit(choose: random.Random) -> Visit:
    """An answer by chance, and a byte of it."""
    usage = (choose.randrange(1, 500), choose.randrange(1, 500))
    if choose.random() < 0.3:
        wire = plain("hello", tokens=usage)
        return Visit(
            is_stream=False, wire=wire, usage=usage, cut=choose.randrange(len(wire)), head=wire.index(b"\r\n\r\n") + 4
        )
    wire, ends, sizes, size = STREAM_HEAD, [], [], 0
    for _ in range(choose.randrange(1, 12)):
        text = choose.choice(("a", "word ", "你好", "🙂", "x" * 300)) * choose.randrange(1, 4)
        piece = chunk(event(text))
        size += len(text.encode())
        ends.append(len(wire) + len(piece) - 2)  # the line end of HTTP's chunk comes after the event's
        sizes.append(size)
        wire += piece
    rest = chunk(event("", finish="stop") + usage_event(usage) + DONE) + END
    return Visit(
        is_stream=True,
        wire=wire + rest,
        usage=usage,
        cut=choose.randrange(len(wire)),
        head=len(STREAM_HEAD),
        ends=ends,
        sizes=sizes,
    )


class Provider:
    """Plays the visit that is set."""

    visit: Visit

    def __call__(self, conn: Conn) -> None:
        conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            conn.read_request()
            now = self.visit
            if now.cut:
                conn.write(now.wire[: now.cut])
            now.has_sent.set()
            assert now.goes_on.wait(10)
            conn.write(now.wire[now.cut :])


def soon(is_so: object) -> None:
    """Wait, in small steps: there are thousands of them."""
    until = time.monotonic() + 5
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.0003)


def go_and_leave(r: Rig, now: Visit, choose: random.Random) -> None:
    """Ask, see what is sent, leave."""
    client = RawClient(r.server.port)
    client.send(
        post(chat_body(text=PROMPT, stream=now.is_stream, max_tokens=2_000), path=choose.choice((OPENAI, LLMAGE)))
    )
    assert now.has_sent.wait(5)
    while now.is_stream and client.buffer.count(b"\ndata: ") < now.events:
        client._more()
    if now.is_stream and now.is_accepted and not now.events:
        soon(lambda: all(e._attempt is not None and e._attempt.is_accepted for e in r.gateway.exchanges))
    choose.choice(LEAVE)(client)
    client.close()


def leave_often(seed: int, count: int, *, drains: bool) -> None:
    choose = random.Random(seed)  # noqa: S311  # no secret; told if it fails
    provider = Provider()
    with rig([provider], drains=drains, retries_max=0, breaker="off") as r:
        for number in range(count):
            now = provider.visit = visit(choose)
            before = len(r.records)
            go_and_leave(r, now, choose)
            if drains:
                soon(lambda: r.gateway.draining == 1)
                now.goes_on.set()
            soon(lambda: not r.gateway.exchanges)
            now.goes_on.set()
            seen = [(x.charge_nanos, x.is_estimated, x.overrun_nanos, str(x.status)) for x in r.records[before:]]
            charge = bill(now.usage) if drains else now.cancelled()
            wanted = [] if charge is None else [(charge, not drains, 0, "client_gone")]
            assert seen == wanted, f"seed {seed}, number {number}: {now}"


@pytest.mark.parametrize("drains", [False, True], ids=["cancel", "drain"])
def test_a_client_that_leaves_at_any_byte_pays_the_right_bill(drains, record_property):
    seed = random.randrange(2**32)  # noqa: S311  # no secret; told if it fails
    record_property("seed", seed)
    leave_often(seed, CUTS, drains=drains)


@pytest.mark.soak
@pytest.mark.parametrize("drains", [False, True], ids=["cancel", "drain"])
def test_many_clients_that_leave_at_any_byte_pay_the_right_bill(drains):
    leave_often(random.randrange(2**32), SOAK_CUTS, drains=drains)  # noqa: S311  # no secret; told if it fails
