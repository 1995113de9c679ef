"""Values that are complete, so that a column that is forgotten shows."""

import datetime as dt
import itertools

from yuanjing.domain import ledger
from yuanjing.domain.catalog import Channel, ChatLimits, Offer, OnDisconnect, Operation, Provider
from yuanjing.domain.holds import Hold, HoldPurpose
from yuanjing.domain.identity import ApiKey, BudgetPeriod, Customer, KeyLimits
from yuanjing.domain.ledger import Transfer
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ChatPrice, ChatTier
from yuanjing.domain.usage import ChatUsage, PostedUsage, UsageRecord, UsageStatus

LIVE, TEST = Book.LIVE, Book.TEST
_numbers = itertools.count(1)


def grant(customer: str = "cus_a", amount: int = 1000, *, cause: str | None = None, book: Book = TEST) -> Transfer:
    return ledger.grant(book, customer, amount, cause=cause or f"cause{next(_numbers)}", note="for a test")


def place(customer: str = "cus_a", amount: int = 100, *, hold: str = "hold_1", part: int = 0) -> Transfer:
    return ledger.place_hold(TEST, customer, amount, hold_id=hold, part=part)


def pay(giver: str, taker: str, amount: int, transfer_id: str) -> Transfer:
    """Straight from one customer to another: no posting of ours, but the shortest way to opposite locks."""
    return Transfer(
        id=transfer_id,
        book=TEST,
        reason=ledger.Reason.CORRECTION,
        amount_nanos=amount,
        debit=ledger.available(giver),
        credit=ledger.available(taker),
        corrects="grant:x",
        note="swap",
    )


def lease(hold_id: str = "hold_1", **changes: object) -> Hold:
    fields: dict[str, object] = {
        "id": hold_id,
        "book": TEST,
        "customer_id": "cus_a",
        "purpose": HoldPurpose.LEASE,
        "amount_nanos": 10**17 + 1,
        "owner_node": "m-g0",
        "owner_incarnation": 1,
        "key_id": "key_1",
        "parts": 1,
        "created_at": 1000.125,
        "expires_at": 2000.1,
    }
    return Hold(**(fields | changes))  # type: ignore[arg-type]


def task_hold(hold_id: str, **changes: object) -> Hold:
    return lease(hold_id, purpose=HoldPurpose.TASK, owner_node=None, owner_incarnation=None, key_id=None, **changes)


def usage(usage_id: str, **changes: object) -> PostedUsage:
    posted_at = changes.pop("posted_at", 5000.25)
    fields: dict[str, object] = {
        "id": usage_id,
        "book": TEST,
        "customer_id": "cus_a",
        "key_id": "key_1",
        "offer_id": "offer_1",
        "model": "qwen3-max",
        "operation": Operation.CHAT.value,
        "channel_id": "chan_1",
        "hold_id": "hold_1",
        "price_id": "price_1",
        "meters": ChatUsage(input_tokens=31, output_tokens=60, reasoning_tokens=7).meters(),
        "ceiling_nanos": 10**18,
        "charge_nanos": 10**18 - 1,
        "overrun_nanos": 3,
        "is_estimated": True,
        "is_stream": True,
        "status": UsageStatus.CLIENT_GONE,
        "request_id": "req_1",
        "upstream_request_id": "up-1",
        "upstream_model": "qwen3-max-2026",
        "attempts": 2,
        "started_at": 4999.1,
        "first_byte_ms": 120,
        "duration_ms": 900,
        "extra": {"finish": "停止"},
    }
    return PostedUsage(
        record=UsageRecord(**(fields | changes)),  # type: ignore[arg-type]
        settle_transfer_id="settle:b1:hold_1",
        late_shortfall_nanos=4,
        posted_at=posted_at,  # type: ignore[arg-type]
    )


def customer(customer_id: str = "cus_a", mobile: str = "+8613800000001") -> Customer:
    return Customer(id=customer_id, mobile=mobile, name="张三", created_at=1.5, disabled_at=2.5)


def key(key_id: str = "key_1", public_id: str = "abcdefgh", **changes: object) -> ApiKey:
    limits = KeyLimits(
        models=("qwen3-max", "a"),
        networks=("10.0.0.0/8",),
        requests_per_minute=60,
        tokens_per_minute=10**6,
        concurrency=4,
        budget_nanos=10**18,
        budget_period=BudgetPeriod.MONTH,
    )
    fields: dict[str, object] = {
        "id": key_id,
        "customer_id": "cus_a",
        "book": LIVE,
        "name": "生产",
        "public_id": public_id,
        "digest": b"\x00\xff" + public_id.encode(),
        "limits": limits,
        "created_at": 10.5,
        "expires_at": 99.5,
    }
    return ApiKey(**(fields | changes))  # type: ignore[arg-type]


def provider(provider_id: str = "dashscope", label: str = "Alibaba Bailian") -> Provider:
    return Provider(
        id=provider_id,
        label=label,
        label_zh="阿里云百炼",
        protocol="openai_compatible",
        base_url="https://example.com/v1",
        sandbox_path="/compatible-mode/v1",
        on_disconnect=OnDisconnect.DRAIN,
        quirks=("a", "b"),
    )


def offer(offer_id: str = "offer_1", model: str = "qwen3-max") -> Offer:
    return Offer(
        id=offer_id,
        model=model,
        operation=Operation.CHAT,
        label="Qwen3 Max",
        provider_label="Alibaba",
        providers={"dashscope": "qwen3-max"},
        chat=ChatLimits(context_tokens=262_144, output_tokens_max=65_536, choices_max=4),
        aliases=("qwen-max",),
        capabilities=("tools",),
        parameters={"type": "object", "properties": {"n": {"type": "integer", "maximum": 4}}, "x": [1, None, True]},
        description="Large",
        description_zh="大",
        enabled_from=dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.timezone(dt.timedelta(hours=8))),
        enabled_until=None,
    )


def price(price_id: str = "price_1", offer_id: str = "offer_1", version: int = 1) -> ChatPrice:
    return ChatPrice(
        id=price_id,
        offer_id=offer_id,
        version=version,
        effective_from=dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
        tiers=(
            ChatTier(input_up_to=32_000, input_nanos=3_200_000_000, output_nanos=12_800_000_000, cache_read_nanos=1),
            ChatTier(input_up_to=None, input_nanos=10**15, output_nanos=2 * 10**9),
        ),
        source="list price of 2026-11-01",
        created_at=dt.datetime(2026, 11, 2, 5, tzinfo=dt.UTC),
    )


def channel(channel_id: str = "chan_1", provider_id: str = "dashscope", *, is_enabled: bool = False) -> Channel:
    return Channel(
        id=channel_id,
        provider_id=provider_id,
        book=LIVE,
        name="main",
        base_url="https://example.com/v1",
        credential=b"sealed\x00",
        priority=1,
        weight=7,
        connections_max=3,
        is_enabled=is_enabled,
        offers=("offer_1",),
        upstream_models={"offer_1": "ep-1"},
        created_at=5.5,
    )
