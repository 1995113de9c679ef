"""Customers: what they ask of gateways, and what they have seen of the answers.

What a customer has seen is all that the audit believes of an answer: it is acknowledged when its last byte has come.
"""

import json
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from tests.simulation.goods import KEYS, METHOD, PEPPER, VIDEO, Held
from tests.simulation.processes import GatewaySlot, Surroundings
from tests.simulation.studio import words

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.topups import PayWay
from yuanjing.gateway.exchange import Exchange
from yuanjing.usecases.key_finder import KeyFinder
from yuanjing.usecases.keys import KeyTerms, authenticate, change_key

_USAGE_ID = re.compile(rb"x-yuanjing-usage-id: (\S+)\r\n")
_PIECE = re.compile(rb"<\d+\.\d+\.\d+>")
_CHANGE_NANOS = 10**8
_NAMED_SHARE, _AGAIN_SHARE, _TWICE_SHARE = 0.4, 0.85, 0.5
"""How many chats are named; how many of those are sent again unless answered, and how many although they were."""
_PATIENCE = (0.8, 2.0, 9.0)
"""How many seconds a customer waits at most before."""


@dataclass
class Chat:
    """One chat request and what came back; what uvicorn's protocol is to an exchange.

    Attributes:
        number: of what is asked for; one that is sent again has it again.
        name: its `Idempotency-Key`, if it has one.
        usage_id: as the answer's head told it.
        is_whole: the answer came to its end.
        is_over: nothing more will come.
    """

    number: int
    key: Held
    is_stream: bool
    body: bytes
    max_tokens: int
    name: bytes | None
    on_whole: Callable[[], None]
    known_key: Any = None
    received: bytearray = field(default_factory=bytearray)
    usage_id: str | None = None
    is_whole: bool = False
    is_over: bool = False

    def write(self, data: bytes) -> None:
        """What a process has written arrives, whatever becomes of the process."""
        self.received += data
        if self.usage_id is None and (found := _USAGE_ID.search(self.received)) is not None:
            self.usage_id = found[1].decode()
        if not self.is_whole and self.received.startswith(b"HTTP/1.1 200"):
            self.is_whole = not self.is_stream or b"data: [DONE]" in data
            if self.is_whole:
                self.on_whole()

    def default_headers(self) -> bytes:
        return b""

    def address(self, forwarded_for: bytes | None) -> str:
        del forwarded_for
        return "192.0.2.1"

    def exchange_over(self, exchange: object) -> None:
        del exchange
        self.is_over = True

    @property
    def pieces(self) -> list[str]:
        """What of the provider's answer came through, in order."""
        return [one.decode() for one in _PIECE.findall(bytes(self.received))]


@dataclass
class Order:
    """A top-up that a customer has paid, however often it was told."""

    customer_id: str
    number: str
    amount_nanos: int


class People:
    """All customers of one simulation."""

    def __init__(self, around: Surroundings, gateways: list[GatewaySlot]) -> None:
        self._around = around
        self._gateways = gateways
        self.chats: list[Chat] = []
        """Every one that was sent; those of one name have one number."""
        self._asked = 0
        self.paid: list[Order] = []
        self.limits: dict[str, int] = {one.row.id: one.row.limits.budget_nanos or 0 for one in KEYS}
        """The highest that each key's budget ever was; 0 without one."""
        self.on_whole: Callable[[GatewaySlot], None] = lambda _: None

    def act(self) -> None:
        """Do one thing, somewhere."""
        plan, choose = self._around.plan, self._around.plan.choose
        open_ = [one for one in self._gateways if one.gateway is not None and not one.process.is_paused]
        if not open_:
            return
        slot = choose.choice(open_)
        draw = choose.random()
        if draw < 0.06:
            self._run(slot, lambda: self._top_up(slot))
        elif draw < 0.09:
            self._run(slot, lambda: self._change_budget(slot))
        elif draw < 0.12:
            self._run(slot, lambda: self._refund(slot))
        elif draw < 0.12 + plan.video_share:
            self._run(slot, lambda: self._video(slot))
        else:
            for _ in range(choose.choice((1, 1, 1, 3))):
                self.chat(slot)

    def _run(self, slot: GatewaySlot, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """In the process of the gateway, as its HTTP does; what it is refused is the customer's affair."""

        async def guarded() -> None:
            try:
                await work()
            except YuanjingError as error:
                self._around.trace(f"refused: {error!r}")

        self._around.loop.post(slot.process, lambda: self._around.loop.create_task(guarded()))

    # chats

    def chat(self, slot: GatewaySlot) -> None:
        """Ask a question; a named one is asked again until it is answered, and now and then after that."""
        choose = self._around.plan.choose
        self._asked += 1
        number, key = self._asked, choose.choice(KEYS)
        is_stream = choose.random() < 0.6
        max_tokens = choose.choice((4, 16, 48))
        text = f"{number} " + "x" * choose.randint(0, 60)
        asked = {
            "model": "m",
            "messages": [{"role": "user", "content": text}],
            "max_tokens": max_tokens,
            "stream": is_stream,
        }
        body = json.dumps(asked).encode()
        name = b"name-%d" % number if choose.random() < _NAMED_SHARE else None
        self._send(slot, Chat(number, key, is_stream, body, max_tokens, name, on_whole=lambda: self.on_whole(slot)))

    def _ask_again(self, before: Chat) -> None:
        """The same once more, at any gateway, if the customer has not got it; of those that have, some ask, too."""
        around, choose = self._around, self._around.plan.choose
        open_ = [one for one in self._gateways if one.gateway is not None and not one.process.is_paused]
        if open_ and (not before.is_whole or choose.random() < _TWICE_SHARE):
            slot = choose.choice(open_)
            around.trace(f"chat {before.number} again")
            on_whole = lambda: self.on_whole(slot)  # noqa: E731  # as for the first
            again = replace(
                before, received=bytearray(), usage_id=None, is_whole=False, is_over=False, on_whole=on_whole
            )
            self._send(slot, again)

    def _send(self, slot: GatewaySlot, chat: Chat) -> None:
        """Some leave before the answer is there."""
        choose, loop, gateway = self._around.plan.choose, self._around.loop, slot.gateway
        assert gateway is not None
        self.chats.append(chat)
        self._around.trace(f"chat {chat.number} of {chat.key.row.id} at {slot.process.name}")
        exchange = Exchange(chat, gateway, Dialect.OPENAI)
        exchange.authorization = f"Bearer {chat.key.text}".encode()
        exchange.idempotency_key = chat.name

        def begin() -> None:
            try:
                exchange.start()
                exchange.receive(chat.body)
                exchange.receive_end()
            except Exception as error:  # noqa: BLE001  # as the protocol does
                gateway.give_up(exchange, error)

        loop.post(slot.process, begin)
        if choose.random() < 0.12:
            loop.post(slot.process, exchange.client_gone, delay=choose.uniform(0.001, 1.5))
        if chat.name is not None and choose.random() < _AGAIN_SHARE:
            patience = choose.choice(_PATIENCE)
            loop.post(loop.world, lambda: self._ask_again(chat), delay=choose.uniform(0.1, patience))

    # the rest of the API

    async def _video(self, slot: GatewaySlot) -> None:
        choose, videos = self._around.plan.choose, slot.videos
        assert videos is not None
        key = choose.choice(KEYS)
        assert slot.store is not None
        caller = await authenticate(KeyFinder(slot.store), self._around.clock, PEPPER, key.text)
        fields = {"llmid": [VIDEO.id], "prompt": [words(choose)], "duration": [str(choose.randint(3, 8))]}
        submitted = await videos.submit(caller, fields, dialect=Dialect.LLMAGE, request_id="req_v")
        self._around.trace(f"task {submitted.task.id}")
        if choose.random() < 0.25:
            await videos.delete(caller, submitted.task.id)

    async def _top_up(self, slot: GatewaySlot) -> None:
        """Order, pay, and let it be told several times, at other gateways too, perhaps never."""
        around, choose = self._around, self._around.plan.choose
        assert slot.topups is not None
        customer = choose.choice(KEYS).customer
        topup, _ = await slot.topups.start(customer.id, METHOD, PayWay.PAGE, 10**9)
        if not around.method.pay(topup.number, topup.amount_nanos, f"up-{topup.number}"):
            return
        self.paid.append(Order(customer.id, topup.number, topup.amount_nanos))
        raw = f"{topup.number} {topup.amount_nanos} up-{topup.number}".encode()
        for _ in range(choose.randint(0, 3)):
            around.loop.post(around.loop.world, self._notify, raw, delay=choose.uniform(0.01, 2.0))

    def _notify(self, raw: bytes) -> None:
        open_ = [one for one in self._gateways if one.gateway is not None]
        if open_:
            slot = self._around.plan.choose.choice(open_)
            notifications = slot.notifications
            assert notifications is not None
            self._run(slot, lambda: notifications.take(METHOD, raw))

    async def _refund(self, slot: GatewaySlot) -> None:
        choose = self._around.plan.choose
        assert slot.refunds is not None
        if not self.paid:
            return
        await slot.refunds.start(choose.choice(self.paid).number, choose.choice((None, 3 * _CHANGE_NANOS)), "wanted")

    async def _change_budget(self, slot: GatewaySlot) -> None:
        """Raise or lower a budget while it is used."""
        around = self._around
        assert slot.store is not None
        key = around.plan.choose.choice([one for one in KEYS if one.row.limits.budget_nanos is not None])
        amount = around.plan.choose.randint(1, 4) * _CHANGE_NANOS
        self.limits[key.row.id] = max(self.limits[key.row.id], amount)

        def change(terms: KeyTerms) -> KeyTerms:
            limits = type(terms.limits)(budget_nanos=amount)
            return KeyTerms(name=terms.name, limits=limits, expires_at=terms.expires_at)

        await change_key(slot.store, around.clock, customer_id=key.customer.id, key_id=key.row.id, change=change)
        around.trace(f"{key.row.id} may spend {amount}")
