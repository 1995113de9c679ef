"""A gateway on a real port, with its ports replaced by fakes that keep books.

`GatewayServer` runs uvicorn with the real protocol class in a thread of its own; the upstream is whatever address the
test gives. The fake bank leases from one balance a customer and remembers every return, so that a test can check that
no money appears or vanishes.
"""

import asyncio
import datetime as dt
import logging
import socket
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

import uvicorn
from tests.support.claims import FakeClaims

from yuanjing.domain.catalog import ChannelLimits, ChatLimits, Offer, OnDisconnect, Operation, Provider
from yuanjing.domain.errors import FencedError, SpoolError, StoreUnavailableError
from yuanjing.domain.identity import ApiKey, Customer, KeyLimits, format_key
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ChatPrice, ChatTier
from yuanjing.domain.usage import UsageRecord
from yuanjing.gateway.directory import DirectoryContent, OpenChannel
from yuanjing.gateway.lease_source import Asked, GivenBack, PurseKey, Refill
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.runtime import Gateway, GatewayParts, Pulse
from yuanjing.kit.clock import SystemClock
from yuanjing.kit.digest import keyed_digest
from yuanjing.ports.store import Topic

PEPPER = b"pepper for tests"
KEY = format_key(Book.TEST, "AbCd1234", "0123456789abcdefghijABCDEFGHIJ01")
OTHER_KEY = format_key(Book.TEST, "ZyXw9876", "0123456789abcdefghijABCDEFGHIJ02")
MODEL = "qwen3-max"
OFFER_ID = "qwen3maxqwen3maxqwen3"
LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PRICE = ChatPrice(
    id="price_1",
    offer_id=OFFER_ID,
    version=1,
    effective_from=LONG_AGO,
    tiers=(ChatTier(input_up_to=None, input_nanos=3_200_000_000, output_nanos=12_800_000_000),),
)
LIMITS = ChatLimits(context_tokens=262_144, output_tokens_max=8_192)


def offer(**changes: object) -> Offer:
    """The offer that the tests buy."""
    values: dict[str, object] = {
        "id": OFFER_ID,
        "model": MODEL,
        "operation": Operation.CHAT,
        "label": "Qwen3 Max",
        "provider_label": "Alibaba Cloud",
        "providers": {"p": MODEL},
        "chat": LIMITS,
        "aliases": ("qwen-max",),
    }
    return Offer(**(values | changes))  # type: ignore[arg-type]


def provider(**changes: object) -> Provider:
    """The provider of the tests."""
    values: dict[str, object] = {
        "id": "p",
        "label": "P",
        "label_zh": "P",
        "protocol": "openai_compatible",
        "base_url": "http://127.0.0.1",
        "sandbox_path": "/v1",
        "on_disconnect": OnDisconnect.CANCEL,
    }
    return Provider(**(values | changes))  # type: ignore[arg-type]


def channel(base_url: str, **changes: object) -> OpenChannel:
    """A channel of the test book."""
    values: dict[str, object] = {
        "id": "ch_1",
        "name": "one",
        "provider_id": "p",
        "book": Book.TEST,
        "base_url": base_url,
        "credential": "sandbox-key",
        "priority": 0,
        "weight": 100,
        "connections_max": 256,
        "limits": ChannelLimits(),
        "offers": (),
        "upstream_models": {},
    }
    return OpenChannel(**(values | changes))  # type: ignore[arg-type]


def api_key(text: str = KEY, customer_id: str = "cus_1", **changes: object) -> ApiKey:
    """A stored key."""
    values: dict[str, object] = {
        "id": f"key_{text.split('_')[2]}",
        "customer_id": customer_id,
        "book": Book.TEST,
        "name": "test",
        "public_id": text.split("_")[2],
        "digest": keyed_digest(PEPPER, text),
        "limits": KeyLimits(),
        "created_at": 0.0,
    }
    return ApiKey(**(values | changes))  # type: ignore[arg-type]


@dataclass
class FakeDirectory:
    """Everything the gateway may serve; change it and signal `Topic.CATALOG` or `Topic.KEY`."""

    channels: list[OpenChannel]
    offers: list[Offer] = field(default_factory=lambda: [offer()])
    prices: list[ChatPrice] = field(default_factory=lambda: [PRICE])
    providers: list[Provider] = field(default_factory=lambda: [provider()])
    keys: list[ApiKey] = field(default_factory=lambda: [api_key()])
    lookups: int = 0
    is_down: bool = False

    async def load(self) -> DirectoryContent:
        return DirectoryContent(
            providers={p.id: p for p in self.providers},
            offers=tuple(self.offers),
            prices=tuple(self.prices),
            channels=tuple(self.channels),
        )

    async def find_key(self, public_id: str) -> tuple[ApiKey, Customer] | None:
        self.lookups += 1
        if self.is_down:
            raise StoreUnavailableError("down")
        for key in self.keys:
            if key.public_id == public_id:
                return key, Customer(id=key.customer_id, mobile="+8613800000000", name="", created_at=0.0)
        return None


@dataclass
class FakeBank:
    """A lease keeper with one balance a customer; `granted - returned - charged` is what purses still hold."""

    balance: dict[str, int] = field(default_factory=lambda: {"cus_1": 100 * 10**9})
    granted: int = 0
    returned: int = 0
    calls: int = 0
    renewals: int = 0
    is_down: bool = False
    is_fenced: bool = False
    share_percent: int = 5
    holds: dict[str, int] = field(default_factory=dict[str, int])
    delay_seconds: float = 0.0

    async def acquire(
        self, key: PurseKey, *, hold_id: str | None, needed_nanos: int, recent_nanos: int, asked: Asked | None
    ) -> Refill:
        self.calls += 1
        self.renewals += asked is None
        await asyncio.sleep(self.delay_seconds)
        if self.is_down:
            raise StoreUnavailableError("down")
        if self.is_fenced:
            raise FencedError("n", 1)
        left = self.balance.get(key[1], 0)
        if left < needed_nanos:
            return Refill(hold_id=None, granted_nanos=0, available_nanos=left, is_recalling=False)
        amount = max(needed_nanos, min(max(needed_nanos, recent_nanos), left * self.share_percent // 100))
        self.balance[key[1]] = left - amount
        self.granted += amount
        hold = hold_id or f"hold_{len(self.holds)}"
        self.holds[hold] = self.holds.get(hold, 0) + amount
        return Refill(hold_id=hold, granted_nanos=amount, available_nanos=left - amount, is_recalling=False)

    async def give_back(self, returns: Sequence[GivenBack]) -> None:
        if self.is_down:
            raise StoreUnavailableError("down")
        for given in returns:
            self.holds[given.hold_id] -= given.amount_nanos
            self.returned += given.amount_nanos
            self.balance["cus_1"] += given.amount_nanos


@dataclass
class FakeNode:
    """Heartbeats and signals as the test wishes."""

    recalled: frozenset[str] = frozenset()
    pending: list[tuple[Topic, str]] = field(default_factory=list[tuple[Topic, str]])
    is_down: bool = False
    is_fenced: bool = False
    has_left: bool = False
    gateways: int = 1

    async def beat(self) -> Pulse:
        if self.is_down:
            raise StoreUnavailableError("down")
        if self.is_fenced:
            raise FencedError("n", 1)
        return Pulse(posted_seq=0, gateways=self.gateways, recalled=self.recalled)

    async def signals(self) -> Sequence[tuple[Topic, str]]:
        found, self.pending = self.pending, []
        return found

    async def leave(self) -> None:
        self.has_left = True


@dataclass
class FakeSpool:
    """A spool in memory; `is_broken` makes it refuse, `room` tells how many rows it takes."""

    records: list[UsageRecord] = field(default_factory=list[UsageRecord])
    watermarks: dict[str, UsageRecord] = field(default_factory=dict[str, UsageRecord])
    is_broken: bool = False
    room: int = 1_000_000
    depth: int = 0
    size_bytes: int = 0

    def append(self, records: Sequence[UsageRecord], watermarks: Sequence[UsageRecord]) -> int:
        if self.is_broken:
            raise SpoolError("disk full")
        self.records.extend(records)
        self.watermarks.update({w.id: w for w in watermarks})
        for record in records:
            self.watermarks.pop(record.id, None)
        return len(self.records)

    def forget(self, posted_seq: int) -> None:
        if self.is_broken:
            raise SpoolError(f"disk full after row {posted_seq}")

    def is_disk_well(self) -> bool:
        return not self.is_broken

    def close(self) -> None:
        pass


class ListLog:
    """A logger that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.lines.append(("error", event, fields))


App = Callable[[dict[str, object], Callable[..., Awaitable[object]], Callable[..., Awaitable[None]]], Awaitable[None]]


class _Server(uvicorn.Server):
    """uvicorn's server, which notices its stop at once: there are hundreds of them in a run."""

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            for _ in range(10):
                if not self.should_exit:
                    await asyncio.sleep(0.01)


class GatewayServer:
    """The real protocol on a real port; a context manager."""

    def __init__(  # noqa: PLR0913  # the parts that a test may want to be its own
        self,
        directory: FakeDirectory,
        *,
        options: GatewayOptions | None = None,
        bank: FakeBank | None = None,
        claims: FakeClaims | None = None,
        spool: object | None = None,
        node: FakeNode | None = None,
        trusted_proxies: tuple[str, ...] = (),
        keep_alive_seconds: int = 75,
    ) -> None:
        self.directory = directory
        self.bank = bank or FakeBank()
        self.claims = claims or FakeClaims()
        self.spool = spool if spool is not None else FakeSpool()
        self.node = node or FakeNode()
        self.log = ListLog()
        self.options = options or GatewayOptions(tick_seconds=0.02)
        self.trusted_proxies = trusted_proxies
        self.keep_alive_seconds = keep_alive_seconds
        self.gateway: Gateway
        self.loop: asyncio.AbstractEventLoop
        self.port = 0
        self._ready = threading.Event()
        self._server: uvicorn.Server
        self.loop_errors: list[dict[str, object]] = []
        """What reached the loop's exception handler: always a bug."""
        self.cold_notes: list[str] = []
        """What the ASGI application saw: `gone:<path>` for each client that left while it was being served."""
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop as SIGTERM does, and wait."""
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()

    def begin_stop(self) -> None:
        self._server.should_exit = True

    def call(self, work: Callable[[], object]) -> None:
        """Run something on the server's loop and wait for it."""
        done = threading.Event()

        def run() -> None:
            work()
            done.set()

        self.loop.call_soon_threadsafe(run)
        assert done.wait(5)

    def _run(self) -> None:
        import uvloop  # noqa: PLC0415  # only the server's own thread needs it

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001  # the starting thread raises it again
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(lambda _, context: self.loop_errors.append(context))
        self.gateway = Gateway(
            GatewayParts(
                options=self.options,
                clock=SystemClock(),
                log=self.log,
                pepper=PEPPER,
                directory=self.directory,
                leases=self.bank,
                claims=self.claims,
                node=self.node,
                spool=self.spool,  # type: ignore[arg-type]
                trusted_proxies=self.trusted_proxies,
            )
        )

        @asynccontextmanager
        async def life() -> AsyncGenerator[None]:
            await self.gateway.start()
            yield
            await self.gateway.stop()

        config = uvicorn.Config(
            _app(self.gateway, life, self.cold_notes),
            http="yuanjing.gateway.protocol:GatewayProtocol",
            ws="none",
            log_level=logging.ERROR,
            access_log=False,
            timeout_keep_alive=self.keep_alive_seconds,
            timeout_graceful_shutdown=10,
        )
        self._server = _Server(config)
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = listener.getsockname()[1]
        task = self.loop.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started and not task.done():  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.005)
        self._ready.set()
        await task


def _app(gateway: Gateway, life: Callable[[], object], notes: list[str]) -> object:
    """The smallest ASGI application: echoes bodies and carries the gateway's life.

    `/early` answers without its body, `/sleep` after 0.3 s, `/until-gone` never, but notes that its client has left.
    """

    async def app(scope: dict[str, object], receive: Callable[[], Awaitable[dict[str, object]]], send: object) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(gateway, life, scope, receive, send)
            return
        body = b""
        if scope["path"] == "/until-gone":
            while (await receive())["type"] != "http.disconnect":
                pass
            notes.append(f"gone:{scope['path']}")
            return
        if scope["path"] == "/sleep":
            await asyncio.sleep(0.3)
        while scope["path"] != "/early":
            message = await receive()
            body += message.get("body", b"")  # type: ignore[operator]
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                break
        answer = b"cold:" + str(scope["path"]).encode() + b":" + body
        headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer})  # type: ignore[operator]

    return app


async def _lifespan(gateway: Gateway, life: object, scope: dict[str, object], receive: object, send: object) -> None:
    await receive()  # type: ignore[operator]
    scope["state"]["gateway"] = gateway  # type: ignore[index]
    async with life():  # type: ignore[operator]
        await send({"type": "lifespan.startup.complete"})  # type: ignore[operator]
        await receive()  # type: ignore[operator]
    await send({"type": "lifespan.shutdown.complete"})  # type: ignore[operator]
