"""A platform without its hot path: the application over a store in memory, with a customer and its keys."""

import datetime as dt
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.edge.videos import FakeVideos
from tests.support.leaks import Secrets, watched
from tests.support.payments import FakeMethod
from tests.support.signin import Browser, FakeSender, sign_in_parts

from yuanjing.adapters.artifacts.room import Room
from yuanjing.adapters.artifacts.scratch import Scratch
from yuanjing.adapters.memory.blobs import MemoryBlobs
from yuanjing.adapters.memory.store import MemoryStore
from yuanjing.domain.catalog import ChatLimits, Offer, Operation, Provider
from yuanjing.domain.identity import ApiKey, Customer
from yuanjing.domain.money import NANOS_PER_YUAN, Book
from yuanjing.domain.pricing import ChatTier
from yuanjing.edge import site
from yuanjing.edge.app import create_app
from yuanjing.edge.file_answers import FileServing
from yuanjing.edge.multipart import FormOptions
from yuanjing.edge.openapi import build_document
from yuanjing.edge.parts import EdgeParts, TopUpDesk
from yuanjing.kit.clock import ManualClock
from yuanjing.kit.signing import SigningKey
from yuanjing.ports.store import Tx
from yuanjing.usecases.account import AccountPolicy
from yuanjing.usecases.artifacts.links import ArtifactLinks
from yuanjing.usecases.catalog import set_price
from yuanjing.usecases.customers import create_customer
from yuanjing.usecases.key_finder import KeyFinder
from yuanjing.usecases.keys import create_key
from yuanjing.usecases.receipts import Receipts
from yuanjing.usecases.redemptions import Redemptions
from yuanjing.usecases.signin.failures import AddressFailures
from yuanjing.usecases.topups import Notifications, TopUpParts, TopUpPolicy, TopUps
from yuanjing.usecases.usage_pages import OwnUsage

PEPPER = b"a pepper for tests"
START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
LLMID, OTHER_LLMID, VIDEO_LLMID, FUTURE_LLMID, FREE_LLMID = ("a" * 21, "b" * 21, "c" * 21, "d" * 21, "e" * 21)
TIERS = (
    ChatTier(input_up_to=1_000, input_nanos=25 * 10**8, output_nanos=10**10, cache_read_nanos=5 * 10**8),
    ChatTier(input_up_to=None, input_nanos=4 * 10**9, output_nanos=16 * 10**9),
)
FLAT = (ChatTier(input_up_to=None, input_nanos=1_234_567_890, output_nanos=0),)


@asynccontextmanager
async def no_life(_app: object) -> AsyncGenerator[Mapping[str, object]]:
    yield {"gateway": "the gateway"}


def offer(llmid: str, model: str, **changes: object) -> Offer:
    values: dict[str, object] = {
        "id": llmid,
        "model": model,
        "operation": Operation.CHAT,
        "label": model.title(),
        "provider_label": "Alibaba Cloud",
        "providers": {"p": model},
        "chat": ChatLimits(context_tokens=2_000, output_tokens_max=500),
        "capabilities": ("stream", "tools"),
        "parameters": {"type": "object", "required": ["model"]},
        "description": "A model.",
        "description_zh": "一个模型。",
    }
    return Offer(**(values | changes))  # type: ignore[arg-type]


OFFERS = (
    offer(LLMID, "qwen3-max", aliases=("qwen-max",), enabled_from=dt.datetime(2026, 6, 1, tzinfo=dt.UTC)),
    offer(OTHER_LLMID, "org/other:1", provider_label="DeepSeek"),
    offer(VIDEO_LLMID, "wan2.6-t2v", operation=Operation.TEXT_TO_VIDEO, chat=None),
    offer(FUTURE_LLMID, "not-yet", enabled_from=dt.datetime(2027, 1, 1, tzinfo=dt.UTC)),
    offer(FREE_LLMID, "without-price"),
)


NOWHERE = Path("/nowhere")
"""No file can be uploaded to it."""


def forms(folder: Path, **changes: object) -> FormOptions:
    """Limits of requests, with files in a folder."""
    room = Room(folder=folder, reserve_bytes=0, free_bytes=lambda _: 10**9)
    values: dict[str, object] = {
        "scratch": Scratch(folder / "uploads", room=room),
        "request_bytes_max": 4_000_000,
        "file_bytes_max": 2_000_000,
        "text_bytes_max": 1_000_000,
        "parts_max": 20,
    }
    return FormOptions(**(values | changes))  # type: ignore[arg-type]


_current: ContextVar[EdgeParts] = ContextVar("parts")
_served: dict[tuple[bool, bool, bool, str], FastAPI] = {}
_documents: dict[tuple[bool, bool, str], dict[str, Any]] = {}


class _CurrentParts(State):
    """What an application that many tests share finds its parts in."""

    @property
    def parts(self) -> EdgeParts:
        return _current.get()


def served(parts: EdgeParts) -> ASGIApp:
    """The application over these parts.

    Its routes are made ready by the first request of each application, which takes longer than most tests, so that
    those of one shape share one; each request finds the parts of its own.
    """
    shape = (
        parts.outbox is None,
        parts.topups is None,
        site.is_built(),
        parts.public_base_url,
    )  # the last: in its description
    if shape not in _served:
        _served[shape] = create_app(parts)
        _served[shape].state = _CurrentParts()
    app = _served[shape]

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        token = _current.set(parts)
        try:
            await app(scope, receive, send)
        finally:
            _current.reset(token)

    return call


def described(parts: EdgeParts, base_url: str = "") -> dict[str, Any]:
    """The OpenAPI document of an application over these parts; do not change it."""
    shape = (parts.outbox is None, parts.topups is None, base_url)
    if shape not in _documents:
        _documents[shape] = build_document(create_app(parts), base_url)
    return _documents[shape]


@dataclass
class Platform:
    """The application and what a test may turn."""

    store: MemoryStore
    clock: ManualClock
    parts: EdgeParts
    customer: Customer
    key: str
    videos: FakeVideos
    sms: FakeSender
    payments: FakeMethod
    is_ready: bool = True
    metrics: bytes = b""
    secrets: Secrets = field(default_factory=Secrets)

    def client(
        self, *, key: str | None = "", peer: str = "127.0.0.1", parts: EdgeParts | None = None
    ) -> httpx2.AsyncClient:
        """A client of the application; `key` is a key, empty for the test key, None for none."""
        transport = httpx2.ASGITransport(app=served(parts or self.parts), client=(peer, 4711))
        headers = {} if key is None else {"authorization": f"Bearer {key or self.key}"}
        return httpx2.AsyncClient(transport=transport, base_url="http://api.example", headers=headers)

    def browser(self, *, parts: EdgeParts | None = None, peer: str = "127.0.0.1", key: str | None = None) -> Browser:
        """A browser with our page in it; close its client."""
        transport = httpx2.ASGITransport(app=served(parts or self.parts), client=(peer, 4711))
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        client = httpx2.AsyncClient(transport=transport, base_url="https://ai.example.com", headers=headers)
        return Browser(client, self.sms, secrets=self.secrets)

    async def make_key(self, **changes: object) -> tuple[ApiKey, str]:
        """One more key of the customer."""
        values: dict[str, object] = {"customer_id": self.customer.id, "book": Book.TEST}
        made, secret = await create_key(self.store, self.clock, PEPPER, **(values | changes))  # type: ignore[arg-type]
        self.secrets.note(secret)
        return made, secret

    def changed(self, **changes: object) -> EdgeParts:
        """The parts with other options."""
        return replace(self.parts, **changes)  # type: ignore[arg-type]


async def make_platform(folder: Path = NOWHERE) -> Platform:
    """The application with offers, prices, a customer and its test key; uploads go to a folder."""
    clock = ManualClock(START)
    store = MemoryStore(clock=clock)

    def fill(tx: Tx) -> None:
        provider = Provider(
            id="p", label="P", label_zh="P", protocol="openai_compatible", base_url="http://p", sandbox_path="/v1"
        )
        tx.catalog.save_provider(provider)
        for one in OFFERS:
            tx.catalog.save_offer(one)

    await store.write(fill)
    for name, tiers in (("qwen3-max", TIERS), ("org/other:1", FLAT), ("wan2.6-t2v", FLAT), ("not-yet", FLAT)):
        await set_price(store, clock, name, terms=tiers, source="A list of 2026-10-31")
    customer = await create_customer(
        store, clock, mobile="+8613800138000", name="Test", test_grant_nanos=100 * NANOS_PER_YUAN
    )
    _, key = await create_key(store, clock, PEPPER, customer_id=customer.id, book=Book.TEST)
    videos, sms, payments = FakeVideos(), FakeSender(), FakeMethod()
    topups = TopUpParts(
        store=store,
        clock=clock,
        methods={"fake": payments},
        policy=TopUpPolicy(open_max=3),
        subject="Yuanjing",
        return_url=lambda id_: f"https://ai.example.com/?topup={id_}",
        notify_url=lambda name: f"https://ai.example.com/callbacks/payments/{name}",
    )
    parts = EdgeParts(
        store=store,
        videos=videos,  # type: ignore[arg-type]
        sign_in=sign_in_parts(store, clock, sms),
        topups=TopUpDesk(orders=TopUps(topups), notifications=Notifications(topups)),
        usage=OwnUsage(store=store, clock=clock),
        receipts=Receipts(store=store, clock=clock, key=SigningKey(bytes(range(32)))),
        redemptions=Redemptions(
            store=store,
            clock=clock,
            pepper=PEPPER,
            of_customers=AddressFailures(clock, failures_max=5, window_seconds=3600),
            of_addresses=AddressFailures(clock, failures_max=8, window_seconds=3600),
        ),
        clock=clock,
        account=AccountPolicy(test_grant_nanos=100 * NANOS_PER_YUAN, keys_max=5, test_grants_per_day_max=2),
        keys=KeyFinder(store),
        pepper=PEPPER,
        is_ready=lambda: made.is_ready,
        render_metrics=lambda: made.metrics,
        lifespan=no_life,
        public_base_url="https://ai.example.com",
        forms=forms(folder),
        files=FileServing(blobs=MemoryBlobs(clock), links=ArtifactLinks(PEPPER, clock, is_signed=False, seconds=3600)),
        allow_test_pages=True,
    )
    made = Platform(
        store=store,
        clock=clock,
        parts=parts,
        customer=customer,
        key=key,
        videos=videos,
        sms=sms,
        payments=payments,
    )
    made.secrets.note(key, PEPPER.decode())
    return made


@asynccontextmanager
async def open_platform(folder: Path) -> AsyncGenerator[Platform]:
    """The same for as long as a test lasts, which fails if the application logs a secret."""
    made = await make_platform(folder)
    with watched(made.secrets):
        yield made
        for _, text in made.sms.sent:
            made.secrets.note_code(text)
