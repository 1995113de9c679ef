"""Values that are complete, so that a column that is forgotten shows."""

import datetime as dt
import itertools
from dataclasses import replace
from decimal import Decimal

from yuanjing.domain import ledger
from yuanjing.domain.artifacts import Artifact, ArtifactKind, MediaFacts
from yuanjing.domain.catalog import Channel, ChatLimits, Offer, OnDisconnect, Operation, Provider
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.holds import Hold, HoldPurpose
from yuanjing.domain.identity import ApiKey, BudgetPeriod, Customer, KeyLimits
from yuanjing.domain.ledger import Transfer
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ChatPrice, ChatTier
from yuanjing.domain.promotions import Lot
from yuanjing.domain.redemptions import RedeemCode
from yuanjing.domain.tasks import Failure, FailureKind, MediaRole, Size, TaskState, VideoMeter
from yuanjing.domain.usage import ChatUsage, PostedUsage, UsageRecord, UsageStatus
from yuanjing.domain.video_offers import TokenFormula
from yuanjing.domain.videos import (
    Outcome,
    RateConditions,
    TaskMedia,
    TaskQuote,
    TaskStep,
    TierQuote,
    VideoRequest,
    VideoTask,
)

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


def lot(n: int = 1, **changes: object) -> Lot:
    fields: dict[str, object] = {
        "id": f"promo_{n}",
        "book": LIVE,
        "customer_id": "cus_a",
        "amount_nanos": 10**17 + 1,
        "left_nanos": 10**17,
        "expired_nanos": 1,
        "expires_at": 2000.125,
        "cause": f"cause of {n}",
        "created_at": 1000.1,
    }
    return Lot(**(fields | changes))  # type: ignore[arg-type]


def redeem_code(n: int = 1, **changes: object) -> RedeemCode:
    fields: dict[str, object] = {
        "id": f"code_{n}",
        "batch_id": "batch_1",
        "digest": b"digest %d" % n,
        "hint": "7K3M",
        "amount_nanos": 10**17 + 1,
        "money_days": 30,
        "customer_max": 2,
        "expires_at": 2000.125,
        "note": "春",
        "created_at": 1000.1,
    }
    return RedeemCode(**(fields | changes))  # type: ignore[arg-type]


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
        "charge_nanos": 10**15 + 1,
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


def task(task_id: str = "1", **changes: object) -> VideoTask:
    fields: dict[str, object] = {
        "id": task_id,
        "book": TEST,
        "customer_id": "cus_a",
        "key_id": "key_1",
        "dialect": Dialect.LLMAGE,
        "request_id": "req_1",
        "offer_id": "offer_v",
        "requested_offer_id": "offer_w",
        "model": "wan",
        "operation": Operation.IMAGE_TO_VIDEO,
        "request": VideoRequest(
            model="wan2.5-i2v",
            prompt="一只猫",
            negative_prompt="dog",
            resolution="720p",
            size=Size(width=1280, height=720),
            ratio="16:9",
            duration_seconds=5,
            off_peak=True,
            audio=False,
            seed=2**31 - 1,
            watermark=True,
            media=(
                TaskMedia(
                    role=MediaRole.FIRST_FRAME,
                    artifact_id="art_1",
                    source_url="https://example.com/a.png?x=%2F",
                    seconds=Decimal("5.041667"),
                ),
            ),
            extras={"a": {"b": [1, None, True, 0.5, "x"]}},
        ),
        "price_id": "price_v",
        "quote": TaskQuote(
            conditions=RateConditions(
                model="wan2.5-i2v", resolution="720p", has_audio=False, is_off_peak=True, has_video_input=False
            ),
            meters={VideoMeter.VIDEO_SECONDS: 5, VideoMeter.PROVIDER_CREDITS: 10**12},
            expected={VideoMeter.VIDEO_SECONDS: 5, VideoMeter.PROVIDER_CREDITS: 7},
            input_seconds=Decimal("2.041667"),
            tiers=(
                TierQuote(resolution="720p", sizes=(Size(width=1280, height=720),), credits_per_second=Decimal("2.5")),
                TierQuote(resolution="480p", sizes=()),
            ),
            formula=TokenFormula(frame_rate=25, extra_frames=2, divisor=512),
        ),
        "ceiling_nanos": 10**18,
        "hold_id": f"hold_{task_id}",
        "usage_id": f"u{task_id}",
        "created_at": 1000.125,
        "next_at": 1000.125,
    }
    return VideoTask(**(fields | changes))  # type: ignore[arg-type]


def worked_on(before: VideoTask) -> VideoTask:
    """The task with every field that the work changes changed."""
    return replace(
        before,
        state=TaskState.RUNNING,
        step=TaskStep.COPYING,
        next_at=2000.5,
        submissions=2,
        failures=3,
        channel_id="chan_1",
        upstream_model="wan-ep",
        upstream_task_id="cgt-1",
        upstream_word="RUNNING",
        sent_at=1001.5,
        accepted_at=1002.5,
        started_at=1003.5,
        ended_at=1004.5,
        deadline_at=9000.5,
        outcome=Outcome(
            video_url="https://example.com/v.mp4?sig=%2B+",
            cover_url="https://example.com/c.jpg",
            meters={VideoMeter.VIDEO_TOKENS: Decimal("103818.5")},
            details={"ratio": "16:9", "n": 1, "f": 0.5, "b": True, "z": None},
            promised={VideoMeter.PROVIDER_CREDITS: Decimal("20.5")},
            delivered_seconds=Decimal("5.04"),
            ended_at=1004.25,
        ),
        video_artifact_id="art_v",
        cover_artifact_id="art_c",
        usage={"video_tokens": 103819, "ratio": "16:9"},
        charge_nanos=10**18 - 1,
        failure=Failure(kind=FailureKind.MODERATED, text="no", code="C", detail="細", status=400),
        flag="look",
    )


def artifact(artifact_id: str = "art_1", **changes: object) -> Artifact:
    fields: dict[str, object] = {
        "id": artifact_id,
        "path": f"/tmp/19/43/{artifact_id}/cover.jpeg",  # noqa: S108  # the seed's look, no place on a disk
        "blob": f"blobs/{artifact_id}",
        "kind": ArtifactKind.COVER,
        "customer_id": "cus_a",
        "task_id": "1",
        "facts": MediaFacts(
            media_type="video/mp4",
            size_bytes=5 * 10**9,
            width=1280,
            height=720,
            seconds=Decimal("5.041667"),
            frame_rate=Decimal("23.976"),
            has_audio=True,
        ),
        "sha256": "ab" * 32,
        "created_at": 1000.5,
        "expires_at": 2000.5,
    }
    return Artifact(**(fields | changes))  # type: ignore[arg-type]
